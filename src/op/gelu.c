/* x*Phi(x) with the normal distribution function by erf (Hendrycks and Gimpel 2016). */
#include "op/op.h"

#define INV_SQRT_2 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_gelu_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0], cdf = gr_affine(g, gr_erf(g, gr_affine(g, x, INV_SQRT_2, 0)), 0.5, 0.5);
    *out = gr_mul(g, x, cdf);
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = -4, .hi = 4}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .lo = -4, .hi = 4, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = -4, .hi = 4}}},
    {.name = "far", .n_in = 1, .in = {{1, {37}, .lo = -12, .hi = 12}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_gelu = {
    .name = "gelu",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_GELU,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_gelu(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_gelu, x, 0, 0); }

/* ---- gelu_grad(x, dy) ---- */

static void grad_grad(gr__grad *c)
{
    gr_value d = c->out_grad[0];
    gr__map_grad_again(c);
    if (!c->need[0]) return;
    gr_graph *g = c->g;
    gr_value square = gr_square(g, c->node->in[0]); /* phi(x)*(2 - x^2) */
    gr_value pdf = gr_affine(g, gr_exp(g, gr_affine(g, square, -0.5, 0)), INV_SQRT_2PI, 0);
    gr_value both = gr_mul(g, d, c->node->in[1]);
    c->in_grad[0] = gr_mul(g, both, gr_mul(g, pdf, gr_affine(g, square, -1, 2)));
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0], cdf = gr_affine(g, gr_erf(g, gr_affine(g, x, INV_SQRT_2, 0)), 0.5, 0.5);
    gr_value pdf = gr_affine(g, gr_exp(g, gr_affine(g, gr_square(g, x), -0.5, 0)), INV_SQRT_2PI, 0);
    *out = gr_mul(g, n->in[1], gr_add(g, cdf, gr_mul(g, x, pdf)));
}

static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .lo = -4, .hi = 4}, {2, {3, 17}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {5, 7}, .lo = -4, .hi = 4, .swap_b = 1}, {2, {5, 7}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .lo = -4, .hi = 4}, {1, {1}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_gelu_grad = {
    .name = "gelu_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_GELU_GRAD,
    .infer = gr__infer_map,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
