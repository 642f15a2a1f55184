/* Products of small matrices in cache, for attention: C (m, n) = [C*alpha +] A*B. n is a multiple of GR__W; m and k are
 * any. One of the three may be upper triangular: entries (r, c) with c < r + diagonal are zeros of A or B that are passed
 * over (the same bits), or parts of C that nobody wants. */
#ifndef GR__BLOCK_H
#define GR__BLOCK_H

#include "kernel/simd/gemm_tile.h"

typedef enum block_upper { BLOCK_NONE, BLOCK_A, BLOCK_B, BLOCK_C } block_upper;

typedef struct block_job {
    int64_t m, n, k; /* k in units of 4 bytes */
    const void *a;   /* element (i, l) at i*row + l*unit bytes */
    int64_t row, unit;
    const float *b; /* k rows, ldb words apart */
    int64_t ldb;
    float *c; /* m rows, ldc words apart */
    int64_t ldc;
    bool add;           /* keep what is in C */
    const float *alpha; /* (n) or NULL: times this, by column */
    block_upper upper;  /* f32 alone */
    int64_t diagonal;
} block_job;

GR__INLINE int64_t block_clamp(int64_t x, int64_t most) { return GR__MIN(GR__MAX(x, 0), most); }

/* Of row r of an upper triangular matrix, so many columns in front are passed over: whole vectors, alike for rows that a tile
 * of products holds together. */
GR__INLINE int64_t block_first(int64_t r, int64_t diagonal, int64_t columns)
{
    return block_clamp(r / GR__MR * GR__MR + diagonal, columns) / GR__W * GR__W;
}
/* The vector of columns from 'column' on meets so many rows. */
GR__INLINE int64_t block_end(int64_t column, int64_t diagonal, int64_t rows)
{
    return block_clamp(column + GR__W - diagonal, rows);
}

/* Rows of B up to 'end' (before: 'done') meet the vectors from v0 on. */
GR__INLINE int64_t block_part(const block_job *j, tile_acc *acc, int64_t row, int64_t column, int m, int v0, int nv,
                              int64_t done)
{
    int64_t end = block_end(column + v0 * GR__W, j->diagonal, j->k);
    if (end <= done) return done;
    tile_multiply_from(acc, m, v0, nv, false, end - done,
                       (tile_rows){(const char *)j->a + row * j->row + done * j->unit, j->row, NULL}, j->unit,
                       j->b + done * j->ldb + column, j->ldb, (tile_ahead){.lines = 0});
    return end;
}

GR__INLINE void block_tile(const block_job *j, bool pairs, int64_t row, int64_t column, int m, int nv)
{
    tile_acc acc;
    float *c = j->c + row * j->ldc + column;
    tile_zero(&acc, m, nv);
    if (j->add)
        for (int i = 0; i < m; i++)
            for (int v = 0; v < nv; v++) {
                acc.v[i][v] = vload(c + i * j->ldc + v * GR__W);
                if (j->alpha) acc.v[i][v] = acc.v[i][v] * vload(j->alpha + column + v * GR__W);
            }
    if (!pairs && j->upper == BLOCK_B) {
        int64_t done = block_part(j, &acc, row, column, m, 0, nv, 0);
        if (nv > 1) done = block_part(j, &acc, row, column, m, 1, nv, done);
        if (nv > 2) done = block_part(j, &acc, row, column, m, 2, nv, done);
        if (nv > 3) block_part(j, &acc, row, column, m, 3, nv, done);
    } else {
        int64_t l = !pairs && j->upper == BLOCK_A ? block_clamp(row + j->diagonal, j->k) : 0;
        tile_multiply(&acc, m, nv, pairs, j->k - l, (const char *)j->a + row * j->row + l * j->unit, j->row, j->unit,
                      j->b + l * j->ldb + column, j->ldb, (tile_ahead){.lines = 0});
    }
    for (int i = 0; i < m; i++)
        for (int v = 0; v < nv; v++) vstore(c + i * j->ldc + v * GR__W, acc.v[i][v]);
}

GR__INLINE void block_rows(const block_job *j, bool pairs, int64_t i, int64_t column, int nv)
{
    switch (j->m - i) {
    case 1: block_tile(j, pairs, i, column, 1, nv); break;
    case 2: block_tile(j, pairs, i, column, 2, nv); break;
    case 3: block_tile(j, pairs, i, column, GR__MIN(3, GR__MR), nv); break;
    case 4: block_tile(j, pairs, i, column, GR__MIN(4, GR__MR), nv); break;
    case 5: block_tile(j, pairs, i, column, GR__MIN(5, GR__MR), nv); break;
    default: block_tile(j, pairs, i, column, GR__MR, nv); break;
    }
}

GR__INLINE void block_columns(const block_job *j, bool pairs, int64_t column, int nv)
{
    for (int64_t i = 0; i < j->m; i += GR__MR) {
        int64_t from = column;
        if (!pairs && j->upper == BLOCK_C) from = GR__MAX(block_first(i, j->diagonal, j->n), column);
        int64_t left = nv - (from - column) / GR__W;
        if (left == nv)
            block_rows(j, pairs, i, column, nv);
        else if (left == 3)
            block_rows(j, pairs, i, from, GR__MIN(3, GR__NV));
        else if (left == 2)
            block_rows(j, pairs, i, from, GR__MIN(2, GR__NV));
        else if (left == 1)
            block_rows(j, pairs, i, from, 1);
    }
}

GR__INLINE void block_run(const block_job *j, bool pairs)
{
    int64_t column = 0;
    for (; column + GR__NR <= j->n; column += GR__NR) block_columns(j, pairs, column, GR__NV);
    for (; column + 2 * GR__W <= j->n; column += 2 * GR__W) block_columns(j, pairs, column, GR__MIN(2, GR__NV));
    for (; column < j->n; column += GR__W) block_columns(j, pairs, column, 1);
}

static GR__UNUSED void block_multiply_f32(const block_job *j) { block_run(j, false); }

#endif
