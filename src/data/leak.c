#include "data/leak.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

uint64_t gr__leak_hash(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = seed ^ n, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return gr__hash_stable(p + i, n - i, h);
}

typedef struct place {
    uint64_t hash;
    int64_t at;
} place;

static int by_hash(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

gr_status gr__leak_find(const uint64_t *train, int64_t n_train, const uint64_t *valid, int64_t n_valid, gr__leak *out)
{
    *out = (gr__leak){0};
    if (n_train == 0 || n_valid == 0) return GR_OK;
    size_t bytes = (size_t)n_train * sizeof(place);
    place *sorted = gr__alloc(bytes);
    if (!sorted) return gr__fail_memory("the search for equal samples", bytes);
    for (int64_t i = 0; i < n_train; i++) sorted[i] = (place){train[i], i};
    qsort(sorted, (size_t)n_train, sizeof *sorted, by_hash);
    for (int64_t i = 0; i < n_valid; i++) {
        int64_t low = 0, high = n_train; /* the first that is not below */
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (sorted[middle].hash < valid[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (low == n_train || sorted[low].hash != valid[i]) continue;
        if (out->n++ == 0) out->train = sorted[low].at, out->valid = i;
    }
    gr__free(sorted);
    return GR_OK;
}

const char *gr__leak_note(const gr__leak *leak, const char *what, const char *valid, const char *train,
                          gr__arena *arena)
{
    bool one = leak->n == 1;
    return gr__arena_printf(
        arena, "note: %lld %s%s of the validation part %s in the training part too, the first: %.300s is %.300s again",
        (long long)leak->n, what, one ? "" : "s", one ? "stands" : "stand", valid, train);
}
