#include "op/op.h"

static void grad(gr__grad *c) { c->in_grad[0] = gr_affine(c->g, gr_mul(c->g, c->out_grad[0], c->node->in[0]), 2, 0); }

static void decompose(gr_graph *g, const gr__node *n, gr_value *out) { *out = gr_mul(g, n->in[0], n->in[0]); }

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_square = {
    .name = "square",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_SQUARE,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_square(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_square, x, 0, 0); }
