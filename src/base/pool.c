/* The threads behind gr__parallel. A call's chunks are claimed one by one by whoever runs; the caller waits for chunks that were
 * claimed, never for threads: a worker that got no core costs nothing, and who waits lends its core (core.h), and sleeps soon.
 *
 * 'next' holds the number of the call and its next chunk, so that a worker which comes late cannot claim a chunk of the call
 * after the one that it has read. */
#include "base/core.h"
#include "base/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { WORKER_LOOKS = 2000, CALLER_LOOKS = 1000, LEND_LOOKS = 500 }; /* before sleeping; between two chances to lend */
enum { SLEEP_NS = 300000 };
#define CLOSED UINT32_MAX /* no chunk: the call is being described */

static struct {
    _Atomic uint64_t next; /* call << 32 | chunk */
    _Atomic gr__chunk_fn fn;
    _Atomic(void *) context;
    _Atomic uint32_t chunks;
    _Atomic int threads;   /* that may take part, the caller among them */
    _Atomic int mode;      /* the caller's */
    _Atomic uint32_t done; /* chunks that workers have finished */

    _Atomic int sleeping; /* workers */
    _Atomic bool caller_sleeps;
    pthread_mutex_t lock; /* for sleeping only */
    pthread_cond_t start, ended;

    pthread_mutex_t one_caller; /* guards what follows */
    int workers;                /* started */
    bool knows_forks;
} pool = {.next = CLOSED,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .start = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER,
          .one_caller = PTHREAD_MUTEX_INITIALIZER};

static GR__THREAD int inside = -1; /* this thread's number while it runs chunks */
static GR__THREAD int mode;        /* of a worker: its last caller's */

int gr__parallel_mode(void) { return mode; }

int gr__parallel_set_mode(int wanted)
{
    int was = mode;
    mode = wanted;
    return was;
}

bool gr__parallel_inside(void) { return inside >= 0; }

void gr__parallel_in_place(void) { inside = 0; }

static bool claim(uint32_t call, uint32_t chunks, uint32_t *chunk)
{
    uint64_t was = atomic_load_explicit(&pool.next, memory_order_relaxed);
    while (was >> 32 == call && (uint32_t)was < chunks)
        if (atomic_compare_exchange_weak_explicit(&pool.next, &was, was + 1, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            *chunk = (uint32_t)was;
            return true;
        }
    return false;
}

/* How many of the call's chunks this thread ran. */
static uint32_t work(uint32_t call, gr__chunk_fn fn, void *context, uint32_t chunks, int thread)
{
    uint32_t ran = 0, chunk;
    inside = thread;
    for (; claim(call, chunks, &chunk); ran++) fn(context, chunk, thread);
    inside = -1;
    return ran;
}

/* ---- workers ---- */

static bool is_new(uint64_t next, uint32_t seen) { return next >> 32 != seen && (uint32_t)next != CLOSED; }

static uint32_t next_call(uint32_t seen)
{
    for (int i = 1; i <= WORKER_LOOKS; i++) {
        uint64_t next = atomic_load_explicit(&pool.next, memory_order_acquire);
        if (is_new(next, seen)) return (uint32_t)(next >> 32);
        if (i > WORKER_LOOKS / 2 && i % LEND_LOOKS == 0) gr__core_lend();
        GR__PAUSE();
    }
    uint64_t next;
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleeping, 1);
    while (!is_new(next = atomic_load(&pool.next), seen)) pthread_cond_wait(&pool.start, &pool.lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    pthread_mutex_unlock(&pool.lock);
    return (uint32_t)(next >> 32);
}

void gr__leave_signals(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < GR__COUNT(faults); i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void *worker_main(void *arg)
{
    int me = (int)(intptr_t)arg;
    gr__leave_signals();
    for (uint32_t call = 0;;) {
        call = next_call(call);
        gr__chunk_fn fn = atomic_load_explicit(&pool.fn, memory_order_acquire);
        void *context = atomic_load_explicit(&pool.context, memory_order_acquire);
        uint32_t chunks = atomic_load_explicit(&pool.chunks, memory_order_acquire);
        mode = atomic_load_explicit(&pool.mode, memory_order_acquire);
        if (me >= atomic_load_explicit(&pool.threads, memory_order_acquire)) continue;
        gr__core_enter(me);
        uint32_t ran = work(call, fn, context, chunks, me);
        if (ran > 0) atomic_fetch_add(&pool.done, ran);
        if (ran > 0 && atomic_load(&pool.caller_sleeps)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.ended);
            pthread_mutex_unlock(&pool.lock);
        }
        gr__core_leave(true);
    }
    return NULL;
}

/* A child of fork has none of them. */
static void forget_workers(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    gr__core_forget();
    pool.workers = 0;
    pool.sleeping = 0;
    pool.lock = pool.one_caller = lock;
    pool.start = pool.ended = cond;
}

/* Fewer than wanted do the same work. */
static void start_workers(int wanted)
{
    if (!pool.knows_forks) pool.knows_forks = pthread_atfork(NULL, NULL, forget_workers) == 0;
    while (pool.workers < wanted) {
        pthread_t id;
        pthread_attr_t attr;
        if (pthread_attr_init(&attr) != 0) return;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        int failed = pthread_create(&id, &attr, worker_main, (void *)(intptr_t)(pool.workers + 1));
        pthread_attr_destroy(&attr);
        if (failed) return;
        pool.workers++;
    }
}

/* ---- the caller ---- */

static uint32_t open_call(gr__chunk_fn fn, void *context, uint32_t chunks, int threads)
{
    uint32_t call = (uint32_t)(atomic_load_explicit(&pool.next, memory_order_relaxed) >> 32) + 1;
    atomic_store(&pool.next, (uint64_t)call << 32 | CLOSED);
    atomic_store_explicit(&pool.fn, fn, memory_order_release);
    atomic_store_explicit(&pool.context, context, memory_order_release);
    atomic_store_explicit(&pool.chunks, chunks, memory_order_release);
    atomic_store_explicit(&pool.threads, threads, memory_order_release);
    atomic_store_explicit(&pool.mode, mode, memory_order_release);
    atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
    atomic_store(&pool.next, (uint64_t)call << 32);
    if (atomic_load(&pool.sleeping) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.start);
        pthread_mutex_unlock(&pool.lock);
    }
    return call;
}

static void sleep_for_workers(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SLEEP_NS;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    pthread_cond_clockwait(&pool.ended, &pool.lock, CLOCK_MONOTONIC, &until);
}

static void wait_for_workers(uint32_t chunks)
{
    for (int i = 1; i <= CALLER_LOOKS; i++) {
        if (atomic_load_explicit(&pool.done, memory_order_acquire) == chunks) return;
        if (i % LEND_LOOKS == 0) gr__core_lend();
        GR__PAUSE();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.caller_sleeps, true);
    while (atomic_load(&pool.done) != chunks) {
        sleep_for_workers();
        if (atomic_load(&pool.done) != chunks) gr__core_lend();
    }
    atomic_store(&pool.caller_sleeps, false);
    pthread_mutex_unlock(&pool.lock);
}

static void run_alone(int64_t chunks, gr__chunk_fn fn, void *context)
{
    int was = inside, thread = was < 0 ? 0 : was;
    inside = thread;
    for (int64_t i = 0; i < chunks; i++) fn(context, i, thread);
    inside = was;
}

void gr__parallel(int64_t chunks, gr__chunk_fn fn, void *context)
{
    int threads = gr_threads();
    if (chunks < threads) threads = (int)chunks;
    bool alone = threads <= 1 || inside >= 0 || chunks >= CLOSED;
    if (alone || pthread_mutex_trylock(&pool.one_caller) != 0) {
        run_alone(chunks, fn, context);
        return;
    }
    start_workers(threads - 1);
    gr__core_enter(0);
    uint32_t call = open_call(fn, context, (uint32_t)chunks, threads);
    uint32_t ran = work(call, fn, context, (uint32_t)chunks, 0);
    gr__core_leave(false);
    if (ran < (uint32_t)chunks) wait_for_workers((uint32_t)chunks - ran);
    pthread_mutex_unlock(&pool.one_caller);
}
