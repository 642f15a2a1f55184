/* gr__parallel on OpenMP's pool, which oneDNN uses too: one pool in the process. */
#include "base/parallel_int.h"

#include <omp.h>
#include <stdatomic.h>

void gr__pool_resize(int threads) { omp_set_num_threads(threads); }

const char *gr__parallel_name(void) { return "openmp"; }

void gr__parallel(int64_t chunks, gr__chunk_fn fn, void *context)
{
    int threads = gr_threads();
    if (chunks < threads) threads = (int)chunks;
    if (threads <= 1 || gr__in_place || omp_in_parallel()) {
        int thread = omp_in_parallel() ? omp_get_thread_num() : 0;
        for (int64_t i = 0; i < chunks; i++) fn(context, i, thread);
        return;
    }
    _Atomic int64_t next = 0;
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num();
        for (int64_t i; (i = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < chunks;)
            fn(context, i, thread);
    }
}
