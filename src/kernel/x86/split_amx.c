/* f32 on AMX tiles of bf16: a number is the sum of three bf16 of 8 bits each, and of the nine products of two such sums the six
 * that f32 would not round away are made (Henry, Tang, Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for
 * higher-precision computations", ARITH 2019). What is left out is 2^-26 of a product. */
#include "kernel/tiles.h"

#include "kernel/simd/product_amx.h"
#include "tensor/convert.h"

#include <math.h>

enum { PLANES = GR__TILES_PLANES, TILE_WORDS = 256, PLANE_WORDS = 2 * TILE_WORDS, STEP_WORDS = PLANES * PLANE_WORDS };

/* Largest, middle and smallest part of 32 numbers: bf16 in the upper halves of words. */
typedef struct parts {
    __m512i low[PLANES], high[PLANES];
} parts;

GR__INLINE __m512i upper(__m512i x) { return _mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)); }

/* To the nearest bf16, halves away from zero. */
GR__INLINE __m512i rounded(__m512 x)
{
    return upper(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)));
}

/* Adds what is too large for bf16, or not finite, to 'beyond' as NaN. */
GR__INLINE void split(__m512 x, __m512i *part, __m512 *beyond)
{
    part[0] = rounded(x);
    x = _mm512_sub_ps(x, _mm512_castsi512_ps(part[0]));
    part[1] = rounded(x);
    x = _mm512_sub_ps(x, _mm512_castsi512_ps(part[1]));
    part[2] = _mm512_castps_si512(x);
    *beyond = _mm512_add_ps(*beyond, x);
}

GR__INLINE bool any_nan(__m512 x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0; }

/* The same of one number of any size: cut off, not rounded. An infinity or NaN is its own largest part. */
static void cut(float x, uint16_t *part)
{
    float high = isnan(x) ? gr__f32_from_bits(0x7fc00000) : gr__f32_from_bits(gr__f32_bits(x) & 0xffff0000),
          rest = isfinite(x) ? x - high : 0;
    float middle = gr__f32_from_bits(gr__f32_bits(rest) & 0xffff0000);
    part[0] = (uint16_t)(gr__f32_bits(high) >> 16);
    part[1] = (uint16_t)(gr__f32_bits(middle) >> 16);
    part[2] = (uint16_t)(gr__f32_bits(rest - middle) >> 16);
}

/* Rows of numbers next to each other. */
typedef struct view {
    const float *at;
    int64_t ld;
} view;

/* (rows, columns), multiples of 16, zeros beyond what there is; 'temp' has room for them. */
GR__INLINE view block_of(const float *at, int64_t row, int64_t column, int64_t have_rows, int64_t have_columns,
                         int rows, int columns, float *temp)
{
    bool whole = have_rows >= rows && have_columns >= columns;
    if (whole && column == 1) return (view){at, row};
    if (whole && row == 1) {
        for (int r = 0; r < rows; r += 16)
            for (int c = 0; c < columns; c += 16)
                transpose_words(temp + r * columns + c, columns, (const char *)(at + c * column + r), column * 4);
    } else {
        memset(temp, 0, (size_t)(rows * columns) * sizeof *temp);
        for (int64_t r = 0; r < GR__MIN(have_rows, rows); r++)
            for (int64_t c = 0; c < GR__MIN(have_columns, columns); c++)
                temp[r * columns + c] = at[r * row + c * column];
    }
    return (view){temp, columns};
}

/* What the next step will read: rows that lie far apart are not seen coming. */
GR__INLINE void fetch_step(const gr__tiles_split_source *s, int64_t l)
{
    enum { LINE = 16, AHEAD = GR__TILES_STEP };
    if (l + AHEAD + GR__TILES_STEP > s->depth) return;
    bool by_k = s->k != 1;
    const float *at = s->at + (l + AHEAD) * s->k;
    int64_t step = by_k ? s->k : s->line, rows = by_k ? GR__TILES_STEP : s->lines;
    int64_t columns = by_k ? s->lines : GR__TILES_STEP;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c += LINE) vprefetch_far((const char *)(at + r * step + c));
}

/* 16 rows of 32 numbers. false: an infinity is among them. */
__attribute__((noinline)) static bool cut_tile(const float *at, int64_t row, float *to)
{
    uint16_t part[PLANES], *tile = (uint16_t *)(void *)to;
    bool finite = true;
    for (int r = 0; r < 16; r++)
        for (int c = 0; c < 32; c++) {
            float x = at[r * row + c];
            finite = finite && !isinf(x);
            cut(x, part);
            for (int p = 0; p < PLANES; p++) tile[p * 2 * PLANE_WORDS + r * 32 + c] = part[p];
        }
    return finite;
}

/* A tile of A from 16 rows of 32 elements of k. */
GR__INLINE bool split_rows(view v, float *to)
{
    const __m512i order = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                                           25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    __m512 beyond = _mm512_setzero_ps();
    parts p;
    for (int r = 0; r < 16; r++) {
        split(_mm512_loadu_ps(v.at + r * v.ld), p.low, &beyond);
        split(_mm512_loadu_ps(v.at + r * v.ld + 16), p.high, &beyond);
        for (int i = 0; i < PLANES; i++)
            _mm512_store_si512(to + i * PLANE_WORDS + r * 16, _mm512_permutex2var_epi16(p.low[i], order, p.high[i]));
    }
    return !GR__UNLIKELY(any_nan(beyond)) || cut_tile(v.at, v.ld, to);
}

/* A tile of B from 32 rows, elements of k, of 16 columns. */
GR__INLINE bool split_pairs(view v, float *to)
{
    __m512 beyond = _mm512_setzero_ps();
    parts p;
    for (int r = 0; r < 16; r++) {
        split(_mm512_loadu_ps(v.at + 2 * r * v.ld), p.low, &beyond);
        split(_mm512_loadu_ps(v.at + (2 * r + 1) * v.ld), p.high, &beyond);
        for (int i = 0; i < PLANES; i++)
            _mm512_store_si512(to + i * PLANE_WORDS + r * 16,
                               _mm512_or_si512(_mm512_srli_epi32(p.low[i], 16), upper(p.high[i])));
    }
    if (!GR__UNLIKELY(any_nan(beyond))) return true;
    float pairs[16 * 32];
    for (int l = 0; l < 32; l++)
        for (int c = 0; c < 16; c++) pairs[l / 2 * 32 + c * 2 + l % 2] = v.at[l * v.ld + c];
    return cut_tile(pairs, 32, to);
}

bool gr__tiles_split_a(const gr__tiles_split_source *s, void *panel)
{
    float *to = panel, temp[16 * 32] GR__ALIGNED(64);
    bool finite = true;
    for (int64_t l = 0; l < s->depth; l += GR__TILES_STEP, to += STEP_WORDS) {
        fetch_step(s, l);
        for (int t = 0; t < (s->lines > 16 ? 2 : 1); t++) {
            const float *at = s->at + 16 * t * s->line + l * s->k;
            view v = block_of(at, s->line, s->k, s->lines - 16 * t, s->depth - l, 16, 32, temp);
            finite &= split_rows(v, to + t * TILE_WORDS);
        }
    }
    return finite;
}

bool gr__tiles_split_b(const gr__tiles_split_source *s, void *panel)
{
    float *to = panel, temp[32 * 16] GR__ALIGNED(64);
    bool finite = true;
    for (int64_t l = 0; l < s->depth; l += GR__TILES_STEP, to += STEP_WORDS) {
        fetch_step(s, l);
        for (int t = 0; t < (s->lines > 16 ? 2 : 1); t++) {
            const float *at = s->at + 16 * t * s->line + l * s->k;
            view v = block_of(at, s->k, s->line, s->depth - l, s->lines - 16 * t, 32, 16, temp);
            finite &= split_pairs(v, to + t * TILE_WORDS);
        }
    }
    return finite;
}

/* ---- products ---- */

GR__INLINE void load_a(const char *step, int plane, int tiles)
{
    GR__TILE_LOAD(4, step + plane * PLANE_WORDS * 4, 64);
    if (tiles == 2) GR__TILE_LOAD(5, step + plane * PLANE_WORDS * 4 + TILE_WORDS * 4, 64);
}

GR__INLINE void load_b(const char *step, int plane, int tiles)
{
    GR__TILE_LOAD(6, step + plane * PLANE_WORDS * 4, 64);
    if (tiles == 2) GR__TILE_LOAD(7, step + plane * PLANE_WORDS * 4 + TILE_WORDS * 4, 64);
}

GR__INLINE void add_products(int a_tiles, int b_tiles)
{
    GR__TILE_MULTIPLY(0, 4, 6);
    if (b_tiles == 2) GR__TILE_MULTIPLY(1, 4, 7);
    if (a_tiles == 2) GR__TILE_MULTIPLY(2, 5, 6);
    if (a_tiles == 2 && b_tiles == 2) GR__TILE_MULTIPLY(3, 5, 7);
}

GR__INLINE void multiply(const gr__tiles_job *j, int a_tiles, int b_tiles)
{
    const tile_product p = {.c = j->c, .ldc = j->ldc, .add = j->add};
    const char *a = j->a, *b = j->b;
    tiles_open(&p, a_tiles, b_tiles);
    for (int64_t s = 0; s < j->steps; s++, a += STEP_WORDS * 4, b += STEP_WORDS * 4) {
        load_a(a, 0, a_tiles);
        load_b(b, 2, b_tiles);
        add_products(a_tiles, b_tiles);
        load_b(b, 1, b_tiles);
        add_products(a_tiles, b_tiles);
        load_a(a, 1, a_tiles);
        add_products(a_tiles, b_tiles);
        load_b(b, 0, b_tiles);
        add_products(a_tiles, b_tiles);
        load_a(a, 2, a_tiles);
        add_products(a_tiles, b_tiles);
        load_a(a, 0, a_tiles);
        add_products(a_tiles, b_tiles);
    }
    tiles_close(&p, a_tiles, b_tiles);
}

void gr__tiles_multiply_split(const gr__tiles_job *j)
{
    switch (j->a_tiles * 2 + j->b_tiles) {
    case 3: multiply(j, 1, 1); break;
    case 4: multiply(j, 1, 2); break;
    case 5: multiply(j, 2, 1); break;
    default: multiply(j, 2, 2); break;
    }
}

/* ---- with infinities ---- */

/* A number from its three parts; 'half' counts bf16 of a plane. */
static float whole(const uint16_t *step, int64_t half)
{
    float sum = 0;
    for (int p = PLANES - 1; p >= 0; p--) sum += gr__bf16_to_f32(step[p * 2 * PLANE_WORDS + half]);
    return sum;
}

void gr__tiles_multiply_whole(const gr__tiles_job *j)
{
    const uint16_t *a = j->a, *b = j->b;
    int64_t rows = 16 * j->a_tiles, columns = 16 * j->b_tiles;
    float b_row[GR__TILES_LINES];
    for (int64_t i = 0; !j->add && i < rows; i++) memset(j->c + i * j->ldc, 0, (size_t)columns * sizeof *j->c);
    for (int64_t s = 0; s < j->steps; s++, a += 2 * STEP_WORDS, b += 2 * STEP_WORDS)
        for (int64_t l = 0; l < GR__TILES_STEP; l++) {
            for (int64_t n = 0; n < columns; n++)
                b_row[n] = whole(b, n / 16 * 2 * TILE_WORDS + l / 2 * 32 + n % 16 * 2 + l % 2);
            for (int64_t i = 0; i < rows; i++) {
                float x = whole(a, i * 32 + l);
                for (int64_t n = 0; n < columns; n++) j->c[i * j->ldc + n] += x * b_row[n];
            }
        }
}
