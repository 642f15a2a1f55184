/* What group_norm and its gradient share. */
#ifndef GR__OP_GROUP_NORM_H
#define GR__OP_GROUP_NORM_H

#include "op/norm.h"

/* x has batch, positions and channels that fall into the groups; operand 'gamma' is a vector of the channels or left out. */
gr_status gr__infer_group_norm(const gr__infer *c, int gamma);

/* x (N, S..., C) as (N, R, G, C/G) with strides, where the positions have one. */
typedef struct gr__group_view {
    int64_t n, groups, each, positions;
    const gr__arg *x;
} gr__group_view;
gr__group_view gr__group_view_of(const gr__args *a, const gr__arg *x);
/* Element at position r (row-major over the spatial axes) and channel c of sample n. */
int64_t gr__group_offset(const gr__arg *x, int64_t n, int64_t r, int64_t c);

#endif
