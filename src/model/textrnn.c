/* A recurrent network over word vectors and what it says of the text: its last states, or the largest or the mean of its
 * answers. Parameters are those of
 *
 *   embeddings = torch.nn.Embedding(vocab, width)
 *   rnn = torch.nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=...)    (GRU, RNN)
 *   classifier = torch.nn.Linear(hidden*directions, labels)
 *
 * and its results those on a packed sequence. */
#include "gradus/nn.h"
#include "model/recurrent.h"
#include "model/sentence.h"

enum { POOL_LAST, POOL_MAX, POOL_MEAN };

typedef struct textrnn_config {
    gr__sentence_config s; /* first */
    int cell, pool;
    int64_t layers, hidden;
    bool bidirectional;
    double dropout;
} textrnn_config;

static const char *const pools[] = {"last", "max", "mean", NULL};

#define AT(field) offsetof(textrnn_config, field)
static const gr__conf_row rows[] = {
    GR__SENTENCE_ROWS,
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, gr__recurrents, "lstm", "lstm, gru or rnn", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, GR__MOST_CELLS, NULL, "1", "one on top of the other", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 1, GR__MOST_WIDTH, NULL, "128", "units of a layer and direction", 0},
    {"bidirectional", GR__CONF_BOOL, AT(bidirectional), 0, 0, NULL, "true", "a second one from the end of the text", 0},
    {"pool", GR__CONF_ENUM, AT(pool), 0, 0, pools, "max", "what stands for the text: last, max or mean", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "between the layers", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    textrnn_config *c = config;
    return gr__sentence_finish(&c->s, facts);
}

/* i32 (B): tokens of each text; 0: all. */
static gr_value lengths_of(gr_graph *g, const gr__encoder_in *in)
{
    if (!in->mask) return 0;
    return gr_cast(g, gr_sum(g, gr_cast(g, in->mask, GR_F32), 2, false), GR_I32);
}

/* The last layer of h_n (layers*directions, B, H) as (B, H*directions). */
static gr_value last_states(gr_graph *g, const textrnn_config *c, const gr__encoder_in *in, gr_value h)
{
    int64_t directions = c->bidirectional ? 2 : 1, all[] = {in->batch, directions * c->hidden};
    gr_value top = gr_slice(g, h, 0, (c->layers - 1) * directions, directions);
    return gr_reshape(g, gr_permute(g, top, (int[]){1, 0, 2}), 2, all);
}

static gr_value pool(gr_graph *g, const textrnn_config *c, const gr__encoder_in *in, gr_value y, gr_value mask)
{
    int64_t flat[] = {in->batch, gr_value_dim(g, y, 2)};
    if (c->pool == POOL_MAX) { /* far below what a state can be, where there is no token */
        if (mask) y = gr_add(g, y, gr_affine(g, mask, 4, -4));
        return gr_reshape(g, gr_max_pool(g, y, &(gr_pool_options){.size = {in->time}}, NULL), 2, flat);
    }
    if (!mask) return gr_mean(g, y, 2, false);
    gr_value n = gr_reshape(g, gr_sum(g, mask, 2, false), 2, (int64_t[]){in->batch, 1});
    return gr_div(g, gr_sum(g, y, 2, false), gr_clamp(g, n, 1, 1e9));
}

static void build_encoder(gr_graph *g, const void *config, const gr__encoder_in *in, gr__encoded *out)
{
    const textrnn_config *c = config;
    gr_value mask, x = gr__sentence_embed(g, &c->s, in, &mask), h = 0;
    gr_rnn_options o = {.layers = c->layers,
                        .bidirectional = c->bidirectional,
                        .dropout = c->dropout,
                        .evaluate = !in->train,
                        .lengths = lengths_of(g, in)};
    out->hidden = gr__recurrent(g, c->cell, "rnn", x, c->hidden, &o, &h, NULL);
    out->pooled = c->pool == POOL_LAST ? last_states(g, c, in, h) : pool(g, c, in, out->hidden, mask);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    textrnn_config *c = config;
    *c = (textrnn_config){.layers = 1, .hidden = 128, .pool = POOL_MAX};
    GR_TRY(gr__sentence_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_choice(root, "cell", gr__recurrents, &c->cell));
    GR_TRY(gr__hf_choice(root, "pool", pools, &c->pool));
    GR_TRY(gr__hf_int(root, "num_layers", 1, GR__MOST_CELLS, &c->layers));
    GR_TRY(gr__hf_int(root, "rnn_size", 1, GR__MOST_WIDTH, &c->hidden));
    GR_TRY(gr__hf_bool(root, "bidirectional", &c->bidirectional));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const textrnn_config *c = config;
    gr__sentence_write_json(&c->s, out);
    gr__hf_put_bool(out, "bidirectional", c->bidirectional);
    gr__hf_put_text(out, "cell", gr__recurrents[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "num_layers", c->layers);
    gr__hf_put_text(out, "pool", pools[c->pool]);
    gr__hf_put_int(out, "rnn_size", c->hidden);
}

static gr_model_info describe(const void *config)
{
    const textrnn_config *c = config;
    gr_model_info info = gr__sentence_info(&c->s);
    info.layers = c->layers;
    return info;
}

const gr__family gr__family_textrnn = {
    GR__SENTENCE_FAMILY,
    .name = "textrnn",
    .hf_type = "gradus_textrnn",
    .hf_class = "GradusTextRNN",
    .summary = "an LSTM, GRU or RNN over word vectors",
    .config_bytes = sizeof(textrnn_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_encoder = build_encoder,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
