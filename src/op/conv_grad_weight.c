/* The convolution's gradient by its weight: x (N, S..., Cin), dy (N, S'..., Cout) -> (Cout, Cin/G, K...), K being the
 * attributes'. */
#include "op/conv.h"

static gr_status infer(gr__infer *c)
{
    const gr__conv_attr *a = c->attr;
    int axes = a->window.axes;
    GR_TRY(gr__want_spatial(c, 0, axes));
    const gr__value *x = c->in[0], *dy = c->in[1];
    GR_TRY(gr__want_dtype(c, 1, x->dtype));
    GR_TRY(gr__want_rank(c, 1, axes + 2));
    GR_TRY(gr__conv_check(c, x, NULL, dy));
    gr__value *out = &c->out[0];
    out->rank = axes + 2;
    out->dim[0] = dy->dim[axes + 1];
    out->dim[1] = x->dim[axes + 1] / a->groups;
    for (int i = 0; i < axes; i++) out->dim[2 + i] = a->size[i];
    return gr__conv_out_dtype(c);
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value x = c->node->in[0], dy = c->node->in[1], d = gr_cast(g, c->out_grad[0], gr_value_dtype(g, x));
    if (c->need[0]) c->in_grad[0] = gr__conv_x(g, dy, d, c->node->attr, x);
    if (c->need[1]) c->in_grad[1] = gr__conv_y(g, x, d, c->node->attr);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *w = &a->out[0], *y = &a->in[1];
    gr__conv_shape s = gr__conv_shape_of(a->attr, x, w, y);
    int64_t o[GR__SPATIAL] = {0}, k[GR__SPATIAL] = {0}, i[GR__SPATIAL];
    int64_t each = s.cin / s.groups, per = s.cout / s.groups;
    for (int64_t co = 0; co < s.cout; co++)
        for (int64_t ci = 0; ci < each; ci++) do {
                double sum = 0;
                for (int64_t n = 0; n < s.batch; n++) do
                        if (gr__conv_tap(&s, o, k, i))
                            sum += gr__load(x, gr__spatial_offset(x, n, i, co / per * each + ci)) *
                                   gr__load(y, gr__spatial_offset(y, n, o, co));
                    while (gr__next_index(GR__SPATIAL, s.out, o));
                gr__store(w, gr__conv_weight_offset(w, co, ci, k), sum);
            } while (gr__next_index(GR__SPATIAL, s.window, k));
    return GR_OK;
}

#define ONES    \
    {           \
        1, 1, 1 \
    }
static const gr__conv_attr
    line = {.groups = 1, .window = {.axes = 1, .stride = ONES, .dilation = ONES}, .size = {3}},
    padded = {.groups = 1,
              .window = {.axes = 2, .stride = {2, 1}, .dilation = {1, 2}, .before = {1, 2}, .after = {0, 1}},
              .size = {3, 2}},
    grouped = {.groups = 3,
               .window = {.axes = 2, .stride = {1, 2}, .dilation = ONES, .before = {1, 1}, .after = {1, 1}},
               .size = {3, 3}},
    space = {.groups = 1, .window = {.axes = 3, .stride = ONES, .dilation = ONES}, .size = {2, 2, 2}},
    plane = {.groups = 1, .window = {.axes = 2, .stride = ONES, .dilation = ONES}, .size = {3, 3}};
static const gr__case cases[] = {
    {.name = "line", .n_in = 2, .in = {{3, {2, 9, 3}}, {3, {2, 7, 4}}}, .attr = &line, .tolerance = 4},
    {.name = "stride, dilation, padding",
     .n_in = 2,
     .in = {{4, {2, 6, 7, 2}}, {4, {2, 3, 8, 3}}},
     .attr = &padded,
     .tolerance = 5},
    {.name = "groups", .n_in = 2, .in = {{4, {1, 4, 5, 6}}, {4, {1, 4, 3, 9}}}, .attr = &grouped, .tolerance = 4},
    {.name = "depthwise", .n_in = 2, .in = {{4, {2, 4, 5, 3}}, {4, {2, 4, 3, 3}}}, .attr = &grouped, .tolerance = 4},
    {.name = "space", .n_in = 2, .in = {{5, {1, 3, 4, 3, 2}}, {5, {1, 2, 3, 2, 2}}}, .attr = &space, .tolerance = 4},
    {.name = "whole steps of tiles",
     .n_in = 2,
     .in = {{4, {2, 6, 5, 32}}, {4, {2, 4, 3, 7}}},
     .attr = &plane,
     .tolerance = 10,
     .slow_grad = true},
    {.name = "larger",
     .n_in = 2,
     .in = {{4, {1, 6, 6, 20}}, {4, {1, 4, 4, 24}}},
     .attr = &plane,
     .tolerance = 10,
     .slow_grad = true},
    {.name = "view",
     .n_in = 2,
     .in = {{4, {2, 5, 4, 3}, .swap_a = 1, .swap_b = 2}, {4, {2, 3, 2, 2}}},
     .attr = &plane,
     .tolerance = 4},
    {.name = "batch", .n_in = 2, .in = {{3, {2, 9, 3}}, {3, {1, 7, 4}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "places", .n_in = 2, .in = {{3, {2, 9, 3}}, {3, {2, 8, 4}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "channels in groups",
     .n_in = 2,
     .in = {{4, {1, 4, 5, 5}}, {4, {1, 4, 3, 9}}},
     .attr = &grouped,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_conv_grad_weight = {
    .name = "conv_grad_weight",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__conv_attr),
    .flags = GR__OP_OUT_DTYPE,
    .autocast = GR__CAST_LOW,
    .float_in = 3,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 3,
    .reference = reference,
    .flops = gr__conv_flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
