#include "audio/spectrum.h"

#include "audio/fft.h"
#include "base/alloc.h"
#include "base/limits.h"

#include <math.h>

/* Sample i of what is there and what the edge adds. */
static double at(const float *samples, int64_t n, int64_t i, gr__edge edge)
{
    if (i >= 0 && i < n) return (double)samples[i];
    if (edge != GR__EDGE_REFLECT) return 0;
    return (double)samples[i < 0 ? -i : 2 * (n - 1) - i];
}

static void rows(const gr__fft *fft, const float *samples, int64_t n, const gr__spectrum_options *o, int64_t frames,
                 double *work, float *out)
{
    int64_t bins = o->n_fft / 2 + 1, before = (o->n_fft - o->window) / 2;
    int64_t start = o->edge == GR__EDGE_NONE ? 0 : -(o->n_fft / 2);
    double *re = work, *im = work + o->n_fft, *hann = im + o->n_fft, *scratch = hann + o->window;
    for (int64_t i = 0; i < o->window; i++)
        hann[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * (double)i / (double)o->window);
    for (int64_t t = 0; t < frames; t += 2, start += 2 * o->hop) { /* two at once: both are real */
        bool two = t + 1 < frames;
        for (int64_t i = 0; i < o->n_fft; i++) re[i] = im[i] = 0;
        for (int64_t i = 0; i < o->window; i++) {
            int64_t from = start + before + i;
            re[before + i] = hann[i] * at(samples, n, from, o->edge);
            if (two) im[before + i] = hann[i] * at(samples, n, from + o->hop, o->edge);
        }
        gr__fft_run(fft, re, im, scratch);
        for (int64_t k = 0; k < bins; k++) {
            int64_t m = k ? o->n_fft - k : 0; /* Z[k] = X[k] + i Y[k], and X[-k] is the conjugate of X[k] */
            double xr = re[k] + re[m], xi = im[k] - im[m], yr = im[k] + im[m], yi = re[m] - re[k];
            double power[] = {(xr * xr + xi * xi) / 4, (yr * yr + yi * yi) / 4};
            for (int64_t f = 0; f < 1 + two; f++)
                out[(t + f) * bins + k] = (float)(o->magnitude ? sqrt(power[f]) : power[f]);
        }
    }
}

gr_status gr__spectrum(const float *samples, int64_t n, const gr__spectrum_options *options, float **out,
                       int64_t *frames, int64_t *bins)
{
    gr__spectrum_options o = *options;
    if (o.n_fft == 0) o.n_fft = 400;
    if (o.window == 0) o.window = o.n_fft;
    if (o.hop == 0) o.hop = GR__MAX(o.window / 2, 1);
    GR_FAIL_IF(o.n_fft < 1 || o.n_fft > 1 << 20 || o.window < 1 || o.window > o.n_fft || o.hop < 1, GR_ERR_ARGUMENT,
               "cannot make a spectrum with n_fft %lld, window %lld, hop %lld", (long long)o.n_fft, (long long)o.window,
               (long long)o.hop);
    int64_t padded = o.edge == GR__EDGE_NONE ? n : n + o.n_fft / 2 * 2, least = o.n_fft;
    GR_FAIL_IF(padded < least || n < 1 || (o.edge == GR__EDGE_REFLECT && n <= o.n_fft / 2), GR_ERR_DATA,
               "%lld samples are too few for windows of %lld", (long long)n, (long long)o.n_fft);
    int64_t count = (padded - o.n_fft) / o.hop + 1, width = o.n_fft / 2 + 1;
    size_t bytes;
    GR_FAIL_IF(!gr__mul_size((size_t)count, (size_t)width * sizeof(float), &bytes) ||
                   count > GR__LIMIT_METADATA_ARRAY * 8LL / width,
               GR_ERR_LIMIT, "a spectrum of %lld x %lld is too large", (long long)count, (long long)width);
    gr__fft *fft;
    GR_TRY(gr__fft_new(o.n_fft, &fft));
    float *result = gr__alloc(bytes);
    double *work = gr__alloc(((size_t)(2 * o.n_fft + o.window) + gr__fft_scratch(fft)) * sizeof *work);
    gr_status status = result && work ? GR_OK : gr__fail_memory("a spectrum", bytes);
    if (status == GR_OK) {
        rows(fft, samples, n, &o, count, work, result);
        *out = result;
        *frames = count;
        *bins = width;
    } else {
        gr__free(result);
    }
    gr__free(work);
    gr__fft_free(&fft);
    return status;
}
