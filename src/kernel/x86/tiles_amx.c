/* AMX: packing, products of panels, and the way of their sums to C. */
#include "kernel/tiles.h"

#include "kernel/simd/product_amx.h"
#include "kernel/simd/tile.h"

typedef struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static const tile_config config = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

void gr__tiles_begin(void) { _tile_loadconfig(&config); }

void gr__tiles_begin_rows(int64_t rows)
{
    tile_config some = config;
    uint8_t first = (uint8_t)GR__MIN(rows, 16), second = (uint8_t)GR__MAX(rows - 16, 1);
    if (rows <= 16) { /* tiles of one_a() */
        for (int t = 0; t <= 4; t++) some.rows[t] = first;
    } else { /* of product_amx.h */
        some.rows[2] = some.rows[3] = some.rows[5] = second;
    }
    __asm__ volatile("" : : "r"(&some) : "memory"); /* gcc's intrinsic names 8 of the bytes that it reads */
    _tile_loadconfig(&some);
}

void gr__tiles_end(void) { _tile_release(); }

/* ---- packing ---- */

enum { TILE_WORDS = 256 };

/* Pair l of k in 16 lines from line i on, as words; lines next to each other in memory. */
GR__INLINE __m512i pairs_of_lines(const gr__tiles_source *s, int64_t l, int64_t i)
{
    int64_t n = s->lines - i;
    __mmask16 mask = (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
    const uint16_t *at = s->at + l * s->k + i;
    __m512i low = _mm512_setzero_si512(), high = low;
    if (l < s->depth) low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at));
    if (l + 1 < s->depth) high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at + s->k));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* 32 elements of k of line i; k next to each other in memory. */
GR__INLINE __m512i k_of_line(const gr__tiles_source *s, int64_t l, int64_t i)
{
    int64_t n = i < s->lines ? s->depth - l : 0;
    __mmask32 mask = (__mmask32)(n >= 32 ? 0xffffffff : n <= 0 ? 0 : ((uint64_t)1 << n) - 1);
    return _mm512_maskz_loadu_epi16(mask, s->at + i * s->line + l);
}

/* Any strides: the tile by lines, [16 lines][32 k]. */
static void gather_lines(const gr__tiles_source *s, int64_t l, int64_t i, uint16_t *tile)
{
    memset(tile, 0, TILE_WORDS * 4);
    for (int64_t r = 0; r < 16 && i + r < s->lines; r++)
        for (int64_t c = 0; c < 32 && l + c < s->depth; c++)
            tile[r * 32 + c] = s->at[(i + r) * s->line + (l + c) * s->k];
}

GR__INLINE void transpose_tile(float *to, const void *from) { transpose_words(to, 16, from, 64); }

/* The tile of lines i.. and k l.. by lines; 'temp' has room for one. */
GR__INLINE void tile_by_lines(const gr__tiles_source *s, int64_t l, int64_t i, float *to, float *temp)
{
    if (s->k == 1) {
        for (int r = 0; r < 16; r++) _mm512_storeu_si512(to + r * 16, k_of_line(s, l, i + r));
    } else if (s->line == 1) {
        for (int r = 0; r < 16; r++) _mm512_storeu_si512(temp + r * 16, pairs_of_lines(s, l + 2 * r, i));
        transpose_tile(to, temp);
    } else {
        gather_lines(s, l, i, (uint16_t *)(void *)to);
    }
}

GR__INLINE void tile_by_pairs(const gr__tiles_source *s, int64_t l, int64_t i, float *to, float *temp)
{
    if (s->k == 1 && i + 16 <= s->lines && l + 32 <= s->depth) {
        transpose_words(to, 16, (const char *)(s->at + i * s->line + l), s->line * 2);
    } else if (s->line == 1) {
        for (int r = 0; r < 16; r++) _mm512_storeu_si512(to + r * 16, pairs_of_lines(s, l + 2 * r, i));
    } else {
        tile_by_lines(s, l, i, temp, NULL);
        transpose_tile(to, temp);
    }
}

void gr__tiles_pack_a(const gr__tiles_source *s, void *panel)
{
    float *to = panel, temp[TILE_WORDS] GR__ALIGNED(64);
    int tiles = s->lines > 16 ? 2 : 1;
    for (int64_t l = 0; l < s->depth; l += GR__TILES_STEP, to += 2 * TILE_WORDS)
        for (int t = 0; t < tiles; t++) tile_by_lines(s, l, 16 * t, to + t * TILE_WORDS, temp);
}

void gr__tiles_pack_b(const gr__tiles_source *s, void *panel)
{
    float *to = panel, temp[TILE_WORDS] GR__ALIGNED(64);
    int tiles = s->lines > 16 ? 2 : 1;
    for (int64_t l = 0; l < s->depth; l += GR__TILES_STEP, to += 2 * TILE_WORDS)
        for (int t = 0; t < tiles; t++) tile_by_pairs(s, l, 16 * t, to + t * TILE_WORDS, temp);
}

/* ---- products ---- */

void gr__tiles_multiply(const gr__tiles_job *j)
{
    enum { ROW = 64, TILE = 1024 };
    tile_product p = {.a = {j->a, ROW, TILE, GR__TILES_STEP_BYTES},
                      .b = {j->b, ROW, TILE, GR__TILES_STEP_BYTES},
                      .steps = j->steps,
                      .c = j->c,
                      .ldc = j->ldc,
                      .add = j->add,
                      .ahead = j->ahead,
                      .ahead_step = j->ahead_step,
                      .ahead_lines = j->ahead_lines};
    switch (j->a_tiles * 2 + j->b_tiles) {
    case 3: tiles_product(&p, 1, 1); break;
    case 4: tiles_product(&p, 1, 2); break;
    case 5: tiles_product(&p, 2, 1); break;
    default: tiles_product(&p, 2, 2); break;
    }
}

/* Rows of A in one tile: four tiles of B at once, so that no product waits for the one before. Tiles 0-3 are sums, 4 is A. */
static void one_a(const gr__tiles_rows_job *j, float *c, int64_t ldc)
{
    const char *a = (const char *)j->a, *b = j->b, *b1 = j->b + j->b_panel;
    size_t row = (size_t)ldc * 4, a_row = (size_t)j->a_row * 2;
    if (j->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + 16, row);
        _tile_loadd(2, c + 32, row);
        _tile_loadd(3, c + 48, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0; s < j->steps; s++, a += 64, b += GR__TILES_STEP_BYTES, b1 += GR__TILES_STEP_BYTES) {
        GR__TILE_LOAD(4, a, a_row);
        GR__TILE_LOAD(5, b, 64);
        GR__TILE_MULTIPLY(0, 4, 5);
        GR__TILE_LOAD(6, b + 1024, 64);
        GR__TILE_MULTIPLY(1, 4, 6);
        GR__TILE_LOAD(7, b1, 64);
        GR__TILE_MULTIPLY(2, 4, 7);
        GR__TILE_LOAD(5, b1 + 1024, 64);
        GR__TILE_MULTIPLY(3, 4, 5);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + 16, row);
    _tile_stored(2, c + 32, row);
    _tile_stored(3, c + 48, row);
}

static void two_a(const gr__tiles_rows_job *j, float *c, int64_t ldc)
{
    tile_product p = {.a = {(const char *)j->a, j->a_row * 2, 16 * 2 * j->a_row, 64},
                      .b = {j->b, 64, 1024, GR__TILES_STEP_BYTES},
                      .steps = j->steps,
                      .c = c,
                      .ldc = ldc,
                      .add = j->add};
    tiles_product(&p, 2, 2);
    if (j->columns <= GR__TILES_LINES) return;
    p.b.at += j->b_panel;
    p.c += GR__TILES_LINES;
    tiles_product(&p, 2, 2);
}

void gr__tiles_multiply_rows(const gr__tiles_rows_job *j)
{
    enum { WIDE = 2 * GR__TILES_LINES };
    float sums[GR__TILES_LINES * WIDE] GR__ALIGNED(64);
    bool whole = j->columns == WIDE || (j->columns == GR__TILES_LINES && j->rows > 16);
    gr__tiles_rows_job all = *j;
    if (j->columns <= GR__TILES_LINES) all.b_panel = 0; /* there is no second one */
    for (int64_t i = 0; !whole && j->add && i < j->rows; i++)
        memcpy(sums + i * WIDE, j->c + i * j->ldc, (size_t)j->columns * 4);
    if (j->rows > 16)
        two_a(&all, whole ? j->c : sums, whole ? j->ldc : WIDE);
    else
        one_a(&all, whole ? j->c : sums, whole ? j->ldc : WIDE);
    for (int64_t i = 0; !whole && i < j->rows; i++) memcpy(j->c + i * j->ldc, sums + i * WIDE, (size_t)j->columns * 4);
}

GR__INLINE void multiply_seen(const gr__tiles_seen_job *j, int b_tiles)
{
    tile_product p = {.a = {j->tile[0], j->a_row, j->tile[1] - j->tile[0], 64},
                      .b = {j->b, 64, 1024, GR__TILES_STEP_BYTES},
                      .c = j->c,
                      .ldc = j->ldc,
                      .ahead_step = j->ahead_step,
                      .ahead_lines = j->ahead_lines};
    const char *ahead = j->ahead;
    tiles_open(&p, 2, b_tiles);
    for (const gr__tiles_run *r = j->run; r < j->run + j->runs; r++) {
        tiles_steps(&p, 2, b_tiles, p.a.at + r->a, j->b + r->b, r->steps, ahead);
        ahead += r->steps * j->ahead_step;
    }
    tiles_close(&p, 2, b_tiles);
}

void gr__tiles_multiply_seen(const gr__tiles_seen_job *j)
{
    if (j->b_tiles == 2)
        multiply_seen(j, 2);
    else
        multiply_seen(j, 1);
}

/* ---- sums and C ---- */

void gr__tiles_load_sums(const gr__tiles_block *b)
{
    for (int64_t i = 0; i < b->rows; i++) {
        if (b->c_dtype == GR_F32)
            memcpy(b->sums + i * b->ld, (const float *)b->c + i * b->c_row, (size_t)b->columns * 4);
        else
            widen_bf16(b->sums + i * b->ld, (const uint16_t *)b->c + i * b->c_row, b->columns);
    }
}

void gr__tiles_store_sums(const gr__tiles_block *b)
{
    for (int64_t i = 0; i < b->rows; i++) {
        float *s = b->sums + i * b->ld;
        for (int64_t j = 0; b->bias && j < b->columns; j++) s[j] += b->bias[j];
        if (b->c_dtype == GR_F32)
            memcpy((float *)b->c + i * b->c_row, s, (size_t)b->columns * 4);
        else
            narrow_bf16((uint16_t *)b->c + i * b->c_row, s, b->columns);
    }
}

/* ---- peak ---- */

float gr__tiles_peak(int64_t rounds)
{
    float out[TILE_WORDS] GR__ALIGNED(64);
    gr__tiles_begin();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(6);
    for (int64_t r = 0; r < rounds; r++) {
        GR__TILE_MULTIPLY(0, 4, 6);
        GR__TILE_MULTIPLY(1, 4, 6);
        GR__TILE_MULTIPLY(2, 4, 6);
        GR__TILE_MULTIPLY(3, 4, 6);
    }
    _tile_stored(0, out, 64);
    gr__tiles_end();
    return out[0];
}
