#include "image/mix.h"

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>

/* Logarithm of a gamma of shape a and scale 1: Marsaglia and Tsang 2000; a < 1 by that of a + 1. The number itself is often 0
 * for a small a. */
static double draw_log_gamma(gr__rng *r, double a)
{
    double boost = 0;
    if (a < 1) {
        boost = log(1 - gr__rng_uniform(r)) / a;
        a += 1;
    }
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = gr__rng_normal(r), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        if (log(1 - gr__rng_uniform(r)) < x * x / 2 + d - d * v + d * log(v)) return boost + log(d * v);
    }
}

static double draw_beta(gr__rng *r, double a)
{
    double x = draw_log_gamma(r, a), y = draw_log_gamma(r, a);
    return 1 / (1 + exp(y - x));
}

static double blend(float *a, float *b, int64_t n, double share)
{
    float own = (float)share, other = (float)(1 - share);
    for (int64_t i = 0; i < n; i++) {
        float x = a[i], y = b[i];
        a[i] = own * x + other * y;
        b[i] = own * y + other * x;
    }
    return share;
}

static double swap_rectangle(gr__rng *r, float *a, float *b, int64_t height, int64_t width, int64_t channels,
                             double share)
{
    double edge = sqrt(1 - share);
    int64_t h = llround(edge * (double)height), w = llround(edge * (double)width);
    int64_t y = (int64_t)gr__rng_below(r, (uint64_t)height) - h / 2,
            x = (int64_t)gr__rng_below(r, (uint64_t)width) - w / 2;
    int64_t y0 = GR__MAX(y, 0), x0 = GR__MAX(x, 0), y1 = GR__MIN(y + h, height), x1 = GR__MIN(x + w, width);
    for (int64_t i = y0; i < y1; i++)
        for (int64_t k = (i * width + x0) * channels; k < (i * width + x1) * channels; k++) {
            float t = a[k];
            a[k] = b[k];
            b[k] = t;
        }
    return 1 - (double)(y1 - y0) * (double)(x1 - x0) / ((double)height * (double)width);
}

double gr__mix_pair(gr__rng *r, double mixup, double cutmix, int64_t height, int64_t width, int64_t channels, float *a,
                    float *b)
{
    if (!(mixup > 0) && !(cutmix > 0)) return 1;
    bool cut = cutmix > 0 && (!(mixup > 0) || gr__rng_uniform(r) < 0.5);
    double share = draw_beta(r, cut ? cutmix : mixup);
    return cut ? swap_rectangle(r, a, b, height, width, channels, share)
               : blend(a, b, height * width * channels, share);
}
