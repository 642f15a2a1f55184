/* Average pooling and interpolation: a fixed sparse matrix on each spatial axis, x (N, S..., C) -> (N, S'..., C). The
 * gradient is the same op with the matrices transposed, to any order. */
#include "op/resample.h"

#include "op/pool.h"

#include <math.h>

void gr__resample_row(const gr__resample_attr *a, int axis, int64_t in, int64_t out, int64_t o, int64_t *first,
                      int64_t *n, double weight[2])
{
    int64_t from, to;
    double at, floor_at;
    switch (a->kind) {
    case GR__RESAMPLE_WINDOW:
        from = o * a->window.stride[axis] - a->window.before[axis];
        to = GR__MIN(from + a->size[axis], in + a->window.after[axis]);
        *first = GR__MAX(from, 0);
        *n = GR__MIN(to, in) - *first;
        weight[0] = weight[1] = 1 / (double)(a->exclude_padding ? *n : to - from);
        return;
    case GR__RESAMPLE_BINS:
        *first = o * in / out;
        *n = ((o + 1) * in + out - 1) / out - *first;
        weight[0] = weight[1] = 1 / (double)*n;
        return;
    case GR__RESAMPLE_NEAREST:
        *first = o * in / out;
        *n = 1;
        weight[0] = weight[1] = 1;
        return;
    default:
        if (a->kind == GR__RESAMPLE_CORNERS)
            at = out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0;
        else
            at = fmax(((double)o + 0.5) * (double)in / (double)out - 0.5, 0);
        floor_at = fmin(floor(at), (double)(in - 1));
        *first = (int64_t)floor_at;
        *n = *first + 1 < in && at > floor_at ? 2 : 1;
        weight[1] = at - floor_at;
        weight[0] = *n == 2 ? 1 - weight[1] : 1;
    }
}

/* Sizes of the result of the matrices that are not transposed. */
static gr_status forward_sizes(const gr__infer *c, const int64_t *dim, int64_t *out)
{
    const gr__resample_attr *a = c->attr;
    for (int i = 0; i < a->window.axes; i++) {
        GR_FAIL_IF(dim[i] > INT32_MAX || a->size[i] < 1 || a->size[i] > INT32_MAX, GR_ERR_ARGUMENT,
                   "%s: size %lld for spatial axis %d of size %lld", c->op, (long long)a->size[i], i,
                   (long long)dim[i]);
        out[i] = a->size[i];
    }
    if (a->kind != GR__RESAMPLE_WINDOW) return GR_OK;
    GR_TRY(gr__window_places(c, &a->window, a->size, dim, out));
    for (int i = 0; i < a->window.axes; i++) {
        GR_FAIL_IF(a->window.before[i] >= a->size[i] || a->window.after[i] >= a->size[i], GR_ERR_ARGUMENT,
                   "%s: padding of %lld and %lld around spatial axis %d for a window of size %lld", c->op,
                   (long long)a->window.before[i], (long long)a->window.after[i], i, (long long)a->size[i]);
        GR_FAIL_IF(a->window.dilation[i] != 1, GR_ERR_ARGUMENT, "%s: averages have no dilation", c->op);
        GR_FAIL_IF(out[i] > INT32_MAX, GR_ERR_SHAPE, "%s: %lld places in spatial axis %d", c->op, (long long)out[i], i);
    }
    return GR_OK;
}

static const char *const builder[GR__RESAMPLE_KIND_COUNT] = {"avg_pool", "adaptive_avg_pool", "upsample", "upsample",
                                                             "upsample"};

static gr_status infer(gr__infer *c)
{
    const gr__resample_attr *a = c->attr;
    int axes = a->window.axes;
    GR_FAIL_IF((unsigned)a->kind >= GR__RESAMPLE_KIND_COUNT, GR_ERR_ARGUMENT, "%s: unknown kind %d", c->op,
               (int)a->kind);
    c->op = builder[a->kind]; /* sentences name what was called */
    GR_TRY(gr__want_spatial(c, 0, axes));
    const gr__value *x = c->in[0];
    c->out[0] = *x;
    if (!a->transposed) return forward_sizes(c, x->dim + 1, c->out[0].dim + 1);
    int64_t size[GR__SPATIAL];
    for (int i = 0; i < axes; i++) {
        GR_FAIL_IF(a->dim[i] < 1, GR_ERR_ARGUMENT, "%s: spatial axis %d would have size %lld", c->op, i,
                   (long long)a->dim[i]);
        c->out[0].dim[1 + i] = a->dim[i];
    }
    GR_TRY(forward_sizes(c, a->dim, size));
    for (int i = 0; i < axes; i++)
        GR_FAIL_IF(size[i] != x->dim[1 + i], GR_ERR_SHAPE, "%s: spatial axis %d has size %lld, not %lld", c->op, i,
                   (long long)x->dim[1 + i], (long long)size[i]);
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value x = c->node->in[0];
    gr__resample_attr a = *(const gr__resample_attr *)c->node->attr;
    if (!a.transposed)
        for (int i = 0; i < a.window.axes; i++) a.dim[i] = gr_value_dim(g, x, 1 + i);
    a.transposed = !a.transposed;
    c->in_grad[0] = gr__node_add(g, &gr__op_resample, &c->out_grad[0], 1, &a, NULL);
}

/* Element (o, i) of an axis' matrix, as it is applied. */
static double weight_at(const gr__resample_attr *a, int axis, int64_t n_out, int64_t n_in, int64_t o, int64_t i)
{
    int64_t first, n, row = a->transposed ? i : o, col = a->transposed ? o : i;
    double w[2];
    gr__resample_row(a, axis, a->transposed ? n_out : n_in, a->transposed ? n_in : n_out, row, &first, &n, w);
    return col < first || col >= first + n ? 0 : w[col > first];
}

/* A product with the dense matrix along each axis. */
static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__resample_attr *a = n->attr;
    gr_value y = n->in[0];
    gr_dtype dtype = gr_value_dtype(g, y);
    gr__value shape = *gr__value_get(g, y), last = *gr__value_get(g, n->out[0]);
    for (int k = 0; k < a->window.axes; k++) {
        int64_t in = shape.dim[1 + k], size = last.dim[1 + k], before = 1, behind = 1;
        for (int i = 0; i < 1 + k; i++) before *= shape.dim[i];
        for (int i = 2 + k; i < shape.rank; i++) behind *= shape.dim[i];
        gr_tensor m = {.dtype = GR_F64, .rank = 2, .dim = {size, in}};
        m.data = gr__alloc((size_t)(size * in) * sizeof(double));
        if (!m.data) {
            gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for a matrix of %lld x %lld", (long long)size,
                           (long long)in);
            return;
        }
        for (int64_t o = 0; o < size; o++)
            for (int64_t i = 0; i < in; i++) ((double *)m.data)[o * in + i] = weight_at(a, k, size, in, o, i);
        gr_value matrix = gr_cast(g, gr_constant(g, &m), dtype);
        gr__free(m.data);
        y = gr_matmul(g, matrix, gr_reshape(g, y, 3, (int64_t[]){before, in, behind}), NULL);
        shape.dim[1 + k] = size;
        y = gr_reshape(g, y, shape.rank, shape.dim);
    }
    *out = y;
}

static gr_status reference(const gr__args *a)
{
    const gr__resample_attr *r = a->attr;
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int lead = GR__SPATIAL - r->window.axes;
    int64_t in[GR__SPATIAL], out[GR__SPATIAL], o[GR__SPATIAL] = {0}, i[GR__SPATIAL] = {0};
    for (int k = 0; k < GR__SPATIAL; k++) {
        in[k] = k < lead ? 1 : x->dim[1 + k - lead];
        out[k] = k < lead ? 1 : y->dim[1 + k - lead];
    }
    for (int64_t n = 0; n < x->dim[0]; n++) do
            for (int64_t c = 0; c < x->dim[x->rank - 1]; c++) {
                double sum = 0;
                do {
                    double w = 1;
                    for (int k = lead; k < GR__SPATIAL && w != 0; k++)
                        w *= weight_at(r, k - lead, out[k], in[k], o[k], i[k]);
                    if (w != 0) sum += w * gr__load(x, gr__spatial_offset(x, n, i, c));
                } while (gr__next_index(GR__SPATIAL, in, i));
                gr__store(y, gr__spatial_offset(y, n, o, c), sum);
            }
        while (gr__next_index(GR__SPATIAL, out, o));
    return GR_OK;
}

#define ONES    \
    {           \
        1, 1, 1 \
    }
#define WINDOW(...) .window = {.axes = 2, .stride = {2, 1}, .dilation = ONES, __VA_ARGS__}
static const gr__resample_attr
    plane = {WINDOW(.before = {1, 0}, .after = {1, 1}), .size = {3, 2}},
    real = {.exclude_padding = true, WINDOW(.before = {1, 1}, .after = {1, 1}, .ceil_mode = true), .size = {2, 3}},
    line = {.window = {.axes = 1, .stride = {3}, .dilation = ONES, .ceil_mode = true}, .size = {3}},
    bins = {.kind = GR__RESAMPLE_BINS, .window.axes = 2, .size = {3, 4}},
    nearest = {.kind = GR__RESAMPLE_NEAREST, .window.axes = 3, .size = {4, 3, 5}},
    linear = {.kind = GR__RESAMPLE_LINEAR, .window.axes = 2, .size = {6, 5}},
    smaller = {.kind = GR__RESAMPLE_LINEAR, .window.axes = 1, .size = {3}},
    corners = {.kind = GR__RESAMPLE_CORNERS, .window.axes = 3, .size = {4, 1, 5}},
    back = {.kind = GR__RESAMPLE_LINEAR, .transposed = true, .window.axes = 2, .size = {6, 5}, .dim = {3, 4}},
    back_windows = {.transposed = true, WINDOW(.before = {1, 0}, .after = {1, 1}), .size = {3, 2}, .dim = {6, 5}},
    large = {WINDOW(.before = {1, 0}), .size = {8, 2}},
    dilated = {.window = {.axes = 1, .stride = {1}, .dilation = {2}}, .size = {2}},
    empty = {.kind = GR__RESAMPLE_NEAREST, .window.axes = 1};
static const gr__case cases[] = {
    {.name = "windows", .n_in = 1, .in = {{4, {2, 6, 5, 3}}}, .attr = &plane},
    {.name = "what is real", .n_in = 1, .in = {{4, {1, 5, 4, 18}}}, .attr = &real},
    {.name = "rounded up", .n_in = 1, .in = {{3, {2, 8, 2}}}, .attr = &line},
    {.name = "bins", .n_in = 1, .in = {{4, {2, 7, 4, 3}}}, .attr = &bins},
    {.name = "more bins than places", .n_in = 1, .in = {{4, {1, 2, 3, 3}}}, .attr = &bins},
    {.name = "nearest", .n_in = 1, .in = {{5, {1, 2, 3, 2, 3}}}, .attr = &nearest},
    {.name = "linear", .n_in = 1, .in = {{4, {2, 3, 4, 5}}}, .attr = &linear},
    {.name = "smaller", .n_in = 1, .in = {{3, {2, 7, 17}}}, .attr = &smaller},
    {.name = "corners", .n_in = 1, .in = {{5, {1, 3, 2, 2, 2}}}, .attr = &corners},
    {.name = "transposed", .n_in = 1, .in = {{4, {2, 6, 5, 3}}}, .attr = &back, .tolerance = 2},
    {.name = "windows, transposed", .n_in = 1, .in = {{4, {1, 3, 5, 4}}}, .attr = &back_windows, .tolerance = 2},
    {.name = "view", .n_in = 1, .in = {{4, {2, 3, 4, 5}, .swap_a = 1, .swap_b = 2}}, .attr = &linear},
    {.name = "window too large", .n_in = 1, .in = {{4, {2, 6, 5, 3}}}, .attr = &large, .expect = GR_ERR_SHAPE},
    {.name = "dilation", .n_in = 1, .in = {{3, {2, 8, 2}}}, .attr = &dilated, .expect = GR_ERR_ARGUMENT},
    {.name = "no size", .n_in = 1, .in = {{3, {2, 8, 2}}}, .attr = &empty, .expect = GR_ERR_ARGUMENT},
    {.name = "another size", .n_in = 1, .in = {{4, {2, 6, 4, 3}}}, .attr = &back, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_resample = {
    .name = "resample",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__resample_attr),
    .infer = infer,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

static gr_value resample(gr_graph *g, gr_value x, const gr__resample_attr *a)
{
    return gr__require(g, builder[a->kind], x) ? gr__node_add(g, &gr__op_resample, &x, 1, a, NULL) : 0;
}

gr_value gr_avg_pool(gr_graph *g, gr_value x, const gr_pool_options *options)
{
    gr_pool_options o = options ? *options : (gr_pool_options){0};
    gr__resample_attr a = {.kind = GR__RESAMPLE_WINDOW,
                           .exclude_padding = o.exclude_padding,
                           .window = gr__pool_window(&o, gr__spatial_axes(g, x))};
    gr__spread(o.size, a.window.axes, 1, a.size);
    return resample(g, x, &a);
}

gr_value gr_adaptive_avg_pool(gr_graph *g, gr_value x, const int64_t *size)
{
    gr__resample_attr a = {.kind = GR__RESAMPLE_BINS, .window.axes = gr__spatial_axes(g, x)};
    if (!gr__copy_dims(g, "adaptive_avg_pool", a.window.axes, size, a.size)) return 0;
    return resample(g, x, &a);
}

/* Bits of the spatial axes; fails the graph where there are none. */
static uint32_t spatial_mask(gr_graph *g, gr_value x)
{
    int axes = gr__require(g, "global pooling", x) ? gr__spatial_axes(g, x) : 0;
    if (!axes) /* an earlier error stays */
        gr__graph_fail(g, GR_ERR_SHAPE,
                       "a pooling over a value with %d axes; it needs a batch, 1 to 3 spatial axes and "
                       "channels",
                       gr_value_rank(g, x));
    return ((1u << axes) - 1) << 1;
}

gr_value gr_global_avg_pool(gr_graph *g, gr_value x)
{
    uint32_t mask = spatial_mask(g, x);
    return mask ? gr_mean(g, x, mask, false) : 0;
}

gr_value gr_global_max_pool(gr_graph *g, gr_value x)
{
    uint32_t mask = spatial_mask(g, x);
    return mask ? gr_max(g, x, mask, false) : 0;
}

gr_value gr_upsample(gr_graph *g, gr_value x, const gr_upsample_options *options)
{
    gr_upsample_options o = options ? *options : (gr_upsample_options){0};
    gr__resample_attr a = {.kind = !o.linear         ? GR__RESAMPLE_NEAREST
                                   : o.align_corners ? GR__RESAMPLE_CORNERS
                                                     : GR__RESAMPLE_LINEAR,
                           .window.axes = gr__spatial_axes(g, x)};
    int64_t scale[GR__SPATIAL];
    gr__spread(o.scale, a.window.axes, 1, scale);
    for (int i = 0; i < a.window.axes; i++) {
        int64_t dim = gr_value_dim(g, x, 1 + i);
        if (!o.size[i] && (scale[i] < 1 || dim > INT32_MAX / scale[i]))
            return gr__graph_fail(g, GR_ERR_ARGUMENT, "upsample: a scale of %lld for spatial axis %d of size %lld",
                                  (long long)scale[i], i, (long long)dim);
        a.size[i] = o.size[i] ? o.size[i] : dim * scale[i];
    }
    return resample(g, x, &a);
}
