/* With h = x*rstd and e = dy*gamma: dx = rstd*(e - h*avg(e*h)), dgamma = sum over rows of dy*h */
#include "op/norm.h"

static gr_status infer(gr__infer *c) { return gr__infer_norm_grad(c, 1); }

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_dtype stats = gr_value_dtype(g, n->in[2]);
    gr_value x = gr_cast(g, n->in[0], stats), dy = gr_cast(g, n->in[3], stats);
    uint32_t last = 1u << (gr_value_rank(g, x) - 1), rows = last - 1;
    gr_value rstd = gr__expand(g, n->in[2], x, last), h = gr_mul(g, x, rstd), dyh = gr_mul(g, dy, h);
    gr_value e = n->in[1] ? gr_mul(g, dy, n->in[1]) : dy;
    gr_value along = gr_mul(g, h, gr_mean(g, gr_mul(g, e, h), last, true));
    gr_value dx = gr_cast(g, gr_mul(g, rstd, gr_sub(g, e, along)), gr_value_dtype(g, n->out[0]));
    out[0] = n->n_in > 4 && n->in[4] ? gr_add(g, dx, n->in[4]) : dx;
    out[1] = gr_cast(g, rows ? gr_sum(g, dyh, rows, false) : dyh, gr_value_dtype(g, n->out[1]));
}

static void input_gradient(const gr__args *a, const int64_t *index)
{
    const gr__arg *dx = &a->out[0];
    gr__arg x = gr__arg_at(&a->in[0], gr__row(&a->in[0], index)), dy = gr__arg_at(&a->in[3], gr__row(&a->in[3], index));
    double rstd = gr__load(&a->in[2], gr__offset(&a->in[2], index)), eh = 0;
    int64_t n = dx->dim[dx->rank - 1];
    for (int64_t i = 0; i < n; i++)
        eh += gr__load(&dy, i * gr__step(&dy)) * gr__vector(a, 1, i, 1) * gr__load(&x, i * gr__step(&x)) * rstd /
              (double)n;
    for (int64_t i = 0; i < n; i++) {
        double e = gr__load(&dy, i * gr__step(&dy)) * gr__vector(a, 1, i, 1);
        double add = gr__has(a, 4) ? gr__load(&a->in[4], gr__row(&a->in[4], index) + i * gr__step(&a->in[4])) : 0;
        double v = rstd * (e - gr__load(&x, i * gr__step(&x)) * rstd * eh) + add;
        gr__store(dx, gr__row(dx, index) + i * gr__step(dx), v);
    }
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *dy = &a->in[3], *rstd = &a->in[2];
    int64_t index[GR_MAX_RANK] = {0};
    do {
        if (gr__wanted(a, 0)) input_gradient(a, index);
    } while (gr__next_index(x->rank - 1, x->dim, index));
    for (int64_t i = 0; i < x->dim[x->rank - 1] && gr__wanted(a, 1); i++) {
        double sum = 0;
        do
            sum += gr__load(dy, gr__row(dy, index) + i * gr__step(dy)) *
                   gr__load(x, gr__row(x, index) + i * gr__step(x)) * gr__load(rstd, gr__offset(rstd, index));
        while (gr__next_index(x->rank - 1, x->dim, index));
        gr__store(&a->out[1], i * a->out[1].stride[0], sum);
    }
    return GR_OK;
}

static double flops(const gr__args *a) { return 10.0 * (double)gr__arg_count(&a->in[0]); }

#define RSTD .lo = 0.5, .hi = 2, .dtype = GR__STATS
static const gr__norm_attr eps = {.eps = 1e-5};
static const gr__case cases[] = {
    {.name = "rows", .n_in = 4, .in = {{3, {2, 3, 16}}, {1, {16}}, {2, {2, 3}, RSTD}, {3, {2, 3, 16}}}, .attr = &eps},
    {.name = "add",
     .n_in = 5,
     .in = {{2, {5, 37}}, {1, {37}}, {1, {5}, RSTD}, {2, {5, 37}}, {2, {5, 37}}},
     .attr = &eps},
    {.name = "no gamma", .n_in = 4, .in = {{1, {9}}, {-1}, {0, {0}, RSTD}, {1, {9}}}, .attr = &eps},
    {.name = "transposed",
     .n_in = 4,
     .in = {{3, {5, 3, 8}, .swap_b = 1}, {1, {8}}, {2, {5, 3}, RSTD}, {3, {5, 3, 8}, .swap_b = 1}},
     .attr = &eps},
    {.name = "misfit",
     .n_in = 4,
     .in = {{2, {3, 7}}, {-1}, {1, {4}, RSTD}, {2, {3, 7}}},
     .attr = &eps,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_rms_norm_grad = {
    .name = "rms_norm_grad",
    .min_in = 1,
    .max_in = 5,
    .n_out = 2,
    .attr_bytes = sizeof(gr__norm_attr),
    .flags = GR__OP_ACCUMULATE,
    .infer = infer,
    .no_grad = "second derivatives of rms_norm are not provided; build it from gr_mean, gr_square and gr_rsqrt",
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .alias = {5},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
