/* Two pictures become mixtures of both, and so must their labels. */
#ifndef GR__MIX_H
#define GR__MIX_H

#include "base/rng.h"

/* mixup > 0: all of a pixel's mixture, shares drawn from Beta(mixup, mixup) (Zhang et al. 2017); cutmix > 0: a rectangle
 * changes places, its area drawn likewise (Yun et al. 2019); both: one of them by the throw of a coin. a, b (H, W, C). Returns
 * the share of each picture's own in itself; the rest is the other's. */
double gr__mix_pair(gr__rng *r, double mixup, double cutmix, int64_t height, int64_t width, int64_t channels, float *a,
                    float *b);

#endif
