/* Between parallel.c and pool.c. */
#ifndef GR__PARALLEL_INT_H
#define GR__PARALLEL_INT_H

#include "base/parallel.h"

#define GR__MOST_THREADS 1024

#endif
