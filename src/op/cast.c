/* Another dtype: floats round to nearest even, towards an integer the fraction is cut off and the value clamped. */
#include "op/attr.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    const gr__cast_attr *a = c->attr;
    GR_FAIL_IF(a->dtype <= GR_DTYPE_NONE || a->dtype >= GR_DTYPE_COUNT, GR_ERR_DTYPE, "cast: %d is not a dtype",
               (int)a->dtype);
    c->out[0] = *c->in[0];
    c->out[0].dtype = a->dtype;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    if (gr__is_float(gr_value_dtype(c->g, c->node->out[0])))
        c->in_grad[0] = gr_cast(c->g, c->out_grad[0], gr_value_dtype(c->g, c->node->in[0]));
}

static bool fractional(gr_dtype t) { return gr__is_float(t) || t == GR_F16; }

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    bool cut = fractional(x->dtype) && !fractional(y->dtype) && y->dtype != GR_BOOL;
    int64_t index[GR_MAX_RANK] = {0};
    do {
        int64_t to = gr__offset(y, index), from = gr__offset(x, index);
        if (x->dtype == GR_I64 && y->dtype == GR_I64)
            ((int64_t *)y->data)[to] = gr__load_int(x, from);
        else
            gr__store(y, to, cut ? trunc(gr__load(x, from)) : gr__load(x, from));
    } while (gr__next_index(y->rank, y->dim, index));
    return GR_OK;
}

static const gr__cast_attr to_f32 = {GR_F32}, to_f64 = {GR_F64}, to_bf16 = {GR_BF16}, to_i32 = {GR_I32},
                           to_i16 = {GR_I16}, to_f16 = {GR_F16}, nothing = {0};
static const gr__case cases[] = {
    {.name = "f64", .n_in = 1, .in = {{2, {3, 19}}}, .attr = &to_f64},
    {.name = "f32", .n_in = 1, .in = {{2, {3, 19}}}, .attr = &to_f32, .no_grad_in = 1},
    {.name = "bf16", .n_in = 1, .in = {{2, {5, 7}, .swap_b = 1}}, .attr = &to_bf16, .no_grad_in = 1},
    {.name = "to integer", .n_in = 1, .in = {{1, {33}, .lo = -9, .hi = 9}}, .attr = &to_i32, .no_grad_in = 1},
    {.name = "to a small integer", .n_in = 1, .in = {{1, {33}, .lo = -9, .hi = 9}}, .attr = &to_i16, .no_grad_in = 1},
    {.name = "to f16", .n_in = 1, .in = {{1, {33}, .lo = -9, .hi = 9}}, .attr = &to_f16, .no_grad_in = 1},
    {.name = "from integer",
     .n_in = 1,
     .in = {{1, {5}, .fill = GR__FILL_INDEX, .hi = 9, .dtype = GR_I32}},
     .attr = &to_f32},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &to_f32, .no_grad_in = 1},
    {.name = "no dtype", .n_in = 1, .in = {{1, {3}}}, .attr = &nothing, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_cast = {
    .name = "cast",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__cast_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_COPY,
    .infer = infer,
    .grad = grad,
    .reference = reference,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_cast(gr_graph *g, gr_value x, gr_dtype dtype)
{
    if (gr__is_value(g, x) && gr_value_dtype(g, x) == dtype) return x;
    return gr__node_add(g, &gr__op_cast, &x, 1, &(gr__cast_attr){dtype}, NULL);
}
