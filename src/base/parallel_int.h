/* Between parallel.c and the two pools (parallel_omp.c, parallel_threads.c). */
#ifndef GR__PARALLEL_INT_H
#define GR__PARALLEL_INT_H

#include "base/parallel.h"

#define GR__MOST_THREADS 1024

extern GR__THREAD bool gr__in_place; /* see gr__parallel_in_place() */

void gr__pool_resize(int threads);

#endif
