/* Evaluates values of a graph with the reference kernels alone, each into an array of its own: slow, without any memory
 * planning, the oracle for passes, plans and kernels.
 *
 *   gr__interpret *it;
 *   gr__interpret_new(&it, g);
 *   gr__interpret_set(it, x, &tensor);
 *   gr__interpret_run(it, &loss, 1);
 *   double l = gr_tensor_get(gr__interpret_get(it, loss), 0);
 *   gr__interpret_free(&it); */
#ifndef GR__INTERPRET_H
#define GR__INTERPRET_H

#include "graph/graph.h"
#include "tensor/args.h"

typedef struct gr__interpret gr__interpret;

/* The graph must outlive it; nodes may still be appended. GR_ERR_MEMORY. */
gr_status gr__interpret_new(gr__interpret **out, const gr_graph *g);
void gr__interpret_free(gr__interpret **it);

/* Seed, step, learning rate: zeros at first, to be written before a run. */
gr__control *gr__interpret_control(gr__interpret *it);

/* Gives an input, a state or any other value its numbers (copied). What was computed before is forgotten.
 * GR_ERR_SHAPE or GR_ERR_DTYPE where they do not fit. */
gr_status gr__interpret_set(gr__interpret *it, gr_value v, const gr_tensor *numbers);

/* Computes the values and all that they need; nothing twice. GR_ERR_NOT_FOUND: an input or state has no numbers. */
gr_status gr__interpret_run(gr__interpret *it, const gr_value *values, int n);

/* One run of a program: outputs and guards, then the updates, which fire together unless a guard is not finite. */
gr_status gr__interpret_program(gr__interpret *it, const char *program);

/* The numbers of a value that was set or computed; NULL otherwise. Valid until the next call that changes something. */
const gr_tensor *gr__interpret_get(const gr__interpret *it, gr_value v);

#endif
