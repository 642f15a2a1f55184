/* Passes rewrite a graph in place; the graph is checked after each in debug builds. */
#ifndef GR__PASS_H
#define GR__PASS_H

#include "graph/graph.h"
#include "graph/kernel_row.h"

/* Same values from fewer nodes: repeated and neutral nodes go, casts move into the ops before them, an addition behind a
 * product becomes its accumulator, slices put side by side become a concat. */
gr_status gr__pass_simplify(gr_graph *g);
/* pointwise.c, a rule of simplify: the product that stands for node n; 0: none does. */
gr_value gr__pointwise(gr_graph *g, const gr__node *n);

/* bf16 copies of what the only program's optimiser updates become states of the session that it writes too. */
gr_status gr__pass_carry(gr_graph *g);

/* Chains of element-wise ops become 'map' programs. */
gr_status gr__pass_fuse(gr_graph *g);

/* Products take the map behind them, and weights that stay as they are get packed, where a kernel of the backend does so. */
gr_status gr__pass_fuse_product(gr_graph *g, const gr__backend *backend);

/* So do the weights of recurrent layers. */
gr_status gr__pass_pack_scan(gr_graph *g, const gr__backend *backend);

/* What the gradient reads of the forward part is computed again instead of kept. */
typedef enum gr__recompute {
    GR__RECOMPUTE_NONE,
    GR__RECOMPUTE_CHEAP,
    GR__RECOMPUTE_BLOCKS,
    GR__RECOMPUTE_COUNT
} gr__recompute;
gr_status gr__pass_recompute(gr_graph *g, gr__recompute level);

#endif
