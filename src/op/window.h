/* Windows that move over the axes between batch and channels: what convolutions and poolings share. */
#ifndef GR__OP_WINDOW_H
#define GR__OP_WINDOW_H

#include "op/attr.h"

/* x has a batch, 1 to 3 spatial axes and channels; 'axes' is that of the attributes. */
gr_status gr__want_spatial(const gr__infer *c, int i, int axes);
/* How many places a window of 'size' has on each axis of 'dim' (sizes of the spatial axes), or a sentence. */
gr_status gr__window_places(const gr__infer *c, const gr__window *w, const int64_t *size, const int64_t *dim,
                            int64_t *places);

/* Padding of an axis: what all axes have and what it has besides. No sum is made of numbers that no window has: the one at
 * fault comes back, and gr__window_places() refuses it. */
int64_t gr__padding(int64_t all, int64_t one);

/* Options' arrays: a zero takes the number of the axis before, the first 'otherwise'. */
void gr__spread(const int64_t *given, int axes, int64_t otherwise, int64_t *out);
/* Spatial axes of x; 0 where x has none. */
int gr__spatial_axes(const gr_graph *g, gr_value x);

/* Offset of (n, position, c) in a channels-last array; a position has 3 numbers, zeros in front. */
int64_t gr__spatial_offset(const gr__arg *a, int64_t n, const int64_t *position, int64_t c);

#endif
