#include "base/arena.h"

#include "base/spill.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)16 << 10)

struct gr__arena_chunk {
    struct gr__arena_chunk *next;
    size_t used, size;
    size_t pad;
};

static struct gr__arena_chunk *new_chunk(gr__arena *arena, size_t need)
{
    size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
    if (arena->spills) size = GR__MAX(size, arena->bytes / 2);
    struct gr__arena_chunk *c = arena->spills ? gr__spill_new(1, sizeof *c + size) : gr__alloc(sizeof *c + size);
    if (!c) return NULL;
    *c = (struct gr__arena_chunk){.next = arena->chunk, .size = size};
    arena->chunk = c;
    arena->bytes += size;
    return c;
}

void *gr__arena_alloc(gr__arena *arena, size_t bytes)
{
    size_t need;
    if (!gr__add_size(bytes, 15 + sizeof(struct gr__arena_chunk), &need)) return NULL;
    need = (need - sizeof(struct gr__arena_chunk)) & ~(size_t)15;
    struct gr__arena_chunk *c = arena->chunk;
    if (!c || c->size - c->used < need) c = new_chunk(arena, need);
    if (!c) return NULL;
    void *p = (char *)(c + 1) + c->used;
    c->used += need;
    memset(p, 0, need);
    return p;
}

char *gr__arena_strndup(gr__arena *arena, const char *text, size_t n)
{
    char *copy = gr__arena_alloc(arena, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

char *gr__arena_strdup(gr__arena *arena, const char *text) { return gr__arena_strndup(arena, text, strlen(text)); }

char *gr__arena_printf(gr__arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) return NULL;
    char *text = gr__arena_alloc(arena, (size_t)n + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

void gr__arena_release(gr__arena *arena)
{
    while (arena->chunk) {
        struct gr__arena_chunk *next = arena->chunk->next;
        if (arena->spills)
            gr__spill_free(arena->chunk);
        else
            gr__free(arena->chunk);
        arena->chunk = next;
    }
    arena->bytes = 0;
}
