/* Layers for images and signals, channels last; names, shapes and first numbers are PyTorch's. */
#include "gradus/nn.h"

#include "nn/layer.h"
#include "op/window.h"

#include <math.h>
#include <string.h>

enum { MOST_AXES = 3 };

/* A zero takes the number before it. */
static void spread(const int64_t *given, int axes, int64_t *out)
{
    for (int i = 0; i < axes; i++) out[i] = given[i] ? given[i] : i ? out[i - 1] : 1;
}

/* Padding by which a window has S/stride places, rounded up. */
static bool pad_same(gr_graph *g, gr_value x, const int64_t *window, gr_conv_options *o)
{
    int64_t stride[MOST_AXES], dilation[MOST_AXES], limit = (int64_t)1 << 30;
    int axes = gr_value_rank(g, x) - 2;
    spread(o->stride, axes, stride);
    spread(o->dilation, axes, dilation);
    for (int i = 0; i < axes; i++) {
        int64_t size = gr_value_dim(g, x, 1 + i);
        if (stride[i] < 1 || dilation[i] < 1 || stride[i] > limit || dilation[i] > limit || window[i] > limit) {
            gr__graph_fail(g, GR_ERR_ARGUMENT,
                           "a convolution with stride %lld, dilation %lld and a window of size %lld",
                           (long long)stride[i], (long long)dilation[i], (long long)window[i]);
            return false;
        }
        int64_t places = (size + stride[i] - 1) / stride[i];
        int64_t missing = (places - 1) * stride[i] + (window[i] - 1) * dilation[i] + 1 - size;
        if (missing < 0) missing = 0;
        o->before[i] = gr__padding(o->before[i], missing / 2);
        o->after[i] = gr__padding(o->after[i], missing - missing / 2);
    }
    return true;
}

static gr_value layer(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t size, bool transposed,
                      const gr_conv_layer_options *options)
{
    gr_conv_layer_options o = options ? *options : (gr_conv_layer_options){0};
    int axes = gr_value_rank(g, x) - 2;
    if (!gr__require(g, "conv layer", x)) return 0;
    if (axes < 1 || axes > MOST_AXES)
        return gr__graph_fail(
            g, GR_ERR_SHAPE,
            "a convolution over a value with %d axes; it needs a batch, 1 to 3 spatial axes and channels", axes + 2);
    int64_t in = gr_value_dim(g, x, -1), groups = o.groups ? o.groups : 1, window[MOST_AXES], dim[2 + MOST_AXES];
    dim[0] = transposed ? in : out;
    dim[1] = (transposed ? out : in) / groups;
    double fan = (double)dim[1];
    for (int i = 0; i < axes; i++) {
        dim[2 + i] = window[i] = o.window[i] ? o.window[i] : size;
        fan *= (double)window[i];
    }
    if (groups < 1 || in % groups || out % groups)
        return gr__graph_fail(g, GR_ERR_SHAPE, "conv layer '%s': %lld to %lld channels do not fall into %lld groups",
                              name ? name : "", (long long)in, (long long)out, (long long)groups);
    gr_conv_options c = {.groups = groups, .padding = o.padding};
    memcpy(c.stride, o.stride, sizeof c.stride);
    memcpy(c.dilation, o.dilation, sizeof c.dilation);
    memcpy(c.before, o.before, sizeof c.before);
    memcpy(c.after, o.after, sizeof c.after);
    memcpy(c.output_padding, o.output_padding, sizeof c.output_padding);
    if (o.same && transposed)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "a transposed convolution has no padding 'same'");
    if (o.same && !pad_same(g, x, window, &c)) return 0;
    double bound = 1 / sqrt(fan);
    gr_init standard = {.kind = GR_INIT_UNIFORM, .a = -bound, .b = bound}, init = o.init ? *o.init : standard;
    init.fan_out_first = true;
    bool entered = gr__layer_enter(g, name);
    gr_value w = gr_param(g, "weight", axes + 2, dim, &init);
    if (!o.no_bias) c.bias = gr_param(g, "bias", 1, &out, o.bias_init ? o.bias_init : &standard);
    gr_value y = transposed ? gr_conv_transpose(g, x, w, &c) : gr_conv(g, x, w, &c);
    gr__layer_leave(g, entered);
    return y;
}

gr_value gr_conv_layer(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window,
                       const gr_conv_layer_options *options)
{
    return layer(g, name, x, out, window, false, options);
}

gr_value gr_conv_transpose_layer(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window,
                                 const gr_conv_layer_options *options)
{
    return layer(g, name, x, out, window, true, options);
}

static const gr_init ones = {.kind = GR_INIT_CONSTANT, .a = 1};

/* state <- state + momentum*(now - state) */
static void follow(gr_graph *g, const char *program, gr_value state, gr_value now, double momentum, double scale)
{
    gr_update(g, program, state,
              gr_add(g, gr_affine(g, state, 1 - momentum, 0), gr_affine(g, now, momentum * scale, 0)));
}

gr_value gr_batch_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_batch_norm_options *options)
{
    gr_batch_norm_options o = options ? *options : (gr_batch_norm_options){0};
    double momentum = o.momentum != 0 ? o.momentum : 0.1;
    if (!gr__require(g, "batch norm layer", x)) return 0;
    if (!(momentum > 0 && momentum <= 1))
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "batch norm '%s': momentum %g is not in (0, 1]", name ? name : "",
                              momentum);
    int64_t c = gr_value_dim(g, x, -1), count = gr__value_count(gr__value_get(g, x)) / c;
    bool entered = gr__layer_enter(g, name);
    gr_value gamma = o.no_affine ? 0 : gr_param(g, "weight", 1, &c, &ones);
    gr_value beta = o.no_affine ? 0 : gr_param(g, "bias", 1, &c, NULL);
    gr_value running_mean = o.no_running ? 0 : gr_state(g, "running_mean", GR_F32, 1, &c, NULL);
    gr_value running_var = o.no_running ? 0 : gr_state(g, "running_var", GR_F32, 1, &c, &ones);
    gr_value y, mean = 0, variance = 0;
    if (o.evaluate && !o.no_running) {
        y = gr_batch_norm_fixed(g, x, gamma, beta, running_mean, running_var, o.eps);
    } else if (count < 2) {
        y = gr__graph_fail(g, GR_ERR_SHAPE, "batch norm '%s' in training needs more than one value in each channel",
                           name ? name : "");
    } else {
        y = gr_batch_norm(g, x, gamma, beta, o.eps, &mean, &variance);
    }
    if (running_mean && mean) {
        const char *program = o.program ? o.program : "step";
        follow(g, program, running_mean, mean, momentum, 1);
        follow(g, program, running_var, variance, momentum, (double)count / (double)(count - 1));
    }
    gr__layer_leave(g, entered);
    return y;
}

gr_value gr_group_norm_layer(gr_graph *g, const char *name, gr_value x, int64_t groups, const gr_norm_options *options)
{
    gr_norm_options o = options ? *options : (gr_norm_options){0};
    int64_t c = gr_value_dim(g, x, -1);
    bool entered = gr__layer_enter(g, name);
    gr_value gamma = o.no_affine ? 0 : gr_param(g, "weight", 1, &c, &ones);
    gr_value beta = o.no_affine || o.no_bias ? 0 : gr_param(g, "bias", 1, &c, NULL);
    gr_value y = gr_group_norm(g, x, groups, gamma, beta, o.eps);
    gr__layer_leave(g, entered);
    return y;
}
