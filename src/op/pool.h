/* What the poolings share. */
#ifndef GR__OP_POOL_H
#define GR__OP_POOL_H

#include "kernel/pool.h"
#include "op/window.h"

/* Windows or bins of each axis of 'dim', or a sentence. */
gr_status gr__pool_places(const gr__infer *c, const int64_t *dim, int64_t *places);
gr__pool_shape gr__pool_shape_of(const gr__pool_attr *a, const gr__arg *x, const gr__arg *y);
gr__window gr__pool_window(const gr_pool_options *o, int axes);

#endif
