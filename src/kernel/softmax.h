/* Softmax over the last dimension, and cross-entropy on logits. */
#ifndef GR__SOFTMAX_H
#define GR__SOFTMAX_H

#include "kernel/rows.h"

typedef struct gr__softmax {
    int64_t rows, c;
    bool log;    /* log-softmax */
    gr__rows x;  /* forward (rows, c) */
    gr__rows y;  /* (rows, c): out of forward (may be x), read by backward */
    gr__rows dy; /* backward (rows, c) */
    gr__rows dx; /* backward, out (rows, c); may be dy */
} gr__softmax;

/* A row of -inf gives zeros (log: -inf). */
void gr__softmax_forward(const gr__softmax *s);
/* softmax: dx = y*(dy - sum(dy*y)); log-softmax: dx = dy - exp(y)*sum(dy). */
void gr__softmax_backward(const gr__softmax *s);

typedef struct gr__cross_entropy {
    int64_t rows, v;
    gr__rows logits;        /* (rows, v); v <= ld: padding columns are neither read nor written */
    const int32_t *targets; /* (rows); a value outside 0 .. v-1 means: this row does not count */
    int64_t first;          /* the logits are columns first .. first+v-1 of longer rows: targets count from there */
    float *loss;            /* out, optional (rows): lse - logit[target]; 0 where the row does not count */
    float *lse;             /* out, optional (rows) */
    gr__rows dlogits;       /* out, optional (rows, v): (softmax - onehot)*scale, 0 in rows that do not count;
                                 may be logits */
    double scale;
    double smoothing; /* label smoothing in [0, 1): target = (1-s)*onehot + s/v; 0: none */
    /* (rows) or NULL: the log-sum-exp of the longer rows; then nothing but dlogits is made, of rows with a target in
     * 0 .. whole-1 */
    const float *known_lse;
    int64_t whole;
    /* Optional, bf16 (rows, v), where pairs of bf16 are multiplied: exp(logits - base), base (rows) being about a row's maximum.
     * Made beside lse, of logits in f32; with known_lse they are read, in place of logits, and so is loss, and dlogits are bf16. */
    gr__rows exps;
    float *base;
} gr__cross_entropy;

void gr__cross_entropy_run(const gr__cross_entropy *x);

#endif
