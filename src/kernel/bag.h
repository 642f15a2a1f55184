/* Bags of rows of a table, together, and the gradient of that: no array holds the rows of all bags. */
#ifndef GR__BAG_H
#define GR__BAG_H

#include "kernel/rows.h"

/* ORDER BAG: gr_bag_kind */
typedef enum gr__bag_how { GR__BAG_SUM, GR__BAG_MEAN, GR__BAG_MAX } gr__bag_how;

typedef struct gr__bag {
    gr__bag_how how;
    int64_t bags, t, v, c;
    const int32_t *ids;    /* (bags, t); outside 0 .. v-1: does not count */
    const float *weight;   /* (bags, t), of a sum; NULL: ones */
    gr__rows table;        /* forward (v, c) */
    gr__rows y;            /* forward, out (bags, c); data NULL: not wanted */
    int32_t *place;        /* forward, out (bags, c), NULL: not wanted: t of the largest, 0 for others */
    gr__rows dy;           /* backward (bags, c) */
    const int32_t *places; /* backward, of the largest (bags, c) */
    gr__rows dtable;       /* backward (v, c) f32: the shares of each bag are added, in their order */
} gr__bag;

void gr__bag_forward(const gr__bag *b);
void gr__bag_backward(const gr__bag *b);

#endif
