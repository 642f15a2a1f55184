/* The functions of the table of operators (onnx_ops.c), by the file that has them. */
#ifndef GR__ONNX_OP_H
#define GR__ONNX_OP_H

#include "model/onnx_build.h"

/* onnx_map.c: element by element */
gr_status gr__onnx_unary(gr__onnx_call *c);   /* map1; the dtype of the operand */
gr_status gr__onnx_smooth(gr__onnx_call *c);  /* the same, of floats only */
gr_status gr__onnx_binary(gr__onnx_call *c);  /* map2 */
gr_status gr__onnx_compare(gr__onnx_call *c); /* map2 -> bool */
gr_status gr__onnx_logic(gr__onnx_call *c);   /* map2 of bools -> bool */
gr_status gr__onnx_fold(gr__onnx_call *c);    /* map2 over all operands; kind 1: then their mean */
gr_status gr__onnx_div(gr__onnx_call *c);
gr_status gr__onnx_pow(gr__onnx_call *c);
gr_status gr__onnx_mod(gr__onnx_call *c);
gr_status gr__onnx_where(gr__onnx_call *c);
gr_status gr__onnx_clip(gr__onnx_call *c);
gr_status gr__onnx_prelu(gr__onnx_call *c);
gr_status gr__onnx_cast(gr__onnx_call *c);
gr_status gr__onnx_quantize(gr__onnx_call *c);
gr_status gr__onnx_dequantize(gr__onnx_call *c);
gr_status gr__onnx_dropout(gr__onnx_call *c);
/* activations with numbers */
typedef enum gr__onnx_activation {
    GR__ONNX_LEAKY_RELU,
    GR__ONNX_ELU,
    GR__ONNX_SELU,
    GR__ONNX_GELU,
    GR__ONNX_THRESHOLDED,
    GR__ONNX_HARD_SIGMOID,
    GR__ONNX_HARD_SWISH,
    GR__ONNX_CELU,
    GR__ONNX_SWISH,
    GR__ONNX_SHRINK
} gr__onnx_activation;
gr_status gr__onnx_activate(gr__onnx_call *c);
gr_value gr__onnx_less(gr_graph *g, gr_value a, gr_value b);
gr_value gr__onnx_less_equal(gr_graph *g, gr_value a, gr_value b);
gr_value gr__onnx_and(gr_graph *g, gr_value a, gr_value b);
gr_value gr__onnx_or(gr_graph *g, gr_value a, gr_value b);
gr_value gr__onnx_xor(gr_graph *g, gr_value a, gr_value b);
gr_value gr__onnx_ceil(gr_graph *g, gr_value x);
gr_value gr__onnx_softsign(gr_graph *g, gr_value x);
gr_value gr__onnx_is_nan(gr_graph *g, gr_value x);
gr_value gr__onnx_mish(gr_graph *g, gr_value x);
gr_value gr__onnx_sinh(gr_graph *g, gr_value x);
gr_value gr__onnx_cosh(gr_graph *g, gr_value x);
gr_value gr__onnx_tan(gr_graph *g, gr_value x);

/* onnx_shape.c: sizes and places */
gr_status gr__onnx_shape(gr__onnx_call *c);
gr_status gr__onnx_size(gr__onnx_call *c);
gr_status gr__onnx_reshape(gr__onnx_call *c);
gr_status gr__onnx_flatten(gr__onnx_call *c);
gr_status gr__onnx_squeeze(gr__onnx_call *c);
gr_status gr__onnx_unsqueeze(gr__onnx_call *c);
gr_status gr__onnx_transpose(gr__onnx_call *c);
gr_status gr__onnx_expand(gr__onnx_call *c);
gr_status gr__onnx_tile(gr__onnx_call *c);
gr_status gr__onnx_join(gr__onnx_call *c); /* Concat */
gr_status gr__onnx_split(gr__onnx_call *c);
gr_status gr__onnx_slice(gr__onnx_call *c);
gr_status gr__onnx_depth_to_space(gr__onnx_call *c);
gr_status gr__onnx_space_to_depth(gr__onnx_call *c);
gr_status gr__onnx_pad(gr__onnx_call *c);

/* onnx_make.c: arrays that the model makes, and picks from arrays */
gr_status gr__onnx_identity(gr__onnx_call *c);
gr_status gr__onnx_constant(gr__onnx_call *c);
gr_status gr__onnx_constant_of_shape(gr__onnx_call *c);
gr_status gr__onnx_range(gr__onnx_call *c);
gr_status gr__onnx_gather(gr__onnx_call *c);
gr_status gr__onnx_gather_elements(gr__onnx_call *c);
gr_status gr__onnx_trilu(gr__onnx_call *c);
gr_status gr__onnx_one_hot(gr__onnx_call *c);

/* onnx_reduce.c */
typedef enum gr__onnx_reduction {
    GR__ONNX_SUM,
    GR__ONNX_MEAN,
    GR__ONNX_MAX,
    GR__ONNX_MIN,
    GR__ONNX_PROD,
    GR__ONNX_L1,
    GR__ONNX_L2,
    GR__ONNX_SUM_SQUARE,
    GR__ONNX_LOG_SUM,
    GR__ONNX_LOG_SUM_EXP
} gr__onnx_reduction;
gr_status gr__onnx_reduce(gr__onnx_call *c);
gr_status gr__onnx_arg(gr__onnx_call *c); /* kind 0: ArgMax, 1: ArgMin */
gr_status gr__onnx_top_k(gr__onnx_call *c);
gr_status gr__onnx_softmax(gr__onnx_call *c); /* kind 0: Softmax, 1: LogSoftmax */
gr_status gr__onnx_cum_sum(gr__onnx_call *c);

/* onnx_window.c: convolutions, poolings */
gr_status gr__onnx_conv(gr__onnx_call *c);
gr_status gr__onnx_conv_transpose(gr__onnx_call *c);
gr_status gr__onnx_max_pool(gr__onnx_call *c);
gr_status gr__onnx_average_pool(gr__onnx_call *c);
gr_status gr__onnx_global_pool(gr__onnx_call *c); /* kind 0: average, 1: maximum */

/* onnx_resize.c */
gr_status gr__onnx_resize(gr__onnx_call *c);
/* x times the matrix m (out, size of the axis) along an axis. */
gr_value gr__onnx_weigh(gr_graph *g, gr_value x, int axis, const double *m, int64_t out);

/* onnx_norm.c */
gr_status gr__onnx_batch_norm(gr__onnx_call *c);
gr_status gr__onnx_instance_norm(gr__onnx_call *c);
gr_status gr__onnx_group_norm(gr__onnx_call *c);
gr_status gr__onnx_layer_norm(gr__onnx_call *c); /* kind 1: RMS */
gr_status gr__onnx_lrn(gr__onnx_call *c);

/* onnx_dense.c */
gr_status gr__onnx_gemm(gr__onnx_call *c);
gr_status gr__onnx_matmul(gr__onnx_call *c);
gr_status gr__onnx_rotary(gr__onnx_call *c);

#endif
