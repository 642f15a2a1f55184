/* One step of an optimiser on one parameter, as a node: the formulas are in kernel/optim.h. nn/ builds it. */
#ifndef GR__OP_OPTIM_H
#define GR__OP_OPTIM_H

#include "kernel/optim.h"
#include "op/op.h"

GR__NO_PADDING_BEGIN
typedef struct gr__optim_attr {
    gr__optim_kind kind;
    uint32_t zero; /* in place of padding, as in op/attr.h */
    double beta1, beta2, eps, weight_decay;
    double lr_scale; /* times lr; 1: none */
    bool coupled, nesterov;
    uint8_t zeros[6];
} gr__optim_attr;
GR__NO_PADDING_END

typedef struct gr__optim_operands {
    gr_value p, g;                     /* one shape; g may be bf16 */
    gr_value gscale;                   /* one element; 0: 1 */
    gr_value lr;                       /* one element */
    gr_value correction1, correction2; /* one element, 1 - beta^t; 0: 1 */
    gr_value m, v;                     /* like p; 0 where the kind does without */
} gr__optim_operands;

/* out: the new p, m and v (0 where there was none), to be given to gr_update(); and the new p in bf16. */
void gr__optim_add(gr_graph *g, const gr__optim_operands *in, const gr__optim_attr *attr, gr_value out[4]);

/* The operands in the node, and the outputs. */
enum { GR__OPTIM_P, GR__OPTIM_G, GR__OPTIM_GSCALE, GR__OPTIM_LR, GR__OPTIM_C1, GR__OPTIM_C2, GR__OPTIM_M, GR__OPTIM_V };
enum { GR__OPTIM_OUT_P, GR__OPTIM_OUT_M, GR__OPTIM_OUT_V, GR__OPTIM_OUT_COPY };

#endif
