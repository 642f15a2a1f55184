/* A recurrent language model (Mikolov et al. 2010; Zaremba et al. 2014): the next token from the states of an LSTM, GRU or
 * RNN. Parameters are those of
 *
 *   embeddings = torch.nn.Embedding(vocab, width)
 *   rnn = torch.nn.LSTM(width, hidden, layers, batch_first=True)    (GRU, RNN)
 *   lm_head = torch.nn.Linear(hidden, vocab, bias=False)            tied: the embedding itself
 *
 * dropout falls on the embedding, between the layers and on the last states. Training begins each window with zeros;
 * decoding carries the states on. */
#include "model/hf_json.h"
#include "model/lm.h"
#include "model/recurrent.h"

typedef struct rnn_config {
    int cell;
    int64_t layers, width, hidden, context, vocab;
    bool tied;
    double dropout;
} rnn_config;

#define AT(field) offsetof(rnn_config, field)
static const gr__conf_row rows[] = {
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, gr__recurrents, "lstm", "lstm, gru or rnn", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, 2 * GR__MOST_CELLS, NULL, "2", "one on top of the other", 0},
    {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "256", "size of a token's vector", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 0, GR__MOST_WIDTH, NULL, "0", "units of a layer; 0: the width", 0},
    {"context", GR__CONF_INT, AT(context), 1, GR__MOST_CONTEXT, NULL, "128", "tokens of a window of training", 0},
    {"vocab", GR__CONF_INT, AT(vocab), 0, GR__MOST_VOCAB, NULL, "0", "rows of the embedding; 0: as the tokenizer", 0},
    {"tied", GR__CONF_BOOL, AT(tied), 0, 0, NULL, "true", "the output matrix is the embedding", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "of the embedding, between layers, of the last states",
     GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    rnn_config *c = config;
    if (c->hidden == 0) c->hidden = c->width;
    GR_FAIL_IF(c->tied && c->hidden != c->width, GR_ERR_CONFIG,
               "'hidden' %lld is not 'width' %lld, so the output matrix cannot be the embedding; say tied: false",
               (long long)c->hidden, (long long)c->width);
    return gr__lm_vocab(&c->vocab, facts);
}

/* A state of the session (layers, B, H), zeros where a text begins. */
static gr_value carried(gr_graph *g, const rnn_config *c, const gr__lm_in *in, const char *path)
{
    gr_value state = gr_session_state(g, path, GR_F32, 3, (int64_t[]){c->layers, in->batch, c->hidden});
    gr_value on = gr_clamp(g, gr_cast(g, in->start, GR_F32), 0, 1);
    return gr_mul(g, state, gr_reshape(g, on, 3, (int64_t[]){1, in->batch, 1}));
}

static gr_value states_of(gr_graph *g, const rnn_config *c, const gr__lm_in *in, gr_value x)
{
    gr_rnn_options o = {
        .layers = c->layers, .dropout = c->dropout, .evaluate = !in->train, .lengths = in->start ? in->lengths : 0};
    gr_value h = 0, cell = 0;
    if (in->start) o.h0 = carried(g, c, in, "cache.h");
    if (in->start && c->cell == GR__CELL_LSTM) o.c0 = carried(g, c, in, "cache.c");
    gr_value y = gr__recurrent(g, c->cell, "rnn", x, c->hidden, &o, &h, &cell);
    if (!in->start) return y;
    const int64_t dim[] = {c->layers, in->batch, c->hidden};
    gr_update(g, in->program, gr_session_state(g, "cache.h", GR_F32, 3, dim), h);
    if (cell) gr_update(g, in->program, gr_session_state(g, "cache.c", GR_F32, 3, dim), cell);
    return y;
}

static void build_lm(gr_graph *g, const void *config, const gr__lm_in *in, gr_value *hidden, gr_value *head)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    const rnn_config *c = config;
    double p = in->train ? c->dropout : 0;
    gr_value table = gr_param(g, "embeddings.weight", 2, (int64_t[]){c->vocab, c->width}, &small);
    gr_value x = gr__lm_dropout(g, gr_embedding(g, table, in->ids), p);
    *hidden = gr__lm_dropout(g, states_of(g, c, in, x), p);
    *head = c->tied ? table : gr_param(g, "lm_head.weight", 2, (int64_t[]){c->vocab, c->hidden}, &small);
}

/* ---- config.json ---- */

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    (void)arena;
    rnn_config *c = config;
    static const char *const needed[] = {"num_layers", "hidden_size", "vocab_size", "max_position_embeddings"};
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    *c = (rnn_config){.tied = true};
    GR_TRY(gr__hf_choice(root, "cell", gr__recurrents, &c->cell));
    GR_TRY(gr__hf_int(root, "num_layers", 1, 2 * GR__MOST_CELLS, &c->layers));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "rnn_size", 1, GR__MOST_WIDTH, &c->hidden));
    GR_TRY(gr__hf_int(root, "max_position_embeddings", 1, GR__MOST_CONTEXT, &c->context));
    GR_TRY(gr__hf_int(root, "vocab_size", 1, GR__MOST_VOCAB, &c->vocab));
    GR_TRY(gr__hf_bool(root, "tie_word_embeddings", &c->tied));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const rnn_config *c = config;
    gr__hf_put_text(out, "cell", gr__recurrents[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_int(out, "max_position_embeddings", c->context);
    gr__hf_put_int(out, "num_layers", c->layers);
    gr__hf_put_int(out, "rnn_size", c->hidden);
    gr__hf_put_bool(out, "tie_word_embeddings", c->tied);
    gr__hf_put_int(out, "vocab_size", c->vocab);
}

static gr_model_info describe(const void *config)
{
    const rnn_config *c = config;
    return (gr_model_info){.layers = c->layers, .width = c->hidden, .context = c->context, .vocab = c->vocab};
}

const gr__family gr__family_rnn = {
    .name = "rnn",
    .hf_type = "gradus_rnn",
    .hf_class = "GradusRNN",
    .summary = "a recurrent language model: LSTM, GRU or RNN",
    .kind = GR_MODEL_LM,
    .config_bytes = sizeof(rnn_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_lm = build_lm,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
    .recurrent = true,
    .head = "lm_head.weight",
    .embedding = "embeddings.weight",
};
