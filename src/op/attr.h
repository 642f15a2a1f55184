/* The attribute structs of the ops, for those who write kernels for them. Element-wise ops have gr__map_attr (op/op.h),
 * matmul has gr_matmul_options, optim has its own header. An op with GR__OP_OUT_DTYPE begins with 'out_dtype'
 * (NONE: that of the operand). Nodes are the same where the bytes of their attributes are (pass/simplify.c): 'zero' stands
 * where padding would, and initialisers leave it out. */
#ifndef GR__ATTR_H
#define GR__ATTR_H

#include "kernel/conv.h"
#include "op/op.h"

GR__NO_PADDING_BEGIN

typedef struct gr__constant_attr {
    gr_tensor value; /* data in the graph's arena */
} gr__constant_attr;

typedef struct gr__control_attr {
    gr_control_kind kind;
    uint32_t zero;
    double parameter;
} gr__control_attr;

typedef struct gr__fill_attr {
    gr__map_attr map; /* p0: the number */
    gr_dtype dtype;
    int rank;
    int64_t dim[GR_MAX_RANK];
} gr__fill_attr;

typedef struct gr__cast_attr {
    gr_dtype dtype;
} gr__cast_attr;

typedef struct gr__shape_attr { /* reshape (one size may be -1), broadcast_to */
    int rank;
    uint32_t zero;
    int64_t dim[GR_MAX_RANK];
} gr__shape_attr;

typedef struct gr__permute_attr {
    int order[GR_MAX_RANK];
} gr__permute_attr;

typedef struct gr__slice_attr {
    int axis;
    uint32_t zero;
    int64_t start;
    int64_t size; /* slice: that many are taken; pad_slice: size of the result */
} gr__slice_attr;

typedef struct gr__concat_attr {
    int axis;
} gr__concat_attr;

typedef struct gr__reduce_attr { /* sum, mean, max */
    uint32_t axes;               /* 0: all */
    bool keep;
    uint8_t zero[3];
} gr__reduce_attr;

typedef struct gr__embedding_attr {
    gr_dtype out_dtype;
} gr__embedding_attr;

typedef struct gr__scatter_attr {
    gr_dtype out_dtype;
    uint32_t zero;
    int64_t v;
} gr__scatter_attr;

typedef struct gr__bag_attr {
    gr_dtype out_dtype;
    gr_bag_kind kind;
    int64_t v; /* embedding_bag_grad: rows of the table */
} gr__bag_attr;

typedef struct gr__one_hot_attr {
    gr_dtype dtype;
    uint32_t zero;
    int64_t n;
} gr__one_hot_attr;

typedef struct gr__ctc_attr {
    int64_t blank;
    bool zero_infinity;
    uint8_t zero[7];
} gr__ctc_attr;

typedef struct gr__norm_attr { /* layer_norm, rms_norm and their gradients (these use eps only to decompose) */
    gr_dtype out_dtype;
    uint32_t zero;
    double eps;
} gr__norm_attr;

typedef struct gr__attention_attr {
    double scale;
    bool causal;
    uint8_t zero[7];
    int64_t window; /* 0: none */
} gr__attention_attr;

typedef struct gr__rotary_attr {
    double theta;
    bool interleaved;
    bool inverse; /* turn back: the gradient */
    uint8_t zero[6];
} gr__rotary_attr;

typedef struct gr__dropout_attr {
    double p;
} gr__dropout_attr;

typedef struct gr__window { /* of convolutions and poolings, on the axes between batch and channels */
    int axes;               /* 1 to 3 */
    uint32_t zero;
    int64_t stride[GR__SPATIAL], dilation[GR__SPATIAL];
    int64_t before[GR__SPATIAL], after[GR__SPATIAL]; /* padding */
    bool ceil_mode;                                  /* poolings: a last window may hang over the end */
    uint8_t zeros[7];
} gr__window;

typedef struct gr__conv_attr { /* conv, conv_transpose, conv_grad_weight */
    gr_dtype out_dtype;
    uint32_t zero;
    int64_t groups;
    gr__window window;
    int64_t size[GR__SPATIAL]; /* spatial sizes of the result; conv does not need them */
} gr__conv_attr;

typedef struct gr__pool_attr { /* max_pool and its gradient */
    bool adaptive;             /* 'size' is that of the result, the window has no other numbers */
    uint8_t zero[7];
    gr__window window;
    int64_t size[GR__SPATIAL];
    int64_t dim[GR__SPATIAL]; /* gradient: spatial sizes of x */
} gr__pool_attr;

typedef enum gr__resample_kind {
    GR__RESAMPLE_WINDOW, /* averages over windows */
    GR__RESAMPLE_BINS,   /* averages over as many bins as the result has */
    GR__RESAMPLE_NEAREST,
    GR__RESAMPLE_LINEAR,
    GR__RESAMPLE_CORNERS, /* linear, the first and the last place of both arrays together */
    GR__RESAMPLE_KIND_COUNT
} gr__resample_kind;

typedef struct gr__resample_attr {
    gr__resample_kind kind;
    bool transposed;      /* the gradient: from the smaller or larger array back */
    bool exclude_padding; /* windows: the average is over what is real */
    uint8_t zero[2];
    gr__window window;         /* 'axes' counts for every kind */
    int64_t size[GR__SPATIAL]; /* of the window, else of the result */
    int64_t dim[GR__SPATIAL];  /* transposed: spatial sizes of the result */
} gr__resample_attr;

typedef struct gr__recurrent_attr { /* lstm, gru, rnn and their gradients */
    bool reverse;
    bool reset_before; /* gru: the candidate sees r*h, not r*(W h + b) */
    bool relu;         /* rnn: in place of tanh */
} gr__recurrent_attr;

typedef struct gr__group_norm_attr { /* group_norm and its gradient */
    double eps;
    int64_t groups;
} gr__group_norm_attr;

GR__NO_PADDING_END

/* The axes that are reduced. */
GR__INLINE uint32_t gr__reduce_mask(const gr__reduce_attr *a, int rank)
{
    return a->axes ? a->axes : (1u << rank) - 1u;
}

#endif
