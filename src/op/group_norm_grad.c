/* With h = (x - mean)*rstd, e = dy*gamma and averages over a group:
 *   dx = rstd*(e - avg(e) - h*avg(e*h)),   dgamma = sum of dy*h,   dbeta = sum of dy, over samples and positions */
#include "op/group_norm.h"

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__infer_group_norm(c, 1));
    const gr__value *x = c->in[0];
    int64_t stats[] = {x->dim[0], ((const gr__group_norm_attr *)c->attr)->groups};
    for (int i = 2; i < 4; i++) {
        GR_TRY(gr__want_dtype(c, i, gr__stats_dtype(x->dtype)));
        GR_TRY(gr__want_shape(c, i, 2, stats, "a statistic of each group"));
    }
    GR_TRY(gr__want_dtype(c, 4, x->dtype));
    GR_TRY(gr__want_shape(c, 4, x->rank, x->dim, "dy"));
    c->out[0] = *x;
    for (int i = 1; i < 3; i++)
        c->out[i] = (gr__value){.dtype = gr__given(c, 1) ? c->in[1]->dtype : gr__stats_dtype(x->dtype),
                                .rank = 1,
                                .dim = {x->dim[x->rank - 1]}};
    return GR_OK;
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__group_norm_attr *a = n->attr;
    gr_dtype stats = gr_value_dtype(g, n->in[2]), dtype = gr_value_dtype(g, n->out[1]);
    int64_t channels = gr_value_dim(g, n->in[0], -1), samples = gr_value_dim(g, n->in[0], 0);
    int64_t grouped[] = {samples, -1, a->groups, channels / a->groups}, statistic[] = {samples, 1, a->groups, 1};
    uint32_t inside = 1u << 1 | 1u << 3, all = (1u << (gr_value_rank(g, n->in[0]) - 1)) - 1;
    gr_value x = gr_reshape(g, gr_cast(g, n->in[0], stats), 4, grouped), dy = gr_cast(g, n->in[4], stats);
    gr_value mean = gr_reshape(g, n->in[2], 4, statistic), rstd = gr_reshape(g, n->in[3], 4, statistic);
    gr_value h = gr_mul(g, gr_sub(g, x, mean), rstd), dyh = gr_mul(g, dy, gr__reshape_like(g, h, n->in[0]));
    gr_value e = gr_reshape(g, n->in[1] ? gr_mul(g, dy, n->in[1]) : dy, 4, grouped);
    gr_value along = gr_mul(g, h, gr_mean(g, gr_mul(g, e, h), inside, true));
    gr_value dx = gr_mul(g, rstd, gr_sub(g, gr_sub(g, e, gr_mean(g, e, inside, true)), along));
    out[0] = gr_cast(g, gr__reshape_like(g, dx, n->out[0]), gr_value_dtype(g, n->out[0]));
    out[1] = gr_cast(g, gr_sum(g, dyh, all, false), dtype);
    out[2] = gr_cast(g, gr_sum(g, dy, all, false), dtype);
}

/* Of group g in sample n. */
typedef struct group {
    const gr__args *a;
    double mean, rstd;
    int64_t n;
} group;

static group group_at(const gr__args *a, int64_t n, int64_t g)
{
    return (group){.a = a,
                   .n = n,
                   .mean = gr__load(&a->in[2], gr__offset(&a->in[2], (int64_t[]){n, g})),
                   .rstd = gr__load(&a->in[3], gr__offset(&a->in[3], (int64_t[]){n, g}))};
}

static double h_of(const group *q, int64_t r, int64_t c)
{
    return (gr__load(&q->a->in[0], gr__group_offset(&q->a->in[0], q->n, r, c)) - q->mean) * q->rstd;
}
static double dy_of(const group *q, int64_t r, int64_t c)
{
    return gr__load(&q->a->in[4], gr__group_offset(&q->a->in[4], q->n, r, c));
}

static void input_gradient(const gr__args *a, const gr__group_view *v, int64_t n, int64_t g)
{
    group q = group_at(a, n, g);
    int64_t first = g * v->each, last = first + v->each;
    double e = 0, eh = 0, count = (double)(v->positions * v->each);
    for (int64_t r = 0; r < v->positions; r++)
        for (int64_t c = first; c < last; c++) {
            double d = dy_of(&q, r, c) * gr__vector(a, 1, c, 1);
            e += d / count;
            eh += d * h_of(&q, r, c) / count;
        }
    for (int64_t r = 0; r < v->positions; r++)
        for (int64_t c = first; c < last; c++)
            gr__store(&a->out[0], gr__group_offset(&a->out[0], n, r, c),
                      q.rstd * (dy_of(&q, r, c) * gr__vector(a, 1, c, 1) - e - h_of(&q, r, c) * eh));
}

static gr_status reference(const gr__args *a)
{
    gr__group_view v = gr__group_view_of(a, &a->in[0]);
    for (int64_t c = 0; c < v.groups * v.each; c++) {
        double dgamma = 0, dbeta = 0;
        for (int64_t n = 0; n < v.n; n++) {
            group q = group_at(a, n, c / v.each);
            for (int64_t r = 0; r < v.positions; r++) {
                dgamma += dy_of(&q, r, c) * h_of(&q, r, c);
                dbeta += dy_of(&q, r, c);
            }
        }
        if (gr__wanted(a, 1)) gr__store(&a->out[1], c * a->out[1].stride[0], dgamma);
        if (gr__wanted(a, 2)) gr__store(&a->out[2], c * a->out[2].stride[0], dbeta);
    }
    for (int64_t n = 0; gr__wanted(a, 0) && n < v.n; n++) /* last: dx may lie over dy */
        for (int64_t g = 0; g < v.groups; g++) input_gradient(a, &v, n, g);
    return GR_OK;
}

static double flops(const gr__args *a) { return 15.0 * (double)gr__arg_count(&a->in[0]); }

#define STAT(...)                            \
    {                                        \
        2, {__VA_ARGS__}, .dtype = GR__STATS \
    }
#define RSTD(...)                                                \
    {                                                            \
        2, {__VA_ARGS__}, .dtype = GR__STATS, .lo = 0.5, .hi = 2 \
    }
static const gr__group_norm_attr two = {1e-5, 2}, three = {1e-3, 3}, sixteen = {1e-5, 16};
static const gr__case cases[] = {
    {.name = "groups",
     .n_in = 5,
     .in = {{4, {2, 3, 3, 6}}, {1, {6}}, STAT(2, 2), RSTD(2, 2), {4, {2, 3, 3, 6}}},
     .attr = &two,
     .tolerance = 8},
    {.name = "instances",
     .n_in = 5,
     .in = {{4, {2, 3, 5, 3}}, {-1}, STAT(2, 3), RSTD(2, 3), {4, {2, 3, 5, 3}}},
     .attr = &three,
     .tolerance = 8},
    {.name = "many channels",
     .n_in = 5,
     .in = {{3, {1, 4, 32}}, {1, {32}}, STAT(1, 16), RSTD(1, 16), {3, {1, 4, 32}}},
     .attr = &sixteen,
     .tolerance = 8},
    {.name = "folded",
     .n_in = 5,
     .in = {{3, {1, 64, 4}}, {1, {4}}, STAT(1, 2), RSTD(1, 2), {3, {1, 64, 4}}},
     .attr = &two,
     .tolerance = 16},
    {.name = "views",
     .n_in = 5,
     .in = {{4, {2, 3, 4, 6}, .swap_a = 1, .swap_b = 2},
            {1, {6}},
            STAT(2, 2),
            RSTD(2, 2),
            {4, {2, 3, 4, 6}, .swap_a = 1, .swap_b = 2}},
     .attr = &two,
     .tolerance = 8},
    {.name = "misfit",
     .n_in = 5,
     .in = {{3, {2, 3, 6}}, {-1}, STAT(2, 2), RSTD(2, 2), {3, {2, 4, 6}}},
     .attr = &two,
     .expect = GR_ERR_SHAPE},
    {.name = "statistics",
     .n_in = 5,
     .in = {{3, {2, 3, 6}}, {-1}, STAT(2, 3), RSTD(2, 3), {3, {2, 3, 6}}},
     .attr = &two,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_group_norm_grad = {
    .name = "group_norm_grad",
    .min_in = 1,
    .max_in = 5,
    .n_out = 3,
    .attr_bytes = sizeof(gr__group_norm_attr),
    .infer = infer,
    .no_grad = "second derivatives of group_norm are not provided; build it from gr_mean, gr_square and gr_rsqrt",
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .alias = {5},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
