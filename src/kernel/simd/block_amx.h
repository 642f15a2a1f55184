/* block.h's products of pairs on AMX tiles. What does not fill a tile (rows beyond a multiple of 16, k beyond a multiple of
 * 16 words) goes through vectors. A must have its units side by side. */
#ifndef GR__BLOCK_AMX_H
#define GR__BLOCK_AMX_H

#include "kernel/simd/block.h"
#include "kernel/tiles.h"

enum { GR__BLOCK_TILES = 1 };

GR__INLINE void multiply_begin(void) { gr__tiles_begin(); }
GR__INLINE void multiply_end(void) { gr__tiles_end(); }

/* C (16*a_tiles, 16*b_tiles) at (i, column) over 'steps' steps of 16 words; a_tiles and b_tiles are constants where this
 * is inlined. */
GR__INLINE void tiles_multiply(const block_job *j, int64_t i, int64_t column, int64_t steps, int a_tiles, int b_tiles)
{
    float *c0 = j->c + i * j->ldc + column, *c1 = c0 + 16 * j->ldc;
    const char *a = (const char *)j->a + i * j->row;
    const float *b = j->b + column;
    size_t ldc = (size_t)j->ldc * 4, lda = (size_t)j->row, ldb = (size_t)j->ldb * 4;
    if (j->add) {
        _tile_loadd(0, c0, ldc);
        if (b_tiles == 2) _tile_loadd(1, c0 + 16, ldc);
        if (a_tiles == 2) _tile_loadd(2, c1, ldc);
        if (a_tiles == 2 && b_tiles == 2) _tile_loadd(3, c1 + 16, ldc);
    } else {
        _tile_zero(0);
        if (b_tiles == 2) _tile_zero(1);
        if (a_tiles == 2) _tile_zero(2);
        if (a_tiles == 2 && b_tiles == 2) _tile_zero(3);
    }
    for (int64_t s = 0; s < steps; s++, a += 64, b += 16 * j->ldb) {
        _tile_loadd(6, b, ldb);
        _tile_loadd(4, a, lda);
        _tile_dpbf16ps(0, 4, 6);
        if (b_tiles == 2) {
            _tile_loadd(7, b + 16, ldb);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (a_tiles == 2) {
            _tile_loadd(5, a + 16 * j->row, lda);
            _tile_dpbf16ps(2, 5, 6);
            if (b_tiles == 2) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c0, ldc);
    if (b_tiles == 2) _tile_stored(1, c0 + 16, ldc);
    if (a_tiles == 2) _tile_stored(2, c1, ldc);
    if (a_tiles == 2 && b_tiles == 2) _tile_stored(3, c1 + 16, ldc);
}

GR__INLINE void tiles_rows(const block_job *j, int64_t i, int64_t steps, int a_tiles)
{
    int64_t column = 0;
    for (; column + 32 <= j->n; column += 32) tiles_multiply(j, i, column, steps, a_tiles, 2);
    if (column < j->n) tiles_multiply(j, i, column, steps, a_tiles, 1);
}

static GR__UNUSED void multiply_pairs(const block_job *job)
{
    block_job j = *job;
    int64_t steps = j.k / 16, whole = j.m / 16 * 16, i = 0;
    if (steps == 0 || whole == 0) {
        block_run(job, true);
        return;
    }
    for (i = 0; j.add && j.alpha && i < whole; i++)
        for (int64_t v = 0; v < j.n; v += GR__W)
            vstore(j.c + i * j.ldc + v, vload(j.c + i * j.ldc + v) * vload(j.alpha + v));
    for (i = 0; i + 32 <= whole; i += 32) tiles_rows(&j, i, steps, 2);
    if (i < whole) tiles_rows(&j, i, steps, 1);
    block_job rest = j;
    rest.m = whole;
    rest.k = j.k - steps * 16;
    rest.a = (const char *)j.a + steps * 64;
    rest.b = j.b + steps * 16 * j.ldb;
    rest.add = true;
    rest.alpha = NULL;
    if (rest.k > 0) block_run(&rest, true);
    rest = *job;
    rest.m = j.m - whole;
    rest.a = (const char *)j.a + whole * j.row;
    rest.c = j.c + whole * j.ldc;
    if (rest.m > 0) block_run(&rest, true);
}

#endif
