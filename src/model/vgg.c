/* VGG (Simonyan and Zisserman 2014) with torchvision's names and shapes: stages of convs 3 x 3, each ended by maxima of 2 x 2,
 * then layers 'hidden'. Places: 'features' counts convolutions, norms, ReLUs and poolings as nn.Sequential does. */
#include "gradus/nn.h"
#include "model/picture.h"

#include <stdio.h>

enum { MOST_STAGES = 8, MOST_CONVS = 64, MOST_HIDDEN = 8 };

typedef struct vgg_config {
    gr__picture_config p; /* first */
    gr__conf_ints layers, hidden;
    int64_t base, widest, pool;
    double dropout;
    bool batch_norm;
} vgg_config;

#define AT(field) offsetof(vgg_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"layers", GR__CONF_INT_LIST, AT(layers), 1, MOST_CONVS, NULL, "[2, 2, 3, 3, 3]",
     "convolutions of each stage: VGG-11 has [1, 1, 2, 2, 2], VGG-16 the default, VGG-19 [2, 2, 4, 4, 4]", 0},
    {"base", GR__CONF_INT, AT(base), 1, 4096, NULL, "64", "channels of the first stage; each has twice as many", 0},
    {"widest", GR__CONF_INT, AT(widest), 1, 65536, NULL, "512", "most channels of a stage", 0},
    {"batch_norm", GR__CONF_BOOL, AT(batch_norm), 0, 0, NULL, "true", "behind each convolution", 0},
    {"pool", GR__CONF_INT, AT(pool), 1, 64, NULL, "7", "edge of the map, by averages, before 'hidden'", 0},
    {"hidden", GR__CONF_INT_LIST, AT(hidden), 1, GR__MOST_MAPS, NULL, "[4096, 4096]",
     "sizes of the layers before the last", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.5", "behind the layers of 'hidden'", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    vgg_config *c = config;
    GR_FAIL_IF(c->layers.n > MOST_STAGES || c->hidden.n > MOST_HIDDEN, GR_ERR_CONFIG,
               "'layers' may have %d stages and 'hidden' %d layers", MOST_STAGES, MOST_HIDDEN);
    return gr__picture_finish(&c->p, facts);
}

static const char *number(char room[24], int64_t i)
{
    snprintf(room, 24, "%lld", (long long)i);
    return room;
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const vgg_config *c = config;
    gr_value x = in->x;
    char room[24];
    int64_t at = 0;
    const gr_init init = {.kind = GR_INIT_HE_NORMAL}, zeros = {.kind = GR_INIT_ZEROS},
                  narrow = {.kind = GR_INIT_NORMAL, .b = 0.01};
    gr_scope_push(g, "features");
    for (size_t s = 0; s < c->layers.n && x; s++) {
        int64_t width = GR__MIN(c->base << s, c->widest);
        for (int64_t i = 0; i < c->layers.item[s] && x; i++) {
            gr_conv_layer_options o = {.padding = 1, .init = &init, .bias_init = &zeros};
            x = gr_conv_layer(g, number(room, at++), x, width, 3, &o);
            if (c->batch_norm) x = gr__picture_norm(g, number(room, at++), x, in);
            x = gr_relu(g, x);
            at++;
        }
        x = gr_max_pool(g, x, &(gr_pool_options){.size = {2}}, NULL);
        at++;
    }
    gr_scope_pop(g);
    gr_scope_push(g, "classifier");
    x = gr__picture_flatten(g, gr_adaptive_avg_pool(g, x, (int64_t[]){c->pool, c->pool}));
    gr_linear_options o = {.init = &narrow, .bias_init = &zeros};
    for (size_t i = 0; i < c->hidden.n && x; i++) {
        x = gr_relu(g, gr_linear(g, number(room, 3 * (int64_t)i), x, c->hidden.item[i], &o));
        if (in->train && c->dropout > 0) x = gr_dropout(g, x, c->dropout);
    }
    x = gr_linear(g, number(room, 3 * (int64_t)c->hidden.n), x, c->p.classes, &o);
    gr_scope_pop(g);
    return x;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    vgg_config *c = config;
    *c = (vgg_config){.base = 64, .widest = 512, .pool = 7, .batch_norm = true};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_need(root, "layers"));
    GR_TRY(gr__hf_ints(root, "layers", MOST_STAGES, 1, MOST_CONVS, arena, &c->layers));
    GR_TRY(gr__hf_ints(root, "hidden", MOST_HIDDEN, 1, GR__MOST_MAPS, arena, &c->hidden));
    GR_TRY(gr__hf_int(root, "base", 1, 4096, &c->base));
    GR_TRY(gr__hf_int(root, "widest", 1, 65536, &c->widest));
    GR_TRY(gr__hf_int(root, "pool", 1, 64, &c->pool));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    return gr__hf_bool(root, "batch_norm", &c->batch_norm);
}

static void write_json(const void *config, gr__str *out)
{
    const vgg_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_int(out, "base", c->base);
    gr__hf_put_bool(out, "batch_norm", c->batch_norm);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_ints(out, "hidden", &c->hidden);
    gr__hf_put_ints(out, "layers", &c->layers);
    gr__hf_put_int(out, "pool", c->pool);
    gr__hf_put_int(out, "widest", c->widest);
}

static gr_model_info describe(const void *config)
{
    const vgg_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = (int64_t)c->hidden.n + 1;
    for (size_t i = 0; i < c->layers.n; i++) info.layers += c->layers.item[i];
    info.width = c->base;
    return info;
}

const gr__family gr__family_vgg = {
    GR__PICTURE_FAMILY,
    .name = "vgg",
    .hf_type = "gradus_vgg",
    .hf_class = "GradusVGG",
    .summary = "VGG: plain stages of convolutions 3 x 3",
    .config_bytes = sizeof(vgg_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
