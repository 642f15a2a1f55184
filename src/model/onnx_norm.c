/* Normalisations. The channels are axis 1. */
#include "model/onnx_op.h"

#include <math.h>

gr_status gr__onnx_batch_norm(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    double eps = gr__onnx_float(c, "epsilon", 1e-5F);
    if (x->rank < 2) return gr__onnx_invalid(c, "its operand has %d axes", x->rank);
    if (c->opset >= 14 && gr__onnx_int(c, "training_mode", 0)) return gr__onnx_refuse(c, "training mode");
    if (c->opset < 9 && !gr__onnx_int(c, "spatial", 1)) return gr__onnx_refuse(c, "statistics of each place");
    if (c->opset < 7 && !gr__onnx_int(c, "is_test", 0)) return gr__onnx_refuse(c, "training mode");
    gr_value part[4];
    int64_t dim[GR_MAX_RANK];
    for (int i = 0; i < x->rank - 1; i++) dim[i] = i ? 1 : x->dim[1];
    for (int i = 0; i < 4; i++) part[i] = gr_reshape(g, c->in[1 + i].v, x->rank - 1, dim);
    gr_value scale = gr_mul(g, part[0], gr_rsqrt(g, gr_affine(g, part[3], 1, eps)));
    gr_value shift = gr_sub(g, part[1], gr_mul(g, part[2], scale));
    return gr__onnx_set(c, 0, gr_add(g, gr_mul(g, x->v, scale), shift), x->dtype);
}

gr_status gr__onnx_instance_norm(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    if (x->rank < 3 || x->rank > 5) return gr__onnx_refuse(c, "its operand has %d axes", x->rank);
    gr_value y =
        gr_group_norm(g, gr__onnx_last(g, x->v), 0, c->in[1].v, c->in[2].v, gr__onnx_float(c, "epsilon", 1e-5F));
    return gr__onnx_set(c, 0, gr__onnx_first(g, y), x->dtype);
}

/* Before opset 21 there is a scale for each group, then for each channel. */
gr_status gr__onnx_group_norm(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int64_t groups = gr__onnx_int(c, "num_groups", 0);
    gr_value scale = c->in[1].v, bias = c->in[2].v;
    if (x->rank < 3 || x->rank > 5) return gr__onnx_refuse(c, "its operand has %d axes", x->rank);
    int64_t channels = x->dim[1];
    if (groups < 1 || channels % groups) return gr__onnx_invalid(c, "%lld groups", (long long)groups);
    if (c->opset < 21) {
        int64_t each[] = {groups, channels / groups};
        scale =
            gr_reshape(g, gr_broadcast_to(g, gr_reshape(g, scale, 2, (int64_t[]){groups, 1}), 2, each), 1, &channels);
        bias = gr_reshape(g, gr_broadcast_to(g, gr_reshape(g, bias, 2, (int64_t[]){groups, 1}), 2, each), 1, &channels);
    }
    gr_value y = gr_group_norm(g, gr__onnx_last(g, x->v), groups, scale, bias, gr__onnx_float(c, "epsilon", 1e-5F));
    return gr__onnx_set(c, 0, gr__onnx_first(g, y), x->dtype);
}

/* From 'axis' on; kind 1 without the mean (RMS). Composed, for scale and bias may have fewer axes. */
gr_status gr__onnx_layer_norm(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    bool rms = c->op->kind == 1;
    int axis;
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", -1), x->rank, &axis));
    uint32_t mask = ((1u << x->rank) - 1) & ~((1u << axis) - 1);
    gr_value mean = rms ? 0 : gr_mean(g, x->v, mask, true), d = rms ? x->v : gr_sub(g, x->v, mean);
    gr_value rstd =
        gr_rsqrt(g, gr_affine(g, gr_mean(g, gr_square(g, d), mask, true), 1, gr__onnx_float(c, "epsilon", 1e-5F)));
    gr_value y = gr_mul(g, gr_mul(g, d, rstd), c->in[1].v);
    if (gr__onnx_has(c, 2)) y = gr_add(g, y, c->in[2].v);
    if (!rms) {
        GR_TRY(gr__onnx_set(c, 1, mean, GR_F32));
        GR_TRY(gr__onnx_set(c, 2, rstd, GR_F32));
    }
    return gr__onnx_set(c, 0, y, x->dtype);
}

/* The sum of squares over neighbouring channels: windows of slices of the padded squares. */
gr_status gr__onnx_lrn(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int64_t size = gr__onnx_int(c, "size", 0);
    double alpha = gr__onnx_float(c, "alpha", 1e-4F), beta = gr__onnx_float(c, "beta", 0.75),
           bias = gr__onnx_float(c, "bias", 1);
    if (x->rank < 2 || size < 1 || size > 64) return gr__onnx_refuse(c, "a window of %lld channels", (long long)size);
    int64_t channels = x->dim[1];
    gr_value square = gr_pad_slice(g, gr_square(g, x->v), 1, (size - 1) / 2, channels + size - 1), sum = 0;
    for (int64_t i = 0; i < size; i++) {
        gr_value part = gr_slice(g, square, 1, i, channels);
        sum = i ? gr_add(g, sum, part) : part;
    }
    gr_value scale = gr_power(g, gr_affine(g, sum, alpha / (double)size, bias), -beta);
    return gr__onnx_set(c, 0, gr_mul(g, x->v, scale), x->dtype);
}
