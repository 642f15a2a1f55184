/* Operators that work element by element. */
#include "model/onnx_op.h"

#include <math.h>
#include <string.h>

gr_value gr__onnx_less(gr_graph *g, gr_value a, gr_value b) { return gr_greater(g, b, a); }
gr_value gr__onnx_less_equal(gr_graph *g, gr_value a, gr_value b) { return gr_greater_equal(g, b, a); }
gr_value gr__onnx_and(gr_graph *g, gr_value a, gr_value b) { return gr_mul(g, a, b); }
gr_value gr__onnx_or(gr_graph *g, gr_value a, gr_value b) { return gr_maximum(g, a, b); }
gr_value gr__onnx_xor(gr_graph *g, gr_value a, gr_value b) { return gr_abs(g, gr_sub(g, a, b)); }
gr_value gr__onnx_ceil(gr_graph *g, gr_value x) { return gr_neg(g, gr_floor(g, gr_neg(g, x))); }
gr_value gr__onnx_softsign(gr_graph *g, gr_value x) { return gr_div(g, x, gr_affine(g, gr_abs(g, x), 1, 1)); }
gr_value gr__onnx_is_nan(gr_graph *g, gr_value x) { return gr__onnx_not(g, gr_equal(g, x, x)); }
gr_value gr__onnx_mish(gr_graph *g, gr_value x) { return gr_mul(g, x, gr_tanh(g, gr_softplus(g, x))); }
gr_value gr__onnx_tan(gr_graph *g, gr_value x) { return gr_div(g, gr_sin(g, x), gr_cos(g, x)); }
/* In f64: exp(x) of f32 overflows before its half does. */
gr_value gr__onnx_cosh(gr_graph *g, gr_value x)
{
    gr_value w = gr_cast(g, x, GR_F64);
    return gr_cast(g, gr_affine(g, gr_add(g, gr_exp(g, w), gr_exp(g, gr_neg(g, w))), 0.5, 0), gr_value_dtype(g, x));
}
/* tanh*cosh: exp(x) - exp(-x) has no digits left near 0. */
gr_value gr__onnx_sinh(gr_graph *g, gr_value x)
{
    gr_value w = gr_cast(g, x, GR_F64);
    return gr_cast(g, gr_mul(g, gr_tanh(g, w), gr__onnx_cosh(g, w)), gr_value_dtype(g, x));
}

/* Integers of fewer than 53 bits go round at their ends. */
static gr_value wrap(gr_graph *g, gr_value x, gr_dtype t)
{
    double bits = 8 * (double)gr_dtype_size_bytes(t), size = exp2(bits);
    bool is_signed = t == GR_I8 || t == GR_I16 || t == GR_I32;
    if (!gr__onnx_is_int(t) || t == GR_I64 || t == GR_U64) return x;
    double low = is_signed ? -size / 2 : 0;
    gr_value turns = gr_floor(g, gr_affine(g, x, 1 / size, -low / size));
    return gr_sub(g, x, gr_affine(g, turns, size, 0));
}

/* Of integers of 32 bits: the whole product has more digits than f64. a = high*2^16 + low. */
static gr_value product(gr_graph *g, gr_value a, gr_value b, gr_dtype t)
{
    if (t != GR_I32 && t != GR_U32) return gr_mul(g, a, b);
    gr_value high = gr_floor(g, gr_affine(g, a, 0x1p-16, 0)), low = gr_sub(g, a, gr_affine(g, high, 0x1p16, 0));
    return gr_add(g, gr_affine(g, wrap(g, gr_mul(g, high, b), t), 0x1p16, 0), gr_mul(g, low, b));
}

/* Sizes of a and b together when one has no elements: no elements either. */
static gr_status empty_pair(gr__onnx_call *c, gr_dtype dtype)
{
    const gr__onnx_value *a = &c->in[0], *b = &c->in[1];
    int64_t dim[GR_MAX_RANK];
    int rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < rank; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return gr__onnx_invalid(c, "sizes %lld and %lld in axis %d do not broadcast", (long long)da, (long long)db,
                                    i);
        dim[i] = da == 1 ? db : da;
    }
    return gr__onnx_set_empty(c, 0, dtype, rank, dim);
}

gr_status gr__onnx_unary(gr__onnx_call *c)
{
    gr_dtype t = c->in[0].dtype;
    if (!c->in[0].v) return gr__onnx_same(c, 0, &c->in[0]);
    if (c->op->kind == GR_BOOL) t = GR_BOOL;
    return gr__onnx_set(c, 0, wrap(c->g, c->op->map1(c->g, c->in[0].v), t), t);
}

gr_status gr__onnx_smooth(gr__onnx_call *c)
{
    if (!gr__onnx_is_float(c->in[0].dtype))
        return gr__onnx_invalid(c, "its operand is %s, not a float", gr_dtype_name(c->in[0].dtype));
    return gr__onnx_unary(c);
}

/* Both of one dtype. Before opset 7 the second was broadcast only when 'broadcast' said so, from 'axis' on. */
static gr_status pair(gr__onnx_call *c, gr_value *a, gr_value *b)
{
    const gr__onnx_value *x = &c->in[0], *y = &c->in[1];
    if (x->dtype != y->dtype)
        return gr__onnx_invalid(c, "its operands are %s and %s", gr_dtype_name(x->dtype), gr_dtype_name(y->dtype));
    *a = x->v;
    *b = y->v;
    int64_t axis = gr__onnx_int(c, "axis", -1);
    if (c->opset >= 7 || !gr__onnx_int(c, "broadcast", 0) || axis < 0 || axis + y->rank >= x->rank || !*b) return GR_OK;
    int64_t dim[GR_MAX_RANK];
    for (int i = 0; i < x->rank - (int)axis; i++) dim[i] = i < y->rank ? y->dim[i] : 1;
    *b = gr_reshape(c->g, *b, x->rank - (int)axis, dim);
    return GR_OK;
}

gr_status gr__onnx_binary(gr__onnx_call *c)
{
    gr_value a, b;
    GR_TRY(pair(c, &a, &b));
    if (!a || !b) return empty_pair(c, c->in[0].dtype);
    gr_dtype t = c->in[0].dtype;
    gr_value y = c->op->map2 == gr_mul ? product(c->g, a, b, t) : c->op->map2(c->g, a, b);
    return gr__onnx_set(c, 0, wrap(c->g, y, t), t);
}

gr_status gr__onnx_compare(gr__onnx_call *c)
{
    gr_value a, b;
    GR_TRY(pair(c, &a, &b));
    if (!a || !b) return empty_pair(c, GR_BOOL);
    return gr__onnx_set(c, 0, c->op->map2(c->g, a, b), GR_BOOL);
}

gr_status gr__onnx_logic(gr__onnx_call *c)
{
    if (c->in[0].dtype != GR_BOOL) return gr__onnx_invalid(c, "its operands are not bool");
    return gr__onnx_compare(c);
}

gr_status gr__onnx_fold(gr__onnx_call *c)
{
    gr_value y = c->in[0].v;
    for (int i = 1; i < c->n_in; i++) {
        if (c->in[i].dtype != c->in[0].dtype) return gr__onnx_invalid(c, "its operands differ in dtype");
        y = c->op->map2(c->g, y, c->in[i].v);
    }
    if (c->op->kind == 1) y = gr_affine(c->g, y, 1.0 / c->n_in, 0);
    return gr__onnx_set(c, 0, wrap(c->g, y, c->in[0].dtype), c->in[0].dtype);
}

gr_status gr__onnx_div(gr__onnx_call *c)
{
    gr_value a, b;
    GR_TRY(pair(c, &a, &b));
    if (!a || !b) return empty_pair(c, c->in[0].dtype);
    gr_value y = gr_div(c->g, a, b);
    if (gr__onnx_is_int(c->in[0].dtype)) y = gr__onnx_truncate(c->g, y);
    return gr__onnx_set(c, 0, y, c->in[0].dtype);
}

gr_status gr__onnx_pow(gr__onnx_call *c)
{
    gr_dtype t = c->in[0].dtype, wide = gr__onnx_stored(t);
    gr_value y = gr_pow(c->g, c->in[0].v, gr_cast(c->g, c->in[1].v, wide));
    if (gr__onnx_is_int(t)) y = wrap(c->g, gr__onnx_truncate(c->g, gr_cast(c->g, y, GR_F64)), t);
    return gr__onnx_set(c, 0, y, t);
}

/* a - b*trunc(a/b) in f64; a quotient that was rounded over a whole number is one step off. */
static gr_value float_mod(gr_graph *g, gr_value a, gr_value b)
{
    gr_value x = gr_cast(g, a, GR_F64), y = gr_abs(g, gr_cast(g, b, GR_F64)), none = gr_scalar(g, GR_F64, 0);
    gr_value size = gr_abs(g, x), q = gr_floor(g, gr_div(g, size, y));
    gr_value r = gr_where(g, gr_greater(g, y, size), size, gr_sub(g, size, gr_mul(g, q, y)));
    r = gr_where(g, gr_greater(g, none, r), gr_add(g, r, y), r);
    r = gr_where(g, gr_greater_equal(g, r, y), gr_sub(g, r, y), r);
    return gr_cast(g, gr_mul(g, gr_sign(g, x), r), gr_value_dtype(g, a));
}

/* Of integers the sign is that of b, with fmod that of a. */
gr_status gr__onnx_mod(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_value a, b;
    GR_TRY(pair(c, &a, &b));
    if (!a || !b) return empty_pair(c, c->in[0].dtype);
    bool fmod = gr__onnx_int(c, "fmod", 0) != 0;
    if (fmod && gr__onnx_is_float(c->in[0].dtype)) return gr__onnx_set(c, 0, float_mod(g, a, b), c->in[0].dtype);
    gr_value q = gr_div(g, a, b);
    q = fmod ? gr__onnx_truncate(g, q) : gr_floor(g, q);
    return gr__onnx_set(c, 0, gr_sub(g, a, gr_mul(g, q, b)), c->in[0].dtype);
}

gr_status gr__onnx_where(gr__onnx_call *c)
{
    if (c->in[0].dtype != GR_BOOL) return gr__onnx_invalid(c, "its condition is %s", gr_dtype_name(c->in[0].dtype));
    if (c->in[1].dtype != c->in[2].dtype) return gr__onnx_invalid(c, "its branches differ in dtype");
    return gr__onnx_set(c, 0, gr_where(c->g, c->in[0].v, c->in[1].v, c->in[2].v), c->in[1].dtype);
}

gr_status gr__onnx_clip(gr__onnx_call *c)
{
    gr_value y = c->in[0].v;
    const gr__onnx_attribute *low = gr__onnx_attr(c, "min"), *high = gr__onnx_attr(c, "max");
    if (!y) return gr__onnx_same(c, 0, &c->in[0]);
    if (c->opset < 11) y = gr_clamp(c->g, y, low ? (double)low->f : -INFINITY, high ? (double)high->f : INFINITY);
    if (gr__onnx_has(c, 1)) y = gr_maximum(c->g, y, c->in[1].v);
    if (gr__onnx_has(c, 2)) y = gr_minimum(c->g, y, c->in[2].v);
    return gr__onnx_set(c, 0, y, c->in[0].dtype);
}

/* Before opset 7 a slope of one axis is that of the channels. */
gr_status gr__onnx_prelu(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_value x = c->in[0].v, slope = c->in[1].v;
    int64_t dim[GR_MAX_RANK];
    if (c->opset < 7 && c->in[1].rank == 1 && c->in[0].rank > 2) {
        for (int i = 0; i < c->in[0].rank - 1; i++) dim[i] = i ? 1 : c->in[1].dim[0];
        slope = gr_reshape(g, slope, c->in[0].rank - 1, dim);
    }
    gr_value below = gr_greater(g, gr_scalar(g, gr_value_dtype(g, x), 0), x);
    return gr__onnx_set(c, 0, gr_where(g, below, gr_mul(g, slope, x), x), c->in[0].dtype);
}

gr_status gr__onnx_activate(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_value x = c->in[0].v, y = 0;
    gr_dtype stored = gr__onnx_stored(c->in[0].dtype);
    double alpha, gamma;
    if (!gr__onnx_is_float(c->in[0].dtype)) return gr__onnx_invalid(c, "its operand is not a float");
    switch ((gr__onnx_activation)c->op->kind) {
    case GR__ONNX_LEAKY_RELU: y = gr_leaky_relu(g, x, gr__onnx_float(c, "alpha", 0.01F)); break;
    case GR__ONNX_ELU: y = gr_elu(g, x, gr__onnx_float(c, "alpha", 1)); break;
    case GR__ONNX_SELU:
        alpha = gr__onnx_float(c, "alpha", c->opset < 6 ? 1.6732 : 1.67326319217681884765625);
        gamma = gr__onnx_float(c, "gamma", c->opset < 6 ? 1.0507 : 1.05070102214813232421875);
        y = gr_affine(g, gr_elu(g, x, alpha), gamma, 0);
        break;
    case GR__ONNX_GELU:
        y = strcmp(gr__onnx_word(c, "approximate", "none"), "tanh") == 0 ? gr_gelu_tanh(g, x) : gr_gelu(g, x);
        break;
    case GR__ONNX_THRESHOLDED:
        alpha = gr__onnx_float(c, "alpha", 1);
        y = gr_where(g, gr_greater(g, x, gr_scalar(g, stored, alpha)), x, gr_scalar(g, stored, 0));
        break;
    case GR__ONNX_HARD_SIGMOID:
        y = gr_clamp(g, gr_affine(g, x, gr__onnx_float(c, "alpha", 0.2F), gr__onnx_float(c, "beta", 0.5)), 0, 1);
        break;
    case GR__ONNX_HARD_SWISH: y = gr_mul(g, x, gr_clamp(g, gr_affine(g, x, 1.0 / 6, 0.5), 0, 1)); break;
    case GR__ONNX_CELU:
        alpha = gr__onnx_float(c, "alpha", 1);
        y = gr_affine(g, gr_elu(g, gr_affine(g, x, 1 / alpha, 0), 1), alpha, 0);
        break;
    case GR__ONNX_SWISH: y = gr_mul(g, x, gr_sigmoid(g, gr_affine(g, x, gr__onnx_float(c, "alpha", 1), 0))); break;
    case GR__ONNX_SHRINK:
        alpha = gr__onnx_float(c, "lambd", 0.5);
        gamma = gr__onnx_float(c, "bias", 0);
        y = gr_add(g,
                   gr_where(g, gr_greater(g, x, gr_scalar(g, stored, alpha)), gr_affine(g, x, 1, -gamma),
                            gr_scalar(g, stored, 0)),
                   gr_where(g, gr_greater(g, gr_scalar(g, stored, -alpha), x), gr_affine(g, x, 1, gamma),
                            gr_scalar(g, stored, 0)));
        break;
    }
    return gr__onnx_set(c, 0, y, c->in[0].dtype);
}

/* ---- dtypes ---- */

/* kind 1: CastLike */
gr_status gr__onnx_cast(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_value x = c->in[0].v;
    gr_dtype from = c->in[0].dtype, to;
    const gr__onnx_attribute *a = gr__onnx_attr(c, "to");
    if (c->op->kind == 1)
        to = c->in[1].dtype;
    else {
        if (!a) return gr__onnx_invalid(c, "'to' is missing");
        if (a->kind == GR__ONNX_STRING) return gr__onnx_refuse(c, "'to' is a text, as before opset 6");
        to = gr__onnx_dtype(a->i);
        if (!to) return gr__onnx_refuse(c, "the type %s is not supported", gr__onnx_type_name(a->i));
    }
    if (!x) return gr__onnx_set_empty(c, 0, to, c->in[0].rank, c->in[0].dim);
    if (to == from) return gr__onnx_same(c, 0, &c->in[0]);
    if (to == GR_BOOL)
        x = gr__onnx_not(g, gr_equal(g, x, gr_scalar(g, gr_value_dtype(g, x), 0)));
    else if (to == GR_F16 || to == GR_BF16)
        x = gr_cast(g, x, to);
    else if (to == GR_F32 && from == GR_F64)
        x = gr_cast(g, x, GR_F32);
    else if (gr__onnx_is_int(to)) {
        x = gr_cast(g, x, GR_F64);
        if (gr__onnx_is_float(from)) x = gr__onnx_truncate(g, x);
        x = wrap(g, x, to);
    }
    return gr__onnx_set(c, 0, x, to);
}

/* A scale of one axis lies along 'axis'; blocks are refused. */
static gr_status along(gr__onnx_call *c, int i, gr_value *out)
{
    const gr__onnx_value *x = &c->in[0], *s = &c->in[i];
    int axis;
    int64_t dim[GR_MAX_RANK];
    *out = s->v;
    if (gr__onnx_int(c, "block_size", 0)) return gr__onnx_refuse(c, "blocks are not supported");
    if (s->rank == 0 || gr__onnx_count(s) == 1) {
        *out = gr_reshape(c->g, *out, 0, NULL);
        return GR_OK;
    }
    if (s->rank != 1) return gr__onnx_refuse(c, "a scale with %d axes", s->rank);
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", 1), x->rank, &axis));
    for (int k = axis; k < x->rank; k++) dim[k - axis] = k == axis ? s->dim[0] : 1;
    *out = gr_reshape(c->g, *out, x->rank - axis, dim);
    return GR_OK;
}

gr_status gr__onnx_quantize(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_dtype to = gr__onnx_has(c, 2) ? c->in[2].dtype : GR_U8;
    const gr__onnx_attribute *a = gr__onnx_attr(c, "output_dtype");
    gr_value scale, zero;
    if (!gr__onnx_has(c, 2) && a && a->i) to = gr__onnx_dtype(a->i);
    double bits = 8 * (double)gr_dtype_size_bytes(to), low = to == GR_I8 || to == GR_I16 ? -exp2(bits - 1) : 0;
    if (to != GR_U8 && to != GR_I8 && to != GR_U16 && to != GR_I16)
        return gr__onnx_refuse(c, "quantised to %s", gr_dtype_name(to));
    GR_TRY(along(c, 1, &scale));
    gr_value y = gr_cast(g, gr_round(g, gr_div(g, c->in[0].v, scale)), GR_F64);
    if (gr__onnx_has(c, 2)) {
        GR_TRY(along(c, 2, &zero));
        y = gr_add(g, y, zero);
    }
    return gr__onnx_set(c, 0, gr_clamp(g, y, low, low + exp2(bits) - 1), to);
}

gr_status gr__onnx_dequantize(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    gr_value scale, zero, x = c->in[0].v;
    GR_TRY(along(c, 1, &scale));
    if (gr__onnx_has(c, 2)) {
        GR_TRY(along(c, 2, &zero));
        x = gr_sub(g, x, zero);
    }
    gr_dtype t = c->in[1].dtype;
    return gr__onnx_set(c, 0, gr_mul(g, gr_cast(g, x, gr__onnx_stored(t)), scale), t);
}

/* Inference. */
gr_status gr__onnx_dropout(gr__onnx_call *c)
{
    double training = 0, ratio = 0.5;
    if (gr__onnx_has(c, 2)) GR_TRY(gr__onnx_number(c, 2, &training));
    if (gr__onnx_has(c, 1)) GR_TRY(gr__onnx_number(c, 1, &ratio));
    if (training != 0 && ratio != 0) return gr__onnx_refuse(c, "training mode is random");
    GR_TRY(gr__onnx_same(c, 0, &c->in[0]));
    return gr__onnx_set(c, 1, gr_fill(c->g, GR_F32, c->in[0].rank, c->in[0].dim, 1), GR_BOOL);
}
