/* The one shim around oneDNN's C API (2.6 and 3.x): matrix products and convolutions made once, run many times without
 * allocation. Built without oneDNN, no_onednn.c takes its place and every call answers GR_ERR_UNSUPPORTED. */
#ifndef GR__ONEDNN_H
#define GR__ONEDNN_H

#include "base/status.h"
#include "kernel/conv.h"

typedef struct gr__dnn_matmul gr__dnn_matmul;

/* c[b][i][j] (+)= sum over l of a[b][i][l]*w[b][l][j] (+ bias[j]). Element (b, i, l) of A is at
 * b*a_batch + i*a_row + l*a_col (elements), likewise the others: transposes are strides.
 * One of row/col must be 1 in each matrix (or the dimension 1). */
typedef struct gr__dnn_matmul_shape {
    int64_t batch; /* 0 or 1: plain matrices */
    int64_t m, n, k;
    gr_dtype a_dtype, b_dtype, c_dtype; /* f32*f32 -> f32, bf16*bf16 -> f32 or bf16 */
    int64_t a_row, a_col, a_batch;      /* batch stride 0: the same matrix for all */
    int64_t b_row, b_col, b_batch;
    int64_t c_row, c_col, c_batch;
    bool accumulate; /* C += */
    bool bias;       /* f32 (n) */
    bool ordered_b;  /* B in the order that the library likes best: what gr__dnn_matmul_order() made */
    bool scratchpad; /* the caller gives scratch in every run */
} gr__dnn_matmul_shape;

bool gr__dnn_available(void);
/* For tests and comparisons: as if it were not there (true), like GRADUS_NO_ONEDNN in the environment. Not while plans are made. */
void gr__dnn_hide(bool on);
/* "oneDNN 2.6.3", "none" */
const char *gr__dnn_version(void);

/* Status: GR_ERR_UNSUPPORTED where the library has no implementation, GR_ERR_MEMORY, GR_ERR_INTERNAL. */
gr_status gr__dnn_matmul_new(const gr__dnn_matmul_shape *shape, gr__dnn_matmul **out);
void gr__dnn_matmul_free(gr__dnn_matmul *mm);

/* Bytes of the scratch that run wants (0 where the library keeps its own). */
size_t gr__dnn_matmul_scratch_bytes(const gr__dnn_matmul *mm);

/* Where B is ordered: bytes of that, and the way there from B as the shape describes it (plain matrices alone). */
size_t gr__dnn_matmul_ordered_bytes(const gr__dnn_matmul *mm);
gr_status gr__dnn_matmul_order(gr__dnn_matmul *mm, const void *b, void *to);

/* bias: NULL unless the shape says so; scratch: NULL unless bytes > 0. One run at a time per object. */
gr_status gr__dnn_matmul_run(gr__dnn_matmul *mm, const void *a, const void *b, void *c, const float *bias,
                             void *scratch);

/* What the library chose ("brg:avx512_core_bf16"); lives as long as mm. */
const char *gr__dnn_matmul_name(const gr__dnn_matmul *mm);

/* ---- convolutions: x, w and y of kernel/conv.h, contiguous ---- */

typedef struct gr__dnn_conv gr__dnn_conv;

typedef struct gr__dnn_conv_job {
    gr__conv_shape shape;
    gr__conv_result result;
    gr_dtype dtype;     /* of the operands: f32 or bf16 */
    gr_dtype out_dtype; /* f32 -> f32, bf16 -> f32 or bf16 */
    bool bias;          /* f32 (cout), with GR__CONV_Y */
} gr__dnn_conv_job;

/* The library orders weights in blocks: each run reorders them into (or, when they are the result, out of) the scratch.
 * Status: as gr__dnn_matmul_new. */
gr_status gr__dnn_conv_new(const gr__dnn_conv_job *job, gr__dnn_conv **out);
void gr__dnn_conv_free(gr__dnn_conv *conv);
size_t gr__dnn_conv_scratch_bytes(const gr__dnn_conv *conv);
/* The array that is the result is written. scratch: 64-byte aligned. One run at a time per object. */
gr_status gr__dnn_conv_run(gr__dnn_conv *conv, void *x, void *w, void *y, const float *bias, void *scratch);
const char *gr__dnn_conv_name(const gr__dnn_conv *conv);

#endif
