/* A convolution over 1 to 3 axes, channels last. Its three arrays x, w, y are bound by one sum of products,
 *   y[n, o, co] = sum over k, ci of x[n, o*stride + k*dilation - before, g*Cin/G + ci]*w[co, ci, k],  g = co/(Cout/G),
 * and each kernel makes one of them from the two others: a convolution y, its gradients x and w. */
#ifndef GR__CONV_H
#define GR__CONV_H

#include "kernel/gemm.h"

enum { GR__SPATIAL = 3 }; /* axes between batch and channels, at most */

typedef enum gr__conv_result { GR__CONV_Y, GR__CONV_X, GR__CONV_W, GR__CONV_RESULT_COUNT } gr__conv_result;

/* Arrays of 3 have ones in front where there are fewer axes (padding: zeros). */
typedef struct gr__conv_shape {
    int axes;
    int64_t batch, groups, cin, cout;
    int64_t in[GR__SPATIAL];     /* of x (batch, in..., cin) */
    int64_t window[GR__SPATIAL]; /* of w (cout, cin/groups, window...) */
    int64_t out[GR__SPATIAL];    /* of y (batch, out..., cout) */
    int64_t stride[GR__SPATIAL], dilation[GR__SPATIAL], before[GR__SPATIAL], after[GR__SPATIAL];
} gr__conv_shape;

/* Our own: rows of x under the window are copied side by side, chunk by chunk, and multiplied (im2col). */
typedef struct gr__conv {
    gr__conv_shape shape;
    gr__conv_result result;
    gr_dtype dtype;     /* of the two operands: GR_F32 or GR_BF16 */
    gr_dtype out_dtype; /* GR_F32 or GR_BF16 */
    void *x, *w, *y;    /* contiguous; the one named by 'result' is written */
    const float *bias;  /* (cout), with GR__CONV_Y; NULL: none */
    /* With GR__CONV_Y and gr__conv_can_finish(), as in gemm.h: takes blocks of (positions, cout) instead of y; and w as
     * gr__conv_pack_w() laid it. */
    gr__gemm_finish *finish;
    void *finish_context;
    const gr__gemm_step *step; /* with GR__CONV_Y and gr__conv_can_step(), as in gemm.h; without bias */
    int n_steps;
    int64_t y_row; /* the same: elements from position to position of y; 0: cout */
    const void *packed_w;
    void *scratch; /* gr__conv_scratch_bytes(), 64-byte aligned */
} gr__conv;

void gr__conv_run(const gr__conv *c);
bool gr__conv_can_finish(const gr__conv *c);
bool gr__conv_can_step(const gr__conv *c);
size_t gr__conv_packed_bytes(const gr__conv *c);
void gr__conv_pack_w(const gr__conv *c, void *to);
/* Depends on the number of threads. */
size_t gr__conv_scratch_bytes(const gr__conv *c);

#endif
