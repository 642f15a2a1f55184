#include "op/op.h"

static void grad(gr__grad *c)
{
    gr_value a = c->node->in[0], b = c->node->in[1], d = c->out_grad[0];
    if (c->need[0]) c->in_grad[0] = gr__unbroadcast(c->g, gr_mul(c->g, d, b), a);
    if (c->need[1]) c->in_grad[1] = gr__unbroadcast(c->g, gr_mul(c->g, d, a), b);
}

static const gr__case cases[] = {
    {.name = "same", .n_in = 2, .in = {{2, {3, 5}}, {2, {3, 5}}}},
    {.name = "row", .n_in = 2, .in = {{3, {2, 3, 17}}, {1, {17}}}},
    {.name = "column", .n_in = 2, .in = {{2, {4, 1}}, {2, {1, 6}}}},
    {.name = "scalar", .n_in = 2, .in = {{0}, {2, {2, 33}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, .swap_b = 1}, {2, {7, 5}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_mul = {
    .name = "mul",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_MUL,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 3,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_mul(gr_graph *g, gr_value a, gr_value b) { return gr__map2(g, &gr__op_mul, a, b); }
