/* Attention, forward (attention_int.h tells the layout): online softmax over blocks of keys. */
#include "kernel/simd.h"
#include "kernel/simd/attention_few.h"

/* Scratch of a thread, in this order. */
typedef struct forward {
    head x;
    float *qt; /* (d, GR__BQ), or pairs (d/2, GR__BQ); later O as rows */
    float *ot; /* (d, GR__BQ) */
    float *st; /* (GR__BK, GR__BQ): scores, then probabilities */
    float *pt; /* (GR__BK/2, GR__BQ): probabilities as pairs of keys */
    float *k_tile, *v_tile;
    float *most, *sum, *alpha; /* (GR__BQ) */
    rows_ahead ahead;
} forward;

static forward carve(const gr__attention_plan *p, int thread)
{
    forward f = {.x = {.p = p, .a = &p->a}};
    float *at = (float *)(void *)((char *)p->a.scratch + p->thread_bytes * (size_t)thread);
    f.qt = at;
    f.ot = f.qt + p->dp * GR__BQ;
    f.st = f.ot + p->dp * GR__BQ;
    f.pt = f.st + GR__BK * GR__BQ;
    f.k_tile = f.pt + GR__BK * GR__BQ;
    f.v_tile = f.k_tile + GR__BK * p->dp;
    f.most = f.v_tile + GR__BK * p->dp;
    f.sum = f.most + GR__BQ;
    f.alpha = f.sum + GR__BQ;
    f.x.first_key = f.alpha + GR__BQ;
    f.x.end_key = f.x.first_key + GR__BQ;
    return f;
}

enum { GROUP = 4 }; /* vectors of queries side by side: independent chains; GR__BQ and 16*k are multiples of GR__W */

/* Rows from .. to-1 of the scores, vectors v0 .. group-1: 'most' grows. */
GR__INLINE void most_of_rows(const float *st, int64_t from, int64_t to, int v0, int group, vf *most)
{
    for (int64_t j = from; j < to; j++)
        for (int g = v0; g < group; g++) most[g] = vmax(most[g], vload(st + j * GR__BQ + g * GR__W));
}

/* p = exp of rows from .. to-1 ('from' is even where there are pairs), and their sum. */
GR__INLINE void exp_of_rows(const forward *f, bool pairs, int64_t i, int64_t from, int64_t to, int v0, int group, vf c,
                            const vf *base, vf *sum)
{
    for (int64_t j = from; j < to; j += 2) {
        float *row = f->st + j * GR__BQ + i, *next = row + GR__BQ;
        fetch_rows(&f->ahead, j, 2);
        for (int g = v0; g < group; g++) {
            vf p = vexp2(vfma(vload(row + g * GR__W), c, base[g])), q = vset(0);
            sum[g] = sum[g] + p;
            if (j + 1 < to) {
                q = vexp2(vfma(vload(next + g * GR__W), c, base[g]));
                sum[g] = sum[g] + q;
            }
            if (pairs) {
                vstore(f->pt + j / 2 * GR__BQ + i + g * GR__W, vfrombits(vpair_bf16(p, q)));
            } else {
                vstore(row + g * GR__W, p);
                if (j + 1 < to) vstore(next + g * GR__W, q);
            }
        }
    }
}

/* Vectors i .. of the scores (n, GR__BQ); vector g of a triangle ends at row end[g]. */
GR__INLINE void softmax_vectors(const forward *f, bool pairs, int64_t n, const triangle *t, int64_t i, int group)
{
    vf c = vset(f->x.a->scale * 1.44269504f), most[GROUP], base[GROUP], sum[GROUP];
    int64_t end[GROUP];
    for (int g = 0; g < group; g++) {
        most[g] = vload(f->most + i + g * GR__W);
        end[g] = t->upper ? block_end(i + g * GR__W, t->diagonal, n) : n;
    }
    most_of_rows(f->st + i, 0, end[0], 0, group, most);
    if (group > 1) most_of_rows(f->st + i, end[0], end[1], 1, group, most);
    if (group > 2) most_of_rows(f->st + i, end[1], end[2], 2, group, most);
    if (group > 3) most_of_rows(f->st + i, end[2], end[3], 3, group, most);
    for (int g = 0; g < group; g++) {
        int64_t at = i + g * GR__W;
        base[g] = vselect(veq(most[g], vset(-INFINITY)), vset(0), most[g] * c);
        vf alpha = vexp2(vload(f->most + at) * c - base[g]);
        vstore(f->alpha + at, alpha);
        vstore(f->most + at, most[g]);
        sum[g] = vload(f->sum + at) * alpha;
        base[g] = vset(0) - base[g];
    }
    exp_of_rows(f, pairs, i, 0, end[0], 0, group, c, base, sum);
    if (group > 1) exp_of_rows(f, pairs, i, end[0], end[1], 1, group, c, base, sum);
    if (group > 2) exp_of_rows(f, pairs, i, end[1], end[2], 2, group, c, base, sum);
    if (group > 3) exp_of_rows(f, pairs, i, end[2], end[3], 3, group, c, base, sum);
    for (int g = 0; g < group; g++) vstore(f->sum + i + g * GR__W, sum[g]);
}

GR__INLINE void softmax_block(const forward *f, bool pairs, int64_t n, const triangle *t)
{
    int64_t i = 0;
    for (; i + GROUP * GR__W <= f->x.columns; i += GROUP * GR__W) softmax_vectors(f, pairs, n, t, i, GROUP);
    for (; i < f->x.columns; i += GR__W) softmax_vectors(f, pairs, n, t, i, 1);
}

/* On tiles: v of the keys from k0 on, as GR__PASS_TURN left it. */
GR__INLINE float *turned_block(const head *x, int64_t k0)
{
    int64_t block = (x->b * x->a->kv_heads + x->hkv) * x->p->k_blocks + k0 / GR__BK;
    return x->p->turned + block * x->p->dp * (GR__BK / 2);
}

static void turn_values(forward *f, int64_t task)
{
    const gr__attention *a = f->x.a;
    int64_t k0 = task % f->x.p->k_blocks * GR__BK, group = task / f->x.p->k_blocks, n = GR__MIN(GR__BK, a->tk - k0);
    f->x.b = group / a->kv_heads;
    f->x.hkv = group % a->kv_heads;
    keys v = load_keys(&f->x, a->v, a->v_stride, k0, n, true, NULL);
    interleave_rows(f->v_tile, v.base, v.step, n, a->d, f->x.p->dp);
    turn_pairs(turned_block(&f->x, k0), f->v_tile, n, f->x.p->dp);
}

GR__INLINE void forward_keys(const forward *f, bool pairs, int64_t k0, int64_t n, bool first)
{
    const gr__attention *a = f->x.a;
    int64_t dp = f->x.p->dp;
    keys k = load_keys(&f->x, a->k, a->k_stride, k0, n, pairs, f->k_tile);
    keys v = load_keys(&f->x, a->v, a->v_stride, k0, n, pairs, f->v_tile);
    block_job scores = {.m = n,
                        .n = f->x.columns,
                        .k = pairs ? a->d / 2 : a->d,
                        .a = k.base,
                        .row = k.step,
                        .unit = 4,
                        .b = f->qt,
                        .ldb = GR__BQ,
                        .c = f->st,
                        .ldc = GR__BQ};
    triangle t = triangle_of(&f->x, k0, n, pairs);
    set_upper(&scores, &t, BLOCK_C);
    multiply(&scores, pairs);
    mask_scores(&f->x, f->st, k0, n);
    softmax_block(f, pairs, n, &t);
    block_job values = {.m = a->d,
                        .n = f->x.columns,
                        .k = n,
                        .a = v.base,
                        .row = 4,
                        .unit = v.step,
                        .b = f->st,
                        .ldb = GR__BQ,
                        .c = f->ot,
                        .ldc = GR__BQ,
                        .add = !first,
                        .alpha = f->alpha};
    set_upper(&values, &t, BLOCK_B);
    if (pairs) {
        if (GR__BLOCK_TILES) {
            set_turned(&values, turned_block(&f->x, k0), n);
        } else {
            interleave_rows(f->v_tile, v.base, v.step, n, a->d, dp);
            set_pairs(&values, f->v_tile, n, dp);
        }
        values.b = f->pt;
    }
    multiply(&values, pairs);
}

static void write_output(const forward *f)
{
    const head *x = &f->x;
    const gr__attention *a = x->a;
    float c = a->scale * 1.44269504f, lse[GR__BQ];
    float_rows out = query_rows(x, f->qt, a->o, a->o_stride);
    transpose_back(out, f->ot, x->columns, x->p->dp);
    for (int64_t i = 0; i < x->columns; i += GR__W) {
        vf sum = vload(f->sum + i), none = vset(0);
        vf l = vload(f->most + i) * vset(c) * vset(0.69314718f) + vlog(sum);
        vstore(lse + i, vselect(veq(sum, none), vset(-INFINITY), l));
        vstore(f->alpha + i, vselect(veq(sum, none), none, vset(1) / sum));
    }
    for (int64_t i = 0; i < x->rows; i++) {
        float *o = out.at + i * out.ld;
        vf s = vset(f->alpha[i]);
        for (int64_t j = 0; j < x->p->dp; j += GR__W) vstore(o + j, vload(o + j) * s);
    }
    scatter_rows(x, out, f->qt, a->o, a->o_stride);
    if (a->lse) memcpy(a->lse + (x->b * a->heads + x->h) * a->tq + x->q0, lse, (size_t)x->rows * 4);
}

GR__INLINE void run_forward(const gr__attention_plan *p, int64_t task, int thread, bool pairs)
{
    forward f = carve(p, thread);
    const gr__attention *a = &p->a;
    if (GR__BLOCK_TILES && p->pass == GR__PASS_TURN) {
        turn_values(&f, task);
        return;
    }
    int64_t per = p->pass == GR__PASS_FEW ? 1 : p->q_blocks, block = per - 1 - task % per; /* the longest first */
    f.x.b = task / per / a->heads;
    f.x.h = task / per % a->heads;
    f.x.hkv = f.x.h / (a->heads / a->kv_heads);
    if (p->pass == GR__PASS_FEW) {
        attention_few(&f.x, f.qt);
        return;
    }
    head_set_queries(&f.x, block * GR__BQ, GR__MIN(GR__BQ, a->tq - block * GR__BQ));
    if (pairs) {
        gather_pairs(&f.x, f.ot, a->q, a->q_stride);
        transpose_block(f.qt, (float_rows){f.ot, pair_words(a->d)}, f.x.columns, pair_words(a->d));
    } else {
        transpose_block(f.qt, gather_rows(&f.x, f.ot, a->q, a->q_stride), f.x.columns, p->dp);
    }
    memset(f.ot, 0, (size_t)(p->dp * GR__BQ) * 4);
    for (int64_t i = 0; i < GR__BQ; i++) f.most[i] = -INFINITY, f.sum[i] = 0;
    for (int64_t k0 = f.x.k_first; k0 < f.x.k_end; k0 += GR__BK) {
        if (!pairs) f.ahead = keys_ahead(&f.x, k0 + GR__BK, f.x.k_end);
        forward_keys(&f, pairs, k0, GR__MIN(GR__BK, f.x.k_end - k0), k0 == f.x.k_first);
    }
    write_output(&f);
}

void GR__KERNEL(attention_forward)(const void *plan, int64_t task, int thread)
{
    run_forward(plan, task, thread, false);
}

void GR__KERNEL(attention_forward_bf16)(const void *plan, int64_t task, int thread)
{
    multiply_begin();
    run_forward(plan, task, thread, true);
    multiply_end();
}
