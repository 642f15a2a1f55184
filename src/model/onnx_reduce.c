/* Operators that fold axes. */
#include "model/onnx_op.h"

#include <float.h>
#include <math.h>

#include "base/limits.h"

static double lowest(gr_dtype t)
{
    if (gr__onnx_is_float(t)) return -(double)INFINITY;
    bool is_signed = t == GR_I8 || t == GR_I16 || t == GR_I32 || t == GR_I64;
    return is_signed ? -exp2(8 * (double)gr_dtype_size_bytes(t) - 1) : 0;
}

/* The result of folding nothing. */
static double of_nothing(gr__onnx_reduction kind, gr_dtype t)
{
    switch (kind) {
    case GR__ONNX_PROD: return 1;
    case GR__ONNX_MEAN: return (double)NAN;
    case GR__ONNX_LOG_SUM:
    case GR__ONNX_LOG_SUM_EXP: return -(double)INFINITY;
    case GR__ONNX_MAX: return lowest(t);
    case GR__ONNX_MIN: return t == GR_BOOL ? 1 : (double)INFINITY;
    default: return 0;
    }
}

static gr_status fold_nothing(gr__onnx_call *c, uint32_t mask, bool keep)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t dim[GR_MAX_RANK];
    int rank = 0;
    bool empty = false;
    for (int i = 0; i < x->rank; i++) {
        bool gone = mask >> i & 1u;
        empty = empty || (!gone && x->dim[i] == 0);
        if (!gone || keep) dim[rank++] = gone ? 1 : x->dim[i];
    }
    if (empty) return gr__onnx_set_empty(c, 0, x->dtype, rank, dim);
    double y = of_nothing((gr__onnx_reduction)c->op->kind, x->dtype);
    if (gr__onnx_is_int(x->dtype) && !isfinite(y)) return gr__onnx_refuse(c, "there is nothing to fold");
    return gr__onnx_set(c, 0, gr_fill(c->g, gr__onnx_stored(x->dtype), rank, dim, y), x->dtype);
}

/* The product over one axis: halves times each other. */
static gr_value product_over(gr_graph *g, gr_value x, int axis)
{
    for (int64_t n = gr_value_dim(g, x, axis); x && n > 1; n = gr_value_dim(g, x, axis)) {
        int64_t half = n / 2;
        gr_value y = gr_mul(g, gr_slice(g, x, axis, 0, half), gr_slice(g, x, axis, half, half));
        if (n % 2) y = gr_concat(g, (gr_value[]){y, gr_slice(g, x, axis, n - 1, 1)}, 2, axis);
        x = y;
    }
    return x;
}

static gr_value fold(gr_graph *g, gr_value x, uint32_t axes, int rank, gr__onnx_reduction kind)
{
    gr_value most;
    switch (kind) {
    case GR__ONNX_SUM: return gr_sum(g, x, axes, true);
    case GR__ONNX_MEAN: return gr_mean(g, x, axes, true);
    case GR__ONNX_MAX: return gr_max(g, x, axes, true);
    case GR__ONNX_MIN: return gr_neg(g, gr_max(g, gr_neg(g, x), axes, true));
    case GR__ONNX_L1: return gr_sum(g, gr_abs(g, x), axes, true);
    case GR__ONNX_L2: return gr_sqrt(g, gr_sum(g, gr_square(g, x), axes, true));
    case GR__ONNX_SUM_SQUARE: return gr_sum(g, gr_square(g, x), axes, true);
    case GR__ONNX_LOG_SUM: return gr_log(g, gr_sum(g, x, axes, true));
    case GR__ONNX_LOG_SUM_EXP:
        most = gr_max(g, x, axes, true);
        most = gr_where(g, gr_equal(g, gr_sub(g, most, most), gr_scalar(g, gr_value_dtype(g, x), 0)), most,
                        gr_scalar(g, gr_value_dtype(g, x), 0)); /* an infinite one would leave nothing of the others */
        return gr_add(g, most, gr_log(g, gr_sum(g, gr_exp(g, gr_sub(g, x, most)), axes, true)));
    case GR__ONNX_PROD:
        for (int i = 0; i < rank; i++)
            if (axes >> i & 1u) x = product_over(g, x, i);
        return x;
    }
    return 0;
}

gr_status gr__onnx_reduce(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    gr__onnx_reduction kind = (gr__onnx_reduction)c->op->kind;
    int64_t axis[GR_MAX_RANK], dim[GR_MAX_RANK];
    int n, k, rank = 0;
    bool there, keep = gr__onnx_int(c, "keepdims", 1) != 0;
    bool attribute = c->opset < (kind == GR__ONNX_SUM ? 13 : 18);
    uint32_t mask = 0;
    GR_TRY(gr__onnx_list(c, attribute ? -1 : 1, "axes", axis, GR_MAX_RANK, &n, &there));
    if (n == 0 && gr__onnx_int(c, "noop_with_empty_axes", 0)) {
        if (kind == GR__ONNX_SUM || kind == GR__ONNX_MEAN || kind == GR__ONNX_MAX || kind == GR__ONNX_MIN ||
            kind == GR__ONNX_PROD || !x->v)
            return gr__onnx_same(c, 0, x);
        return gr__onnx_refuse(c, "no axes");
    }
    for (int i = 0; i < n; i++) {
        GR_TRY(gr__onnx_axis(c, axis[i], x->rank, &k));
        mask |= 1u << k;
    }
    if (n == 0) mask = (1u << x->rank) - 1;
    if (!x->v) return fold_nothing(c, mask, keep);
    if (!mask) { /* a scalar folds to itself, its square and so on */
        gr_value one = gr_reshape(c->g, x->v, 1, (int64_t[]){1});
        return gr__onnx_set(c, 0, gr_reshape(c->g, fold(c->g, one, 1, 1, kind), 0, NULL), x->dtype);
    }
    for (int i = 0; i < x->rank; i++)
        if (!(mask >> i & 1u) || keep) dim[rank++] = mask >> i & 1u ? 1 : x->dim[i];
    gr_value y = gr_reshape(c->g, fold(c->g, x->v, mask, x->rank, kind), rank, dim);
    if (gr__onnx_is_int(x->dtype)) y = gr__onnx_truncate(c->g, y);
    return gr__onnx_set(c, 0, y, x->dtype);
}

/* A reversed axis makes the last of equals the first. */
static gr_value reversed(gr__onnx_call *c, gr_value x, int axis)
{
    int64_t n = gr_value_dim(c->g, x, axis), *rows = gr__arena_alloc(&c->b->arena, (size_t)(n + 1) * sizeof *rows);
    if (!rows) return gr__graph_fail(c->g, GR_ERR_MEMORY, "out of memory for %lld rows", (long long)n);
    for (int64_t i = 0; i < n; i++) rows[i] = n - 1 - i;
    return gr__onnx_rows(c->g, x, axis, rows, n);
}

gr_status gr__onnx_arg(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int axis;
    bool last = gr__onnx_int(c, "select_last_index", 0) != 0;
    int64_t dim[GR_MAX_RANK];
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", 0), x->rank, &axis));
    gr_value y = gr__onnx_to_end(g, c->op->kind ? gr_neg(g, x->v) : x->v, axis);
    if (last) y = reversed(c, y, x->rank - 1);
    y = gr_cast(g, gr_argmax(g, y), GR_F64);
    if (last) y = gr_affine(g, y, -1, (double)x->dim[axis] - 1);
    if (gr__onnx_int(c, "keepdims", 1)) {
        for (int i = 0; i < x->rank; i++) dim[i] = i == axis ? 1 : x->dim[i];
        y = gr_reshape(g, y, x->rank, dim);
    }
    return gr__onnx_set(c, 0, y, GR_I64);
}

/* One maximum after the other, each then put out of the way. */
gr_status gr__onnx_top_k(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int64_t k = gr__onnx_int(c, "k", 1);
    int axis, n, end = x->rank - 1;
    bool there, largest = gr__onnx_int(c, "largest", 1) != 0;
    if (c->opset >= 10) GR_TRY(gr__onnx_list(c, 1, NULL, &k, 1, &n, &there));
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", -1), x->rank, &axis));
    if (k < 1 || k > x->dim[axis] || k > 256)
        return gr__onnx_refuse(c, "k is %lld; 1 to 256 are possible", (long long)k);
    gr_dtype stored = gr_value_dtype(g, x->v);
    gr_value all = gr__onnx_to_end(g, x->v, axis), rest = largest ? all : gr_neg(g, all), value[256], index[256];
    rest = gr_maximum(
        g, rest, gr_scalar(g, stored, stored == GR_F64 ? -DBL_MAX : -(double)FLT_MAX)); /* -inf is for taken ones */
    GR_TRY(gr_graph_status(g));
    gr__value column = *gr__value_get(g, rest);
    column.dim[end] = 1;
    for (int64_t i = 0; i < k; i++) {
        gr_value at = gr_argmax(g, rest), best = gr_pick(g, all, at);
        gr_value hot = gr_one_hot(g, at, x->dim[axis], GR_F32);
        rest = gr_where(g, hot, gr_scalar(g, stored, -(double)INFINITY), rest);
        value[i] = gr_reshape(g, best, x->rank, column.dim);
        index[i] = gr_reshape(g, gr_cast(g, at, GR_F64), x->rank, column.dim);
    }
    gr_value values = gr__onnx_from_end(g, gr__onnx_concat(g, value, (int)k, end), axis);
    gr_value places = gr__onnx_from_end(g, gr__onnx_concat(g, index, (int)k, end), axis);
    GR_TRY(gr__onnx_set(c, 0, values, x->dtype));
    return gr__onnx_set(c, 1, places, GR_I64);
}

gr_status gr__onnx_softmax(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int axis;
    int64_t before = 1, n = 1;
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", c->opset < 13 ? 1 : -1), x->rank, &axis));
    if (c->opset >= 13) {
        gr_value y = gr__onnx_to_end(g, x->v, axis);
        y = c->op->kind ? gr_log_softmax(g, y) : gr_softmax(g, y);
        return gr__onnx_set(c, 0, gr__onnx_from_end(g, y, axis), x->dtype);
    }
    for (int i = 0; i < x->rank; i++) i < axis ? (before *= x->dim[i]) : (n *= x->dim[i]);
    gr_value y = gr_reshape(g, x->v, 2, (int64_t[]){before, n});
    y = c->op->kind ? gr_log_softmax(g, y) : gr_softmax(g, y);
    return gr__onnx_set(c, 0, gr_reshape(g, y, x->rank, x->dim), x->dtype);
}

/* Moved by 'by' places along the axis, zeros where nothing was. */
static gr_value moved(gr_graph *g, gr_value x, int axis, int64_t by, bool back)
{
    int64_t n = gr_value_dim(g, x, axis), dim[GR_MAX_RANK];
    int rank = gr_value_rank(g, x);
    for (int i = 0; i < rank; i++) dim[i] = i == axis ? GR__MIN(by, n) : gr_value_dim(g, x, i);
    gr_value zeros = gr_fill(g, gr_value_dtype(g, x), rank, dim, 0);
    if (by >= n) return zeros;
    gr_value kept = gr_slice(g, x, axis, back ? by : 0, n - by);
    return gr_concat(g, back ? (gr_value[]){kept, zeros} : (gr_value[]){zeros, kept}, 2, axis);
}

/* Sums of 2, 4, 8 ... neighbours (Hillis and Steele 1986). */
gr_status gr__onnx_cum_sum(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int64_t at = 0;
    int axis, given;
    bool there, reverse = gr__onnx_int(c, "reverse", 0) != 0;
    GR_TRY(gr__onnx_list(c, 1, NULL, &at, 1, &given, &there));
    GR_TRY(gr__onnx_axis(c, at, x->rank, &axis));
    gr_value y = gr__onnx_int(c, "exclusive", 0) ? moved(g, x->v, axis, 1, reverse) : x->v;
    for (int64_t by = 1; by < x->dim[axis]; by *= 2) y = gr_add(g, y, moved(g, y, axis, by, reverse));
    return gr__onnx_set(c, 0, y, x->dtype);
}
