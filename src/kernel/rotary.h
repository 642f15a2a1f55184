/* Rotary position embedding (Su et al. 2021) of q or k: pair (a, b) number i of position t is turned by the angle
 * t*theta^(-2i/d). */
#ifndef GR__ROTARY_H
#define GR__ROTARY_H

#include "gradus/tensor.h"

typedef struct gr__rotary {
    int64_t batch, t, heads, d; /* d: of the head; only the first 'turned' elements are turned */
    int64_t turned;             /* even, <= d; 0: d */
    const void *x;              /* (B, T, H, D) */
    int64_t x_stride[3];        /* of b, t, h in elements; d is contiguous */
    void *y;                    /* out, likewise; may be x */
    int64_t y_stride[3];
    gr_dtype dtype;           /* GR_F32 or GR_BF16 */
    const int32_t *start;     /* (B): position of t = 0; NULL: 0 */
    const float *frequencies; /* (turned/2) in place of theta^(-2i/turned); NULL: from theta */
    double theta;             /* 10000 */
    bool interleaved;         /* pairs (2i, 2i+1); otherwise (i, i + turned/2) */
    bool inverse;             /* turn back: the gradient */
} gr__rotary;

void gr__rotary_run(const gr__rotary *r);

#endif
