/* The convolution's gradient by its input, which is the transposed convolution (Dumoulin and Visin 2016):
 * y (N, S'..., Cout), weight (Cout, Cin/G, K...) -> (N, S..., Cin), S being the attributes'. */
#include "op/conv.h"

static gr_status infer(gr__infer *c)
{
    const gr__conv_attr *a = c->attr;
    int axes = a->window.axes;
    GR_TRY(gr__want_spatial(c, 0, axes));
    const gr__value *y = c->in[0], *w = c->in[1];
    GR_TRY(gr__want_dtype(c, 1, y->dtype));
    GR_TRY(gr__want_rank(c, 1, axes + 2));
    GR_FAIL_IF(y->dim[axes + 1] != w->dim[0], GR_ERR_SHAPE, "%s: x has %lld channels, the weight reads %lld", c->op,
               (long long)y->dim[axes + 1], (long long)w->dim[0]);
    gr__value *out = &c->out[0];
    out->rank = axes + 2;
    out->dim[0] = y->dim[0];
    for (int i = 0; i < axes; i++) {
        GR_FAIL_IF(a->size[i] < 1 || a->size[i] > (int64_t)1 << 46, GR_ERR_SHAPE,
                   "%s: spatial axis %d would have size %lld", c->op, i, (long long)a->size[i]);
        out->dim[1 + i] = a->size[i];
    }
    GR_TRY(gr__conv_check(c, NULL, w, y));
    GR_FAIL_IF(w->dim[1] > ((int64_t)1 << 46) / a->groups, GR_ERR_SHAPE, "%s: %lld groups of %lld channels", c->op,
               (long long)a->groups, (long long)w->dim[1]);
    out->dim[axes + 1] = w->dim[1] * a->groups;
    return gr__conv_out_dtype(c);
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value y = c->node->in[0], w = c->node->in[1], d = gr_cast(g, c->out_grad[0], gr_value_dtype(g, y));
    if (c->need[0]) c->in_grad[0] = gr__conv_y(g, d, w, c->node->attr);
    if (c->need[1]) c->in_grad[1] = gr__conv_w(g, d, y, c->node->attr, w);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->out[0], *w = &a->in[1], *y = &a->in[0];
    gr__conv_shape s = gr__conv_shape_of(a->attr, x, w, y);
    int64_t o[GR__SPATIAL], k[GR__SPATIAL] = {0}, i[GR__SPATIAL] = {0};
    int64_t each = s.cin / s.groups, per = s.cout / s.groups;
    for (int64_t n = 0; n < s.batch; n++) do
            for (int64_t c = 0; c < s.cin; c++) {
                double sum = 0;
                do
                    for (int64_t j = 0; gr__conv_place(&s, i, k, o) && j < per; j++)
                        sum += gr__load(y, gr__spatial_offset(y, n, o, c / each * per + j)) *
                               gr__load(w, gr__conv_weight_offset(w, c / each * per + j, c % each, k));
                while (gr__next_index(GR__SPATIAL, s.window, k));
                gr__store(x, gr__spatial_offset(x, n, i, c), sum);
            }
        while (gr__next_index(GR__SPATIAL, s.in, i));
    return GR_OK;
}

#define ONES    \
    {           \
        1, 1, 1 \
    }
static const gr__conv_attr
    line = {.groups = 1, .window = {.axes = 1, .stride = ONES, .dilation = ONES}, .size = {9}},
    stride = {.groups = 1,
              .window = {.axes = 2, .stride = {2, 3}, .dilation = {1, 2}, .before = {1, 0}},
              .size = {8, 9}},
    grouped = {.groups = 2,
               .window = {.axes = 2, .stride = {2, 2}, .dilation = ONES, .before = {1, 1}, .after = {1, 1}},
               .size = {6, 7}},
    space = {.groups = 1, .window = {.axes = 3, .stride = ONES, .dilation = ONES}, .size = {3, 4, 3}},
    same = {.groups = 1,
            .window = {.axes = 2, .stride = ONES, .dilation = ONES, .before = {1, 1}, .after = {1, 1}},
            .size = {5, 5}},
    uneven = {.groups = 1,
              .window = {.axes = 2, .stride = ONES, .dilation = {2, 1}, .before = {1, 0}, .after = {2, 1}},
              .size = {6, 4}};
static const gr__case cases[] = {
    {.name = "line", .n_in = 2, .in = {{3, {2, 7, 4}}, {3, {4, 3, 3}}}, .attr = &line, .tolerance = 3},
    {.name = "stride", .n_in = 2, .in = {{4, {2, 4, 3, 3}}, {4, {3, 2, 3, 2}}}, .attr = &stride, .tolerance = 3},
    {.name = "groups", .n_in = 2, .in = {{4, {1, 3, 4, 6}}, {4, {6, 2, 3, 3}}}, .attr = &grouped, .tolerance = 3},
    {.name = "space", .n_in = 2, .in = {{5, {1, 2, 3, 2, 3}}, {5, {3, 2, 2, 2, 2}}}, .attr = &space, .tolerance = 4},
    {.name = "larger",
     .n_in = 2,
     .in = {{4, {1, 5, 5, 20}}, {4, {20, 24, 3, 3}}},
     .attr = &same,
     .tolerance = 17,
     .slow_grad = true},
    {.name = "whole steps of tiles",
     .n_in = 2,
     .in = {{4, {2, 5, 4, 32}}, {4, {32, 5, 3, 2}}},
     .attr = &uneven,
     .tolerance = 20,
     .slow_grad = true},
    {.name = "view",
     .n_in = 2,
     .in = {{4, {2, 3, 4, 6}, .swap_a = 1, .swap_b = 2}, {4, {6, 2, 3, 3}}},
     .attr = &(gr__conv_attr){.groups = 1, .window = {.axes = 2, .stride = ONES, .dilation = ONES}, .size = {5, 6}},
     .tolerance = 5},
    {.name = "channels", .n_in = 2, .in = {{3, {2, 7, 5}}, {3, {4, 3, 3}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "size", .n_in = 2, .in = {{3, {2, 8, 4}}, {3, {4, 3, 3}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "odd groups",
     .n_in = 2,
     .in = {{4, {1, 3, 4, 5}}, {4, {5, 2, 3, 3}}},
     .attr = &grouped,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_conv_transpose = {
    .name = "conv_transpose",
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
