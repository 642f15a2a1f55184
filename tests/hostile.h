/* What the tests of every parser do with it: cut its input at each byte, change bytes of it, fail each allocation once.
 * The parser sees a heap copy of exactly n bytes, so that the sanitizer finds a read past its end. */
#ifndef GR_HOSTILE_H
#define GR_HOSTILE_H

#include "tests/test.h"

#include "base/limits.h"
#include "base/rng.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

/* Parses and throws away what it got. */
typedef gr_status (*hostile_fn)(const unsigned char *bytes, size_t n, void *user);

static inline gr_status hostile_try(hostile_fn fn, const unsigned char *bytes, size_t n, void *user)
{
    unsigned char *copy = malloc(n ? n : 1);
    size_t before = gr_memory_used_bytes();
    if (n) memcpy(copy, bytes, n);
    gr_memory_reset_peak();
    gr_status status = fn(copy, n, user);
    assert_int_equal(gr_memory_used_bytes(), before);
    if (gr_memory_peak_bytes() - before > GR__LIMIT_PARSE_EXTRA_BYTES + n)
        fail_msg("%zu bytes of input took %zu: %s", n, gr_memory_peak_bytes() - before, gr_message());
    if (status != GR_OK && status != GR_ERR_CORRUPT && status != GR_ERR_LIMIT && status != GR_ERR_UNSUPPORTED &&
        status != GR_ERR_DATA)
        fail_msg("%s: %s", gr_status_name(status), gr_message());
    if (status != GR_OK && gr_message()[0] == 0) fail_msg("a failure without a sentence");
    free(copy);
    return status;
}

/* Every cut must be refused; 'may_pass' bytes may be missing at the end. */
static inline GR__UNUSED void hostile_cuts(hostile_fn fn, const void *bytes, size_t n, size_t may_pass, void *user)
{
    for (size_t k = 0; k < n; k++)
        if (hostile_try(fn, bytes, k, user) == GR_OK && k + may_pass < n) fail_msg("%zu of %zu bytes passed", k, n);
}

/* 'count' mutants: 1 to 4 bytes changed, now and then to a value that is an edge of something. */
static inline GR__UNUSED void hostile_flips(hostile_fn fn, const void *bytes, size_t n, uint64_t count, void *user)
{
    static const unsigned char edge[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, '0', '"'};
    unsigned char *mutant = malloc(n);
    for (uint64_t seed = 0; seed < count; seed++) {
        gr__rng r = gr__rng_make(77, seed);
        memcpy(mutant, bytes, n);
        for (uint64_t k = 1 + gr__rng_below(&r, 4); k > 0; k--) {
            /* half of them near the start, where the headers are */
            uint64_t at = gr__rng_below(&r, gr__rng_below(&r, 2) && n > 64 ? 64 : n);
            mutant[at] = gr__rng_below(&r, 2) ? edge[gr__rng_below(&r, sizeof edge)] : (unsigned char)gr__rng_u32(&r);
        }
        hostile_try(fn, mutant, n, user);
    }
    free(mutant);
}

/* ---- every allocation fails once ---- */

typedef struct hostile_allocator {
    size_t at, n;
} hostile_allocator;

static inline void *hostile_resize(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    hostile_allocator *f = user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (f->n++ == f->at) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

/* fn must give GR_ERR_MEMORY each time, leak nothing, and succeed when nothing fails. */
static inline GR__UNUSED void hostile_allocations(gr_status (*fn)(void *user), void *user)
{
    size_t before = gr_memory_used_bytes();
    for (size_t at = 0, done = 0; !done; at++) {
        hostile_allocator f = {.at = at};
        gr_allocator allocator = {hostile_resize, &f};
        gr_set_allocator(&allocator);
        gr_status status = fn(user);
        done = f.n <= at;
        gr_set_allocator(NULL);
        if (status != (done ? GR_OK : GR_ERR_MEMORY))
            fail_msg("allocation %zu: %s: %s", at, gr_status_name(status), gr_message());
        assert_int_equal(gr_memory_used_bytes(), before);
    }
}

#endif
