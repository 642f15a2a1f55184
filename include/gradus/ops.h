/* gradus/ops.h: the functions that append an op to a graph and give its result.
 *
 * Letters: B batch, T time, C channels, H heads, D size of a head, V vocabulary, N rows.
 * Element-wise ops broadcast as numpy does; of two float dtypes the wider one wins. Every op computes in f64, f32 and
 * bf16 (bf16 with f32 inside) and has a gradient unless its comment says why not.
 * A failed builder returns 0 and the graph keeps the error (gr_graph_status). Option structs may be NULL. */
#ifndef GRADUS_OPS_H
#define GRADUS_OPS_H

#include "gradus/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- element-wise, one operand ------------------------------------------------------ */
GR_API gr_value gr_neg(gr_graph *g, gr_value x);
GR_API gr_value gr_abs(gr_graph *g, gr_value x);   /* gradient 0 at 0 */
GR_API gr_value gr_sign(gr_graph *g, gr_value x);  /* gradient 0 */
GR_API gr_value gr_floor(gr_graph *g, gr_value x); /* gradient 0 */
GR_API gr_value gr_round(gr_graph *g, gr_value x); /* to the nearest whole number, ties to even; gradient 0 */
GR_API gr_value gr_exp(gr_graph *g, gr_value x);
GR_API gr_value gr_log(gr_graph *g, gr_value x);
GR_API gr_value gr_sqrt(gr_graph *g, gr_value x);
GR_API gr_value gr_rsqrt(gr_graph *g, gr_value x); /* 1/sqrt(x) */
GR_API gr_value gr_square(gr_graph *g, gr_value x);
GR_API gr_value gr_reciprocal(gr_graph *g, gr_value x);
GR_API gr_value gr_erf(gr_graph *g, gr_value x);
GR_API gr_value gr_sin(gr_graph *g, gr_value x); /* in [-1, 1] for every finite x; many above 1e5 are slower */
GR_API gr_value gr_cos(gr_graph *g, gr_value x);
GR_API gr_value gr_atan(gr_graph *g, gr_value x);
GR_API gr_value gr_affine(gr_graph *g, gr_value x, double scale, double shift); /* x*scale + shift */
GR_API gr_value gr_clamp(gr_graph *g, gr_value x, double low, double high); /* gradient 1 inside, both ends included */
GR_API gr_value gr_power(gr_graph *g, gr_value x, double exponent);         /* x > 0 unless exponent is whole */

/* activations */
GR_API gr_value gr_relu(gr_graph *g, gr_value x);                     /* gradient 0 at 0 */
GR_API gr_value gr_leaky_relu(gr_graph *g, gr_value x, double slope); /* x > 0 ? x : slope*x */
GR_API gr_value gr_elu(gr_graph *g, gr_value x, double alpha);        /* x > 0 ? x : alpha*(exp(x) - 1) */
GR_API gr_value gr_gelu(gr_graph *g, gr_value x);                     /* x*Phi(x), by erf */
GR_API gr_value gr_gelu_tanh(gr_graph *g, gr_value x);                /* the tanh approximation of GPT-2 */
GR_API gr_value gr_silu(gr_graph *g, gr_value x);                     /* x*sigmoid(x) */
GR_API gr_value gr_sigmoid(gr_graph *g, gr_value x);
GR_API gr_value gr_tanh(gr_graph *g, gr_value x);
GR_API gr_value gr_softplus(gr_graph *g, gr_value x); /* log(1 + exp(x)) */

/* x as another dtype; float to float has a gradient, to an integer has none. */
GR_API gr_value gr_cast(gr_graph *g, gr_value x, gr_dtype dtype);
/* x in the dtype that 'like' has in the end, also where mixed precision (gr_autocast_bf16) changes it. */
GR_API gr_value gr_cast_like(gr_graph *g, gr_value x, gr_value like);
/* x itself; no gradient flows back through it. */
GR_API gr_value gr_stop_gradient(gr_graph *g, gr_value x);

/* ---- element-wise, more operands ---------------------------------------------------- */
GR_API gr_value gr_add(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_sub(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_mul(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_div(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_maximum(gr_graph *g, gr_value a, gr_value b); /* ties: the gradient goes to a */
GR_API gr_value gr_minimum(gr_graph *g, gr_value a, gr_value b); /* ties: the gradient goes to a */
GR_API gr_value gr_pow(gr_graph *g, gr_value a, gr_value b);     /* a > 0 unless b is whole */
/* 1 where true, else 0, in the dtype of the operands; gradient 0. */
GR_API gr_value gr_greater(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_greater_equal(gr_graph *g, gr_value a, gr_value b);
GR_API gr_value gr_equal(gr_graph *g, gr_value a, gr_value b);
/* condition != 0 ? a : b. condition: float, u8 or bool; no gradient to it. */
GR_API gr_value gr_where(gr_graph *g, gr_value condition, gr_value a, gr_value b);

/* ---- reductions ---------------------------------------------------------------------
 * axes: bit i set: axis i is reduced; 0 means all of them. keep: reduced axes stay with size 1. */
GR_API gr_value gr_sum(gr_graph *g, gr_value x, uint32_t axes, bool keep);
GR_API gr_value gr_mean(gr_graph *g, gr_value x, uint32_t axes, bool keep);
GR_API gr_value gr_max(gr_graph *g, gr_value x, uint32_t axes, bool keep); /* ties share the gradient equally */
/* f32 sum of squares over everything; rank 0. */
GR_API gr_value gr_sum_squares(gr_graph *g, gr_value x);
/* i32 index of the largest element along the last axis, the first one among equals. No gradient: an index. */
GR_API gr_value gr_argmax(gr_graph *g, gr_value x);

/* ---- shape -------------------------------------------------------------------------- */
/* dim: sizes, one of them may be -1 (what remains). */
GR_API gr_value gr_reshape(gr_graph *g, gr_value x, int rank, const int64_t *dim);
/* Axis i of the result is axis order[i] of x. */
GR_API gr_value gr_permute(gr_graph *g, gr_value x, const int *order);
GR_API gr_value gr_transpose(gr_graph *g, gr_value x, int axis_a, int axis_b); /* negative axes count from the end */
/* size elements of 'axis' from 'start' on. */
GR_API gr_value gr_slice(gr_graph *g, gr_value x, int axis, int64_t start, int64_t size);
/* The inverse of taking a slice: zeros of size 'size' in 'axis' with x at 'start'. */
GR_API gr_value gr_pad_slice(gr_graph *g, gr_value x, int axis, int64_t start, int64_t size);
GR_API gr_value gr_concat(gr_graph *g, const gr_value *x, int n, int axis); /* 1 to 16 operands */
GR_API gr_value gr_broadcast_to(gr_graph *g, gr_value x, int rank, const int64_t *dim);
/* A new array filled with one number. No inputs. */
GR_API gr_value gr_fill(gr_graph *g, gr_dtype dtype, int rank, const int64_t *dim, double value);

/* ---- gather and scatter -------------------------------------------------------------- */
/* Rows of a table: table (V, C), ids i32 any shape S -> (S, C). An id outside 0..V-1 gives zeros. */
GR_API gr_value gr_embedding(gr_graph *g, gr_value table, gr_value ids);
typedef enum gr_bag_kind { GR_BAG_SUM, GR_BAG_MEAN, GR_BAG_MAX } gr_bag_kind;
typedef struct gr_bag_options {
    gr_bag_kind kind; /* default: sum */
    gr_value weights; /* of a sum: (..., T), a factor of each row; 0: ones */
} gr_bag_options;
/* The rows of each bag together: table (V, C), ids i32 (..., T) -> (..., C). Bags are padded with ids outside the table, which
 * do not count (that is PyTorch's padding_idx too; shapes are concrete here, offsets are not); an empty bag gives zeros. Of equal largest ones
 * the first gets the gradient. PyTorch's EmbeddingBag; the rows of all bags are never held at once. */
GR_API gr_value gr_embedding_bag(gr_graph *g, gr_value table, gr_value ids, const gr_bag_options *options);
/* The gradient of gr_embedding: zeros (V, C) (or 'accumulate' (V, C)) with dy (S, C) added at the rows ids (S), in order. */
GR_API gr_value gr_scatter_add(gr_graph *g, gr_value dy, gr_value ids, int64_t v, gr_value accumulate);
/* x (..., N), ids i32 (...) -> x[..., ids]: one element of each row, (...). Used by losses on given targets. */
GR_API gr_value gr_pick(gr_graph *g, gr_value x, gr_value ids);
/* ids i32 (S) -> (S, N) with 1 at the id. No gradient: an index. */
GR_API gr_value gr_one_hot(gr_graph *g, gr_value ids, int64_t n, gr_dtype dtype);

/* ---- dense products ------------------------------------------------------------------ */
typedef struct gr_matmul_options {
    gr_dtype out_dtype; /* f32 or bf16 (f64 for f64); default: that of the operands */
    bool transpose_a;   /* a is (..., K, M) */
    bool transpose_b;   /* b is (..., N, K), the (out, in) weights of most frameworks */
} gr_matmul_options;
/* a (..., M, K) times b (..., K, N) -> (..., M, N); the leading axes broadcast. Both of one dtype. */
GR_API gr_value gr_matmul(gr_graph *g, gr_value a, gr_value b, const gr_matmul_options *options);
/* The same, added to 'accumulate' (f32, of the result's shape). */
GR_API gr_value gr_matmul_add(gr_graph *g, gr_value a, gr_value b, gr_value accumulate,
                              const gr_matmul_options *options);

/* ---- images, volumes, signals ---------------------------------------------------------
 * Channels last: x (N, S..., C) with 1, 2 or 3 spatial axes S, as the rank of x says. In options, arrays have a number for
 * each spatial axis; in 'stride', 'dilation', 'size' and 'scale' a zero takes the number of the axis before ({2}: 2
 * everywhere). What does not fit (a window larger than the padded axis, channels that do not fall into groups) is
 * GR_ERR_SHAPE, a negative number GR_ERR_ARGUMENT. */
typedef struct gr_conv_options {
    gr_value bias;               /* (Cout), f32 or the dtype of x; 0: none */
    int64_t groups;              /* of channels that do not meet; 0: 1 */
    int64_t stride[3];           /* 0: 1 */
    int64_t dilation[3];         /* from tap to tap of the window; 0: 1 */
    int64_t padding;             /* zeros on both sides of every axis */
    int64_t before[3], after[3]; /* more of them, side by side */
    int64_t output_padding[3];   /* gr_conv_transpose: rows added to the end of the result; [0, stride) */
} gr_conv_options;
/* x (N, S..., Cin), weight (Cout, Cin/groups, K...) as PyTorch's, of one dtype -> (N, S'..., Cout),
 * S' = (S + padding - dilation*(K - 1) - 1)/stride + 1, rounded down. */
GR_API gr_value gr_conv(gr_graph *g, gr_value x, gr_value weight, const gr_conv_options *options);
/* The transposed convolution. x (N, S..., Cin), weight (Cin, Cout/groups, K...) as PyTorch's -> (N, S'..., Cout),
 * S' = (S - 1)*stride - padding + dilation*(K - 1) + 1 + output_padding. Dumoulin and Visin 2016. */
GR_API gr_value gr_conv_transpose(gr_graph *g, gr_value x, gr_value weight, const gr_conv_options *options);

typedef struct gr_pool_options {
    int64_t size[3];             /* of the window; 0: 1 */
    int64_t stride[3];           /* all 0: the size */
    int64_t dilation[3];         /* gr_max_pool only; 0: 1 */
    int64_t padding;             /* on both sides of every axis, less than the size: -inf for maxima, 0 for averages */
    int64_t before[3], after[3]; /* more of it, side by side */
    bool ceil_mode;              /* a last window may hang over the end (but begin inside) */
    bool exclude_padding;        /* gr_avg_pool: the average is over what is real */
} gr_pool_options;
/* x (N, S..., C) -> (N, S'..., C). arg (may be NULL): i32 (N, S'..., C), the place of each maximum, counted over the spatial
 * axes of x as PyTorch's indices are; of equals the first. A NaN wins. Second derivatives are not provided. */
GR_API gr_value gr_max_pool(gr_graph *g, gr_value x, const gr_pool_options *options, gr_value *arg);
GR_API gr_value gr_avg_pool(gr_graph *g, gr_value x, const gr_pool_options *options);
/* Into size[i] bins an axis, bin o being [floor(o*S/size), ceil((o + 1)*S/size)). size: one number an axis. */
GR_API gr_value gr_adaptive_max_pool(gr_graph *g, gr_value x, const int64_t *size, gr_value *arg);
GR_API gr_value gr_adaptive_avg_pool(gr_graph *g, gr_value x, const int64_t *size);
/* x (N, S..., C) -> (N, C) */
GR_API gr_value gr_global_avg_pool(gr_graph *g, gr_value x);
GR_API gr_value gr_global_max_pool(gr_graph *g, gr_value x); /* ties share the gradient equally */

typedef struct gr_upsample_options {
    int64_t size[3];    /* of the result, each by itself; 0: S*scale */
    int64_t scale[3];   /* 0: 1 */
    bool linear;        /* (bi-, tri-)linear; default: the nearest place, floor(o*S/size) */
    bool align_corners; /* with linear: the outermost places of both arrays coincide */
} gr_upsample_options;
/* x (N, S..., C) -> (N, size..., C), larger or smaller. */
GR_API gr_value gr_upsample(gr_graph *g, gr_value x, const gr_upsample_options *options);

/* ---- normalisation, softmax ----------------------------------------------------------- */
/* Over the last axis C. gamma (C), beta (C) may be 0 (none). eps 0: 1e-5. Ba et al. 2016. */
GR_API gr_value gr_layer_norm(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, double eps);
/* x / sqrt(mean(x^2) + eps) * gamma. eps 0: 1e-5. Zhang and Sennrich 2019. */
GR_API gr_value gr_rms_norm(gr_graph *g, gr_value x, gr_value gamma, double eps);
/* Over the positions and the channels of each group, sample by sample: x (N, S..., C), 'groups' a divisor of C, 0: C (instance
 * norm). gamma (C), beta (C) may be 0 (none). eps 0: 1e-5. Wu and He 2018. Second derivatives are not provided. */
GR_API gr_value gr_group_norm(gr_graph *g, gr_value x, int64_t groups, gr_value gamma, gr_value beta, double eps);
/* Over all but the last axis, as in training: x (N, ..., C). mean, variance (f32 (C), may be NULL): of this batch, the
 * variance not corrected. Ioffe and Szegedy 2015. */
GR_API gr_value gr_batch_norm(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, double eps, gr_value *mean,
                              gr_value *variance);
/* The same with a mean and a variance that are known: element-wise. */
GR_API gr_value gr_batch_norm_fixed(gr_graph *g, gr_value x, gr_value gamma, gr_value beta, gr_value mean,
                                    gr_value variance, double eps);
GR_API gr_value gr_softmax(gr_graph *g, gr_value x); /* over the last axis */
GR_API gr_value gr_log_softmax(gr_graph *g, gr_value x);

/* ---- attention ------------------------------------------------------------------------ */
typedef struct gr_attention_options {
    double scale;      /* of the scores; 0: 1/sqrt(D) */
    bool causal;       /* query i sees the keys up to start + i */
    int64_t window;    /* > 0: and only the last 'window' of those */
    gr_value start;    /* i32 (B): position of the first query; 0: none (zeros) */
    gr_value lengths;  /* i32 (B): how many keys are real; 0: all */
    gr_value key_mask; /* u8 (B, Tk): 0 hides a key (padding); 0: none */
} gr_attention_options;
/* softmax(q·kᵀ·scale)·v. q (B, Tq, H, D), k and v (B, Tk, Hkv, D), H a multiple of Hkv -> (B, Tq, H, D).
 * A query that sees no key gives zeros. Memory is linear in T (Dao et al. 2022). */
GR_API gr_value gr_attention(gr_graph *g, gr_value q, gr_value k, gr_value v, const gr_attention_options *options);

typedef struct gr_rotary_options {
    double theta;     /* 0: 10000 */
    bool interleaved; /* pairs (2i, 2i+1); default (i, i + D/2) as Hugging Face */
    gr_value start;   /* i32 (B): position of t = 0; 0: zeros */
} gr_rotary_options;
/* x (B, T, H, D), D even. Su et al. 2021. */
GR_API gr_value gr_rotary(gr_graph *g, gr_value x, const gr_rotary_options *options);
/* cache (B, Tmax, H, D) with new (B, T, H, D) written at rows start[b].. (i32 (B)); rows past the end are dropped.
 * For KV caches: update the cache state with it. No gradient: decoding only. */
GR_API gr_value gr_cache_write(gr_graph *g, gr_value cache, gr_value fresh, gr_value start);

/* ---- sequences -------------------------------------------------------------------------
 * One layer in one direction; gradus/nn.h stacks them. x (B, T, I); weights with PyTorch's shapes and order of gates, G of
 * them: weight_ih (G*H, I) and weight_hh (G*H, H) of x's dtype. A step at or past a row's length keeps the state and gives
 * y = 0. Second derivatives are not provided. */
typedef struct gr_scan_options {
    gr_value bias_ih, bias_hh; /* (G*H), f32 or the dtype of x; 0: none */
    gr_value lengths;          /* i32 (B): steps that are real; 0: all */
    gr_value h0, c0;           /* (B, H), f32 or the dtype of x; 0: zeros; c0: lstm only */
    bool reverse;              /* from the last step to the first */
    bool reset_before;         /* gru: n = tanh(W x + W (r*h) + b) of Cho et al. 2014; default PyTorch's r*(W h + b) */
    bool relu;                 /* rnn: in place of tanh */
} gr_scan_options;
/* -> y (B, T, H) of x's dtype. h_n, c_n (may be NULL): the last state, f32 (f64 for f64) (B, H).
 * i, f, g, o of 4*H; c' = f*c + i*g, h' = o*tanh(c'). Hochreiter and Schmidhuber 1997, Gers et al. 2000. */
GR_API gr_value gr_lstm_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh,
                             const gr_scan_options *options, gr_value *h_n, gr_value *c_n);
/* r, z, n of 3*H; h' = (1 - z)*n + z*h. Cho et al. 2014. */
GR_API gr_value gr_gru_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh,
                            const gr_scan_options *options, gr_value *h_n);
/* h' = tanh(W x + b + W h + b). Elman 1990. */
GR_API gr_value gr_rnn_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh,
                            const gr_scan_options *options, gr_value *h_n);

/* ---- regularisation -------------------------------------------------------------------- */
/* Training: elements are zeroed with probability p, the others grow by 1/(1-p). Counter-based: the same mask for any
 * number of threads and under recomputation. */
GR_API gr_value gr_dropout(gr_graph *g, gr_value x, double p);

/* ---- fused losses ------------------------------------------------------------------------ */
/* logits (N, V), targets i32 (N); a target outside 0..V-1 does not count. -> f32 (N): -log softmax at the target. */
GR_API gr_value gr_cross_entropy(gr_graph *g, gr_value logits, gr_value targets);
/* The sum of the cross-entropies of x·Wᵀ against the targets, in chunks of rows: logits are never stored.
 * x (N, C), weight (V, C), targets i32 (N) -> f32 rank 0; 'count' (may be NULL) gets the f32 number of targets that
 * count. Gradients of x and weight are made in the same sweep when they are wanted. Wijmans et al. 2024. */
GR_API gr_value gr_linear_cross_entropy(gr_graph *g, gr_value x, gr_value weight, gr_value targets, gr_value *count);
typedef struct gr_ctc_options {
    int64_t blank;      /* the symbol that is none; default 0 */
    bool zero_infinity; /* 0 where no path spells the targets; default: an infinite loss without a gradient */
} gr_ctc_options;
/* Connectionist temporal classification. logits (B, T, V), targets i32 (B, S) without blanks, input_lengths i32 (B) up to T,
 * target_lengths i32 (B) up to S -> f32 (B): -log of the probability that soft-max(logits) spells the targets over time.
 * The gradient is made in the same sweep when it is wanted. Graves et al. 2006. */
GR_API gr_value gr_ctc_loss(gr_graph *g, gr_value logits, gr_value targets, gr_value input_lengths,
                            gr_value target_lengths, const gr_ctc_options *options);

#ifdef __cplusplus
}
#endif
#endif
