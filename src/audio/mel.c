#include "audio/mel.h"

#include "base/alloc.h"

#include <math.h>

#define STEP (200.0 / 3)       /* Hz of a Slaney mel below BREAK */
#define BREAK 1000.0           /* Hz */
#define GROWTH (log(6.4) / 27) /* of its logarithm for each mel above */

static double to_mel(double hz, bool htk)
{
    if (htk) return 2595 * log10(1 + hz / 700);
    return hz < BREAK ? hz / STEP : BREAK / STEP + log(hz / BREAK) / GROWTH;
}

static double to_hz(double mel, bool htk)
{
    if (htk) return 700 * (pow(10, mel / 2595) - 1);
    return mel < BREAK / STEP ? mel * STEP : BREAK * exp((mel - BREAK / STEP) * GROWTH);
}

gr_status gr__mel_filters(int64_t n_fft, int rate, const gr__mel_options *options, float **out, int64_t *n_mels)
{
    gr__mel_options o = *options;
    if (o.n_mels == 0) o.n_mels = 128;
    if (o.high == 0) o.high = (double)rate / 2;
    GR_FAIL_IF(o.n_mels < 1 || o.n_mels > 4096 || n_fft < 2 || n_fft > 1 << 20 || !(o.low >= 0) || !(o.high > o.low),
               GR_ERR_ARGUMENT, "cannot make %lld mel filters from %g to %g Hz", (long long)o.n_mels, o.low, o.high);
    int64_t bins = n_fft / 2 + 1;
    float *w = gr__calloc((size_t)o.n_mels * (size_t)bins, sizeof *w);
    if (!w) return gr__fail_memory("mel filters", (size_t)o.n_mels * (size_t)bins * sizeof *w);
    double first = to_mel(o.low, o.htk), step = (to_mel(o.high, o.htk) - first) / (double)(o.n_mels + 1);
    for (int64_t m = 0; m < o.n_mels; m++) { /* a triangle over three neighbouring places of the scale */
        double a = to_hz(first + step * (double)m, o.htk), b = to_hz(first + step * (double)(m + 1), o.htk),
               c = to_hz(first + step * (double)(m + 2), o.htk);
        for (int64_t k = 0; k < bins; k++) {
            double f = (double)k * (double)rate / (double)n_fft, v = fmin((f - a) / (b - a), (c - f) / (c - b));
            w[m * bins + k] = (float)(fmax(v, 0) * (o.no_norm ? 1 : 2 / (c - a)));
        }
    }
    *out = w;
    *n_mels = o.n_mels;
    return GR_OK;
}

void gr__mel_apply(const float *power, int64_t frames, int64_t bins, const float *filters, int64_t n_mels, float *mel)
{
    for (int64_t m = 0; m < n_mels; m++) {
        const float *w = filters + m * bins;
        int64_t first = 0, end = bins; /* a triangle is zero nearly everywhere */
        while (first < end && w[first] == 0) first++;
        while (end > first && w[end - 1] == 0) end--;
        for (int64_t t = 0; t < frames; t++) {
            double sum = 0;
            for (int64_t k = first; k < end; k++) sum += (double)power[t * bins + k] * (double)w[k];
            mel[t * n_mels + m] = (float)sum;
        }
    }
}

void gr__mel_to_db(float *mel, int64_t count, double least, double range)
{
    float most = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        mel[i] = (float)(10 * log10(fmax((double)mel[i], least)));
        most = fmaxf(most, mel[i]);
    }
    for (int64_t i = 0; i < count && range > 0; i++) mel[i] = fmaxf(mel[i], most - (float)range);
}

void gr__mel_to_log(float *mel, int64_t count, double least)
{
    for (int64_t i = 0; i < count; i++) mel[i] = (float)log(fmax((double)mel[i], least));
}

void gr__mel_cepstra(const float *log_mel, int64_t frames, int64_t n_mels, int64_t n_out, float *out)
{
    double n = (double)n_mels;
    for (int64_t k = 0; k < n_out; k++) {
        double scale = sqrt((k ? 2 : 1) / n);
        for (int64_t t = 0; t < frames; t++) out[t * n_out + k] = 0;
        for (int64_t m = 0; m < n_mels; m++) { /* one cosine for all rows */
            float c = (float)(scale * cos(3.14159265358979323846 * (double)k * ((double)m + 0.5) / n));
            for (int64_t t = 0; t < frames; t++) out[t * n_out + k] += c * log_mel[t * n_mels + m];
        }
    }
}
