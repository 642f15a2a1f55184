/* The operand of most kernels: a matrix whose rows are contiguous. */
#ifndef GR__ROWS_H
#define GR__ROWS_H

#include "gradus/tensor.h"

/* Element (r, j) is data[r*ld + j]. GR_F32 or GR_BF16. Kernels write only to operands that are named as outputs. */
typedef struct gr__rows {
    void *data; /* NULL where an optional operand is absent */
    gr_dtype dtype;
    int64_t ld; /* elements from row to row, >= c */
} gr__rows;

#endif
