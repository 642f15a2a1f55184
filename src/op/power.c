/* x to a constant power */
#include "op/op.h"

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    double p = ((const gr__map_attr *)c->node->attr)->p0;
    if (p == 0) return; /* 1 everywhere */
    c->in_grad[0] = gr_mul(g, c->out_grad[0], gr_affine(g, gr_power(g, c->node->in[0], p - 1), p, 0));
}

static const gr__map_attr numbers = {&gr__op_power, 2.5, 0};
static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = 0.2, .hi = 2.5}}, .attr = &numbers},
    {.name = "transposed",
     .n_in = 1,
     .in = {{3, {2, 5, 7}, .lo = 0.2, .hi = 2.5, .swap_a = 1, .swap_b = 2}},
     .attr = &numbers},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = 0.2, .hi = 2.5}}, .attr = &numbers},
    {.name = "cube of any sign",
     .n_in = 1,
     .in = {{1, {17}, .fill = GR__FILL_AWAY}},
     .attr = &(gr__map_attr){&gr__op_power, 3, 0}},
    {.name = "inverse",
     .n_in = 1,
     .in = {{1, {9}, .fill = GR__FILL_AWAY}},
     .attr = &(gr__map_attr){&gr__op_power, -1, 0}},
    {.name = "zeroth", .n_in = 1, .in = {{1, {9}}}, .attr = &(gr__map_attr){&gr__op_power, 0, 0}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .attr = &numbers,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_power = {
    .name = "power",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_POW_C,
    .autocast = GR__CAST_F32,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_power(gr_graph *g, gr_value x, double exponent)
{
    if (exponent == 1) return gr__require(g, "power", x);
    if (exponent == 2) return gr_square(g, x);
    return gr__map1(g, &gr__op_power, x, exponent, 0);
}
