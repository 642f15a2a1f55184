/* Convolutions and poolings: channels go last for our ops and back again. */
#include "model/onnx_op.h"

#include <string.h>

enum { AXES = 3 };

typedef struct window {
    int axes;
    int64_t size[AXES], stride[AXES], dilation[AXES], before[AXES], after[AXES];
} window;

/* Numbers of an attribute, one an axis, all within [low, 2^30]. */
static gr_status numbers(gr__onnx_call *c, const char *name, int n, int64_t low, int64_t otherwise, int64_t *out)
{
    int got;
    bool there;
    GR_TRY(gr__onnx_list(c, -1, name, out, 2 * AXES, &got, &there));
    if (there && got != n) return gr__onnx_invalid(c, "'%s' has %d numbers, not %d", name, got, n);
    for (int i = 0; i < n; i++) {
        if (!there) out[i] = otherwise;
        if (out[i] < low || out[i] > (int64_t)1 << 30)
            return gr__onnx_invalid(c, "'%s' is %lld", name, (long long)out[i]);
    }
    return GR_OK;
}

/* size: of the window, from the weight; NULL: the attribute kernel_shape. */
static gr_status read_window(gr__onnx_call *c, const int64_t *size, window *w)
{
    const gr__onnx_value *x = &c->in[0];
    const char *mode = gr__onnx_word(c, "auto_pad", "NOTSET");
    int64_t pad[2 * AXES] = {0}, buffer[2 * AXES];
    *w = (window){.axes = x->rank - 2};
    if (w->axes < 1 || w->axes > AXES)
        return gr__onnx_refuse(c, "its operand has %d axes, 3 to 5 are possible", x->rank);
    if (!size && !gr__onnx_attr(c, "kernel_shape")) return gr__onnx_invalid(c, "'kernel_shape' is missing");
    GR_TRY(numbers(c, "kernel_shape", w->axes, 1, 1, buffer));
    memcpy(w->size, size ? size : buffer, (size_t)w->axes * sizeof *size);
    GR_TRY(numbers(c, "strides", w->axes, 1, 1, buffer));
    memcpy(w->stride, buffer, sizeof w->stride);
    GR_TRY(numbers(c, "dilations", w->axes, 1, 1, buffer));
    memcpy(w->dilation, buffer, sizeof w->dilation);
    if (strcmp(mode, "NOTSET") == 0 || !*mode) GR_TRY(numbers(c, "pads", 2 * w->axes, 0, 0, pad));
    bool upper = strcmp(mode, "SAME_UPPER") == 0, lower = strcmp(mode, "SAME_LOWER") == 0;
    if (!upper && !lower && *mode && strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0)
        return gr__onnx_refuse(c, "auto_pad '%s'", mode);
    for (int i = 0; i < w->axes; i++) {
        int64_t in = x->dim[2 + i], out = (in + w->stride[i] - 1) / w->stride[i];
        int64_t total = (out - 1) * w->stride[i] + (w->size[i] - 1) * w->dilation[i] + 1 - in;
        if (total < 0) total = 0;
        w->before[i] = upper ? total / 2 : lower ? total - total / 2 : pad[i];
        w->after[i] = upper || lower ? total - w->before[i] : pad[w->axes + i];
    }
    return GR_OK;
}

gr_status gr__onnx_conv(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0], *weight = &c->in[1];
    window w;
    if (weight->rank != x->rank) return gr__onnx_invalid(c, "a weight with %d axes for %d", weight->rank, x->rank);
    GR_TRY(read_window(c, weight->dim + 2, &w));
    gr_conv_options o = {.groups = gr__onnx_int(c, "group", 1), .bias = gr__onnx_has(c, 2) ? c->in[2].v : 0};
    memcpy(o.stride, w.stride, sizeof o.stride);
    memcpy(o.dilation, w.dilation, sizeof o.dilation);
    memcpy(o.before, w.before, sizeof o.before);
    memcpy(o.after, w.after, sizeof o.after);
    return gr__onnx_set(c, 0, gr__onnx_first(g, gr_conv(g, gr__onnx_last(g, x->v), weight->v, &o)), x->dtype);
}

gr_status gr__onnx_conv_transpose(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0], *weight = &c->in[1];
    window w;
    int64_t extra[2 * AXES], shape[GR_MAX_RANK];
    int n;
    bool there;
    if (weight->rank != x->rank) return gr__onnx_invalid(c, "a weight with %d axes for %d", weight->rank, x->rank);
    GR_TRY(read_window(c, weight->dim + 2, &w));
    GR_TRY(numbers(c, "output_padding", w.axes, 0, 0, extra));
    GR_TRY(gr__onnx_list(c, -1, "output_shape", shape, GR_MAX_RANK, &n, &there));
    if (there && n != w.axes && n != w.axes + 2) return gr__onnx_invalid(c, "'output_shape' has %d numbers", n);
    const char *mode = gr__onnx_word(c, "auto_pad", "NOTSET");
    bool upper = strcmp(mode, "SAME_UPPER") == 0, same = upper || strcmp(mode, "SAME_LOWER") == 0;
    for (int i = 0; i < w.axes && (there || same); i++) {
        int64_t in = x->dim[2 + i], out = there ? shape[n - w.axes + i] : in * w.stride[i];
        int64_t total = (in - 1) * w.stride[i] + extra[i] + (w.size[i] - 1) * w.dilation[i] + 1 - out;
        if (total < 0) { /* larger than what falls out: zeros at the end */
            extra[i] -= total;
            total = 0;
        }
        w.before[i] = upper ? total / 2 : total - total / 2;
        w.after[i] = total - w.before[i];
    }
    gr_conv_options o = {.groups = gr__onnx_int(c, "group", 1), .bias = gr__onnx_has(c, 2) ? c->in[2].v : 0};
    memcpy(o.stride, w.stride, sizeof o.stride);
    memcpy(o.dilation, w.dilation, sizeof o.dilation);
    memcpy(o.before, w.before, sizeof o.before);
    memcpy(o.after, w.after, sizeof o.after);
    memcpy(o.output_padding, extra, sizeof o.output_padding);
    return gr__onnx_set(c, 0, gr__onnx_first(g, gr_conv_transpose(g, gr__onnx_last(g, x->v), weight->v, &o)), x->dtype);
}

static gr_status pool_options(gr__onnx_call *c, window *w, gr_pool_options *o)
{
    GR_TRY(read_window(c, NULL, w));
    *o = (gr_pool_options){.ceil_mode = gr__onnx_int(c, "ceil_mode", 0) != 0};
    memcpy(o->size, w->size, sizeof o->size);
    memcpy(o->stride, w->stride, sizeof o->stride);
    memcpy(o->dilation, w->dilation, sizeof o->dilation);
    memcpy(o->before, w->before, sizeof o->before);
    memcpy(o->after, w->after, sizeof o->after);
    return GR_OK;
}

/* ONNX counts places over the whole array (N, C, S...), ours over the spatial axes. */
static gr_value whole_places(gr__onnx_call *c, gr_value arg)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t each = 1, n = x->dim[0] * x->dim[1];
    for (int i = 2; i < x->rank; i++) each *= x->dim[i];
    double *first = gr__arena_alloc(&c->b->arena, (size_t)n * sizeof *first);
    if (!first) return gr__graph_fail(c->g, GR_ERR_MEMORY, "out of memory for %lld places", (long long)n);
    for (int64_t i = 0; i < n; i++) first[i] = (double)(i * each);
    gr_tensor t = {.dtype = GR_F64, .rank = x->rank, .dim = {x->dim[0], x->dim[1], 1, 1, 1}, .data = first};
    return gr_add(c->g, gr_cast(c->g, gr__onnx_first(c->g, arg), GR_F64), gr_constant(c->g, &t));
}

gr_status gr__onnx_max_pool(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_pool_options o;
    window w;
    gr_value arg = 0;
    GR_TRY(pool_options(c, &w, &o));
    for (int i = 0; i < w.axes; i++)
        if (w.before[i] >= w.size[i] || w.after[i] >= w.size[i])
            return gr__onnx_refuse(c, "padding of %lld and %lld beside a window of %lld", (long long)w.before[i],
                                   (long long)w.after[i], (long long)w.size[i]);
    gr_value y = gr_max_pool(g, gr__onnx_last(g, c->in[0].v), &o, &arg);
    GR_TRY(gr__onnx_set(c, 0, gr__onnx_first(g, y), c->in[0].dtype));
    if (c->n_out < 2) return GR_OK;
    if (gr__onnx_int(c, "storage_order", 0)) return gr__onnx_refuse(c, "places in column-major order");
    return gr__onnx_set(c, 1, whole_places(c, arg), GR_I64);
}

/* Windows with gaps: a matrix of weights for each axis. */
static gr_status dilated_average(gr__onnx_call *c, const window *w, bool ceil_mode, bool real)
{
    const gr__onnx_value *x = &c->in[0];
    gr_value y = x->v;
    for (int i = 0; i < w->axes; i++) {
        int64_t in = x->dim[2 + i], span = (w->size[i] - 1) * w->dilation[i] + 1;
        int64_t room = in + w->before[i] + w->after[i] - span;
        if (room < 0) return gr__onnx_invalid(c, "a window larger than axis %d", 2 + i);
        int64_t out = room / w->stride[i] + 1;
        if (ceil_mode && room % w->stride[i] && out * w->stride[i] < in + w->before[i]) out++;
        if (out * in > (int64_t)1 << 24)
            return gr__onnx_refuse(c, "windows with gaps over an axis of size %lld", (long long)in);
        double *m = gr__arena_alloc(&c->b->arena, (size_t)(out * in) * sizeof *m);
        if (!m) return gr__fail_memory("weights", (size_t)(out * in) * sizeof *m);
        for (int64_t o = 0; o < out; o++) {
            int64_t seen = 0;
            for (int64_t k = 0; k < w->size[i]; k++) {
                int64_t at = o * w->stride[i] - w->before[i] + k * w->dilation[i];
                seen += real ? at >= 0 && at < in : at < in + w->after[i];
            }
            for (int64_t k = 0; k < w->size[i]; k++) {
                int64_t at = o * w->stride[i] - w->before[i] + k * w->dilation[i];
                if (at >= 0 && at < in) m[o * in + at] = 1 / (double)seen;
            }
        }
        y = gr__onnx_weigh(c->g, y, 2 + i, m, out);
    }
    return gr__onnx_set(c, 0, y, x->dtype);
}

gr_status gr__onnx_average_pool(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_pool_options o;
    window w;
    bool gaps = false;
    GR_TRY(pool_options(c, &w, &o));
    o.exclude_padding = !gr__onnx_int(c, "count_include_pad", 0);
    for (int i = 0; i < w.axes; i++)
        gaps = gaps || w.dilation[i] != 1 || w.before[i] >= w.size[i] || w.after[i] >= w.size[i];
    if (gaps) return dilated_average(c, &w, o.ceil_mode, o.exclude_padding);
    return gr__onnx_set(c, 0, gr__onnx_first(g, gr_avg_pool(g, gr__onnx_last(g, c->in[0].v), &o)), c->in[0].dtype);
}

gr_status gr__onnx_global_pool(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    if (x->rank < 3) return gr__onnx_invalid(c, "its operand has %d axes", x->rank);
    uint32_t mask = ((1u << x->rank) - 1) & ~3u;
    gr_value y = c->op->kind ? gr_max(c->g, x->v, mask, true) : gr_mean(c->g, x->v, mask, true);
    return gr__onnx_set(c, 0, y, x->dtype);
}
