/* A matrix product's rows that a window sees (window.h), read where they lie: a tap's channels follow each other, and a tap outside
 * of the array is a line of zeros. Channels come in whole steps of 32, taps are 63 at most (gr__gemm_can_see). */
#ifndef GR__GEMM_WINDOW_H
#define GR__GEMM_WINDOW_H

#include "kernel/gemm_int.h"
#include "kernel/simd/gemm_tile.h"
#include "kernel/window.h"

static const uint16_t no_channel[GR__GEMM_MOST_CHANNELS];

/* ---- as A: the rows of a tile ---- */

/* The rows of a tile, and the tap that comes next. */
typedef struct seen {
    const gr__window_rows *w;
    int64_t first[GR__MR]; /* of each row, where tap 0 would be: elements */
    uint64_t taps[GR__MR]; /* those inside of the array */
    int64_t k[3], tap, offset;
    int64_t channel;
} seen;

/* Where a line of positions sees tap 0 of place 0; bit n*taps[2] is set for those lines n of the window that are inside. */
typedef struct seen_line {
    int64_t first;
    uint64_t lines;
} seen_line;

static seen_line look_at_line(const gr__window_rows *w, const gr__window_place *p)
{
    int64_t i0 = p->at[0] * w->stride[0] - w->before[0], i1 = p->at[1] * w->stride[1] - w->before[1];
    seen_line line = {.first = ((p->picture * w->in[0] + i0) * w->in[1] + i1) * w->in[2]};
    int64_t at = 0;
    for (int64_t k0 = 0; k0 < w->taps[0]; k0++, i0 += w->dilation[0])
        for (int64_t k1 = 0, i = i1; k1 < w->taps[1]; k1++, i += w->dilation[1], at += w->taps[2])
            line.lines |= (uint64_t)(i0 >= 0 && i0 < w->in[0] && i >= 0 && i < w->in[1]) << at;
    return line;
}

/* Rows from p on, which becomes the one behind them. 'line' is that of p, if p is not its first place. */
static void look(seen *s, gr__window_place *p, seen_line *line, int64_t rows)
{
    const gr__window_rows *w = s->w;
    for (int64_t r = 0; r < rows; r++) {
        if (p->at[2] == 0) *line = look_at_line(w, p);
        int64_t i2 = p->at[2] * w->stride[2] - w->before[2];
        int64_t low = GR__MAX(-i2, 0), high = GR__MIN(w->taps[2], w->in[2] - i2);
        uint64_t inside = high > low ? (UINT64_C(1) << high) - (UINT64_C(1) << low) : 0;
        s->first[r] = (line->first + i2) * w->channels;
        s->taps[r] = line->lines * inside;
        if (++p->at[2] == w->positions[2]) gr__window_next_line(w, p);
    }
}

GR__INLINE void set_tap(seen *s)
{
    const gr__window_rows *w = s->w;
    s->offset = ((s->k[0] * w->dilation[0] * w->in[1] + s->k[1] * w->dilation[1]) * w->in[2] + s->k[2]) * w->channels;
}

/* Element l of the rows comes next. */
GR__INLINE void seek(seen *s, int64_t l)
{
    const gr__window_rows *w = s->w;
    s->tap = l / w->channels;
    s->channel = l % w->channels;
    s->k[2] = s->tap % w->taps[2];
    s->k[1] = s->tap / w->taps[2] % w->taps[1];
    s->k[0] = s->tap / w->taps[2] / w->taps[1];
    set_tap(s);
}

/* The first channel of the next tap comes next. */
GR__INLINE void next_tap(seen *s)
{
    const gr__window_rows *w = s->w;
    s->channel = 0;
    s->tap++;
    if (++s->k[2] == w->taps[2]) {
        s->k[2] = 0;
        if (++s->k[1] == w->taps[1]) s->k[1] = 0, s->k[0]++;
    }
    set_tap(s);
}

GR__INLINE void point(const seen *s, int m, const char **at)
{
    for (int r = 0; r < m; r++) {
        bool there = s->taps[r] >> s->tap & 1;
        const uint16_t *tap = there ? s->w->at : no_channel;
        at[r] = (const char *)(tap + (there ? s->first[r] + s->offset : 0) + s->channel);
    }
}

/* ---- as B: rows of k ---- */

/* Elements l .. l+n-1 of rows, all of one tap, as pairs of rows. */
static void pack_seen_tap(const gr__window_rows *w, int64_t row, int64_t last, int64_t l, int64_t n, int64_t units,
                          float *to)
{
    int64_t tap = l / w->channels, k2 = tap % w->taps[2], k1 = tap / w->taps[2] % w->taps[1],
            k0 = tap / w->taps[2] / w->taps[1], channel = l % w->channels, line = 0;
    bool there = false;
    gr__window_place p = gr__window_place_of(w, row);
    for (int64_t r = 0; r < 2 * units; r += 2, to += GR__NR) {
        const uint16_t *pair[2];
        for (int q = 0; q < 2; q++) {
            if ((r == 0 && q == 0) || p.at[2] == 0) {
                int64_t i0 = p.at[0] * w->stride[0] - w->before[0] + k0 * w->dilation[0],
                        i1 = p.at[1] * w->stride[1] - w->before[1] + k1 * w->dilation[1];
                there = i0 >= 0 && i0 < w->in[0] && i1 >= 0 && i1 < w->in[1];
                line = ((p.picture * w->in[0] + i0) * w->in[1] + i1) * w->in[2];
            }
            int64_t i2 = p.at[2] * w->stride[2] - w->before[2] + k2;
            bool inside = there && i2 >= 0 && i2 < w->in[2] && row + r + q < last;
            pair[q] = inside ? w->at + (line + i2) * w->channels + channel : no_channel;
            if (++p.at[2] == w->positions[2]) gr__window_next_line(w, &p);
        }
        for (int64_t j = 0; j < n; j += GR__W) vstore(to + j, vfrombits(iload_pairs(pair[0] + j, pair[1] + j)));
    }
}

/* [units][GR__NR]: rows row .. (as far as 'last') in pairs, columns l .. l+columns-1. */
static void pack_seen(const gr__window_rows *w, int64_t row, int64_t last, int64_t l, int64_t columns, int64_t units,
                      float *to)
{
    for (int64_t n; columns > 0; l += n, to += n, columns -= n) {
        n = GR__MIN(w->channels - l % w->channels, columns);
        pack_seen_tap(w, row, last, l, n, units, to);
    }
}

#endif
