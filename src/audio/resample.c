#include "audio/resample.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <math.h>
#include <string.h>

#define CROSSINGS 32  /* on each side */
#define BETA 10.0     /* of Kaiser's window */
#define ROLL_OFF 0.95 /* of the smaller band is kept */
#define MOST_TABLE ((int64_t)1 << 22)

/* The modified Bessel function of the first kind, order 0, by its series. */
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 60 && term > sum * 1e-17; k++) {
        term *= (x / 2 / k) * (x / 2 / k);
        sum += term;
    }
    return sum;
}

/* Weight of a sample 'x' zero crossings away, |x| < CROSSINGS. */
static double kernel(double x)
{
    double u = x / CROSSINGS, sinc = x == 0 ? 1 : sin(3.14159265358979323846 * x) / (3.14159265358979323846 * x);
    return sinc * bessel(BETA * sqrt(1 - u * u)) / bessel(BETA);
}

static int gcd(int a, int b)
{
    while (b) {
        int t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* Output i lies at i * from / to; there are 'phases' different distances to the samples around it. */
gr_status gr__resample(const float *samples, int64_t n, int from, int to, float **out, int64_t *n_out)
{
    GR_FAIL_IF(from < 1 || to < 1 || from > 768000 || to > 768000, GR_ERR_ARGUMENT,
               "cannot resample from %d to %d Hz: rates go from 1 to 768000", from, to);
    int common = gcd(from, to);
    int64_t step = from / common, phases = to / common;
    GR_FAIL_IF(n > GR__LIMIT_AUDIO_SAMPLES || (double)n * to / from > GR__LIMIT_AUDIO_SAMPLES, GR_ERR_LIMIT,
               "cannot resample %lld samples: at most %d may come out", (long long)n, GR__LIMIT_AUDIO_SAMPLES);
    int64_t count = (n * phases + step - 1) / step;
    double band = from == to ? 1 : ROLL_OFF * fmin(1, (double)to / from);
    int64_t reach = (int64_t)ceil(CROSSINGS / band), width = 2 * reach + 1;
    bool table_fits = phases * width <= MOST_TABLE;
    float *result = gr__alloc((size_t)GR__MAX(count, 1) * sizeof *result);
    double *table = gr__calloc((size_t)((table_fits ? phases : 1) * width), sizeof *table);
    if (!result || !table) {
        gr__free(result);
        gr__free(table);
        return gr__fail_memory("samples", (size_t)count * sizeof *result);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = i * step, base = place / phases, phase = place % phases;
        double *w = table + (table_fits ? phase * width : 0), sum = 0;
        if (from == to) {
            result[i] = samples[i];
            continue;
        }
        if (!table_fits || w[reach] == 0) { /* the middle weight is never 0 once it is filled */
            double total = 0;
            for (int64_t k = -reach; k <= reach; k++) {
                double x = ((double)k - (double)phase / (double)phases) * band;
                total += w[reach + k] = fabs(x) < CROSSINGS ? kernel(x) : 0;
            }
            for (int64_t k = 0; k < width; k++) w[k] /= total; /* a constant stays what it is */
        }
        for (int64_t k = GR__MAX(-reach, -base); k <= reach && base + k < n; k++)
            sum += w[reach + k] * (double)samples[base + k];
        result[i] = (float)sum;
    }
    gr__free(table);
    *out = result;
    *n_out = count;
    return GR_OK;
}
