/* gradus/plan.h: a program of a graph compiled once (plan) and run many times (session).
 *
 * A plan is immutable: one flat list of kernel calls with the place of every array in one arena. A session gives it
 * memory and runs it; nothing is allocated, looked up or locked in a run.
 *
 *   gr_plan *plan;
 *   gr_session *session;
 *   gr_plan_compile(g, "step", NULL, &plan);
 *   gr_session_new(plan, store, &session);
 *   gr_tensor x, loss;
 *   gr_session_input(session, "x", &x);        // fill x.data
 *   gr_session_run(session);
 *   gr_session_output(session, "loss", &loss); // read loss.data
 *
 * Threads: a plan is shared freely; a session belongs to one thread at a time. */
#ifndef GRADUS_PLAN_H
#define GRADUS_PLAN_H

#include "gradus/graph.h"
#include "gradus/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_plan gr_plan;
typedef struct gr_session gr_session;

typedef enum gr_recompute {
    GR_RECOMPUTE_AUTO, /* as much as memory_budget_bytes asks for */
    GR_RECOMPUTE_NONE,
    GR_RECOMPUTE_CHEAP,  /* what costs a pass over memory: norms, activations, casts */
    GR_RECOMPUTE_BLOCKS, /* the inside of every block (gr_block_push) */
    GR_RECOMPUTE_COUNT
} gr_recompute;

typedef struct gr_plan_options {
    size_t memory_budget_bytes; /* for the arena; 0: no limit */
    gr_recompute recompute;
    /* The same bits for any number of threads and, in f32, on any processor's instruction set: own kernels only. Without
     * it results are the same from run to run at the same number of threads. */
    bool strict;
    bool no_fuse;   /* keep element-wise ops apart (tests) */
    bool reference; /* naive kernels only (tests) */
} gr_plan_options;

/* Compiles 'program'; the graph is not changed and may be freed.
 * Status: the graph's error, GR_ERR_NOT_FOUND, GR_ERR_MEMORY. When no level of recomputation fits the budget the smallest
 * plan is given and a warning is logged. */
GR_API gr_status gr_plan_compile(const gr_graph *graph, const char *program, const gr_plan_options *options,
                                 gr_plan **out);
GR_API void gr_plan_free(gr_plan **plan); /* after its sessions */

/* Exact bytes of a session. */
typedef struct gr_plan_memory {
    size_t arena_bytes;    /* everything below but the states */
    size_t prepared_bytes; /* of it: forms of states kept between runs */
    size_t scratch_bytes;  /* of it: the most that one kernel borrows */
    size_t state_bytes;    /* the program's states, in the store */
} gr_plan_memory;
GR_API gr_plan_memory gr_plan_memory_of(const gr_plan *plan);
/* Floating-point operations of one run (products and sums counted apart). */
GR_API double gr_plan_flops(const gr_plan *plan);
GR_API gr_recompute gr_plan_recompute(const gr_plan *plan);
/* Steps, kernels with the reasons of their choice, places: for people. Free with gr_text_free(). */
GR_API gr_status gr_plan_print(const gr_plan *plan, char **out);

/* States that the store lacks: GR_ERR_NOT_FOUND (gr_store_prepare makes them). The store must outlive the session. */
GR_API gr_status gr_session_new(const gr_plan *plan, gr_store *store, gr_session **out);
/* The same, but a session state (gr_session_state) that 'with' has under the same path is that of 'with': the caches of
 * a program for prompts and one for single tokens. 'with' must outlive the session; NULL: as gr_session_new. GR_ERR_SHAPE
 * when they differ in shape or dtype. */
GR_API gr_status gr_session_new_shared(const gr_plan *plan, gr_store *store, const gr_session *with, gr_session **out);
GR_API void gr_session_free(gr_session **session);

/* Borrowed arrays, valid for the life of the session. GR_ERR_NOT_FOUND with did-you-mean. */
GR_API gr_status gr_session_input(gr_session *session, const char *name, gr_tensor *out);
GR_API gr_status gr_session_output(gr_session *session, const char *name, gr_tensor *out);
/* A session's own state (gr_session_state), to look at or to clear; what the store has is in gr_store_get(). */
GR_API gr_status gr_session_get_state(gr_session *session, const char *path, gr_tensor *out);

/* What kernels may read of the run. */
typedef struct gr_run_control {
    uint64_t seed;      /* of dropout */
    int64_t micro_step; /* forward passes so far: dropout draws anew for each */
    int64_t sample;     /* global index of the first sample of the batch */
    int64_t update;     /* optimiser updates done so far */
    double learning_rate;
} gr_run_control;
GR_API void gr_session_set_control(gr_session *session, const gr_run_control *control);

/* Runs the program. Status: GR_ERR_NUMERIC when a guard met a number that is not finite: the states that the guard
 * protects are as before (gr_session_find_nonfinite tells where it came from). */
GR_API gr_status gr_session_run(gr_session *session);
/* Runs again, without updates, and fails with the first value that is not finite: GR_ERR_NUMERIC, its scope and op. */
GR_API gr_status gr_session_find_nonfinite(gr_session *session);

/* Time of each step of the plan, from the next run on. */
GR_API gr_status gr_session_profile(gr_session *session, bool on);
typedef struct gr_profile_row {
    const char *kernel, *scope;
    char operands[160]; /* "f32[256,768] bf16[768,768] -> f32[256,768]", cut off when long */
    int64_t runs;
    double seconds, flops, bytes; /* of one run: best time, work, operands */
} gr_profile_row;
/* false past the last step. */
GR_API bool gr_session_profile_at(const gr_session *session, size_t i, gr_profile_row *out);

#ifdef __cplusplus
}
#endif
#endif
