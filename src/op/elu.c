/* x > 0 ? x : alpha*(exp(x) - 1) (Clevert et al. 2016) */
#include "op/op.h"

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_elu_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    double alpha = ((const gr__map_attr *)n->attr)->p0;
    gr_value x = n->in[0], zero = gr_scalar(g, gr_value_dtype(g, x), 0);
    *out = gr_where(g, gr_greater(g, x, zero), x, gr_affine(g, gr_exp(g, gr_minimum(g, x, zero)), alpha, -alpha));
}

static const gr__map_attr numbers = {&gr__op_elu, 0.75, 0};
static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .fill = GR__FILL_AWAY}}, .attr = &numbers},
    {.name = "transposed",
     .n_in = 1,
     .in = {{3, {2, 5, 7}, .fill = GR__FILL_AWAY, .swap_a = 1, .swap_b = 2}},
     .attr = &numbers},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .fill = GR__FILL_AWAY}}, .attr = &numbers},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .attr = &numbers,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_elu = {
    .name = "elu",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_ELU,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_elu(gr_graph *g, gr_value x, double alpha) { return gr__map1(g, &gr__op_elu, x, alpha, 0); }

/* ---- elu_grad(x, dy) ---- */

static void grad_grad(gr__grad *c)
{
    gr_value d = c->out_grad[0];
    gr__map_grad_again(c);
    if (!c->need[0]) return;
    gr_graph *g = c->g;
    gr_value x = c->node->in[0], zero = gr_scalar(g, gr_value_dtype(g, x), 0);
    gr_value bend = gr_affine(g, gr_exp(g, gr_minimum(g, x, zero)), ((const gr__map_attr *)c->node->attr)->p0, 0);
    gr_value both = gr_mul(g, d, c->node->in[1]);
    c->in_grad[0] = gr_where(g, gr_greater(g, x, zero), zero, gr_mul(g, both, bend));
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0], dy = n->in[1], zero = gr_scalar(g, gr_value_dtype(g, x), 0);
    gr_value slope = gr_affine(g, gr_exp(g, gr_minimum(g, x, zero)), ((const gr__map_attr *)n->attr)->p0, 0);
    *out = gr_where(g, gr_greater(g, x, zero), dy, gr_mul(g, dy, slope));
}

static const gr__map_attr grad_numbers = {&gr__op_elu_grad, 0.75, 0};
static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .fill = GR__FILL_AWAY}, {2, {3, 17}}}, .attr = &grad_numbers},
    {.name = "transposed",
     .n_in = 2,
     .in = {{2, {5, 7}, .fill = GR__FILL_AWAY, .swap_b = 1}, {2, {5, 7}}},
     .attr = &grad_numbers},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .fill = GR__FILL_AWAY}, {1, {1}}}, .attr = &grad_numbers},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .attr = &grad_numbers, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_elu_grad = {
    .name = "elu_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_ELU_GRAD,
    .infer = gr__infer_map,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
