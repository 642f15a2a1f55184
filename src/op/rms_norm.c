/* y = x*rstd*gamma over the last axis, rstd = 1/sqrt(mean(x^2) + eps) (Zhang and Sennrich 2019). Outputs y, rstd. */
#include "op/norm.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__infer_norm(c, 1); }

static void grad(gr__grad *c)
{
    const gr__node *n = c->node;
    gr_value gamma = n->n_in > 1 ? n->in[1] : 0, out[2];
    if (!gr__grad_only_first(c, 0)) return;
    gr_value in[] = {n->in[0], gamma, n->out[1], c->out_grad[0]};
    gr__node_add(c->g, &gr__op_rms_norm_grad, in, 4, n->attr, out);
    c->in_grad[0] = out[0];
    if (gamma) c->in_grad[1] = out[1];
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = gr_cast(g, n->in[0], gr_value_dtype(g, n->out[1]));
    gr_value squares = gr_mean(g, gr_square(g, x), 1u << (gr_value_rank(g, x) - 1), true);
    gr_value rstd = gr_rsqrt(g, gr_affine(g, squares, 1, ((const gr__norm_attr *)n->attr)->eps));
    gr_value y = gr_mul(g, x, rstd);
    if (n->n_in > 1 && n->in[1]) y = gr_mul(g, y, n->in[1]);
    out[0] = gr_cast(g, y, gr_value_dtype(g, n->out[0]));
    out[1] = gr__reshape_like(g, rstd, n->out[1]);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = x->dim[x->rank - 1];
    do {
        gr__arg row = gr__arg_at(x, gr__row(x, index));
        double squares = 0;
        for (int64_t i = 0; i < n; i++) squares += pow(gr__load(&row, i * gr__step(x)), 2);
        double rstd = 1 / sqrt(squares / (double)n + ((const gr__norm_attr *)a->attr)->eps);
        for (int64_t i = 0; i < n && gr__wanted(a, 0); i++) {
            double v = gr__load(&row, i * gr__step(x)) * rstd * gr__vector(a, 1, i, 1);
            gr__store(y, gr__row(y, index) + i * gr__step(y), v);
        }
        if (gr__wanted(a, 1)) gr__store(&a->out[1], gr__offset(&a->out[1], index), rstd);
    } while (gr__next_index(x->rank - 1, x->dim, index));
    return GR_OK;
}

static double flops(const gr__args *a) { return 5.0 * (double)gr__arg_count(&a->in[0]); }

static const gr__norm_attr eps = {.eps = 1e-5};
static const gr__case cases[] = {
    {.name = "rows", .n_in = 2, .in = {{3, {2, 3, 16}}, {1, {16}}}, .attr = &eps},
    {.name = "odd", .n_in = 2, .in = {{2, {5, 37}}, {1, {37}}}, .attr = &eps},
    {.name = "plain", .n_in = 1, .in = {{1, {7}}}, .attr = &eps},
    {.name = "transposed", .n_in = 2, .in = {{3, {5, 3, 8}, .swap_b = 1}, {1, {8}}}, .attr = &eps},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &eps, .expect = GR_ERR_SHAPE},
    {.name = "integer gamma",
     .n_in = 2,
     .in = {{2, {3, 7}}, {1, {7}, .dtype = GR_I32}},
     .attr = &eps,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_rms_norm = {
    .name = "rms_norm",
    .min_in = 1,
    .max_in = 2,
    .n_out = 2,
    .attr_bytes = sizeof(gr__norm_attr),
    .flags = GR__OP_OUT_DTYPE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 3,
    .grad_reads_out = 2,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_rms_norm(gr_graph *g, gr_value x, gr_value gamma, double epsilon)
{
    gr__norm_attr a = {.eps = epsilon != 0 ? epsilon : 1e-5};
    return gr__node_add(g, &gr__op_rms_norm, (gr_value[]){x, gamma}, 2, &a, NULL);
}
