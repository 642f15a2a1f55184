/* gr__parallel on plain threads: for builds without OpenMP and for ThreadSanitizer.
 * Workers sleep on a condition variable between calls; the caller works too. */
#include "base/parallel_int.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>

static struct {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t start, ended;
    pthread_mutex_t one_caller; /* several sessions take turns */
    pthread_t worker[GR__MOST_THREADS];
    int workers; /* started */
    int active;  /* of this call */
    int running;
    uint64_t generation;
    gr__chunk_fn fn;
    void *context;
    int64_t chunks;
    _Atomic int64_t next;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .start = PTHREAD_COND_INITIALIZER,
          .ended = PTHREAD_COND_INITIALIZER,
          .one_caller = PTHREAD_MUTEX_INITIALIZER};

static GR__THREAD int inside = -1; /* this thread's number while it runs chunks */

static void work(int thread, gr__chunk_fn fn, void *context, int64_t chunks)
{
    inside = thread;
    for (int64_t i; (i = atomic_fetch_add(&pool.next, 1)) < chunks;) fn(context, i, thread);
    inside = -1;
}

static void *worker_main(void *arg)
{
    int me = (int)(intptr_t)arg;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.generation == seen || me >= pool.active) {
            seen = pool.generation;
            pthread_cond_wait(&pool.start, &pool.lock);
        }
        seen = pool.generation;
        gr__chunk_fn fn = pool.fn;
        void *context = pool.context;
        int64_t chunks = pool.chunks;
        pthread_mutex_unlock(&pool.lock);
        work(me, fn, context, chunks);
        pthread_mutex_lock(&pool.lock);
        if (--pool.running == 0) pthread_cond_signal(&pool.ended);
    }
    return NULL;
}

void gr__pool_resize(int threads) { (void)threads; }

const char *gr__parallel_name(void) { return "pthreads"; }

void gr__parallel(int64_t chunks, gr__chunk_fn fn, void *context)
{
    int threads = gr_threads();
    if (chunks < threads) threads = (int)chunks;
    if (threads <= 1 || gr__in_place || inside >= 0) {
        for (int64_t i = 0; i < chunks; i++) fn(context, i, inside >= 0 ? inside : 0);
        return;
    }
    pthread_mutex_lock(&pool.one_caller);
    pthread_mutex_lock(&pool.lock);
    while (pool.workers < threads - 1) {
        pthread_attr_t attr;
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        int failed =
            pthread_create(&pool.worker[pool.workers], &attr, worker_main, (void *)(intptr_t)(pool.workers + 1));
        pthread_attr_destroy(&attr);
        if (failed) break; /* fewer threads do the same work */
        pool.workers++;
    }
    pool.active = GR__MIN(threads, pool.workers + 1);
    pool.running = pool.active - 1;
    pool.fn = fn;
    pool.context = context;
    pool.chunks = chunks;
    atomic_store(&pool.next, 0);
    pool.generation++;
    pthread_cond_broadcast(&pool.start);
    pthread_mutex_unlock(&pool.lock);
    work(0, fn, context, chunks);
    pthread_mutex_lock(&pool.lock);
    while (pool.running) pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.one_caller);
}
