/* The matrices of resample, for those who write kernels for it. */
#ifndef GR__OP_RESAMPLE_H
#define GR__OP_RESAMPLE_H

#include "op/window.h"

/* Row o of the (not transposed) matrix of an axis with 'in' columns and 'out' rows: n columns from 'first' on, the first of
 * them with weight[0], the others with weight[1]. */
void gr__resample_row(const gr__resample_attr *a, int axis, int64_t in, int64_t out, int64_t o, int64_t *first,
                      int64_t *n, double weight[2]);

#endif
