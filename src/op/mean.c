#include "op/reduce.h"

static int64_t count_of(gr_graph *g, const gr__node *n)
{
    const gr__value *x = gr__value_get(g, n->in[0]);
    return gr__reduce_count(n->attr, x->rank, x->dim);
}

static void grad(gr__grad *c)
{
    gr_value x = c->node->in[0], d = gr_affine(c->g, c->out_grad[0], 1 / (double)count_of(c->g, c->node), 0);
    c->in_grad[0] = gr__expand(c->g, d, x, gr__reduce_mask(c->node->attr, gr_value_rank(c->g, x)));
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__reduce_attr *a = n->attr;
    double scale = 1 / (double)count_of(g, n);
    *out = gr_affine(g, gr_sum(g, n->in[0], a->axes, a->keep), scale, 0);
}

static double fold(double so_far, double x) { return so_far + x; }

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0];
    return gr__reference_reduce(a, fold, 0, 1 / (double)gr__reduce_count(a->attr, x->rank, x->dim));
}

static double flops(const gr__args *a) { return (double)gr__arg_count(&a->in[0]); }

static const gr__case cases[] = {
    {.name = "all", .n_in = 1, .in = {{3, {2, 3, 17}}}, .attr = &(gr__reduce_attr){0, false}},
    {.name = "last, kept", .n_in = 1, .in = {{3, {2, 3, 17}}}, .attr = &(gr__reduce_attr){4, true}},
    {.name = "first", .n_in = 1, .in = {{2, {33, 5}}}, .attr = &(gr__reduce_attr){1, false}},
    {.name = "middle", .n_in = 1, .in = {{3, {2, 1, 5}}}, .attr = &(gr__reduce_attr){2, false}},
    {.name = "transposed", .n_in = 1, .in = {{2, {7, 5}, .swap_b = 1}}, .attr = &(gr__reduce_attr){2, true}},
    {.name = "no axis",
     .n_in = 1,
     .in = {{2, {7, 5}}},
     .attr = &(gr__reduce_attr){8, false},
     .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_mean = {
    .name = "mean",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__reduce_attr),
    .infer = gr__infer_reduce,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_mean(gr_graph *g, gr_value x, uint32_t axes, bool keep)
{
    return gr__node_add(g, &gr__op_mean, &x, 1, &(gr__reduce_attr){axes, keep}, NULL);
}
