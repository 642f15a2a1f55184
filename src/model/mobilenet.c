/* Depthwise separable convolutions (MobileNet, Howard et al. 2017): each block filters every channel by itself, then mixes
 * the channels of each place. Behind both stand batch norm and ReLU. */
#include "gradus/nn.h"
#include "model/picture.h"

enum { MOST_BLOCKS = 64 };

typedef struct mobilenet_config {
    gr__picture_config p; /* first */
    int64_t base, stem_stride;
    gr__conf_ints widths, strides;
    double multiplier;
} mobilenet_config;

#define AT(field) offsetof(mobilenet_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"base", GR__CONF_INT, AT(base), 1, 4096, NULL, "32", "channels of the stem", 0},
    {"stem_stride", GR__CONF_INT, AT(stem_stride), 1, 4, NULL, "2", "1 for small pictures", 0},
    {"widths", GR__CONF_INT_LIST, AT(widths), 1, GR__MOST_MAPS, NULL,
     "[64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]", "channels of each block", 0},
    {"strides", GR__CONF_INT_LIST, AT(strides), 1, 4, NULL, "[1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]", "of each block",
     0},
    {"multiplier", GR__CONF_DOUBLE, AT(multiplier), 0, 16, NULL, "1", "of all channels, rounded", GR__CONF_ABOVE_MIN},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    mobilenet_config *c = config;
    GR_FAIL_IF(c->widths.n != c->strides.n || c->widths.n > MOST_BLOCKS, GR_ERR_CONFIG,
               "'widths' and 'strides' need one number for each block, at most %d; they have %zu and %zu", MOST_BLOCKS,
               c->widths.n, c->strides.n);
    return gr__picture_finish(&c->p, facts);
}

static int64_t channels(const mobilenet_config *c, int64_t n)
{
    return GR__MAX((int64_t)((double)n * c->multiplier + 0.5), 1);
}

static gr_value unit(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window, int64_t stride,
                     int64_t groups, const gr__picture_in *in)
{
    gr_scope_push(g, "%s", name);
    x = gr__picture_conv(g, "conv", x, out, window, stride, groups);
    x = gr_relu(g, gr__picture_norm(g, "norm", x, in));
    gr_scope_pop(g);
    return x;
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const mobilenet_config *c = config;
    gr_value x = unit(g, "stem", in->x, channels(c, c->base), 3, c->stem_stride, 1, in);
    for (size_t i = 0; i < c->widths.n && x; i++) {
        int64_t own = gr_value_dim(g, x, -1);
        gr_block_push(g, "blocks.%zu", i);
        x = unit(g, "depthwise", x, own, 3, c->strides.item[i], own, in);
        x = unit(g, "pointwise", x, channels(c, c->widths.item[i]), 1, 1, 1, in);
        gr_scope_pop(g);
    }
    return gr_linear(g, "fc", gr_global_avg_pool(g, x), c->p.classes, NULL);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    mobilenet_config *c = config;
    *c = (mobilenet_config){.base = 32, .stem_stride = 2, .multiplier = 1};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_need(root, "widths"));
    GR_TRY(gr__hf_need(root, "strides"));
    GR_TRY(gr__hf_ints(root, "widths", MOST_BLOCKS, 1, GR__MOST_MAPS, arena, &c->widths));
    GR_TRY(gr__hf_ints(root, "strides", MOST_BLOCKS, 1, 4, arena, &c->strides));
    GR_TRY(gr__hf_int(root, "base", 1, 4096, &c->base));
    GR_TRY(gr__hf_int(root, "stem_stride", 1, 4, &c->stem_stride));
    return gr__hf_double(root, "multiplier", 1e-3, 16, &c->multiplier);
}

static void write_json(const void *config, gr__str *out)
{
    const mobilenet_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_int(out, "base", c->base);
    gr__hf_put_double(out, "multiplier", c->multiplier);
    gr__hf_put_int(out, "stem_stride", c->stem_stride);
    gr__hf_put_ints(out, "strides", &c->strides);
    gr__hf_put_ints(out, "widths", &c->widths);
}

static gr_model_info describe(const void *config)
{
    const mobilenet_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = 2 + 2 * (int64_t)c->widths.n;
    info.width = c->base;
    return info;
}

const gr__family gr__family_mobilenet = {
    GR__PICTURE_FAMILY,
    .name = "mobilenet",
    .hf_type = "gradus_mobilenet",
    .hf_class = "GradusMobileNet",
    .summary = "MobileNet: depthwise separable convolutions",
    .config_bytes = sizeof(mobilenet_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
