/* Rows of A as units of k that follow each other (gemm_int.h). */
#include "kernel/gemm_int.h"
#include "kernel/simd.h"
#include "kernel/simd/vec.h"

typedef struct rows {
    const gr__gemm *g;
    const char *a;
    int64_t rows, units, ld, item;
    bool pairs;
    uint32_t *to;
} rows;

static uint32_t unit_at(const rows *r, int64_t row, int64_t unit)
{
    const gr__gemm *g = r->g;
    int64_t l = unit * (r->pairs ? 2 : 1);
    const char *at = r->a + (row * g->a_row + l * g->a_col) * r->item;
    uint32_t word = 0;
    uint16_t half;
    if (!r->pairs) {
        memcpy(&word, at, sizeof word);
        return word;
    }
    memcpy(&half, at, sizeof half);
    word = half;
    if (l + 1 < g->k) {
        memcpy(&half, at + g->a_col * r->item, sizeof half);
        word |= (uint32_t)half << 16;
    }
    return word;
}

/* Units and rows first .. last-1, one by one. */
static void lay_slowly(const rows *r, int64_t row, int64_t last_row, int64_t unit, int64_t last_unit)
{
    for (int64_t i = row; i < last_row; i++)
        for (int64_t u = unit; u < last_unit; u++) r->to[i * r->ld + u] = unit_at(r, i, u);
}

/* SIDE units of WIDE rows, A by columns. Each line of A is read once: columns may share few lines of the cache. */
enum { SIDE = 16, WIDE = 32, AHEAD = 128 /* bytes */ };
static const uint16_t no_column[WIDE];

static void lay_square(const rows *r, int64_t i, int64_t u)
{
    const gr__gemm *g = r->g;
    float square[WIDE / SIDE][SIDE * SIDE];
    for (int64_t k = 0; k < SIDE; k++) {
        int64_t l = (u + k) * (r->pairs ? 2 : 1);
        const char *column = r->a + (i + l * g->a_col) * r->item, *next = column + g->a_col * r->item;
        vprefetch(column + AHEAD);
        if (!r->pairs) {
            for (int64_t j = 0; j < WIDE; j += SIDE) memcpy(square[j / SIDE] + k * SIDE, column + 4 * j, 4 * SIDE);
            continue;
        }
        const uint16_t *low = (const uint16_t *)(const void *)column;
        const uint16_t *high = l + 1 < g->k ? (const uint16_t *)(const void *)next : no_column;
        vprefetch(next + AHEAD);
        for (int64_t j = 0; j < WIDE; j += GR__W)
            vstore(square[j / SIDE] + k * SIDE + j % SIDE, vfrombits(iload_pairs(low + j, high + j)));
    }
    for (int64_t j = 0; j < WIDE; j += GR__W)
        for (int64_t k = 0; k < SIDE; k += GR__W)
            transpose_words((float *)(void *)(r->to + (i + j) * r->ld + u + k), r->ld,
                            (const char *)(square[j / SIDE] + k * SIDE + j % SIDE), SIDE * sizeof(float));
}

/* Units first .. last-1 of all rows of a matrix. */
static void lay_units(const rows *r, int64_t first, int64_t last)
{
    const gr__gemm *g = r->g;
    if (g->a_col == 1) {
        int64_t from = first * 4, bytes = GR__MIN(last * 4, g->k * r->item) - from;
        for (int64_t i = 0; i < r->rows; i++) {
            char *to = (char *)(r->to + i * r->ld) + from;
            memcpy(to, r->a + i * g->a_row * r->item + from, (size_t)bytes);
            memset(to + bytes, 0, (size_t)((last - first) * 4 - bytes));
        }
        return;
    }
    int64_t wide = g->a_row == 1 && last - first == SIDE ? r->rows / WIDE * WIDE : 0;
    for (int64_t i = 0; i < wide; i += WIDE) lay_square(r, i, first);
    lay_slowly(r, wide, r->rows, first, last);
}

void GR__KERNEL(gemm_lay)(const void *args, int64_t first, int64_t last)
{
    const gr__gemm_lay *lay = args;
    const gr__gemm *g = lay->g;
    rows r = {.g = g, .ld = lay->ld, .rows = lay->rows, .pairs = g->dtype == GR_BF16};
    r.item = r.pairs ? 2 : 4;
    r.units = r.pairs ? (g->k + 1) / 2 : g->k;
    int64_t parts = (r.units + GR__GEMM_LAY_UNITS - 1) / GR__GEMM_LAY_UNITS;
    for (int64_t i = first; i < last; i++) {
        int64_t batch = i / parts, unit = i % parts * GR__GEMM_LAY_UNITS;
        r.a = (const char *)g->a + batch * g->a_batch * r.item;
        r.to = lay->to + batch * lay->rows * lay->ld;
        lay_units(&r, unit, GR__MIN(unit + GR__GEMM_LAY_UNITS, r.units));
    }
}
