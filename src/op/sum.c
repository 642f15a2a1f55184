#include "op/reduce.h"

static void grad(gr__grad *c)
{
    gr_value x = c->node->in[0];
    c->in_grad[0] = gr__expand(c->g, c->out_grad[0], x, gr__reduce_mask(c->node->attr, gr_value_rank(c->g, x)));
}

static double fold(double so_far, double x) { return so_far + x; }
static gr_status reference(const gr__args *a) { return gr__reference_reduce(a, fold, 0, 1); }
static double flops(const gr__args *a) { return (double)gr__arg_count(&a->in[0]); }

static const gr__case cases[] = {
    {.name = "all", .n_in = 1, .in = {{3, {2, 3, 17}}}, .attr = &(gr__reduce_attr){0, false}},
    {.name = "last, kept", .n_in = 1, .in = {{3, {2, 3, 17}}}, .attr = &(gr__reduce_attr){4, true}},
    {.name = "first", .n_in = 1, .in = {{2, {33, 5}}}, .attr = &(gr__reduce_attr){1, false}},
    {.name = "outer two", .n_in = 1, .in = {{3, {4, 3, 7}}}, .attr = &(gr__reduce_attr){3, false}},
    {.name = "apart", .n_in = 1, .in = {{4, {2, 3, 4, 5}}}, .attr = &(gr__reduce_attr){5, false}},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &(gr__reduce_attr){0, true}},
    {.name = "transposed", .n_in = 1, .in = {{2, {7, 5}, .swap_b = 1}}, .attr = &(gr__reduce_attr){1, false}},
    {.name = "no axis",
     .n_in = 1,
     .in = {{2, {7, 5}}},
     .attr = &(gr__reduce_attr){4, false},
     .expect = GR_ERR_ARGUMENT},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {7}, .dtype = GR_I32}},
     .attr = &(gr__reduce_attr){0},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_sum = {
    .name = "sum",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__reduce_attr),
    .infer = gr__infer_reduce,
    .grad = grad,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_sum(gr_graph *g, gr_value x, uint32_t axes, bool keep)
{
    return gr__node_add(g, &gr__op_sum, &x, 1, &(gr__reduce_attr){axes, keep}, NULL);
}
