/* Dropout from Philox counters (base/rng.h is the specification), 16 counters at a time in plain loops that the compiler
 * turns into vector multiplies. */
#include "kernel/dropout.h"

#include "base/rng.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"

enum { COUNTERS = 16, BATCH = 4 * COUNTERS };

/* out[4*i + word] for counters at .. at+15 */
static void philox16(uint64_t key, uint64_t stream, uint64_t at, uint32_t out[BATCH])
{
    uint32_t c0[COUNTERS], c1[COUNTERS], c2[COUNTERS], c3[COUNTERS];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        c0[i] = (uint32_t)(at + i);
        c1[i] = (uint32_t)((at + i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < COUNTERS; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)b;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < COUNTERS; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

/* 'first' is a multiple of BATCH. */
void GR__KERNEL(dropout)(const void *args, int64_t first, int64_t last)
{
    const gr__dropout *d = args;
    gr__rows x = {(void *)(uintptr_t)d->x, d->dtype, 0}, y = {d->y, d->dtype, 0};
    gr__rows add = {(void *)(uintptr_t)d->add, d->dtype, 0};
    uint64_t limit = d->p >= 1 ? UINT64_C(1) << 32 : (uint64_t)(d->p * 0x1p32);
    float scale = d->p < 1 ? (float)(1 / (1 - d->p)) : 0, factor[BATCH], tx[BATCH], ta[BATCH], ty[BATCH];
    uint32_t word[BATCH];
    for (int64_t at = first; at < last; at += BATCH) {
        int64_t n = GR__MIN(BATCH, last - at);
        philox16(d->key, d->stream, d->counter + (uint64_t)at / 4, word);
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
