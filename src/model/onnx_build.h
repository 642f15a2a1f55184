/* From an ONNX model to a graph. A value of the model is a value of the graph and the dtype that the model gives it; how that
 * is stored:
 *
 *   f64                        f64
 *   f32, f16, bf16, bool       f32 (what is computed for a 16-bit float is rounded to it)
 *   all integers               f64, exact up to 2^53: more than that is refused on the way in and out
 *
 * so that every operator is written once, with the float ops that Gradus has. An array without elements has no value in the
 * graph (0) but sizes.
 *
 * Shapes are concrete: the graph is built for given inputs. An operator that needs numbers (Reshape its sizes) asks for
 * them: gr__onnx_known computes them with the interpreter from what is known now, and the inputs on the way count as baked:
 * other numbers there need another graph. */
#ifndef GR__ONNX_BUILD_H
#define GR__ONNX_BUILD_H

#include "base/map.h"
#include "format/onnx.h"
#include "gradus/ops.h"
#include "pass/interpret.h"

typedef struct gr__onnx_value {
    gr_value v; /* 0: no elements (or left out, where dtype is NONE) */
    gr_dtype dtype;
    int rank;
    int64_t dim[GR_MAX_RANK];
} gr__onnx_value;

typedef struct gr__onnx_build {
    gr_graph *g;
    const gr__onnx *model;
    const char *name; /* of the file */
    gr__map names;    /* name -> position in 'value' */
    gr__onnx_value *value;
    size_t n_values, capacity;
    const gr_tensor *given; /* the inputs' numbers, in the model's dtypes */
    gr_value *input;        /* the graph's inputs; 0: no elements */
    bool *baked;
    gr__interpret *interpret;
    gr__arena arena; /* until the graph is built */
} gr__onnx_build;

/* A node at work. */
typedef struct gr__onnx_call {
    gr__onnx_build *b;
    gr_graph *g;
    const gr__onnx_node *node;
    const struct gr__onnx_op *op;
    int64_t opset;
    const gr__onnx_value *in;
    int n_in;
    gr__onnx_value *out;
    int n_out;
} gr__onnx_call;

typedef gr_status (*gr__onnx_fn)(gr__onnx_call *c);
typedef gr_value (*gr__onnx_map1)(gr_graph *g, gr_value x);
typedef gr_value (*gr__onnx_map2)(gr_graph *g, gr_value a, gr_value b);

/* Takes arrays without elements as operands. */
#define GR__ONNX_EMPTY 1u

/* A row of the table of operators: opsets from 'first' to 'last' (0: all later ones). */
typedef struct gr__onnx_op {
    const char *name;
    int first, last;
    int min_in, max_in; /* max_in -1: any */
    unsigned flags;
    gr__onnx_fn build;
    gr__onnx_map1 map1; /* of gr__onnx_unary */
    gr__onnx_map2 map2; /* of gr__onnx_binary and gr__onnx_fold */
    int kind;           /* what tells operators apart that share a function */
} gr__onnx_op;
extern const gr__onnx_op gr__onnx_ops[];
extern const size_t gr__onnx_n_ops;

/* Builds the graph with one program, "run", whose outputs are named as the model's; 'out' (n_outputs) says what they are.
 * GR_ERR_UNSUPPORTED names operator and node. */
gr_status gr__onnx_build_graph(gr__onnx_build *b, gr__onnx_value *out);

/* ---- what operators use ---- */
gr_dtype gr__onnx_stored(gr_dtype dtype); /* NONE where a dtype cannot be stored */
gr_status
gr__onnx_check_range(const gr_tensor *t); /* GR_ERR_UNSUPPORTED: a 64-bit integer beyond 2^53; its ends are fine */
bool gr__onnx_is_float(gr_dtype dtype);
bool gr__onnx_is_int(gr_dtype dtype); /* not bool */
int64_t gr__onnx_count(const gr__onnx_value *x);

bool gr__onnx_has(const gr__onnx_call *c, int i);
const gr__onnx_attribute *gr__onnx_attr(const gr__onnx_call *c, const char *name); /* NULL: not given */
int64_t gr__onnx_int(const gr__onnx_call *c, const char *name, int64_t otherwise);
double gr__onnx_float(const gr__onnx_call *c, const char *name, double otherwise);
const char *gr__onnx_word(const gr__onnx_call *c, const char *name, const char *otherwise);
/* GR_ERR_UNSUPPORTED with the sentence. */
gr_status gr__onnx_refuse(const gr__onnx_call *c, const char *format, ...) GR_PRINTF(2, 3);
gr_status gr__onnx_invalid(const gr__onnx_call *c, const char *format, ...) GR_PRINTF(2, 3); /* GR_ERR_DATA */
/* 0 <= *axis < rank; a negative one counts from the end. */
gr_status gr__onnx_axis(const gr__onnx_call *c, int64_t axis, int rank, int *out);

/* The numbers of operand i as doubles in the arena of the build. */
gr_status gr__onnx_known(const gr__onnx_call *c, int i, const double **out, int64_t *n);
/* Whole numbers from operand i (>= 0) or else attribute 'name' (NULL: none); *there says whether they were given. */
gr_status gr__onnx_list(const gr__onnx_call *c, int i, const char *name, int64_t *out, int most, int *n, bool *there);
gr_status gr__onnx_number(const gr__onnx_call *c, int i, double *out); /* one element */

/* Output k. */
gr_status gr__onnx_set(gr__onnx_call *c, int k, gr_value v, gr_dtype dtype);
gr_status gr__onnx_set_empty(gr__onnx_call *c, int k, gr_dtype dtype, int rank, const int64_t *dim);
gr_status gr__onnx_set_numbers(gr__onnx_call *c, int k, gr_dtype dtype, int rank, const int64_t *dim, const double *x);
gr_status gr__onnx_set_ints(gr__onnx_call *c, int k, gr_dtype dtype, int n, const int64_t *x); /* one axis */
gr_status gr__onnx_same(gr__onnx_call *c, int k, const gr__onnx_value *x);                     /* as it is */
gr_status gr__onnx_import(gr__onnx_build *b, const gr_tensor *t, gr__onnx_value *out);

/* (N, C, S...) -> (N, S..., C), and back; 3 to 5 axes. */
gr_value gr__onnx_last(gr_graph *g, gr_value x);
gr_value gr__onnx_first(gr_graph *g, gr_value x);
gr_value gr__onnx_round_down(gr_graph *g, gr_value x); /* towards minus infinity */
gr_value gr__onnx_truncate(gr_graph *g, gr_value x);
gr_value gr__onnx_not(gr_graph *g, gr_value x);
/* size rows of any axis, in the order of 'rows' (known) */
gr_value gr__onnx_rows(gr_graph *g, gr_value x, int axis, const int64_t *rows, int64_t n);
/* Like gr_concat, with any number of operands. */
gr_value gr__onnx_concat(gr_graph *g, const gr_value *x, int n, int axis);
/* The axis to the end, and back. */
gr_value gr__onnx_to_end(gr_graph *g, gr_value x, int axis);
gr_value gr__onnx_from_end(gr_graph *g, gr_value x, int axis);

#endif
