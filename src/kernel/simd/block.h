/* Products of small matrices in cache, for attention: C (m, n) = [C*alpha +] A*B. n is a multiple of GR__W; m and k are
 * any. */
#ifndef GR__BLOCK_H
#define GR__BLOCK_H

#include "kernel/simd/gemm_tile.h"

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
} block_job;

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
    tile_multiply(&acc, m, nv, pairs, j->k, (const char *)j->a + row * j->row, j->row, j->unit, j->b + column, j->ldb,
                  (tile_ahead){.lines = 0});
    for (int i = 0; i < m; i++)
        for (int v = 0; v < nv; v++) vstore(c + i * j->ldc + v * GR__W, acc.v[i][v]);
}

GR__INLINE void block_columns(const block_job *j, bool pairs, int64_t column, int nv)
{
    int64_t i = 0;
    for (; i + GR__MR <= j->m; i += GR__MR) block_tile(j, pairs, i, column, GR__MR, nv);
    switch (j->m - i) {
    case 1: block_tile(j, pairs, i, column, 1, nv); break;
    case 2: block_tile(j, pairs, i, column, 2, nv); break;
    case 3: block_tile(j, pairs, i, column, GR__MIN(3, GR__MR), nv); break;
    case 4: block_tile(j, pairs, i, column, GR__MIN(4, GR__MR), nv); break;
    case 5: block_tile(j, pairs, i, column, GR__MIN(5, GR__MR), nv); break;
    default: break;
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
