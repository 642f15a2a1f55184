#include "data/token_noise.h"

#include <stdbool.h>

int64_t gr__token_noise_apply(const gr__token_noise *o, gr__rng *r, int32_t *ids, int64_t n, int64_t before,
                              int64_t after)
{
    int64_t end = n - after, to = before;
    for (int64_t i = before; i < end && o->drop > 0; i++) {
        bool last_chance = i == end - 1 && to == before;
        if (last_chance || gr__rng_uniform(r) >= o->drop) ids[to++] = ids[i];
    }
    if (o->drop > 0) {
        for (int64_t i = 0; i < after; i++) ids[to + i] = ids[end + i];
        end = to;
    }
    for (int64_t i = before; i + 1 < end && o->swap > 0; i++) {
        if (gr__rng_uniform(r) >= o->swap) continue;
        int32_t other = ids[i];
        ids[i] = ids[i + 1];
        ids[++i] = other;
    }
    return end + after;
}
