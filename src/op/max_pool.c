/* The largest of each window: x (N, S..., C) -> y (N, S'..., C) and i32 arg of that shape, the place of the maximum counted
 * over the spatial axes of x (as PyTorch's indices): the first among equals; a NaN wins. -1: the window sees nothing, y is
 * -inf. A core op: its places cannot be said with smaller ops. */
#include "op/pool.h"

#include <math.h>

gr_status gr__pool_places(const gr__infer *c, const int64_t *dim, int64_t *places)
{
    const gr__pool_attr *a = c->attr;
    int64_t all = 1;
    for (int i = 0; i < a->window.axes; i++) {
        all = dim[i] > INT32_MAX / all ? INT32_MAX : all * dim[i];
        if (!a->adaptive) continue;
        GR_FAIL_IF(a->size[i] < 1 || a->size[i] > INT32_MAX, GR_ERR_ARGUMENT, "%s: %lld bins in spatial axis %d", c->op,
                   (long long)a->size[i], i);
        places[i] = a->size[i];
    }
    GR_FAIL_IF(all == INT32_MAX, GR_ERR_SHAPE, "%s: a sample with 2^31 places or more", c->op);
    if (a->adaptive) return GR_OK;
    GR_TRY(gr__window_places(c, &a->window, a->size, dim, places));
    for (int i = 0; i < a->window.axes; i++)
        GR_FAIL_IF(a->window.before[i] >= a->size[i] || a->window.after[i] >= a->size[i], GR_ERR_ARGUMENT,
                   "%s: padding of %lld and %lld around spatial axis %d for a window of size %lld", c->op,
                   (long long)a->window.before[i], (long long)a->window.after[i], i, (long long)a->size[i]);
    return GR_OK;
}

gr__pool_shape gr__pool_shape_of(const gr__pool_attr *a, const gr__arg *x, const gr__arg *y)
{
    int axes = a->window.axes, lead = GR__SPATIAL - axes;
    gr__pool_shape s = {.adaptive = a->adaptive, .batch = x->dim[0], .c = x->dim[axes + 1]};
    for (int i = 0; i < GR__SPATIAL; i++) {
        bool there = i >= lead;
        int k = there ? i - lead : 0;
        s.in[i] = there ? x->dim[1 + k] : 1;
        s.out[i] = there ? y->dim[1 + k] : 1;
        s.size[i] = there ? a->size[k] : 1;
        s.stride[i] = there ? a->window.stride[k] : 1;
        s.dilation[i] = there ? a->window.dilation[k] : 1;
        s.before[i] = there ? a->window.before[k] : 0;
    }
    return s;
}

/* ---- the op ---- */

static gr_status infer(gr__infer *c)
{
    const gr__pool_attr *a = c->attr;
    GR_TRY(gr__want_spatial(c, 0, a->window.axes));
    const gr__value *x = c->in[0];
    c->out[0] = *x;
    GR_TRY(gr__pool_places(c, x->dim + 1, c->out[0].dim + 1));
    c->out[1] = c->out[0];
    c->out[1].dtype = GR_I32;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    if (!c->out_grad[0]) return;
    gr_graph *g = c->g;
    gr_value x = c->node->in[0];
    gr__pool_attr a = *(const gr__pool_attr *)c->node->attr;
    for (int i = 0; i < a.window.axes; i++) a.dim[i] = gr_value_dim(g, x, 1 + i);
    gr_value d = gr_cast(g, c->out_grad[0], gr_value_dtype(g, x));
    c->in_grad[0] = gr__node_add(g, &gr__op_max_pool_grad, (gr_value[]){d, c->node->out[1]}, 2, &a, NULL);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = gr__wanted(a, 0) ? &a->out[0] : &a->out[1];
    gr__pool_shape s = gr__pool_shape_of(a->attr, x, y);
    int64_t o[GR__SPATIAL] = {0}, first[GR__SPATIAL], step[GR__SPATIAL], count[GR__SPATIAL];
    for (int64_t n = 0; n < s.batch; n++) do {
            bool any = true;
            for (int i = 0; i < GR__SPATIAL; i++) {
                gr__pool_taps(&s, i, o[i], &first[i], &step[i], &count[i]);
                any = any && count[i] > 0;
            }
            for (int64_t c = 0; c < s.c; c++) {
                double best = -(double)INFINITY;
                int64_t k[GR__SPATIAL] = {0}, at = any ? (first[0] * s.in[1] + first[1]) * s.in[2] + first[2] : -1;
                do {
                    if (!any) break;
                    int64_t i[GR__SPATIAL];
                    for (int d = 0; d < GR__SPATIAL; d++) i[d] = first[d] + k[d] * step[d];
                    double v = gr__load(x, gr__spatial_offset(x, n, i, c));
                    if (!(v > best) && !isnan(v)) continue;
                    best = v;
                    at = (i[0] * s.in[1] + i[1]) * s.in[2] + i[2];
                } while (gr__next_index(GR__SPATIAL, count, k));
                if (gr__wanted(a, 0)) gr__store(&a->out[0], gr__spatial_offset(&a->out[0], n, o, c), best);
                if (gr__wanted(a, 1)) gr__store(&a->out[1], gr__spatial_offset(&a->out[1], n, o, c), (double)at);
            }
        } while (gr__next_index(GR__SPATIAL, s.out, o));
    return GR_OK;
}

static double flops(const gr__args *a)
{
    const gr__pool_attr *o = a->attr;
    double seen = (double)gr__arg_count(&a->in[0]);
    if (o->adaptive) return seen;
    seen = (double)gr__arg_count(gr__wanted(a, 0) ? &a->out[0] : &a->out[1]);
    for (int i = 0; i < o->window.axes; i++) seen *= (double)o->size[i];
    return seen;
}

#define ONES    \
    {           \
        1, 1, 1 \
    }
static const gr__pool_attr
    line = {.window = {.axes = 1, .stride = {2}, .dilation = ONES}, .size = {2}},
    plane = {.window = {.axes = 2, .stride = {2, 2}, .dilation = ONES, .before = {1, 1}, .after = {1, 1}},
             .size = {3, 3}},
    apart = {.window = {.axes = 2, .stride = {1, 2}, .dilation = {2, 1}, .after = {1, 0}, .ceil_mode = true},
             .size = {2, 3}},
    space = {.window = {.axes = 3, .stride = ONES, .dilation = ONES}, .size = {2, 2, 1}},
    bins = {.adaptive = true, .window = {.axes = 2}, .size = {3, 2}},
    wide = {.window = {.axes = 1, .stride = {1}, .dilation = ONES}, .size = {9}},
    loose = {.window = {.axes = 1, .stride = {1}, .dilation = ONES, .before = {2}}, .size = {2}},
    no_bins = {.adaptive = true, .window = {.axes = 1}};
#define APART .fill = GR__FILL_DISTINCT, .lo = -2, .hi = 2
static const gr__case cases[] = {
    {.name = "line", .n_in = 1, .in = {{3, {2, 7, 5}, APART}}, .attr = &line},
    {.name = "overlapping", .n_in = 1, .in = {{4, {2, 5, 6, 3}, APART}}, .attr = &plane},
    {.name = "dilation, rounded up", .n_in = 1, .in = {{4, {1, 6, 6, 2}, APART}}, .attr = &apart},
    {.name = "space", .n_in = 1, .in = {{5, {1, 3, 3, 2, 3}, APART}}, .attr = &space},
    {.name = "bins", .n_in = 1, .in = {{4, {1, 7, 5, 2}, APART}}, .attr = &bins},
    {.name = "more bins than places", .n_in = 1, .in = {{4, {2, 2, 1, 3}, APART}}, .attr = &bins},
    {.name = "channels", .n_in = 1, .in = {{4, {1, 4, 4, 37}, APART}}, .attr = &plane},
    {.name = "view", .n_in = 1, .in = {{4, {1, 4, 5, 3}, APART, .swap_a = 1, .swap_b = 2}}, .attr = &plane},
    {.name = "window too large", .n_in = 1, .in = {{3, {2, 7, 5}}}, .attr = &wide, .expect = GR_ERR_SHAPE},
    {.name = "padding too large", .n_in = 1, .in = {{3, {2, 7, 5}}}, .attr = &loose, .expect = GR_ERR_ARGUMENT},
    {.name = "no bins", .n_in = 1, .in = {{3, {2, 7, 5}}}, .attr = &no_bins, .expect = GR_ERR_ARGUMENT},
    {.name = "no spatial axis", .n_in = 1, .in = {{2, {2, 7}}}, .attr = &line, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_max_pool = {
    .name = "max_pool",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .attr_bytes = sizeof(gr__pool_attr),
    .infer = infer,
    .grad = grad,
    .grad_reads_out = 2,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

static gr_value max_pool(gr_graph *g, gr_value x, const gr__pool_attr *a, gr_value *arg)
{
    gr_value out[2];
    gr__node_add(g, &gr__op_max_pool, &x, 1, a, out);
    if (arg) *arg = out[1];
    return out[0];
}

gr_value gr_max_pool(gr_graph *g, gr_value x, const gr_pool_options *options, gr_value *arg)
{
    gr_pool_options o = options ? *options : (gr_pool_options){0};
    gr__pool_attr a = {.window = gr__pool_window(&o, gr__spatial_axes(g, x))};
    gr__spread(o.size, a.window.axes, 1, a.size);
    const gr__node *relu = arg ? NULL : gr__producer(g, x);
    if (relu && relu->op == &gr__op_relu) /* the same values, and gradients, from fewer elements */
        return gr_relu(g, max_pool(g, relu->in[0], &a, NULL));
    return max_pool(g, x, &a, arg);
}

gr_value gr_adaptive_max_pool(gr_graph *g, gr_value x, const int64_t *size, gr_value *arg)
{
    gr__pool_attr a = {.adaptive = true, .window.axes = gr__spatial_axes(g, x)};
    if (arg) *arg = 0;
    if (!gr__copy_dims(g, "adaptive_max_pool", a.window.axes, size, a.size)) return 0;
    return max_pool(g, x, &a, arg);
}

gr__window gr__pool_window(const gr_pool_options *o, int axes)
{
    gr__window w = {.axes = axes, .ceil_mode = o->ceil_mode};
    int64_t size[GR__SPATIAL];
    gr__spread(o->size, axes, 1, size);
    for (int i = 0; i < axes; i++) {
        w.stride[i] = o->stride[i] ? o->stride[i] : o->stride[0] ? w.stride[i - 1] : size[i];
        w.before[i] = gr__padding(o->padding, o->before[i]);
        w.after[i] = gr__padding(o->padding, o->after[i]);
    }
    gr__spread(o->dilation, axes, 1, w.dilation);
    return w;
}

/* ---- max_pool_grad(dy, arg) ---- */

static gr_status grad_infer(gr__infer *c)
{
    const gr__pool_attr *a = c->attr;
    GR_TRY(gr__want_spatial(c, 0, a->window.axes));
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    GR_TRY(gr__want_shape(c, 1, c->in[0]->rank, c->in[0]->dim, "places of the maxima"));
    int64_t places[GR__SPATIAL];
    c->out[0] = *c->in[0];
    for (int i = 0; i < a->window.axes; i++) {
        GR_FAIL_IF(a->dim[i] < 1 || a->dim[i] > INT32_MAX, GR_ERR_ARGUMENT, "%s: spatial axis %d would have size %lld",
                   c->op, i, (long long)a->dim[i]);
        c->out[0].dim[1 + i] = a->dim[i];
    }
    GR_TRY(gr__pool_places(c, a->dim, places));
    for (int i = 0; i < a->window.axes; i++)
        GR_FAIL_IF(places[i] != c->in[0]->dim[1 + i], GR_ERR_SHAPE, "%s: %lld windows in spatial axis %d, not %lld",
                   c->op, (long long)c->in[0]->dim[1 + i], i, (long long)places[i]);
    return GR_OK;
}

/* The sum at each place over the windows around it. */
static gr_status grad_reference(const gr__args *a)
{
    const gr__arg *dy = &a->in[0], *arg = &a->in[1], *dx = &a->out[0];
    gr__pool_shape s = gr__pool_shape_of(a->attr, dx, dy);
    int64_t i[GR__SPATIAL] = {0}, o[GR__SPATIAL] = {0};
    for (int64_t n = 0; n < s.batch; n++) do
            for (int64_t c = 0; c < s.c; c++) {
                double sum = 0;
                int64_t place = (i[0] * s.in[1] + i[1]) * s.in[2] + i[2];
                do {
                    bool sees = true;
                    for (int d = 0; d < GR__SPATIAL; d++) {
                        int64_t first, last;
                        gr__pool_windows(&s, d, i[d], &first, &last);
                        sees = sees && first <= o[d] && o[d] <= last;
                    }
                    if (sees && gr__load_int(arg, gr__spatial_offset(arg, n, o, c)) == place)
                        sum += gr__load(dy, gr__spatial_offset(dy, n, o, c));
                } while (gr__next_index(GR__SPATIAL, s.out, o));
                gr__store(dx, gr__spatial_offset(dx, n, i, c), sum);
            }
        while (gr__next_index(GR__SPATIAL, s.in, i));
    return GR_OK;
}

static const gr__pool_attr
    grad_line = {.window = {.axes = 1, .stride = {2}, .dilation = ONES}, .size = {2}, .dim = {7}},
    grad_plane = {.window = {.axes = 2, .stride = {2, 2}, .dilation = ONES, .before = {1, 1}, .after = {1, 1}},
                  .size = {3, 3},
                  .dim = {5, 6}},
    grad_tiles = {.window = {.axes = 2, .stride = {2, 3}, .dilation = ONES}, .size = {2, 3}, .dim = {4, 6}},
    grad_bins = {.adaptive = true, .window = {.axes = 2}, .size = {3, 2}, .dim = {7, 5}};
#define PLACES .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = -1
static const gr__case grad_cases[] = {
    {.name = "line", .n_in = 2, .in = {{3, {2, 3, 5}}, {3, {2, 3, 5}, PLACES, .hi = 7}}, .attr = &grad_line},
    {.name = "overlapping",
     .n_in = 2,
     .in = {{4, {2, 3, 3, 18}}, {4, {2, 3, 3, 18}, PLACES, .hi = 30}},
     .attr = &grad_plane,
     .tolerance = 2},
    {.name = "tiles", .n_in = 2, .in = {{4, {2, 2, 2, 18}}, {4, {2, 2, 2, 18}, PLACES, .hi = 24}}, .attr = &grad_tiles},
    {.name = "bins", .n_in = 2, .in = {{4, {1, 3, 2, 4}}, {4, {1, 3, 2, 4}, PLACES, .hi = 35}}, .attr = &grad_bins},
    {.name = "view",
     .n_in = 2,
     .in = {{4, {1, 3, 3, 2}, .swap_a = 1, .swap_b = 2}, {4, {1, 3, 3, 2}, PLACES, .hi = 30}},
     .attr = &grad_plane},
    {.name = "windows",
     .n_in = 2,
     .in = {{3, {2, 4, 5}}, {3, {2, 4, 5}, PLACES, .hi = 7}},
     .attr = &grad_line,
     .expect = GR_ERR_SHAPE},
    {.name = "float places",
     .n_in = 2,
     .in = {{3, {2, 3, 5}}, {3, {2, 3, 5}}},
     .attr = &grad_line,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_max_pool_grad = {
    .name = "max_pool_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__pool_attr),
    .infer = grad_infer,
    .no_grad = "second derivatives of max_pool are not provided",
    .reference = grad_reference,
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
