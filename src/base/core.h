/* A thread whose work others wait for may have lost its core to another process. The system sees a core with two threads and one
 * with none, and takes milliseconds to even that out: then who waits lends its own core.
 *
 * Members are threads by number, 0 the caller of the pool. What a member may run on is as before when it leaves. */
#ifndef GR__CORE_H
#define GR__CORE_H

#include "base/status.h"

enum { GR__CORE_MEMBERS = 64 }; /* higher numbers are never helped */

/* The calling thread has work from now on, as this member. */
void gr__core_enter(int member);
/* It has none any more. A core that was lent to it is given back: at once, where 'leave' says that its owner needs it. */
void gr__core_leave(bool leave);
/* To be called again and again, some 20 us to 1 ms apart, by a member that waits and is about to sleep: each other one that has work
 * but did not run since the last call is brought to this core. */
void gr__core_lend(void);
/* In a child of fork: the other threads are not there. */
void gr__core_forget(void);
/* How often a core was lent in this process. */
int64_t gr__core_lent(void);

#endif
