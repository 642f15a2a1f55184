/* gradus/nn.h: what networks are built from: layers, losses, optimisers, schedules. All but the schedules are functions
 * that append nodes to a graph (gradus/graph.h, gradus/ops.h); nothing here computes.
 *
 *   gr_value h = gr_activation(g, GR_ACTIVATION_RELU, gr_linear(g, "fc1", x, 128, NULL));
 *   gr_loss loss = gr_loss_cross_entropy(g, gr_linear(g, "fc2", h, 10, NULL), labels, NULL);
 *   gr_value p[4], dp[4];
 *   int n = gr_graph_params(g, p, 4);
 *   gr_grad(g, loss.sum, p, n, dp);
 *   gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 3e-4}, .weight = loss.weight};
 *   gr_optimizer_result r;
 *   gr_optimizer_apply(g, "step", p, dp, n, &o, &r);
 *   gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
 *   gr_output(g, "step", "grad_norm", r.grad_norm);
 *
 * In option structs zero means the default; where zero must be sayable a field 'no_...' says it. Functions that give a
 * gr_value follow the graph's rule: 0 after a failure, the graph keeps the error. Threads: as the graph. */
#ifndef GRADUS_NN_H
#define GRADUS_NN_H

#include "gradus/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- layers --------------------------------------------------------------------------
 * Parameters are named as PyTorch names them, below the open scopes: "<name>.weight", "<name>.bias". name NULL: no
 * scope of its own. */

/* Code, name in configurations, what it is. */
#define GR_ACTIVATION_MAP(X)                                         \
    X(GR_ACTIVATION_NONE, "none", "x")                               \
    X(GR_ACTIVATION_RELU, "relu", "max(x, 0)")                       \
    X(GR_ACTIVATION_LEAKY_RELU, "leaky_relu", "x > 0 ? x : 0.01*x")  \
    X(GR_ACTIVATION_ELU, "elu", "x > 0 ? x : exp(x) - 1")            \
    X(GR_ACTIVATION_GELU, "gelu", "x*Phi(x)")                        \
    X(GR_ACTIVATION_GELU_TANH, "gelu_tanh", "GPT-2's gelu, by tanh") \
    X(GR_ACTIVATION_SILU, "silu", "x*sigmoid(x)")                    \
    X(GR_ACTIVATION_SIGMOID, "sigmoid", "1/(1 + exp(-x))")           \
    X(GR_ACTIVATION_TANH, "tanh", "tanh(x)")                         \
    X(GR_ACTIVATION_SOFTPLUS, "softplus", "log(1 + exp(x))")

typedef enum gr_activation_kind {
#define GR_X(code, name, text) code,
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
        GR_ACTIVATION_COUNT
} gr_activation_kind;

GR_API gr_value gr_activation(gr_graph *g, gr_activation_kind kind, gr_value x);
GR_API const char *gr_activation_name(gr_activation_kind kind); /* "" for an unknown kind */
/* Also Hugging Face's "gelu_new", "gelu_pytorch_tanh" and "swish". GR_ERR_CONFIG with did-you-mean; *out untouched. */
GR_API gr_status gr_activation_from_name(const char *name, gr_activation_kind *out);

typedef struct gr_linear_options {
    bool no_bias;
    bool in_out;              /* weight (in, out) as GPT-2's Conv1D; default (out, in) */
    const gr_init *init;      /* of the weight; its fan_out_first is set here. NULL: uniform within 1/sqrt(in) */
    const gr_init *bias_init; /* NULL: uniform within 1/sqrt(in) */
} gr_linear_options;
/* x (..., in) -> (..., out): x·Wᵀ + b. x has two axes or more. */
GR_API gr_value gr_linear(gr_graph *g, const char *name, gr_value x, int64_t out, const gr_linear_options *options);

/* ids i32 (S) -> (S, C), rows of the parameter weight (V, C). init NULL: normal, deviation 1. */
GR_API gr_value gr_embedding_layer(gr_graph *g, const char *name, gr_value ids, int64_t v, int64_t c,
                                   const gr_init *init);

typedef struct gr_norm_options {
    double eps;     /* > 0; default 1e-5 */
    bool no_bias;   /* layer norm: without beta */
    bool no_affine; /* without any parameter */
} gr_norm_options;
/* Over the last axis; weight begins with ones, bias with zeros. */
GR_API gr_value gr_layer_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_norm_options *options);
GR_API gr_value gr_rms_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_norm_options *options);

typedef struct gr_conv_layer_options {
    int64_t window[3]; /* of each axis where they differ; 0: the argument */
    int64_t groups;    /* 0: 1 */
    int64_t stride[3]; /* as in gr_conv_options */
    int64_t dilation[3];
    int64_t padding;
    int64_t before[3], after[3];
    int64_t output_padding[3]; /* gr_conv_transpose_layer */
    bool same;                 /* pad so that S' = S/stride, rounded up; more behind than before. Not transposed */
    bool no_bias;
    const gr_init *init;      /* of the weight; its fan_out_first is set here. NULL: uniform within 1/sqrt(fan in) */
    const gr_init *bias_init; /* NULL: the same bounds */
} gr_conv_layer_options;
/* x (N, S..., Cin) -> (N, S'..., out) with a window of that size on every axis: parameters weight (out, Cin/groups, K...)
 * and bias (out). The layer of PyTorch's Conv1d, Conv2d, Conv3d, as the rank of x says. */
GR_API gr_value gr_conv_layer(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window,
                              const gr_conv_layer_options *options);
/* PyTorch's ConvTranspose1d .. 3d: weight (Cin, out/groups, K...), fan in counted over out/groups as PyTorch does. */
GR_API gr_value gr_conv_transpose_layer(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window,
                                        const gr_conv_layer_options *options);

typedef struct gr_rnn_options {
    int64_t layers;     /* one on top of the other; 0: 1 */
    bool bidirectional; /* a second one backward in time beside each; their results side by side, 2*H wide */
    double dropout;     /* [0, 1): between the layers */
    bool evaluate;      /* without dropout */
    bool no_bias;
    bool reset_before; /* gr_gru: the reset gate before the product, as in gr_scan_options */
    bool relu;         /* gr_rnn: in place of tanh */
    gr_value lengths;  /* i32 (B): steps that are real; 0: all */
    gr_value h0, c0;   /* (layers*directions, B, H) as PyTorch has them; 0: zeros; c0: gr_lstm */
    const gr_init
        *init; /* of the weights; its fan_out_first is set here. NULL: uniform within 1/sqrt(H), as biases are */
} gr_rnn_options;
/* x (B, T, I) -> (B, T, H*directions): PyTorch's LSTM, GRU and RNN with batch_first. Parameters weight_ih_l0 (G*H, I),
 * weight_hh_l0 (G*H, H), bias_ih_l0, bias_hh_l0 (G*H), backward in time with "_reverse" behind; l1 .. on top; G is 4, 3, 1.
 * With lengths a result is what a packed sequence gives, 0 past the end. h_n, c_n (may be NULL): the last states
 * (layers*directions, B, H), f32. At most 16 layers*directions (GR_ERR_ARGUMENT). */
GR_API gr_value gr_lstm(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options,
                        gr_value *h_n, gr_value *c_n);
GR_API gr_value gr_gru(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options,
                       gr_value *h_n);
GR_API gr_value gr_rnn(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options,
                       gr_value *h_n);

typedef struct gr_batch_norm_options {
    double eps;          /* > 0; default 1e-5 */
    double momentum;     /* (0, 1]: weight of this batch in the running statistics; default 0.1 */
    bool no_affine;      /* without weight and bias */
    bool evaluate;       /* by the running statistics, which stay as they are */
    bool no_running;     /* always by the statistics of the batch; there are no others */
    const char *program; /* whose end updates them; default "step" (with accumulation: "micro") */
} gr_batch_norm_options;
/* x (N, ..., C) -> the same shape: parameters weight and bias, states running_mean and running_var (of the unbiased
 * variance) as PyTorch's; there is no num_batches_tracked. Not additive: a batch cut in two gives other numbers. */
GR_API gr_value gr_batch_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_batch_norm_options *options);
/* groups 0: as many as channels (instance norm, there without weight and bias only where no_affine says so). */
GR_API gr_value gr_group_norm_layer(gr_graph *g, const char *name, gr_value x, int64_t groups,
                                    const gr_norm_options *options);

typedef struct gr_mlp_options {
    gr_activation_kind activation;        /* behind every layer but the last */
    gr_activation_kind output_activation; /* behind the last */
    double dropout;                       /* [0, 1) behind each activation but the last */
    bool evaluate;                        /* dropouts are counted in the names but do nothing */
    gr_linear_options linear;
} gr_mlp_options;
/* Linear layers of these output sizes with activations between them: x (..., in) -> (..., size[n - 1]). Numbered as in
 * torch.nn.Sequential, where activations and dropouts count: "<name>.0.weight", "<name>.2.weight", ... */
GR_API gr_value gr_mlp(gr_graph *g, const char *name, gr_value x, const int64_t *size, int n,
                       const gr_mlp_options *options);

/* ---- losses --------------------------------------------------------------------------
 * A loss is a sum and the weight by which it is to be divided, both f32 of rank 0 (f64 for f64): sums and weights add
 * up over micro-batches and ranks, so that accumulation equals the large batch. */

typedef struct gr_loss {
    gr_value sum;    /* 0 after a failure */
    gr_value weight; /* elements or targets that count, each times its weight; no gradient */
} gr_loss;

/* Code, name in configurations. */
#define GR_LOSS_MAP(X)                            \
    X(GR_LOSS_MSE, "mse")                         \
    X(GR_LOSS_MAE, "mae")                         \
    X(GR_LOSS_HUBER, "huber")                     \
    X(GR_LOSS_BCE_WITH_LOGITS, "bce_with_logits") \
    X(GR_LOSS_CROSS_ENTROPY, "cross_entropy")

typedef enum gr_loss_kind {
#define GR_X(code, name) code,
    GR_LOSS_MAP(GR_X)
#undef GR_X
        GR_LOSS_KIND_COUNT
} gr_loss_kind;

typedef struct gr_loss_options {
    gr_value weight;        /* of each sample or element, or a mask (f32, u8 or bool); its shape is that of the loss, or
                               of its leading axes ((B) for (B, C)); 0: ones */
    bool half;              /* times 1/2, the sum only: the textbook's squared error */
    bool broadcast;         /* prediction and target broadcast as numpy does; default: other shapes are an error */
    double delta;           /* huber: > 0; default 1 */
    double positive_weight; /* bce_with_logits: > 0, weight of the targets' ones; default 1 */
    double label_smoothing; /* cross_entropy: [0, 1); default 0 */
    gr_value class_weight;  /* cross_entropy: f32 (V); 0: ones. Not together with label_smoothing */
} gr_loss_options;

/* prediction and target: floats of one shape, see 'broadcast'; weight: the number of elements, or the sum of their
 * weights. Shapes of both stand in the message of GR_ERR_SHAPE. */
GR_API gr_loss gr_loss_mse(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options);
GR_API gr_loss gr_loss_mae(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options);
/* |d| <= delta ? d²/2 : delta*(|d| - delta/2). Huber 1964. */
GR_API gr_loss gr_loss_huber(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options);
/* Against targets in [0, 1], from logits, without overflow. */
GR_API gr_loss gr_loss_bce_with_logits(gr_graph *g, gr_value logits, gr_value target, const gr_loss_options *options);
/* logits (..., V), targets i32 (...): a target outside 0..V-1 does not count. */
GR_API gr_loss gr_loss_cross_entropy(gr_graph *g, gr_value logits, gr_value targets, const gr_loss_options *options);
/* The same of x·Wᵀ, which is never stored. x (..., C), weight (V, C), targets i32 (...). 'half' is the only option; for
 * others take gr_loss_cross_entropy. */
GR_API gr_loss gr_loss_linear_cross_entropy(gr_graph *g, gr_value x, gr_value weight, gr_value targets,
                                            const gr_loss_options *options);

/* Losses that rank; of 'options' they know 'weight'. Second operands may be drawn at random (negatives).
 * softplus(negative - positive) of each pair of scores: -log sigmoid(positive - negative). Rendle et al. 2009. */
GR_API gr_loss gr_loss_bpr(gr_graph *g, gr_value positive, gr_value negative, const gr_loss_options *options);
/* max(0, negative - positive + margin) of each pair of scores. */
GR_API gr_loss gr_loss_pairwise_hinge(gr_graph *g, gr_value positive, gr_value negative, double margin,
                                      const gr_loss_options *options);
/* max(0, |anchor - positive| - |anchor - negative| + margin) of rows (B, C). margin 0: 1. Schroff et al. 2015; PyTorch's
 * TripletMarginLoss. */
GR_API gr_loss gr_loss_triplet(gr_graph *g, gr_value anchor, gr_value positive, gr_value negative, double margin,
                               const gr_loss_options *options);
/* Row i of query (B, C) belongs to row i of key (B, C), the other rows are its negatives: the cross-entropy of
 * query·keyᵀ/temperature; also known as the in-batch soft-max. temperature 0: 1. van den Oord et al. 2018. */
GR_API gr_loss gr_loss_info_nce(gr_graph *g, gr_value query, gr_value key, double temperature,
                                const gr_loss_options *options);

/* Of hard examples more: each logit by itself (sigmoid) against targets in [0, 1], -alpha_t*|t - p|^gamma*log p_t, which for
 * soft targets is (alpha_t)*|t - p|^gamma times the cross-entropy. alpha weighs the ones, 1 - alpha the zeros. Lin et al. 2017,
 * Li et al. 2020 (soft targets). */
typedef struct gr_focal_options {
    gr_value weight; /* as in gr_loss_options */
    double gamma;    /* >= 0; default 2, see no_gamma */
    double alpha;    /* (0, 1); default 0: no weights */
    bool no_gamma;
} gr_focal_options;
GR_API gr_loss gr_loss_focal(gr_graph *g, gr_value logits, gr_value target, const gr_focal_options *options);
/* logits (..., V), targets i32 (...): (1 - p_t)^gamma times the cross-entropy of the soft-max; a target outside 0..V-1 does
 * not count. No alpha. */
GR_API gr_loss gr_loss_focal_softmax(gr_graph *g, gr_value logits, gr_value targets, const gr_focal_options *options);

/* How far two boxes are one: IoU; less the share of the smallest box around both that neither covers (GIoU, Rezatofighi et
 * al. 2019); less the distance of the centres and the difference of the shapes (CIoU, Zheng et al. 2020). */
typedef enum gr_overlap_kind { GR_OVERLAP_IOU, GR_OVERLAP_GIOU, GR_OVERLAP_CIOU, GR_OVERLAP_COUNT } gr_overlap_kind;
/* a, b (..., 4): x0, y0, x1, y1 with x0 <= x1, y0 <= y1 -> (...), f32 or f64. GR_ERR_SHAPE. */
GR_API gr_value gr_box_overlap(gr_graph *g, gr_overlap_kind kind, gr_value a, gr_value b);
/* The sum of 1 - overlap. Only 'weight' of the options counts; its shape is (...) or leading axes of it. */
GR_API gr_loss gr_loss_box(gr_graph *g, gr_overlap_kind kind, gr_value prediction, gr_value target,
                           const gr_loss_options *options);

/* gr_ctc_loss of each sample, times weight (B) (0: ones), summed. PyTorch's mean divides by the
 * symbols of each as well. */
GR_API gr_loss gr_loss_ctc(gr_graph *g, gr_value logits, gr_value targets, gr_value input_lengths,
                           gr_value target_lengths, gr_value weight, const gr_ctc_options *options);

/* The loss of that kind, with prediction and target as its own function wants them (above); an unknown kind: GR_ERR_ARGUMENT. */
GR_API gr_loss gr_loss_of_kind(gr_graph *g, gr_loss_kind kind, gr_value prediction, gr_value target,
                               const gr_loss_options *options);
GR_API const char *gr_loss_name(gr_loss_kind kind); /* "" for an unknown kind */
/* GR_ERR_CONFIG with did-you-mean; *out untouched. */
GR_API gr_status gr_loss_from_name(const char *name, gr_loss_kind *out);

/* ---- optimisers ---------------------------------------------------------------------- */

/* Code, name in configurations. Defaults are PyTorch's (src/nn/optimizers.def), Lion's and LAMB's their papers'. */
#define GR_OPTIMIZER_MAP(X)            \
    X(GR_OPTIMIZER_DEFAULT, "default") \
    X(GR_OPTIMIZER_SGD, "sgd")         \
    X(GR_OPTIMIZER_ADAM, "adam")       \
    X(GR_OPTIMIZER_ADAMW, "adamw")     \
    X(GR_OPTIMIZER_RMSPROP, "rmsprop") \
    X(GR_OPTIMIZER_ADAGRAD, "adagrad") \
    X(GR_OPTIMIZER_LION, "lion")       \
    X(GR_OPTIMIZER_LAMB, "lamb")       \
    X(GR_OPTIMIZER_MUON, "muon")

typedef enum gr_optimizer_kind {
#define GR_X(code, name) code,
    GR_OPTIMIZER_MAP(GR_X)
#undef GR_X
        GR_OPTIMIZER_COUNT
} gr_optimizer_kind;

/* How Muon's step grows with the matrix (R, C). */
typedef enum gr_muon_scale {
    GR_MUON_SCALE_ORIGINAL, /* sqrt(max(1, R/C)) */
    GR_MUON_SCALE_ADAMW,    /* 0.2*sqrt(max(R, C)): steps as large as AdamW's */
    GR_MUON_SCALE_SPECTRAL, /* sqrt(R/C) */
    GR_MUON_SCALE_COUNT
} gr_muon_scale;

/* A field that the kind does not know is ignored. */
typedef struct gr_optimizer {
    gr_optimizer_kind kind;     /* default: sgd; in a group: that of the base */
    double learning_rate;       /* > 0; default 1e-3, rmsprop and adagrad 1e-2, lion 1e-4 */
    double momentum;            /* sgd, rmsprop, muon: [0, 1); default 0, muon 0.95 */
    double beta1, beta2;        /* adam, adamw, lamb: 0.9, 0.999; lion: 0.9, 0.99 */
    double alpha;               /* rmsprop: (0, 1); default 0.99 */
    double eps;                 /* > 0; default 1e-8, adagrad 1e-10, lamb 1e-6, muon 1e-7 */
    double weight_decay;        /* >= 0. Coupled (an L2 penalty in the gradient) for sgd, adam, rmsprop, adagrad: 0;
                               decoupled for adamw: 0.01, lamb: 0.01 (inside the trust ratio), muon: 0.1, lion: 0 */
    double l1, l2;              /* >= 0: the penalties l1*|w| and l2/2*w² as part of the gradient, also of its norm */
    double initial_accumulator; /* adagrad: >= 0 */
    gr_muon_scale muon_scale;
    bool nesterov;                                                        /* sgd with momentum; on for muon */
    bool no_momentum, no_beta1, no_weight_decay, no_penalty, no_nesterov; /* the same as zero */
} gr_optimizer;

/* Parameters whose path matches 'pattern' ('*' stands for any characters, '?' for one: "*.bias", "h.*.attn.*"); the
 * first group that matches counts. Fields of 'optimizer' that are zero come from the base where the kind is the same,
 * else from the defaults of the kind. */
typedef struct gr_param_group {
    const char *pattern;
    gr_optimizer optimizer;
    bool frozen;   /* no update and no moments */
    bool optional; /* may match nothing; default: GR_ERR_CONFIG, for it is a misspelling */
} gr_param_group;

/* What happens in a run whose gradient is not finite. The guard needs all gradients before the first update. */
typedef enum gr_guard_policy {
    GR_GUARD_AUTO, /* guarded when clip_norm is given, which needs all gradients anyway */
    GR_GUARD_ON,   /* no state of the program is updated */
    GR_GUARD_OFF,
    GR_GUARD_COUNT
} gr_guard_policy;

typedef struct gr_optimizer_options {
    gr_optimizer base;
    const gr_param_group *groups;
    int n_groups;
    gr_value weight;   /* f32, one element: what the gradients are divided by first; 0: nothing */
    double clip_norm;  /* > 0: all gradients together are scaled down to this norm; 0: off */
    double clip_value; /* > 0: then each element is held within +-clip_value; 0: off */
    double ema_decay;  /* (0, 1): states "ema:<path>", the average of the weights after each update, without the bias of
                          its beginning; 0: off */
    gr_guard_policy guard;
} gr_optimizer_options;

typedef struct gr_optimizer_result {
    gr_value grad_norm;   /* f32 rank 0: of the divided gradients with penalties, before clipping, without the frozen */
    gr_value clip_scale;  /* f32 rank 0: the factor of clip_norm; 0 without it */
    gr_value sum_squares; /* f32 (n): of each gradient, to find the one that is not finite; divided by weight² only when
                             there are penalties. Zero where there is no gradient */
} gr_optimizer_result;

/* Appends to 'program' the update of params (n) by their gradients grads (n); grads[i] = 0 leaves a parameter alone.
 * The learning rate is GR_CONTROL_LR times (rate of the group / rate of the base). Moments are states named after the
 * optimiser and the path ("adam.m:h.0.attn.weight"), whatever scopes are open. Without clip_norm and guard an update
 * depends on its own gradient only and runs as soon as that is there. Muon takes matrices; parameters of another rank
 * go by AdamW at the same rate, with the same options where they are given.
 * out (may be NULL): values for outputs; they cost nothing unless they are asked for.
 * Status: GR_ERR_CONFIG (a number out of its range, a group that matches nothing), GR_ERR_ARGUMENT, GR_ERR_MEMORY, the
 *         graph's error. */
GR_API gr_status gr_optimizer_apply(gr_graph *g, const char *program, const gr_value *params, const gr_value *grads,
                                    int n, const gr_optimizer_options *options, gr_optimizer_result *out);

/* The optimiser with its defaults filled in; twice is the same as once. GR_ERR_CONFIG: a number out of its range. */
GR_API gr_status gr_optimizer_resolve(const gr_optimizer *optimizer, gr_optimizer *out);
/* The same for the parameter 'path' of rank 'rank' under the groups. *frozen (may be NULL): it is not updated, so that
 * its gradient need not be made. */
GR_API gr_status gr_optimizer_of_param(const gr_optimizer_options *options, const char *path, int rank,
                                       gr_optimizer *out, bool *frozen);
GR_API const char *gr_optimizer_name(gr_optimizer_kind kind); /* "" for an unknown kind */
/* GR_ERR_CONFIG with did-you-mean; *out untouched. */
GR_API gr_status gr_optimizer_from_name(const char *name, gr_optimizer_kind *out);

/* Gradients of several runs: programs micro × k, apply × 1 of one graph.
 *
 *   gr_gradients_accumulate(g, "micro", params, grads, n, loss.weight);
 *   gr_gradients_use(g, "apply", params, n, sums, &options.weight);
 *   gr_optimizer_apply(g, "apply", params, sums, n, &options, &result);
 *   gr_gradients_clear(g, "clear", params, n);
 *
 * accumulate: each run of 'program' adds grads to the states "grad:<path>" and weight (0: one) to "grad.weight".
 * use:        sums (n) and *weight are those states, to be called after accumulate; 'program' sets them to zero in the
 *             end. sums[i] is 0 where there was no gradient.
 * clear:      'program' sets them to zero. Run it when a guard stopped "apply", which then cleared nothing.
 * Status: GR_ERR_ARGUMENT, GR_ERR_MEMORY, the graph's error. */
GR_API gr_status gr_gradients_accumulate(gr_graph *g, const char *program, const gr_value *params,
                                         const gr_value *grads, int n, gr_value weight);
GR_API gr_status gr_gradients_use(gr_graph *g, const char *program, const gr_value *params, int n, gr_value *sums,
                                  gr_value *weight);
GR_API gr_status gr_gradients_clear(gr_graph *g, const char *program, const gr_value *params, int n);

/* ---- schedules of the learning rate ---------------------------------------------------- */

/* Code, name in configurations. Below, t = step - warmup, T = steps - warmup, r = learning_rate, m = its minimum. */
#define GR_SCHEDULE_MAP(X)                      \
    X(GR_SCHEDULE_CONSTANT, "constant")         \
    X(GR_SCHEDULE_STEP, "step")                 \
    X(GR_SCHEDULE_EXPONENTIAL, "exponential")   \
    X(GR_SCHEDULE_INVERSE_TIME, "inverse_time") \
    X(GR_SCHEDULE_LINEAR_DECAY, "linear_decay") \
    X(GR_SCHEDULE_COSINE, "cosine")             \
    X(GR_SCHEDULE_LINEAR, "linear")             \
    X(GR_SCHEDULE_WSD, "wsd")                   \
    X(GR_SCHEDULE_ONE_CYCLE, "one_cycle")       \
    X(GR_SCHEDULE_REDUCE_ON_PLATEAU, "reduce_on_plateau")

typedef enum gr_schedule_kind {
#define GR_X(code, name) code,
    GR_SCHEDULE_MAP(GR_X)
#undef GR_X
        GR_SCHEDULE_COUNT
} gr_schedule_kind;

typedef struct gr_schedule {
    gr_schedule_kind kind;
    double learning_rate;     /* > 0; default 1e-3. one_cycle: the highest */
    double min_learning_rate; /* >= 0: never below, once warm; default 0 */
    int64_t warmup;           /* steps of r*(step + 1)/warmup before the schedule begins; not for one_cycle */
    int64_t steps;            /* of the whole run: cosine, linear, wsd, one_cycle need it; m afterwards */
    double factor;            /* (0, 1): step r*factor^floor(t/period), exponential r*factor^(t/period); default 0.1 and
                                 0.95; reduce_on_plateau: default 0.1 */
    int64_t period;           /* steps, >= 1; default 1 */
    double decay;             /* inverse_time r/(1 + decay*t), linear_decay r*(1 - decay*t); > 0, needed there */
    double decay_fraction;    /* wsd: the last part of T in which r falls to m in a line; (0, 1], default 0.2 */
    double rise_fraction;     /* one_cycle: the part of steps that rises; (0, 1), default 0.3 */
    double start_divisor;     /* one_cycle: begins at r/25 */
    double end_divisor;       /* one_cycle: ends at (r/start_divisor)/1e4 */
    /* reduce_on_plateau */
    bool larger_is_better; /* the metric; default: smaller */
    int64_t patience;      /* feeds without improvement that are borne; default 10, see no_patience */
    bool no_patience;
    double threshold; /* relative improvement that counts; default 1e-4, see no_threshold */
    bool no_threshold;
    int64_t cooldown; /* feeds after a reduction that do not count; default 0 */
} gr_schedule;

/* GR_ERR_CONFIG: the field and its range. */
GR_API gr_status gr_schedule_check(const gr_schedule *schedule);
/* The learning rate of the update after 'step' updates (the first is 0). A pure function; for reduce_on_plateau
 * multiply it by gr_plateau.scale. The schedule has passed gr_schedule_check; NaN for an unknown kind. */
GR_API double gr_schedule_at(const gr_schedule *schedule, int64_t step);
GR_API const char *gr_schedule_name(gr_schedule_kind kind); /* "" for an unknown kind */
/* GR_ERR_CONFIG with did-you-mean; *out untouched. */
GR_API gr_status gr_schedule_from_name(const char *name, gr_schedule_kind *out);

/* What reduce_on_plateau remembers: plain numbers, to be saved with a checkpoint. */
typedef struct gr_plateau {
    double best;      /* value of the metric so far */
    double scale;     /* of the learning rate */
    int64_t bad;      /* feeds without improvement since the best or the last reduction */
    int64_t cooldown; /* feeds left that do not count */
    int64_t feeds;    /* so far, of numbers */
} gr_plateau;
GR_API void gr_plateau_init(gr_plateau *plateau);
/* Takes a new value of the metric; returns the scale from now on. NaN is no improvement. The scale never brings
 * learning_rate below min_learning_rate. */
GR_API double gr_plateau_feed(gr_plateau *plateau, const gr_schedule *schedule, double metric);

#ifdef __cplusplus
}
#endif
#endif
