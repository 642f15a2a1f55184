/* Many small things that die together: graphs, configuration trees, plans.
 *
 *   chunk: | next, used, size | things ................ free |
 */
#ifndef GR__ARENA_H
#define GR__ARENA_H

#include "base/alloc.h"

typedef struct gr__arena {
    struct gr__arena_chunk *chunk;
    size_t bytes; /* of all chunks */
    bool
        spills; /* set before the first thing: for what may be larger than memory; chunks grow, and large ones spill (spill.h) */
} gr__arena;

/* Cleared memory, 16-byte aligned, valid until release; NULL on failure. A zeroed arena is ready for use. */
void *gr__arena_alloc(gr__arena *arena, size_t bytes);
char *gr__arena_strndup(gr__arena *arena, const char *text, size_t n);
char *gr__arena_strdup(gr__arena *arena, const char *text);
char *gr__arena_printf(gr__arena *arena, const char *format, ...) GR_PRINTF(2, 3);
void gr__arena_release(gr__arena *arena);

#endif
