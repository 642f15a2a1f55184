/* condition != 0 ? a : b. The condition is a float, u8 or bool and gets no gradient. */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    gr_dtype t = c->in[0]->dtype;
    GR_FAIL_IF(!gr__is_float(t) && t != GR_U8 && t != GR_BOOL, GR_ERR_DTYPE,
               "where: the condition is %s, not a float, u8 or bool", gr_dtype_name(t));
    gr__value *out = &c->out[0], both = *c->in[1];
    GR_TRY(gr__want_float(c, 1));
    GR_TRY(gr__want_float(c, 2));
    GR_TRY(gr__broadcast("where", c->in[1], c->in[2], &both.rank, both.dim));
    GR_TRY(gr__broadcast("where", c->in[0], &both, &out->rank, out->dim));
    out->dtype = gr__wider(c->in[1]->dtype, c->in[2]->dtype);
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value condition = c->node->in[0], d = c->out_grad[0], zero = gr_scalar(g, gr_value_dtype(g, d), 0);
    if (c->need[1]) c->in_grad[1] = gr__unbroadcast(g, gr_where(g, condition, d, zero), c->node->in[1]);
    if (c->need[2]) c->in_grad[2] = gr__unbroadcast(g, gr_where(g, condition, zero, d), c->node->in[2]);
}

static const gr__case cases[] = {
    {.name = "same", .n_in = 3, .in = {{2, {3, 5}, .fill = GR__FILL_MASK}, {2, {3, 5}}, {2, {3, 5}}}, .no_grad_in = 1},
    {.name = "u8", .n_in = 3, .in = {{2, {3, 17}, .fill = GR__FILL_MASK, .dtype = GR_U8}, {1, {17}}, {2, {3, 1}}}},
    {.name = "bool", .n_in = 3, .in = {{1, {6}, .fill = GR__FILL_MASK, .dtype = GR_BOOL}, {0}, {2, {2, 1}}}},
    {.name = "transposed",
     .n_in = 3,
     .in = {{2, {5, 7}, .fill = GR__FILL_MASK, .swap_b = 1}, {2, {5, 7}, .swap_b = 1}, {2, {5, 7}}},
     .no_grad_in = 1},
    {.name = "misfit", .n_in = 3, .in = {{1, {3}}, {1, {4}}, {0}}, .expect = GR_ERR_SHAPE},
    {.name = "index", .n_in = 3, .in = {{1, {3}, .dtype = GR_I64}, {1, {3}}, {0}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_where = {
    .name = "where",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_WHERE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1,
    .reference = gr__reference_map,
    .alias = {2},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_where(gr_graph *g, gr_value condition, gr_value a, gr_value b)
{
    return gr__map3(g, &gr__op_where, condition, a, b);
}
