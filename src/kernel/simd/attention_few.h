/* Attention of few queries (decoding): one query at a time, vectors over d, keys and values read once in place. */
#ifndef GR__SIMD_ATTENTION_FEW_H
#define GR__SIMD_ATTENTION_FEW_H

#include "kernel/simd/attention.h"

/* Elements i .. i+GR__W-1 of a row of d. */
GR__INLINE vf load_some(const char *row, gr_dtype dtype, int64_t i, int64_t d)
{
    if (i + GR__W <= d) {
        if (dtype == GR_F32) return vload((const float *)(const void *)row + i);
        return vload_bf16((const uint16_t *)(const void *)row + i);
    }
    float part[GR__W];
    load_row(part, row + i * (int64_t)size_of(dtype), dtype, d - i, GR__W);
    return vload(part);
}

/* s[j] = q*k[j], n keys, s is written up to a multiple of GR__W */
GR__INLINE void few_scores(float *s, const float *q, keys k, gr_dtype dtype, int64_t n, int64_t d)
{
    float part[GR__W * GR__W], turned[GR__W * GR__W];
    for (int64_t j = 0; j < n; j += GR__W) {
        for (int64_t c = 0; c < GR__W; c++) {
            const char *row = k.base + GR__MIN(j + c, n - 1) * k.step;
            vf even = vset(0), odd = vset(0);
            for (int64_t i = 0; i < d; i += 2 * GR__W) {
                even = vfma(vload(q + i), load_some(row, dtype, i, d), even);
                if (i + GR__W < d) odd = vfma(vload(q + i + GR__W), load_some(row, dtype, i + GR__W, d), odd);
            }
            vstore(part + c * GR__W, even + odd);
        }
        transpose_words(turned, GR__W, (const char *)part, GR__W * 4);
        vf sum = vload(turned);
        for (int64_t c = 1; c < GR__W; c++) sum = sum + vload(turned + c * GR__W);
        vstore(s + j, sum);
    }
}

/* o = o*alpha + sum of p[j]*v[j] */
GR__INLINE void few_values(float *o, float alpha, const float *p, keys v, gr_dtype dtype, int64_t n, int64_t d)
{
    int64_t i = 0;
    for (; i + 4 * GR__W <= d; i += 4 * GR__W) {
        vf sum[4];
        for (int64_t w = 0; w < 4; w++) sum[w] = vload(o + i + w * GR__W) * vset(alpha);
        for (int64_t j = 0; j < n; j++) {
            const char *row = v.base + j * v.step;
            for (int64_t w = 0; w < 4; w++) sum[w] = vfma(vset(p[j]), load_some(row, dtype, i + w * GR__W, d), sum[w]);
        }
        for (int64_t w = 0; w < 4; w++) vstore(o + i + w * GR__W, sum[w]);
    }
    for (; i < d; i += GR__W) {
        vf sum = vload(o + i) * vset(alpha);
        for (int64_t j = 0; j < n; j++) sum = vfma(vset(p[j]), load_some(v.base + j * v.step, dtype, i, d), sum);
        vstore(o + i, sum);
    }
}

/* One block of keys; returns the factor of what was summed before. */
GR__INLINE float few_softmax(float *s, int64_t n, float c, float *most, float *sum)
{
    int64_t whole = (n + GR__W - 1) / GR__W * GR__W;
    for (int64_t j = n; j < whole; j++) s[j] = -INFINITY;
    float m = *most, total = 0;
    for (int64_t j = 0; j < n; j++) m = s[j] > m ? s[j] : m;
    vf base = vset(m == -INFINITY ? 0 : m * c), acc = vset(0);
    float before[GR__W];
    vstore(before, vexp2(vset(*most * c) - base));
    for (int64_t j = 0; j < whole; j += GR__W) {
        vf p = vexp2(vfma(vload(s + j), vset(c), vset(0) - base));
        acc = acc + p;
        vstore(s + j, p);
    }
    float parts[GR__W];
    vstore(parts, acc);
    for (int i = 0; i < GR__W; i++) total += parts[i];
    *most = m;
    *sum = *sum * before[0] + total;
    return before[0];
}

GR__INLINE void few_mask(const head *x, float *s, int64_t k0, int64_t n)
{
    const uint8_t *shown = x->a->key_mask ? x->a->key_mask + x->b * x->a->tk + k0 : NULL;
    for (int64_t j = 0; j < n; j++) {
        float key = (float)(k0 + j);
        if (key < x->first_key[0] || key >= x->end_key[0] || (shown && !shown[j])) s[j] = -INFINITY;
    }
}

GR__INLINE void few_query(head *x, int64_t t, gr_dtype dtype, float *q, float *o, float *s)
{
    const gr__attention *a = x->a;
    float c = a->scale * 1.44269504f, most = -INFINITY, sum = 0;
    head_set_queries(x, t, 1);
    load_row(q, at_const(a->q, a->q_stride, a->dtype, x->b, t, x->h), a->dtype, a->d, x->p->dp);
    memset(o, 0, (size_t)x->p->dp * 4);
    for (int64_t k0 = x->k_first; k0 < x->k_end; k0 += GR__BK) {
        int64_t n = GR__MIN(GR__BK, x->k_end - k0);
        keys k = load_keys(x, a->k, a->k_stride, k0, n, true, NULL),
             v = load_keys(x, a->v, a->v_stride, k0, n, true, NULL);
        few_scores(s, q, k, dtype, n, a->d);
        few_mask(x, s, k0, n);
        float alpha = few_softmax(s, n, c, &most, &sum);
        few_values(o, alpha, s, v, dtype, n, a->d);
    }
    for (int64_t i = 0; i < a->d; i++) o[i] = sum > 0 || sum != sum ? o[i] / sum : 0;
    store_row((char *)(uintptr_t)at_const(a->o, a->o_stride, a->dtype, x->b, t, x->h), a->dtype, o, a->d);
    if (a->lse) {
        float log_sum[GR__W];
        vstore(log_sum, vlog(vset(sum)));
        a->lse[(x->b * a->heads + x->h) * a->tq + t] = sum == 0 ? -INFINITY : most * c * 0.69314718f + log_sum[0];
    }
}

static void attention_few(head *x, float *scratch)
{
    float *q = scratch, *o = q + x->p->dp, *s = o + x->p->dp;
    for (int64_t t = 0; t < x->a->tq; t++) {
        if (x->a->kv_dtype == GR_F32)
            few_query(x, t, GR_F32, q, o, s);
        else
            few_query(x, t, GR_BF16, q, o, s);
    }
}

#endif
