/* A block of up to 32 x 32 sums on tiles: tiles 0-3 hold it, 4-5 two tiles of A, 6-7 two tiles of B. */
#ifndef GR__PRODUCT_AMX_H
#define GR__PRODUCT_AMX_H

#include "kernel/simd/vec.h"
#if GR__SOFTWARE_AMX
#include "kernel/x86/software_amx.h"
#endif

/* Eight empty instructions behind each load and product in a loop: where the other half of the physical core uses tiles too,
 * loops of tile instructions alone take 1.1 (bf16) to 1.4 times (split_amx.c) as long; elsewhere they cost nothing. */
#define GR__TILE_GAP() __asm__ volatile("nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop")
#define GR__TILE_LOAD(tile, at, row) \
    do {                             \
        _tile_loadd(tile, at, row);  \
        GR__TILE_GAP();              \
    } while (0)
#define GR__TILE_MULTIPLY(c, a, b) \
    do {                           \
        _tile_dpbf16ps(c, a, b);   \
        GR__TILE_GAP();            \
    } while (0)

/* Bytes from row to row of a tile, from the first tile to the second, from a step of k to the next. */
typedef struct tile_operand {
    const char *at;
    int64_t row, second, step;
} tile_operand;

typedef struct tile_product {
    tile_operand a, b;
    int64_t steps;
    float *c; /* (16*a_tiles, 16*b_tiles), rows ldc apart */
    int64_t ldc;
    bool add;          /* keep what is in C */
    const char *ahead; /* fetched beside the steps: tiles.h */
    int64_t ahead_step;
    int ahead_lines;
} tile_product;

/* a_tiles and b_tiles are constants where these are inlined. */
GR__INLINE void tiles_open(const tile_product *p, int a_tiles, int b_tiles)
{
    float *c0 = p->c, *c1 = c0 + 16 * p->ldc;
    size_t ldc = (size_t)p->ldc * 4;
    if (p->add) {
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
}

/* Steps that begin at a and b; what is fetched beside them from 'ahead' on. */
GR__INLINE void tiles_steps(const tile_product *p, int a_tiles, int b_tiles, const char *a, const char *b,
                            int64_t steps, const char *ahead)
{
    size_t a_row = (size_t)p->a.row, b_row = (size_t)p->b.row;
    for (int64_t s = 0; s < steps; s++, a += p->a.step, b += p->b.step, ahead += p->ahead_step) {
        for (int q = 0; q < p->ahead_lines; q++) vprefetch_far(ahead + 64 * q);
        GR__TILE_LOAD(6, b, b_row);
        GR__TILE_LOAD(4, a, a_row);
        GR__TILE_MULTIPLY(0, 4, 6);
        if (b_tiles == 2) {
            GR__TILE_LOAD(7, b + p->b.second, b_row);
            GR__TILE_MULTIPLY(1, 4, 7);
        }
        if (a_tiles == 2) {
            GR__TILE_LOAD(5, a + p->a.second, a_row);
            GR__TILE_MULTIPLY(2, 5, 6);
            if (b_tiles == 2) GR__TILE_MULTIPLY(3, 5, 7);
        }
    }
}

GR__INLINE void tiles_close(const tile_product *p, int a_tiles, int b_tiles)
{
    float *c0 = p->c, *c1 = c0 + 16 * p->ldc;
    size_t ldc = (size_t)p->ldc * 4;
    _tile_stored(0, c0, ldc);
    if (b_tiles == 2) _tile_stored(1, c0 + 16, ldc);
    if (a_tiles == 2) _tile_stored(2, c1, ldc);
    if (a_tiles == 2 && b_tiles == 2) _tile_stored(3, c1 + 16, ldc);
}

GR__INLINE void tiles_product(const tile_product *p, int a_tiles, int b_tiles)
{
    tiles_open(p, a_tiles, b_tiles);
    tiles_steps(p, a_tiles, b_tiles, p->a.at, p->b.at, p->steps, p->ahead);
    tiles_close(p, a_tiles, b_tiles);
}

#endif
