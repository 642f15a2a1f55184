#include "op/op.h"

static void grad(gr__grad *c) /* dy/(1 + x*x) */
{
    c->in_grad[0] = gr_div(c->g, c->out_grad[0], gr_affine(c->g, gr_square(c->g, c->node->in[0]), 1, 1));
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = -6, .hi = 6}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .lo = -6, .hi = 6, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = -6, .hi = 6}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_atan = {
    .name = "atan",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_ATAN,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_atan(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_atan, x, 0, 0); }
