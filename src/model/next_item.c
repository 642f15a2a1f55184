/* The next item from those before it, by a recurrent network (Hidasi et al. 2016): items.weight is the embedding of the
 * history and the output matrix, item_bias is added. */
#include "model/lm.h"
#include "model/recommender.h"
#include "model/recurrent.h"

typedef struct next_item_config {
    gr__recommender_config r; /* first */
    int cell;
    int64_t width, layers;
    double dropout;
} next_item_config;

#define AT(field) offsetof(next_item_config, field)
static const gr__conf_row rows[] = {
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, gr__recurrents, "gru", "lstm, gru or rnn", 0},
    {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "64", "size of an item's vector and of a state", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, 2 * GR__MOST_CELLS, NULL, "1", "one on top of the other", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.3", "of the history's vectors and of the last state",
     GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    return gr__recommender_finish(&((next_item_config *)config)->r, facts);
}

static gr_value table(gr_graph *g, const next_item_config *c)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    return gr_param(g, "items.weight", 2, (int64_t[]){(int64_t)c->r.items.n, c->width}, &small);
}

static gr_value build_query(gr_graph *g, const void *config, const gr__recommend_in *in)
{
    const next_item_config *c = config;
    double p = in->train ? c->dropout : 0;
    gr_value x = gr__lm_dropout(g, gr_embedding(g, table(g, c), in->history), p), h = 0;
    gr_value n = gr_sum(g, gr__recommender_there(g, in->history), 2, false);
    gr_rnn_options o = {.layers = c->layers, .lengths = gr_cast(g, n, GR_I32)};
    gr__recurrent(g, c->cell, "rnn", x, c->width, &o, &h, NULL);
    h = gr_reshape(g, gr_slice(g, h, 0, c->layers - 1, 1), 2, (int64_t[]){in->batch, c->width});
    return gr__recommender_widen(g, gr__lm_dropout(g, h, p), 0);
}

static gr_value build_items(gr_graph *g, const void *config, gr_value ids, bool train)
{
    (void)train;
    static const gr_init zeros = {.kind = GR_INIT_ZEROS};
    const next_item_config *c = config;
    gr_value x = table(g, c), bias = gr_param(g, "item_bias.weight", 2, (int64_t[]){(int64_t)c->r.items.n, 1}, &zeros);
    if (ids) x = gr_embedding(g, x, ids), bias = gr_embedding(g, bias, ids);
    return gr__recommender_widen(g, x, bias);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    next_item_config *c = config;
    *c = (next_item_config){.cell = GR__CELL_GRU, .width = 64, .layers = 1};
    GR_TRY(gr__recommender_read_json(root, &c->r, arena));
    GR_TRY(gr__hf_choice(root, "cell", gr__recurrents, &c->cell));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "num_layers", 1, 2 * GR__MOST_CELLS, &c->layers));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const next_item_config *c = config;
    gr__hf_put_text(out, "cell", gr__recurrents[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_int(out, "num_layers", c->layers);
    gr__recommender_write_json(&c->r, out);
}

static gr_model_info describe(const void *config)
{
    const next_item_config *c = config;
    gr_model_info info = gr__recommender_info(&c->r);
    info.layers = c->layers;
    info.width = c->width;
    return info;
}

const gr__family gr__family_next_item = {
    GR__RECOMMENDER_FAMILY,
    .name = "next_item",
    .hf_type = "gradus_next_item",
    .hf_class = "GradusNextItem",
    .summary = "the next item of a history, by a GRU, LSTM or RNN",
    .config_bytes = sizeof(next_item_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_query = build_query,
    .build_items = build_items,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
