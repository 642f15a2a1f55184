#include "base/rng.h"

#include <math.h>

gr__rng gr__rng_make(uint64_t seed, uint64_t stream) { return (gr__rng){seed, stream, 0}; }

uint32_t gr__rng_u32(gr__rng *r)
{
    uint32_t out[4];
    gr__philox(r->key, r->stream, r->counter >> 2, out);
    return out[r->counter++ & 3];
}

uint64_t gr__rng_u64(gr__rng *r)
{
    uint64_t hi = gr__rng_u32(r);
    return hi << 32 | gr__rng_u32(r);
}

uint64_t gr__rng_below(gr__rng *r, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
    do v = gr__rng_u64(r);
    while (v >= limit);
    return v % n;
}

double gr__rng_uniform(gr__rng *r) { return (double)(gr__rng_u64(r) >> 11) * 0x1p-53; }

double gr__rng_normal(gr__rng *r)
{
    double u = gr__rng_uniform(r), v = gr__rng_uniform(r);
    return sqrt(-2 * log1p(-u)) * cos(6.283185307179586476925 * v);
}

uint64_t gr__permute(uint64_t seed, uint64_t n, uint64_t i)
{
    if (n < 2) return 0;
    int half = 1;
    while (half < 32 && (uint64_t)1 << 2 * half < n) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half & mask, right = i & mask;
        for (uint64_t round = 0; round < 6; round++) {
            uint32_t out[4];
            gr__philox(seed, 0x7065726d00000000u | round, right, out);
            uint64_t next = left ^ (((uint64_t)out[1] << 32 | out[0]) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

uint64_t gr__rng_key(uint64_t seed, uint64_t stream)
{
    gr__rng r = gr__rng_make(seed, stream);
    return gr__rng_u64(&r);
}

gr__rng gr__rng_sample(uint64_t seed, uint64_t stream, uint64_t sample)
{
    return gr__rng_make(gr__rng_key(seed, stream), sample);
}

int64_t gr__rng_row(uint64_t seed, uint64_t stream, int64_t n, int64_t sample)
{
    uint64_t rows = (uint64_t)n, epoch = (uint64_t)sample / rows;
    return (int64_t)gr__permute(gr__rng_key(seed, stream + epoch), rows, (uint64_t)sample % rows);
}
