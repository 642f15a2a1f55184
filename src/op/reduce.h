/* What sum, mean and max share: shape rule and the walk over the elements of one result. */
#ifndef GR__OP_REDUCE_H
#define GR__OP_REDUCE_H

#include "op/attr.h"

gr_status gr__infer_reduce(gr__infer *c);

typedef double (*gr__fold)(double so_far, double x);
/* y = finish of all x that fall on it, from 'first' on, in row-major order; then times 'scale'. */
gr_status gr__reference_reduce(const gr__args *a, gr__fold fold, double first, double scale);

/* How many elements fall on one result. */
int64_t gr__reduce_count(const gr__reduce_attr *a, int rank, const int64_t *dim);

#endif
