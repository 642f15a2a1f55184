/* One step of a recurrent layer without its products: gates, states, and backward what they give.
 *
 * The driver (backend/cpu/cpu_rnn.c) makes W x of all steps at once, in place of what the step then saves, and W h (forward)
 * or d·W (backward) between the steps; where 'joined' W x and W h together. GR__RNN_GRU_BEFORE has a second product in a step, so it has two stages.
 *
 *   saved   (B, T, S*H)  lstm: i, f, g, o, c; gru: r, z, n, seen (op/recurrent.h); rnn: forward only, W x.
 *                        Forward without 'keeps' it is W x, (B, T, G*H), of which nothing is kept; where 'joined' it is not read
 *   from_x  (B*T, G*H)   gradients of W x + b;  from_h: of W h + b, the same array but for GR__RNN_GRU, rows as far apart */
#ifndef GR__RNN_H
#define GR__RNN_H

#include "base/compiler.h"
#include "kernel/rows.h"

typedef enum gr__rnn_kind {
    GR__RNN_LSTM,
    GR__RNN_GRU,
    GR__RNN_GRU_BEFORE,
    GR__RNN_TANH,
    GR__RNN_RELU,
    GR__RNN_KIND_COUNT
} gr__rnn_kind;

typedef struct gr__rnn {
    gr__rnn_kind kind;
    int64_t batch, steps, hidden;
    bool reverse;
    const int32_t *lengths; /* (B); NULL: all steps are real */
    float *saved;
    int64_t blocks; /* of H numbers in a row of saved: S or G */
    bool keeps;
    bool joined; /* forward: product is W x + W h; not with a GRU */
    gr__rows y;  /* (B*T, H) */

    const float *bias_ih, *bias_hh; /* forward (G*H); NULL: none */
    float *h, *c;                   /* forward (B, H): the states; c: lstm */
    gr__rows low;                   /* forward (B, H): what W is multiplied with next; data NULL: h */

    gr__rows dy;             /* backward (B*T, H); data NULL: zeros */
    const float *h0, *c0;    /* backward (B, H); NULL: zeros */
    float *dh, *dc;          /* backward (B, H): gradients of the states after the step; of those before it, but
                                      * for the product that the driver adds */
    gr__rows from_x, from_h; /* backward, out */
    gr__rows before, seen;   /* backward, out (B*T, H): h before the step; gru_before: r*h */
    const float *product;    /* forward (B, G*H): W h; backward (B, H): gru_before, candidate's d·W in stage 1 */
    int64_t t;               /* the step */
    int stage;               /* 0; gru_before: 0 and 1 */
    int64_t block;           /* columns of a unit of the kernels: of one row */
} gr__rnn;

void gr__rnn_forward(const gr__rnn *r);
void gr__rnn_backward(const gr__rnn *r);
/* One block of columns in all rows, on the calling thread. */
void gr__rnn_forward_block(const gr__rnn *r, int64_t block);

GR__INLINE int64_t gr__rnn_gates(gr__rnn_kind k) { return k == GR__RNN_LSTM ? 4 : k <= GR__RNN_GRU_BEFORE ? 3 : 1; }
GR__INLINE int64_t gr__rnn_saved(gr__rnn_kind k) { return k == GR__RNN_LSTM ? 5 : k <= GR__RNN_GRU_BEFORE ? 4 : 1; }

GR__INLINE int64_t gr__rnn_blocks(const gr__rnn *r) { return (r->hidden + r->block - 1) / r->block; }
enum { GR__RNN_BLOCK = 128 }; /* where nothing asks for another 'block' */

#endif
