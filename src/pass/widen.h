/* Every float of a graph in f64: for checking gradients against differences. */
#ifndef GR__WIDEN_H
#define GR__WIDEN_H

#include "graph/graph.h"

/* f32 and bf16 inputs, states, constants and results become f64; paths and shapes stay. For forward graphs: an op
 * that has no f64 (control) fails with GR_ERR_DTYPE. */
gr_status gr__pass_widen(gr_graph *g);

#endif
