/* y = (x - mean)*rstd*gamma + beta over the last axis, rstd = 1/sqrt(variance + eps) (Ba et al. 2016).
 * Outputs y, mean, rstd; the statistics have the leading axes of x and are f32 (f64 for f64). */
#include "op/norm.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__infer_norm(c, 2); }

static void grad(gr__grad *c) { gr__grad_norm(c, &gr__op_layer_norm_grad); }

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_dtype stats = gr_value_dtype(g, n->out[1]);
    gr_value x = gr_cast(g, n->in[0], stats);
    uint32_t last = 1u << (gr_value_rank(g, x) - 1);
    gr_value mean = gr_mean(g, x, last, true), centred = gr_sub(g, x, mean);
    gr_value variance = gr_mean(g, gr_square(g, centred), last, true);
    gr_value rstd = gr_rsqrt(g, gr_affine(g, variance, 1, ((const gr__norm_attr *)n->attr)->eps));
    gr_value y = gr_mul(g, centred, rstd);
    if (n->n_in > 1 && n->in[1]) y = gr_mul(g, y, n->in[1]);
    if (n->n_in > 2 && n->in[2]) y = gr_add(g, y, n->in[2]);
    out[0] = gr_cast(g, y, gr_value_dtype(g, n->out[0]));
    out[1] = gr__reshape_like(g, mean, n->out[1]);
    out[2] = gr__reshape_like(g, rstd, n->out[2]);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = x->dim[x->rank - 1];
    do {
        gr__arg row = gr__arg_at(x, gr__row(x, index));
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) sum += gr__load(&row, i * gr__step(x));
        double mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++) squares += pow(gr__load(&row, i * gr__step(x)) - mean, 2);
        double rstd = 1 / sqrt(squares / (double)n + ((const gr__norm_attr *)a->attr)->eps);
        for (int64_t i = 0; i < n && gr__wanted(a, 0); i++) {
            double h = (gr__load(&row, i * gr__step(x)) - mean) * rstd;
            gr__store(y, gr__row(y, index) + i * gr__step(y), h * gr__vector(a, 1, i, 1) + gr__vector(a, 2, i, 0));
        }
        if (gr__wanted(a, 1)) gr__store(&a->out[1], gr__offset(&a->out[1], index), mean);
        if (gr__wanted(a, 2)) gr__store(&a->out[2], gr__offset(&a->out[2], index), rstd);
    } while (gr__next_index(x->rank - 1, x->dim, index));
    return GR_OK;
}

static double flops(const gr__args *a) { return 8.0 * (double)gr__arg_count(&a->in[0]); }

static const gr__norm_attr eps = {.eps = 1e-5};
static const gr__case cases[] = {
    {.name = "rows", .n_in = 3, .in = {{3, {2, 3, 16}}, {1, {16}}, {1, {16}}}, .attr = &eps},
    {.name = "odd", .n_in = 3, .in = {{2, {5, 37}}, {1, {37}}, {1, {37}}}, .attr = &eps},
    {.name = "plain", .n_in = 1, .in = {{2, {3, 7}}}, .attr = &eps},
    {.name = "no beta", .n_in = 2, .in = {{2, {3, 7}}, {1, {7}}}, .attr = &eps},
    {.name = "no gamma", .n_in = 3, .in = {{1, {9}}, {-1}, {1, {9}}}, .attr = &eps},
    {.name = "transposed", .n_in = 3, .in = {{3, {5, 3, 8}, .swap_b = 1}, {1, {8}}, {1, {8}}}, .attr = &eps},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &eps, .expect = GR_ERR_SHAPE},
    {.name = "misfit", .n_in = 2, .in = {{2, {3, 7}}, {1, {3}}}, .attr = &eps, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_layer_norm = {
    .name = "layer_norm",
    .min_in = 1,
    .max_in = 3,
    .n_out = 3,
    .attr_bytes = sizeof(gr__norm_attr),
    .flags = GR__OP_OUT_DTYPE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 3,
    .grad_reads_out = 6,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_layer_norm(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, double epsilon)
{
    gr__norm_attr a = {.eps = epsilon != 0 ? epsilon : 1e-5};
    return gr__node_add(g, &gr__op_layer_norm, (gr_value[]){x, gamma, beta}, 3, &a, NULL);
}
