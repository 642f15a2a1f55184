/* Every layer that a list may hold: its keys and what it appends. */
#include "model/layers.h"

#include "gradus/nn.h"
#include "op/op.h"

#include <string.h>

enum { MOST_EDGE = 1 << 16 };

#define AT(field) offsetof(gr__layer, field)
static const char *const yes_no[] = {"true", "false", NULL};
#define NAME_ONLY(name, doc)                                       \
    {                                                              \
        name, GR__CONF_ENUM, AT(off), 0, 0, yes_no, "true", doc, 0 \
    }
#define EDGES(key, field, low, text, doc)                                     \
    {                                                                         \
        key, GR__CONF_INT_LIST, AT(field), low, MOST_EDGE, NULL, text, doc, 0 \
    }

/* One number is for both axes, two are for height and width. */
static bool spread(gr_graph *g, const gr__conf_ints *from, const char *key, int64_t out[3])
{
    if (from->n > 2) {
        gr__graph_fail(g, GR_ERR_CONFIG, "'%s' is one number, or two for height and width; not %zu", key, from->n);
        return false;
    }
    for (size_t i = 0; i < 2 && from->n; i++) out[i] = from->item[from->n == 2 ? i : 0];
    return true;
}

static bool is_picture(gr_graph *g, const gr__layer *l, gr_value x)
{
    if (gr_value_rank(g, x) == 4) return true;
    gr__graph_fail(g, GR_ERR_SHAPE, "'%s' wants pictures, not rows of numbers", l->kind->name);
    return false;
}

/* ---- with parameters ---- */

static const gr__conf_row conv_rows[] = {
    {"conv", GR__CONF_INT, AT(out), 0, GR__MOST_MAPS, NULL, "0", "channels; 0: as many as come in", 0},
    EDGES("window", window, 1, "3", "edge, or height and width"),
    EDGES("stride", stride, 1, "1", "of the window"),
    EDGES("padding", padding, 0, "0", "zeros on both sides"),
    EDGES("dilation", dilation, 1, "1", "from tap to tap"),
    {"same", GR__CONF_BOOL, AT(same), 0, 0, NULL, "false", "pad so that the size is the input's over the stride", 0},
    {"groups", GR__CONF_INT, AT(groups), 0, GR__MOST_MAPS, NULL, "1", "of channels; 0: each by itself (depthwise)", 0},
    {"bias", GR__CONF_BOOL, AT(bias), 0, 0, NULL, "true", "biases", 0},
};

static gr_value conv(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    int64_t padding[3] = {0};
    gr_conv_layer_options o = {.same = l->same, .no_bias = !l->bias};
    if (!is_picture(g, l, x)) return 0;
    if (!spread(g, &l->window, "window", o.window) || !spread(g, &l->stride, "stride", o.stride) ||
        !spread(g, &l->dilation, "dilation", o.dilation) || !spread(g, &l->padding, "padding", padding))
        return 0;
    memcpy(o.before, padding, sizeof padding);
    memcpy(o.after, padding, sizeof padding);
    int64_t channels = gr_value_dim(g, x, -1);
    o.groups = l->groups ? l->groups : channels;
    return gr_conv_layer(g, NULL, x, l->out ? l->out : channels, 0, &o);
}

static const gr__conf_row linear_rows[] = {
    {"linear", GR__CONF_INT, AT(out), 0, GR__MOST_MAPS, NULL, "0", "columns; 0: one for each label", 0},
    {"bias", GR__CONF_BOOL, AT(bias), 0, 0, NULL, "true", "biases", 0},
};

static gr_value linear(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    if (gr_value_rank(g, x) != 2)
        return gr__graph_fail(g, GR_ERR_SHAPE,
                              "'linear' wants rows of numbers; put 'flatten' or 'global_avg_pool' before it");
    return gr_linear(g, NULL, x, l->out ? l->out : in->outputs, &(gr_linear_options){.no_bias = !l->bias});
}

static const gr__conf_row batch_norm_rows[] = {
    NAME_ONLY("batch_norm", "by the batch, later by running statistics"),
    {"momentum", GR__CONF_DOUBLE, AT(momentum), 0, 1, NULL, "0.1", "share of a batch in them", GR__CONF_ABOVE_MIN},
    {"eps", GR__CONF_DOUBLE, AT(eps), 0, 1, NULL, "1e-5", "added to the variance", GR__CONF_ABOVE_MIN},
    {"affine", GR__CONF_BOOL, AT(affine), 0, 0, NULL, "true", "with weight and bias", 0},
};

static gr_value batch_norm(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    return gr_batch_norm_layer(g, NULL, x,
                               &(gr_batch_norm_options){.eps = l->eps,
                                                        .momentum = l->momentum,
                                                        .no_affine = !l->affine,
                                                        .evaluate = !in->base.train,
                                                        .program = in->base.program});
}

static const gr__conf_row group_norm_rows[] = {
    {"group_norm", GR__CONF_INT, AT(out), 0, GR__MOST_MAPS, NULL, "0", "groups; 0: each channel by itself", 0},
    {"eps", GR__CONF_DOUBLE, AT(eps), 0, 1, NULL, "1e-5", "added to the variance", GR__CONF_ABOVE_MIN},
    {"affine", GR__CONF_BOOL, AT(affine), 0, 0, NULL, "true", "with weight and bias", 0},
};

static gr_value group_norm(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    if (!is_picture(g, l, x)) return 0;
    return gr_group_norm_layer(g, NULL, x, l->out, &(gr_norm_options){.eps = l->eps, .no_affine = !l->affine});
}

static const gr__conf_row layer_norm_rows[] = {
    NAME_ONLY("layer_norm", "over the last axis"),
    {"eps", GR__CONF_DOUBLE, AT(eps), 0, 1, NULL, "1e-5", "added to the variance", GR__CONF_ABOVE_MIN},
};

static gr_value layer_norm(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    return gr_layer_norm_layer(g, NULL, x, &(gr_norm_options){.eps = l->eps});
}

static const gr__conf_row residual_rows[] = {
    {"residual", GR__CONF_SECTION, AT(body_given), 0, 0, NULL, NULL, "layers whose result is added to their input",
     GR__CONF_REQUIRED},
    {"shortcut", GR__CONF_SECTION, AT(shortcut_given), 0, 0, NULL, NULL, "layers for that input; default: as it is", 0},
};

/* ---- without ---- */

#define POOL_ROWS(name)                                                                                             \
    {                                                                                                               \
        EDGES(name, window, 1, "2", "edge of the window"), EDGES("stride", stride, 1, NULL, "default: the window"), \
            EDGES("padding", padding, 0, "0", "on both sides"),                                                     \
    }
static const gr__conf_row max_pool_rows[] = POOL_ROWS("max_pool"), avg_pool_rows[] = POOL_ROWS("avg_pool");

static gr_value pool(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    int64_t padding[3] = {0};
    gr_pool_options o = {0};
    if (!is_picture(g, l, x)) return 0;
    if (!spread(g, &l->window, l->kind->name, o.size) || !spread(g, &l->stride, "stride", o.stride) ||
        !spread(g, &l->padding, "padding", padding))
        return 0;
    memcpy(o.before, padding, sizeof padding);
    memcpy(o.after, padding, sizeof padding);
    return l->kind->rows == max_pool_rows ? gr_max_pool(g, x, &o, NULL) : gr_avg_pool(g, x, &o);
}

static const gr__conf_row adaptive_rows[] = {EDGES("adaptive_avg_pool", window, 1, "1", "size of the result")};

static gr_value adaptive_avg_pool(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    int64_t size[3] = {0};
    if (!is_picture(g, l, x) || !spread(g, &l->window, l->kind->name, size)) return 0;
    return gr_adaptive_avg_pool(g, x, size);
}

static const gr__conf_row global_avg_rows[] = {NAME_ONLY("global_avg_pool", "the mean of each channel")},
                          global_max_rows[] = {NAME_ONLY("global_max_pool", "the maximum of each channel")},
                          flatten_rows[] = {NAME_ONLY("flatten", "pictures to rows of numbers, channel by channel")};

static gr_value global_pool(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    if (!is_picture(g, l, x)) return 0;
    return l->kind->rows == global_avg_rows ? gr_global_avg_pool(g, x) : gr_global_max_pool(g, x);
}

static gr_value flatten(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)l, (void)in;
    return gr__picture_flatten(g, x);
}

static const gr__conf_row dropout_rows[] = {
    {"dropout", GR__CONF_DOUBLE, AT(p), 0, 1, NULL, "0.5", "probability of a zero", GR__CONF_BELOW_MAX}};

static gr_value dropout(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    return in->base.train && l->p > 0 ? gr_dropout(g, x, l->p) : x;
}

static const gr__conf_row activation_rows[] = {
#define GR_X(code, name, text) NAME_ONLY(name, text),
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
};

static gr_value activation(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    (void)in;
    return gr_activation(g, (gr_activation_kind)(l->kind->rows - activation_rows), x);
}

#define KIND(name, rows, build)            \
    {                                      \
        name, rows, GR__COUNT(rows), build \
    }
const gr__layer_kind gr__layer_kinds[] = {KIND("conv", conv_rows, conv),
                                          KIND("linear", linear_rows, linear),
                                          KIND("batch_norm", batch_norm_rows, batch_norm),
                                          KIND("group_norm", group_norm_rows, group_norm),
                                          KIND("layer_norm", layer_norm_rows, layer_norm),
                                          KIND("residual", residual_rows, NULL),
                                          KIND("max_pool", max_pool_rows, pool),
                                          KIND("avg_pool", avg_pool_rows, pool),
                                          KIND("adaptive_avg_pool", adaptive_rows, adaptive_avg_pool),
                                          KIND("global_avg_pool", global_avg_rows, global_pool),
                                          KIND("global_max_pool", global_max_rows, global_pool),
                                          KIND("flatten", flatten_rows, flatten),
                                          KIND("dropout", dropout_rows, dropout),
#define GR_X(code, name, text) {name, &activation_rows[code], 1, activation},
                                          GR_ACTIVATION_MAP(GR_X)
#undef GR_X
};
const size_t gr__n_layer_kinds = GR__COUNT(gr__layer_kinds);
