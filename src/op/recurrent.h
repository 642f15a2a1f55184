/* What lstm, gru, rnn and their gradients share: places of the operands, shape rules, the loop over time of the references
 * (a cell does one step) and of the decompositions.
 *
 *   lstm   saved (B, T, 5*H): i, f, g, o after their functions, then c
 *   gru    saved (B, T, 4*H): r, z, n after their functions, then what the candidate saw: W h + b, or r*h with 'reset_before'
 *   rnn    saves nothing: y is enough
 *
 * Steps past a row's length have y = 0 and saved = 0. */
#ifndef GR__OP_RECURRENT_H
#define GR__OP_RECURRENT_H

#include "op/attr.h"

enum { /* operands of the op */
       GR__RNN_X,
       GR__RNN_W_IH,
       GR__RNN_W_HH,
       GR__RNN_B_IH,
       GR__RNN_B_HH,
       GR__RNN_LENGTHS,
       GR__RNN_H0,
       GR__RNN_C0, /* lstm only */
};
/* The operand behind these: both weights in the kernel's order (op/pack.h), made by a pass. */
GR__INLINE int gr__recurrent_packed(const gr__op *op) { return op->max_in - 1; }
enum { GR__RNN_Y, GR__RNN_H_N, GR__RNN_SAVED, GR__RNN_C_N }; /* its results */
enum {                                                       /* operands of the gradient, after x, w_ih, w_hh */
       GR__RNN_GRAD_Y = 3,
       GR__RNN_GRAD_SAVED,
       GR__RNN_GRAD_DY,
       GR__RNN_GRAD_DH_N,
       GR__RNN_GRAD_LENGTHS,
       GR__RNN_GRAD_H0,
       GR__RNN_GRAD_C0,
       GR__RNN_GRAD_DC_N,
       GR__RNN_GRAD_COUNT
};
enum { /* its results; the last one is dc0 of an lstm, db_hh of a gru (else db serves both) */
       GR__RNN_DX,
       GR__RNN_DW_IH,
       GR__RNN_DW_HH,
       GR__RNN_DH0,
       GR__RNN_DB,
       GR__RNN_DC0,
       GR__RNN_DB_HH = GR__RNN_DC0
};

/* What a kind of cell has: blocks of H numbers. */
typedef struct gr__cell_kind {
    int gates, saved;
    bool cell; /* a second state c, the last of the saved blocks */
} gr__cell_kind;
extern const gr__cell_kind gr__cell_lstm, gr__cell_gru, gr__cell_rnn;

gr_status gr__recurrent_infer(gr__infer *c, const gr__cell_kind *kind);
gr_status gr__recurrent_infer_grad(gr__infer *c, const gr__cell_kind *kind);
double gr__recurrent_flops(const gr__args *a);
double gr__recurrent_flops_grad(const gr__args *a);
/* Appends the gradient op and hands its results to the operands. */
void gr__recurrent_grad(gr__grad *c, const gr__op *op, const gr__cell_kind *kind);
gr_value gr__recurrent_node(gr_graph *g, const gr__op *op, const gr_value *x_w_w, const gr_scan_options *o,
                            gr_value *out);

/* ---- references ---- */

typedef struct gr__recurrent_view {
    const gr__cell_kind *kind;
    const gr__recurrent_attr *attr;
    const gr__arg *x, *w_ih, *w_hh, *b_ih, *b_hh, *lengths, *h0, *c0; /* NULL: left out */
    int64_t batch, steps, in, hidden;
} gr__recurrent_view;
gr__recurrent_view gr__recurrent_view_of(const gr__args *a, const gr__cell_kind *kind, bool grad);
/* Whether step t of row b counts, and the step that comes before it: < 0 or >= the length where that is h0. */
bool gr__recurrent_real(const gr__recurrent_view *v, int64_t b, int64_t t);
int64_t gr__recurrent_before(const gr__recurrent_view *v, int64_t t);

/* Row j of weight_ih times x, of weight_hh times h, with their biases. */
double gr__recurrent_from_x(const gr__recurrent_view *v, int64_t b, int64_t t, int64_t j);
double gr__recurrent_from_h(const gr__recurrent_view *v, const double *h, int64_t j);
/* Sum over the rows of 'gate' of d[j]*weight_hh[j][k]. */
double gr__recurrent_back(const gr__recurrent_view *v, const double *d, int gate, int64_t k);
double gr__logistic(double x);

/* One step of row b: from h to 'next', c in place; fills 'saved'. */
typedef void gr__cell(const gr__recurrent_view *v, int64_t b, int64_t t, const double *h, double *next, double *c,
                      double *saved);
gr_status gr__recurrent_reference(const gr__args *a, const gr__cell_kind *kind, gr__cell *cell);

/* One step backward. */
typedef struct gr__step_back {
    const double *h, *c, *saved, *y; /* states before the step, what it saved, its result */
    double *dh, *dc;                 /* of the states after it, to become those of the states before it */
    double *from_x, *from_h;         /* out (G*H): gradients of W x + b and of W h + b */
    double *seen; /* what weight_hh of the last gate was multiplied with: h, unless the cell changes it */
} gr__step_back;
typedef void gr__cell_back(const gr__recurrent_view *v, gr__step_back *s);
gr_status gr__recurrent_reference_grad(const gr__args *a, const gr__cell_kind *kind, gr__cell_back *cell);

/* ---- decompositions ---- */

/* Nodes of one step; from_x (B, G*H) has its bias; h, c and what is saved (B, S*H) are replaced. */
typedef struct gr__unroll {
    gr_graph *g;
    const gr__recurrent_attr *attr;
    gr_value w_hh, b_hh; /* in the dtype of the statistics; b_hh 0: none */
    int64_t hidden;
} gr__unroll;
typedef void gr__cell_nodes(const gr__unroll *u, gr_value from_x, gr_value *h, gr_value *c, gr_value *saved);
void gr__recurrent_decompose(gr_graph *g, const gr__node *n, gr_value *out, const gr__cell_kind *kind,
                             gr__cell_nodes *cell);
/* Gate k of (B, G*H); W h (+ b) of the gates first .. first+n-1. */
gr_value gr__unroll_gate(const gr__unroll *u, gr_value gates, int k);
gr_value gr__unroll_product(const gr__unroll *u, gr_value h, int first, int n);

#endif
