/* A speech recogniser on mel bands: convolutions that halve time and bands, recurrent layers in both directions, and at each
 * step what is said (Graves et al. 2006 and 2013; Amodei et al. 2016). As in PyTorch: conv.I (Conv2d of a window of 3,
 * padding 1), norm.I (BatchNorm2d), ReLU; then rnn (LSTM or GRU with batch_first) over (bands, channels) in this order, and
 * head (Linear). */
#include "gradus/nn.h"
#include "model/speech.h"

#include <stdio.h>

enum { MOST_CONVS = 8, MOST_WIDTH = 1 << 14, CELL_LSTM = 0, CELL_GRU };

typedef struct ctc_config {
    gr__speech_config s; /* first */
    gr__conf_ints maps, stride;
    int64_t hidden, layers;
    int cell;
    bool forward;
    double dropout;
} ctc_config;

static const char *const cells[] = {"lstm", "gru", NULL};

#define AT(field) offsetof(ctc_config, field)
static const gr__conf_row rows[] = {
    {"maps", GR__CONF_INT_LIST, AT(maps), 1, MOST_WIDTH, NULL, "[32, 32]", "channels of the convolutions", 0},
    {"stride", GR__CONF_INT_LIST, AT(stride), 1, 4, NULL, "[2, 2]", "of each in time; bands are always halved", 0},
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, cells, "lstm", "of the recurrent layers", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 1, MOST_WIDTH, NULL, "128", "their units in each direction", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, 8, NULL, "1", "how many", 0},
    {"forward_only", GR__CONF_BOOL, AT(forward), 0, 0, NULL, "false", "no second one backward in time", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "between them and before the head", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    ctc_config *c = config;
    GR_FAIL_IF(c->maps.n > MOST_CONVS || c->maps.n != c->stride.n, GR_ERR_CONFIG,
               "'maps' and 'stride' need a number for each convolution, at most %d", MOST_CONVS);
    return gr__speech_finish(&c->s, facts);
}

static int64_t speech_steps(const void *config, int64_t frames)
{
    const ctc_config *c = config;
    for (size_t i = 0; i < c->stride.n; i++) frames = (frames - 1) / c->stride.item[i] + 1;
    return frames;
}

static gr_value build_speech(gr_graph *g, const void *config, const gr__speech_in *in)
{
    const ctc_config *c = config;
    int64_t batch = gr_value_dim(g, in->x, 0), frames = gr_value_dim(g, in->x, 1);
    gr_value x = gr_reshape(g, in->x, 4, (int64_t[]){batch, frames, c->s.sound.mels, 1});
    for (size_t i = 0; i < c->maps.n; i++) {
        gr_conv_layer_options o = {.padding = 1, .stride = {c->stride.item[i], 2}};
        gr_batch_norm_options n = {.evaluate = !in->train, .program = in->program};
        char conv[40], norm[40];
        snprintf(conv, sizeof conv, "conv.%zu", i);
        snprintf(norm, sizeof norm, "norm.%zu", i);
        x = gr_relu(g, gr_batch_norm_layer(g, norm, gr_conv_layer(g, conv, x, c->maps.item[i], 3, &o), &n));
    }
    if (!x) return 0;
    x = gr_reshape(g, x, 3, (int64_t[]){batch, speech_steps(c, frames), -1});
    gr_rnn_options r = {.layers = c->layers,
                        .bidirectional = !c->forward,
                        .dropout = c->dropout,
                        .evaluate = !in->train,
                        .lengths = in->lengths};
    x = c->cell == CELL_GRU ? gr_gru(g, "rnn", x, c->hidden, &r, NULL)
                            : gr_lstm(g, "rnn", x, c->hidden, &r, NULL, NULL);
    if (in->train && c->dropout > 0) x = gr_dropout(g, x, c->dropout);
    return gr_linear(g, "head", x, (int64_t)c->s.symbols.n + 1, NULL);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    ctc_config *c = config;
    *c = (ctc_config){.layers = 1};
    GR_TRY(gr__speech_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_need(root, "hidden_size"));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, MOST_WIDTH, &c->hidden));
    GR_TRY(gr__hf_int(root, "num_layers", 1, 8, &c->layers));
    GR_TRY(gr__hf_ints(root, "maps", MOST_CONVS, 1, MOST_WIDTH, arena, &c->maps));
    GR_TRY(gr__hf_ints(root, "stride", MOST_CONVS, 1, 4, arena, &c->stride));
    GR_TRY(gr__hf_bool(root, "forward_only", &c->forward));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    return gr__hf_choice(root, "cell", cells, &c->cell);
}

static void write_json(const void *config, gr__str *out)
{
    const ctc_config *c = config;
    gr__speech_write_json(&c->s, out);
    gr__hf_put_text(out, "cell", cells[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_bool(out, "forward_only", c->forward);
    gr__hf_put_int(out, "hidden_size", c->hidden);
    gr__hf_put_ints(out, "maps", &c->maps);
    gr__hf_put_int(out, "num_layers", c->layers);
    gr__hf_put_ints(out, "stride", &c->stride);
}

static gr_model_info describe(const void *config)
{
    const ctc_config *c = config;
    return (gr_model_info){
        .layers = c->layers + (int64_t)c->maps.n, .width = c->hidden, .labels = (int64_t)c->s.symbols.n};
}

static const char *const ignored[] = {"*num_batches_tracked", NULL};

const gr__family gr__family_ctc = {
    .name = "ctc",
    .hf_type = "gradus_ctc",
    .hf_class = "GradusCTC",
    .summary = "convolutions and recurrent layers that write down what they hear (CTC)",
    .kind = GR_MODEL_SPEECH,
    .config_bytes = sizeof(ctc_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_speech = build_speech,
    .speech_steps = speech_steps,
    .labels = gr__speech_symbols,
    .ignored = ignored,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
