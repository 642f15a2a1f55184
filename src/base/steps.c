/* Steps that wait for each other, inside one call of the pool. Each thread walks through all steps; it claims its own parts of a
 * step, then those of a thread that does not come, and waits until the step is done. One thread alone does everything.
 *
 * Counts only grow: of a home with n parts, n*s are claimed and done when step s begins. */
#include "base/core.h"
#include "base/parallel.h"

#include <stdatomic.h>
#include <time.h>

/* PATIENCE: looks before a part of another thread is taken, some 50 us. Its data lie in that one's cache: who takes it too soon is late
 * with its own next part, which is then taken too, and so on. */
enum { MOST_HOMES = 64, PATIENCE = 1000 };

typedef struct home {
    _Atomic int64_t claimed GR__ALIGNED(64);
    _Atomic int64_t done GR__ALIGNED(64);
    int64_t first, n; /* parts */
} home;

typedef struct walk {
    gr__step_fn fn;
    void *context;
    int64_t steps;
    int n;
    home home[MOST_HOMES];
} walk;

void gr__parallel_wait(int look)
{
    enum { SPINS = 2000, LEND_LOOKS = 500, SLEEP_NS = 20000 };
    if (look > SPINS || (look > 0 && look % LEND_LOOKS == 0)) gr__core_lend();
    if (look > SPINS)
        nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    else
        GR__PAUSE();
}

/* Runs a part of home h that nobody has begun; false: there is none. */
static bool run_one(walk *w, home *h, int64_t step, int thread)
{
    int64_t at = atomic_load_explicit(&h->claimed, memory_order_relaxed), end = (step + 1) * h->n;
    do {
        if (at >= end) return false;
    } while (
        !atomic_compare_exchange_weak_explicit(&h->claimed, &at, at + 1, memory_order_relaxed, memory_order_relaxed));
    int64_t i = at - step * h->n;
    w->fn(w->context, step, h->first + (step % 2 ? h->n - 1 - i : i), thread);
    atomic_fetch_add_explicit(&h->done, 1, memory_order_release);
    return true;
}

/* Waits until all parts of home h are done, and does them where its thread does not; 'absent': it did none of them before. */
static void finish(walk *w, home *h, int64_t step, int thread, bool *absent)
{
    int64_t ran = 0, end = (step + 1) * h->n;
    for (int look = *absent ? PATIENCE : 0; atomic_load_explicit(&h->done, memory_order_acquire) < end; look++) {
        if (look >= PATIENCE && run_one(w, h, step, thread))
            ran++;
        else
            gr__parallel_wait(look);
    }
    *absent = ran == h->n;
}

static void walk_through(void *context, int64_t chunk, int thread)
{
    (void)chunk;
    walk *w = context;
    int mine = thread % w->n;
    bool absent[MOST_HOMES] = {false};
    for (int64_t s = 0; s < w->steps; s++) {
        while (run_one(w, &w->home[mine], s, thread)) {}
        for (int k = 0; k < w->n; k++) {
            int at = (mine + k) % w->n;
            finish(w, &w->home[at], s, thread, &absent[at]);
        }
    }
}

void gr__parallel_steps(int64_t steps, int64_t parts, gr__step_fn fn, void *context)
{
    int64_t n = GR__MIN(GR__MIN(gr__parallel_width(), MOST_HOMES), parts);
    if (gr__parallel_inside() || n < 1) n = 1;
    walk w = {.fn = fn, .context = context, .steps = steps, .n = (int)n};
    for (int64_t k = 0; k < n; k++) {
        w.home[k].first = parts * k / n;
        w.home[k].n = parts * (k + 1) / n - w.home[k].first;
    }
    gr__parallel(n, walk_through, &w);
}
