/* What the losses share: from a loss of each element to the pair (sum, weight). */
#ifndef GR__LOSS_H
#define GR__LOSS_H

#include "gradus/nn.h"

#include "op/op.h"

/* bf16 as f32: losses are summed in f32. */
gr_value gr__loss_wide(gr_graph *g, gr_value x);
/* GR_ERR_SHAPE unless both have one shape or broadcasting is allowed and possible; false after a failure. */
bool gr__loss_fits(gr_graph *g, const char *name, gr_value prediction, gr_value target, const gr_loss_options *o);
/* 'weights' in the dtype of 'each', with trailing axes of size 1: it broadcasts by its leading axes. */
gr_value gr__loss_align(gr_graph *g, const char *name, gr_value weights, gr_value each);
/* logits (..., V), targets i32 (...): the cross-entropy of each target and whether it counts (1 or 0), both (...). False
 * after a failure. */
bool gr__loss_rows(gr_graph *g, const char *name, gr_value logits, gr_value targets, gr_value *each, gr_value *counts);
/* each: the loss of every element; weights: as the option 'weight', 0: ones. 'factor' multiplies the sum. */
gr_loss gr__loss_total(gr_graph *g, const char *name, gr_value each, gr_value weights, double factor);

#endif
