#include "audio/features.h"

#include "audio/mel.h"
#include "audio/resample.h"
#include "audio/spectrum.h"
#include "base/alloc.h"
#include "format/sound.h"

#include <string.h>

#define LEAST 1e-6 /* power: 60 dB below loud speech; digital silence and a quiet room become alike */

gr_status gr__wave_read(const char *path, int64_t rate, gr__wave *out, int64_t *found)
{
    gr__sound s;
    GR_TRY(gr__sound_read(path, &s));
    gr_status status = s.frames > 0 ? gr__sound_to_mono(&s) : gr__fail(GR_ERR_DATA, "'%s' holds no sound", path);
    if (found) *found = s.rate;
    if (status == GR_OK && rate && rate != s.rate) {
        status = gr__resample(s.samples, s.frames, s.rate, (int)rate, &out->samples, &out->n);
        if (status != GR_OK) gr__fail_prefix(status, "'%s'", path);
    } else if (status == GR_OK) {
        *out = (gr__wave){s.samples, s.frames};
        s.samples = NULL;
    }
    gr__sound_release(&s);
    return status;
}

void gr__wave_fit(const gr__wave *wave, float *to, int64_t n)
{
    int64_t cut = GR__MAX((wave->n - n) / 2, 0), before = GR__MAX((n - wave->n) / 2, 0), keep = GR__MIN(wave->n, n);
    memset(to, 0, (size_t)n * sizeof *to);
    memcpy(to + before, wave->samples + cut, (size_t)keep * sizeof *to);
}

static int64_t transform(const gr__features *f)
{
    int64_t n = 2;
    while (n < f->window) n *= 2;
    return n;
}

gr_status gr__features_check(const gr__features *f)
{
    GR_FAIL_IF(f->rate < 1 || f->rate > 768000, GR_ERR_CONFIG, "a rate of %lld Hz is not possible", (long long)f->rate);
    GR_FAIL_IF(f->window < 2 || f->window > 1 << 16 || f->hop < 1 || f->hop > f->window, GR_ERR_CONFIG,
               "windows of %lld samples every %lld are not possible", (long long)f->window, (long long)f->hop);
    GR_FAIL_IF(f->mels < 1 || f->mels > 1024, GR_ERR_CONFIG, "%lld mel bands are not possible", (long long)f->mels);
    double high = f->high > 0 ? f->high : (double)f->rate / 2;
    GR_FAIL_IF(!(f->low >= 0 && f->low < high && high <= (double)f->rate / 2), GR_ERR_CONFIG,
               "bands from %g to %g Hz do not fit a rate of %lld Hz", f->low, high, (long long)f->rate);
    size_t n = (size_t)f->mels;
    GR_FAIL_IF((f->mean.n && f->mean.n != n) || (f->std.n && f->std.n != n), GR_ERR_CONFIG,
               "means and deviations need %zu numbers, one for each band", n);
    return GR_OK;
}

int64_t gr__features_frames(const gr__features *f, int64_t n) { return n / f->hop + 1; }

gr_status gr__features_filters(const gr__features *f, float **out)
{
    int64_t n;
    return gr__mel_filters(transform(f), (int)f->rate,
                           &(gr__mel_options){.n_mels = f->mels, .low = f->low, .high = f->high}, out, &n);
}

gr_status gr__features_make(const gr__features *f, const float *filters, const float *samples, int64_t n, float *out)
{
    gr__spectrum_options o = {.n_fft = transform(f), .window = f->window, .hop = f->hop, .edge = GR__EDGE_ZERO};
    float *power;
    int64_t frames, bins;
    GR_TRY(gr__spectrum(samples, n, &o, &power, &frames, &bins));
    gr__mel_apply(power, frames, bins, filters, f->mels, out);
    gr__free(power);
    gr__mel_to_log(out, frames * f->mels, LEAST);
    for (int64_t i = 0; i < frames * f->mels; i++) {
        size_t k = (size_t)(i % f->mels);
        double mean = f->mean.n ? f->mean.item[k] : 0, std = f->std.n ? f->std.item[k] : 1;
        out[i] = (float)(((double)out[i] - mean) / std);
    }
    return GR_OK;
}
