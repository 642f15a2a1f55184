/* loss = lse - logit[target] of each row; outputs loss and lse, f32 (f64 for f64). A target outside 0..V-1 does not
 * count: its loss is 0. */
#include "op/rows.h"

#include <math.h>

static gr_status want_logits(const gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 2));
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    return gr__want_shape(c, 1, 1, c->in[0]->dim, "targets, one of each row");
}

static gr_status infer(gr__infer *c)
{
    GR_TRY(want_logits(c));
    for (int i = 0; i < 2; i++) {
        c->out[i] = *c->in[0];
        c->out[i].rank = 1;
        c->out[i].dtype = gr__stats_dtype(c->in[0]->dtype);
    }
    return GR_OK;
}

static void grad(gr__grad *c)
{
    const gr__node *n = c->node;
    if (!gr__grad_only_first(c, 0)) return;
    gr_value in[] = {n->in[0], n->in[1], n->out[1], c->out_grad[0]};
    c->in_grad[0] = gr__node_add(c->g, &gr__op_cross_entropy_grad, in, 4, NULL, NULL);
}

/* (N, 1) -> (N, V): 1 at the target. */
static gr_value at_target(gr_graph *g, gr_value targets, gr_value logits, gr_dtype dtype)
{
    return gr_one_hot(g, targets, gr_value_dim(g, logits, 1), dtype);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_dtype dtype = gr_value_dtype(g, n->out[0]);
    gr_value x = gr_cast(g, n->in[0], dtype), most = gr_max(g, x, 2, true);
    gr_value lse = gr_add(g, gr_log(g, gr_sum(g, gr_exp(g, gr_sub(g, x, most)), 2, true)), most);
    gr_value losses = gr_sub(g, gr_reshape(g, lse, 1, (int64_t[]){-1}), gr_pick(g, x, n->in[1]));
    gr_value counts = gr_sum(g, at_target(g, n->in[1], x, dtype), 2, false);
    out[0] = gr_where(g, counts, losses, gr_scalar(g, dtype, 0));
    out[1] = gr_reshape(g, lse, 1, (int64_t[]){-1});
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *targets = &a->in[1], *loss = &a->out[0], *lse = &a->out[1];
    for (int64_t r = 0; r < x->dim[0]; r++) {
        int64_t t = gr__load_int(targets, r * targets->stride[0]);
        double log_sum = gr__row_lse(x, &r);
        bool counts = t >= 0 && t < x->dim[1];
        double v = counts ? log_sum - gr__load(x, r * x->stride[0] + t * x->stride[1]) : 0;
        if (gr__wanted(a, 0)) gr__store(loss, r * loss->stride[0], v);
        if (gr__wanted(a, 1)) gr__store(lse, r * lse->stride[0], log_sum);
    }
    return GR_OK;
}

static double flops(const gr__args *a) { return 4.0 * (double)gr__arg_count(&a->in[0]); }

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__case cases[] = {
    {.name = "rows", .n_in = 2, .in = {{2, {5, 16}, .lo = -4, .hi = 4}, {1, {5}, IDS, .hi = 16}}},
    {.name = "odd", .n_in = 2, .in = {{2, {3, 37}, .lo = -4, .hi = 4}, {1, {3}, IDS, .hi = 37}}},
    {.name = "outside", .n_in = 2, .in = {{2, {11, 3}}, {1, {11}, IDS, .lo = -2, .hi = 5}}},
    {.name = "one", .n_in = 2, .in = {{2, {1, 1}}, {1, {1}, IDS, .hi = 1}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, .swap_b = 1}, {1, {7}, IDS, .hi = 5}}},
    {.name = "misfit", .n_in = 2, .in = {{2, {7, 5}}, {1, {5}, IDS}}, .expect = GR_ERR_SHAPE},
    {.name = "float targets", .n_in = 2, .in = {{2, {7, 5}}, {1, {7}}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_cross_entropy = {
    .name = "cross_entropy",
    .min_in = 2,
    .max_in = 2,
    .n_out = 2,
    .autocast = GR__CAST_F32,
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

gr_value gr_cross_entropy(gr_graph *g, gr_value logits, gr_value targets)
{
    return gr__node_add(g, &gr__op_cross_entropy, (gr_value[]){logits, targets}, 2, NULL, NULL);
}

/* ---- cross_entropy_grad(logits, targets, lse, dloss): (softmax - onehot)*dloss, 0 in rows that do not count ---- */

static gr_status grad_infer(gr__infer *c)
{
    GR_TRY(want_logits(c));
    for (int i = 2; i < 4; i++) {
        GR_TRY(gr__want_dtype(c, i, gr__stats_dtype(c->in[0]->dtype)));
        GR_TRY(gr__want_shape(c, i, 1, c->in[0]->dim, i == 2 ? "lse" : "the gradient of the losses"));
    }
    c->out[0] = *c->in[0];
    return GR_OK;
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_dtype dtype = gr_value_dtype(g, n->in[2]);
    gr_value x = gr_cast(g, n->in[0], dtype), hot = at_target(g, n->in[1], x, dtype);
    gr_value softmax = gr_exp(g, gr_sub(g, x, gr__expand(g, n->in[2], x, 2)));
    gr_value d = gr_mul(g, gr__expand(g, n->in[3], x, 2), gr_sum(g, hot, 2, true));
    *out = gr_cast(g, gr_mul(g, gr_sub(g, softmax, hot), d), gr_value_dtype(g, n->in[0]));
}

static gr_status grad_reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *targets = &a->in[1], *lse = &a->in[2], *d = &a->in[3], *dx = &a->out[0];
    for (int64_t r = 0; r < x->dim[0]; r++) {
        int64_t t = gr__load_int(targets, r * targets->stride[0]);
        bool counts = t >= 0 && t < x->dim[1];
        double log_sum = gr__load(lse, r * lse->stride[0]), scale = gr__load(d, r * d->stride[0]);
        for (int64_t i = 0; i < x->dim[1]; i++) {
            double p = exp(gr__load(x, r * x->stride[0] + i * x->stride[1]) - log_sum);
            gr__store(dx, r * dx->stride[0] + i * dx->stride[1], counts ? (p - (i == t)) * scale : 0);
        }
    }
    return GR_OK;
}

#define LSE .lo = 2, .hi = 4, .dtype = GR__STATS
static const gr__case grad_cases[] = {
    {.name = "rows",
     .n_in = 4,
     .in = {{2, {5, 16}}, {1, {5}, IDS, .hi = 16}, {1, {5}, LSE}, {1, {5}, .dtype = GR__STATS}}},
    {.name = "outside",
     .n_in = 4,
     .in = {{2, {11, 3}}, {1, {11}, IDS, .lo = -2, .hi = 5}, {1, {11}, LSE}, {1, {11}, .dtype = GR__STATS}}},
    {.name = "transposed",
     .n_in = 4,
     .in = {{2, {7, 5}, .swap_b = 1}, {1, {7}, IDS, .hi = 5}, {1, {7}, LSE}, {1, {7}, .dtype = GR__STATS}}},
    {.name = "misfit",
     .n_in = 4,
     .in = {{2, {7, 5}}, {1, {7}, IDS}, {1, {5}, LSE}, {1, {7}, .dtype = GR__STATS}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .min_in = 4,
    .max_in = 4,
    .n_out = 1,
    .autocast = GR__CAST_F32,
    .infer = grad_infer,
    .no_grad = "second derivatives of cross_entropy are not provided; build it from gr_log_softmax and gr_pick",
    .decompose = grad_decompose,
    .reference = grad_reference,
    .flops = flops,
    .alias = {1},
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
