/* x/2*(1 + tanh(u)), u = sqrt(2/pi)*(x + 0.044715*x^3): the approximation of GPT-2. */
#include "op/op.h"

#define SCALE 0.79788456080286535588 /* sqrt(2/pi) */
#define CUBIC 0.044715

static gr_value tanh_of(gr_graph *g, gr_value x)
{
    return gr_tanh(g, gr_mul(g, x, gr_affine(g, gr_square(g, x), SCALE * CUBIC, SCALE)));
}

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_gelu_tanh_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_mul(g, gr_affine(g, n->in[0], 0.5, 0), gr_affine(g, tanh_of(g, n->in[0]), 1, 1));
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

const gr__op gr__op_gelu_tanh = {
    .name = "gelu_tanh",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_GELU_TANH,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_gelu_tanh(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_gelu_tanh, x, 0, 0); }

/* ---- gelu_tanh_grad(x, dy) ---- */

static void grad_grad(gr__grad *c)
{
    gr_value d = c->out_grad[0];
    gr__map_grad_again(c);
    if (!c->need[0]) return;
    /* (1 - t^2)*(u' - x*t*u'^2 + x*u''/2), t = tanh(u) */
    gr_graph *g = c->g;
    gr_value x = c->node->in[0], square = gr_square(g, x), t = tanh_of(g, x);
    gr_value du = gr_affine(g, square, 3 * SCALE * CUBIC, SCALE);
    gr_value half_ddu = gr_affine(g, x, 3 * SCALE * CUBIC, 0);
    gr_value inner = gr_mul(g, x, gr_sub(g, half_ddu, gr_mul(g, t, gr_square(g, du))));
    gr_value second = gr_mul(g, gr_affine(g, gr_square(g, t), -1, 1), gr_add(g, du, inner));
    c->in_grad[0] = gr_mul(g, gr_mul(g, d, c->node->in[1]), second);
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0], t = tanh_of(g, x), du = gr_affine(g, gr_square(g, x), 3 * SCALE * CUBIC, SCALE);
    gr_value tail = gr_mul(g, gr_mul(g, x, du), gr_affine(g, gr_square(g, t), -0.5, 0.5));
    *out = gr_mul(g, n->in[1], gr_add(g, gr_affine(g, t, 0.5, 0.5), tail));
}

static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .lo = -4, .hi = 4}, {2, {3, 17}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {5, 7}, .lo = -4, .hi = 4, .swap_b = 1}, {2, {5, 7}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .lo = -4, .hi = 4}, {1, {1}}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_gelu_tanh_grad = {
    .name = "gelu_tanh_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_GELU_TANH_GRAD,
    .infer = gr__infer_map,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
