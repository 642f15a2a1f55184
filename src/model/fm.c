/* A factorisation machine (Rendle 2010) over the cells of a table: clicks, purchases, ratings. Each number and each value of
 * a category is a feature x_i with a weight and a vector.
 *
 *   y = bias + sum_i w_i x_i + sum_{i<j} (v_i·v_j) x_i x_j,   the last one as (|sum v_i x_i|² - sum |v_i x_i|²)/2 */
#include "gradus/nn.h"
#include "model/family.h"
#include "model/hf_json.h"

enum { MOST_WIDTH = 1 << 16 };

typedef struct fm_config {
    gr__columns columns; /* first: gr__table_labels */
    int64_t width;
    double dropout;
} fm_config;

#define AT(field) offsetof(fm_config, field)
static const gr__conf_row rows[] = {
    {"width", GR__CONF_INT, AT(width), 1, MOST_WIDTH, NULL, "16", "size of a feature's vector", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "of the features' vectors", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    fm_config *c = config;
    if (facts->columns) c->columns = *facts->columns;
    GR_FAIL_IF(c->columns.n == 0, GR_ERR_CONFIG, "a model of type 'fm' is made by the task 'table' alone");
    GR_FAIL_IF(gr__columns_outputs(&c->columns) != 1, GR_ERR_CONFIG,
               "a model of type 'fm' gives a number, or one of two classes; the target has %lld",
               (long long)gr__columns_classes(&c->columns));
    return GR_OK;
}

/* What the features add up to: weight (B, 1), sum (B, C) and squares (B, C) of their vectors. */
typedef struct sums {
    gr_value weight, sum, squares;
} sums;

static void add(gr_graph *g, gr_value *to, gr_value x) { *to = *to ? gr_add(g, *to, x) : x; }

static void add_numbers(gr_graph *g, const fm_config *c, gr_value x, sums *s)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS}, small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    int64_t n = gr_value_dim(g, x, 1);
    gr_value w = gr_param(g, "numbers.weights", 2, (int64_t[]){n, 1}, &zeros);
    gr_value v = gr_param(g, "numbers.vectors", 2, (int64_t[]){n, c->width}, &small);
    add(g, &s->weight, gr_matmul(g, x, w, NULL));
    add(g, &s->sum, gr_matmul(g, x, v, NULL));
    add(g, &s->squares, gr_matmul(g, gr_square(g, x), gr_square(g, v), NULL));
}

static void add_category(gr_graph *g, const fm_config *c, gr_value ids, int64_t n, bool train, sums *s)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS}, small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    gr_value v = gr_embedding_layer(g, "vectors", ids, n, c->width, &small);
    if (train && c->dropout > 0) v = gr_dropout(g, v, c->dropout);
    add(g, &s->weight, gr_embedding_layer(g, "weights", ids, n, 1, &zeros));
    add(g, &s->sum, v);
    add(g, &s->squares, gr_square(g, v));
}

static gr_value build_table(gr_graph *g, const void *config, gr_value numbers, gr_value codes, int64_t batch,
                            bool train)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS};
    const fm_config *c = config;
    sums s = {0};
    int at = 0;
    if (numbers) add_numbers(g, c, numbers, &s);
    gr_scope_push(g, "categories");
    for (size_t i = 0; i < c->columns.n; i++) {
        const gr__column *k = &c->columns.item[i];
        if (k->kind != GR__COLUMN_CATEGORY || k->width == 0) continue;
        gr_scope_push(g, "%d", at);
        gr_value ids = gr_reshape(g, gr_slice(g, codes, 1, at++, 1), 1, &batch);
        add_category(g, c, ids, gr__column_codes(k), train, &s);
        gr_scope_pop(g);
    }
    gr_scope_pop(g);
    gr_value pairs = gr_sum(g, gr_sub(g, gr_square(g, s.sum), s.squares), 2, true);
    gr_value y = gr_add(g, s.weight, gr_affine(g, pairs, 0.5, 0));
    return gr_add(g, y, gr_param(g, "bias", 1, (int64_t[]){1}, &zeros));
}

static const gr__columns *columns(const void *config) { return &((const fm_config *)config)->columns; }

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    fm_config *c = config;
    *c = (fm_config){.width = 16};
    GR_TRY(gr__hf_int(root, "hidden_size", 1, MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    return gr__columns_read(root, arena, &c->columns);
}

static void write_json(const void *config, gr__str *out)
{
    const fm_config *c = config;
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__columns_write(&c->columns, out);
}

static gr_model_info describe(const void *config)
{
    const fm_config *c = config;
    return (gr_model_info){.layers = 1, .width = c->width, .labels = gr__columns_classes(&c->columns)};
}

const gr__family gr__family_fm = {
    .name = "fm",
    .hf_type = "gradus_fm",
    .hf_class = "GradusFM",
    .summary = "rows of a table by a factorisation machine: clicks, ratings",
    .kind = GR_MODEL_TABLE,
    .config_bytes = sizeof(fm_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_table = build_table,
    .columns = columns,
    .labels = gr__table_labels,
    .label_kind = gr__table_label_kind,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
