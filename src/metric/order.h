/* Sorting without the C library's qsort, which may allocate behind our back and is not stable. */
#ifndef GR__ORDER_H
#define GR__ORDER_H

#include "base/alloc.h"

/* index (n) becomes the order of key (n, no NaN): from the highest down or from the lowest up, equals as they come. */
gr_status gr__order(const double *key, size_t n, bool descending, size_t *index);

/* Sorts value (n, no NaN) upwards; there may be more of them than memory holds (base/spill.h). */
gr_status gr__sort(double *value, size_t n);

/* Percentile at 'share' (0 .. 1) of n >= 1 sorted values, interpolated linearly between neighbours. */
double gr__percentile(const double *sorted, size_t n, double share);

#endif
