/* Principal components: the few directions in which rows differ most (fit/components.h). What is said of a row is how far it is
 * from the mean along each, with 'whiten' in deviations. */
#include "fit/components.h"
#include "gradus/ops.h"
#include "model/fitted.h"

typedef struct pca_config {
    gr__fitted_config f; /* first */
    int64_t components;
    bool whiten;
} pca_config;

#define AT(field) offsetof(pca_config, field)
static const gr__conf_row rows[] = {
    {"components", GR__CONF_INT, AT(components), 1, GR__MOST_FITTED, NULL, "2", "directions that are kept", 0},
    {"whiten", GR__CONF_BOOL, AT(whiten), 0, 0, NULL, "false", "each component has variance 1", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    pca_config *c = config;
    GR_TRY(gr__fitted_finish(&c->f, facts, "component_", c->components));
    GR_FAIL_IF(c->components > c->f.inputs, GR_ERR_CONFIG, "'components' is %lld, but a row has %lld numbers",
               (long long)c->components, (long long)c->f.inputs);
    return GR_OK;
}

static void build_fitted(gr_graph *g, const void *config, gr_value x, gr_value *said, gr_value *rest)
{
    const pca_config *c = config;
    gr_value mean = gr__fitted_state(g, "mean", 1, &c->f.inputs);
    gr_value along = gr__fitted_state(g, "components", 2, (int64_t[]){c->components, c->f.inputs});
    gr_value variance = gr__fitted_state(g, "variance", 1, &c->components);
    gr__fitted_state(g, "total_variance", 1, (int64_t[]){1});
    gr_value from = gr_sub(g, x, mean), y = gr_matmul(g, from, along, &(gr_matmul_options){.transpose_b = true});
    *rest = gr_sum(g, gr_square(g, gr_sub(g, from, gr_matmul(g, y, along, NULL))), 2, false);
    *said = c->whiten ? gr_mul(g, y, gr_rsqrt(g, gr_maximum(g, variance, gr_scalar(g, GR_F32, 1e-30)))) : y;
}

static gr_status set_all(gr_model *m, const gr__pca *p, const pca_config *c)
{
    GR_TRY(gr__fitted_set(m, "mean", p->mean, c->f.inputs));
    GR_TRY(gr__fitted_set(m, "components", p->component, c->components * c->f.inputs));
    GR_TRY(gr__fitted_set(m, "variance", p->variance, c->components));
    return gr__fitted_set(m, "total_variance", &p->total, 1);
}

static gr_status fit(gr_model *m, const gr__fitting *how)
{
    const pca_config *c = m->config;
    size_t width = (size_t)c->f.inputs, k = (size_t)c->components, n = width + k + k * width;
    double *block = gr__alloc(n * sizeof *block);
    if (!block) return gr__fail_memory("components", n * sizeof *block);
    gr__pca p = {.mean = block, .variance = block + width, .component = block + width + k};
    gr_status s = gr__pca_fit(&how->points, c->components, &p);
    if (s == GR_OK) s = set_all(m, &p, c);
    double left = p.total;
    for (size_t i = 0; i < k && s == GR_OK; i++) left -= p.variance[i];
    double rows_less_one = (double)(how->points.n - 1);
    if (s == GR_OK) gr__watch_pass(how->watch, 1, 1, left * rows_less_one / (double)how->points.n);
    gr__free(block);
    return s;
}

static gr_label_kind label_kind(const void *config)
{
    (void)config;
    return GR_LABELS_NUMBERS;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    pca_config *c = config;
    *c = (pca_config){0};
    GR_TRY(gr__hf_bool(root, "whiten", &c->whiten));
    return gr__fitted_read_json(root, "components", &c->f, arena, &c->components);
}

static void write_json(const void *config, gr__str *out)
{
    gr__fitted_write_json(config, "components", out);
    gr__hf_put_bool(out, "whiten", ((const pca_config *)config)->whiten);
}

const gr__family gr__family_pca = {
    .name = "pca",
    .hf_type = "gradus_pca",
    .hf_class = "GradusPCA",
    .summary = "rows of a table, or pictures, along the few directions in which they differ most",
    GR__FITTED_FAMILY,
    .config_bytes = sizeof(pca_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_fitted = build_fitted,
    .fit = fit,
    .label_kind = label_kind,
    .read_json = read_json,
    .write_json = write_json,
};
