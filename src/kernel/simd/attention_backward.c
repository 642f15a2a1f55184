/* Attention, backward (attention_int.h tells the layout). With P^T recomputed from lse, delta = sum over d of dO*O and
 *     dS^T = P^T * (V*dO^T - delta) * scale:
 *     dV += P^T*dO,   dK += dS^T*Q,   dQ^T += K^T*dS^T.
 * Sums run over blocks of queries (dk, dv: heads of the group first) or keys (dq) in their order in every pass. */
#include "kernel/simd.h"
#include "kernel/simd/attention.h"

typedef struct backward {
    head x;
    float *qt, *dot;              /* (d, GR__BQ) Q^T and dO^T, or pairs (d/2, GR__BQ) */
    float *q, *dout;              /* (GR__BQ, dp) rows, or pairs of queries (GR__BQ/2, dp) */
    float_rows q_rows, dout_rows; /* there, or where they lie */
    float *dqt;                   /* (d, GR__BQ) */
    float *st, *dpt;              /* (GR__BK, GR__BQ): S^T then P^T; dP^T then dS^T */
    uint16_t *p16, *ds16;         /* (GR__BK, GR__BQ) bf16 of P^T, dS^T */
    float *ds_pairs;              /* (GR__BK/2, GR__BQ) dS^T as pairs of keys */
    float *k_tile, *v_tile, *k_pairs;
    float *lse, *delta; /* (GR__BQ); lse in units of log 2 */
    float *dk, *dv;     /* (keys, dp) sums from key 'k_base' on */
    int64_t k_base;
    bool want_q, want_kv;
    rows_ahead ahead;
} backward;

static backward carve(const gr__attention_plan *p, int thread)
{
    backward w = {.x = {.p = p, .a = &p->a}, .want_q = p->pass != GR__PASS_DKV, .want_kv = p->pass != GR__PASS_DQ};
    int64_t side = p->dp * GR__BQ, tile = GR__BK * GR__BQ, rows = GR__BK * p->dp;
    float *at = (float *)(void *)((char *)p->a.scratch + p->thread_bytes * (size_t)thread);
    w.qt = at;
    w.dot = w.qt + side;
    w.q = w.dot + side;
    w.dout = w.q + side;
    w.dqt = w.dout + side;
    w.st = w.dqt + side;
    w.dpt = w.st + tile;
    w.p16 = (uint16_t *)(void *)(w.dpt + tile);
    w.ds16 = w.p16 + tile;
    w.ds_pairs = w.dpt + 2 * tile;
    w.k_tile = w.ds_pairs + tile;
    w.v_tile = w.k_tile + rows;
    w.k_pairs = w.v_tile + rows;
    w.lse = w.k_pairs + rows;
    w.delta = w.lse + GR__BQ;
    w.x.first_key = w.delta + GR__BQ;
    w.x.end_key = w.x.first_key + GR__BQ;
    w.dk = w.lse + 8 * GR__BQ;
    int64_t n_keys = p->pass == GR__PASS_ALL ? p->k_blocks * GR__BK : GR__BK;
    w.dv = w.dk + n_keys * p->dp;
    return w;
}

/* lse and delta of the block; o passes through dqt. */
static void load_statistics(const backward *w)
{
    const head *x = &w->x;
    const gr__attention *a = x->a;
    int64_t dp = x->p->dp;
    float_rows out = gather_rows(x, w->dqt, a->o, a->o_stride);
    for (int64_t i = 0; i < GR__BQ; i++) {
        float l = i < x->rows ? a->lse[(x->b * a->heads + x->h) * a->tq + x->q0 + i] : -INFINITY;
        w->lse[i] = l == -INFINITY ? INFINITY : l * 1.44269504f; /* no visible key: P = 0 */
        w->delta[i] = 0;
        if (i >= x->rows) continue;
        lanes sum = lanes_set(0);
        const float *o = out.at + i * out.ld, *d = w->dout_rows.at + i * w->dout_rows.ld;
        for (int64_t j = 0; j < dp; j += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++)
                sum.part[p] = sum.part[p] + vload(o + j + p * GR__W) * vload(d + j + p * GR__W);
        w->delta[i] = lanes_sum(&sum);
    }
}

static void load_queries(backward *w, bool pairs, int64_t q0, int64_t rows)
{
    head *x = &w->x;
    const gr__attention *a = x->a;
    head_set_queries(x, q0, rows);
    w->dout_rows = gather_rows(x, w->dout, a->dout, a->dout_stride);
    load_statistics(w);
    if (pairs) {
        int64_t words = pair_words(a->d), step_q = a->q_stride[1] * 2, step_o = a->dout_stride[1] * 2;
        gather_pairs(x, w->dqt, a->q, a->q_stride);
        float_rows rows_of_pairs = {w->dqt, words};
        transpose_block(w->qt, rows_of_pairs, x->columns, words);
        gather_pairs(x, w->dqt, a->dout, a->dout_stride);
        transpose_block(w->dot, rows_of_pairs, x->columns, words);
        interleave_rows(w->q, at_const(a->q, a->q_stride, GR_BF16, x->b, q0, x->h), step_q, rows, a->d, x->p->dp);
        interleave_rows(w->dout, at_const(a->dout, a->dout_stride, GR_BF16, x->b, q0, x->h), step_o, rows, a->d,
                        x->p->dp);
        w->q_rows = (float_rows){w->q, x->p->dp};
        w->dout_rows = (float_rows){w->dout, x->p->dp};
    } else {
        w->q_rows = gather_rows(x, w->q, a->q, a->q_stride);
        transpose_block(w->qt, w->q_rows, x->columns, x->p->dp);
        transpose_block(w->dot, w->dout_rows, x->columns, x->p->dp);
    }
    if (w->want_q) memset(w->dqt, 0, (size_t)(x->p->dp * GR__BQ) * 4);
}

/* S^T -> P^T, dP^T -> dS^T for vectors i of rows j and j+1 */
GR__INLINE void gradient_vectors(const backward *w, bool pairs, int64_t n, const triangle *t)
{
    const gr__attention *a = w->x.a;
    vf c = vset(a->scale * 1.44269504f), scale = vset(a->scale);
    for (int64_t j = 0; j < n; j += 2) {
        fetch_rows(&w->ahead, j, 2);
        for (int64_t i = t->upper ? block_first(j, t->diagonal, w->x.columns) : 0; i < w->x.columns; i += GR__W) {
            vf lse = vset(0) - vload(w->lse + i), delta = vload(w->delta + i), ds[2] = {vset(0), vset(0)};
            for (int64_t r = 0; r < 2 && j + r < n; r++) {
                int64_t at = (j + r) * GR__BQ + i;
                vf p = vexp2(vfma(vload(w->st + at), c, lse));
                ds[r] = p * (vload(w->dpt + at) - delta) * scale;
                if (pairs) {
                    vstore_bf16(w->p16 + at, p);
                    vstore_bf16(w->ds16 + at, ds[r]);
                } else {
                    vstore(w->st + at, p);
                    vstore(w->dpt + at, ds[r]);
                }
            }
            if (pairs && w->want_q) vstore(w->ds_pairs + j / 2 * GR__BQ + i, vfrombits(vpair_bf16(ds[0], ds[1])));
        }
    }
}

GR__INLINE void add_kv(const backward *w, bool pairs, int64_t k0, int64_t n, const triangle *t)
{
    int64_t dp = w->x.p->dp, at = (k0 - w->k_base) * dp, queries = w->x.rows;
    block_job v = {.m = n,
                   .n = dp,
                   .k = queries,
                   .a = (const char *)w->st,
                   .row = GR__BQ * 4,
                   .unit = 4,
                   .b = w->dout_rows.at,
                   .ldb = w->dout_rows.ld,
                   .c = w->dv + at,
                   .ldc = dp,
                   .add = true};
    set_upper(&v, t, BLOCK_A);
    block_job k = v;
    k.a = (const char *)w->dpt;
    k.b = w->q_rows.at;
    k.ldb = w->q_rows.ld;
    k.c = w->dk + at;
    if (pairs) {
        v.a = (const char *)w->p16;
        k.a = (const char *)w->ds16;
        v.row = k.row = GR__BQ * 2;
        v.k = k.k = (queries + 1) / 2;
    }
    multiply(&v, pairs);
    multiply(&k, pairs);
}

/* One block of queries against one block of keys. */
GR__INLINE void backward_pair(const backward *w, bool pairs, int64_t k0, int64_t n)
{
    const gr__attention *a = w->x.a;
    int64_t dp = w->x.p->dp;
    keys k = load_keys(&w->x, a->k, a->k_stride, k0, n, pairs, w->k_tile);
    keys v = load_keys(&w->x, a->v, a->v_stride, k0, n, pairs, w->v_tile);
    block_job s = {.m = n,
                   .n = w->x.columns,
                   .k = pairs ? a->d / 2 : a->d,
                   .a = k.base,
                   .row = k.step,
                   .unit = 4,
                   .b = w->qt,
                   .ldb = GR__BQ,
                   .c = w->st,
                   .ldc = GR__BQ};
    triangle t = triangle_of(&w->x, k0, n, pairs);
    set_upper(&s, &t, BLOCK_C);
    block_job d = s;
    d.a = v.base;
    d.row = v.step;
    d.b = w->dot;
    d.c = w->dpt;
    multiply(&s, pairs);
    multiply(&d, pairs);
    mask_scores(&w->x, w->st, k0, n);
    gradient_vectors(w, pairs, n, &t);
    if (w->want_kv) add_kv(w, pairs, k0, n, &t);
    if (!w->want_q) return;
    block_job q = {.m = a->d,
                   .n = w->x.columns,
                   .k = n,
                   .a = k.base,
                   .row = 4,
                   .unit = k.step,
                   .b = w->dpt,
                   .ldb = GR__BQ,
                   .c = w->dqt,
                   .ldc = GR__BQ,
                   .add = true};
    set_upper(&q, &t, BLOCK_B);
    if (pairs) {
        interleave_rows(w->k_pairs, k.base, k.step, n, a->d, dp);
        set_pairs(&q, w->k_pairs, n, dp);
        if (GR__BLOCK_TILES) {
            float *turned = w->k_pairs + GR__BK / 2 * dp;
            turn_pairs(turned, w->k_pairs, n, dp);
            set_turned(&q, turned, n);
        }
        q.b = w->ds_pairs;
    }
    multiply(&q, pairs);
}

/* The block of queries behind this one. */
static rows_ahead queries_ahead(const head *x)
{
    const gr__attention *a = x->a;
    int64_t size = (int64_t)size_of(a->dtype), q0 = x->q0 + GR__BQ;
    return (rows_ahead){.n = 3,
                        .at = {at_const(a->q, a->q_stride, a->dtype, x->b, q0, x->h),
                               at_const(a->dout, a->dout_stride, a->dtype, x->b, q0, x->h),
                               at_const(a->o, a->o_stride, a->dtype, x->b, q0, x->h)},
                        .step = {a->q_stride[1] * size, a->dout_stride[1] * size, a->o_stride[1] * size},
                        .rows = GR__MIN(GR__BQ, a->tq - q0),
                        .bytes = a->d * size};
}

/* Block 'block' of queries against keys from .. to-1 (block limits). */
GR__INLINE void backward_queries(backward *w, bool pairs, int64_t block, int64_t from, int64_t to)
{
    const gr__attention *a = w->x.a;
    load_queries(w, pairs, block * GR__BQ, GR__MIN(GR__BQ, a->tq - block * GR__BQ));
    int64_t end = GR__MIN(to, w->x.k_end);
    for (int64_t k0 = GR__MAX(from, w->x.k_first); k0 < end; k0 += GR__BK) {
        if (!pairs) w->ahead = k0 + GR__BK < end ? keys_ahead(&w->x, k0 + GR__BK, end) : queries_ahead(&w->x);
        backward_pair(w, pairs, k0, GR__MIN(GR__BK, end - k0));
    }
    if (!w->want_q) return;
    float_rows dq = query_rows(&w->x, w->q, a->dq, a->dq_stride);
    transpose_back(dq, w->dqt, w->x.columns, w->x.p->dp);
    scatter_rows(&w->x, dq, w->q, a->dq, a->dq_stride);
}

/* Does a block of queries see keys from .. to-1? Saves loading it. */
static bool reaches(const backward *w, int64_t block, int64_t from)
{
    const gr__attention *a = w->x.a;
    int64_t last = GR__MIN((block + 1) * GR__BQ, a->tq) - 1 + (a->q_start ? a->q_start[w->x.b] : 0);
    return !a->causal || last >= from;
}

/* All heads that share key head hkv, against keys from .. to-1. */
GR__INLINE void backward_group(backward *w, bool pairs, int64_t from, int64_t to)
{
    const gr__attention *a = w->x.a;
    int64_t group = a->heads / a->kv_heads, dp = w->x.p->dp, n = GR__MIN(to, a->tk) - from;
    w->k_base = from;
    memset(w->dk, 0, (size_t)(n * dp) * 4);
    memset(w->dv, 0, (size_t)(n * dp) * 4);
    for (int64_t g = 0; g < group; g++) {
        w->x.h = w->x.hkv * group + g;
        for (int64_t block = 0; block < w->x.p->q_blocks; block++)
            if (w->want_q || reaches(w, block, from)) backward_queries(w, pairs, block, from, to);
    }
    for (int64_t j = 0; j < n; j++) {
        store_row((char *)(uintptr_t)at_const(a->dk, a->dk_stride, a->kv_dtype, w->x.b, from + j, w->x.hkv),
                  a->kv_dtype, w->dk + j * dp, a->d);
        store_row((char *)(uintptr_t)at_const(a->dv, a->dv_stride, a->kv_dtype, w->x.b, from + j, w->x.hkv),
                  a->kv_dtype, w->dv + j * dp, a->d);
    }
}

GR__INLINE void run_backward(const gr__attention_plan *p, int64_t task, int thread, bool pairs)
{
    backward w = carve(p, thread);
    const gr__attention *a = &p->a;
    int64_t per = p->pass == GR__PASS_ALL ? 1 : p->pass == GR__PASS_DQ ? p->q_blocks : p->k_blocks;
    int64_t which = task / per, block = task % per;
    if (p->pass == GR__PASS_DQ) {
        w.x.b = which / a->heads;
        w.x.h = which % a->heads;
        w.x.hkv = w.x.h / (a->heads / a->kv_heads);
        backward_queries(&w, pairs, per - 1 - block, 0, a->tk);
        return;
    }
    w.x.b = which / a->kv_heads;
    w.x.hkv = which % a->kv_heads;
    if (p->pass == GR__PASS_ALL)
        backward_group(&w, pairs, 0, a->tk);
    else
        backward_group(&w, pairs, block * GR__BK, (block + 1) * GR__BK);
}

void GR__KERNEL(attention_backward)(const void *plan, int64_t task, int thread)
{
    run_backward(plan, task, thread, false);
}

void GR__KERNEL(attention_backward_bf16)(const void *plan, int64_t task, int thread)
{
    multiply_begin();
    run_backward(plan, task, thread, true);
    multiply_end();
}
