/* With h = (x - mean)*rstd and e = dy*gamma:
 *   dx = rstd*(e - avg(e) - h*avg(e*h)),   dgamma = sum over rows of dy*h,   dbeta = sum over rows of dy */
#include "op/norm.h"

static gr_status infer(gr__infer *c) { return gr__infer_norm_grad(c, 2); }

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_dtype stats = gr_value_dtype(g, n->in[2]), dtype = gr_value_dtype(g, n->out[1]);
    gr_value x = gr_cast(g, n->in[0], stats), dy = gr_cast(g, n->in[4], stats);
    uint32_t last = 1u << (gr_value_rank(g, x) - 1), rows = last - 1;
    gr_value mean = gr__expand(g, n->in[2], x, last), rstd = gr__expand(g, n->in[3], x, last);
    gr_value h = gr_mul(g, gr_sub(g, x, mean), rstd), dyh = gr_mul(g, dy, h);
    gr_value e = n->in[1] ? gr_mul(g, dy, n->in[1]) : dy;
    gr_value along = gr_mul(g, h, gr_mean(g, gr_mul(g, e, h), last, true));
    gr_value dx = gr_cast(g, gr_mul(g, rstd, gr_sub(g, gr_sub(g, e, gr_mean(g, e, last, true)), along)),
                          gr_value_dtype(g, n->out[0]));
    out[0] = n->n_in > 5 && n->in[5] ? gr_add(g, dx, n->in[5]) : dx;
    out[1] = gr_cast(g, rows ? gr_sum(g, dyh, rows, false) : dyh, dtype);
    out[2] = gr_cast(g, rows ? gr_sum(g, dy, rows, false) : dy, dtype);
}

/* Of one row: h, dy and e of column i. */
typedef struct row {
    const gr__args *a;
    gr__arg x, dy;
    double mean, rstd;
} row;

static row row_at(const gr__args *a, const int64_t *index)
{
    row r = {.a = a};
    r.x = gr__arg_at(&a->in[0], gr__row(&a->in[0], index));
    r.dy = gr__arg_at(&a->in[4], gr__row(&a->in[4], index));
    r.mean = gr__load(&a->in[2], gr__offset(&a->in[2], index));
    r.rstd = gr__load(&a->in[3], gr__offset(&a->in[3], index));
    return r;
}

static double h_of(const row *r, int64_t i) { return (gr__load(&r->x, i * gr__step(&r->x)) - r->mean) * r->rstd; }
static double dy_of(const row *r, int64_t i) { return gr__load(&r->dy, i * gr__step(&r->dy)); }
static double e_of(const row *r, int64_t i) { return dy_of(r, i) * gr__vector(r->a, 1, i, 1); }

static void input_gradient(const gr__args *a, const int64_t *index)
{
    const gr__arg *dx = &a->out[0];
    row r = row_at(a, index);
    int64_t n = dx->dim[dx->rank - 1];
    double e = 0, eh = 0;
    for (int64_t i = 0; i < n; i++) {
        e += e_of(&r, i) / (double)n;
        eh += e_of(&r, i) * h_of(&r, i) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double add = gr__has(a, 5) ? gr__load(&a->in[5], gr__row(&a->in[5], index) + i * gr__step(&a->in[5])) : 0;
        gr__store(dx, gr__row(dx, index) + i * gr__step(dx), r.rstd * (e_of(&r, i) - e - h_of(&r, i) * eh) + add);
    }
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0];
    int64_t index[GR_MAX_RANK] = {0};
    do {
        if (gr__wanted(a, 0)) input_gradient(a, index);
    } while (gr__next_index(x->rank - 1, x->dim, index));
    if (!gr__wanted(a, 1) && !gr__wanted(a, 2)) return GR_OK;
    for (int64_t i = 0; i < x->dim[x->rank - 1]; i++) {
        double dgamma = 0, dbeta = 0;
        do {
            row r = row_at(a, index);
            dgamma += dy_of(&r, i) * h_of(&r, i);
            dbeta += dy_of(&r, i);
        } while (gr__next_index(x->rank - 1, x->dim, index));
        if (gr__wanted(a, 1)) gr__store(&a->out[1], i * a->out[1].stride[0], dgamma);
        if (gr__wanted(a, 2)) gr__store(&a->out[2], i * a->out[2].stride[0], dbeta);
    }
    return GR_OK;
}

static double flops(const gr__args *a) { return 15.0 * (double)gr__arg_count(&a->in[0]); }

#define RSTD .lo = 0.5, .hi = 2, .dtype = GR__STATS
static const gr__norm_attr eps = {.eps = 1e-5};
static const gr__case cases[] = {
    {.name = "rows",
     .n_in = 5,
     .in = {{3, {2, 3, 16}}, {1, {16}}, {2, {2, 3}, .dtype = GR__STATS}, {2, {2, 3}, RSTD}, {3, {2, 3, 16}}},
     .attr = &eps},
    {.name = "add",
     .n_in = 6,
     .in = {{2, {5, 37}}, {1, {37}}, {1, {5}, .dtype = GR__STATS}, {1, {5}, RSTD}, {2, {5, 37}}, {2, {5, 37}}},
     .attr = &eps},
    {.name = "no gamma",
     .n_in = 5,
     .in = {{1, {9}}, {-1}, {0, {0}, .dtype = GR__STATS}, {0, {0}, RSTD}, {1, {9}}},
     .attr = &eps},
    {.name = "transposed",
     .n_in = 5,
     .in = {{3, {5, 3, 8}, .swap_b = 1},
            {1, {8}},
            {2, {5, 3}, .dtype = GR__STATS},
            {2, {5, 3}, RSTD},
            {3, {5, 3, 8}, .swap_b = 1}},
     .attr = &eps},
    {.name = "misfit",
     .n_in = 5,
     .in = {{2, {3, 7}}, {-1}, {1, {3}, .dtype = GR__STATS}, {1, {3}, RSTD}, {2, {3, 8}}},
     .attr = &eps,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_layer_norm_grad = {
    .name = "layer_norm_grad",
    .min_in = 1,
    .max_in = 6,
    .n_out = 3,
    .attr_bytes = sizeof(gr__norm_attr),
    .flags = GR__OP_ACCUMULATE,
    .infer = infer,
    .no_grad = "second derivatives of layer_norm are not provided; build it from gr_mean, gr_square and gr_rsqrt",
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .alias = {6},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
