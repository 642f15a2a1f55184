/* min(max(x, low), high); gradient 1 inside, both ends included */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    const gr__map_attr *attr = c->attr;
    GR_FAIL_IF(!(attr->p0 <= attr->p1), GR_ERR_ARGUMENT, "clamp: low %g is above high %g", attr->p0, attr->p1);
    return gr__infer_map(c);
}

static void grad(gr__grad *c)
{
    c->in_grad[0] = gr__map_grad(c->g, &gr__op_clamp_grad, c->node->in[0], c->out_grad[0], c->node->attr);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__map_attr *attr = n->attr;
    gr_dtype dtype = gr_value_dtype(g, n->in[0]);
    gr_value low = gr_scalar(g, dtype, attr->p0), high = gr_scalar(g, dtype, attr->p1);
    *out = gr_minimum(g, gr_maximum(g, n->in[0], low), high);
}

static const gr__map_attr numbers = {&gr__op_clamp, -0.0625, 2}, above = {&gr__op_clamp, -2, 0.0625};
static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .fill = GR__FILL_AWAY}}, .attr = &numbers},
    {.name = "transposed",
     .n_in = 1,
     .in = {{3, {2, 5, 7}, .fill = GR__FILL_AWAY, .swap_a = 1, .swap_b = 2}},
     .attr = &numbers},
    {.name = "from above", .n_in = 1, .in = {{1, {33}, .fill = GR__FILL_AWAY}}, .attr = &above},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .fill = GR__FILL_AWAY}}, .attr = &numbers},
    {.name = "reversed",
     .n_in = 1,
     .in = {{1, {3}}},
     .attr = &(gr__map_attr){&gr__op_clamp, 1, 0},
     .expect = GR_ERR_ARGUMENT},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .attr = &numbers,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_clamp = {
    .name = "clamp",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_CLAMP,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_clamp(gr_graph *g, gr_value x, double low, double high) { return gr__map1(g, &gr__op_clamp, x, low, high); }

/* ---- clamp_grad(x, dy) ---- */

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__map_attr *attr = n->attr;
    gr_value x = n->in[0], zero = gr_scalar(g, gr_value_dtype(g, x), 0);
    gr_value low = gr_scalar(g, gr_value_dtype(g, x), attr->p0), high = gr_scalar(g, gr_value_dtype(g, x), attr->p1);
    gr_value inside = gr_mul(g, gr_greater_equal(g, x, low), gr_greater_equal(g, high, x));
    *out = gr_where(g, inside, n->in[1], zero);
}

static const gr__map_attr grad_numbers = {&gr__op_clamp_grad, -0.0625, 2},
                          grad_above = {&gr__op_clamp_grad, -2, 0.0625};
static const gr__case grad_cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 17}, .fill = GR__FILL_AWAY}, {2, {3, 17}}}, .attr = &grad_numbers},
    {.name = "transposed",
     .n_in = 2,
     .in = {{2, {5, 7}, .fill = GR__FILL_AWAY, .swap_b = 1}, {2, {5, 7}}},
     .attr = &grad_numbers},
    {.name = "from above", .n_in = 2, .in = {{1, {33}, .fill = GR__FILL_AWAY}, {1, {33}}}, .attr = &grad_above},
    {.name = "one", .n_in = 2, .in = {{1, {1}, .fill = GR__FILL_AWAY}, {1, {1}}}, .attr = &grad_numbers},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .attr = &grad_numbers, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_clamp_grad = {
    .name = "clamp_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_CLAMP_GRAD,
    .infer = gr__infer_map,
    .grad = gr__map_grad_again,
    .grad_reads_in = 1,
    .decompose = grad_decompose,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
