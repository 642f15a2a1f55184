/* Operands for the cases of the op rows, and comparisons: for tests of references, kernels and plans.
 *
 *   op_run r;
 *   assert_ok(op_run_make(&r, op, &op->cases[0], GR_F32, 1));
 *   gr__args args = op_run_args(&r);
 *   assert_ok(op->reference(&args));
 *   ... a kernel on op_run_like(&r, &other) ...
 *   assert_true(op_difference(&other.out[0], &r.out[0]) < 1e-5);
 *   op_run_free(&r); */
#ifndef GR_OP_HARNESS_H
#define GR_OP_HARNESS_H

#include "op/op.h"

typedef struct op_run {
    const gr__op *op;
    const gr__case *c;
    const void *attr; /* never NULL where the op has attributes */
    gr_dtype dtype;   /* the float type under test */
    int n_in, n_out;
    gr__arg in[GR__MAX_IN];   /* laid out as the case says: transposed views, left out operands */
    gr__arg out[GR__MAX_OUT]; /* contiguous, all bits set at first */
    void *block[GR__MAX_IN + GR__MAX_OUT];
    gr__control control;
    uint64_t stream;
} op_run;

/* Shapes by the op's own rule, operands filled by 'seed' (the same numbers in every dtype up to rounding). Where the
 * rule refuses the operands its status is returned and there is nothing to free. */
gr_status op_run_make(op_run *r, const gr__op *op, const gr__case *c, gr_dtype dtype, uint64_t seed);
void op_run_free(op_run *r);

/* The same operands once more, with outputs of its own; in 'dtype' (the numbers are converted). */
gr_status op_run_like(op_run *r, const op_run *from, gr_dtype dtype);

/* What a kernel gets, all outputs wanted. Points into r. */
gr__args op_run_args(op_run *r);

/* The largest |got - wanted|/max(1, |wanted|); infinity where only one of two is NaN or infinite. */
double op_difference(const gr__arg *got, const gr__arg *wanted);

/* A contiguous array around the numbers of a tensor. */
gr__arg op_tensor_arg(const gr_tensor *t);
/* The operand's numbers in row-major order, of its own dtype; data to be freed with gr__free(). */
gr_tensor op_operand(const gr__arg *a);

/* The case as a graph: an input "in0", "in1", .. for each operand that is there, seen through gr_transpose where the
 * case says so, then the node. leaf: the inputs, in: the node's operands, out: its outputs. */
gr_status op_graph(gr_graph *g, const op_run *r, gr_value *leaf, gr_value *in, gr_value *out);
/* The numbers for leaf i: those of operand i, stored as the input is. To be freed with gr__free(). */
gr_tensor op_leaf(const op_run *r, int i);

#endif
