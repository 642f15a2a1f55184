/* The CTC loss of a batch and its gradient (formulas: op/ctc_loss.c), a sample a thread. Sums of paths are kept in logarithms
 * of f64: a path of a thousand steps has a probability that no other format holds. */
#ifndef GR__KERNEL_CTC_H
#define GR__KERNEL_CTC_H

#include "base/status.h"

typedef struct gr__ctc {
    int64_t batch, steps, symbols, most; /* most: columns of targets */
    int64_t blank;
    bool zero_infinity;
    const float *logits;                                     /* (B, T, V) */
    const int32_t *targets, *input_lengths, *target_lengths; /* (B, most), (B), (B) */
    float *loss;                                             /* (B); NULL: not wanted */
    float *dlogits;                                          /* (B, T, V); the same */
    double *scratch;                                         /* gr__ctc_scratch() of it for each thread */
} gr__ctc;

/* Doubles for one thread. */
size_t gr__ctc_scratch(const gr__ctc *c);
void gr__ctc_run(const gr__ctc *c);

#endif
