/* softmax(q·kᵀ·scale)·v, outputs o (B, Tq, H, D) and lse (B, H, Tq), the log of the sum of the exponentials, f32
 * (f64 for f64). A query that sees no key gives o = 0 and lse = -inf. */
#include "op/attention.h"

#include <math.h>

/* ---- shared with the gradient ---- */

gr_status gr__infer_attention(const gr__infer *c, int optional)
{
    const gr__attention_attr *a = c->attr;
    for (int i = 0; i < 3; i++) GR_TRY(gr__want_rank(c, i, 4));
    for (int i = 0; i < 3; i++) GR_TRY(gr__want_float(c, i));
    const gr__value *q = c->in[0], *k = c->in[1];
    GR_TRY(gr__want_dtype(c, 2, k->dtype));
    GR_TRY(gr__want_out_dtype(c, q->dtype, k->dtype));
    GR_TRY(gr__want_shape(c, 2, 4, k->dim, "v"));
    char sq[96], sk[96];
    GR_FAIL_IF(q->dim[0] != k->dim[0] || q->dim[3] != k->dim[3] || q->dim[2] % k->dim[2] != 0, GR_ERR_SHAPE,
               "%s: q %s and k %s must agree in batch and head size, and the heads of q be a multiple of those of k",
               c->op, gr__shape_text(sq, 4, q->dim), gr__shape_text(sk, 4, k->dim));
    GR_FAIL_IF(a->window < 0 || (a->window > 0 && !a->causal), GR_ERR_ARGUMENT, "%s: window %lld%s", c->op,
               (long long)a->window, a->causal ? "" : " without 'causal'");
    for (int i = optional; i < optional + 2; i++) {
        if (!gr__given(c, i)) continue;
        GR_TRY(gr__want_dtype(c, i, GR_I32));
        GR_TRY(gr__want_shape(c, i, 1, q->dim, i == optional ? "start, one of each row of the batch" : "lengths"));
    }
    GR_FAIL_IF(!isfinite(a->scale), GR_ERR_ARGUMENT, "%s: the scale is %g", c->op, a->scale);
    if (!gr__given(c, optional + 2)) return GR_OK;
    GR_TRY(gr__want_dtype(c, optional + 2, GR_U8));
    return gr__want_shape(c, optional + 2, 2, k->dim, "key_mask");
}

gr__attention_view gr__attention_view_of(const gr__args *a, int optional)
{
    const gr__arg *q = &a->in[0], *k = &a->in[1];
    return (gr__attention_view){
        .attr = a->attr,
        .q = q,
        .k = k,
        .v = &a->in[2],
        .start = gr__has(a, optional) ? &a->in[optional] : NULL,
        .lengths = gr__has(a, optional + 1) ? &a->in[optional + 1] : NULL,
        .mask = gr__has(a, optional + 2) ? &a->in[optional + 2] : NULL,
        .batch = q->dim[0],
        .tq = q->dim[1],
        .tk = k->dim[1],
        .heads = q->dim[2],
        .kv_heads = k->dim[2],
        .d = q->dim[3],
    };
}

bool gr__attention_sees(const gr__attention_view *w, int64_t b, int64_t i, int64_t j)
{
    int64_t at = (w->start ? gr__load_int(w->start, b * w->start->stride[0]) : 0) + i;
    if (w->lengths && j >= gr__load_int(w->lengths, b * w->lengths->stride[0])) return false;
    if (w->mask && gr__load_int(w->mask, b * w->mask->stride[0] + j * w->mask->stride[1]) == 0) return false;
    if (!w->attr->causal) return true;
    return j <= at && (w->attr->window == 0 || j > at - w->attr->window);
}

double gr__attention_dot(const gr__arg *x, int64_t b, int64_t t, int64_t h, const gr__arg *y, int64_t s, int64_t g)
{
    double sum = 0;
    for (int64_t i = 0; i < x->dim[3]; i++)
        sum +=
            gr__load(x, gr__offset(x, (int64_t[]){b, t, h, i})) * gr__load(y, gr__offset(y, (int64_t[]){b, s, g, i}));
    return sum;
}

/* ---- the op ---- */

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__infer_attention(c, 3));
    const gr__value *q = c->in[0];
    c->out[0] = *q;
    c->out[1] = (gr__value){.dtype = gr__stats_dtype(q->dtype), .rank = 3, .dim = {q->dim[0], q->dim[2], q->dim[1]}};
    return GR_OK;
}

static gr_value operand(const gr__node *n, int i) { return i < n->n_in ? n->in[i] : 0; }

static void grad(gr__grad *c)
{
    const gr__node *n = c->node;
    if (!gr__grad_only_first(c, 0)) return;
    gr_value in[] = {n->in[0],       n->in[1],      n->in[2],      n->out[0],    n->out[1],
                     c->out_grad[0], operand(n, 3), operand(n, 4), operand(n, 5)};
    gr__node_add(c->g, &gr__op_attention_grad, in, 9, n->attr, c->in_grad);
}

/* The numbers 0 .. n-1 in axis 'axis' of 5. */
static gr_value positions(gr_graph *g, gr_dtype dtype, int64_t n, int axis)
{
    gr_tensor t = {.dtype = GR_I32, .rank = 5, .dim = {1, 1, 1, 1, 1}, .data = gr__alloc((size_t)n * sizeof(int32_t))};
    if (!t.data) return gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for %lld positions", (long long)n);
    for (int64_t i = 0; i < n; i++) ((int32_t *)t.data)[i] = (int32_t)i;
    t.dim[axis] = n;
    gr_value v = gr_cast(g, gr_constant(g, &t), dtype);
    gr__free(t.data);
    return v;
}

/* (B or 1, 1, 1, Tq or 1, Tk), 1 where the query sees the key; 0 when every query sees every key. */
static gr_value visible(gr_graph *g, const gr__node *n, gr_dtype dtype)
{
    const gr__attention_attr *a = n->attr;
    gr_value start = operand(n, 3), lengths = operand(n, 4), mask = operand(n, 5), seen = 0;
    int64_t batch = gr_value_dim(g, n->in[0], 0), per_batch[] = {batch, 1, 1, 1, 1};
    int64_t tq = gr_value_dim(g, n->in[0], 1), tk = gr_value_dim(g, n->in[1], 1);
    gr_value j = positions(g, dtype, tk, 4);
    if (a->causal) {
        gr_value at = positions(g, dtype, tq, 3);
        if (start) at = gr_add(g, at, gr_reshape(g, gr_cast(g, start, dtype), 5, per_batch));
        seen = gr_greater_equal(g, at, j);
        if (a->window) seen = gr_mul(g, seen, gr_greater(g, j, gr_affine(g, at, 1, -(double)a->window)));
    }
    if (lengths) {
        gr_value real = gr_greater(g, gr_reshape(g, gr_cast(g, lengths, dtype), 5, per_batch), j);
        seen = seen ? gr_mul(g, seen, real) : real;
    }
    if (mask) {
        gr_value shown = gr_reshape(g, gr_cast(g, mask, dtype), 5, (int64_t[]){batch, 1, 1, 1, tk});
        seen = seen ? gr_where(g, shown, seen, gr_scalar(g, dtype, 0)) : shown;
    }
    return seen;
}

/* Scores (B, Hkv, H/Hkv, Tq, Tk) in the dtype of the statistics. */
static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__attention_attr *a = n->attr;
    gr_dtype dtype = gr_value_dtype(g, n->out[1]);
    gr__value q = *gr__value_get(g, n->in[0]), k = *gr__value_get(g, n->in[1]);
    int64_t groups = k.dim[2], each = q.dim[2] / k.dim[2];
    int to_heads[] = {0, 2, 1, 3};
    gr_value qh = gr_permute(g, gr_cast(g, n->in[0], dtype), to_heads);
    gr_value kh = gr_permute(g, gr_cast(g, n->in[1], dtype), to_heads);
    gr_value vh = gr_permute(g, gr_cast(g, n->in[2], dtype), to_heads);
    qh = gr_reshape(g, qh, 5, (int64_t[]){q.dim[0], groups, each, q.dim[1], q.dim[3]});
    kh = gr_reshape(g, kh, 5, (int64_t[]){q.dim[0], groups, 1, k.dim[1], q.dim[3]});
    vh = gr_reshape(g, vh, 5, (int64_t[]){q.dim[0], groups, 1, k.dim[1], q.dim[3]});
    gr_value s = gr_affine(g, gr_matmul(g, qh, kh, &(gr_matmul_options){.transpose_b = true}), a->scale, 0);
    gr_value seen = visible(g, n, dtype);
    if (seen) s = gr_where(g, seen, s, gr_scalar(g, dtype, -(double)INFINITY));
    gr_value o = gr_matmul(g, gr_softmax(g, s), vh, NULL);
    o = gr_permute(g, gr_reshape(g, o, 4, (int64_t[]){q.dim[0], q.dim[2], q.dim[1], q.dim[3]}), to_heads);
    out[0] = gr_cast(g, o, q.dtype);
    gr_value most = gr_maximum(g, gr_max(g, s, 1u << 4, true), gr_scalar(g, dtype, -1e30));
    gr_value lse = gr_add(g, gr_log(g, gr_sum(g, gr_exp(g, gr_sub(g, s, most)), 1u << 4, true)), most);
    out[1] = gr__reshape_like(g, lse, n->out[1]);
}

static void one_query(const gr__args *a, const gr__attention_view *w, int64_t b, int64_t h, int64_t i)
{
    const gr__arg *o = &a->out[0], *lse = &a->out[1];
    int64_t g = h / (w->heads / w->kv_heads);
    double most = -(double)INFINITY, sum = 0;
    for (int64_t j = 0; j < w->tk; j++)
        if (gr__attention_sees(w, b, i, j))
            most = fmax(most, gr__attention_dot(w->q, b, i, h, w->k, j, g) * w->attr->scale);
    for (int64_t j = 0; j < w->tk; j++)
        if (gr__attention_sees(w, b, i, j))
            sum += exp(gr__attention_dot(w->q, b, i, h, w->k, j, g) * w->attr->scale - most);
    double log_sum = sum > 0 ? most + log(sum) : -(double)INFINITY;
    for (int64_t c = 0; c < w->d && gr__wanted(a, 0); c++) {
        double v = 0;
        for (int64_t j = 0; j < w->tk; j++)
            if (gr__attention_sees(w, b, i, j))
                v += exp(gr__attention_dot(w->q, b, i, h, w->k, j, g) * w->attr->scale - log_sum) *
                     gr__load(w->v, gr__offset(w->v, (int64_t[]){b, j, g, c}));
        gr__store(o, gr__offset(o, (int64_t[]){b, i, h, c}), v);
    }
    if (gr__wanted(a, 1)) gr__store(lse, gr__offset(lse, (int64_t[]){b, h, i}), log_sum);
}

static gr_status reference(const gr__args *a)
{
    gr__attention_view w = gr__attention_view_of(a, 3);
    for (int64_t b = 0; b < w.batch; b++)
        for (int64_t h = 0; h < w.heads; h++)
            for (int64_t i = 0; i < w.tq; i++) one_query(a, &w, b, h, i);
    return GR_OK;
}

static double flops(const gr__args *a)
{
    const gr__arg *q = &a->in[0];
    double all = 4.0 * (double)gr__arg_count(q) * (double)a->in[1].dim[1];
    return ((const gr__attention_attr *)a->attr)->causal ? all / 2 : all;
}

#define START .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__attention_attr plain = {.scale = 0.5}, causal = {.scale = 0.4, .causal = true},
                                window = {.scale = 0.5, .causal = true, .window = 3}, odd = {.scale = 0.5, .window = 3};
static const gr__case cases[] = {
    {.name = "plain", .n_in = 3, .in = {{4, {2, 3, 2, 4}}, {4, {2, 5, 2, 4}}, {4, {2, 5, 2, 4}}}, .attr = &plain},
    {.name = "causal", .n_in = 3, .in = {{4, {1, 7, 2, 5}}, {4, {1, 7, 2, 5}}, {4, {1, 7, 2, 5}}}, .attr = &causal},
    {.name = "groups", .n_in = 3, .in = {{4, {2, 4, 6, 3}}, {4, {2, 4, 2, 3}}, {4, {2, 4, 2, 3}}}, .attr = &causal},
    {.name = "window", .n_in = 3, .in = {{4, {1, 9, 1, 4}}, {4, {1, 9, 1, 4}}, {4, {1, 9, 1, 4}}}, .attr = &window},
    {.name = "decoding",
     .n_in = 5,
     .in = {{4, {3, 1, 2, 4}},
            {4, {3, 9, 2, 4}},
            {4, {3, 9, 2, 4}},
            {1, {3}, START, .hi = 8},
            {1, {3}, START, .lo = 1, .hi = 9}},
     .attr = &causal},
    {.name = "padding",
     .n_in = 6,
     .in = {{4, {2, 3, 2, 4}},
            {4, {2, 6, 1, 4}},
            {4, {2, 6, 1, 4}},
            {-1},
            {-1},
            {2, {2, 6}, .dtype = GR_U8, .fill = GR__FILL_MASK}},
     .attr = &plain},
    {.name = "nothing seen",
     .n_in = 5,
     .in = {{4, {2, 3, 1, 4}}, {4, {2, 4, 1, 4}}, {4, {2, 4, 1, 4}}, {-1}, {1, {2}, START, .lo = 0, .hi = 1}},
     .attr = &plain},
    {.name = "one", .n_in = 3, .in = {{4, {1, 1, 1, 1}}, {4, {1, 1, 1, 1}}, {4, {1, 1, 1, 1}}}, .attr = &causal},
    {.name = "views",
     .n_in = 3,
     .in = {{4, {2, 5, 3, 4}, .swap_a = 1, .swap_b = 2},
            {4, {2, 5, 3, 4}, .swap_a = 1, .swap_b = 2},
            {4, {2, 5, 3, 4}}},
     .attr = &causal},
    {.name = "heads",
     .n_in = 3,
     .in = {{4, {1, 4, 3, 4}}, {4, {1, 4, 2, 4}}, {4, {1, 4, 2, 4}}},
     .attr = &plain,
     .expect = GR_ERR_SHAPE},
    {.name = "lost window",
     .n_in = 3,
     .in = {{4, {1, 4, 1, 4}}, {4, {1, 4, 1, 4}}, {4, {1, 4, 1, 4}}},
     .attr = &odd,
     .expect = GR_ERR_ARGUMENT},
    {.name = "float start",
     .n_in = 4,
     .in = {{4, {1, 4, 1, 4}}, {4, {1, 4, 1, 4}}, {4, {1, 4, 1, 4}}, {1, {1}}},
     .attr = &causal,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_attention = {
    .name = "attention",
    .min_in = 3,
    .max_in = 6,
    .n_out = 2,
    .attr_bytes = sizeof(gr__attention_attr),
    .autocast = GR__CAST_LOW,
    .float_in = 7,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 63,
    .grad_reads_out = 3,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_attention(gr_graph *g, gr_value q, gr_value k, gr_value v, const gr_attention_options *options)
{
    gr_attention_options o = options ? *options : (gr_attention_options){0};
    gr__attention_attr a = {.scale = o.scale, .causal = o.causal, .window = o.window};
    if (a.scale == 0) a.scale = 1 / sqrt((double)gr_value_dim(g, q, -1));
    return gr__node_add(g, &gr__op_attention, (gr_value[]){q, k, v, o.start, o.lengths, o.key_mask}, 6, &a, NULL);
}
