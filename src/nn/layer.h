/* The scope of a layer. */
#ifndef GR__LAYER_H
#define GR__LAYER_H

#include "gradus/graph.h"

/* A name of a layer is one scope; NULL or "" is none: then leave gets false. */
bool gr__layer_enter(gr_graph *g, const char *name);
void gr__layer_leave(gr_graph *g, bool entered);

#endif
