#include "text/table.h"

#include <string.h>

static void put(gr__table *t, uint64_t key, uint64_t value)
{
    size_t i = gr__table_home(t, key);
    while (t->slot[i].key != GR__TABLE_EMPTY) i = (i + 1) & t->mask;
    t->slot[i] = (gr__table_slot){key, value};
}

static gr_status grow(gr__table *t)
{
    size_t slots = t->slot ? (t->mask + 1) * 2 : 64, bytes;
    gr__table fresh = {.count = t->count, .mask = slots - 1};
    if (!gr__mul_size(slots, sizeof *t->slot, &bytes) || !(fresh.slot = gr__alloc(bytes)))
        return gr__fail_memory("a table of pairs", slots * sizeof *t->slot);
    memset(fresh.slot, 0xFF, bytes);
    fresh.seed = (uintptr_t)fresh.slot * 0xFF51AFD7ED558CCDu;
    if (t->slot)
        for (size_t i = 0; i <= t->mask; i++)
            if (t->slot[i].key != GR__TABLE_EMPTY) put(&fresh, t->slot[i].key, t->slot[i].value);
    gr__free(t->slot);
    *t = fresh;
    return GR_OK;
}

gr_status gr__table_set(gr__table *t, uint64_t key, uint64_t value)
{
    uint64_t *old = gr__table_get(t, key);
    if (old) {
        *old = value;
        return GR_OK;
    }
    if (!t->slot || t->count + 1 > (t->mask + 1) / 2) GR_TRY(grow(t));
    put(t, key, value);
    t->count++;
    return GR_OK;
}

void gr__table_release(gr__table *t)
{
    gr__free(t->slot);
    *t = (gr__table){0};
}
