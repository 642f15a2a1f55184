/* Dropout without a stored mask: element i is kept when philox(key, stream, counter + i/4)[i%4] >= p*2^32. */
#ifndef GR__DROPOUT_H
#define GR__DROPOUT_H

#include "gradus/tensor.h"

typedef struct gr__dropout {
    int64_t count;
    const void *x;   /* (count); forward: x, backward: dy (the same kernel) */
    void *y;         /* out (count), may be x: x*keep/(1-p) */
    const void *add; /* optional (count): added to y (residual); may be y */
    gr_dtype dtype;  /* of x, y and add: GR_F32 or GR_BF16 */
    uint64_t key, stream, counter;
    double p; /* [0, 1] */
} gr__dropout;

void gr__dropout_run(const gr__dropout *d);

#endif
