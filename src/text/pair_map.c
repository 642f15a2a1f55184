#include "text/pair_map.h"

#include <string.h>

static void put(gr__pair_map *t, uint64_t key, uint64_t value)
{
    size_t i = gr__pair_map_home(t, key);
    while (t->slot[i].key != GR__PAIR_MAP_EMPTY) i = (i + 1) & t->mask;
    t->slot[i] = (gr__pair_map_slot){key, value};
}

static gr_status grow(gr__pair_map *t)
{
    size_t slots = t->slot ? (t->mask + 1) * 2 : 64, bytes;
    gr__pair_map fresh = {.count = t->count, .mask = slots - 1};
    if (!gr__mul_size(slots, sizeof *t->slot, &bytes) || !(fresh.slot = gr__alloc(bytes)))
        return gr__fail_memory("a table of pairs", slots * sizeof *t->slot);
    memset(fresh.slot, 0xFF, bytes);
    fresh.seed = (uintptr_t)fresh.slot * 0xFF51AFD7ED558CCDu;
    if (t->slot)
        for (size_t i = 0; i <= t->mask; i++)
            if (t->slot[i].key != GR__PAIR_MAP_EMPTY) put(&fresh, t->slot[i].key, t->slot[i].value);
    gr__free(t->slot);
    *t = fresh;
    return GR_OK;
}

gr_status gr__pair_map_set(gr__pair_map *t, uint64_t key, uint64_t value)
{
    uint64_t *old = gr__pair_map_get(t, key);
    if (old) {
        *old = value;
        return GR_OK;
    }
    if (!t->slot || t->count + 1 > (t->mask + 1) / 2) GR_TRY(grow(t));
    put(t, key, value);
    t->count++;
    return GR_OK;
}

void gr__pair_map_release(gr__pair_map *t)
{
    gr__free(t->slot);
    *t = (gr__pair_map){0};
}
