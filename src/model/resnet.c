/* Residual networks (He et al. 2015): torchvision's resnet18 to resnet152, with its names and shapes, and the paper's small
 * ones for 32 x 32 pictures (depth 6n + 2).
 *
 *   stem    large: conv 7 x 7 over two pixels, batch norm, ReLU, maxima of 3 x 3 over two; small: conv 3 x 3, norm, ReLU
 *   stages  layer1 .. layerK, each twice as wide and half as high as the one before
 *   block   basic: two convs 3 x 3; bottleneck: 1 x 1, 3 x 3 (with the stride, as torchvision), 1 x 1 to 4 times the width
 *   head    mean over all places, fc */
#include "gradus/nn.h"
#include "model/picture.h"

#include <stdio.h>
#include <string.h>

enum { MOST_STAGES = 8, MOST_BLOCKS = 1000 };
enum { BLOCK_AUTO, BLOCK_BASIC, BLOCK_BOTTLENECK };
enum { STEM_AUTO, STEM_LARGE, STEM_SMALL };
static const char *const blocks[] = {"auto", "basic", "bottleneck", NULL};
static const char *const stems[] = {"auto", "large", "small", NULL};

typedef struct resnet_config {
    gr__picture_config p; /* first */
    int64_t depth, base;
    gr__conf_ints layers;
    int block, stem;
} resnet_config;

#define AT(field) offsetof(resnet_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"depth", GR__CONF_INT, AT(depth), 0, 1202, NULL, "0",
     "18, 34, 50, 101, 152, or 8, 14, 20, 32, 44, 56, 110 for small pictures; 0: 18, or as 'layers' says", 0},
    {"layers", GR__CONF_INT_LIST, AT(layers), 1, MOST_BLOCKS, NULL, NULL, "blocks of each stage, in place of 'depth'",
     0},
    {"block", GR__CONF_ENUM, AT(block), 0, 0, blocks, "auto", "auto: as 'depth' says, or basic", 0},
    {"stem", GR__CONF_ENUM, AT(stem), 0, 0, stems, "auto",
     "large: 7 x 7 and pooling, to a quarter; small: 3 x 3; auto: small up to 64 pixels", 0},
    {"base", GR__CONF_INT, AT(base), 0, 4096, NULL, "0", "channels of the first stage; 0: 64, with three stages 16", 0},
};

/* ---- configuration ---- */

typedef struct preset {
    int64_t depth, layers[4];
    int block;
} preset;
static const preset presets[] = {
    {18, {2, 2, 2, 2}, BLOCK_BASIC},        {34, {3, 4, 6, 3}, BLOCK_BASIC},
    {50, {3, 4, 6, 3}, BLOCK_BOTTLENECK},   {101, {3, 4, 23, 3}, BLOCK_BOTTLENECK},
    {152, {3, 8, 36, 3}, BLOCK_BOTTLENECK}, {8, {1, 1, 1}, BLOCK_BASIC},
    {14, {2, 2, 2}, BLOCK_BASIC},           {20, {3, 3, 3}, BLOCK_BASIC},
    {32, {5, 5, 5}, BLOCK_BASIC},           {44, {7, 7, 7}, BLOCK_BASIC},
    {56, {9, 9, 9}, BLOCK_BASIC},           {110, {18, 18, 18}, BLOCK_BASIC},
};

static gr_status take_depth(resnet_config *c, gr__arena *arena)
{
    int64_t depth = c->depth ? c->depth : 18;
    for (size_t i = 0; i < GR__COUNT(presets); i++) {
        if (presets[i].depth != depth) continue;
        c->layers.n = presets[i].layers[3] ? 4 : 3;
        c->layers.item = gr__arena_alloc(arena, sizeof presets[i].layers);
        if (!c->layers.item) return gr__fail_memory("a model", sizeof presets[i].layers);
        memcpy(c->layers.item, presets[i].layers, sizeof presets[i].layers);
        if (c->block == BLOCK_AUTO) c->block = presets[i].block;
        return GR_OK;
    }
    return gr__fail(GR_ERR_CONFIG,
                    "'depth: %lld' is not known; there are 18, 34, 50, 101, 152 and, for small pictures, 8, "
                    "14, 20, 32, 44, 56, 110; or give 'layers'",
                    (long long)depth);
}

static gr_status finish(void *config, const gr__facts *facts)
{
    resnet_config *c = config;
    GR_FAIL_IF(c->depth && c->layers.n, GR_ERR_CONFIG, "'depth' and 'layers' exclude each other");
    GR_FAIL_IF(c->layers.n > MOST_STAGES, GR_ERR_CONFIG, "'layers' has %zu stages; %d are possible", c->layers.n,
               MOST_STAGES);
    if (c->layers.n == 0) GR_TRY(take_depth(c, facts->arena));
    c->depth = 0; /* 'layers' says it from now on */
    GR_TRY(gr__picture_finish(&c->p, facts));
    if (c->block == BLOCK_AUTO) c->block = BLOCK_BASIC;
    if (c->stem == STEM_AUTO) c->stem = c->p.height <= 64 && c->p.width <= 64 ? STEM_SMALL : STEM_LARGE;
    if (c->base == 0) c->base = c->layers.n == 3 ? 16 : 64;
    return GR_OK;
}

/* ---- graph ---- */

static gr_value conv(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window, int64_t stride)
{
    return gr__picture_conv(g, name, x, out, window, stride, 1);
}

static gr_value block(gr_graph *g, const resnet_config *c, gr_value x, int64_t width, int64_t stride,
                      const gr__picture_in *in)
{
    bool deep = c->block == BLOCK_BOTTLENECK;
    int64_t out = deep ? 4 * width : width;
    gr_value y, skip = x;
    if (deep) {
        y = gr_relu(g, gr__picture_norm(g, "bn1", conv(g, "conv1", x, width, 1, 1), in));
        y = gr_relu(g, gr__picture_norm(g, "bn2", conv(g, "conv2", y, width, 3, stride), in));
        y = gr__picture_norm(g, "bn3", conv(g, "conv3", y, out, 1, 1), in);
    } else {
        y = gr_relu(g, gr__picture_norm(g, "bn1", conv(g, "conv1", x, width, 3, stride), in));
        y = gr__picture_norm(g, "bn2", conv(g, "conv2", y, width, 3, 1), in);
    }
    if (stride != 1 || gr_value_dim(g, x, -1) != out) {
        gr_scope_push(g, "downsample");
        skip = gr__picture_norm(g, "1", conv(g, "0", x, out, 1, stride), in);
        gr_scope_pop(g);
    }
    return gr_relu(g, gr_add(g, y, skip));
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const resnet_config *c = config;
    bool small = c->stem == STEM_SMALL;
    gr_value x = conv(g, "conv1", in->x, c->base, small ? 3 : 7, small ? 1 : 2);
    x = gr_relu(g, gr__picture_norm(g, "bn1", x, in));
    if (!small) x = gr_max_pool(g, x, &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1}, NULL);
    int64_t width = c->base;
    for (size_t s = 0; s < c->layers.n && x; s++, width *= 2)
        for (int64_t i = 0; i < c->layers.item[s] && x; i++) {
            gr_block_push(g, "layer%zu.%lld", s + 1, (long long)i);
            x = block(g, c, x, width, s > 0 && i == 0 ? 2 : 1, in);
            gr_scope_pop(g);
        }
    return gr_linear(g, "fc", gr_global_avg_pool(g, x), c->p.classes, NULL);
}

/* ---- config.json ---- */

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    resnet_config *c = config;
    *c = (resnet_config){.block = BLOCK_BASIC, .stem = STEM_LARGE, .base = 64};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_need(root, "layers"));
    GR_TRY(gr__hf_ints(root, "layers", MOST_STAGES, 1, MOST_BLOCKS, arena, &c->layers));
    GR_TRY(gr__hf_int(root, "base", 1, 4096, &c->base));
    GR_TRY(gr__hf_choice(root, "block", blocks, &c->block));
    return gr__hf_choice(root, "stem", stems, &c->stem);
}

static void write_json(const void *config, gr__str *out)
{
    const resnet_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_int(out, "base", c->base);
    gr__hf_put_text(out, "block", blocks[c->block]);
    gr__hf_put_ints(out, "layers", &c->layers);
    gr__hf_put_text(out, "stem", stems[c->stem]);
}

static gr_model_info describe(const void *config)
{
    const resnet_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = 2;
    for (size_t i = 0; i < c->layers.n; i++) info.layers += c->layers.item[i] * (c->block == BLOCK_BOTTLENECK ? 3 : 2);
    info.width = c->base;
    return info;
}

const gr__family gr__family_resnet = {
    GR__PICTURE_FAMILY,
    .name = "resnet",
    .hf_type = "gradus_resnet",
    .hf_class = "GradusResNet",
    .summary = "residual network: torchvision's resnet18 to 152, and small ones",
    .config_bytes = sizeof(resnet_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
