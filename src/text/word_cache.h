/* Ids of words seen before. A word that finds no place near its home slot pushes another one out; when the texts
 * fill the room, all is forgotten: it is a cache, its size is fixed, its content never changes a result. */
#ifndef GR__WORD_CACHE_H
#define GR__WORD_CACHE_H

#include "base/status.h"

#include <string.h>

#define GR__CACHED_WORD_BYTES 64 /* longer words are rare */

typedef struct gr__cached_word {
    uint64_t hash;     /* 0: empty */
    uint32_t text, id; /* where they start */
    uint16_t n_text, n_ids;
} gr__cached_word;

typedef struct gr__word_cache {
    gr__cached_word *slot;
    char *text;
    int32_t *id;
    uint32_t n_text, n_ids;
    uint64_t seed;
} gr__word_cache;

gr_status gr__word_cache_init(gr__word_cache *cache);
void gr__word_cache_release(gr__word_cache *cache);

/* Hash of 1 to GR__CACHED_WORD_BYTES bytes, never 0. */
uint64_t gr__word_hash(const gr__word_cache *cache, const char *word, size_t n);
/* Borrowed until the next put; NULL where the word is not known. */
const int32_t *gr__word_cache_get(const gr__word_cache *cache, uint64_t hash, const char *word, size_t n,
                                  size_t *n_ids);
void gr__word_cache_put(gr__word_cache *cache, uint64_t hash, const char *word, size_t n, const int32_t *id,
                        size_t n_ids);

#endif
