/* exp(x)/sum(exp(x)) over the last axis. A row of -inf gives zeros. */
#include "op/rows.h"

#include <math.h>

static void grad(gr__grad *c)
{
    gr_value in[] = {c->node->out[0], c->out_grad[0]};
    c->in_grad[0] = gr__node_add(c->g, &gr__op_softmax_grad, in, 2, NULL, NULL);
}

/* The largest element is held finite, so that a row of -inf stays one; its sum is held above 0. */
static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0];
    gr_dtype dtype = gr_value_dtype(g, x);
    uint32_t last = 1u << (gr_value_rank(g, x) - 1);
    gr_value most = gr_maximum(g, gr_max(g, x, last, true), gr_scalar(g, dtype, -1e30));
    gr_value e = gr_exp(g, gr_sub(g, x, gr_stop_gradient(g, most)));
    *out = gr_div(g, e, gr_maximum(g, gr_sum(g, e, last, true), gr_scalar(g, dtype, 1e-30)));
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = x->dim[x->rank - 1];
    do {
        double lse = gr__row_lse(x, index);
        for (int64_t i = 0; i < n; i++) {
            double v = gr__load(x, gr__row(x, index) + i * gr__step(x));
            gr__store(y, gr__row(y, index) + i * gr__step(y), lse == -(double)INFINITY ? 0 : exp(v - lse));
        }
    } while (gr__next_index(x->rank - 1, x->dim, index));
    return GR_OK;
}

static double flops(const gr__args *a) { return 5.0 * (double)gr__arg_count(&a->in[0]); }

static const gr__case cases[] = {
    {.name = "rows", .n_in = 1, .in = {{3, {2, 3, 16}, .lo = -4, .hi = 4}}},
    {.name = "odd", .n_in = 1, .in = {{2, {5, 37}, .lo = -4, .hi = 4}}},
    {.name = "large", .n_in = 1, .in = {{1, {19}, .lo = -200, .hi = 200}}},
    {.name = "one", .n_in = 1, .in = {{2, {3, 1}}}},
    {.name = "transposed", .n_in = 1, .in = {{2, {7, 5}, .swap_b = 1}}},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .expect = GR_ERR_SHAPE},
    {.name = "integer", .n_in = 1, .in = {{1, {3}, .dtype = GR_I32}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_softmax = {
    .name = "softmax",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .autocast = GR__CAST_F32,
    .infer = gr__infer_rows,
    .grad = grad,
    .grad_reads_out = 1,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_softmax(gr_graph *g, gr_value x) { return gr__node_add(g, &gr__op_softmax, &x, 1, NULL, NULL); }

/* ---- softmax_grad(y, dy): dx = y*(dy - sum(dy*y)) ---- */

static void grad_grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value y = c->node->in[0], dy = c->node->in[1], d = c->out_grad[0];
    uint32_t last = 1u << (gr_value_rank(g, y) - 1);
    if (c->need[0]) { /* d*(dy - sum(dy*y)) - dy*sum(d*y) */
        gr_value s = gr_sum(g, gr_mul(g, dy, y), last, true), t = gr_sum(g, gr_mul(g, d, y), last, true);
        c->in_grad[0] = gr_sub(g, gr_mul(g, d, gr_sub(g, dy, s)), gr_mul(g, dy, t));
    }
    if (c->need[1]) c->in_grad[1] = gr__node_add(g, &gr__op_softmax_grad, (gr_value[]){y, d}, 2, NULL, NULL);
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value y = n->in[0], dy = n->in[1];
    gr_value s = gr_sum(g, gr_mul(g, dy, y), 1u << (gr_value_rank(g, y) - 1), true);
    *out = gr_mul(g, y, gr_sub(g, dy, s));
}

static gr_status grad_reference(const gr__args *a)
{
    const gr__arg *y = &a->in[0], *dy = &a->in[1], *dx = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = y->dim[y->rank - 1];
    do {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum +=
                gr__load(y, gr__row(y, index) + i * gr__step(y)) * gr__load(dy, gr__row(dy, index) + i * gr__step(dy));
        for (int64_t i = 0; i < n; i++) {
            double v = gr__load(dy, gr__row(dy, index) + i * gr__step(dy)) - sum;
            v *= gr__load(y, gr__row(y, index) + i * gr__step(y));
            gr__store(dx, gr__row(dx, index) + i * gr__step(dx), v);
        }
    } while (gr__next_index(y->rank - 1, y->dim, index));
    return GR_OK;
}

static const gr__case grad_cases[] = {
    {.name = "rows", .n_in = 2, .in = {{3, {2, 3, 16}}, {3, {2, 3, 16}}}},
    {.name = "odd", .n_in = 2, .in = {{2, {5, 37}}, {2, {5, 37}}}},
    {.name = "one", .n_in = 2, .in = {{1, {1}}, {1, {1}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, .swap_b = 1}, {2, {7, 5}}}},
    {.name = "misfit", .n_in = 2, .in = {{2, {7, 5}}, {2, {7, 1}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_softmax_grad = {
    .name = "softmax_grad",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .autocast = GR__CAST_F32,
    .infer = gr__infer_rows,
    .grad = grad_grad,
    .grad_reads_in = 3,
    .decompose = grad_decompose,
    .reference = grad_reference,
    .flops = flops,
    .alias = {2},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
