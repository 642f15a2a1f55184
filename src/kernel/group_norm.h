/* Group norm: every sample's channels fall into groups, each normalised over its channels and all positions. With one
 * channel in a group it is instance norm, and with one "sample" of all positions then batch norm. */
#ifndef GR__GROUP_NORM_H
#define GR__GROUP_NORM_H

#include "kernel/rows.h"

typedef struct gr__group_norm {
    int64_t batch, rows, c, groups; /* x is (batch, rows, c), contiguous */
    gr__rows x;
    const float *gamma; /* (c); NULL: 1 */
    const float *beta;  /* (c); NULL: 0 */
    double eps;
    float *mean, *rstd; /* (batch, groups); written by forward (NULL: not wanted), read by backward */
    gr__rows y;         /* forward, out; data NULL: not wanted; may be x */

    gr__rows dy;           /* backward */
    gr__rows dx;           /* backward, out; data NULL: not wanted; may be dy or x */
    float *dgamma, *dbeta; /* backward, out (c); NULL: not wanted */
    void *scratch;         /* gr__group_norm_scratch_bytes() */
} gr__group_norm;

void gr__group_norm_forward(const gr__group_norm *n);
void gr__group_norm_backward(const gr__group_norm *n);
size_t gr__group_norm_scratch_bytes(const gr__group_norm *n);

#endif
