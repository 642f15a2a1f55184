/* A weight in the order in which the kernel of a product reads it. Made by a pass only, of weights that no run changes. */
#ifndef GR__OP_PACK_H
#define GR__OP_PACK_H

#include "op/fused_product.h"

typedef struct gr__pack_attr {
    gr__fused_product_attr product; /* that it is made for */
    gr__value x;                    /* operand 0 of that */
} gr__pack_attr;

#endif
