/* The largest element; NaN when there is one. The gradient goes in equal shares to all that are largest. */
#include "op/reduce.h"

#include <math.h>

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value x = c->node->in[0];
    uint32_t mask = gr__reduce_mask(c->node->attr, gr_value_rank(g, x));
    gr_value largest = gr_equal(g, x, gr__expand(g, c->node->out[0], x, mask));
    gr_value share = gr_div(g, gr__expand(g, c->out_grad[0], x, mask), gr_sum(g, largest, mask, true));
    c->in_grad[0] = gr_mul(g, largest, share);
}

static double fold(double so_far, double x) { return x > so_far || isnan(x) ? x : so_far; }
static gr_status reference(const gr__args *a) { return gr__reference_reduce(a, fold, -(double)INFINITY, 1); }
static double flops(const gr__args *a) { return (double)gr__arg_count(&a->in[0]); }

static const gr__case cases[] = {
    {.name = "all", .n_in = 1, .in = {{2, {3, 17}, .fill = GR__FILL_DISTINCT}}, .attr = &(gr__reduce_attr){0, false}},
    {.name = "last, kept",
     .n_in = 1,
     .in = {{3, {2, 3, 17}, .fill = GR__FILL_DISTINCT}},
     .attr = &(gr__reduce_attr){4, true}},
    {.name = "first", .n_in = 1, .in = {{2, {33, 5}, .fill = GR__FILL_DISTINCT}}, .attr = &(gr__reduce_attr){1, false}},
    {.name = "one", .n_in = 1, .in = {{1, {1}}}, .attr = &(gr__reduce_attr){0, false}},
    {.name = "transposed",
     .n_in = 1,
     .in = {{2, {7, 5}, .fill = GR__FILL_DISTINCT, .swap_b = 1}},
     .attr = &(gr__reduce_attr){2, true}},
    {.name = "no axis", .n_in = 1, .in = {{0}}, .attr = &(gr__reduce_attr){1, false}, .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_max = {
    .name = "max",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__reduce_attr),
    .infer = gr__infer_reduce,
    .grad = grad,
    .grad_reads_in = 1,
    .grad_reads_out = 1,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_max(gr_graph *g, gr_value x, uint32_t axes, bool keep)
{
    return gr__node_add(g, &gr__op_max, &x, 1, &(gr__reduce_attr){axes, keep}, NULL);
}
