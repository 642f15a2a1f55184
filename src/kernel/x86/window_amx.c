/* AMX: what a window sees, packed into tiles line by line of the window. */
#include "kernel/window.h"

#include "kernel/simd/vec.h"

enum { TILE_BYTES = 1024, ROW_BYTES = 64 };

/* What a row sees first: line (0, 0) of the window would begin at 'at', on axes 0 and 1 at 'i'; of every line the elements
 * low .. high-1 exist. */
typedef struct seen {
    const uint16_t *at;
    int64_t i[2], low, high;
    __mmask32 first; /* of elements 0 .. 31 */
} seen;

/* Of elements l .. l+31 those from low to high-1. */
GR__INLINE __mmask32 mask_of(int64_t low, int64_t high, int64_t l)
{
    low -= l, high -= l;
    if (low >= 32 || high <= 0) return 0;
    uint64_t below = high >= 32 ? UINT64_C(0xffffffff) : (UINT64_C(1) << high) - 1;
    return (__mmask32)(below & ~(low > 0 ? (UINT64_C(1) << low) - 1 : 0));
}

static seen look(const gr__window_rows *w, const gr__window_place *p)
{
    int64_t i2 = p->at[2] * w->stride[2] - w->before[2];
    seen s = {.i = {p->at[0] * w->stride[0] - w->before[0], p->at[1] * w->stride[1] - w->before[1]},
              .low = GR__MAX(-i2, 0) * w->channels,
              .high = GR__MIN(gr__window_run(w), (w->in[2] - i2) * w->channels)};
    s.first = mask_of(s.low, s.high, 0);
    s.at = w->at + (((p->picture * w->in[0] + s.i[0]) * w->in[1] + s.i[1]) * w->in[2] + i2) * w->channels;
    return s;
}

static bool has_line(const gr__window_rows *w, const seen *s, int64_t k0, int64_t k1)
{
    int64_t i0 = s->i[0] + k0 * w->dilation[0], i1 = s->i[1] + k1 * w->dilation[1];
    return i0 >= 0 && i0 < w->in[0] && i1 >= 0 && i1 < w->in[1];
}

static int64_t line_offset(const gr__window_rows *w, int64_t k0, int64_t k1)
{
    return (k0 * w->dilation[0] * w->in[1] + k1 * w->dilation[1]) * w->in[2] * w->channels;
}

/* Elements l .. l+31 of a line that begins at 'at'. */
GR__INLINE __m512i elements(const uint16_t *at, int64_t low, int64_t high, int64_t l)
{
    if (low <= l && high >= l + 32) return _mm512_loadu_si512(at + l);
    return _mm512_maskz_loadu_epi16(mask_of(low, high, l), at + l);
}

/* ---- rows as lines of a panel ---- */

GR__INLINE void pack_line(const gr__window_rows *w, const seen *rows, int64_t lines, int64_t line, int64_t l,
                          int64_t steps, char *to)
{
    int64_t k0 = line / w->taps[1], k1 = line % w->taps[1], offset = line_offset(w, k0, k1);
    for (int64_t r = 0; r < lines; r++) {
        const seen *s = &rows[r];
        char *row = to + r / 16 * TILE_BYTES + r % 16 * ROW_BYTES;
        bool there = has_line(w, s, k0, k1);
        if (steps == 1 && l == 0) {
            _mm512_storeu_si512(row, _mm512_maskz_loadu_epi16(there ? s->first : 0, s->at + offset));
            continue;
        }
        int64_t low = there ? s->low : 0, high = there ? s->high : 0;
        for (int64_t i = 0; i < steps; i++)
            _mm512_storeu_si512(row + i * GR__TILES_STEP_BYTES,
                                elements(s->at + offset, low, high, l + i * GR__TILES_STEP));
    }
}

void gr__window_pack_a(const gr__window_rows *w, int64_t row, int64_t lines, int64_t first, int64_t depth, void *panel)
{
    int64_t per = gr__window_line_steps(w), begin = first / GR__TILES_STEP, steps = gr__tiles_steps(depth);
    int64_t whole = lines > 16 ? 32 : 16;
    seen rows[GR__TILES_LINES];
    gr__window_place p = gr__window_place_of(w, row);
    for (int64_t r = 0; r < lines; r++) {
        rows[r] = look(w, &p);
        if (++p.at[2] == w->positions[2]) gr__window_next_line(w, &p);
    }
    for (int64_t r = lines; r < whole; r++) rows[r] = (seen){.at = w->at}; /* sees nothing */
    for (int64_t s = 0; s < steps;) {
        int64_t line = (begin + s) / per, at = (begin + s) % per, n = GR__MIN(per - at, steps - s);
        pack_line(w, rows, whole, line, at * GR__TILES_STEP, n, (char *)panel + s * GR__TILES_STEP_BYTES);
        s += n;
    }
}

/* ---- rows as k of a panel ---- */

/* 32 rows of 32 elements as pairs of rows: a tile of the first 16 columns, and of the others. */
static void store_step(const __m512i *row, char *to)
{
    static const uint16_t order[2][32] GR__ALIGNED(64) = {
        {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
         8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
        {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
         24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};
    __m512i low = _mm512_load_si512(order[0]), high = _mm512_load_si512(order[1]);
    for (int i = 0; i < 16; i++) {
        _mm512_storeu_si512(to + i * ROW_BYTES, _mm512_permutex2var_epi16(row[2 * i], low, row[2 * i + 1]));
        _mm512_storeu_si512(to + TILE_BYTES + i * ROW_BYTES,
                            _mm512_permutex2var_epi16(row[2 * i], high, row[2 * i + 1]));
    }
}

void gr__window_pack_b(const gr__window_rows *w, int64_t row, int64_t depth, int64_t first, void *panel)
{
    int64_t per = gr__window_line_steps(w), step = first / GR__TILES_STEP, line = step / per,
            l = step % per * GR__TILES_STEP, k0 = line / w->taps[1], k1 = line % w->taps[1],
            offset = line_offset(w, k0, k1), next = w->stride[2] * w->channels, run = gr__window_run(w);
    gr__window_place p = gr__window_place_of(w, row);
    __m512i rows[GR__TILES_STEP];
    char *to = panel;
    for (int64_t r = 0; r < depth; gr__window_next_line(w, &p)) {
        seen s = look(w, &p);
        bool there = has_line(w, &s, k0, k1);
        int64_t end = GR__MIN(r + w->positions[2] - p.at[2], depth);
        int64_t i2 = p.at[2] * w->stride[2] - w->before[2];
        for (; r < end; r++, s.at += next, i2 += w->stride[2]) {
            int64_t low = GR__MAX(-i2, 0) * w->channels, high = GR__MIN(run, (w->in[2] - i2) * w->channels);
            rows[r % 32] = there ? elements(s.at + offset, low, high, l) : _mm512_setzero_si512();
            if (r % 32 == 31) store_step(rows, to + r / 32 * GR__TILES_STEP_BYTES);
        }
    }
    if (depth % 32 == 0) return;
    for (int64_t r = depth % 32; r < 32; r++) rows[r] = _mm512_setzero_si512();
    store_step(rows, to + depth / 32 * GR__TILES_STEP_BYTES);
}
