/* The register tile of matrix products: up to GR__MR rows times GR__NV vectors, summed over k in sequence. Shared by
 * gemm.c and the attention files. Operands are in units of 4 bytes: an f32, or a pair of bf16 that follow each other in
 * k. */
#ifndef GR__GEMM_TILE_H
#define GR__GEMM_TILE_H

#include "kernel/simd/tile.h"

enum { GR__NR = GR__NV * GR__W };

typedef struct tile_acc {
    vf v[GR__MR][GR__NV];
} tile_acc;

GR__INLINE void tile_zero(tile_acc *acc, int m, int nv)
{
    for (int i = 0; i < m; i++)
        for (int v = 0; v < nv; v++) acc->v[i][v] = vset(0);
}

/* What is fetched beside each unit of k: so many lines from 'at' on, 'step' bytes further for the next unit. */
typedef struct tile_ahead {
    int lines;
    bool near; /* into the nearest cache; else into the one behind it */
    const char *at;
    int64_t step;
} tile_ahead;

/* Rows of A: 'step' bytes apart, or each somewhere. */
typedef struct tile_rows {
    const char *first;
    int64_t step;
    const char *const *each; /* NULL: the former */
} tile_rows;

/* a: units 'unit' bytes apart; b: k rows of 'ldb' words, of which vectors v0 .. nv-1 are used. m, v0, nv, ahead.lines, ahead.near and
 * whether there is a.each are constants where this is inlined, so that the tile lives in registers. */
GR__INLINE void tile_multiply_from(tile_acc *acc, int m, int v0, int nv, bool pairs, int64_t k, tile_rows a,
                                   int64_t unit, const float *b, int64_t ldb, tile_ahead ahead)
{
    for (int64_t l = 0; l < k; l++, a.first += unit, b += ldb, ahead.at += ahead.step) {
        vf x[GR__NV];
        for (int v = v0; v < nv; v++) x[v] = vload(b + v * GR__W);
        for (int q = 0; q < ahead.lines; q++) {
            if (ahead.near)
                vprefetch(ahead.at + 64 * q);
            else
                vprefetch_far(ahead.at + 64 * q);
        }
        for (int i = 0; i < m; i++) {
            const char *from = a.each ? a.each[i] + l * unit : a.first + i * a.step;
            if (pairs) {
                int32_t word;
                memcpy(&word, from, 4);
                for (int v = v0; v < nv; v++) acc->v[i][v] = vdot_bf16(acc->v[i][v], iset(word), vbits(x[v]));
            } else {
                float word;
                memcpy(&word, from, 4);
                for (int v = v0; v < nv; v++) acc->v[i][v] = vfma(vset(word), x[v], acc->v[i][v]);
            }
        }
    }
}

GR__INLINE void tile_multiply(tile_acc *acc, int m, int nv, bool pairs, int64_t k, const char *a, int64_t row,
                              int64_t unit, const float *b, int64_t ldb, tile_ahead ahead)
{
    tile_multiply_from(acc, m, 0, nv, pairs, k, (tile_rows){a, row, NULL}, unit, b, ldb, ahead);
}

#endif
