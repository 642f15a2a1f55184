/* A matmul node's operands as a batch of plain matrices with strides. */
#ifndef GR__PRODUCT_H
#define GR__PRODUCT_H

#include "graph/kernel_row.h"

typedef struct gr__product {
    int64_t batch, m, n, k;
    int64_t a_row, a_col, a_batch;
    int64_t b_row, b_col, b_batch;
    int64_t c_row, c_col, c_batch;
} gr__product;

/* false: the batch axes do not form one stride ('why' is filled). */
bool gr__product_of(const gr__args *a, gr__product *out, char *why);

/* Copies the operand to add to into the result unless it is already there. */
void gr__product_seed(const gr__args *a);

#endif
