/* What conv, conv_transpose and conv_grad_weight share. They are three views of one trilinear form (kernel/conv.h), so
 * that the gradient of each is made of the two others, to any order. They are core ops: a backend has all three. */
#ifndef GR__OP_CONV_H
#define GR__OP_CONV_H

#include "op/window.h"

/* Shapes of x, w and y fit together, all but what is made is given. dtype: of the operands. */
gr_status gr__conv_check(const gr__infer *c, const gr__value *x, const gr__value *w, const gr__value *y);
/* Sets the dtype of output 0: that of the operands or attr's. */
gr_status gr__conv_out_dtype(gr__infer *c);

/* Sizes from the described arrays. */
gr__conv_shape gr__conv_shape_of(const gr__conv_attr *a, const gr__arg *x, const gr__arg *w, const gr__arg *y);
/* Where tap k of the window at o lies in x; false: in the padding. Positions of 3 numbers. */
bool gr__conv_tap(const gr__conv_shape *s, const int64_t *o, const int64_t *k, int64_t *i);
/* The place o whose tap k lies at i; false: there is none. */
bool gr__conv_place(const gr__conv_shape *s, const int64_t *i, const int64_t *k, int64_t *o);
int64_t gr__conv_weight_offset(const gr__arg *w, int64_t co, int64_t ci, const int64_t *k);
double gr__conv_flops(const gr__args *a);

/* The nodes, for gradients. like: the attributes of a node of the same convolution. */
gr_value gr__conv_y(gr_graph *g, gr_value x, gr_value w, const gr__conv_attr *like);
gr_value gr__conv_x(gr_graph *g, gr_value y, gr_value w, const gr__conv_attr *like, gr_value shape_of_x);
gr_value gr__conv_w(gr_graph *g, gr_value x, gr_value y, const gr__conv_attr *like, gr_value shape_of_w);

#endif
