#include "base/core.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LEAST_NS = 15000, MOST_NS = 2000000 }; /* between two looks that tell something */

typedef enum loan { OWN, CHANGING, LENT } loan;

typedef struct member {
    _Atomic pid_t thread;
    _Atomic clockid_t clock; /* of the CPU time that it has used */
    _Atomic bool busy;
    _Atomic int loan;
    cpu_set_t allowed;         /* while the core is LENT: before */
    _Atomic int64_t seen, ran; /* the last look: when, and the CPU time then */
} member;

static member members[GR__CORE_MEMBERS];
static _Atomic int n_members;
static _Atomic int64_t n_lent;

static GR__THREAD int me = -1;
static GR__THREAD pid_t my_thread;

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : -1;
}

void gr__core_enter(int number)
{
    clockid_t clock;
    if (number >= GR__CORE_MEMBERS || pthread_getcpuclockid(pthread_self(), &clock) != 0) return;
    if (my_thread == 0) my_thread = gettid();
    member *m = &members[me = number];
    atomic_store_explicit(&m->thread, my_thread, memory_order_relaxed);
    atomic_store_explicit(&m->clock, clock, memory_order_relaxed);
    atomic_store_explicit(&m->seen, 0, memory_order_relaxed);
    int n = atomic_load_explicit(&n_members, memory_order_relaxed);
    while (n <= number && !atomic_compare_exchange_weak(&n_members, &n, number + 1)) {}
    atomic_store(&m->busy, true);
}

void gr__core_leave(bool leave)
{
    if (me < 0) return;
    member *m = &members[me];
    me = -1;
    atomic_store(&m->busy, false);
    while (atomic_load(&m->loan) == CHANGING) sched_yield();
    if (atomic_load(&m->loan) == OWN) return;
    cpu_set_t others = m->allowed;
    int here = sched_getcpu();
    if (here >= 0) CPU_CLR((size_t)here, &others);
    if (leave && CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof others, &others);
    sched_setaffinity(0, sizeof m->allowed, &m->allowed);
    atomic_store(&m->loan, OWN);
}

/* Either this sees that the member is not busy any more, or the member sees that something is changing. */
static void lend_to(member *m)
{
    int expected = OWN, here = sched_getcpu();
    cpu_set_t only;
    if (here < 0 || here >= CPU_SETSIZE || !atomic_compare_exchange_strong(&m->loan, &expected, CHANGING)) return;
    pid_t thread = atomic_load_explicit(&m->thread, memory_order_relaxed);
    CPU_ZERO(&only);
    CPU_SET((size_t)here, &only);
    bool lent = atomic_load(&m->busy) && sched_getaffinity(thread, sizeof m->allowed, &m->allowed) == 0 &&
                CPU_ISSET((size_t)here, &m->allowed) && sched_setaffinity(thread, sizeof only, &only) == 0;
    if (lent) atomic_fetch_add(&n_lent, 1);
    atomic_store(&m->loan, lent ? LENT : OWN);
}

void gr__core_lend(void)
{
    int64_t now = read_clock(CLOCK_MONOTONIC);
    int n = atomic_load_explicit(&n_members, memory_order_relaxed);
    for (int i = 0; i < n; i++) {
        member *m = &members[i];
        if (i == me || !atomic_load(&m->busy) || atomic_load_explicit(&m->loan, memory_order_relaxed) != OWN) continue;
        int64_t passed = now - atomic_load_explicit(&m->seen, memory_order_relaxed);
        if (passed < LEAST_NS) continue;
        int64_t ran = read_clock(atomic_load_explicit(&m->clock, memory_order_relaxed));
        int64_t before = atomic_load_explicit(&m->ran, memory_order_relaxed);
        atomic_store_explicit(&m->ran, ran, memory_order_relaxed);
        atomic_store_explicit(&m->seen, now, memory_order_relaxed);
        if (ran >= 0 && passed < MOST_NS && ran - before < passed / 2) lend_to(m);
    }
}

void gr__core_forget(void)
{
    my_thread = 0;
    for (int i = 0; i < GR__CORE_MEMBERS; i++) {
        atomic_store(&members[i].busy, false);
        atomic_store(&members[i].loan, OWN);
    }
}

int64_t gr__core_lent(void) { return atomic_load(&n_lent); }
