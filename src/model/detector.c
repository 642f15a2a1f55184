/* A one-stage detector without anchors (after FCOS, Tian et al. 2019): at each place of a grid a score for each label and the
 * distances to the four sides of the box around it.
 *
 *   stem    conv 3 x 3 over two pixels, batch norm, ReLU
 *   stages  layer1 .. layerK, each half as high: conv over two, then residual blocks of two convs
 *   neck    from the last stage up to 'stride': conv 1 x 1 of each stage, plus the coarser one enlarged
 *   head    'depth' convs 3 x 3, then scores and sides; a side is softplus(x)*stride pixels */
#include "gradus/nn.h"
#include "graph/graph.h"
#include "model/picture.h"

#include <math.h>
#include <stdio.h>

enum { MOST_STAGES = 8, MOST_BLOCKS = 100, MOST_PLACES = 1 << 20 };

typedef struct detector_config {
    gr__picture_config p; /* first */
    int64_t base, widest, stride, neck, depth;
    gr__conf_ints layers;
} detector_config;

#define AT(field) offsetof(detector_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"base", GR__CONF_INT, AT(base), 1, 4096, NULL, "16", "channels of the stem; each stage has twice as many", 0},
    {"widest", GR__CONF_INT, AT(widest), 1, 65536, NULL, "256", "most channels of a stage", 0},
    {"layers", GR__CONF_INT_LIST, AT(layers), 0, MOST_BLOCKS, NULL, "[1, 1, 1, 1]", "residual blocks of each stage", 0},
    {"stride", GR__CONF_INT, AT(stride), 2, 256, NULL, "8", "pixels between two places of the grid: 2, 4, 8, ...", 0},
    {"neck", GR__CONF_INT, AT(neck), 1, 4096, NULL, "64", "channels of neck and head", 0},
    {"depth", GR__CONF_INT, AT(depth), 0, 16, NULL, "2", "convolutions of the head before its results", 0},
};

/* The stage behind which pixels stand 'stride' apart; the stem is number 0. */
static int64_t stage_of(const detector_config *c)
{
    int64_t stage = 0;
    while (stage <= (int64_t)c->layers.n && (int64_t)2 << stage != c->stride) stage++;
    return stage;
}

static gr_status finish(void *config, const gr__facts *facts)
{
    detector_config *c = config;
    GR_FAIL_IF(c->layers.n > MOST_STAGES, GR_ERR_CONFIG, "'layers' has %zu stages; %d are possible", c->layers.n,
               MOST_STAGES);
    GR_FAIL_IF(stage_of(c) > (int64_t)c->layers.n, GR_ERR_CONFIG,
               "'stride: %lld' is not one of the strides of %zu stages: 2, 4, ... %lld", (long long)c->stride,
               c->layers.n, (long long)2 << c->layers.n);
    GR_TRY(gr__picture_finish(&c->p, facts));
    int64_t places = (c->p.height / c->stride + 1) * (c->p.width / c->stride + 1);
    GR_FAIL_IF(places > MOST_PLACES, GR_ERR_CONFIG,
               "pictures of %lld x %lld have more than %d places %lld pixels apart; data.size resizes them",
               (long long)c->p.height, (long long)c->p.width, MOST_PLACES, (long long)c->stride);
    return GR_OK;
}

static void places(const void *config, int64_t *height, int64_t *width, int64_t *stride)
{
    const detector_config *c = config;
    *stride = c->stride;
    *height = (c->p.height + c->stride - 1) / c->stride;
    *width = (c->p.width + c->stride - 1) / c->stride;
}

/* ---- graph ---- */

static gr_value conv(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window, int64_t stride,
                     const gr__picture_in *in)
{
    gr_scope_push(g, "%s", name);
    x = gr__picture_norm(g, "norm", gr__picture_conv(g, "conv", x, out, window, stride, 1), in);
    gr_scope_pop(g);
    return x;
}

static gr_value stage(gr_graph *g, gr_value x, int64_t width, int64_t blocks, const gr__picture_in *in)
{
    x = gr_relu(g, conv(g, "down", x, width, 3, 2, in));
    for (int64_t i = 0; i < blocks && x; i++) {
        gr_block_push(g, "%lld", (long long)i);
        gr_value y = gr_relu(g, conv(g, "a", x, width, 3, 1, in));
        x = gr_relu(g, gr_add(g, x, conv(g, "b", y, width, 3, 1, in)));
        gr_scope_pop(g);
    }
    return x;
}

/* Rows of places (N, L, K) of a map (N, H, W, K). */
static gr_value result(gr_graph *g, const char *name, gr_value x, int64_t out, double bias)
{
    const gr_init weight = {.kind = GR_INIT_NORMAL, .b = 0.01}, first = {.kind = GR_INIT_CONSTANT, .a = bias};
    x = gr_conv_layer(g, name, x, out, 1, &(gr_conv_layer_options){.init = &weight, .bias_init = &first});
    return x ? gr_reshape(g, x, 3, (int64_t[]){gr_value_dim(g, x, 0), -1, out}) : 0;
}

/* (1, L, 1): x or y of each place. */
static gr_value centres(gr_graph *g, const detector_config *c, bool y)
{
    int64_t h, w, stride;
    places(c, &h, &w, &stride);
    float *v = gr__alloc((size_t)(h * w) * sizeof *v);
    if (!v) return gr__graph_fail(g, GR_ERR_MEMORY, "no memory for %lld places", (long long)(h * w));
    for (int64_t i = 0; i < h * w; i++) v[i] = ((float)(y ? i / w : i % w) + 0.5f) * (float)stride;
    gr_value out = gr_constant(g, &(gr_tensor){.dtype = GR_F32, .rank = 3, .dim = {1, h * w, 1}, .data = v});
    gr__free(v);
    return out;
}

static gr_value boxes(gr_graph *g, const detector_config *c, gr_value sides)
{
    gr_value edge[4], at[2] = {centres(g, c, false), centres(g, c, true)};
    sides = gr_affine(g, gr_softplus(g, sides), (double)c->stride, 0);
    for (int i = 0; i < 4; i++) {
        gr_value side = gr_slice(g, sides, 2, i, 1);
        edge[i] = i < 2 ? gr_sub(g, at[i % 2], side) : gr_add(g, at[i % 2], side);
    }
    return gr_concat(g, edge, 4, 2);
}

static void build_detector(gr_graph *g, const void *config, const gr__picture_in *in, gr__detector_out *out)
{
    const detector_config *c = config;
    gr_value map[MOST_STAGES + 1], top = 0;
    char name[32];
    map[0] = gr_relu(g, conv(g, "stem", in->x, c->base, 3, 2, in));
    for (size_t s = 0; s < c->layers.n; s++) {
        snprintf(name, sizeof name, "layer%zu", s + 1);
        gr_scope_push(g, "%s", name);
        map[s + 1] = stage(g, map[s], GR__MIN(c->base << (s + 1), c->widest), c->layers.item[s], in);
        gr_scope_pop(g);
    }
    for (int64_t s = (int64_t)c->layers.n; s >= stage_of(c) && map[s]; s--) {
        snprintf(name, sizeof name, "neck%lld", (long long)s);
        gr_value own = conv(g, name, map[s], c->neck, 1, 1, in);
        if (top) {
            gr_upsample_options o = {.size = {gr_value_dim(g, own, 1), gr_value_dim(g, own, 2)}};
            own = gr_add(g, own, gr_upsample(g, top, &o));
        }
        top = gr_relu(g, own);
    }
    for (int64_t i = 0; i < c->depth; i++) {
        snprintf(name, sizeof name, "head%lld", (long long)i);
        top = gr_relu(g, conv(g, name, top, c->neck, 3, 1, in));
    }
    out->logits = result(g, "scores", top, c->p.classes, -log(99)); /* 0.01: nearly every place is empty */
    out->boxes = boxes(g, c, result(g, "sides", top, 4, 1));
}

/* ---- config.json ---- */

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    detector_config *c = config;
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    const struct {
        const char *key;
        int64_t *to, low, high;
    } number[] = {{"base", &c->base, 1, 4096},
                  {"widest", &c->widest, 1, 65536},
                  {"stride", &c->stride, 2, 256},
                  {"neck", &c->neck, 1, 4096},
                  {"depth", &c->depth, 0, 16}};
    for (size_t i = 0; i < GR__COUNT(number); i++) {
        GR_TRY(gr__hf_need(root, number[i].key));
        GR_TRY(gr__hf_int(root, number[i].key, number[i].low, number[i].high, number[i].to));
    }
    GR_TRY(gr__hf_need(root, "layers"));
    return gr__hf_ints(root, "layers", MOST_STAGES, 0, MOST_BLOCKS, arena, &c->layers);
}

static void write_json(const void *config, gr__str *out)
{
    const detector_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_int(out, "base", c->base);
    gr__hf_put_int(out, "depth", c->depth);
    gr__hf_put_ints(out, "layers", &c->layers);
    gr__hf_put_int(out, "neck", c->neck);
    gr__hf_put_int(out, "stride", c->stride);
    gr__hf_put_int(out, "widest", c->widest);
}

static gr_model_info describe(const void *config)
{
    const detector_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = 3 + c->depth;
    for (size_t i = 0; i < c->layers.n; i++) info.layers += 1 + 2 * c->layers.item[i];
    info.width = c->base;
    return info;
}

static gr_label_kind label_kind(const void *config)
{
    (void)config;
    return GR_LABELS_MANY;
}

const gr__family gr__family_detector = {
    .kind = GR_MODEL_DETECTOR,
    .name = "detector",
    .hf_type = "gradus_detector",
    .hf_class = "GradusDetector",
    .summary = "one-stage detector without anchors: boxes in pictures",
    .config_bytes = sizeof(detector_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_detector = build_detector,
    .places = places,
    .labels = gr__picture_labels,
    .label_kind = label_kind,
    .ignored = gr__picture_ignored,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
