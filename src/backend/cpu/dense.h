/* A product made once and run many times: oneDNN where it is built in and able, else our own.
 * For kernels that are made of several products. */
#ifndef GR__DENSE_H
#define GR__DENSE_H

#include "kernel/conv.h"

typedef struct gr__dense gr__dense;

/* Where our own is the faster one (`gradus bench gemm`): bf16 on tiles; many rows of f32 times a narrow B; and oneDNN 2.6 falls to half its speed in products
 * with a dimension of tens of thousands when the large matrix lies across. */
bool gr__dense_own_is_faster(const gr__gemm *shape);
/* The same of a convolution. */
bool gr__conv_own_is_faster(const gr__conv *c);

/* Pointers in the shape are not read; scratch is not used. GR_ERR_MEMORY. */
gr_status gr__dense_new(const gr__gemm *shape, gr__dense **out);
void gr__dense_free(gr__dense *d);
/* What a run borrows; NULL: 0. */
size_t gr__dense_scratch_bytes(const gr__dense *d);
/* For many runs with one B: bytes of it in the order that the kernel reads; 0: it reads B as it lies, or there is no d. */
size_t gr__dense_packed_bytes(const gr__dense *d);
/* Runs read 'to' instead of their b from here on. scratch: as of a run. */
void gr__dense_pack(gr__dense *d, const void *b, void *to, void *scratch);
/* The same of a B that was packed before. */
void gr__dense_use_packed(gr__dense *d, const void *packed);
gr_status gr__dense_run(gr__dense *d, const void *a, const void *b, void *c, void *scratch);

#endif
