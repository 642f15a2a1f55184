/* What the kernels of recurrent layers and of their gradients share: sizes, states, how far apart rows lie. */
#ifndef GR__CPU_SCAN_H
#define GR__CPU_SCAN_H

#include "backend/cpu/room.h"
#include "backend/cpu/table.h"
#include "kernel/rnn.h"
#include "op/recurrent.h"

typedef struct gr__scan {
    gr__rnn_kind kind;
    int64_t b, t, i, h, g, s; /* g, s: blocks of h, of what is made from x and of what the step leaves there */
    bool keeps;               /* for the backward pass */
    gr_dtype dtype;
    size_t item;
} gr__scan;

gr__scan gr__scan_of(const gr__args *a);
bool gr__scan_applicable(const gr__args *a, char *why);

/* An optional operand as floats; a bf16 one is widened into scratch. */
float *gr__scan_floats(const gr__args *a, int i, gr__room *r);
/* A state (B, H), n numbers, that the steps change: the result itself where it is wanted. Begins as the operand or zeros. */
float *gr__scan_state(const gr__args *a, int in, int out, int64_t n, gr__room *r);

GR__INLINE gr__rows gr__scan_rows(void *data, gr_dtype dtype, int64_t ld) { return (gr__rows){data, dtype, ld}; }
GR__INLINE bool gr__scan_resets_before(const gr__scan *z) { return z->kind == GR__RNN_GRU_BEFORE; }
/* Elements from row to row where a row has k: an odd multiple of 32. Rows a power of two apart share a few lines of the cache. */
GR__INLINE int64_t gr__scan_row(int64_t k) { return ((k + 31) / 32 | 1) * 32; }
/* Of W_hh (G*H, H) the rows of the candidate, which has a product of its own. */
GR__INLINE const char *gr__scan_candidate(const gr__scan *z, const void *w_hh)
{
    return w_hh ? (const char *)w_hh + (size_t)(2 * z->h * z->h) * z->item : NULL;
}

#endif
