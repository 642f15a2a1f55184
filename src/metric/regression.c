/* Errors of predicted numbers. Means and squared deviations are carried along (Welford 1962) and joined (Chan et al.
 * 1979), so that far-off values do not cancel and constant values have a variance of exactly 0. */
#include "gradus/metric.h"

#include "metric/order.h"
#include "metric/sum.h"

#include <float.h>
#include <string.h>

typedef struct moments {
    double origin;           /* the first one: what is carried along is the distance from it, with all its digits */
    double n, mean, squares; /* sum of (x - mean)^2 */
} moments;

struct gr_regression {
    moments actual, error;
    gr__sum squared, relative;
    double *size; /* |error| of each sample */
    size_t n, capacity;
};

static void moments_add(moments *m, double x)
{
    if (m->n == 0) m->origin = x;
    x -= m->origin;
    double d = x - m->mean;
    m->n++;
    m->mean += d / m->n;
    m->squares += d * (x - m->mean);
}

static void moments_merge(moments *m, const moments *o)
{
    if (!(o->n > 0)) return;
    if (m->n == 0) {
        *m = *o;
        return;
    }
    double n = m->n + o->n, d = (o->origin - m->origin) + (o->mean - m->mean);
    m->squares += o->squares + d * d * (m->n * o->n / n);
    m->mean += d * (o->n / n);
    m->n = n;
}

gr_status gr_regression_new(gr_regression **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_regression_new: an argument is NULL");
    *out = gr__calloc(1, sizeof **out);
    return *out ? GR_OK : gr__fail_memory("scores of numbers", sizeof **out);
}

void gr_regression_free(gr_regression **r)
{
    if (!r || !*r) return;
    gr__free((*r)->size);
    gr__free(*r);
    *r = NULL;
}

gr_status gr_regression_update(gr_regression *r, const double *actual, const double *predicted, size_t n)
{
    GR_FAIL_IF(!r || (n && (!actual || !predicted)), GR_ERR_ARGUMENT, "gr_regression_update: an argument is NULL");
    for (size_t i = 0; i < n; i++)
        GR_FAIL_IF(!isfinite(actual[i]) || !isfinite(predicted[i]), GR_ERR_DATA, "sample %zu: %g predicted as %g", i,
                   actual[i], predicted[i]);
    GR_TRY(gr__grow(&r->size, sizeof *r->size, r->n + n, &r->capacity));
    for (size_t i = 0; i < n; i++) {
        double e = actual[i] - predicted[i], size = fabs(e);
        moments_add(&r->actual, actual[i]);
        moments_add(&r->error, e);
        gr__sum_add(&r->squared, e * e);
        gr__sum_add(&r->relative, size / fmax(fabs(actual[i]), DBL_EPSILON));
        r->size[r->n++] = size;
    }
    return GR_OK;
}

gr_status gr_regression_merge(gr_regression *r, const gr_regression *other)
{
    GR_FAIL_IF(!r || !other, GR_ERR_ARGUMENT, "gr_regression_merge: an argument is NULL");
    GR_TRY(gr__grow(&r->size, sizeof *r->size, r->n + other->n, &r->capacity));
    if (other->n) memcpy(r->size + r->n, other->size, other->n * sizeof *r->size);
    r->n += other->n;
    moments_merge(&r->actual, &other->actual);
    moments_merge(&r->error, &other->error);
    gr__sum_merge(&r->squared, &other->squared);
    gr__sum_merge(&r->relative, &other->relative);
    return GR_OK;
}

/* 1 - part / whole; constant values (whole 0) are explained wholly or not at all. */
static double explained(double part, double whole)
{
    if (whole > 0) return 1 - part / whole;
    return part > 0 ? 0 : 1;
}

gr_status gr_regression_result(const gr_regression *r, gr_regression_scores *out)
{
    GR_FAIL_IF(!r || !out, GR_ERR_ARGUMENT, "gr_regression_result: an argument is NULL");
    *out = (gr_regression_scores){(int64_t)r->n, NAN, NAN, NAN, NAN, NAN, NAN, NAN, "there are no samples"};
    if (r->n == 0) return GR_OK;
    double n = (double)r->n, squared = gr__sum_get(&r->squared);
    gr__sum absolute = {0};
    double *sorted = gr__calloc(r->n, sizeof *sorted);
    if (!sorted) return gr__fail_memory("errors", r->n * sizeof *sorted);
    memcpy(sorted, r->size, r->n * sizeof *sorted);
    gr_status status = gr__sort(sorted, r->n);
    if (status == GR_OK) {
        for (size_t i = 0; i < r->n; i++) gr__sum_add(&absolute, sorted[i]);
        out->mse = squared / n;
        out->rmse = sqrt(squared / n);
        out->mae = gr__sum_get(&absolute) / n;
        out->median_absolute_error = (sorted[(r->n - 1) / 2] + sorted[r->n / 2]) / 2;
        out->mape = gr__sum_get(&r->relative) / n;
        out->explained_variance = explained(r->error.squares, r->actual.squares);
        out->r2 = r->n > 1 ? explained(squared, r->actual.squares) : NAN;
        out->undefined = r->n < 2            ? "r2 needs two samples or more"
                         : isfinite(out->r2) ? NULL
                                             : "the squares are too large";
    }
    gr__free(sorted);
    return status;
}
