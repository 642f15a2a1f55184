/* a^b, both of them arrays; for a < 0 only whole b have a result (power.c: a constant exponent). */
#include "op/op.h"

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value a = c->node->in[0], b = c->node->in[1], d = c->out_grad[0];
    if (c->need[0]) {
        gr_value slope = gr_mul(g, b, gr_pow(g, a, gr_affine(g, b, 1, -1)));
        c->in_grad[0] = gr__unbroadcast(g, gr_mul(g, d, slope), a);
    }
    if (c->need[1]) c->in_grad[1] = gr__unbroadcast(g, gr_mul(g, d, gr_mul(g, c->node->out[0], gr_log(g, a))), b);
}

#define BASE .lo = 0.5, .hi = 2
#define EXPONENT .lo = -2, .hi = 2
static const gr__case cases[] = {
    {.name = "same", .n_in = 2, .in = {{2, {3, 5}, BASE}, {2, {3, 5}, EXPONENT}}, .tolerance = 4},
    {.name = "row", .n_in = 2, .in = {{3, {2, 3, 17}, BASE}, {1, {17}, EXPONENT}}, .tolerance = 4},
    {.name = "scalar", .n_in = 2, .in = {{0, {0}, BASE}, {2, {2, 33}, EXPONENT}}, .tolerance = 4},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, BASE, .swap_b = 1}, {2, {7, 5}, EXPONENT}}, .tolerance = 4},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_pow = {
    .name = "pow",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_POW,
    .infer = gr__infer_map,
    .grad = grad,
    .grad_reads_in = 3,
    .grad_reads_out = 1,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_pow(gr_graph *g, gr_value a, gr_value b) { return gr__map2(g, &gr__op_pow, a, b); }
