/* The inside of a plan.
 *
 *   graph -> order -> place (views, kernels, copies, slots) -> arena (offsets)
 *
 * Time is the position of a node in the order, 1 .. n; 0 is before, n+1 after. A slot is a root buffer that lives from
 * 'first' to 'last'; values are places in slots. */
#ifndef GR__PLAN_H
#define GR__PLAN_H

#include "gradus/plan.h"
#include "graph/graph.h"
#include "graph/kernel_row.h"

typedef enum gr__slot_kind { GR__SLOT_ARENA, GR__SLOT_STATE, GR__SLOT_SESSION_STATE } gr__slot_kind;

typedef struct gr__slot {
    gr__slot_kind kind;
    bool pinned;          /* no other value may take it over */
    size_t bytes, offset; /* offset: in the arena */
    int32_t first, last;
    gr_value state; /* STATE */
} gr__slot;

typedef struct gr__where {
    int32_t slot;   /* -1: nowhere yet */
    int64_t offset; /* elements */
    int64_t stride[GR_MAX_RANK];
} gr__where;

typedef struct gr__operand {
    gr__arg arg;  /* data is NULL in a plan */
    int32_t slot; /* -1: left out */
    size_t offset_bytes;
} gr__operand;

typedef enum gr__call_kind { GR__CALL_KERNEL, GR__CALL_REFERENCE, GR__CALL_GUARD } gr__call_kind;

typedef struct gr__call {
    gr__call_kind kind;
    const gr__kernel *kernel;
    int32_t node; /* -1: a copy of the plan's own */
    int n_in, n_out;
    size_t operand; /* index of the first input in plan->operand; outputs follow */
    uint32_t wanted;
    int32_t scratch_slot; /* -1: none */
    bool update;          /* left out when a guard has failed */
    const char *why;      /* refusals of the rows before */
} gr__call;

struct gr_plan {
    gr_graph *graph; /* its own, after all passes */
    const gr__program *program;
    gr_recompute recompute;
    int threads; /* scratch is sized for them */
    bool strict;
    gr__slot *slot;
    size_t n_slots, slot_capacity;
    gr__where *where; /* of each value */
    gr__call *step;   /* the first n_prepare ones run when states changed, the others in every run */
    size_t n_steps, step_capacity, n_prepare;
    gr__operand *operand;
    size_t n_operands, operand_capacity;
    size_t arena_bytes, prepared_bytes, scratch_bytes;
    double flops;
};

/* session.c: a run that leaves the optimiser's updates out, for timing. */
gr_status gr__session_run_dry(gr_session *session);
/* The next input that the program reads, from *at = 0 on; false: there are no more. */
bool gr__session_next_input(gr_session *session, size_t *at, const char **name, gr_tensor *out);

/* order.c: before it: values of a state from before the run that are read after it. */
gr_status gr__plan_keep_old_states(gr_graph *g, gr__program *p);
/* Live nodes in the order of execution; in_place[i] says that update i is written over its state. */
gr_status gr__plan_order(gr_graph *g, const gr__program *p, int32_t *sorted, size_t *n, bool *in_place);
/* place.c */
gr_status gr__plan_place(gr_plan *plan, const gr__backend *backend, const int32_t *sorted, size_t n,
                         const bool *in_place);
/* arena.c: offsets of the slots, and the arena's size. */
gr_status gr__plan_arena(gr_plan *plan);

/* copy_step.c: the plan's own copies. */
extern const gr__kernel gr__kernel_copy;

/* What can be written over what: output i of node n over its operand k. */
bool gr__plan_may_alias(const gr_graph *g, const gr__node *n, int i, int k);
/* Element-wise: each element of the result is made from the operands' at its place alone. */
bool gr__plan_is_map(const gr__op *op);

#endif
