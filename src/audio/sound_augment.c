#include "audio/sound_augment.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

static double between(gr__rng *r, double low, double high) { return low + (high - low) * gr__rng_uniform(r); }

static void shift_by(float *x, int64_t n, int64_t by)
{
    int64_t keep = n - (by < 0 ? -by : by);
    memmove(x + GR__MAX(by, 0), x + GR__MAX(-by, 0), (size_t)keep * sizeof *x);
    memset(by > 0 ? x : x + keep, 0, (size_t)(n - keep) * sizeof *x);
}

void gr__sound_augment(float *x, int64_t n, const gr__sound_augment_options *o, uint64_t seed, uint64_t stream,
                       uint64_t sample)
{
    gr__rng r = gr__rng_sample(seed, stream, sample);
    if (n < 1) return;
    if (o->shift > 0) shift_by(x, n, llround(between(&r, -o->shift, o->shift) * (double)n));
    if (o->gain_db > 0) {
        float gain = (float)pow(10, between(&r, -o->gain_db, o->gain_db) / 20);
        for (int64_t i = 0; i < n; i++) x[i] *= gain;
    }
    if (gr__rng_uniform(&r) >= o->noise_share) return;
    double power = 0;
    for (int64_t i = 0; i < n; i++) power += (double)x[i] * (double)x[i];
    double level = sqrt(power / (double)n / pow(10, between(&r, o->snr_least, o->snr_most) / 10));
    for (int64_t i = 0; i < n; i++) x[i] += (float)(level * gr__rng_normal(&r));
}

void gr__feature_mask(float *features, int64_t frames, int64_t bands, const gr__mask_options *o, uint64_t seed,
                      uint64_t stream, uint64_t sample)
{
    gr__rng r = gr__rng_sample(seed, stream, sample);
    for (int64_t i = 0; i < o->n_time + o->n_bands; i++) {
        bool time = i < o->n_time;
        int64_t size = time ? frames : bands, most = GR__MIN(time ? o->most_time : o->most_bands, size);
        int64_t width = (int64_t)gr__rng_below(&r, (uint64_t)most + 1);
        int64_t first = (int64_t)gr__rng_below(&r, (uint64_t)(size - width) + 1);
        for (int64_t t = time ? first : 0; t < (time ? first + width : frames); t++)
            for (int64_t k = time ? 0 : first; k < (time ? bands : first + width); k++)
                features[t * bands + k] = o->fill;
    }
}
