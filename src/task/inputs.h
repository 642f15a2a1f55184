/* Where a task's 'fill' writes a batch: the inputs of a session, or arrays of their names and shapes in memory of its own, so
 * that a batch can be made while the session runs. */
#ifndef GR__INPUTS_H
#define GR__INPUTS_H

#include "plan/plan.h"

typedef struct gr__input {
    const char *name; /* the plan's */
    gr_tensor tensor;
} gr__input;

typedef struct gr__inputs {
    gr__input *item;
    size_t n;
    unsigned char *own; /* NULL: the arrays are the session's */
    size_t own_bytes;
} gr__inputs;

/* Those of a session; they live as long as it does. */
gr_status gr__inputs_of(gr_session *session, gr__inputs *out);
/* Arrays like those of 'like', all zero. */
gr_status gr__inputs_new(const gr__inputs *like, gr__inputs *out);
void gr__inputs_release(gr__inputs *in);
/* false: the program reads no such input */
bool gr__inputs_find(const gr__inputs *in, const char *name, gr_tensor *out);
/* All of 'from', which was made like 'to'. */
void gr__inputs_copy(const gr__inputs *from, const gr__inputs *to);

#endif
