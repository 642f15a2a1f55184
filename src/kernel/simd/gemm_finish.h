/* The way of a tile of sums to C (gemm_int.h): from its registers where all of its columns are there, else row by row. */
#ifndef GR__GEMM_FINISH_H
#define GR__GEMM_FINISH_H

#include "kernel/simd/gemm_pack.h"

/* ---- any edge ---- */

static float element(const gr__gemm_step *s, int64_t i, int64_t j)
{
    int64_t at = s->op == GR__STEP_ADD ? i * s->row + j : j;
    return s->dtype == GR_F32 ? ((const float *)s->with)[at] : gr__bf16_to_f32(((const uint16_t *)s->with)[at]);
}

static float take_step(const gr__gemm_step *s, int64_t i, int64_t j, float x)
{
    switch (s->op) {
    case GR__STEP_ROUND: return gr__bf16_to_f32(gr__f32_to_bf16(x));
    case GR__STEP_RELU: return 0 > x ? 0 : x;
    case GR__STEP_MUL_ROW: return x * element(s, i, j);
    default: return x + element(s, i, j);
    }
}

/* C holds the sums so far. Steps may add to C what lies there already. */
GR__INLINE bool sums_in_c(const gr__gemm *g) { return g->c_dtype == GR_F32 && !g->finish && !g->n_steps; }

/* One row of C, any edge: c = old + acc, + bias at the end; old is 0, C, or the sum so far. */
static void finish_row(const task *t, int64_t i, const float *acc)
{
    const gr__gemm *g = &t->p->g;
    int64_t at = (t->i0 + i) * g->c_row + t->j0;
    float *c32 = (float *)(void *)t->c + at;
    uint16_t *c16 = (uint16_t *)(void *)t->c + at;
    float *sums = t->sums ? t->sums + i * t->p->group * GR__NR + (t->j0 - t->j_first) : NULL;
    if (sums_in_c(g)) sums = c32;
    for (int64_t j = 0; j < t->columns; j++) {
        float old = 0;
        if (!t->first)
            old = sums[j];
        else if (g->accumulate)
            old = g->c_dtype == GR_F32 ? c32[j] : gr__bf16_to_f32(c16[j]);
        float value = t->first && !g->accumulate ? acc[j] : old + acc[j];
        if (t->last && g->bias) value += g->bias[t->j0 + j];
        for (int q = 0; t->last && q < g->n_steps; q++)
            value = take_step(&g->step[q], g->first_row + t->i0 + i, t->j0 + j, value);
        if (!t->last || g->finish)
            sums[j] = value;
        else if (g->c_dtype == GR_F32)
            c32[j] = value;
        else
            c16[j] = gr__f32_to_bf16(value);
    }
}

/* The same of a whole panel where C is bf16. */
static void finish_whole_row(const task *t, int64_t i, const float *acc)
{
    const gr__gemm *g = &t->p->g;
    uint16_t *c = (uint16_t *)(void *)t->c + (t->i0 + i) * g->c_row + t->j0;
    float *sums = t->sums ? t->sums + i * t->p->group * GR__NR + (t->j0 - t->j_first) : NULL;
    for (int64_t j = 0; j < GR__NR; j += GR__W) {
        vf x = vload(acc + j);
        if (!t->first)
            x = vload(sums + j) + x;
        else if (g->accumulate)
            x = vload_bf16(c + j) + x;
        if (t->last && g->bias) x = x + vload(g->bias + t->j0 + j);
        if (t->last)
            vstore_bf16(c + j, x);
        else
            vstore(sums + j, x);
    }
}

static void finish_rows(const task *t, int64_t i, int64_t rows, const float *acc)
{
    bool whole = t->columns == GR__NR && t->p->g.c_dtype == GR_BF16 && !t->p->g.finish && !t->p->g.n_steps;
    for (int64_t r = 0; r < rows; r++) {
        if (whole)
            finish_whole_row(t, i + r, acc + r * GR__NR);
        else
            finish_row(t, i + r, acc + r * GR__NR);
    }
}

/* ---- whole panels: all is unrolled, so that the tile stays in registers ---- */

#define EACH_ROW(m) GR__UNROLL(6) for (int r = 0; r < (m); r++)
#define EACH_VECTOR GR__UNROLL(4) for (int v = 0; v < GR__NV; v++)

GR__INLINE void tile_to_floats(const tile_acc *acc, int m, float *c, int64_t ld, bool add, const float *bias)
{
    if (!add && !bias) {
        EACH_ROW(m)
        EACH_VECTOR vstore(c + r * ld + v * GR__W, acc->v[r][v]);
        return;
    }
    EACH_ROW(m)
    EACH_VECTOR
    {
        vf x = acc->v[r][v];
        if (add) x = vload(c + r * ld + v * GR__W) + x;
        if (bias) x = x + vload(bias + v * GR__W);
        vstore(c + r * ld + v * GR__W, x);
    }
}

/* old: the sums so far, or NULL. */
GR__INLINE void tile_to_bf16(const tile_acc *acc, int m, uint16_t *c, int64_t ld, const float *old, int64_t old_ld)
{
    EACH_ROW(m)
    GR__UNROLL(2) for (int v = 0; v < GR__NV; v += 2)
    {
        vf low = acc->v[r][v], high = acc->v[r][v + 1];
        if (old) {
            low = vload(old + r * old_ld + v * GR__W) + low;
            high = vload(old + r * old_ld + (v + 1) * GR__W) + high;
        }
        vstore_two_bf16(c + r * ld + v * GR__W, low, high);
    }
}

GR__INLINE vf load_with(const gr__gemm_step *s, int64_t at)
{
    if (s->dtype == GR_F32) return vload((const float *)s->with + at);
    return vload_bf16((const uint16_t *)s->with + at);
}

/* Rows i .. and columns j .. of C. */
GR__INLINE void take_tile_step(const gr__gemm_step *s, int64_t i, int64_t j, int m, tile_acc *acc)
{
    vf with[GR__NV];
    if (s->op == GR__STEP_MUL_ROW || s->op == GR__STEP_ADD_ROW) EACH_VECTOR with[v] = load_with(s, j + v * GR__W);
    switch (s->op) {
    case GR__STEP_ROUND:
        EACH_ROW(m)
        EACH_VECTOR acc->v[r][v] = vround_quickly_bf16(acc->v[r][v]);
        break;
    case GR__STEP_RELU:
        EACH_ROW(m)
        EACH_VECTOR acc->v[r][v] = vmax(vset(0), acc->v[r][v]);
        break;
    case GR__STEP_MUL_ROW:
        EACH_ROW(m)
        EACH_VECTOR acc->v[r][v] = acc->v[r][v] * with[v];
        break;
    case GR__STEP_ADD_ROW:
        EACH_ROW(m)
        EACH_VECTOR acc->v[r][v] = acc->v[r][v] + with[v];
        break;
    default: EACH_ROW(m) EACH_VECTOR acc->v[r][v] = acc->v[r][v] + load_with(s, (i + r) * s->row + j + v * GR__W);
    }
}

/* The last part of a whole panel. old: the sums so far, or NULL. */
GR__INLINE void tile_through_steps(const task *t, int64_t i, int m, const tile_acc *from, const float *old,
                                   int64_t old_ld)
{
    const gr__gemm *g = &t->p->g;
    tile_acc acc;
    int64_t at = (t->i0 + i) * g->c_row + t->j0;
    EACH_ROW(m)
    EACH_VECTOR acc.v[r][v] = from->v[r][v];
    if (old) {
        EACH_ROW(m)
        EACH_VECTOR acc.v[r][v] = vload(old + r * old_ld + v * GR__W) + acc.v[r][v];
    }
    for (int q = 0; q < g->n_steps; q++) take_tile_step(&g->step[q], g->first_row + t->i0 + i, t->j0, m, &acc);
    if (g->c_dtype == GR_F32)
        tile_to_floats(&acc, m, (float *)(void *)t->c + at, g->c_row, false, NULL);
    else
        tile_to_bf16(&acc, m, (uint16_t *)(void *)t->c + at, g->c_row, NULL, 0);
}

GR__INLINE void tile_to_c(const task *t, bool pairs, int64_t i, int m, const tile_acc *acc)
{
    const gr__gemm *g = &t->p->g;
    bool whole = t->columns == GR__NR;
    int64_t ld = t->p->group * GR__NR;
    float *sums = t->sums ? t->sums + i * ld + (t->j0 - t->j_first) : NULL;
    if (pairs && whole && t->last && g->n_steps) {
        if (t->first)
            tile_through_steps(t, i, m, acc, NULL, 0);
        else
            tile_through_steps(t, i, m, acc, sums, ld);
        return;
    }
    if (whole && sums_in_c(g)) {
        tile_to_floats(acc, m, (float *)(void *)t->c + (t->i0 + i) * g->c_row + t->j0, g->c_row,
                       !t->first || g->accumulate, t->last && g->bias ? g->bias + t->j0 : NULL);
    } else if (whole && (g->finish || (!t->last && (!t->first || !g->accumulate)))) {
        tile_to_floats(acc, m, sums, ld, !t->first, NULL);
    } else if (pairs && whole && t->last && !g->bias && (!t->first || !g->accumulate)) {
        uint16_t *c = (uint16_t *)(void *)t->c + (t->i0 + i) * g->c_row + t->j0;
        if (t->first)
            tile_to_bf16(acc, m, c, g->c_row, NULL, 0);
        else
            tile_to_bf16(acc, m, c, g->c_row, sums, ld);
    } else {
        float rows[GR__MR * GR__NR];
        EACH_ROW(m)
        EACH_VECTOR vstore(rows + r * GR__NR + v * GR__W, acc->v[r][v]);
        finish_rows(t, i, m, rows);
    }
}

#endif
