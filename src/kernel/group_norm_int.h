/* Between group_norm.c (what is between the sweeps) and simd/group_norm.c (the sweeps over x).
 *
 * A unit is a chunk of the rows of one sample. Few channels are taken 'fold' rows at a time, so that vectors are full:
 * (rows, c) is seen as (rows/fold, fold*c).
 *
 *     parts   (units, 2, ld)       sums of a unit, by column
 *     column  (batch, 4, ld)       numbers for each column of a sample */
#ifndef GR__GROUP_NORM_INT_H
#define GR__GROUP_NORM_INT_H

#include "kernel/group_norm.h"

typedef struct gr__group_norm_plan {
    const gr__group_norm *norm;
    int64_t fold, rows, c; /* as it is seen */
    int64_t ld;            /* c rounded up to 16 */
    int64_t chunks, per;   /* of a sample: how many, rows of each */
    gr__rows x, y, dy, dx; /* as it is seen */
    float *parts, *column;
} gr__group_norm_plan;

/* What 'column' holds. Forward: y = (x - MEAN)*SCALE + SHIFT. Backward: first MEAN and SCALE = rstd for the sums of dy and
 * dy*(x - mean)*rstd, then dx = dy*SCALE - (x - MEAN)*SLOPE - SHIFT. */
enum { GR__COLUMN_MEAN, GR__COLUMN_SCALE, GR__COLUMN_SHIFT, GR__COLUMN_SLOPE, GR__COLUMN_COUNT };

#endif
