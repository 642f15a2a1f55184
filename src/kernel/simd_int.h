/* Arguments that drivers (src/kernel/NAME.c) hand to range kernels (src/kernel/simd/NAME.c) beside the public ones. */
#ifndef GR__SIMD_INT_H
#define GR__SIMD_INT_H

#include "kernel/map.h"
#include "kernel/norm.h"
#include "kernel/rows.h"
#include "kernel/simd.h"

typedef struct gr__norm_backward {
    const gr__norm *norm;
    float *parts;         /* (chunks, 2, ld): dgamma and dbeta of each chunk of rows; NULL: neither is wanted */
    int64_t ld;           /* c rounded up to 16 */
    int64_t per;          /* rows of a chunk */
} gr__norm_backward;

/* parts[first/per] = sum of rows first .. last-1 of x (or of their squares) */
typedef struct gr__sum_rows_part {
    gr__rows x;
    int64_t c;
    bool squares;
    float *parts;         /* (chunks, ld) */
    int64_t ld, per;
} gr__sum_rows_part;

/* y[j] = scale * sum over i of parts[i*ld + j] (+ y[j]) */
typedef struct gr__add_parts {
    const float *parts;   /* (n, ld) */
    int64_t n, ld;
    float *y;             /* one of y and y16 */
    uint16_t *y16;
    float scale;
    bool accumulate;
} gr__add_parts;

typedef struct gr__squares {
    const void *x;
    gr_dtype dtype;       /* GR_F32 or GR_BF16 */
    int64_t per;          /* elements of a chunk */
    double *sum;          /* (chunks) out */
} gr__squares;

typedef struct gr__cast_args {
    void *dst;
    const void *src;
    gr_dtype dst_dtype, src_dtype; /* GR_F32, GR_BF16 or GR_F16 */
    bool stream;                   /* past the cache; dst is 64-byte aligned */
} gr__cast_args;

#endif
