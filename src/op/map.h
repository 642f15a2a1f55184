/* A fused chain of element-wise ops: a program of the element-wise machine (kernel/map.h). Made by the fuse pass only. */
#ifndef GR__OP_MAP_H
#define GR__OP_MAP_H

#include "op/op.h"

typedef struct gr__fused_attr {
    int n_code, n_out;
    gr__map_code code[GR__MAP_MOST_INSTRUCTIONS];
    uint8_t output_register[GR__MAP_MOST_OUTPUTS];
    gr_dtype out_dtype[GR__MAP_MOST_OUTPUTS];
    int rank;
    int64_t dim[GR_MAX_RANK]; /* of every output */
} gr__fused_attr;

#endif
