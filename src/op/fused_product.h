/* A product (matmul, conv) whose sums go through an element-wise program on their way to memory. Made by a pass only. */
#ifndef GR__OP_FUSED_PRODUCT_H
#define GR__OP_FUSED_PRODUCT_H

#include "op/attr.h"
#include "op/map.h"

typedef struct gr__fused_product_attr {
    const gr__op *op; /* gr__op_matmul or gr__op_conv */
    union {
        gr_matmul_options matmul;
        gr__conv_attr conv;
    } own;     /* its attributes */
    int n_own; /* its operands come first, behind them those of the program but for the product */
    int at;    /* which operand of the program the product is: as f32, with its last axis the program's last axis */
    gr__fused_attr map;
    size_t packed_bytes; /* not 0: operand 1 is what the op 'pack' made of 'weight' */
    gr__value weight;
} gr__fused_product_attr;

/* The product's operands alone, and its result, as the op 'a->op' would see them. */
typedef struct gr__product_args {
    gr__args args;
    gr__arg in[3], out;
} gr__product_args;
void gr__product_args_of(const gr__args *a, gr__product_args *out);

#endif
