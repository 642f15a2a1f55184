#include "text/word_cache.h"

#include "base/alloc.h"

#define SLOTS ((size_t)1 << 15)
#define NEAR 4 /* slots that are looked at */
#define TEXT_BYTES ((uint32_t)512 << 10)
#define IDS ((uint32_t)128 << 10)

gr_status gr__word_cache_init(gr__word_cache *cache)
{
    *cache = (gr__word_cache){.slot = gr__calloc(SLOTS, sizeof *cache->slot),
                              .text = gr__alloc(TEXT_BYTES),
                              .id = gr__alloc(IDS * sizeof *cache->id)};
    if (cache->slot && cache->text && cache->id) {
        cache->seed = (uintptr_t)cache->slot;
        return GR_OK;
    }
    gr__word_cache_release(cache);
    return gr__fail_memory("a cache of words", SLOTS * sizeof *cache->slot + TEXT_BYTES + IDS * sizeof *cache->id);
}

void gr__word_cache_release(gr__word_cache *cache)
{
    gr__free(cache->slot);
    gr__free(cache->text);
    gr__free(cache->id);
    *cache = (gr__word_cache){0};
}

uint64_t gr__word_hash(const gr__word_cache *cache, const char *word, size_t n)
{
    uint64_t h = (cache->seed ^ n) * 0x9E3779B97F4A7C15u;
    for (; n > 0;) {
        uint64_t eight = 0;
        size_t take = n < sizeof eight ? n : sizeof eight;
        memcpy(&eight, word, take);
        h = (h ^ eight) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
        word += take;
        n -= take;
    }
    return h | 1;
}

const int32_t *gr__word_cache_get(const gr__word_cache *cache, uint64_t hash, const char *word, size_t n, size_t *n_ids)
{
    for (size_t i = 0; i < NEAR; i++) {
        const gr__cached_word *slot = &cache->slot[((hash >> 20) + i) & (SLOTS - 1)];
        if (slot->hash != hash || slot->n_text != n || memcmp(cache->text + slot->text, word, n) != 0) continue;
        *n_ids = slot->n_ids;
        return cache->id + slot->id;
    }
    return NULL;
}

void gr__word_cache_put(gr__word_cache *cache, uint64_t hash, const char *word, size_t n, const int32_t *id,
                        size_t n_ids)
{
    if (n > GR__CACHED_WORD_BYTES || n_ids > GR__CACHED_WORD_BYTES) return;
    if (cache->n_text + n > TEXT_BYTES || cache->n_ids + n_ids > IDS) {
        memset(cache->slot, 0, SLOTS * sizeof *cache->slot);
        cache->n_text = cache->n_ids = 0;
    }
    size_t home = hash >> 20, at = home & (SLOTS - 1);
    for (size_t i = 0; i < NEAR && cache->slot[at].hash; i++) at = (home + i) & (SLOTS - 1);
    memcpy(cache->text + cache->n_text, word, n);
    memcpy(cache->id + cache->n_ids, id, n_ids * sizeof *id);
    cache->slot[at] = (gr__cached_word){hash, cache->n_text, cache->n_ids, (uint16_t)n, (uint16_t)n_ids};
    cache->n_text += (uint32_t)n;
    cache->n_ids += (uint32_t)n_ids;
}
