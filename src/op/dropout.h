/* Which random number decides over which element of a dropout, for the reference and for the backends.
 *
 * Axis 0 counts samples. A sample of E elements has its own ceil(E/4) blocks of four numbers, so that the mask of a
 * sample does not depend on how the batch is cut:
 *   block b of sample s:  philox(control.seed, node stream, micro_step*2^40 + (control.sample + s)*ceil(E/4) + b)
 * Element i of the sample is number i%4 of block i/4. It is kept when the number is >= p*2^32. */
#ifndef GR__OP_DROPOUT_H
#define GR__OP_DROPOUT_H

#include "base/rng.h"
#include "op/attr.h"

GR__INLINE int64_t gr__dropout_samples(const gr__arg *x) { return x->rank ? x->dim[0] : 1; }
GR__INLINE int64_t gr__dropout_elements(const gr__arg *x) { return gr__arg_count(x) / gr__dropout_samples(x); }

/* The counter of block 0 of sample s: what kernel/dropout.h wants. One call of that serves the whole array when the
 * elements of a sample are a multiple of 4, else it takes one call a sample. */
GR__INLINE uint64_t gr__dropout_counter(const gr__control *control, int64_t elements, int64_t s)
{
    uint64_t blocks = ((uint64_t)elements + 3) / 4;
    return ((uint64_t)control->micro_step << 40) + ((uint64_t)control->sample + (uint64_t)s) * blocks;
}

GR__INLINE bool gr__dropout_keeps(uint64_t seed, uint64_t stream, uint64_t counter, int64_t i, double p)
{
    uint32_t number[4];
    gr__philox(seed, stream, counter + (uint64_t)i / 4, number);
    return (double)number[i % 4] >= p * 4294967296.0;
}

#endif
