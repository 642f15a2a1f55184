/* What the ops over rows of the last axis share: softmax, log_softmax, cross_entropy. */
#ifndef GR__OP_ROWS_H
#define GR__OP_ROWS_H

#include "op/attr.h"

/* One or two floats of one shape with a last axis -> the same. */
gr_status gr__infer_rows(gr__infer *c);
/* log(sum(exp(x))) of the row at 'index'; -inf for a row of -inf. */
double gr__row_lse(const gr__arg *x, const int64_t *index);

#endif
