/* What algorithms are given that fit a model without gradients: rows of numbers, and somebody who watches. */
#ifndef GR__POINTS_H
#define GR__POINTS_H

#include "base/status.h"

typedef struct gr__points {
    const float *x; /* (n, width), finite */
    int64_t n, width;
} gr__points;

/* Told after each pass over the rows: which it was, of how many at most, the mean loss of a row so far. True: stop. */
typedef struct gr__watch {
    bool (*pass)(void *user, int64_t done, int64_t of, double loss); /* NULL: nobody */
    void *user;
} gr__watch;

static inline bool gr__watch_pass(const gr__watch *w, int64_t done, int64_t of, double loss)
{
    return w && w->pass && w->pass(w->user, done, of, loss);
}

#endif
