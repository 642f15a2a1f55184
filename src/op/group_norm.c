/* y = (x - mean)*rstd*gamma + beta, mean and variance over all positions and the channels of a group, of each sample (Wu and
 * He 2018). x (N, S..., C); outputs y, mean and rstd (N, G), the statistics in f32 (f64 for f64). With G = C it is instance
 * norm; batch norm is that of one sample with all positions of the batch. */
#include "op/group_norm.h"
#include "op/norm.h"

#include <math.h>

/* ---- shared with the gradient ---- */

gr_status gr__infer_group_norm(const gr__infer *c, int gamma)
{
    const gr__group_norm_attr *a = c->attr;
    char s[96];
    GR_TRY(gr__want_float(c, 0));
    const gr__value *x = c->in[0];
    GR_FAIL_IF(x->rank < 2, GR_ERR_SHAPE, "%s: shape %s has no batch and channels", c->op,
               gr__shape_text(s, x->rank, x->dim));
    int64_t channels = x->dim[x->rank - 1];
    GR_FAIL_IF(a->groups < 1 || channels % a->groups, GR_ERR_SHAPE,
               "%s: the %lld channels of %s do not fall into %lld groups", c->op, (long long)channels,
               gr__shape_text(s, x->rank, x->dim), (long long)a->groups);
    GR_FAIL_IF(!(a->eps >= 0 && a->eps < (double)INFINITY), GR_ERR_ARGUMENT, "%s: eps is %g", c->op, a->eps);
    if (!gr__given(c, gamma)) return GR_OK;
    GR_FAIL_IF(c->in[gamma]->dtype != x->dtype && (c->in[gamma]->dtype != GR_F32 || x->dtype == GR_F64), GR_ERR_DTYPE,
               "%s: operand %d is %s, x is %s; it must be the same or f32", c->op, gamma,
               gr_dtype_name(c->in[gamma]->dtype), gr_dtype_name(x->dtype));
    return gr__want_shape(c, gamma, 1, &channels, "one of each channel");
}

gr__group_view gr__group_view_of(const gr__args *a, const gr__arg *x)
{
    const gr__group_norm_attr *o = a->attr;
    int64_t channels = x->dim[x->rank - 1];
    return (gr__group_view){.n = x->dim[0],
                            .groups = o->groups,
                            .each = channels / o->groups,
                            .positions = gr__arg_count(x) / x->dim[0] / channels,
                            .x = x};
}

int64_t gr__group_offset(const gr__arg *x, int64_t n, int64_t r, int64_t c)
{
    int64_t o = n * x->stride[0] + c * x->stride[x->rank - 1];
    for (int i = x->rank - 2; i > 0; i--) {
        o += r % x->dim[i] * x->stride[i];
        r /= x->dim[i];
    }
    return o;
}

/* ---- the op ---- */

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__infer_group_norm(c, 1));
    GR_TRY(gr__infer_group_norm(c, 2));
    const gr__value *x = c->in[0];
    c->out[0] = *x;
    for (int i = 1; i < 3; i++)
        c->out[i] = (gr__value){.dtype = gr__stats_dtype(x->dtype),
                                .rank = 2,
                                .dim = {x->dim[0], ((const gr__group_norm_attr *)c->attr)->groups}};
    return GR_OK;
}

static void grad(gr__grad *c) { gr__grad_norm(c, &gr__op_group_norm_grad); }

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__group_norm_attr *a = n->attr;
    gr_dtype stats = gr_value_dtype(g, n->out[1]);
    int64_t samples = gr_value_dim(g, n->in[0], 0), channels = gr_value_dim(g, n->in[0], -1);
    gr_value x =
        gr_reshape(g, gr_cast(g, n->in[0], stats), 4, (int64_t[]){samples, -1, a->groups, channels / a->groups});
    gr_value mean = gr_mean(g, x, 1u << 1 | 1u << 3, true), centred = gr_sub(g, x, mean);
    gr_value variance = gr_mean(g, gr_square(g, centred), 1u << 1 | 1u << 3, true);
    gr_value rstd = gr_rsqrt(g, gr_affine(g, variance, 1, a->eps));
    gr_value y = gr__reshape_like(g, gr_mul(g, centred, rstd), n->out[0]);
    if (n->n_in > 1 && n->in[1]) y = gr_mul(g, y, n->in[1]);
    if (n->n_in > 2 && n->in[2]) y = gr_add(g, y, n->in[2]);
    out[0] = gr_cast(g, y, gr_value_dtype(g, n->out[0]));
    out[1] = gr__reshape_like(g, mean, n->out[1]);
    out[2] = gr__reshape_like(g, rstd, n->out[2]);
}

static void one_group(const gr__args *a, const gr__group_view *v, int64_t n, int64_t g)
{
    int64_t first = g * v->each, last = first + v->each;
    double sum = 0, squares = 0, count = (double)(v->positions * v->each);
    for (int64_t r = 0; r < v->positions; r++)
        for (int64_t c = first; c < last; c++) sum += gr__load(v->x, gr__group_offset(v->x, n, r, c));
    double mean = sum / count;
    for (int64_t r = 0; r < v->positions; r++)
        for (int64_t c = first; c < last; c++)
            squares += pow(gr__load(v->x, gr__group_offset(v->x, n, r, c)) - mean, 2);
    double rstd = 1 / sqrt(squares / count + ((const gr__group_norm_attr *)a->attr)->eps);
    for (int64_t r = 0; gr__wanted(a, 0) && r < v->positions; r++)
        for (int64_t c = first; c < last; c++) {
            double h = (gr__load(v->x, gr__group_offset(v->x, n, r, c)) - mean) * rstd;
            gr__store(&a->out[0], gr__group_offset(&a->out[0], n, r, c),
                      h * gr__vector(a, 1, c, 1) + gr__vector(a, 2, c, 0));
        }
    if (gr__wanted(a, 1)) gr__store(&a->out[1], gr__offset(&a->out[1], (int64_t[]){n, g}), mean);
    if (gr__wanted(a, 2)) gr__store(&a->out[2], gr__offset(&a->out[2], (int64_t[]){n, g}), rstd);
}

static gr_status reference(const gr__args *a)
{
    gr__group_view v = gr__group_view_of(a, &a->in[0]);
    for (int64_t n = 0; n < v.n; n++)
        for (int64_t g = 0; g < v.groups; g++) one_group(a, &v, n, g);
    return GR_OK;
}

static double flops(const gr__args *a) { return 8.0 * (double)gr__arg_count(&a->in[0]); }

static const gr__group_norm_attr two = {1e-5, 2}, three = {1e-3, 3}, single = {1e-5, 1}, sixteen = {1e-5, 16},
                                 odd = {1e-5, 4}, none = {1e-5, 0};
static const gr__case cases[] = {
    {.name = "groups", .n_in = 3, .in = {{4, {2, 3, 3, 6}}, {1, {6}}, {1, {6}}}, .attr = &two, .tolerance = 4},
    {.name = "instances", .n_in = 3, .in = {{4, {2, 3, 5, 3}}, {1, {3}}, {1, {3}}}, .attr = &three, .tolerance = 4},
    {.name = "one group", .n_in = 2, .in = {{3, {2, 5, 4}}, {1, {4}}}, .attr = &single, .tolerance = 4},
    {.name = "rows", .n_in = 1, .in = {{2, {5, 6}}}, .attr = &two, .tolerance = 4},
    {.name = "many channels",
     .n_in = 3,
     .in = {{3, {1, 4, 32}}, {1, {32}}, {1, {32}}},
     .attr = &sixteen,
     .tolerance = 8},
    {.name = "folded",
     .n_in = 3,
     .in = {{3, {1, 64, 4}}, {1, {4}}, {1, {4}}},
     .attr = &two,
     .tolerance = 4,
     .slow_grad = true},
    {.name = "far from 0",
     .n_in = 1,
     .in = {{4, {1, 8, 8, 2}, .lo = 9, .hi = 10}},
     .attr = &two,
     .tolerance = 60,
     .slow_grad = true},
    {.name = "view",
     .n_in = 2,
     .in = {{4, {2, 3, 4, 6}, .swap_a = 1, .swap_b = 2}, {1, {6}}},
     .attr = &two,
     .tolerance = 4},
    {.name = "channels", .n_in = 1, .in = {{3, {2, 5, 6}}}, .attr = &odd, .expect = GR_ERR_SHAPE},
    {.name = "no groups", .n_in = 1, .in = {{3, {2, 5, 6}}}, .attr = &none, .expect = GR_ERR_SHAPE},
    {.name = "gamma", .n_in = 2, .in = {{3, {2, 5, 6}}, {1, {5}}}, .attr = &two, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_group_norm = {
    .name = "group_norm",
    .min_in = 1,
    .max_in = 3,
    .n_out = 3,
    .attr_bytes = sizeof(gr__group_norm_attr),
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 3,
    .grad_reads_out = 6,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_group_norm(gr_graph *g, gr_value x, int64_t groups, gr_value gamma, gr_value beta, double eps)
{
    gr__group_norm_attr a = {eps != 0 ? eps : 1e-5, groups ? groups : gr_value_dim(g, x, -1)};
    return gr__node_add(g, &gr__op_group_norm, (gr_value[]){x, gamma, beta}, 3, &a, NULL);
}

gr_value gr_batch_norm(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, double eps, gr_value *mean,
                       gr_value *variance)
{
    gr_value out[3];
    int64_t channels = gr_value_dim(g, x, -1);
    gr__group_norm_attr a = {eps != 0 ? eps : 1e-5, channels};
    if (mean) *mean = 0;
    if (variance) *variance = 0;
    if (!gr__require(g, "batch_norm", x)) return 0;
    if (gr_value_rank(g, x) < 2)
        return gr__graph_fail(g, GR_ERR_SHAPE, "batch_norm: a value with %d axes has no batch and channels",
                              gr_value_rank(g, x));
    if (!gr__is_float(gr_value_dtype(g, x)))
        return gr__graph_fail(g, GR_ERR_DTYPE, "batch_norm: x is %s, not f64, f32 or bf16",
                              gr_dtype_name(gr_value_dtype(g, x)));
    gr_value one = gr_reshape(g, x, 3, (int64_t[]){1, -1, channels});
    gr_value y = gr__node_add(g, &gr__op_group_norm, (gr_value[]){one, gamma, beta}, 3, &a, out);
    if (mean) *mean = gr_reshape(g, out[1], 1, &channels);
    /* 1/rstd^2 - eps: exact to a rounding of variance + eps, which is all that the running mean of it needs */
    if (variance)
        *variance = gr_affine(g, gr_reciprocal(g, gr_square(g, gr_reshape(g, out[2], 1, &channels))), 1, -a.eps);
    return gr__reshape_like(g, y, x);
}

gr_value gr_batch_norm_fixed(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, gr_value mean, gr_value variance,
                             double eps)
{
    if (!(eps >= 0 && eps < (double)INFINITY))
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "batch_norm_fixed: eps is %g", eps);
    gr_value scale = gr_rsqrt(g, gr_affine(g, variance, 1, eps != 0 ? eps : 1e-5));
    if (gamma) scale = gr_mul(g, scale, gamma);
    gr_value shift = gr_mul(g, mean, scale);
    shift = beta ? gr_sub(g, beta, shift) : gr_neg(g, shift);
    return gr_cast_like(g, gr_add(g, gr_mul(g, x, scale), shift), x);
}
