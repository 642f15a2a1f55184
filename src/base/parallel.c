/* What both pools share: the number of threads and the grid of chunks. */
#include "base/parallel_int.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int wanted;

static int default_threads(void)
{
    const char *env = getenv("OMP_NUM_THREADS");
    int n = env ? atoi(env) : 0;
    if (n > 0 && n <= GR__MOST_THREADS) return n;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > GR__MOST_THREADS ? GR__MOST_THREADS : n;
}

gr_status gr_set_threads(int threads)
{
    GR_FAIL_IF(threads < 0 || threads > GR__MOST_THREADS, GR_ERR_ARGUMENT,
               "cannot use %d threads; give 0 (one per core) to %d", threads, GR__MOST_THREADS);
    wanted = threads ? threads : default_threads();
    gr__pool_resize(wanted);
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
