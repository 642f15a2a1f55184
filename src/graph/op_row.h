/* The row of an op: everything that the engine knows of it. One const row per op file.
 *
 *   infer      shape and dtype of the outputs from those of the inputs; the only place where operands are checked
 *   grad       appends the nodes of d inputs from d outputs; NULL: 'no_grad' says why
 *   decompose  the same values from smaller ops (correct everywhere; the harness holds it against the reference)
 *   reference  naive loops over any strides and dtypes through gr__load and gr__store: the specification
 *   cases      operands that the harness tries */
#ifndef GR__OP_ROW_H
#define GR__OP_ROW_H

#include "graph/graph.h"
#include "tensor/args.h"

typedef enum gr__op_flag {
    GR__OP_VIEW = 1 << 0,       /* output 0 is input 0 seen otherwise: see 'view' */
    GR__OP_CHEAP = 1 << 1,      /* recompute rather than keep, when memory is short */
    GR__OP_OUT_DTYPE = 1 << 2,  /* output 0 may be f32 or bf16: a cast behind it is folded into attr's first field */
    GR__OP_ACCUMULATE = 1 << 3, /* the last input, optional, is added to output 0, in place where possible */
    GR__OP_LEAF = 1 << 4,       /* no inputs: constant, control, fill */
    GR__OP_FIXED = 1 << 6,      /* no inputs, and the same array in every run: made once */
    GR__OP_OPAQUE = 1 << 5,     /* its result means something to a kernel of the same backend alone: no cases */
} gr__op_flag;

/* What mixed precision does with the op: compute in bf16, keep in f32, or take what comes. */
typedef enum gr__autocast { GR__CAST_FOLLOW, GR__CAST_LOW, GR__CAST_F32 } gr__autocast;

typedef struct gr__infer {
    const char *op;
    const void *attr;
    int n_in;
    const gr__value *in[GR__MAX_IN]; /* NULL: left out */
    gr__value out[GR__MAX_OUT];      /* to fill: dtype, rank, dim */
    int n_out;                       /* preset from the row; ops with a variable number set it */
} gr__infer;

/* The op's shape rule, and that its results are arrays that can be (sizes of 1 and more, at most 2^46 elements). */
gr_status gr__op_infer(const gr__op *op, gr__infer *c);

typedef struct gr__grad {
    gr_graph *g;
    const gr__node *node;           /* a copy: appending nodes does not move it */
    gr_value out_grad[GR__MAX_OUT]; /* 0: nothing flows there */
    bool need[GR__MAX_IN];
    gr_value in_grad[GR__MAX_IN]; /* to fill where needed; 0: no dependence */
} gr__grad;

/* How the test harness fills an operand. */
typedef enum gr__fill {
    GR__FILL_UNIFORM,  /* [lo, hi), both 0: [-1, 1) */
    GR__FILL_INDEX,    /* integers in [lo, hi) */
    GR__FILL_MASK,     /* 0 or 1, the first of each row 1 */
    GR__FILL_DISTINCT, /* all different, spread over [lo, hi): no ties */
    GR__FILL_AWAY,     /* [-1, 1) without (-0.1, 0.1): away from a kink at 0 */
} gr__fill;

typedef struct gr__case_in {
    int rank; /* -1: left out */
    int64_t dim[5];
    gr__fill fill;
    double lo, hi;
    gr_dtype dtype;     /* NONE: the float type under test */
    int swap_a, swap_b; /* both non-zero sums: present the operand as a transposed view of these axes (a != b) */
} gr__case_in;

typedef struct gr__case {
    const char *name;
    gr__case_in in[12];
    int n_in;
    const void *attr;
    gr_status expect;    /* not GR_OK: infer must refuse it so */
    double tolerance;    /* multiple of the default bound; 0: 1 */
    uint32_t no_grad_in; /* operands whose gradient is not checked (indices, masks) */
    bool slow_grad;      /* only a sample of elements is perturbed */
} gr__case;

struct gr__op {
    const char *name;
    int min_in, max_in, n_out;
    size_t attr_bytes;
    uint32_t flags;
    int map_op; /* GR__MAP_NONE (0) or the opcode of the element-wise machine */
    gr__autocast autocast;
    uint32_t float_in; /* operands that autocast may turn into bf16 (LOW) */
    bool random;
    gr_status (*infer)(gr__infer *c);
    /* VIEW: strides and offset of the output from the described input; false: this input cannot be seen so. */
    bool (*view)(const gr__arg *in, const void *attr, const gr__arg *out_shape, int64_t *offset, int64_t *stride);
    void (*grad)(gr__grad *c);
    /* Copies what the (already copied) attributes point at into an arena; NULL: they point at nothing. */
    gr_status (*adopt)(gr__arena *arena, void *attr);
    const char *no_grad;                    /* the reason where grad is NULL */
    uint32_t grad_reads_in, grad_reads_out; /* what the gradient's nodes read */
    void (*decompose)(gr_graph *g, const gr__node *n, gr_value *out);
    gr_status (*reference)(const gr__args *a);
    double (*flops)(const gr__args *a); /* NULL: one per output element */
    /* Output i may be written over input alias[i]-1 (0: no). */
    uint8_t alias[GR__MAX_OUT];
    const gr__case *cases;
    int n_cases;
};

#endif
