/* log(1 + exp(x)); its gradient is sigmoid(x). */
#include "op/op.h"

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_softplus_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_log(g, gr_affine(g, gr_exp(g, n->in[0]), 1, 1));
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = -4, .hi = 4}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .lo = -4, .hi = 4, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = -4, .hi = 4}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_softplus = {
    .name = "softplus",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_SOFTPLUS,
    .autocast = GR__CAST_F32,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_softplus(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_softplus, x, 0, 0); }

/* ---- softplus_grad(x, dy) ---- */

static void grad_grad(gr__grad *c)
{
    gr_value d = c->out_grad[0];
    gr__map_grad_again(c);
    if (!c->need[0]) return;
    gr_graph *g = c->g; /* s*(1 - s), s = sigmoid(x) */
    gr_value s = gr_sigmoid(g, c->node->in[0]), both = gr_mul(g, d, c->node->in[1]);
    c->in_grad[0] = gr_mul(g, both, gr_mul(g, s, gr_affine(g, s, -1, 1)));
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_mul(g, n->in[1], gr_sigmoid(g, n->in[0]));
}

static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .lo = -4, .hi = 4}, {2, {3, 17}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {5, 7}, .lo = -4, .hi = 4, .swap_b = 1}, {2, {5, 7}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .lo = -4, .hi = 4}, {1, {1}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_softplus_grad = {
    .name = "softplus_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_SOFTPLUS_GRAD,
    .infer = gr__infer_map,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
