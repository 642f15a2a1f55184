/* Tile instructions in software, for tests on processors that have none (GRADUS_SOFTWARE_TILES, ./dev test tiles): the same kernels as
 * on AMX, compiled with these names. What the processor would refuse ends the program.
 *
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: TILELOADD, TILESTORED, TDPBF16PS, LDTILECFG. Denormals are kept. */
#ifndef GR__SOFTWARE_AMX_H
#define GR__SOFTWARE_AMX_H

#include "base/compiler.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { GR__SOFTWARE_TILES = 8 };

typedef struct gr__software_tile {
    uint32_t word[16][16]; /* an f32, or a pair of bf16 */
    int rows, words;       /* 0: not configured */
} gr__software_tile;

extern _Thread_local gr__software_tile gr__software_tiles[GR__SOFTWARE_TILES];

void gr__software_tile_config(const void *config);
void gr__software_tile_refuse(const char *what);

GR__INLINE gr__software_tile *gr__software_tile_of(int tile)
{
    gr__software_tile *t = &gr__software_tiles[tile];
    if (!t->rows) gr__software_tile_refuse("is not configured");
    return t;
}

GR__INLINE void gr__software_tile_zero(int tile)
{
    gr__software_tile *t = gr__software_tile_of(tile);
    memset(t->word, 0, sizeof t->word);
}

GR__INLINE void gr__software_tile_load(int tile, const void *from, size_t row)
{
    gr__software_tile *t = gr__software_tile_of(tile);
    memset(t->word, 0, sizeof t->word);
    for (int i = 0; i < t->rows; i++) memcpy(t->word[i], (const char *)from + (size_t)i * row, (size_t)t->words * 4);
}

GR__INLINE void gr__software_tile_store(int tile, void *to, size_t row)
{
    const gr__software_tile *t = gr__software_tile_of(tile);
    for (int i = 0; i < t->rows; i++) memcpy((char *)to + (size_t)i * row, t->word[i], (size_t)t->words * 4);
}

/* Sums of the even and of the odd elements of k, each by fused multiply-adds, then both, then C. */
GR__INLINE void gr__software_tile_multiply(int c, int a, int b)
{
    gr__software_tile *sum = gr__software_tile_of(c);
    const gr__software_tile *left = gr__software_tile_of(a), *right = gr__software_tile_of(b);
    if (left->rows != sum->rows || right->words != sum->words || left->words != right->rows)
        gr__software_tile_refuse("does not fit the others of a product");
    const __m512i high = _mm512_set1_epi32((int)0xffff0000);
    for (int i = 0; i < sum->rows; i++) {
        __m512 even = _mm512_setzero_ps(), odd = even;
        for (int k = 0; k < left->words; k++) {
            __m512i x = _mm512_set1_epi32((int)left->word[i][k]), y = _mm512_loadu_si512(right->word[k]);
            even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                                   _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), even);
            odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, high)),
                                  _mm512_castsi512_ps(_mm512_and_si512(y, high)), odd);
        }
        _mm512_storeu_ps(sum->word[i], _mm512_add_ps(_mm512_loadu_ps(sum->word[i]), _mm512_add_ps(even, odd)));
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig gr__software_tile_config
#define _tile_release() gr__software_tile_config(NULL)
#define _tile_zero gr__software_tile_zero
#define _tile_loadd gr__software_tile_load
#define _tile_stored gr__software_tile_store
#define _tile_dpbf16ps gr__software_tile_multiply

#endif
