/* Silhouette: is a point nearer to its own cluster than to the next one? (b - a) / max(a, b), where a is the mean distance
 * to the others of its cluster and b the smallest mean distance to another cluster. */
#include "gradus/metric.h"

#include "base/map.h"
#include "metric/sum.h"

typedef struct clusters {
    gr__map ids;
    size_t *of;   /* (n): the cluster of a point */
    double *size; /* (count) */
    gr__sum *sum; /* (count): distances from one point */
} clusters;

static void clusters_release(clusters *c)
{
    gr__map_release(&c->ids);
    gr__free(c->of);
    gr__free(c->size);
    gr__free(c->sum);
}

static gr_status clusters_init(clusters *c, const int32_t *label, size_t n)
{
    c->of = gr__calloc(n, sizeof *c->of);
    if (!c->of) return gr__fail_memory("the clusters of points", n * sizeof *c->of);
    for (size_t i = 0; i < n; i++) {
        const int64_t *known = gr__map_get(&c->ids, &label[i], sizeof *label);
        c->of[i] = known ? (size_t)*known : c->ids.count;
        if (!known) GR_TRY(gr__map_set(&c->ids, &label[i], sizeof *label, (int64_t)c->ids.count, NULL));
    }
    c->size = gr__calloc(c->ids.count, sizeof *c->size);
    c->sum = gr__calloc(c->ids.count, sizeof *c->sum);
    if (!c->size || !c->sum) return gr__fail_memory("clusters", c->ids.count * sizeof *c->sum);
    for (size_t i = 0; i < n; i++) c->size[c->of[i]]++;
    return GR_OK;
}

static double distance(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

static double of_point(clusters *c, const double *x, size_t n, size_t d, size_t i)
{
    size_t own = c->of[i];
    for (size_t k = 0; k < c->ids.count; k++) c->sum[k] = (gr__sum){0};
    for (size_t j = 0; j < n; j++) gr__sum_add(&c->sum[c->of[j]], distance(x + i * d, x + j * d, d));
    if (c->size[own] < 2) return 0;
    double a = gr__sum_get(&c->sum[own]) / (c->size[own] - 1), b = INFINITY;
    for (size_t k = 0; k < c->ids.count; k++)
        if (k != own) b = fmin(b, gr__sum_get(&c->sum[k]) / c->size[k]);
    double most = fmax(a, b);
    return most > 0 ? (b - a) / most : 0; /* all points in one place */
}

gr_status gr_silhouette(const double *x, const int32_t *label, size_t n, size_t d, double *each, double *mean)
{
    GR_FAIL_IF((n && (!label || (d && !x))) || !mean, GR_ERR_ARGUMENT, "gr_silhouette: an argument is NULL");
    *mean = NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++)
            GR_FAIL_IF(!isfinite(x[i * d + k]), GR_ERR_DATA, "point %zu: coordinate %zu is %g", i, k, x[i * d + k]);
    clusters c = {0};
    gr__sum sum = {0};
    gr_status status = GR_OK;
    GR_TRY_DONE(clusters_init(&c, label, n));
    if (c.ids.count < 2 || c.ids.count >= n) {
        status = gr__fail(GR_ERR_DATA, "%zu clusters of %zu points: a silhouette needs 2 to n - 1", c.ids.count, n);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        double s = of_point(&c, x, n, d, i);
        if (each) each[i] = s;
        gr__sum_add(&sum, s);
    }
    *mean = gr__sum_get(&sum) / (double)n;
done:
    clusters_release(&c);
    return status;
}
