/* A product made once and run many times: oneDNN where it is built in and able, else our own.
 * For kernels that are made of several products. */
#ifndef GR__DENSE_H
#define GR__DENSE_H

#include "kernel/gemm.h"

typedef struct gr__dense gr__dense;

/* Pointers in the shape are not read; scratch is not used. GR_ERR_MEMORY. */
gr_status gr__dense_new(const gr__gemm *shape, gr__dense **out);
void gr__dense_free(gr__dense *d);
/* What a run borrows; NULL: 0. */
size_t gr__dense_scratch_bytes(const gr__dense *d);
gr_status gr__dense_run(gr__dense *d, const void *a, const void *b, void *c, void *scratch);

#endif
