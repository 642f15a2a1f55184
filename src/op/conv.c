/* A convolution over 1 to 3 axes: x (N, S..., Cin), weight (Cout, Cin/G, K...), optional bias (Cout) -> (N, S'..., Cout). */
#include "op/conv.h"

/* ---- shared with the gradients ---- */

/* The form's sizes in the order of its axes; the one of what is made comes from the attributes. */
gr_status gr__conv_check(const gr__infer *c, const gr__value *x, const gr__value *w, const gr__value *y)
{
    const gr__conv_attr *a = c->attr;
    char sx[96], sw[96];
    int axes = a->window.axes;
    GR_FAIL_IF(a->groups < 1, GR_ERR_ARGUMENT, "%s: %lld groups", c->op, (long long)a->groups);
    if (x && w) {
        GR_FAIL_IF(w->dim[1] != x->dim[axes + 1] / a->groups || x->dim[axes + 1] % a->groups, GR_ERR_SHAPE,
                   "%s: x %s has %lld channels, weight %s reads %lld in each of %lld groups", c->op,
                   gr__shape_text(sx, x->rank, x->dim), (long long)x->dim[axes + 1],
                   gr__shape_text(sw, w->rank, w->dim), (long long)w->dim[1], (long long)a->groups);
    } else if (x) {
        GR_FAIL_IF(x->dim[axes + 1] % a->groups, GR_ERR_SHAPE,
                   "%s: the %lld channels of %s do not fall into %lld groups", c->op, (long long)x->dim[axes + 1],
                   gr__shape_text(sx, x->rank, x->dim), (long long)a->groups);
    }
    int64_t cout = w ? w->dim[0] : y->dim[axes + 1];
    GR_FAIL_IF(cout % a->groups, GR_ERR_SHAPE, "%s: %lld output channels do not fall into %lld groups", c->op,
               (long long)cout, (long long)a->groups);
    int64_t places[GR__SPATIAL];
    GR_TRY(gr__window_places(c, &a->window, w ? w->dim + 2 : a->size, x ? x->dim + 1 : a->size, places));
    if (!y) return GR_OK;
    char sy[96];
    GR_FAIL_IF(y->dim[axes + 1] != cout || (x && x->dim[0] != y->dim[0]), GR_ERR_SHAPE,
               "%s: %s is not the result of a convolution with %lld output channels", c->op,
               gr__shape_text(sy, y->rank, y->dim), (long long)cout);
    for (int i = 0; i < axes; i++)
        GR_FAIL_IF(places[i] != y->dim[1 + i], GR_ERR_SHAPE,
                   "%s: the window has %lld places in spatial axis %d of size %lld, not the %lld of %s", c->op,
                   (long long)places[i], i, (long long)(x ? x->dim[1 + i] : a->size[i]), (long long)y->dim[1 + i],
                   gr__shape_text(sy, y->rank, y->dim));
    return GR_OK;
}

gr_status gr__conv_out_dtype(gr__infer *c)
{
    const gr__conv_attr *a = c->attr;
    c->out[0].dtype = a->out_dtype ? a->out_dtype : c->in[0]->dtype;
    GR_FAIL_IF(c->in[0]->dtype == GR_F32 && c->out[0].dtype == GR_BF16, GR_ERR_DTYPE,
               "%s: f32 operands cannot give bf16", c->op);
    return gr__want_out_dtype(c, c->in[0]->dtype, c->out[0].dtype);
}

gr__conv_shape gr__conv_shape_of(const gr__conv_attr *a, const gr__arg *x, const gr__arg *w, const gr__arg *y)
{
    int axes = a->window.axes, lead = GR__SPATIAL - axes;
    gr__conv_shape s = {
        .axes = axes, .batch = x->dim[0], .groups = a->groups, .cin = x->dim[axes + 1], .cout = w->dim[0]};
    for (int i = 0; i < GR__SPATIAL; i++) {
        bool there = i >= lead;
        int k = there ? i - lead : 0;
        s.in[i] = there ? x->dim[1 + k] : 1;
        s.window[i] = there ? w->dim[2 + k] : 1;
        s.out[i] = there ? y->dim[1 + k] : 1;
        s.stride[i] = there ? a->window.stride[k] : 1;
        s.dilation[i] = there ? a->window.dilation[k] : 1;
        s.before[i] = there ? a->window.before[k] : 0;
        s.after[i] = there ? a->window.after[k] : 0;
    }
    return s;
}

bool gr__conv_tap(const gr__conv_shape *s, const int64_t *o, const int64_t *k, int64_t *i)
{
    bool inside = true;
    for (int d = 0; d < GR__SPATIAL; d++) {
        i[d] = o[d] * s->stride[d] + k[d] * s->dilation[d] - s->before[d];
        inside = inside && i[d] >= 0 && i[d] < s->in[d];
    }
    return inside;
}

bool gr__conv_place(const gr__conv_shape *s, const int64_t *i, const int64_t *k, int64_t *o)
{
    bool there = true;
    for (int d = 0; d < GR__SPATIAL; d++) {
        int64_t at = i[d] + s->before[d] - k[d] * s->dilation[d];
        o[d] = at / s->stride[d];
        there = there && at >= 0 && at % s->stride[d] == 0 && o[d] < s->out[d];
    }
    return there;
}

int64_t gr__conv_weight_offset(const gr__arg *w, int64_t co, int64_t ci, const int64_t *k)
{
    int axes = w->rank - 2;
    int64_t o = co * w->stride[0] + ci * w->stride[1];
    for (int i = 0; i < axes; i++) o += k[GR__SPATIAL - axes + i] * w->stride[2 + i];
    return o;
}

static double product_of(const gr__arg *a, int first, int n)
{
    double p = 1;
    for (int i = 0; i < n; i++) p *= (double)a->dim[first + i];
    return p;
}

/* Of all three: a multiplication and an addition for each tap of each place and pair of channels. */
double gr__conv_flops(const gr__args *a)
{
    const gr__conv_attr *o = a->attr;
    bool makes_w = a->op == &gr__op_conv_grad_weight;
    const gr__arg *w = makes_w ? &a->out[0] : &a->in[1];
    const gr__arg *y = makes_w ? &a->in[1] : a->op == &gr__op_conv_transpose ? &a->in[0] : &a->out[0];
    return 2 * product_of(y, 0, o->window.axes + 1) * product_of(w, 0, w->rank);
}

static void sizes_like(const gr_graph *g, gr_value like, int first, int axes, int64_t *size)
{
    for (int i = 0; like && i < axes; i++) size[i] = gr_value_dim(g, like, first + i);
}

gr_value gr__conv_y(gr_graph *g, gr_value x, gr_value w, const gr__conv_attr *like)
{
    gr__conv_attr a = *like;
    a.out_dtype = GR_DTYPE_NONE;
    return gr__node_add(g, &gr__op_conv, (gr_value[]){x, w}, 2, &a, NULL);
}

gr_value gr__conv_x(gr_graph *g, gr_value y, gr_value w, const gr__conv_attr *like, gr_value shape_of_x)
{
    gr__conv_attr a = *like;
    a.out_dtype = GR_DTYPE_NONE;
    sizes_like(g, shape_of_x, 1, a.window.axes, a.size);
    return gr__node_add(g, &gr__op_conv_transpose, (gr_value[]){y, w}, 2, &a, NULL);
}

gr_value gr__conv_w(gr_graph *g, gr_value x, gr_value y, const gr__conv_attr *like, gr_value shape_of_w)
{
    gr__conv_attr a = *like;
    a.out_dtype = GR_DTYPE_NONE;
    sizes_like(g, shape_of_w, 2, a.window.axes, a.size);
    return gr__node_add(g, &gr__op_conv_grad_weight, (gr_value[]){x, y}, 2, &a, NULL);
}

/* ---- the op ---- */

static gr_status infer(gr__infer *c)
{
    const gr__conv_attr *a = c->attr;
    int axes = a->window.axes;
    GR_TRY(gr__want_spatial(c, 0, axes));
    const gr__value *x = c->in[0], *w = c->in[1];
    GR_TRY(gr__want_dtype(c, 1, x->dtype));
    GR_TRY(gr__want_rank(c, 1, axes + 2));
    GR_TRY(gr__conv_check(c, x, w, NULL));
    gr__value *out = &c->out[0];
    out->rank = axes + 2;
    out->dim[0] = x->dim[0];
    out->dim[axes + 1] = w->dim[0];
    GR_TRY(gr__window_places(c, &a->window, w->dim + 2, x->dim + 1, out->dim + 1));
    if (gr__given(c, 2)) {
        GR_FAIL_IF(c->in[2]->dtype != x->dtype && (c->in[2]->dtype != GR_F32 || x->dtype == GR_F64), GR_ERR_DTYPE,
                   "conv: the bias is %s, x is %s; it must be the same or f32", gr_dtype_name(c->in[2]->dtype),
                   gr_dtype_name(x->dtype));
        GR_TRY(gr__want_shape(c, 2, 1, w->dim, "bias, one of each output channel"));
    }
    return gr__conv_out_dtype(c);
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    const gr__node *n = c->node;
    gr_value x = n->in[0], w = n->in[1], d = gr_cast(g, c->out_grad[0], gr_value_dtype(g, x));
    if (c->need[0]) c->in_grad[0] = gr__conv_x(g, d, w, n->attr, x);
    if (c->need[1]) c->in_grad[1] = gr__conv_w(g, x, d, n->attr, w);
    if (n->n_in > 2 && n->in[2] && c->need[2]) c->in_grad[2] = gr__unbroadcast(g, c->out_grad[0], n->in[2]);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *w = &a->in[1], *y = &a->out[0];
    gr__conv_shape s = gr__conv_shape_of(a->attr, x, w, y);
    int64_t o[GR__SPATIAL] = {0}, k[GR__SPATIAL] = {0}, i[GR__SPATIAL];
    int64_t each = s.cin / s.groups, per = s.cout / s.groups;
    for (int64_t n = 0; n < s.batch; n++) do
            for (int64_t co = 0; co < s.cout; co++) {
                double sum = gr__has(a, 2) ? gr__load(&a->in[2], co * a->in[2].stride[0]) : 0;
                do
                    for (int64_t ci = 0; gr__conv_tap(&s, o, k, i) && ci < each; ci++)
                        sum += gr__load(x, gr__spatial_offset(x, n, i, co / per * each + ci)) *
                               gr__load(w, gr__conv_weight_offset(w, co, ci, k));
                while (gr__next_index(GR__SPATIAL, s.window, k));
                gr__store(y, gr__spatial_offset(y, n, o, co), sum);
            }
        while (gr__next_index(GR__SPATIAL, s.out, o));
    return GR_OK;
}

#define WINDOW(n) .groups = 1, .window = {.axes = n, .stride = {1, 1, 1}, .dilation = {1, 1, 1}}
static const gr__conv_attr
    line = {WINDOW(1)},
    plane = {WINDOW(2)}, space = {WINDOW(3)},
    padded = {.groups = 1,
              .window = {.axes = 2, .stride = {2, 1}, .dilation = {1, 2}, .before = {1, 2}, .after = {0, 1}}},
    grouped = {.groups = 3,
               .window = {.axes = 2, .stride = {1, 2}, .dilation = {1, 1}, .before = {1, 1}, .after = {1, 1}}},
    odd_groups = {.groups = 2, .window = {.axes = 1, .stride = {1}, .dilation = {1}}},
    no_stride = {.groups = 1, .window = {.axes = 1, .dilation = {1}}};
static const gr__case cases[] = {
    {.name = "line", .n_in = 2, .in = {{3, {2, 9, 3}}, {3, {4, 3, 3}}}, .attr = &line, .tolerance = 3},
    {.name = "bias", .n_in = 3, .in = {{4, {2, 5, 6, 3}}, {4, {4, 3, 3, 2}}, {1, {4}}}, .attr = &plane, .tolerance = 4},
    {.name = "f32 bias",
     .n_in = 3,
     .in = {{3, {1, 7, 2}}, {3, {5, 2, 3}}, {1, {5}, .dtype = GR__STATS}},
     .attr = &line,
     .tolerance = 3},
    {.name = "space", .n_in = 2, .in = {{5, {1, 3, 4, 3, 2}}, {5, {2, 2, 2, 2, 2}}}, .attr = &space, .tolerance = 4},
    {.name = "stride, dilation, padding",
     .n_in = 2,
     .in = {{4, {2, 6, 7, 2}}, {4, {3, 2, 3, 2}}},
     .attr = &padded,
     .tolerance = 3},
    {.name = "groups", .n_in = 2, .in = {{4, {1, 4, 5, 6}}, {4, {9, 2, 3, 3}}}, .attr = &grouped, .tolerance = 4},
    {.name = "depthwise", .n_in = 2, .in = {{4, {2, 4, 5, 3}}, {4, {3, 1, 3, 3}}}, .attr = &grouped, .tolerance = 3},
    {.name = "one by one", .n_in = 2, .in = {{4, {2, 3, 3, 5}}, {4, {7, 5, 1, 1}}}, .attr = &plane, .tolerance = 3},
    {.name = "larger",
     .n_in = 2,
     .in = {{4, {1, 5, 5, 20}}, {4, {24, 20, 3, 3}}},
     .attr = &plane,
     .tolerance = 17,
     .slow_grad = true},
    {.name = "views",
     .n_in = 2,
     .in = {{4, {2, 5, 4, 3}, .swap_a = 1, .swap_b = 2}, {4, {2, 3, 2, 3}, .swap_a = 2, .swap_b = 3}},
     .attr = &plane,
     .tolerance = 3},
    {.name = "channels", .n_in = 2, .in = {{3, {2, 9, 3}}, {3, {4, 2, 3}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "odd groups",
     .n_in = 2,
     .in = {{3, {2, 9, 3}}, {3, {4, 1, 3}}},
     .attr = &odd_groups,
     .expect = GR_ERR_SHAPE},
    {.name = "outputs in groups",
     .n_in = 2,
     .in = {{3, {2, 9, 4}}, {3, {3, 2, 3}}},
     .attr = &odd_groups,
     .expect = GR_ERR_SHAPE},
    {.name = "window too large",
     .n_in = 2,
     .in = {{3, {2, 4, 3}}, {3, {4, 3, 5}}},
     .attr = &line,
     .expect = GR_ERR_SHAPE},
    {.name = "no stride",
     .n_in = 2,
     .in = {{3, {2, 9, 3}}, {3, {4, 3, 3}}},
     .attr = &no_stride,
     .expect = GR_ERR_ARGUMENT},
    {.name = "no spatial axis", .n_in = 2, .in = {{2, {2, 3}}, {2, {4, 3}}}, .attr = &line, .expect = GR_ERR_SHAPE},
    {.name = "bias of another size",
     .n_in = 3,
     .in = {{3, {2, 9, 3}}, {3, {4, 3, 3}}, {1, {3}}},
     .attr = &line,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_conv = {
    .name = "conv",
    .min_in = 2,
    .max_in = 3,
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

static gr__conv_attr attr_of(const gr_conv_options *o, int axes)
{
    gr__conv_attr a = {.groups = o->groups ? o->groups : 1, .window.axes = axes};
    gr__spread(o->stride, axes, 1, a.window.stride);
    gr__spread(o->dilation, axes, 1, a.window.dilation);
    for (int i = 0; i < axes; i++) {
        a.window.before[i] = gr__padding(o->padding, o->before[i]);
        a.window.after[i] = gr__padding(o->padding, o->after[i]);
    }
    return a;
}

gr_value gr_conv(gr_graph *g, gr_value x, gr_value weight, const gr_conv_options *options)
{
    gr_conv_options o = options ? *options : (gr_conv_options){0};
    gr__conv_attr a = attr_of(&o, gr__spatial_axes(g, x));
    for (int i = 0; i < a.window.axes; i++)
        if (o.output_padding[i])
            return gr__graph_fail(g, GR_ERR_ARGUMENT, "conv: 'output_padding' is for transposed convolutions");
    return gr__node_add(g, &gr__op_conv, (gr_value[]){x, weight, o.bias}, o.bias ? 3 : 2, &a, NULL);
}

gr_value gr_conv_transpose(gr_graph *g, gr_value x, gr_value weight, const gr_conv_options *options)
{
    gr_conv_options o = options ? *options : (gr_conv_options){0};
    int axes = gr__spatial_axes(g, x);
    gr__conv_attr a = attr_of(&o, axes);
    if (!gr__require(g, "conv_transpose", x) || !gr__require(g, "conv_transpose", weight)) return 0;
    if (gr_value_rank(g, weight) != axes + 2)
        return gr__graph_fail(g, GR_ERR_SHAPE, "conv_transpose: x has %d axes, the weight %d", gr_value_rank(g, x),
                              gr_value_rank(g, weight));
    for (int i = 0; i < axes; i++) {
        int64_t reach = gr_value_dim(g, weight, 2 + i), extra = o.output_padding[i];
        if (extra < 0 || extra >= a.window.stride[i])
            return gr__graph_fail(g, GR_ERR_ARGUMENT,
                                  "conv_transpose: output_padding %lld in spatial axis %d of stride %lld",
                                  (long long)extra, i, (long long)a.window.stride[i]);
        int64_t limit = (int64_t)1 << 30, steps = gr_value_dim(g, x, 1 + i) - 1;
        int64_t before = a.window.before[i], after = a.window.after[i];
        if (a.window.stride[i] > limit || a.window.dilation[i] > limit || a.window.dilation[i] < 1 || reach > limit ||
            steps > limit || before < 0 || before > limit || after < 0 || after > limit)
            return gr__graph_fail(
                g, GR_ERR_ARGUMENT,
                "conv_transpose: stride %lld, dilation %lld, window %lld, size %lld, padding %lld and %lld",
                (long long)a.window.stride[i], (long long)a.window.dilation[i], (long long)reach, (long long)steps + 1,
                (long long)before, (long long)after);
        a.size[i] = steps * a.window.stride[i] - before - after + a.window.dilation[i] * (reach - 1) + 1 + extra;
    }
    gr_value y = gr__node_add(g, &gr__op_conv_transpose, (gr_value[]){x, weight}, 2, &a, NULL);
    return o.bias ? gr_add(g, y, o.bias) : y;
}
