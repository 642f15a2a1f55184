#include "task/point_score.h"

#include "task/metric_list.h"

enum { MOST_SILHOUETTE = 2000, MOST_SHARES = 5 };

int32_t gr__point_cluster(const float *said, int64_t outputs)
{
    int64_t best = 0;
    for (int64_t k = 1; k < outputs; k++)
        if (said[k] < said[best]) best = k;
    return (int32_t)best;
}

static int64_t outputs_of(const gr__point_said *s) { return (int64_t)gr__fitted_names(s->model->config)->n; }

static double sum_rest(const gr__point_said *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) sum += (double)s->rest[i];
    return sum;
}

/* ---- clusters ---- */

/* Of rows at equal steps; left out where it is not defined. */
static gr_status add_silhouette(const gr__point_said *s, const int32_t *cluster, gr__metric_list *l)
{
    int64_t width = s->part->points.width, n = GR__MIN(s->n, (int64_t)MOST_SILHOUETTE);
    double *x = gr__calloc((size_t)(n * width) + 1, sizeof *x), mean = NAN;
    int32_t *label = gr__calloc((size_t)n + 1, sizeof *label);
    gr_status status = x && label ? GR_OK : gr__fail_memory("rows", (size_t)(n * width) * sizeof *x);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        int64_t row = i * s->n / n;
        label[i] = cluster[row];
        for (int64_t j = 0; j < width; j++) x[i * width + j] = (double)s->part->points.x[row * width + j];
    }
    if (status == GR_OK) status = gr_silhouette(x, label, (size_t)n, (size_t)width, NULL, &mean);
    if (status == GR_OK) gr__metric_add(l, "silhouette", mean);
    gr__free(x);
    gr__free(label);
    return status == GR_ERR_DATA ? GR_OK : status;
}

static gr_status compare(const gr__point_said *s, const int32_t *cluster, gr__metric_list *l)
{
    gr_contingency *c;
    gr_contingency_scores r;
    GR_TRY(gr_contingency_new(&c));
    gr_status status = gr_contingency_update(c, s->part->class, cluster, (size_t)s->n);
    if (status == GR_OK) {
        gr_contingency_result(c, &r);
        gr__metric_add(l, "purity", r.purity);
        gr__metric_add(l, "adjusted_rand", r.adjusted_rand);
        gr__metric_add(l, "mutual_information", r.normalized_mutual_information);
    }
    gr_contingency_free(&c);
    return status;
}

static gr_status score_clusters(const gr__point_said *s, gr__metric_list *l)
{
    int32_t *cluster = gr__calloc((size_t)s->n + 1, sizeof *cluster);
    if (!cluster) return gr__fail_memory("clusters", (size_t)s->n * sizeof *cluster);
    for (int64_t i = 0, k = outputs_of(s); i < s->n; i++) cluster[i] = gr__point_cluster(s->said + i * k, k);
    gr__metric_add(l, "inertia", sum_rest(s));
    gr_status status = add_silhouette(s, cluster, l);
    if (status == GR_OK && s->part->class) status = compare(s, cluster, l);
    gr__free(cluster);
    return status;
}

/* ---- components ---- */

static gr_status score_components(const gr__point_said *s, gr__metric_list *l)
{
    gr_tensor mean, variance, total;
    int64_t width = s->part->points.width;
    double rest = sum_rest(s), all = 0;
    GR_TRY(gr_store_get(s->model->store, "mean", &mean));
    GR_TRY(gr_store_get(s->model->store, "variance", &variance));
    GR_TRY(gr_store_get(s->model->store, "total_variance", &total));
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < width; j++) {
            double v = (double)s->part->points.x[i * width + j] - gr_tensor_get(&mean, j);
            all += v * v;
        }
    if (all > 0) gr__metric_add(l, "explained_variance", 1 - rest / all);
    gr__metric_add(l, "reconstruction_mse", rest / (double)(s->n * width));
    for (int64_t k = 0; k < GR__MIN(outputs_of(s), (int64_t)MOST_SHARES); k++) {
        char name[32];
        snprintf(name, sizeof name, "explained_%lld", (long long)k + 1);
        gr__metric_add(l, name, gr_tensor_get(&variance, k) / gr_tensor_get(&total, 0));
    }
    return GR_OK;
}

gr_status gr__point_score(const gr__point_said *s, gr_metric *out, int capacity, int *n)
{
    gr__metric_list l = {out, capacity, 0};
    *n = 0;
    if (s->n == 0) return GR_OK;
    gr_status status = gr_model_label_kind(s->model) == GR_LABELS_ONE ? score_clusters(s, &l) : score_components(s, &l);
    *n = GR__MIN(l.n, capacity);
    return status;
}
