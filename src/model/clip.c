/* Clips of video to labels (after Donahue et al. 2015): each frame through convolutions that halve it, then a recurrent layer
 * over the frames, whose last state is judged. As in PyTorch: conv.I (Conv2d of a window of 3, stride 2, padding 1), norm.I
 * (BatchNorm2d), ReLU, frames flattened as (channels, height, width); rnn (GRU or LSTM, batch_first), head (Linear). */
#include "gradus/nn.h"
#include "model/picture.h"

#include <stdio.h>

enum { MOST_CONVS = 10, MOST_FRAMES = 1 << 12, MOST_WIDTH = 1 << 14, CELL_GRU = 0 };

typedef struct clip_config {
    gr__picture_config p; /* first */
    int64_t frames, hidden;
    gr__conf_ints maps;
    int cell;
    double dropout;
} clip_config;

static const char *const cells[] = {"gru", "lstm", NULL};

#define AT(field) offsetof(clip_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"frames", GR__CONF_INT, AT(frames), 0, MOST_FRAMES, NULL, "0", "pictures of a clip; 0: as the data", 0},
    {"maps", GR__CONF_INT_LIST, AT(maps), 1, GR__MOST_MAPS, NULL, "[8, 16, 32]", "channels of the convolutions", 0},
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, cells, "gru", "of the layer over the frames", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 1, MOST_WIDTH, NULL, "64", "its units", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "before it and before the head", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    clip_config *c = config;
    if (c->frames == 0) c->frames = facts->frames;
    GR_FAIL_IF(c->frames == 0, GR_ERR_CONFIG, "'frames' must be given: there are no data to take it from");
    GR_FAIL_IF(facts->frames && c->frames != facts->frames, GR_ERR_CONFIG, "'frames' is %lld, but the data have %lld",
               (long long)c->frames, (long long)facts->frames);
    GR_FAIL_IF(c->maps.n > MOST_CONVS, GR_ERR_CONFIG, "'maps' has %zu numbers; %d are possible", c->maps.n, MOST_CONVS);
    return gr__picture_finish(&c->p, facts);
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const clip_config *c = config;
    int64_t batch = gr_value_dim(g, in->x, 0);
    gr_value x = gr_reshape(g, in->x, 4, (int64_t[]){batch * c->frames, c->p.height, c->p.width, c->p.channels});
    for (size_t i = 0; i < c->maps.n; i++) {
        char conv[40], norm[40];
        snprintf(conv, sizeof conv, "conv.%zu", i);
        snprintf(norm, sizeof norm, "norm.%zu", i);
        gr_conv_layer_options o = {.padding = 1, .stride = {2, 2}};
        x = gr_relu(g, gr__picture_norm(g, norm, gr_conv_layer(g, conv, x, c->maps.item[i], 3, &o), in));
    }
    if (!x) return 0;
    x = gr_reshape(g, gr__picture_flatten(g, x), 3, (int64_t[]){batch, c->frames, -1});
    if (in->train && c->dropout > 0) x = gr_dropout(g, x, c->dropout);
    gr_value last = 0;
    if (c->cell == CELL_GRU)
        gr_gru(g, "rnn", x, c->hidden, NULL, &last);
    else
        gr_lstm(g, "rnn", x, c->hidden, NULL, &last, NULL);
    if (!last) return 0;
    x = gr_reshape(g, last, 2, (int64_t[]){batch, c->hidden});
    if (in->train && c->dropout > 0) x = gr_dropout(g, x, c->dropout);
    return gr_linear(g, "head", x, c->p.classes, NULL);
}

static int64_t frames(const void *config) { return ((const clip_config *)config)->frames; }

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    clip_config *c = config;
    *c = (clip_config){.hidden = 64};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_need(root, "num_frames"));
    GR_TRY(gr__hf_int(root, "num_frames", 1, MOST_FRAMES, &c->frames));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, MOST_WIDTH, &c->hidden));
    GR_TRY(gr__hf_ints(root, "maps", MOST_CONVS, 1, GR__MOST_MAPS, arena, &c->maps));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    return gr__hf_choice(root, "cell", cells, &c->cell);
}

static void write_json(const void *config, gr__str *out)
{
    const clip_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_text(out, "cell", cells[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->hidden);
    gr__hf_put_ints(out, "maps", &c->maps);
    gr__hf_put_int(out, "num_frames", c->frames);
}

static gr_model_info describe(const void *config)
{
    const clip_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = (int64_t)c->maps.n + 2;
    return info;
}

const gr__family gr__family_clip = {
    GR__PICTURE_FAMILY,
    .frames = frames,
    .name = "clip",
    .hf_type = "gradus_clip",
    .hf_class = "GradusClip",
    .summary = "frames through convolutions and a recurrent layer, for clips of video",
    .config_bytes = sizeof(clip_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
