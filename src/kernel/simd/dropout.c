/* Dropout from Philox counters (base/rng.h is the specification), a vector of counters at a time. */
#include "kernel/dropout.h"

#include "base/rng.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"

enum { COUNTERS = 16, BATCH = 4 * COUNTERS };

/* word[4*i + w] for the GR__W counters that start at 'at' */
static void philox_vector(uint64_t key, uint64_t stream, uint64_t at, uint32_t *word)
{
    uint32_t low[GR__W], high[GR__W], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (uint32_t i = 0; i < GR__W; i++) {
        low[i] = (uint32_t)(at + i);
        high[i] = (uint32_t)((at + i) >> 32);
    }
    vi c0 = iload((const int32_t *)low), c1 = iload((const int32_t *)high);
    vi c2 = iset((int32_t)(uint32_t)stream), c3 = iset((int32_t)(uint32_t)(stream >> 32));
    for (int round = 0; round < 10; round++) {
        vi a_low, a_high, b_low, b_high;
        imul_wide(c0, 0xD2511F53u, &a_low, &a_high);
        imul_wide(c2, 0xCD9E8D57u, &b_low, &b_high);
        c0 = ixor(ixor(b_high, c1), iset((int32_t)k0));
        c2 = ixor(ixor(a_high, c3), iset((int32_t)k1));
        c1 = b_low;
        c3 = a_low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    vi c[4] = {c0, c1, c2, c3};
    uint32_t lane[4][GR__W];
    memcpy(lane, c, sizeof lane);
    for (int i = 0; i < GR__W; i++)
        for (int w = 0; w < 4; w++) word[4 * i + w] = lane[w][i];
}

/* 'first' is a multiple of BATCH. */
void GR__KERNEL(dropout)(const void *args, int64_t first, int64_t last)
{
    const gr__dropout *d = args;
    gr__rows x = {(void *)(uintptr_t)d->x, d->dtype, 0}, y = {d->y, d->dtype, 0};
    gr__rows add = {(void *)(uintptr_t)d->add, d->dtype, 0};
    uint32_t limit = d->p < 1 ? (uint32_t)(d->p * 0x1p32) : 0; /* p = 1: the scale is 0 */
    float scale = d->p < 1 ? (float)(1 / (1 - d->p)) : 0, factor[BATCH], tx[BATCH], ta[BATCH], ty[BATCH];
    uint32_t word[BATCH];
    for (int64_t at = first; at < last; at += BATCH) {
        int64_t n = GR__MIN(BATCH, last - at);
        for (int64_t i = 0; i < COUNTERS; i += GR__W)
            philox_vector(d->key, d->stream, d->counter + (uint64_t)(at / 4 + i), word + 4 * i);
        for (int i = 0; i < BATCH; i++) factor[i] = word[i] >= limit ? scale : 0;
        const float *from = tile_load(&x, 0, at, n, 0, tx), *plus = add.data ? tile_load(&add, 0, at, n, 0, ta) : NULL;
        float *to = tile_open(&y, 0, at, n, ty);
        for (int64_t i = 0; i < n; i += GR__W) {
            vf keep = vload(factor + i), v = vselect(vgt(keep, vzero()), vload(from + i) * keep, vzero());
            if (plus) v = v + vload(plus + i);
            vstore(to + i, v);
        }
        tile_store(&y, 0, at, n, to);
    }
}
