/* The error function; its gradient is 2/sqrt(pi)*exp(-x^2). */
#include "op/op.h"

#define TWO_OVER_SQRT_PI 1.12837916709551257390

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_erf_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = -3, .hi = 3}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .lo = -3, .hi = 3, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = -3, .hi = 3}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_erf = {
    .name = "erf",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_ERF,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_erf(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_erf, x, 0, 0); }

/* ---- erf_grad(x, dy) ---- */

static void grad_grad(gr__grad *c)
{
    gr_value d = c->out_grad[0];
    gr__map_grad_again(c);
    if (!c->need[0]) return;
    gr_value both = gr_mul(c->g, d, c->node->in[1]);
    gr_value slope = gr__map_grad(c->g, &gr__op_erf_grad, c->node->in[0], both, c->node->attr);
    c->in_grad[0] = gr_affine(c->g, gr_mul(c->g, c->node->in[0], slope), -2, 0);
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_mul(g, n->in[1], gr_affine(g, gr_exp(g, gr_neg(g, gr_square(g, n->in[0]))), TWO_OVER_SQRT_PI, 0));
}

static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .lo = -3, .hi = 3}, {2, {3, 17}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {5, 7}, .lo = -3, .hi = 3, .swap_b = 1}, {2, {5, 7}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .lo = -3, .hi = 3}, {1, {1}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_erf_grad = {
    .name = "erf_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_ERF_GRAD,
    .infer = gr__infer_map,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
