/* Counter-based random numbers (Philox4x32-10; Salmon et al., SC'11): a number is a pure function of
 * (seed, stream, counter). Nothing to save, the same for any number of threads. */
#ifndef GR__RNG_H
#define GR__RNG_H

#include "base/compiler.h"

GR__INLINE void gr__philox(uint64_t key, uint64_t hi, uint64_t lo, uint32_t out[4])
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)lo, c1 = (uint32_t)(lo >> 32), c2 = (uint32_t)hi, c3 = (uint32_t)(hi >> 32);
    for (int r = 0; r < 10; r++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* A generator for host code: stream 'stream' of 'seed', numbers in sequence. */
typedef struct gr__rng {
    uint64_t key, stream, counter;
} gr__rng;

gr__rng gr__rng_make(uint64_t seed, uint64_t stream);
/* For the changes of one sample: streams of two epochs, or of two purposes, have no generator in common. */
gr__rng gr__rng_sample(uint64_t seed, uint64_t stream, uint64_t sample);
uint32_t gr__rng_u32(gr__rng *r);
uint64_t gr__rng_u64(gr__rng *r);
uint64_t gr__rng_below(gr__rng *r, uint64_t n); /* 0 .. n-1, unbiased; n > 0 */
double gr__rng_uniform(gr__rng *r);             /* [0, 1) with 53 bits */
double gr__rng_normal(gr__rng *r);              /* mean 0, variance 1 */

/* Element i of a pseudo-random permutation of 0 .. n-1 chosen by 'seed' (Feistel network, cycle-walking):
 * shuffling without a table, a pure function of (seed, i). */
uint64_t gr__permute(uint64_t seed, uint64_t n, uint64_t i);
/* The 64 bits that 'seed' draws for 'stream': a seed of a permutation. */
uint64_t gr__rng_key(uint64_t seed, uint64_t stream);
/* Which of n rows is number 'sample' of an endless stream that shows each row once in an epoch, in another order in each:
 * that of stream + epoch. */
int64_t gr__rng_row(uint64_t seed, uint64_t stream, int64_t n, int64_t sample);

#endif
