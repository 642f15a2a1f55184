#include "base/distinct.h"

#include "base/alloc.h"

#define MOST ((size_t)1 << 20)

static bool is_kept(const gr__distinct *d, uint64_t hash) { return (hash & (((uint64_t)1 << d->level) - 1)) == 0; }

/* 0 stands for an empty slot. Places come from the upper bits: the last ones are all 0 at a higher level. */
static uint64_t *find(const gr__distinct *d, uint64_t hash)
{
    size_t mask = d->capacity - 1, at = (size_t)(hash >> 32) & mask;
    while (d->slot[at] && d->slot[at] != hash) at = (at + 1) & mask;
    return &d->slot[at];
}

static uint64_t not_zero(uint64_t hash) { return hash ? hash : (uint64_t)1 << 63; }

static gr_status move(gr__distinct *d, size_t capacity)
{
    gr__distinct fresh = {.slot = gr__calloc(capacity, sizeof *fresh.slot), .capacity = capacity, .level = d->level};
    if (!fresh.slot) return gr__fail_memory("a count of different values", capacity * sizeof *fresh.slot);
    for (size_t i = 0; i < d->capacity; i++)
        if (d->slot[i] && is_kept(&fresh, d->slot[i])) {
            *find(&fresh, d->slot[i]) = d->slot[i];
            fresh.count++;
        }
    gr__free(d->slot);
    *d = fresh;
    return GR_OK;
}

gr_status gr__distinct_add(gr__distinct *d, uint64_t hash, bool *before)
{
    hash = not_zero(hash);
    if (before) *before = false;
    if (!is_kept(d, hash)) return GR_OK;
    if (2 * d->count >= d->capacity && d->capacity < 2 * MOST) GR_TRY(move(d, d->capacity ? 2 * d->capacity : 256));
    while (d->count >= MOST) {
        d->level++;
        GR_TRY(move(d, d->capacity));
    }
    if (!is_kept(d, hash)) return GR_OK;
    uint64_t *slot = find(d, hash);
    if (before) *before = *slot != 0;
    d->count += *slot == 0;
    *slot = hash;
    return GR_OK;
}

bool gr__distinct_has(const gr__distinct *d, uint64_t hash)
{
    hash = not_zero(hash);
    return d->count > 0 && is_kept(d, hash) && *find(d, hash) != 0;
}

int64_t gr__distinct_scale(const gr__distinct *d, int64_t n) { return (int64_t)((uint64_t)n << d->level); }
int64_t gr__distinct_count(const gr__distinct *d) { return gr__distinct_scale(d, (int64_t)d->count); }

void gr__distinct_release(gr__distinct *d)
{
    gr__free(d->slot);
    *d = (gr__distinct){0};
}
