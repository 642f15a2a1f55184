/* Hash map from a name (or bytes) to a number. Keys are copied; insertion order is kept for iteration.
 * The hash is seeded per process, so that a hostile file cannot choose collisions. */
#ifndef GR__MAP_H
#define GR__MAP_H

#include "base/arena.h"

typedef struct gr__map_entry {
    char *key; /* n bytes and a closing 0 */
    size_t n;
    uint64_t hash;
    int64_t value;
} gr__map_entry;

typedef struct gr__map {
    gr__map_entry *entry; /* count of them, in order of insertion */
    size_t count, entry_capacity;
    uint32_t *bucket; /* index + 1, 0 = empty */
    size_t bucket_count;
    gr__arena keys; /* a block for each would be larger than most keys */
} gr__map;

/* Borrowed pointer to the value, or NULL. */
int64_t *gr__map_get(const gr__map *map, const void *key, size_t n);
int64_t *gr__map_get_name(const gr__map *map, const char *key);
/* Adds or replaces; *was_there (may be NULL) says which. */
gr_status gr__map_set(gr__map *map, const void *key, size_t n, int64_t value, bool *was_there);
gr_status gr__map_set_name(gr__map *map, const char *key, int64_t value, bool *was_there);
void gr__map_release(gr__map *map);

/* FNV-1a with a finaliser: stable across runs and machines (random streams, config hashes). */
uint64_t gr__hash_stable(const void *bytes, size_t n, uint64_t seed);

#endif
