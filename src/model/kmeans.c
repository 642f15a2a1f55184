/* k-means: rows in groups around centres, fitted by Lloyd's passes (fit/lloyd.h). What is said of a row is its distance to each
 * centre; the least is its cluster's. */
#include "fit/lloyd.h"
#include "gradus/ops.h"
#include "model/fitted.h"

#include <math.h>

typedef struct kmeans_config {
    gr__fitted_config f; /* first */
    int64_t clusters, starts;
    double tolerance;
} kmeans_config;

#define AT(field) offsetof(kmeans_config, field)
static const gr__conf_row rows[] = {
    {"clusters", GR__CONF_INT, AT(clusters), 1, GR__MOST_FITTED, NULL, "8", "groups", 0},
    {"starts", GR__CONF_INT, AT(starts), 1, 100000, NULL, "10", "begin so often, by k-means++; the best one stays", 0},
    {"tolerance", GR__CONF_DOUBLE, AT(tolerance), 0, 1, NULL, "1e-4",
     "a start ends when its centres move less than this share of the mean variance of a column; 0: when no row changes its "
     "cluster",
     0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    kmeans_config *c = config;
    return gr__fitted_finish(&c->f, facts, "", c->clusters);
}

/* |x - c|² = |x|² - 2 x·c + |c|², with x and c taken from the middle of the centres, so that less of it cancels. */
static void build_fitted(gr_graph *g, const void *config, gr_value x, gr_value *said, gr_value *rest)
{
    const kmeans_config *c = config;
    gr_value centres = gr__fitted_state(g, "centres", 2, (int64_t[]){c->clusters, c->f.inputs});
    gr_value middle = gr_mean(g, centres, 1, true), from = gr_sub(g, centres, middle), to = gr_sub(g, x, middle);
    gr_value products = gr_matmul(g, to, from, &(gr_matmul_options){.transpose_b = true}); /* (N, clusters) */
    gr_value here = gr_sum(g, gr_square(g, to), 2, true),                                  /* (N, 1) */
        there = gr_sum(g, gr_square(g, from), 2, false);                                   /* (clusters) */
    gr_value square = gr_add(g, gr_add(g, gr_affine(g, products, -2, 0), here), there);
    square = gr_clamp(g, square, 0, (double)INFINITY);
    *said = gr_sqrt(g, square);
    *rest = gr_neg(g, gr_max(g, gr_neg(g, square), 2, false));
}

static gr_status fit(gr_model *m, const gr__fitting *how)
{
    const kmeans_config *c = m->config;
    size_t n = (size_t)(c->clusters * c->f.inputs);
    double *centre = gr__alloc(n * sizeof *centre);
    if (!centre) return gr__fail_memory("centres", n * sizeof *centre);
    gr__kmeans_options o = {.clusters = c->clusters,
                            .starts = c->starts,
                            .passes = how->passes,
                            .tolerance = c->tolerance,
                            .seed = how->seed};
    gr__kmeans_result result;
    gr_status s = gr__kmeans_fit(&how->points, &o, how->watch, centre, &result);
    if (s == GR_OK) s = gr__fitted_set(m, "centres", centre, (int64_t)n);
    gr__free(centre);
    return s;
}

static gr_label_kind label_kind(const void *config)
{
    (void)config;
    return GR_LABELS_ONE;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    kmeans_config *c = config;
    *c = (kmeans_config){.starts = 10};
    return gr__fitted_read_json(root, "clusters", &c->f, arena, &c->clusters);
}

static void write_json(const void *config, gr__str *out) { gr__fitted_write_json(config, "clusters", out); }

const gr__family gr__family_kmeans = {
    .name = "kmeans",
    .hf_type = "gradus_kmeans",
    .hf_class = "GradusKMeans",
    .summary = "rows of a table, or pictures, in groups around centres",
    GR__FITTED_FAMILY,
    .config_bytes = sizeof(kmeans_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_fitted = build_fitted,
    .fit = fit,
    .label_kind = label_kind,
    .read_json = read_json,
    .write_json = write_json,
};
