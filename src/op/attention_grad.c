/* From q, k, v, o, lse and do (then start, lengths, key_mask). With p = exp(q·k*scale - lse), delta = sum of do*o over d:
 *   dv = pᵀ·do,   ds = p*(do·vᵀ - delta)*scale,   dq = ds·k,   dk = dsᵀ·q */
#include "op/attention.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__infer_attention(c, 6));
    const gr__value *q = c->in[0];
    for (int i = 3; i < 6; i += 2) {
        GR_TRY(gr__want_dtype(c, i, q->dtype));
        GR_TRY(gr__want_shape(c, i, 4, q->dim, i == 3 ? "o" : "do"));
    }
    GR_TRY(gr__want_dtype(c, 4, gr__stats_dtype(q->dtype)));
    GR_TRY(gr__want_shape(c, 4, 3, (int64_t[]){q->dim[0], q->dim[2], q->dim[1]}, "lse"));
    for (int i = 0; i < 3; i++) c->out[i] = *c->in[i];
    return GR_OK;
}

/* p and ds of one pair of query and key. */
static void pair(const gr__args *a, const gr__attention_view *w, int64_t b, int64_t h, int64_t i, int64_t j, double *p,
                 double *ds)
{
    const gr__arg *o = &a->in[3], *lse = &a->in[4], *d_o = &a->in[5];
    int64_t g = h / (w->heads / w->kv_heads);
    double scale = w->attr->scale, log_sum = gr__load(lse, gr__offset(lse, (int64_t[]){b, h, i}));
    *p = exp(gr__attention_dot(w->q, b, i, h, w->k, j, g) * scale - log_sum);
    double dp = gr__attention_dot(d_o, b, i, h, w->v, j, g), delta = gr__attention_dot(d_o, b, i, h, o, i, h);
    *ds = *p * (dp - delta) * scale;
}

/* acc[0 .. n-1] (+)= factor*row */
static void add_row(double *acc, double factor, const gr__arg *x, int64_t b, int64_t t, int64_t h)
{
    for (int64_t c = 0; c < x->dim[3]; c++) acc[c] += factor * gr__load(x, gr__offset(x, (int64_t[]){b, t, h, c}));
}

static void store_rows(const gr__arg *x, const double *acc, int64_t b, int64_t h)
{
    for (int64_t t = 0; t < x->dim[1]; t++)
        for (int64_t c = 0; c < x->dim[3]; c++)
            gr__store(x, gr__offset(x, (int64_t[]){b, t, h, c}), acc[t * x->dim[3] + c]);
}

static gr_status reference(const gr__args *a)
{
    gr__attention_view w = gr__attention_view_of(a, 6);
    int64_t each = w.heads / w.kv_heads, nq = w.tq * w.d, nk = w.tk * w.d;
    double *dq = gr__alloc((size_t)(nq + 2 * nk) * sizeof *dq);
    if (!dq) return gr__fail_memory("the gradient of attention", (size_t)(nq + 2 * nk) * sizeof *dq);
    double *dk = dq + nq, *dv = dk + nk, p, ds;
    for (int64_t b = 0; b < w.batch; b++)
        for (int64_t h = 0; h < w.heads; h++) {
            int64_t g = h / each;
            for (int64_t i = 0; i < nq; i++) dq[i] = 0;
            for (int64_t i = 0; i < 2 * nk && h % each == 0; i++) dk[i] = 0; /* the heads of one group add up */
            for (int64_t i = 0; i < w.tq; i++)
                for (int64_t j = 0; j < w.tk; j++) {
                    if (!gr__attention_sees(&w, b, i, j)) continue;
                    pair(a, &w, b, h, i, j, &p, &ds);
                    add_row(dq + i * w.d, ds, w.k, b, j, g);
                    add_row(dk + j * w.d, ds, w.q, b, i, h);
                    add_row(dv + j * w.d, p, &a->in[5], b, i, h);
                }
            if (gr__wanted(a, 0)) store_rows(&a->out[0], dq, b, h);
            if (h % each == each - 1 && gr__wanted(a, 1)) store_rows(&a->out[1], dk, b, g);
            if (h % each == each - 1 && gr__wanted(a, 2)) store_rows(&a->out[2], dv, b, g);
        }
    gr__free(dq);
    return GR_OK;
}

static double flops(const gr__args *a)
{
    double all = 10.0 * (double)gr__arg_count(&a->in[0]) * (double)a->in[1].dim[1];
    return ((const gr__attention_attr *)a->attr)->causal ? all / 2 : all;
}

#define LSE .lo = 1, .hi = 3, .dtype = GR__STATS
static const gr__attention_attr plain = {.scale = 0.5}, causal = {.scale = 0.4, .causal = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 6,
     .in = {{4, {2, 3, 2, 4}},
            {4, {2, 5, 2, 4}},
            {4, {2, 5, 2, 4}},
            {4, {2, 3, 2, 4}},
            {3, {2, 2, 3}, LSE},
            {4, {2, 3, 2, 4}}},
     .attr = &plain},
    {.name = "groups",
     .n_in = 6,
     .in = {{4, {1, 7, 6, 3}},
            {4, {1, 7, 2, 3}},
            {4, {1, 7, 2, 3}},
            {4, {1, 7, 6, 3}},
            {3, {1, 6, 7}, LSE},
            {4, {1, 7, 6, 3}}},
     .attr = &causal},
    {.name = "masked",
     .n_in = 8,
     .in = {{4, {2, 3, 2, 4}},
            {4, {2, 6, 1, 4}},
            {4, {2, 6, 1, 4}},
            {4, {2, 3, 2, 4}},
            {3, {2, 2, 3}, LSE},
            {4, {2, 3, 2, 4}},
            {1, {2}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 4},
            {1, {2}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 7}},
     .attr = &causal},
    {.name = "views",
     .n_in = 6,
     .in = {{4, {2, 4, 3, 4}, .swap_a = 1, .swap_b = 2},
            {4, {2, 4, 3, 4}, .swap_a = 1, .swap_b = 2},
            {4, {2, 4, 3, 4}},
            {4, {2, 4, 3, 4}},
            {3, {2, 3, 4}, LSE},
            {4, {2, 4, 3, 4}, .swap_a = 1, .swap_b = 2}},
     .attr = &causal},
    {.name = "lse",
     .n_in = 6,
     .in = {{4, {2, 3, 2, 4}},
            {4, {2, 5, 2, 4}},
            {4, {2, 5, 2, 4}},
            {4, {2, 3, 2, 4}},
            {3, {2, 3, 2}, LSE},
            {4, {2, 3, 2, 4}}},
     .attr = &plain,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_attention_grad = {
    .name = "attention_grad",
    .min_in = 6,
    .max_in = 9,
    .n_out = 3,
    .attr_bytes = sizeof(gr__attention_attr),
    .infer = infer,
    .no_grad = "second derivatives of attention are not provided; build it from gr_matmul and gr_softmax",
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
