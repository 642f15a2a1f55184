/* The sum of the squares of everything, in f32 (f64 for f64). */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    c->out[0].dtype = gr__stats_dtype(c->in[0]->dtype);
    c->out[0].rank = 0;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_value x = c->node->in[0];
    gr_value d = gr_affine(c->g, gr_mul(c->g, x, c->out_grad[0]), 2, 0);
    c->in_grad[0] = gr_cast(c->g, d, gr_value_dtype(c->g, x));
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    *out = gr_sum(g, gr_square(g, gr_cast(g, n->in[0], gr_value_dtype(g, n->out[0]))), 0, false);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0];
    int64_t index[GR_MAX_RANK] = {0};
    double sum = 0;
    do {
        double v = gr__load(x, gr__offset(x, index));
        sum += v * v;
    } while (gr__next_index(x->rank, x->dim, index));
    gr__store(&a->out[0], 0, sum);
    return GR_OK;
}

static double flops(const gr__args *a) { return 2.0 * (double)gr__arg_count(&a->in[0]); }

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}}}},
    {.name = "scalar", .n_in = 1, .in = {{0}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .swap_a = 1, .swap_b = 2}}},
    {.name = "integer", .n_in = 1, .in = {{1, {3}, .dtype = GR_I32}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_sum_squares = {
    .name = "sum_squares",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .autocast = GR__CAST_F32,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_sum_squares(gr_graph *g, gr_value x) { return gr__node_add(g, &gr__op_sum_squares, &x, 1, NULL, NULL); }
