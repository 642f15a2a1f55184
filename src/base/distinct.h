/* How many different things there were, by their hashes of 64 bits, in at most 16 MiB: exact to a million of them, then of a
 * share of all hashes (Wegman's adaptive sampling: Flajolet 1990), about 0.1 % off. */
#ifndef GR__DISTINCT_H
#define GR__DISTINCT_H

#include "base/status.h"

typedef struct gr__distinct {
    uint64_t *slot; /* capacity, a power of 2; 0: empty */
    size_t capacity, count;
    int level; /* hashes whose last 'level' bits are 0 are kept */
} gr__distinct;

/* *before (may be NULL): it was there, which is known of those that are kept only. GR_ERR_MEMORY. */
gr_status gr__distinct_add(gr__distinct *d, uint64_t hash, bool *before);
bool gr__distinct_has(const gr__distinct *d, uint64_t hash);
/* A number of things that were counted among those that are kept, of all. */
int64_t gr__distinct_scale(const gr__distinct *d, int64_t n);
int64_t gr__distinct_count(const gr__distinct *d);
void gr__distinct_release(gr__distinct *d);

#endif
