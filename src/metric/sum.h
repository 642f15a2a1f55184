/* A sum that carries its rounding error along (Neumaier 1974), so that a million small numbers keep their digits. */
#ifndef GR__SUM_H
#define GR__SUM_H

#include "base/compiler.h"

#include <math.h>

typedef struct gr__sum {
    double value, rest;
} gr__sum;

GR__INLINE void gr__sum_add(gr__sum *s, double x)
{
    double t = s->value + x;
    s->rest += fabs(s->value) >= fabs(x) ? s->value - t + x : x - t + s->value;
    s->value = t;
}

/* A sum that has overflowed has no rest. */
GR__INLINE double gr__sum_get(const gr__sum *s) { return isfinite(s->rest) ? s->value + s->rest : s->value; }

GR__INLINE void gr__sum_merge(gr__sum *s, const gr__sum *other)
{
    gr__sum_add(s, other->value);
    s->rest += other->rest;
}

#endif
