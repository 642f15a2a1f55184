/* Texts that are nearly the same, for training: words left out, and words that change places (Wei and Zou 2019). */
#ifndef GR__TOKEN_NOISE_H
#define GR__TOKEN_NOISE_H

#include "base/rng.h"

typedef struct gr__token_noise {
    double drop, swap; /* [0, 1): how likely it is for each token */
} gr__token_noise;

/* Changes ids (n) but for the first 'before' and the last 'after'; at least one token stays between them. Returns how many
 * there are now. */
int64_t gr__token_noise_apply(const gr__token_noise *o, gr__rng *r, int32_t *ids, int64_t n, int64_t before,
                              int64_t after);

#endif
