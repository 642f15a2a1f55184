#include "audio/fft.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

struct gr__fft {
    int64_t n;
    int64_t m;         /* power of two that is transformed: n itself, or at least 2 n - 1 */
    double *cos, *sin; /* (m / 2): exp(-2 pi i k / m) */
    double *chirp[2];  /* (n): exp(-pi i k k / n); NULL for a power of two */
    double *answer[2]; /* (m): transform of the chirp turned backwards */
};

static void radix_2(const gr__fft *f, double *re, double *im)
{
    int64_t m = f->m;
    for (int64_t i = 1, j = 0; i < m; i++) { /* bits in reverse */
        int64_t bit = m >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
        if (i >= j) continue;
        double t = re[i];
        re[i] = re[j], re[j] = t;
        t = im[i];
        im[i] = im[j], im[j] = t;
    }
    for (int64_t half = 1; half < m; half *= 2) {
        int64_t step = m / (2 * half);
        for (int64_t i = 0; i < m; i += 2 * half)
            for (int64_t k = 0; k < half; k++) {
                double c = f->cos[k * step], s = f->sin[k * step];
                double *ar = re + i + k, *ai = im + i + k, *br = ar + half, *bi = ai + half;
                double tr = *br * c - *bi * s, ti = *br * s + *bi * c;
                *br = *ar - tr, *bi = *ai - ti;
                *ar += tr, *ai += ti;
            }
    }
}

static gr_status fill(gr__fft *f)
{
    size_t m = (size_t)f->m, n = (size_t)f->n;
    bool power = f->m == f->n;
    double *all = gr__calloc(m + (power ? 0 : 2 * n + 2 * m), sizeof *all);
    if (!all) return gr__fail_memory("a Fourier transform", (m + 2 * n + 2 * m) * sizeof *all);
    f->cos = all;
    f->sin = all + m / 2;
    for (int64_t k = 0; k < f->m / 2; k++) {
        f->cos[k] = cos(2 * PI * (double)k / (double)f->m);
        f->sin[k] = -sin(2 * PI * (double)k / (double)f->m);
    }
    if (power) return GR_OK;
    f->chirp[0] = all + m, f->chirp[1] = f->chirp[0] + n;
    f->answer[0] = f->chirp[1] + n, f->answer[1] = f->answer[0] + m;
    for (int64_t k = 0; k < f->n; k++) {
        double angle = PI * (double)(k * k % (2 * f->n)) / (double)f->n;
        f->chirp[0][k] = cos(angle);
        f->chirp[1][k] = -sin(angle);
        for (int part = 0; part < 2; part++) {
            double v = part ? -f->chirp[1][k] : f->chirp[0][k];
            f->answer[part][k] = v;
            if (k) f->answer[part][f->m - k] = v;
        }
    }
    radix_2(f, f->answer[0], f->answer[1]);
    return GR_OK;
}

gr_status gr__fft_new(int64_t n, gr__fft **out)
{
    GR_FAIL_IF(n < 1 || n > 1 << 20, GR_ERR_ARGUMENT, "a Fourier transform of length %lld: from 1 to %d are possible",
               (long long)n, 1 << 20);
    gr__fft *f = gr__calloc(1, sizeof *f);
    if (!f) return gr__fail_memory("a Fourier transform", sizeof *f);
    f->n = n;
    f->m = 2; /* so that there is a table */
    bool power = (n & (n - 1)) == 0;
    while (f->m < (power ? n : 2 * n - 1)) f->m *= 2;
    if (power) f->m = n;
    gr_status status = fill(f);
    if (status != GR_OK)
        gr__fft_free(&f);
    else
        *out = f;
    return status;
}

void gr__fft_free(gr__fft **fft)
{
    gr__fft *f = *fft;
    if (!f) return;
    gr__free(f->cos);
    gr__free(f);
    *fft = NULL;
}

size_t gr__fft_scratch(const gr__fft *f) { return f->chirp[0] ? 2 * (size_t)f->m : 0; }

void gr__fft_run(const gr__fft *f, double *re, double *im, double *scratch)
{
    if (!f->chirp[0]) {
        radix_2(f, re, im);
        return;
    }
    double *a = scratch, *b = scratch + f->m, scale = 1 / (double)f->m;
    const double *cr = f->chirp[0], *ci = f->chirp[1];
    memset(scratch, 0, 2 * (size_t)f->m * sizeof *scratch);
    for (int64_t k = 0; k < f->n; k++) {
        a[k] = re[k] * cr[k] - im[k] * ci[k];
        b[k] = re[k] * ci[k] + im[k] * cr[k];
    }
    radix_2(f, a, b);
    for (int64_t k = 0; k < f->m; k++) { /* times the answer, conjugated: the way back is the way there */
        double r = a[k] * f->answer[0][k] - b[k] * f->answer[1][k];
        b[k] = -(a[k] * f->answer[1][k] + b[k] * f->answer[0][k]);
        a[k] = r;
    }
    radix_2(f, a, b);
    for (int64_t k = 0; k < f->n; k++) {
        double r = a[k] * scale, i = -b[k] * scale;
        re[k] = r * cr[k] - i * ci[k];
        im[k] = r * ci[k] + i * cr[k];
    }
}
