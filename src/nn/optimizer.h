/* What an optimiser's file sees: one parameter with its gradient, and small builders. An optimiser is one file with one
 * function and one line in optimizers.def. */
#ifndef GR__OPTIMIZER_H
#define GR__OPTIMIZER_H

#include "gradus/nn.h"

#include "kernel/optim.h"
#include "op/op.h"

typedef struct gr__param_step {
    gr_graph *g;
    const char *program;
    gr_optimizer o;    /* resolved */
    bool coupled;      /* weight decay is part of the gradient */
    double lr_scale;   /* of the group */
    gr_value lr;       /* f32 rank 0: GR_CONTROL_LR */
    gr_value p;        /* the parameter, f32 */
    const char *path;  /* its path */
    gr_value gradient; /* same shape; times 'gscale' it is what the optimiser sees */
    gr_value gscale;   /* f32 rank 0; 0: one */
} gr__param_step;

/* Appends the update of the moments and gives the new parameter. */
typedef gr_value gr__step_fn(const gr__param_step *s);
#define GR_X(kind, fn, rate, momentum, beta1, beta2, eps, decay, coupled, matrices) gr__step_fn fn;
#include "nn/optimizers.def"
#undef GR_X

/* The function of a kind, and whether its weight decay is part of the gradient. */
gr__step_fn *gr__optimizer_fn(gr_optimizer_kind kind, bool *coupled);

/* A state without the open scopes in front of its path: "<prefix>:<path>", f32, of the shape of 'like' (0: rank 0). */
gr_value gr__absolute_state(gr_graph *g, const char *prefix, const char *path, gr_value like, const gr_init *init);
/* The moment "<name>:<path>" of the parameter, zero at first. */
gr_value gr__step_moment(const gr__param_step *s, const char *name);
/* gradient * gscale, for optimisers made of small ops. */
gr_value gr__step_gradient(const gr__param_step *s);
/* lr * lr_scale, f32 rank 0. */
gr_value gr__step_rate(const gr__param_step *s);
/* The op 'optim' in place of p and the moments m, v (0: none); gives the new p. */
gr_value gr__step_fused(const gr__param_step *s, gr__optim_kind kind, gr_value m, gr_value v, double beta1,
                        double beta2);

/* ---- gradients.c ---- */
/* GR_ERR_ARGUMENT unless all of them are states of the graph, and 'others' (as many: gradients or sums) is an array. */
gr_status gr__check_params(const gr_graph *g, const gr_value *params, const gr_value *others, int n);
/* f32 (n): sums of squares, zero where the gradient is 0. */
gr_value gr__sums_of_squares(gr_graph *g, const gr_value *gradient, int n);
/* 1/weight, safe where no sample counts: then all gradients are zero. f32 rank 0. */
gr_value gr__inverse_weight(gr_graph *g, gr_value weight);

#endif
