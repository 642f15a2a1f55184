/* Rows of a table: numbers and, for each category, a vector that is learnt; side by side they go through an MLP, so that
 * hidden = [] is linear or logistic regression. Parameters are those of
 *
 *   embeddings = torch.nn.ModuleList([torch.nn.Embedding(codes, width), ...])
 *   net = torch.nn.Sequential(Linear, activation, Dropout, Linear, ...)
 *
 * config.json holds the fitted columns too (format/columns.h): the folder alone predicts from raw cells. */
#include "gradus/nn.h"
#include "model/family.h"
#include "model/hf_json.h"

#include <string.h>

enum { MOST_LAYERS = 256, MOST_SIZE = 1 << 24, MOST_AT_ONCE = 16 };

typedef struct tabular_config {
    gr__columns columns; /* first: gr__table_labels */
    gr__conf_ints hidden;
    int activation;
    double dropout, embedding_dropout;
} tabular_config;

/* ORDER ACTIVATION: gr_activation_kind */
static const char *const activations[] = {
#define GR_X(code, name, text) name,
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
        NULL};

#define AT(field) offsetof(tabular_config, field)
static const gr__conf_row rows[] = {
    {"hidden", GR__CONF_INT_LIST, AT(hidden), 1, MOST_SIZE, NULL, "[128, 64]",
     "sizes of the layers between; [] is linear or logistic regression", 0},
    {"activation", GR__CONF_ENUM, AT(activation), 0, 0, activations, "relu", "behind every layer but the last", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.1", "behind each activation", GR__CONF_BELOW_MAX},
    {"embedding_dropout", GR__CONF_DOUBLE, AT(embedding_dropout), 0, 1, NULL, "0", "of the categories' vectors",
     GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    tabular_config *c = config;
    if (facts->columns) c->columns = *facts->columns;
    GR_FAIL_IF(c->columns.n == 0, GR_ERR_CONFIG, "a model of type 'tabular' is made by the task 'table' alone");
    GR_FAIL_IF(c->hidden.n > MOST_LAYERS, GR_ERR_CONFIG, "'hidden' has %zu layers; %d are possible", c->hidden.n,
               MOST_LAYERS);
    return GR_OK;
}

/* ---- graph ---- */

static gr_value append(gr_graph *g, gr_value *part, int n) { return n == 1 ? part[0] : gr_concat(g, part, n, 1); }

static gr_value embed(gr_graph *g, const tabular_config *c, gr_value x, gr_value codes, int64_t batch, bool train)
{
    gr_value part[MOST_AT_ONCE];
    int n = 0, at = 0;
    if (x) part[n++] = x;
    gr_scope_push(g, "embeddings");
    for (size_t i = 0; i < c->columns.n; i++) {
        const gr__column *k = &c->columns.item[i];
        if (k->kind != GR__COLUMN_CATEGORY || k->width == 0) continue;
        if (n == MOST_AT_ONCE) part[0] = append(g, part, n), n = 1;
        gr_value ids = gr_reshape(g, gr_slice(g, codes, 1, at, 1), 1, &batch);
        gr_scope_push(g, "%d", at++);
        part[n] = gr_embedding_layer(g, NULL, ids, gr__column_codes(k), k->width,
                                     &(gr_init){.kind = GR_INIT_NORMAL, .b = 0.1});
        if (train && c->embedding_dropout > 0) part[n] = gr_dropout(g, part[n], c->embedding_dropout);
        n++;
        gr_scope_pop(g);
    }
    gr_scope_pop(g);
    return append(g, part, n);
}

static gr_value build_table(gr_graph *g, const void *config, gr_value numbers, gr_value codes, int64_t batch,
                            bool train)
{
    const tabular_config *c = config;
    gr_mlp_options o = {.activation = (gr_activation_kind)c->activation, .dropout = c->dropout, .evaluate = !train};
    int64_t size[MOST_LAYERS + 1];
    for (size_t i = 0; i < c->hidden.n; i++) size[i] = c->hidden.item[i];
    size[c->hidden.n] = gr__columns_outputs(&c->columns);
    return gr_mlp(g, "net", embed(g, c, numbers, codes, batch, train), size, (int)c->hidden.n + 1, &o);
}

static const gr__columns *columns(const void *config) { return &((const tabular_config *)config)->columns; }

/* ---- config.json ---- */

static gr_status read_hidden(gr__json root, tabular_config *c, gr__arena *arena)
{
    gr__json list = gr__json_get(root, "hidden");
    size_t n = gr__json_count(list);
    GR_FAIL_IF(gr__json_kind_of(list) != GR__JSON_ARRAY || n > MOST_LAYERS, GR_ERR_CORRUPT,
               "'hidden' must be a list of at most %d sizes", MOST_LAYERS);
    c->hidden.item = gr__arena_alloc(arena, (n + 1) * sizeof *c->hidden.item);
    if (!c->hidden.item) return gr__fail_memory("a model", n * sizeof *c->hidden.item);
    for (; c->hidden.n < n; c->hidden.n++)
        GR_FAIL_IF(!gr__json_int(gr__json_at(list, c->hidden.n), &c->hidden.item[c->hidden.n]) ||
                       c->hidden.item[c->hidden.n] < 1 || c->hidden.item[c->hidden.n] > MOST_SIZE,
                   GR_ERR_CORRUPT, "'hidden' must hold integers from 1 to %d", MOST_SIZE);
    return GR_OK;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    tabular_config *c = config;
    const char *name = "relu";
    gr_activation_kind activation;
    *c = (tabular_config){0};
    GR_TRY(read_hidden(root, c, arena));
    GR_TRY(gr__hf_text(root, "activation", &name));
    if (gr_activation_from_name(name, &activation) != GR_OK)
        return gr__fail(GR_ERR_UNSUPPORTED, "'activation': '%.100s' is unknown", name);
    c->activation = (int)activation;
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    GR_TRY(gr__hf_double(root, "embedding_dropout", 0, 0.999, &c->embedding_dropout));
    return gr__columns_read(root, arena, &c->columns);
}

static void write_json(const void *config, gr__str *out)
{
    const tabular_config *c = config;
    gr__str hidden = {0};
    gr__str_add(&hidden, "[");
    for (size_t i = 0; i < c->hidden.n; i++)
        gr__str_printf(&hidden, "%s%lld", i ? ", " : "", (long long)c->hidden.item[i]);
    gr__str_add(&hidden, "]");
    if (hidden.failed) out->failed = true;
    gr__hf_put_text(out, "activation", activations[c->activation]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_double(out, "embedding_dropout", c->embedding_dropout);
    gr__hf_put_raw(out, "hidden", gr__str_get(&hidden));
    gr__columns_write(&c->columns, out);
    gr__str_release(&hidden);
}

static gr_model_info describe(const void *config)
{
    const tabular_config *c = config;
    return (gr_model_info){.layers = (int64_t)c->hidden.n + 1, .labels = gr__columns_classes(&c->columns)};
}

const gr__family gr__family_tabular = {
    .name = "tabular",
    .hf_type = "gradus_tabular",
    .hf_class = "GradusTabular",
    .summary = "rows of a table: numbers and embedded categories through an MLP",
    .kind = GR_MODEL_TABLE,
    .config_bytes = sizeof(tabular_config),
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
