/* Rows of a table by id, and the gradient of that. */
#ifndef GR__EMBED_H
#define GR__EMBED_H

#include "kernel/rows.h"

typedef struct gr__embed {
    int64_t rows, v, c;
    const int32_t *ids; /* (rows); outside 0 .. v-1: forward writes zeros, backward adds nothing */
    gr__rows table;     /* forward (v, c) */
    gr__rows y;         /* forward, out (rows, c) */
    gr__rows dy;        /* backward (rows, c) */
    gr__rows dtable;    /* backward (v, c) f32: dtable[ids[r]] += dy[r], in the order of r */
} gr__embed;

void gr__embed_forward(const gr__embed *e);
void gr__embed_backward(const gr__embed *e);

#endif
