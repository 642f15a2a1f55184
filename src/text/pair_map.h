/* Hash table from a 64-bit key to a 64-bit value, for pairs of ids. Open addressing; where the slots lie in memory
 * seeds the hash, so that a hostile file cannot choose collisions. Nothing may depend on the order of the slots. */
#ifndef GR__PAIR_MAP_H
#define GR__PAIR_MAP_H

#include "base/alloc.h"

#define GR__PAIR_MAP_EMPTY UINT64_MAX /* not allowed as a key */

typedef struct gr__pair_map_slot {
    uint64_t key, value;
} gr__pair_map_slot;

/* A zeroed table is empty. */
typedef struct gr__pair_map {
    gr__pair_map_slot *slot;
    size_t count, mask; /* mask + 1 slots */
    uint64_t seed;
} gr__pair_map;

GR__INLINE uint64_t gr__pair(uint32_t a, uint32_t b) { return (uint64_t)a << 32 | b; }

GR__INLINE size_t gr__pair_map_home(const gr__pair_map *t, uint64_t key)
{
    uint64_t h = (key ^ t->seed) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32) * 0xD6E8FEB86659FD93u;
    return (size_t)(h ^ h >> 32) & t->mask;
}

/* Borrowed pointer to the value until the next set, or NULL. */
GR__INLINE uint64_t *gr__pair_map_get(const gr__pair_map *t, uint64_t key)
{
    if (t->count == 0) return NULL;
    for (size_t i = gr__pair_map_home(t, key);; i = (i + 1) & t->mask) {
        if (t->slot[i].key == key) return &t->slot[i].value;
        if (t->slot[i].key == GR__PAIR_MAP_EMPTY) return NULL;
    }
}

/* Adds or replaces. */
gr_status gr__pair_map_set(gr__pair_map *t, uint64_t key, uint64_t value);
void gr__pair_map_release(gr__pair_map *t);

#endif
