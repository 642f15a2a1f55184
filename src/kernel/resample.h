/* A fixed sparse matrix on each spatial axis: averages over windows and bins, nearest and linear interpolation, and the
 * transposes of all these. Channels last, 1 to 3 axes (ones in front where there are fewer). */
#ifndef GR__RESAMPLE_H
#define GR__RESAMPLE_H

#include "kernel/conv.h"
#include "kernel/rows.h"

/* Row o of the matrix: weight[i] at column index[i], i from start[o] up to start[o + 1]. */
typedef struct gr__taps {
    const int32_t *start, *index;
    const float *weight;
} gr__taps;

typedef struct gr__resample {
    int64_t batch, c;
    int64_t in[GR__SPATIAL], out[GR__SPATIAL];
    gr__taps axis[GR__SPATIAL];
    gr__rows x, y; /* rows of c */
} gr__resample;

/* y[n, o] = sum over i of the product of the axes' weights * x[n, i] */
void gr__resample_run(const gr__resample *r);

#endif
