/* Arguments that drivers (src/kernel/NAME.c) hand to range kernels (src/kernel/simd/NAME.c) beside the public ones. */
#ifndef GR__SIMD_INT_H
#define GR__SIMD_INT_H

#include "kernel/map.h"
#include "kernel/norm.h"
#include "kernel/rows.h"
#include "kernel/simd.h"

typedef struct gr__norm_backward {
    const gr__norm *norm;
    float *parts; /* (chunks, 2, ld): dgamma and dbeta of each chunk of rows; NULL: neither is wanted */
    int64_t ld;   /* c rounded up to 16 */
    int64_t per;  /* rows of a chunk */
} gr__norm_backward;

/* parts[first/per] = sum of rows first .. last-1 of x (or of their squares) */
typedef struct gr__sum_rows_part {
    gr__rows x;
    int64_t c;
    bool squares;
    float *parts; /* (chunks, ld) */
    int64_t ld, per;
} gr__sum_rows_part;

/* y[j] = scale * sum over i of parts[i*ld + j] (+ y[j]) */
typedef struct gr__add_parts {
    const float *parts; /* (n, ld) */
    int64_t n, ld;
    float *y; /* one of y and y16 */
    uint16_t *y16;
    float scale;
    bool accumulate;
} gr__add_parts;

typedef struct gr__squares {
    const void *x;
    gr_dtype dtype; /* GR_F32 or GR_BF16 */
    int64_t per;    /* elements of a chunk */
    double *sum;    /* (chunks) out */
} gr__squares;

typedef struct gr__cast_args {
    void *dst;
    const void *src;
    gr_dtype dst_dtype, src_dtype; /* GR_F32, GR_BF16 or GR_F16 */
    bool stream;                   /* past the cache; dst is 64-byte aligned */
} gr__cast_args;

/* An element-wise program on its merged iteration space: rows of n elements. A tile is a part of one row, or (short
 * rows) several whole rows side by side. */
typedef struct gr__map_plan {
    const gr__map_job *map;
    int64_t n; /* innermost dimension */
    int rank;  /* of the rows: 0 .. 3 */
    int64_t dim[GR__MAP_RANK];
    int64_t in_stride[GR__MAP_MOST_INPUTS][GR__MAP_RANK]; /* elements, of the rows */
    int64_t out_stride[GR__MAP_MOST_OUTPUTS][GR__MAP_RANK];
    bool in_scalar[GR__MAP_MOST_INPUTS]; /* innermost stride 0 */
    int64_t rows;
    int64_t rows_per_tile; /* 1: a row has tiles_per_row tiles */
    int64_t tiles_per_row;
} gr__map_plan;

#endif
