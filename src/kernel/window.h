/* The rows that a convolution's window sees, as a matrix of bf16 that is nowhere in memory: row r is a position, its
 * elements are the window's lines one after the other, each line its taps with their channels side by side, zeros outside
 * of the array and behind each line up to a multiple of 32.
 *
 *     [line (k0, k1)][run of taps[2]*channels, rounded up to 32]                                                    */
#ifndef GR__WINDOW_H
#define GR__WINDOW_H

#include "base/compiler.h"
#include "kernel/tiles.h"

typedef struct gr__window_rows {
    const uint16_t *at;          /* (batch, in..., channels) */
    int64_t in[3], positions[3]; /* sizes; a row for each position of each picture of the batch */
    int64_t stride[3], dilation[3], before[3], taps[3];
    int64_t channels;
} gr__window_rows; /* dilation[2] is 1 */

GR__INLINE int64_t gr__window_run(const gr__window_rows *w) { return w->taps[2] * w->channels; }
GR__INLINE int64_t gr__window_line_steps(const gr__window_rows *w) { return gr__tiles_steps(gr__window_run(w)); }
/* Elements of a row. */
GR__INLINE int64_t gr__window_width(const gr__window_rows *w)
{
    return w->taps[0] * w->taps[1] * gr__window_line_steps(w) * GR__TILES_STEP;
}

/* A row of the matrix: where its position lies. */
typedef struct gr__window_place {
    int64_t picture, at[3];
} gr__window_place;

GR__INLINE gr__window_place gr__window_place_of(const gr__window_rows *w, int64_t row)
{
    gr__window_place p;
    for (int i = 2; i >= 0; i--) {
        p.at[i] = row % w->positions[i];
        row /= w->positions[i];
    }
    p.picture = row;
    return p;
}

/* The first position of the next line. */
GR__INLINE void gr__window_next_line(const gr__window_rows *w, gr__window_place *p)
{
    p->at[2] = 0;
    if (++p->at[1] < w->positions[1]) return;
    p->at[1] = 0;
    if (++p->at[0] < w->positions[0]) return;
    p->at[0] = 0;
    p->picture++;
}

/* Panels of 32 lines as in tiles.h; 'first' and 'depth' are multiples of 32 where they cut rows. */

/* Rows row .. row+lines-1 are the panel's lines, elements first .. first+depth-1 its k. */
void gr__window_pack_a(const gr__window_rows *w, int64_t row, int64_t lines, int64_t first, int64_t depth, void *panel);
/* Elements first .. first+31 are the panel's lines, rows row .. row+depth-1 its k. */
void gr__window_pack_b(const gr__window_rows *w, int64_t row, int64_t depth, int64_t first, void *panel);

#endif
