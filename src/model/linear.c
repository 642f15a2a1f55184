/* Linear and logistic regression: one layer, of rows of numbers (task 'vector') or of the cells of a table (task 'table'),
 * where each value of a category has a weight for each output. Parameters are those of
 *
 *   linear = torch.nn.Linear(inputs, outputs)
 *   categories = torch.nn.ModuleList([torch.nn.Embedding(codes, outputs), ...])
 *
 * All begin with zeros. A penalty of the weights is the optimiser's: train.optimizer={type: adam, l2: 1e-3}. */
#include "gradus/nn.h"
#include "model/family.h"
#include "model/hf_json.h"

enum { MOST_SIZE = 1 << 24 };

typedef struct linear_config {
    gr__columns columns; /* first: gr__table_labels; none: rows of numbers */
    int64_t inputs, outputs;
    bool bias;
} linear_config;

#define AT(field) offsetof(linear_config, field)
static const gr__conf_row rows[] = {
    {"inputs", GR__CONF_INT, AT(inputs), 0, MOST_SIZE, NULL, "0", "columns of x; 0: as the data", 0},
    {"outputs", GR__CONF_INT, AT(outputs), 0, MOST_SIZE, NULL, "0", "columns of y; 0: as the data", 0},
    {"bias", GR__CONF_BOOL, AT(bias), 0, 0, NULL, "true", "a number is added to each output", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    linear_config *c = config;
    if (facts->columns) c->columns = *facts->columns;
    if (c->columns.n) {
        c->inputs = gr__columns_numbers(&c->columns);
        c->outputs = gr__columns_outputs(&c->columns);
        return GR_OK;
    }
    if (c->inputs == 0) c->inputs = facts->inputs;
    if (c->outputs == 0) c->outputs = facts->outputs;
    GR_FAIL_IF(c->inputs == 0 || c->outputs == 0, GR_ERR_CONFIG,
               "'inputs' and 'outputs' must be given: there are no data to take them from");
    GR_FAIL_IF((facts->inputs && facts->inputs != c->inputs) || (facts->outputs && facts->outputs != c->outputs),
               GR_ERR_CONFIG, "the model has %lld inputs and %lld outputs, but the data have %lld and %lld",
               (long long)c->inputs, (long long)c->outputs, (long long)facts->inputs, (long long)facts->outputs);
    return GR_OK;
}

static gr_model_kind kind_of(const void *config)
{
    return ((const linear_config *)config)->columns.n ? GR_MODEL_TABLE : GR_MODEL_VECTOR;
}

static const gr_init zeros = {.kind = GR_INIT_ZEROS};

static gr_value layer(gr_graph *g, const linear_config *c, gr_value x)
{
    return gr_linear(g, "linear", x, c->outputs,
                     &(gr_linear_options){.no_bias = !c->bias, .init = &zeros, .bias_init = &zeros});
}

static gr_value build_vector(gr_graph *g, const void *config, gr_value x, bool train, const char *program)
{
    (void)train, (void)program;
    return layer(g, config, x);
}

static gr_value build_table(gr_graph *g, const void *config, gr_value numbers, gr_value codes, int64_t batch,
                            bool train)
{
    (void)train;
    const linear_config *c = config;
    gr_value y = numbers ? layer(g, c, numbers) : 0;
    int at = 0;
    gr_scope_push(g, "categories");
    for (size_t i = 0; i < c->columns.n; i++) {
        const gr__column *k = &c->columns.item[i];
        if (k->kind != GR__COLUMN_CATEGORY || k->width == 0) continue;
        gr_scope_push(g, "%d", at);
        gr_value ids = gr_reshape(g, gr_slice(g, codes, 1, at++, 1), 1, &batch);
        gr_value w = gr_embedding_layer(g, NULL, ids, gr__column_codes(k), c->outputs, &zeros);
        y = y ? gr_add(g, y, w) : w;
        gr_scope_pop(g);
    }
    gr_scope_pop(g);
    return y;
}

static void sizes(const void *config, int64_t *inputs, int64_t *outputs)
{
    const linear_config *c = config;
    *inputs = c->inputs;
    *outputs = c->outputs;
}

static const gr__columns *columns(const void *config) { return &((const linear_config *)config)->columns; }

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    linear_config *c = config;
    *c = (linear_config){.bias = true};
    GR_TRY(gr__hf_bool(root, "bias", &c->bias));
    GR_TRY(gr__hf_int(root, "inputs", 0, MOST_SIZE, &c->inputs));
    GR_TRY(gr__hf_int(root, "outputs", 1, MOST_SIZE, &c->outputs));
    return gr__json_kind_of(gr__json_get(root, "columns")) == GR__JSON_ARRAY
               ? gr__columns_read(root, arena, &c->columns)
               : GR_OK;
}

static void write_json(const void *config, gr__str *out)
{
    const linear_config *c = config;
    gr__hf_put_bool(out, "bias", c->bias);
    gr__hf_put_int(out, "inputs", c->inputs);
    gr__hf_put_int(out, "outputs", c->outputs);
    if (c->columns.n) gr__columns_write(&c->columns, out);
}

static gr_model_info describe(const void *config)
{
    return (gr_model_info){.layers = 1, .labels = gr__columns_classes(columns(config))};
}

const gr__family gr__family_linear = {
    .name = "linear",
    .hf_type = "gradus_linear",
    .hf_class = "GradusLinear",
    .summary = "linear and logistic regression, of numbers or of the cells of a table",
    .kind = GR_MODEL_VECTOR,
    .kind_of = kind_of,
    .config_bytes = sizeof(linear_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_vector = build_vector,
    .sizes = sizes,
    .build_table = build_table,
    .columns = columns,
    .labels = gr__table_labels,
    .label_kind = gr__table_label_kind,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
