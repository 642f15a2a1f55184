/* Samples of the validation part that stand in the training part too: what is learned by heart is then taken for skill. Equal
 * are those whose bytes are, by a hash of 64 bits. */
#ifndef GR__LEAK_H
#define GR__LEAK_H

#include "base/arena.h"

typedef struct gr__leak {
    int64_t n;            /* how many */
    int64_t train, valid; /* the first of them and what it is equal to, by their places */
} gr__leak;

/* Of a sample, eight bytes at a time: it may be a large picture. 'seed' tells shapes apart. */
uint64_t gr__leak_hash(const void *bytes, size_t n, uint64_t seed);
gr_status gr__leak_find(const uint64_t *train, int64_t n_train, const uint64_t *valid, int64_t n_valid, gr__leak *out);
/* A line for people; what: "picture". NULL: no memory. */
const char *gr__leak_note(const gr__leak *leak, const char *what, const char *valid, const char *train,
                          gr__arena *arena);

#endif
