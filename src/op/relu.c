/* max(x, 0); the gradient reads the result, so that x need not be kept */
#include "op/op.h"

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_relu_grad, c->node->out[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_maximum(g, gr_scalar(g, gr_value_dtype(g, n->in[0]), 0), n->in[0]);
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .fill = GR__FILL_AWAY}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .fill = GR__FILL_AWAY, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .fill = GR__FILL_AWAY}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_relu = {
    .name = "relu",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_RELU,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_out = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_relu(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_relu, x, 0, 0); }

/* ---- relu_grad(y, dy) ---- */

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value zero = gr_scalar(g, gr_value_dtype(g, n->in[0]), 0);
    *out = gr_where(g, gr_greater(g, n->in[0], zero), n->in[1], zero);
}

static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .fill = GR__FILL_AWAY}, {2, {3, 17}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {5, 7}, .fill = GR__FILL_AWAY, .swap_b = 1}, {2, {5, 7}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .fill = GR__FILL_AWAY}, {1, {1}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_relu_grad = {
    .name = "relu_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_RELU_GRAD,
    .infer = gr__infer_map,
    .grad = gr__map_grad_again,
    .grad_reads_in = 1,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
