#include "fit/components.h"

#include "base/alloc.h"
#include "kernel/eigen.h"
#include "kernel/gemm.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 512, TILE = 128 };

static void find_mean(const gr__points *p, double *mean)
{
    memset(mean, 0, (size_t)p->width * sizeof *mean);
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < p->width; j++) mean[j] += (double)p->x[i * p->width + j];
    for (int64_t j = 0; j < p->width; j++) mean[j] /= (double)p->n;
}

/* Variance of all columns; 0 where rounding alone makes one. */
static double spread_of(const gr__points *p, const double *mean)
{
    double total = 0, squares = 0;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < p->width; j++) {
            double v = (double)p->x[i * p->width + j] - mean[j];
            total += v * v;
        }
    for (int64_t j = 0; j < p->width; j++) squares += mean[j] * mean[j];
    return total > 1e-20 * squares ? total / (double)(p->n - 1) : 0;
}

/* Rows first .. without their mean, into (rows, width). */
static void centre(const gr__points *p, const double *mean, int64_t first, int64_t rows, double *out)
{
    const float *x = p->x + first * p->width;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < p->width; j++) out[i * p->width + j] = (double)x[i * p->width + j] - mean[j];
}

/* c = a*b, or added to it; all f64. */
static gr_status product(gr__gemm *g)
{
    g->dtype = g->c_dtype = GR_F64;
    g->scratch = gr__alloc(gr__gemm_scratch_bytes(g));
    if (!g->scratch) return gr__fail_memory("a product", gr__gemm_scratch_bytes(g));
    gr__gemm_run(g);
    gr__free(g->scratch);
    return GR_OK;
}

/* (width, width), a sum over rows: the tiles on the diagonal and right of it, then the others by symmetry. */
static gr_status covariance(const gr__points *p, const double *mean, double *block, double *out)
{
    int64_t w = p->width;
    memset(out, 0, (size_t)(w * w) * sizeof *out);
    for (int64_t first = 0; first < p->n; first += BLOCK) {
        int64_t rows = GR__MIN((int64_t)BLOCK, p->n - first);
        centre(p, mean, first, rows, block);
        for (int64_t at = 0; at < w; at += TILE)
            GR_TRY(product(&(gr__gemm){.m = GR__MIN((int64_t)TILE, w - at),
                                       .n = w - at,
                                       .k = rows,
                                       .a = block + at,
                                       .a_row = 1,
                                       .a_col = w,
                                       .b = block + at,
                                       .b_row = w,
                                       .b_col = 1,
                                       .c = out + at * w + at,
                                       .c_row = w,
                                       .accumulate = true}));
    }
    for (int64_t i = 0; i < w; i++)
        for (int64_t j = 0; j < i; j++) out[i * w + j] = out[j * w + i];
    return GR_OK;
}

/* The largest number is positive: signs do not hang on the way that led there. */
static void fix_sign(double *v, int64_t n)
{
    int64_t most = 0;
    for (int64_t j = 1; j < n; j++)
        if (fabs(v[j]) > fabs(v[most])) most = j;
    bool turn = v[most] < 0;
    for (int64_t j = 0; j < n && turn; j++) v[j] = -v[j];
}

static gr_status by_covariance(const gr__points *p, int64_t components, gr__pca *out)
{
    size_t w = (size_t)p->width, square = w * w;
    double *block = gr__alloc((2 * square + w + BLOCK * w) * sizeof *block);
    if (!block) return gr__fail_memory("a covariance", 2 * square * sizeof *block);
    double *c = block, *vector = c + square, *value = vector + square;
    gr_status status = covariance(p, out->mean, value + w, c);
    if (status == GR_OK) status = gr__eigen_symmetric(c, p->width, value, vector);
    for (int64_t k = 0; k < components && status == GR_OK; k++) {
        out->variance[k] = fmax(value[k], 0) / (double)(p->n - 1);
        memcpy(out->component + k * p->width, vector + k * p->width, w * sizeof *vector);
    }
    gr__free(block);
    return status;
}

/* Eigenvectors u of X*X' give those of X'*X: X'*u, of length sqrt(value). */
static gr_status by_rows(const gr__points *p, int64_t components, gr__pca *out)
{
    int64_t n = p->n, w = p->width;
    size_t square = (size_t)(n * n);
    double *block = gr__alloc((2 * square + (size_t)n + (size_t)(n * w)) * sizeof *block);
    if (!block) return gr__fail_memory("products of rows", 2 * square * sizeof *block);
    double *c = block, *vector = c + square, *value = vector + square, *x = value + n;
    gr_status status = GR_OK;
    centre(p, out->mean, 0, n, x);
    GR_TRY_DONE(product(&(gr__gemm){
        .m = n, .n = n, .k = w, .a = x, .a_row = w, .a_col = 1, .b = x, .b_row = 1, .b_col = w, .c = c, .c_row = n}));
    GR_TRY_DONE(gr__eigen_symmetric(c, n, value, vector));
    int64_t spread = 0;
    while (spread < n && value[spread] > 1e-12 * value[0]) spread++;
    if (spread < components)
        GR_TRY_DONE(gr__fail(GR_ERR_DATA, "the rows spread in %lld directions only; components: %lld at most",
                             (long long)spread, (long long)spread));
    GR_TRY_DONE(product(&(gr__gemm){.m = components,
                                    .n = w,
                                    .k = n,
                                    .a = vector,
                                    .a_row = n,
                                    .a_col = 1,
                                    .b = x,
                                    .b_row = w,
                                    .b_col = 1,
                                    .c = out->component,
                                    .c_row = w}));
    for (int64_t k = 0; k < components; k++) {
        out->variance[k] = value[k] / (double)(n - 1);
        for (int64_t j = 0; j < w; j++) out->component[k * w + j] /= sqrt(value[k]);
    }
done:
    gr__free(block);
    return status;
}

gr_status gr__pca_fit(const gr__points *p, int64_t components, gr__pca *out)
{
    GR_FAIL_IF(GR__MIN(p->n, p->width) > GR__PCA_MOST, GR_ERR_LIMIT,
               "principal components of %lld rows of %lld numbers: one of the two must be %d at most", (long long)p->n,
               (long long)p->width, GR__PCA_MOST);
    GR_FAIL_IF(components < 1 || components > GR__MIN(p->n - 1, p->width), GR_ERR_DATA,
               "%lld rows of %lld numbers have %lld principal components at most, not %lld", (long long)p->n,
               (long long)p->width, (long long)GR__MIN(p->n - 1, p->width), (long long)components);
    find_mean(p, out->mean);
    out->total = spread_of(p, out->mean);
    GR_FAIL_IF(out->total == 0, GR_ERR_DATA, "all rows are the same; they have no principal components");
    GR_TRY(p->width <= p->n ? by_covariance(p, components, out) : by_rows(p, components, out));
    for (int64_t k = 0; k < components; k++) fix_sign(out->component + k * p->width, p->width);
    return GR_OK;
}
