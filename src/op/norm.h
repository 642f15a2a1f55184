/* What layer_norm, rms_norm, group_norm and their gradients share. */
#ifndef GR__OP_NORM_H
#define GR__OP_NORM_H

#include "op/attr.h"

/* Operands x, gamma (optional), beta (optional, layer norm); outputs y and 'n_stats' statistics. */
gr_status gr__infer_norm(gr__infer *c, int n_stats);
/* Operands x, gamma (optional), 'n_stats' statistics, dy, something to add to dx (optional);
 * outputs dx, dgamma and, with two statistics, dbeta. */
gr_status gr__infer_norm_grad(gr__infer *c, int n_stats);
/* Gradient of x, gamma, beta with outputs y, mean, rstd: one node of 'gradient' (x, gamma, mean, rstd, dy). */
void gr__grad_norm(gr__grad *c, const gr__op *gradient);
/* Element i of an optional vector operand; 'otherwise' where it is left out. */
double gr__vector(const gr__args *a, int operand, int64_t i, double otherwise);

#endif
