/* Distance of two clouds of points seen as normal distributions. */
#include "gradus/metric.h"

#include "base/alloc.h"
#include "base/status.h"
#include "kernel/eigen.h"

#include <math.h>
#include <string.h>

static void moments(const double *x, size_t rows, size_t n, double *mean, double *cov)
{
    memset(mean, 0, n * sizeof *mean);
    memset(cov, 0, n * n * sizeof *cov);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) mean[i] += x[r * n + i] / (double)rows;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k <= i; k++)
                cov[i * n + k] += (x[r * n + i] - mean[i]) * (x[r * n + k] - mean[k]) / (double)(rows - 1);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) cov[k * n + i] = cov[i * n + k];
}

/* out = a*b, all (n, n) */
static void product(const double *a, const double *b, size_t n, double *out)
{
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++) out[i * n + j] += a[i * n + k] * b[k * n + j];
}

gr_status gr_frechet_distance(const double *a, size_t n_a, const double *b, size_t n_b, size_t width, double *out)
{
    GR_FAIL_IF(!a || !b || !out, GR_ERR_ARGUMENT, "gr_frechet_distance: an argument is NULL");
    *out = NAN;
    GR_FAIL_IF(width < 1 || width > 4096 || n_a < 2 || n_b < 2, GR_ERR_ARGUMENT,
               "the distance needs two points on each side and a width of 1 to 4096; there are %zu, %zu and %zu", n_a,
               n_b, width);
    for (size_t i = 0; i < n_a * width; i++) GR_FAIL_IF(!isfinite(a[i]), GR_ERR_DATA, "point %zu: %g", i / width, a[i]);
    for (size_t i = 0; i < n_b * width; i++) GR_FAIL_IF(!isfinite(b[i]), GR_ERR_DATA, "point %zu: %g", i / width, b[i]);
    size_t n = width, square = n * n;
    double *block = gr__calloc(3 * n + 5 * square, sizeof *block);
    if (!block) return gr__fail_memory("covariances", 5 * square * sizeof *block);
    double *mean = block, *other = mean + n, *value = other + n, *c = value + n, *d = c + square, *v = d + square,
           *root = v + square, *t = root + square, sum = 0;
    moments(a, n_a, n, mean, c);
    moments(b, n_b, n, other, d);
    for (size_t i = 0; i < n; i++) {
        double gap = mean[i] - other[i];
        sum += gap * gap + c[i * n + i] + d[i * n + i];
    }
    gr_status status = gr__eigen_symmetric(c, (int64_t)n, value, v); /* the root of the first covariance */
    for (size_t k = 0; k < n && status == GR_OK; k++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) root[i * n + j] += v[k * n + i] * sqrt(fmax(value[k], 0)) * v[k * n + j];
    if (status == GR_OK) {
        product(root, d, n, t);
        product(t, root, n, c);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < i; k++) c[i * n + k] = c[k * n + i] = (c[i * n + k] + c[k * n + i]) / 2;
        status = gr__eigen_symmetric(c, (int64_t)n, value, NULL);
    }
    for (size_t i = 0; i < n && status == GR_OK; i++) sum -= 2 * sqrt(fmax(value[i], 0));
    gr__free(block);
    if (status == GR_OK) *out = fmax(sum, 0);
    return status;
}
