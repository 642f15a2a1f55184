/* The inside of a graph. Values and nodes are SSA; ids are indices + 1; all memory is in one arena.
 * Passes change the graph in place: they append nodes, replace uses, and leave dead nodes behind (a program runs what its
 * outputs, updates and guards reach). The place of a node in time is its 'order', not its index. */
#ifndef GR__GRAPH_H
#define GR__GRAPH_H

#include "gradus/graph.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "tensor/args.h"

#define GR__MAX_SCOPES 32

typedef struct gr__op gr__op;

typedef enum gr__role { GR__ROLE_TEMP, GR__ROLE_INPUT, GR__ROLE_STATE } gr__role;

typedef struct gr__value {
    gr_dtype dtype;
    int rank;
    int64_t dim[GR_MAX_RANK];
    gr__role role;
    int32_t producer; /* node index, -1: a leaf */
    int out_index;
    const char *name; /* input name or state path */
    gr_init init;     /* state */
    bool trainable;   /* state */
    bool per_session; /* state: its memory belongs to the session, not to the store */
    gr_value copy_of; /* session state: of this state, in another dtype; 0: begins as zeros */
} gr__value;

typedef enum gr__node_flag {
    GR__NODE_UPDATE = 1 << 0,   /* part of an optimiser: early as can be, left out when a guard fails */
    GR__NODE_CLONE = 1 << 1,    /* a recomputed node */
    GR__NODE_BACKWARD = 1 << 2, /* made by gr_grad */
} gr__node_flag;

typedef struct gr__node {
    const gr__op *op;
    void *attr;
    int n_in, n_out;
    gr_value *in;
    gr_value *out;
    const char *scope;
    uint64_t stream; /* of random numbers: hash of scope and ordinal in it; clones keep it */
    double order;
    uint32_t flags;
} gr__node;

typedef struct gr__named_value {
    const char *name;
    gr_value value;
} gr__named_value;

typedef struct gr__update {
    gr_value state, value;
} gr__update;

typedef struct gr__program {
    const char *name;
    gr__named_value *output;
    size_t n_outputs, output_capacity;
    gr__update *update;
    size_t n_updates, update_capacity;
    gr_value *guard;
    size_t n_guards, guard_capacity;
    gr__map updated; /* the bytes of a state's id -> its update */
} gr__program;

/* a runs before b, beyond what operands say */
typedef struct gr__edge {
    int32_t a, b; /* nodes */
} gr__edge;

struct gr_graph {
    gr__arena arena;
    gr__value *value; /* id - 1 */
    size_t n_values, value_capacity;
    gr__node *node;
    size_t n_nodes, node_capacity;
    gr__program *program;
    size_t n_programs, program_capacity;
    gr__map leaves; /* "input:NAME", "state:PATH" -> value */
    gr__str scope;  /* the open scopes, joined by dots; a mark is its length before a push */
    size_t scope_mark[GR__MAX_SCOPES];
    int n_scopes;
    gr__map ordinals;    /* scope -> random nodes so far */
    uint32_t node_flags; /* given to new nodes */
    double order_at;     /* > 0: new nodes get this order (passes) */
    char **block;        /* scopes that recomputation may run again as a whole */
    size_t n_blocks, block_capacity;
    gr_status status;
    char message[1024];
};

GR__INLINE bool gr__graph_failed(const gr_graph *g) { return !g || g->status != GR_OK; }
GR__INLINE bool gr__is_value(const gr_graph *g, gr_value v) { return g && v > 0 && (size_t)v <= g->n_values; }
/* What is no value of the graph has no dtype, no axes and no producer: builders may ask before they know. */
extern const gr__value gr__no_value;
GR__INLINE const gr__value *gr__value_get(const gr_graph *g, gr_value v)
{
    return gr__is_value(g, v) ? &g->value[v - 1] : &gr__no_value;
}
GR__INLINE const gr__node *gr__producer(const gr_graph *g, gr_value v)
{
    int32_t n = gr__value_get(g, v)->producer;
    return n < 0 ? NULL : &g->node[n];
}

/* What ops compute in. */
GR__INLINE bool gr__is_float(gr_dtype t) { return t == GR_F64 || t == GR_F32 || t == GR_BF16; }

/* Elements: at most 2^46, every builder sees to that. */
int64_t gr__value_count(const gr__value *v);
/* "[4,64,128]" into 'text' of 96 bytes; returns it. */
char *gr__shape_text(char *text, int rank, const int64_t *dim);

/* As an operand that lies contiguous; no data. */
gr__arg gr__arg_of(const gr__value *v);

/* Keeps the first error (with the scope) and returns 0. */
gr_value gr__graph_fail(gr_graph *g, gr_status status, const char *format, ...) GR_PRINTF(3, 4);

/* v, or 0 where the graph has failed or fails now because v is no value of it: for builders that look at an operand before
 * (or without) making a node of it. */
gr_value gr__require(gr_graph *g, const char *builder, gr_value v);

/* Appends a node; returns its first output, all outputs in 'outs' when given. Attributes are copied. Returns 0 after an
 * error, also when a required operand is 0 because an earlier builder failed. */
gr_value gr__node_add(gr_graph *g, const gr__op *op, const gr_value *in, int n_in, const void *attr, gr_value *outs);

/* Appends a copy of node 'n' with other operands, same attributes, scope and random stream. */
gr_status gr__node_clone(gr_graph *g, int32_t n, const gr_value *in, double order, uint32_t flags, gr_value *outs);

/* New nodes are built in the name of 'like' until the place is left: its scope, the given order (0: in sequence) and
 * flags. For gradients and passes. */
typedef struct gr__place {
    gr__str scope;
    uint32_t flags;
    double order;
} gr__place;
gr__place gr__place_enter(gr_graph *g, const gr__node *like, double order, uint32_t flags);
void gr__place_leave(gr_graph *g, gr__place *place);

/* The uses of each value: operands, outputs, updates, guards. Until the release nodes may be added, but programs get nothing
 * new. */
typedef struct gr__use {
    gr_value *at;
    int32_t next; /* of the same value: index + 1, 0: none */
} gr__use;

typedef struct gr__uses {
    gr_graph *g;
    gr__use *use;
    size_t n, capacity;
    int32_t *first; /* id - 1 -> index + 1, 0: none */
    size_t first_capacity, n_values, n_nodes;
} gr__uses;
gr_status gr__uses_find(gr__uses *uses, gr_graph *g);
/* Every use of 'from' becomes 'to'. */
gr_status gr__uses_replace(gr__uses *uses, gr_value from, gr_value to);
void gr__uses_release(gr__uses *uses);

gr__program *gr__program_get(gr_graph *g, const char *name, bool make);
bool gr__program_updates(const gr__program *program, gr_value state);

/* Nodes that the program reaches; program NULL: those that any program reaches. 'live' has n_nodes entries, cleared. */
gr_status gr__graph_reach(const gr_graph *g, const gr__program *program, bool *live);
/* uses[id-1]: how many operands, outputs, updates and guards of live nodes read the value. */
void gr__graph_uses(const gr_graph *g, const bool *live, int32_t *uses);
/* hoisted[id-1]: the value depends on states alone that the program does not update. sorted: its nodes in their order. */
void gr__graph_hoisted(const gr_graph *g, const gr__program *program, const int32_t *sorted, size_t n, bool *hoisted);
/* The live nodes in an order that computes every operand first (and keeps the extra edges): by 'order', ties by index;
 * needs n_nodes entries. GR_ERR_INTERNAL when there is a cycle. */
gr_status gr__graph_sort(const gr_graph *g, const bool *live, const gr__edge *extra, size_t n_extra, int32_t *sorted,
                         size_t *n);
/* A graph of its own with what 'program' reaches, under the same names. GR_ERR_NOT_FOUND, GR_ERR_MEMORY. */
gr_status gr__graph_extract(const gr_graph *g, const char *program, gr_graph **out);
/* Every invariant: ids in range, operands as the op's shape rule says, no cycle. For tests and after each pass. */
gr_status gr__graph_check(const gr_graph *g);

#endif
