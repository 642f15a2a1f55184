/* The batches of training in their order. With a thread the next one is made while the step computes; the stream of samples is a
 * function of their number, so that both ways give the same bits, from any step on. */
#ifndef GR__LOADER_H
#define GR__LOADER_H

#include "task/task.h"

typedef struct gr__loader gr__loader;

/* Batches of 'batch' samples each for the session. beside: a thread of its own makes them from 'first' up to 'end', else all
 * threads do when one is asked for. GR_ERR_MEMORY; GR_ERR_IO: no thread can be made. */
gr_status gr__loader_new(gr__task *task, gr_session *session, int64_t batch, int64_t first, int64_t end, bool beside,
                         gr__loader **out);
/* Batch k into the session's inputs; at once where k follows the one before it. */
void gr__loader_take(gr__loader *l, int64_t k);
/* Returns when no batch is being made; none will be before the next gr__loader_take(): until then the task is the caller's. */
void gr__loader_rest(gr__loader *l);
void gr__loader_free(gr__loader **l);

#endif
