#include "op/window.h"

enum { MOST = 1 << 30 }; /* of a window, a step or a padding: sums and products of two stay inside 63 bits */

gr_status gr__want_spatial(const gr__infer *c, int i, int axes)
{
    char s[96];
    GR_TRY(gr__want_float(c, i));
    GR_FAIL_IF(axes < 1 || axes > GR__SPATIAL || c->in[i]->rank != axes + 2, GR_ERR_SHAPE,
               "%s: operand %d has shape %s; it needs a batch, %d spatial axes (1 to 3 are possible) and channels",
               c->op, i, gr__shape_text(s, c->in[i]->rank, c->in[i]->dim), axes);
    return GR_OK;
}

static gr_status places_of(const gr__infer *c, const gr__window *w, int i, int64_t size, int64_t dim, int64_t *out)
{
    int64_t stride = w->stride[i], dilation = w->dilation[i], before = w->before[i], after = w->after[i];
    GR_FAIL_IF(size < 1 || size > MOST, GR_ERR_ARGUMENT, "%s: a window of size %lld in spatial axis %d", c->op,
               (long long)size, i);
    GR_FAIL_IF(stride < 1 || stride > MOST || dilation < 1 || dilation > MOST, GR_ERR_ARGUMENT,
               "%s: stride %lld and dilation %lld in spatial axis %d", c->op, (long long)stride, (long long)dilation,
               i);
    GR_FAIL_IF(before < 0 || before > MOST || after < 0 || after > MOST, GR_ERR_ARGUMENT,
               "%s: padding of %lld before and %lld after spatial axis %d", c->op, (long long)before, (long long)after,
               i);
    int64_t span = (size - 1) * dilation + 1, padded = dim + before + after;
    GR_FAIL_IF(
        span > padded, GR_ERR_SHAPE,
        "%s: a window of size %lld that spans %lld does not fit into spatial axis %d of size %lld, %lld with its "
        "padding",
        c->op, (long long)size, (long long)span, i, (long long)dim, (long long)padded);
    *out = (padded - span) / stride + 1;
    /* The last place of a rounded-up count must begin inside the array or its front padding. */
    if (w->ceil_mode && (padded - span) % stride && *out * stride < dim + before) ++*out;
    return GR_OK;
}

gr_status gr__window_places(const gr__infer *c, const gr__window *w, const int64_t *size, const int64_t *dim,
                            int64_t *places)
{
    for (int i = 0; i < w->axes; i++) GR_TRY(places_of(c, w, i, size[i], dim[i], &places[i]));
    return GR_OK;
}

int64_t gr__padding(int64_t all, int64_t one)
{
    if (all < -MOST || all > MOST) return all;
    return one < -MOST || one > MOST ? one : all + one;
}

void gr__spread(const int64_t *given, int axes, int64_t otherwise, int64_t *out)
{
    for (int i = 0; i < axes; i++) out[i] = given[i] ? given[i] : i ? out[i - 1] : otherwise;
}

int gr__spatial_axes(const gr_graph *g, gr_value x)
{
    int axes = gr_value_rank(g, x) - 2;
    return axes < 1 || axes > GR__SPATIAL ? 0 : axes;
}

int64_t gr__spatial_offset(const gr__arg *a, int64_t n, const int64_t *position, int64_t c)
{
    int axes = a->rank - 2;
    int64_t o = n * a->stride[0] + c * a->stride[a->rank - 1];
    for (int i = 0; i < axes; i++) o += position[GR__SPATIAL - axes + i] * a->stride[1 + i];
    return o;
}
