#include "base/map.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

uint64_t gr__hash_stable(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static uint64_t process_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t s = atomic_load(&seed);
    if (s) return s;
    uint64_t fresh = 0;
    if (getrandom(&fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh) fresh = (uintptr_t)&seed;
    fresh |= 1;
    atomic_compare_exchange_strong(&seed, &s, fresh);
    return atomic_load(&seed);
}

static uint32_t *find(const gr__map *map, const void *key, size_t n, uint64_t hash)
{
    size_t mask = map->bucket_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t at = map->bucket[i];
        if (at == 0) return &map->bucket[i];
        const gr__map_entry *e = &map->entry[at - 1];
        if (e->hash == hash && e->n == n && memcmp(e->key, key, n) == 0) return &map->bucket[i];
    }
}

static gr_status rehash(gr__map *map, size_t buckets)
{
    uint32_t *fresh = gr__calloc(buckets, sizeof *fresh);
    if (!fresh) return gr__fail_memory("a table of names", buckets * sizeof *fresh);
    gr__free(map->bucket);
    map->bucket = fresh;
    map->bucket_count = buckets;
    for (size_t i = 0; i < map->count; i++) {
        size_t b = map->entry[i].hash & (buckets - 1);
        while (fresh[b]) b = (b + 1) & (buckets - 1);
        fresh[b] = (uint32_t)(i + 1);
    }
    return GR_OK;
}

int64_t *gr__map_get(const gr__map *map, const void *key, size_t n)
{
    if (map->count == 0) return NULL;
    uint32_t at = *find(map, key, n, gr__hash_stable(key, n, process_seed()));
    return at ? &map->entry[at - 1].value : NULL;
}

int64_t *gr__map_get_name(const gr__map *map, const char *key) { return gr__map_get(map, key, strlen(key)); }

gr_status gr__map_set(gr__map *map, const void *key, size_t n, int64_t value, bool *was_there)
{
    uint64_t hash = gr__hash_stable(key, n, process_seed());
    if (was_there) *was_there = false;
    if ((map->count + 1) * 4 > map->bucket_count * 3)
        GR_TRY(rehash(map, map->bucket_count ? map->bucket_count * 2 : 16));
    uint32_t *slot = find(map, key, n, hash);
    if (*slot) {
        map->entry[*slot - 1].value = value;
        if (was_there) *was_there = true;
        return GR_OK;
    }
    GR_FAIL_IF(map->count >= UINT32_MAX - 1, GR_ERR_LIMIT, "a table of names is full");
    GR_TRY(gr__grow(&map->entry, sizeof *map->entry, map->count + 1, &map->entry_capacity));
    char *copy = gr__arena_strndup(&map->keys, key, n);
    if (!copy) return gr__fail_memory("a name", n);
    map->entry[map->count++] = (gr__map_entry){copy, n, hash, value};
    *slot = (uint32_t)map->count;
    return GR_OK;
}

gr_status gr__map_set_name(gr__map *map, const char *key, int64_t value, bool *was_there)
{
    return gr__map_set(map, key, strlen(key), value, was_there);
}

void gr__map_release(gr__map *map)
{
    gr__arena_release(&map->keys);
    gr__free(map->entry);
    gr__free(map->bucket);
    *map = (gr__map){0};
}
