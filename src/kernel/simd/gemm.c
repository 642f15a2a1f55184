/* Tasks of a matrix product (gemm_int.h): packing, register tiles, and the edges of C. */
#include "kernel/gemm_int.h"

#include "base/parallel.h"
#include "kernel/simd.h"
#include "kernel/simd/gemm_tile.h"

typedef struct task {
    const gr__gemm_plan *p;
    bool pairs;
    const char *a, *b; /* of this batch */
    char *c;
    int64_t size;        /* bytes of an element of A and B */
    int64_t i0, rows;    /* of C */
    int64_t j_first;     /* first column of the block */
    int64_t j0, columns; /* of the panel */
    int64_t next;        /* column where the panel that is packed next begins; n: none */
    int64_t l0, units;   /* of k: first element, packed units of this part */
    float *panel, *sums;
    const float *from; /* B of this part: the panel, or B itself */
    int64_t ldb;
    bool first, last; /* part of k */
} task;

static uint32_t unit_at(const task *t, const char *base, int64_t at, int64_t l, int64_t step)
{
    uint32_t word = 0;
    uint16_t half;
    if (!t->pairs) {
        memcpy(&word, base + at * 4, 4);
        return word;
    }
    memcpy(&half, base + at * 2, 2);
    word = half;
    if (l + 1 < t->p->g.k) {
        memcpy(&half, base + (at + step) * 2, 2);
        word |= (uint32_t)half << 16;
    }
    return word;
}

/* ---- packing B: [units][GR__NR], zeros beyond the last column ---- */

static void pack_slow(const task *t, int64_t u0, int64_t j0)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = t->pairs ? 2 : 1;
    for (int64_t u = u0; u < t->units; u++)
        for (int64_t j = j0; j < t->columns; j++) {
            int64_t l = t->l0 + u * per;
            uint32_t word = unit_at(t, t->b, l * g->b_row + (t->j0 + j) * g->b_col, l, g->b_row);
            memcpy(t->panel + u * GR__NR + j, &word, 4);
        }
}

static const uint16_t no_row[GR__GEMM_MOST_NR];

enum { AHEAD = 12 }; /* rows: the machine does not see this stride coming */

static void pack_rows(const task *t)
{
    const gr__gemm *g = &t->p->g;
    int64_t whole = t->columns / GR__W * GR__W;
    for (int64_t u = 0; u < t->units && !t->pairs; u++) {
        const float *s = (const float *)(const void *)t->b + (t->l0 + u) * g->b_row + t->j0;
        for (int64_t j = 0; j < whole; j += 16) vprefetch(s + AHEAD * g->b_row + j);
        for (int64_t j = 0; j < whole; j += GR__W) vstore(t->panel + u * GR__NR + j, vload(s + j));
    }
    for (int64_t u = 0; u < t->units && t->pairs; u++) {
        int64_t l = t->l0 + 2 * u;
        const uint16_t *s = (const uint16_t *)(const void *)t->b + l * g->b_row + t->j0;
        const uint16_t *next = l + 1 < g->k ? s + g->b_row : no_row;
        for (int64_t j = 0; j < whole; j += 32) {
            vprefetch(s + AHEAD * g->b_row + j);
            vprefetch(s + (AHEAD + 1) * g->b_row + j);
        }
        for (int64_t j = 0; j < whole; j += GR__W)
            vstore(t->panel + u * GR__NR + j, vfrombits(iload_pairs(s + j, next + j)));
    }
    pack_slow(t, 0, whole);
}

static void pack_columns(const task *t)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = t->pairs ? 2 : 1, whole = (t->l0 + t->units * per <= g->k ? t->units : t->units - 1) / GR__W * GR__W;
    int64_t columns = t->columns / GR__W * GR__W;
    const char *b = t->b + (t->l0 + t->j0 * g->b_col) * t->size;
    for (int64_t j = 0; j < columns; j += GR__W)
        for (int64_t u = 0; u < whole; u += GR__W)
            transpose_words(t->panel + u * GR__NR + j, GR__NR, b + j * g->b_col * t->size + u * 4, g->b_col * t->size);
    task rest = *t;
    pack_slow(&rest, 0, columns);
    rest.columns = columns;
    pack_slow(&rest, whole, 0);
}

/* Few rows do not pay for a copy of B, unless its rows collide in the cache. */
static bool in_place(const task *t)
{
    const gr__gemm *g = &t->p->g;
    return !t->pairs && g->b_col == 1 && t->columns == GR__NR && !g->finish && t->rows <= 2 * GR__MR &&
           (t->rows <= GR__MR || g->b_row % 1024 != 0);
}

/* This part of the panel among those that are packed for many products: floats from the beginning of them all. */
static int64_t packed_at(const task *t)
{
    int64_t per = t->pairs ? 2 : 1, units = (t->p->g.k + per - 1) / per;
    return (t->j0 / GR__NR * units + t->l0 / per) * GR__NR;
}

static void pack_b(task *t)
{
    const gr__gemm *g = &t->p->g;
    if (t->p->pack_to) t->panel = t->p->pack_to + packed_at(t);
    t->from = t->panel;
    t->ldb = GR__NR;
    if (g->packed_b) {
        t->from = (const float *)g->packed_b + packed_at(t);
        return;
    }
    if (!t->p->pack_to && in_place(t)) {
        t->from = (const float *)(const void *)t->b + t->l0 * g->b_row + t->j0;
        t->ldb = g->b_row;
        return;
    }
    if (t->columns < GR__NR) memset(t->panel, 0, (size_t)(t->units * GR__NR) * sizeof(float));
    if (g->b_col == 1)
        pack_rows(t);
    else if (g->b_row == 1)
        pack_columns(t);
    else
        pack_slow(t, 0, 0);
}

/* ---- the tile and its way to C ---- */

/* One row of C, any edge: c = old + acc, + bias at the end; old is 0, C, or the sum so far. */
static void finish_row(const task *t, int64_t i, const float *acc)
{
    const gr__gemm *g = &t->p->g;
    int64_t at = (t->i0 + i) * g->c_row + t->j0;
    float *sums = t->sums ? t->sums + i * t->p->group * GR__NR + (t->j0 - t->j_first) : NULL;
    for (int64_t j = 0; j < t->columns; j++) {
        float *c32 = g->c_dtype == GR_F32 && !g->finish ? (float *)(void *)t->c + at + j : NULL;
        uint16_t *c16 = (uint16_t *)(void *)t->c + at + j;
        float old = 0;
        if (!t->first)
            old = c32 ? *c32 : sums[j];
        else if (g->accumulate)
            old = c32 ? *c32 : gr__bf16_to_f32(*c16);
        float value = t->first && !g->accumulate ? acc[j] : old + acc[j];
        if (t->last && g->bias) value += g->bias[t->j0 + j];
        if (c32)
            *c32 = value;
        else if (t->last && !g->finish)
            *c16 = gr__f32_to_bf16(value);
        else
            sums[j] = value;
    }
}

GR__INLINE void tile_to_c(const task *t, int64_t i, int m, const tile_acc *acc)
{
    const gr__gemm *g = &t->p->g;
    if (t->columns == GR__NR && g->c_dtype == GR_F32) {
        bool add = !t->first || g->accumulate;
        const float *bias = t->last && g->bias ? g->bias + t->j0 : NULL;
        for (int r = 0; r < m; r++) {
            float *c = g->finish ? t->sums + (i + r) * t->p->group * GR__NR + (t->j0 - t->j_first)
                                 : (float *)(void *)t->c + (t->i0 + i + r) * g->c_row + t->j0;
            for (int v = 0; v < GR__NV; v++) {
                vf x = acc->v[r][v];
                if (add) x = vload(c + v * GR__W) + x;
                if (bias) x = x + vload(bias + v * GR__W);
                vstore(c + v * GR__W, x);
            }
        }
        return;
    }
    if (t->columns == GR__NR && g->c_dtype == GR_BF16 && t->first && t->last && !g->finish && !g->accumulate) {
        const float *bias = g->bias ? g->bias + t->j0 : NULL;
        for (int r = 0; r < m; r++) {
            uint16_t *c = (uint16_t *)(void *)t->c + (t->i0 + i + r) * g->c_row + t->j0;
            for (int v = 0; v < GR__NV; v++) {
                vf x = acc->v[r][v];
                if (bias) x = x + vload(bias + v * GR__W);
                vstore_bf16(c + v * GR__W, x);
            }
        }
        return;
    }
    float row[GR__NR];
    for (int r = 0; r < m; r++) {
        for (int v = 0; v < GR__NV; v++) vstore(row + v * GR__W, acc->v[r][v]);
        finish_row(t, i + r, row);
    }
}

/* ---- what is fetched while the tile is at work ---- */

enum { UNIT_BYTES = GR__NR * 4, STREAM_BYTES = 8192 };

/* B by rows, in steps that the machine does not see coming. */
GR__INLINE tile_ahead rows_ahead(const task *t)
{
    return (tile_ahead){
        .lines = UNIT_BYTES / 64, .near = true, .at = (const char *)(t->from + AHEAD * t->ldb), .step = 4 * t->ldb};
}

/* Packed B that is read once: it streams past. */
GR__INLINE tile_ahead stream_ahead(const task *t)
{
    return (tile_ahead){
        .lines = UNIT_BYTES / 64, .near = false, .at = (const char *)t->from + STREAM_BYTES, .step = UNIT_BYTES};
}

/* Packed B that several tiles of rows read from cache: each fetches its share of what comes a whole part later. */
GR__INLINE tile_ahead part_ahead(const task *t, int64_t i, int m)
{
    return (tile_ahead){.lines = UNIT_BYTES / 128,
                        .at = (const char *)t->from + UNIT_BYTES * (GR__GEMM_UNITS + t->units * i / t->rows),
                        .step = UNIT_BYTES * m / t->rows};
}

/* B of the panel that is packed next comes from memory meanwhile: each tile fetches its share of the lines. */
static void fetch_next(const task *t, int64_t i, int m)
{
    const gr__gemm *g = &t->p->g;
    int64_t columns = GR__MIN(GR__NR, g->n - t->next), depth = GR__MIN(t->p->kc, g->k - t->l0);
    bool by_rows = g->b_col == 1;
    int64_t runs = by_rows ? depth : columns, stride = (by_rows ? g->b_row : g->b_col) * t->size;
    int64_t lines = ((by_rows ? columns : depth) * t->size + 63) / 64;
    const char *b = t->b + (t->l0 * g->b_row + t->next * g->b_col) * t->size;
    for (int64_t run = runs * i / t->rows; run < runs * (i + m) / t->rows; run++)
        for (int64_t q = 0; q < lines; q++) vprefetch_far(b + run * stride + 64 * q);
}

GR__INLINE void run_rows(const task *t, bool pairs, int64_t i, int m)
{
    const gr__gemm *g = &t->p->g;
    const char *a = t->a + ((t->i0 + i) * g->a_row + t->l0 * g->a_col) * t->size;
    int64_t row = g->a_row * t->size, unit = 4 * g->a_col;
    if (t->next < g->n) fetch_next(t, i, m);
    tile_acc acc;
    tile_zero(&acc, m, GR__NV);
    if (g->packed_b && g->near && t->rows <= GR__MR)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, (tile_ahead){.lines = 0});
    else if (g->packed_b && t->rows <= GR__MR)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, stream_ahead(t));
    else if (g->packed_b)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, part_ahead(t, i, m));
    else if (t->from == t->panel)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, (tile_ahead){.lines = 0});
    else
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, t->ldb, rows_ahead(t));
    tile_to_c(t, i, m, &acc);
}

/* One row and two panels of a packed B that lie in cache, at once: a sum waits less for the one before. */
GR__INLINE void run_pair(const task *t, bool pairs)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = pairs ? 2 : 1, next = (g->k + per - 1) / per * GR__NR;
    const char *a = t->a + (t->i0 * g->a_row + t->l0) * t->size;
    tile_acc one, two;
    tile_zero(&one, 1, GR__NV);
    tile_zero(&two, 1, GR__NV);
    for (int64_t l = 0; l < t->units; l++) {
        tile_multiply(&one, 1, GR__NV, pairs, 1, a + 4 * l, 0, 0, t->from + l * GR__NR, 0, (tile_ahead){.lines = 0});
        tile_multiply(&two, 1, GR__NV, pairs, 1, a + 4 * l, 0, 0, t->from + next + l * GR__NR, 0,
                      (tile_ahead){.lines = 0});
    }
    task second = *t;
    second.j0 += GR__NR;
    tile_to_c(t, 0, 1, &one);
    tile_to_c(&second, 0, 1, &two);
}

/* Each number of rows has its own code, so that the tile lives in registers. Beside a packed B tiles are alike: a small one
 * would wait for memory. */
GR__INLINE void run_panel(const task *t, bool pairs)
{
    bool alike = t->p->g.packed_b;
    int64_t left = (t->rows + GR__MR - 1) / GR__MR;
    for (int64_t i = 0, m; i < t->rows; i += m, left--) {
        m = alike ? (t->rows - i + left - 1) / left : GR__MIN(t->rows - i, (int64_t)GR__MR);
        switch (m) {
        case 1: run_rows(t, pairs, i, 1); break;
        case 2: run_rows(t, pairs, i, 2); break;
        case 3: run_rows(t, pairs, i, GR__MIN(3, GR__MR)); break;
        case 4: run_rows(t, pairs, i, GR__MIN(4, GR__MR)); break;
        case 5: run_rows(t, pairs, i, GR__MIN(5, GR__MR)); break;
        default: run_rows(t, pairs, i, GR__MR); break;
        }
    }
}

static void set_task(task *t, const gr__gemm_plan *p, int64_t index, int thread, bool pairs)
{
    const gr__gemm *g = &p->g;
    int64_t per_batch = p->row_blocks * p->column_blocks, batch = index / per_batch;
    char *scratch = (char *)g->scratch + (p->b_bytes + p->c_bytes) * (size_t)thread;
    *t = (task){.p = p, .pairs = pairs, .size = pairs ? 2 : 4};
    t->a = (const char *)g->a + batch * g->a_batch * t->size;
    t->b = (const char *)g->b + batch * g->b_batch * t->size;
    t->c = (char *)g->c + batch * g->c_batch * (g->c_dtype == GR_F32 ? 4 : 2);
    t->i0 = index % per_batch % p->row_blocks * p->mc;
    t->rows = GR__MIN(p->mc, g->m - t->i0);
    t->j0 = index % per_batch / p->row_blocks * p->group; /* in panels, or columns where thin */
    t->panel = (float *)(void *)scratch;
    t->sums = p->c_bytes ? (float *)(void *)(scratch + p->b_bytes) : NULL;
}

/* The panel behind this one, or the first of the task that this thread is likely to get next. */
static int64_t next_of(const task *t, int64_t end)
{
    const gr__gemm_plan *p = t->p;
    if (p->g.packed_b) return p->g.n;
    return t->j0 + GR__NR < end ? t->j0 + GR__NR : end + (gr__parallel_width() - 1) * p->group * GR__NR;
}

static void set_part(task *t, int64_t l0)
{
    int64_t n = GR__MIN(t->p->kc, t->p->g.k - l0), per = t->pairs ? 2 : 1;
    t->l0 = l0;
    t->units = (n + per - 1) / per;
    t->first = l0 == 0;
    t->last = l0 + n >= t->p->g.k;
}

/* Rows of sums go to who asked for them while they are in cache; the block's B is packed once for all of them. */
GR__INLINE void run_given(const gr__gemm_plan *p, int64_t index, int thread, bool pairs)
{
    task t;
    set_task(&t, p, index, thread, pairs);
    const gr__gemm *g = &p->g;
    int64_t first = t.j0 * GR__NR, end = GR__MIN(first + p->group * GR__NR, g->n), row = t.i0, last = t.i0 + t.rows;
    float *kept = t.panel;
    t.j_first = first;
    for (t.i0 = row; t.i0 < last; t.i0 += p->step) {
        t.rows = GR__MIN(p->step, last - t.i0);
        for (int64_t l0 = 0; l0 == 0 || l0 < g->k; l0 += p->kc) {
            set_part(&t, l0);
            for (t.j0 = first; t.j0 < end; t.j0 += GR__NR) {
                t.columns = GR__MIN(GR__NR, g->n - t.j0);
                t.panel = kept + packed_at(&t) - packed_at(&(task){.p = p, .pairs = pairs, .j0 = first});
                t.next = t.i0 == row || (t.i0 + p->step >= last && t.j0 + GR__NR >= end) ? next_of(&t, end) : g->n;
                if (t.i0 == row || g->packed_b)
                    pack_b(&t);
                else
                    t.from = t.panel;
                run_panel(&t, pairs);
            }
        }
        gr__gemm_block b = {t.i0 + g->first_row, first, t.rows, end - first, t.sums, p->group * GR__NR};
        g->finish(g->finish_context, &b);
    }
}

GR__INLINE void run_task(const gr__gemm_plan *p, int64_t index, int thread, bool pairs)
{
    task t;
    set_task(&t, p, index, thread, pairs);
    const gr__gemm *g = &p->g;
    int64_t end = GR__MIN((t.j0 + p->group) * GR__NR, g->n);
    t.j_first = t.j0 * GR__NR;
    for (int64_t l0 = 0; l0 == 0 || l0 < g->k; l0 += p->kc) { /* once for k = 0 too */
        set_part(&t, l0);
        for (t.j0 = t.j_first; t.j0 < end; t.j0 += GR__NR) {
            t.columns = GR__MIN(GR__NR, g->n - t.j0);
            t.next = p->pack_to ? g->n : next_of(&t, end);
            pack_b(&t);
            if (p->pack_to) continue;
            if (g->near && t.rows == 1 && t.j0 + 2 * GR__NR <= end) {
                run_pair(&t, pairs);
                t.j0 += GR__NR;
                continue;
            }
            run_panel(&t, pairs);
        }
    }
}

/* ---- few rows, B by rows: sums stay in L1, B streams past in whole rows ---- */

enum { THIN = 1024 };

/* sum[j] = (...(sum[j] + a0*b0[j]) + a1*b1[j]...): the order of the tiles */
static void thin_part(const gr__gemm *g, const float *a, const float *b, int64_t k, int64_t n, float *sum)
{
    int64_t l = 0;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (; l + 4 <= k; l += 4) {
        const float *b0 = b + l * g->b_row, *b1 = b0 + g->b_row, *b2 = b1 + g->b_row, *b3 = b2 + g->b_row;
        vf a0 = vset(a[l * g->a_col]), a1 = vset(a[(l + 1) * g->a_col]);
        vf a2 = vset(a[(l + 2) * g->a_col]), a3 = vset(a[(l + 3) * g->a_col]);
        int64_t j = 0;
        for (; j + GR__W <= n; j += GR__W) {
            vf s = vfma(a0, vload(b0 + j), vload(sum + j));
            s = vfma(a1, vload(b1 + j), s);
            s = vfma(a2, vload(b2 + j), s);
            vstore(sum + j, vfma(a3, vload(b3 + j), s));
        }
        for (; j < n; j++) {
            float s[GR__W] = {sum[j]}, x[GR__W] = {b0[j]};
            vf v = vfma(a0, vload(x), vload(s));
            x[0] = b1[j];
            v = vfma(a1, vload(x), v);
            x[0] = b2[j];
            v = vfma(a2, vload(x), v);
            x[0] = b3[j];
            vstore(s, vfma(a3, vload(x), v));
            sum[j] = s[0];
        }
    }
    for (; l < k; l++)
        for (int64_t j = 0; j < n; j++) {
            float s[GR__W] = {sum[j]}, x[GR__W] = {b[l * g->b_row + j]};
            vstore(s, vfma(vset(a[l * g->a_col]), vload(x), vload(s)));
            sum[j] = s[0];
        }
}

static void run_thin(const gr__gemm_plan *p, int64_t index)
{
    task t;
    float sum[THIN];
    set_task(&t, p, index, 0, false);
    const gr__gemm *g = &p->g;
    int64_t n = GR__MIN(p->group, g->n - t.j0);
    for (int64_t l = 0; l == 0 || l < g->k; l += p->kc) {
        int64_t k = GR__MIN(p->kc, g->k - l);
        for (int64_t i = 0; i < g->m; i++) {
            const float *a = (const float *)(const void *)t.a + i * g->a_row + l * g->a_col;
            float *c = (float *)(void *)t.c + i * g->c_row + t.j0;
            thin_part(g, a, (const float *)(const void *)t.b + l * g->b_row + t.j0, k, n, sum);
            bool add = l > 0 || g->accumulate, bias = g->bias && l + k >= g->k;
            for (int64_t j = 0; j < n; j++) {
                float value = add ? c[j] + sum[j] : sum[j];
                c[j] = bias ? value + g->bias[t.j0 + j] : value;
            }
        }
    }
}

void GR__KERNEL(gemm)(const void *plan, int64_t index, int thread)
{
    const gr__gemm_plan *p = plan;
    if (p->thin)
        run_thin(p, index);
    else if (p->g.finish)
        run_given(p, index, thread, false);
    else
        run_task(p, index, thread, false);
}

void GR__KERNEL(gemm_bf16)(const void *plan, int64_t index, int thread)
{
    const gr__gemm_plan *p = plan;
    if (p->g.finish)
        run_given(p, index, thread, true);
    else
        run_task(p, index, thread, true);
}
