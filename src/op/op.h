/* What op files share: the registry, shape rules and references of the element-wise ops, small builders for gradients. */
#ifndef GR__OP_H
#define GR__OP_H

#include "gradus/ops.h"
#include "graph/op_row.h"
#include "kernel/map.h"

/* ---- registry: rows of ops.def, in its order ---- */
#define GR_X(name) extern const gr__op gr__op_##name;
#include "op/ops.def"
#undef GR_X
extern const gr__op *const gr__ops[];
extern const int gr__n_ops;
const gr__op *gr__op_find(const char *name);

/* ---- shape rules ---- */
gr_dtype gr__wider(gr_dtype a, gr_dtype b); /* of two floats */
/* numpy's broadcasting; GR_ERR_SHAPE tells both shapes. */
gr_status gr__broadcast(const char *op, const gr__value *a, const gr__value *b, int *rank, int64_t *dim);
/* GR_ERR_ARGUMENT unless input i was given (all the rules below ask that first); GR_ERR_DTYPE unless it is a float / of
 * dtype 'want'. */
gr_status gr__want_given(const gr__infer *c, int i);
gr_status gr__want_float(const gr__infer *c, int i);
gr_status gr__want_dtype(const gr__infer *c, int i, gr_dtype want);
gr_status gr__want_rank(const gr__infer *c, int i, int rank);
bool gr__same_shape(const gr__value *a, const gr__value *b);
/* Statistics and losses: f32, f64 for f64. */
GR__INLINE gr_dtype gr__stats_dtype(gr_dtype x) { return x == GR_F64 ? GR_F64 : GR_F32; }
/* GR_ERR_DTYPE unless 'x' operands can give 'out' (f64 and the others do not mix). */
gr_status gr__want_out_dtype(const gr__infer *c, gr_dtype x, gr_dtype out);
/* Input i was given. */
GR__INLINE bool gr__given(const gr__infer *c, int i) { return i < c->n_in && c->in[i]; }
/* GR_ERR_SHAPE unless input i has this shape ('what' tells it in words). */
gr_status gr__want_shape(const gr__infer *c, int i, int rank, const int64_t *dim, const char *what);

/* ---- element-wise ops (all operands floats, output in the widest of them, sizes broadcast) ---- */
gr_status gr__infer_map(gr__infer *c);
gr_status gr__reference_map(const gr__args *a); /* by gr__map_scalar of the row's map_op */
/* Every element-wise op has these attributes (ops without numbers ignore them). */
typedef struct gr__map_attr {
    const gr__op *op; /* set by gr__map1.. so that one reference serves all */
    double p0, p1;
} gr__map_attr;
gr_value gr__map1(gr_graph *g, const gr__op *op, gr_value x, double p0, double p1);
gr_value gr__map2(gr_graph *g, const gr__op *op, gr_value a, gr_value b);
gr_value gr__map3(gr_graph *g, const gr__op *op, gr_value a, gr_value b, gr_value c);
/* The gradient op 'op' of two operands (the forward input or output, and dy) with the numbers of the forward op. */
gr_value gr__map_grad(gr_graph *g, const gr__op *op, gr_value a, gr_value dy, const gr__map_attr *forward);
/* Of such an op's own gradient: the part of dy, in dy's dtype. */
void gr__map_grad_again(gr__grad *c);
/* Element-wise: also cast, whose opcode COPY is the 0 that stands for "none" in a row. */
bool gr__op_is_map(const gr__op *op);

/* In a case: f32, f64 where the float type under test is f64. */
#define GR__STATS ((gr_dtype)GR_DTYPE_COUNT)

/* ---- for builders ---- */
/* An axis below 0 counts from the end; one that is none stays as it was given. */
int gr__axis(int axis, int rank);
/* The caller's sizes into attributes; false, and the graph fails, where there are none. A rank that is not possible is left
 * to the op's shape rule. */
bool gr__copy_dims(gr_graph *g, const char *builder, int rank, const int64_t *dim, int64_t *out);

/* ---- for references ---- */
/* One element, bit by bit, between arrays of one dtype. */
void gr__copy_element(const gr__arg *to, int64_t to_offset, const gr__arg *from, int64_t from_offset);
/* Output 0 = input 0 of the same dtype, broadcast where it is smaller. */
gr_status gr__reference_copy(const gr__args *a);
/* The array that begins 'offset' elements further on. */
gr__arg gr__arg_at(const gr__arg *a, int64_t offset);
/* Input i was given. */
GR__INLINE bool gr__has(const gr__args *a, int i) { return i < a->n_in && gr__arg_there(&a->in[i]); }
GR__INLINE bool gr__wanted(const gr__args *a, int i) { return (a->wanted >> i & 1u) != 0; }
/* Where the row of the last axis begins for an index of the axes before it, and the step inside the row. */
GR__INLINE int64_t gr__row(const gr__arg *a, const int64_t *index)
{
    int64_t o = 0;
    for (int i = 0; i + 1 < a->rank; i++) o += index[i] * a->stride[i];
    return o;
}
GR__INLINE int64_t gr__step(const gr__arg *a) { return a->stride[a->rank - 1]; }

/* ---- for gradients ---- */
/* Sums d down to the shape (and casts to the dtype) of 'like': the inverse of broadcasting. */
gr_value gr__unbroadcast(gr_graph *g, gr_value d, gr_value like);
/* gr_fill of the shape and dtype of 'like'. */
gr_value gr__fill_like(gr_graph *g, gr_value like, double value);
gr_value gr__reshape_like(gr_graph *g, gr_value x, gr_value like);
/* d, reduced over 'axes' of 'like', spread over the shape of 'like' again. */
gr_value gr__expand(gr_graph *g, gr_value d, gr_value like, uint32_t axes);
/* A gradient that flows into a saved output (all but output 0 and those in 'harmless') cannot be followed: fails the graph
 * with GR_ERR_UNSUPPORTED and returns false. */
bool gr__grad_only_first(gr__grad *c, uint32_t harmless);
/* Ops whose gradient is zero everywhere. */
void gr__grad_zero(gr__grad *c);

#endif
