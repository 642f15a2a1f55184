/* Layer norm and RMS norm over the last dimension. */
#ifndef GR__NORM_H
#define GR__NORM_H

#include "kernel/rows.h"

typedef struct gr__norm {
    int64_t rows, c;
    gr__rows x;         /* (rows, c) */
    const float *gamma; /* (c); NULL: 1 */
    const float *beta;  /* (c); NULL: 0; not used by RMS norm */
    double eps;
    float *mean; /* (rows); written by forward (NULL: not wanted), read by backward; not used by RMS norm */
    float *rstd; /* (rows); likewise */
    gr__rows y;  /* forward, out (rows, c); may be x */

    gr__rows dy;     /* backward (rows, c) */
    gr__rows add;    /* backward, optional (rows, c): added to dx; may be dx itself */
    gr__rows dx;     /* backward, out, optional (rows, c); may be dy */
    float *dgamma;   /* backward, out, optional (c) */
    float *dbeta;    /* backward, out, optional (c); not for RMS norm */
    bool accumulate; /* dgamma and dbeta are added to, not set */
    void *scratch;   /* backward: gr__norm_scratch_bytes() */
} gr__norm;

/* y = (x - mean)*rstd*gamma + beta, variance in a second pass (biased), rstd = 1/sqrt(var + eps). */
void gr__layer_norm_forward(const gr__norm *n);
void gr__layer_norm_backward(const gr__norm *n);

/* y = x*rstd*gamma, rstd = 1/sqrt(mean(x^2) + eps). */
void gr__rms_norm_forward(const gr__norm *n);
void gr__rms_norm_backward(const gr__norm *n);

size_t gr__norm_scratch_bytes(int64_t rows, int64_t c);

#endif
