/* block.h's products of pairs on AMX tiles. What does not fill a tile (rows beyond a multiple of 16, k beyond a multiple of
 * 16 words) goes through vectors. A must have its units side by side. */
#ifndef GR__BLOCK_AMX_H
#define GR__BLOCK_AMX_H

#include "kernel/simd/block.h"
#include "kernel/simd/product_amx.h"
#include "kernel/tiles.h"

enum { GR__BLOCK_TILES = 1 };

GR__INLINE void multiply_begin(void) { gr__tiles_begin(); }
GR__INLINE void multiply_end(void) { gr__tiles_end(); }

/* Rows i.. and columns column.. of C over 'steps' steps of 16 words. */
GR__INLINE tile_product product_at(const block_job *j, int64_t i, int64_t column, int64_t steps)
{
    return (tile_product){.a = {(const char *)j->a + i * j->row, j->row, 16 * j->row, 64},
                          .b = {(const char *)(j->b + column), j->ldb * 4, 64, 64 * j->ldb},
                          .steps = steps,
                          .c = j->c + i * j->ldc + column,
                          .ldc = j->ldc,
                          .add = j->add};
}

GR__INLINE void tiles_rows(const block_job *j, int64_t i, int64_t steps, int a_tiles)
{
    int64_t column = 0;
    for (; column + 32 <= j->n; column += 32) {
        tile_product p = product_at(j, i, column, steps);
        tiles_product(&p, a_tiles, 2);
    }
    if (column == j->n) return;
    tile_product p = product_at(j, i, column, steps);
    tiles_product(&p, a_tiles, 1);
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
