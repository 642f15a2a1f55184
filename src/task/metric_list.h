/* Named measures in the caller's array; what is not defined (NaN) is left out. */
#ifndef GR__METRIC_LIST_H
#define GR__METRIC_LIST_H

#include "gradus/train.h"

#include <math.h>
#include <stdio.h>

typedef struct gr__metric_list {
    gr_metric *item;
    int capacity, n; /* n may be above capacity: how many there are */
} gr__metric_list;

static inline void gr__metric_add(gr__metric_list *l, const char *name, double value)
{
    if (isnan(value)) return;
    if (l->n < l->capacity) {
        l->item[l->n] = (gr_metric){.value = value};
        snprintf(l->item[l->n].name, sizeof l->item[l->n].name, "%s", name);
    }
    l->n++;
}

#endif
