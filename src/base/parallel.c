/* How many threads, the grid of chunks, and chunks that have a home. The threads themselves: pool.c. */
#include "base/parallel.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MOST_THREADS = 1024 };

static atomic_int wanted;

static int default_threads(void)
{
    const char *env = getenv("OMP_NUM_THREADS");
    int n = env ? atoi(env) : 0;
    if (n > 0 && n <= MOST_THREADS) return n;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

gr_status gr_set_threads(int threads)
{
    GR_FAIL_IF(threads < 0 || threads > MOST_THREADS, GR_ERR_ARGUMENT,
               "cannot use %d threads; give 0 (one per core) to %d", threads, MOST_THREADS);
    wanted = threads ? threads : default_threads();
    return GR_OK;
}

int gr_threads(void)
{
    int n = atomic_load_explicit(&wanted, memory_order_relaxed);
    if (n == 0) atomic_store(&wanted, n = default_threads());
    return n;
}

int gr__parallel_width(void) { return gr_threads(); }

int64_t gr__chunks(int64_t count, int64_t least, int64_t *per)
{
    if (least < 1) least = 1;
    int64_t most = 256, chunks = count / least;
    if (chunks < 1) chunks = 1;
    if (chunks > most) chunks = most;
    *per = (count + chunks - 1) / chunks;
    if (*per < 1) *per = 1;
    return (count + *per - 1) / *per;
}

/* ---- chunks that have a home ---- */

enum { MOST_HOMES = 64 };

typedef struct homes {
    gr__chunk_fn fn;
    void *context;
    int64_t first;
    bool turned;
    int n;
    _Atomic uint64_t left[MOST_HOMES]; /* of each home: begin in the low half, end in the high one */
} homes;

/* A chunk of home h, from its beginning or from its end; -1: there is none left. */
static int64_t take(homes *h, int home, bool from_end)
{
    uint64_t was = atomic_load_explicit(&h->left[home], memory_order_relaxed);
    for (;;) {
        uint64_t begin = was & UINT32_MAX, end = was >> 32;
        if (begin == end) return -1;
        uint64_t now = from_end ? (end - 1) << 32 | begin : end << 32 | (begin + 1);
        if (atomic_compare_exchange_weak_explicit(&h->left[home], &was, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return (int64_t)(from_end ? end - 1 : begin);
    }
}

static void run_at_home(void *context, int64_t chunk, int thread)
{
    homes *h = context;
    if (chunk < h->first) {
        h->fn(h->context, chunk, thread);
        return;
    }
    int64_t mine = take(h, thread % h->n, h->turned);
    for (int k = 1; mine < 0; k++)
        mine = take(h, (thread + k) % h->n, !h->turned); /* as many calls as chunks: one is left */
    h->fn(h->context, mine, thread);
}

/* Each thread's share of chunks first .. chunks-1; false: there are too many. */
static bool share_out(homes *h, int64_t chunks)
{
    int64_t n = chunks - h->first;
    h->n = GR__MIN(gr__parallel_width(), MOST_HOMES);
    if (chunks > UINT32_MAX) return false;
    for (int k = 0; k < h->n; k++) {
        uint64_t begin = (uint64_t)(h->first + n * k / h->n), end = (uint64_t)(h->first + n * (k + 1) / h->n);
        atomic_store_explicit(&h->left[k], end << 32 | begin, memory_order_relaxed);
    }
    return true;
}

void gr__parallel_home(int64_t first, int64_t chunks, bool turned, gr__chunk_fn fn, void *context)
{
    homes h = {.fn = fn, .context = context, .first = first, .turned = turned};
    if (!share_out(&h, chunks)) h.first = chunks; /* nobody's */
    gr__parallel(chunks, run_at_home, &h);
}

/* ---- chunks that are claimed one ahead ---- */

typedef struct ahead {
    homes homes;
    gr__ahead_fn fn;
    void *context;
    int64_t chunks;
} ahead;

/* Ahead a thread claims its own chunks only: one of another thread's may be that thread's only one, which comes a little late. */
static void run_ahead(void *context, int64_t worker, int thread)
{
    ahead *a = context;
    homes *h = &a->homes;
    (void)worker;
    for (int k = 0; k < h->n; k++) {
        int home = (thread + k) % h->n;
        int64_t mine, next;
        while ((mine = take(h, home, k > 0)) >= 0)
            for (int64_t turn = 0; mine >= 0; mine = next, turn++) {
                next = k == 0 ? take(h, home, false) : -1;
                a->fn(a->context, mine, next, turn, thread);
            }
    }
}

static void run_unprepared(void *context, int64_t chunk, int thread)
{
    const ahead *a = context;
    a->fn(a->context, chunk, -1, 0, thread);
}

void gr__parallel_ahead(int64_t chunks, gr__ahead_fn fn, void *context)
{
    ahead a = {.fn = fn, .context = context, .chunks = chunks};
    if (share_out(&a.homes, chunks))
        gr__parallel(GR__MIN(chunks, (int64_t)gr__parallel_width()), run_ahead, &a);
    else
        gr__parallel(chunks, run_unprepared, &a);
}
