/* A weight in the order in which the kernel of a product, or of a recurrent layer, reads it. Made by passes only, of weights
 * that no run changes. */
#ifndef GR__OP_PACK_H
#define GR__OP_PACK_H

#include "op/fused_product.h"

typedef struct gr__pack_attr {
    gr__fused_product_attr product; /* that it is made for; or: */
    const gr__op *scan;             /* gr__op_lstm, gr__op_gru or gr__op_rnn, its w_ih and w_hh; NULL: a product */
    gr__recurrent_attr scan_attr;
    gr__value x; /* operand 0 of that */
    size_t bytes;
} gr__pack_attr;

#endif
