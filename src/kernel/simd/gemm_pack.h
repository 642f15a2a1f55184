/* B of a matrix product (gemm_int.h) as the register tile reads it: a task's place in it, and packing, some units of k at a time. */
#ifndef GR__GEMM_PACK_H
#define GR__GEMM_PACK_H

#include "kernel/gemm_int.h"
#include "kernel/simd/gemm_tile.h"
#include "kernel/simd/gemm_window.h"

/* Shares of a row are whole numbers of this part. */
enum { GR__SHARE = 1 << 20 };

typedef struct task {
    const gr__gemm_plan *p;
    bool pairs;
    const char *a, *b; /* of this batch */
    char *c;
    int64_t size;        /* bytes of an element of A and B */
    int64_t i0, rows;    /* of C */
    int64_t j_first;     /* first column of the block */
    int64_t j0, columns; /* of the panel */
    int64_t l0, units;   /* of k: first element, packed units of this part */
    int64_t share, step; /* of a packed B, what a row has of the units, and of a unit's bytes */
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

static void pack_slow(const task *t, int64_t u0, int64_t u1, int64_t j0, int64_t j1)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = t->pairs ? 2 : 1;
    for (int64_t u = u0; u < u1; u++)
        for (int64_t j = j0; j < j1; j++) {
            int64_t l = t->l0 + u * per;
            uint32_t word = unit_at(t, t->b, l * g->b_row + (t->j0 + j) * g->b_col, l, g->b_row);
            memcpy(t->panel + u * GR__NR + j, &word, 4);
        }
}

static const uint16_t no_row[GR__NR];

enum { AHEAD = 12 }; /* rows: the machine does not see this stride coming */

static void pack_rows(const task *t, int64_t u0, int64_t u1)
{
    const gr__gemm *g = &t->p->g;
    int64_t whole = t->columns / GR__W * GR__W;
    for (int64_t u = u0; u < u1 && !t->pairs; u++) {
        const float *s = (const float *)(const void *)t->b + (t->l0 + u) * g->b_row + t->j0;
        for (int64_t j = 0; j < whole; j += 16) vprefetch(s + AHEAD * g->b_row + j);
        for (int64_t j = 0; j < whole; j += GR__W) vstore(t->panel + u * GR__NR + j, vload(s + j));
    }
    for (int64_t u = u0; u < u1 && t->pairs; u++) {
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
    pack_slow(t, u0, u1, whole, t->columns);
}

static void pack_columns(const task *t, int64_t u0, int64_t u1)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = t->pairs ? 2 : 1, there = t->l0 + t->units * per <= g->k ? t->units : t->units - 1;
    int64_t whole = u0 + GR__MAX(GR__MIN(u1, there) - u0, 0) / GR__W * GR__W, columns = t->columns / GR__W * GR__W;
    const char *b = t->b + (t->l0 + t->j0 * g->b_col) * t->size;
    for (int64_t j = 0; j < columns; j += GR__W)
        for (int64_t u = u0; u < whole; u += GR__W)
            transpose_words(t->panel + u * GR__NR + j, GR__NR, b + j * g->b_col * t->size + u * 4, g->b_col * t->size);
    pack_slow(t, u0, u1, columns, t->columns);
    pack_slow(t, whole, u1, 0, columns);
}

/* Units u0 .. u1-1 of the panel; u0 is a multiple of 16. */
static void pack_units(const task *t, int64_t u0, int64_t u1)
{
    const gr__gemm *g = &t->p->g;
    if (t->columns < GR__NR) memset(t->panel + u0 * GR__NR, 0, (size_t)((u1 - u0) * GR__NR) * sizeof(float));
    if (g->b_window)
        pack_seen(g->b_window, g->b_first + t->l0 + 2 * u0, g->b_first + g->k, t->j0, t->columns, u1 - u0,
                  t->panel + u0 * GR__NR);
    else if (g->b_col == 1)
        pack_rows(t, u0, u1);
    else if (g->b_row == 1)
        pack_columns(t, u0, u1);
    else
        pack_slow(t, u0, u1, 0, t->columns);
}

/* ---- where a panel is ---- */

/* Few rows do not pay for a copy of B, unless its rows collide in the cache. */
static bool in_place(const task *t)
{
    const gr__gemm *g = &t->p->g;
    return !t->pairs && g->b_col == 1 && t->columns == GR__NR && !g->finish && !t->p->pack_to &&
           t->rows <= 2 * GR__MR && (t->rows <= GR__MR || g->b_row % 1024 != 0);
}

/* This part of the panel among those that are packed for many products: floats from the beginning of them all. */
static int64_t packed_at(const task *t)
{
    int64_t per = t->pairs ? 2 : 1, units = (t->p->g.k + per - 1) / per;
    return (t->j0 / GR__NR * units + t->l0 / per) * GR__NR;
}

/* Part l0 of k of the panel at column j0, which is packed to 'panel' unless it is read elsewhere. */
static void set_part(task *t, int64_t l0, int64_t j0, float *panel)
{
    const gr__gemm *g = &t->p->g;
    int64_t n = GR__MIN(t->p->kc, g->k - l0), per = t->pairs ? 2 : 1;
    t->l0 = l0;
    t->units = (n + per - 1) / per;
    t->first = l0 == 0;
    t->last = l0 + n >= g->k;
    t->j0 = j0;
    t->columns = GR__MIN(GR__NR, g->n - j0);
    t->from = t->panel = panel;
    t->ldb = GR__NR;
    if (g->packed_b) t->from = (const float *)g->packed_b + packed_at(t);
    if (!g->packed_b && in_place(t)) {
        t->from = (const float *)(const void *)t->b + l0 * g->b_row + j0;
        t->ldb = g->b_row;
    }
}

/* ---- packing between tiles ---- */

typedef struct ahead {
    task t;
    int64_t done;  /* units */
    int64_t share; /* what a row of the panel at work has of the units */
    int64_t lines; /* fetched beside a step of its tiles, at most */
    bool on;
} ahead;

enum { LINES_A_UNIT = GR__NR * 4 / 64, STEP = 16 /* units */ };

/* While 'rows' rows meet 'units' units. */
static void share_out(ahead *a, int64_t rows, int64_t units)
{
    int64_t steps = GR__MAX(units / STEP, 1);
    a->share = a->t.units * GR__SHARE / rows;
    a->lines = (LINES_A_UNIT * GR__MR * a->share / GR__SHARE + steps) / steps;
}

/* As much of the panel as there is while the first 'row' of 'rows' rows are made. */
static void pack_share(ahead *a, int64_t row, int64_t rows)
{
    const task *t = &a->t;
    if (!a->on) return;
    int64_t to = row >= rows ? t->units : a->share * row / GR__SHARE / STEP * STEP;
    if (to <= a->done) return;
    pack_units(t, a->done, to);
    a->done = to;
}

/* Lines of B that are packed soon are fetched one by one between steps of a tile: as many at once would make it wait. */
typedef struct fetch {
    const char *b;
    int64_t row, column; /* bytes from row to row of B, from column to column */
    int64_t line, last;
    int kind;
} fetch;

enum { FETCH_AHEAD = 16 /* units */, BY_ROWS = 1, BY_PAIRS, BY_COLUMNS };

/* The share of rows i .. i+m-1. */
static fetch fetch_of(const ahead *a, int64_t i, int64_t m)
{
    const task *t = &a->t;
    const gr__gemm *g = &t->p->g;
    fetch f = {.last = 0};
    if (!a->on || g->b_window || GR__NR != 64 || t->columns < GR__NR || (g->b_col != 1 && g->b_row != 1)) return f;
    f.kind = g->b_col != 1 ? BY_COLUMNS : t->pairs ? BY_PAIRS : BY_ROWS;
    f.row = g->b_row * t->size;
    f.column = g->b_col * t->size;
    f.b = t->b + t->l0 * f.row + t->j0 * f.column;
    int64_t units = t->l0 + t->units * (t->pairs ? 2 : 1) <= g->k ? t->units : t->units - 1;
    f.line = LINES_A_UNIT * GR__MIN(a->share * i / GR__SHARE + FETCH_AHEAD, units);
    f.last = LINES_A_UNIT * GR__MIN(a->share * (i + m) / GR__SHARE + FETCH_AHEAD, units);
    return f;
}

GR__INLINE void fetch_line(const fetch *f, int64_t n)
{
    const char *at = f->b;
    if (f->kind == BY_COLUMNS)
        at += n % 64 * f->column + n / 64 * 64;
    else if (f->kind == BY_PAIRS)
        at += n / 2 * f->row + n % 2 * 64;
    else
        at += n / 4 * f->row + n % 4 * 64;
    vprefetch(at);
}

#endif
