/* gradus/graph.h: a network as a graph of values, with programs (entry points) and gradients.
 *
 * A graph has no memory for numbers: it says what to compute. Compile a program of it with
 * gr_plan_compile() and run it with a session (gradus/plan.h). State (parameters, moments, caches)
 * lives in a store (gradus/store.h) by path.
 *
 *   gr_graph *g;
 *   gr_graph_new(&g);
 *   int64_t xs[] = {4, 1};
 *   gr_value x = gr_input(g, "x", GR_F32, 2, xs);
 *   gr_value y = gr_input(g, "y", GR_F32, 2, xs);
 *   gr_value w = gr_param(g, "w", 2, (int64_t[]){1, 1}, &(gr_init){.kind = GR_INIT_UNIFORM, .b = 1});
 *   gr_value e = gr_sub(g, gr_matmul(g, x, w, NULL), y);
 *   gr_value loss = gr_sum(g, gr_square(g, e), 0, false);
 *   gr_value dw;
 *   gr_grad(g, loss, &w, 1, &dw);
 *   gr_output(g, "step", "loss", loss);
 *   gr_update(g, "step", w, gr_sub(g, w, gr_affine(g, dw, 0.01, 0)));
 *
 * Builders need no check after each call: a graph keeps its first error, gives the value 0 from then
 * on, and gr_graph_status() or gr_plan_compile() reports it with the scope in which it happened.
 * Threads: one graph, one thread at a time. */
#ifndef GRADUS_GRAPH_H
#define GRADUS_GRAPH_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_graph gr_graph;

/* A value of a graph; 0 is "none" (an optional operand left out, or the result of a failed builder). An operand that is
 * required must be a value of the same graph: GR_ERR_ARGUMENT. */
typedef int32_t gr_value;

/* GR_ERR_MEMORY. The caller frees. */
GR_API gr_status gr_graph_new(gr_graph **out);
GR_API void gr_graph_free(gr_graph **graph);
/* The first error that a builder met (message set again), or GR_OK; GR_ERR_ARGUMENT for NULL, of which builders give 0. */
GR_API gr_status gr_graph_status(const gr_graph *graph);

/* ---- leaves ------------------------------------------------------------------------ */

/* How a state begins. 'a' and 'b' depend on the kind. fan_in and fan_out follow from the shape:
 * (in, out) unless 'fan_out_first' (the (out, in) weights of most frameworks). */
typedef enum gr_init_kind {
    GR_INIT_ZEROS,
    GR_INIT_CONSTANT,         /* a */
    GR_INIT_UNIFORM,          /* [a, b) */
    GR_INIT_NORMAL,           /* mean a, deviation b */
    GR_INIT_TRUNCATED_NORMAL, /* mean a, deviation b, redrawn outside a +- 2b */
    GR_INIT_XAVIER_UNIFORM,   /* +-gain*sqrt(6/(in+out)); gain = a, 0: 1 (Glorot and Bengio 2010) */
    GR_INIT_XAVIER_NORMAL,
    GR_INIT_HE_UNIFORM, /* +-gain*sqrt(3/in); gain = a, 0: sqrt 2 (He et al. 2015) */
    GR_INIT_HE_NORMAL,
    GR_INIT_LECUN_UNIFORM, /* +-sqrt(3/in) */
    GR_INIT_LECUN_NORMAL,
    GR_INIT_ORTHOGONAL, /* gain = a, 0: 1 (Saxe et al. 2013) */
    GR_INIT_KIND_COUNT
} gr_init_kind;

typedef struct gr_init {
    gr_init_kind kind;
    double a, b;
    bool fan_out_first;
} gr_init;

/* An array that the caller fills before each run. dim: 'rank' sizes, each >= 1. No array of a graph, also no result of an
 * op, has more than 2^46 elements: GR_ERR_SHAPE. */
GR_API gr_value gr_input(gr_graph *g, const char *name, gr_dtype dtype, int rank, const int64_t *dim);

/* A trainable f32 array in the store under 'path' (with the scopes that are open before it, joined by dots);
 * init NULL: zeros. The same path gives the same value again, for weights that are shared: what it was declared with first
 * is its initialiser. */
GR_API gr_value gr_param(gr_graph *g, const char *path, int rank, const int64_t *dim, const gr_init *init);

/* Any other state: moments, statistics, caches. Not trained. */
GR_API gr_value gr_state(gr_graph *g, const char *path, gr_dtype dtype, int rank, const int64_t *dim,
                         const gr_init *init);

/* A state of which every session has its own, zero at first: KV caches. Not in the store; its path is no path of a
 * parameter or other state. */
GR_API gr_value gr_session_state(gr_graph *g, const char *path, gr_dtype dtype, int rank, const int64_t *dim);

/* A constant array (copied) and a constant of one element. */
GR_API gr_value gr_constant(gr_graph *g, const gr_tensor *value);
GR_API gr_value gr_scalar(gr_graph *g, gr_dtype dtype, double value);

/* A number of the session's control block, f32, one element, read at each run. */
typedef enum gr_control_kind {
    GR_CONTROL_LR,              /* the learning rate of this step */
    GR_CONTROL_BIAS_CORRECTION, /* 1 - parameter^t, t = updates so far + 1 (Adam) */
    GR_CONTROL_KIND_COUNT
} gr_control_kind;
GR_API gr_value gr_control(gr_graph *g, gr_control_kind kind, double parameter);

/* ---- scopes ------------------------------------------------------------------------ */

/* Names in front of the paths of states, and the place told by errors and plans ("h.3.attn"). */
GR_API void gr_scope_push(gr_graph *g, const char *format, ...) GR_PRINTF(2, 3);
GR_API void gr_scope_pop(gr_graph *g);
/* The same, and the scope is a block (a layer): when memory is short its inside is not kept for the gradient but run
 * again from its inputs. */
GR_API void gr_block_push(gr_graph *g, const char *format, ...) GR_PRINTF(2, 3);

/* ---- programs ---------------------------------------------------------------------- */

/* Adds 'value' to what program 'program' returns, under 'name', which no other value has there. A program is made by its
 * first mention. */
GR_API void gr_output(gr_graph *g, const char *program, const char *name, gr_value value);
/* When the program ends, 'state' becomes 'value' (same dtype and shape). Once per state and program. */
GR_API void gr_update(gr_graph *g, const char *program, gr_value state, gr_value value);
/* The program updates no state in a run in which 'value' (f64, f32 or bf16, one element) is infinite or NaN. */
GR_API void gr_guard(gr_graph *g, const char *program, gr_value value);

/* ---- gradients --------------------------------------------------------------------- */

/* Appends the nodes that compute d loss / d wrt[i] into dwrt[i] (same shape and dtype as wrt[i]; 0 where the loss does
 * not depend on it). loss: one element. May be called several times, also on values that a gradient made.
 * Status: GR_ERR_ARGUMENT (loss has more than one element), GR_ERR_UNSUPPORTED (an op without gradient is on the way:
 * its name and the reason), or the graph's first error. */
GR_API gr_status gr_grad(gr_graph *g, gr_value loss, const gr_value *wrt, int n, gr_value *dwrt);

/* ---- mixed precision --------------------------------------------------------------- */

/* Rewrites what was built so far: dense products and attention compute in bf16 (results accumulated in f32), the rest
 * stays in f32; states keep f32. Call it before gr_grad(). */
GR_API gr_status gr_autocast_bf16(gr_graph *g);

/* ---- looking ----------------------------------------------------------------------- */

/* Of what is no value of the graph: rank 0, size 1, GR_DTYPE_NONE. */
GR_API int gr_value_rank(const gr_graph *g, gr_value v);
GR_API int64_t gr_value_dim(const gr_graph *g, gr_value v, int axis); /* axis < 0 counts from the end */
GR_API gr_dtype gr_value_dtype(const gr_graph *g, gr_value v);
/* The trainable parameters in order of creation; returns how many, fills at most 'capacity' (out NULL: none). */
GR_API int gr_graph_params(const gr_graph *g, gr_value *out, int capacity);
/* The store path of a state; "" for other values. Owned by the graph. */
GR_API const char *gr_value_path(const gr_graph *g, gr_value v);
/* The whole graph as text, one node a line; the caller frees with gr_text_free(). */
GR_API gr_status gr_graph_print(const gr_graph *g, char **out);

#ifdef __cplusplus
}
#endif
#endif
