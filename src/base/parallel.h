/* The only threading primitive above base/. Chunks 0 .. n-1 are claimed dynamically by the pool (a busy
 * neighbour costs only what it takes); the grid of chunks depends on shapes only, never on the number of
 * threads, and partial results are combined in chunk order: same bits for any number of threads. */
#ifndef GR__PARALLEL_H
#define GR__PARALLEL_H

#include "base/status.h"

typedef void (*gr__chunk_fn)(void *context, int64_t chunk, int thread);

/* Runs fn(context, i, thread) for every i; returns when all are done. 'thread' < gr__parallel_width().
 * Called from inside a chunk, or while another thread's call has the pool, it runs its chunks in place. */
void gr__parallel(int64_t chunks, gr__chunk_fn fn, void *context);
/* The same, for work that comes again: a thread begins with the chunks that it had in the call before, which may still lie in
 * its cache, and takes those of others when it has no more. Chunks below 'first' are claimed in order, before all others. turned: each begins
 * with its last one, so that calls which take turns find in a cache that is a little too small what they left there. */
void gr__parallel_home(int64_t first, int64_t chunks, bool turned, gr__chunk_fn fn, void *context);
typedef void (*gr__ahead_fn)(void *context, int64_t chunk, int64_t next, int64_t turn, int thread);

/* The same for chunks that can be prepared: who runs one has claimed already which it runs next (-1: none). turn: how many the
 * caller has run since one that nobody prepared, which has 0. A thread has neighbours first, then takes those of others. */
void gr__parallel_ahead(int64_t chunks, gr__ahead_fn fn, void *context);
typedef void (*gr__step_fn)(void *context, int64_t step, int64_t part, int thread);

/* Runs fn(context, step, part, thread) for every part of every step; no part begins before all parts of the step before are
 * done. Much cheaper than a call a step: threads stay, and a part comes to the same thread at each step, in turned order at
 * every second one, so that what it reads may lie in its cache. A thread waits only for parts that others are at work on. */
void gr__parallel_steps(int64_t steps, int64_t parts, gr__step_fn fn, void *context);

/* While (look = 0, 1, ...) something that another thread is at work on is not there: looks again soon at first. That thread may have
 * lost its core to another process: this one is lent to it (core.h). */
void gr__parallel_wait(int look);
/* Most threads that may run chunks at once (for scratch buffers). */
int gr__parallel_width(void);
/* From now on the calling thread runs its chunks in place: for a thread beside the pool. */
void gr__parallel_in_place(void);
/* The calling thread takes no signals but those of its own faults: they are for the application's threads, and one that came
 * while oneDNN computes would write over data (cli/signals.c). */
void gr__leave_signals(void);
/* A number that chunks find as the thread that called has set it (0 at first), whatever thread they run on. Setting returns what it
 * was. */
int gr__parallel_mode(void);
int gr__parallel_set_mode(int mode);
/* Whether this thread runs a chunk. */
bool gr__parallel_inside(void);

/* Splits 'count' items into chunks of at least 'least' items (a function of the shape only): sets *per, returns the
 * number of chunks, at most 256. */
int64_t gr__chunks(int64_t count, int64_t least, int64_t *per);

#endif
