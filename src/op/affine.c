/* x*scale + shift */
#include "op/op.h"

static void grad(gr__grad *c)
{
    const gr__map_attr *attr = c->node->attr;
    c->in_grad[0] = gr_affine(c->g, c->out_grad[0], attr->p0, 0);
}

static const gr__map_attr numbers = {&gr__op_affine, -1.25, 0.5};
static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}}}, .attr = &numbers},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .swap_a = 1, .swap_b = 2}}, .attr = &numbers},
    {.name = "one", .n_in = 1, .in = {{0}}, .attr = &numbers},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .attr = &numbers,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_affine = {
    .name = "affine",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_AFFINE,
    .infer = gr__infer_map,
    .grad = grad,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_affine(gr_graph *g, gr_value x, double scale, double shift)
{
    if (scale == 1 && shift == 0) return x;
    return gr__map1(g, &gr__op_affine, x, scale, shift);
}
