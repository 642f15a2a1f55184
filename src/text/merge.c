/* Short words (nearly all of them): the rank of every neighbouring pair in an array, scanned for the least: no
 * memory, and faster than any heap. Long ones (a text that is one word): symbols as a linked list and a heap of
 * candidates; those whose symbols have changed since are dropped when they come up. */
#include "text/merge.h"

#include <string.h>

#define SHORT_WORD 48
#define NO_MERGE UINT64_MAX

/* (rank, id) of the pair */
GR__INLINE uint64_t look_up(const gr__pair_map *merge_of, int32_t a, int32_t b)
{
    const uint64_t *found = gr__pair_map_get(merge_of, gr__pair((uint32_t)a, (uint32_t)b));
    return found ? *found : NO_MERGE;
}

static void merge_short(const gr__pair_map *merge_of, int32_t *id, size_t *count)
{
    uint64_t pair[SHORT_WORD]; /* of id[i] and id[i + 1]; comparing it compares ranks first */
    size_t n = *count;
    for (size_t i = 0; i + 1 < n; i++) pair[i] = look_up(merge_of, id[i], id[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (pair[i] < pair[best]) best = i;
        if (pair[best] == NO_MERGE) break;
        id[best] = (int32_t)(uint32_t)pair[best];
        n--;
        memmove(id + best + 1, id + best + 2, (n - best - 1) * sizeof *id);
        if (best + 1 < n) {
            memmove(pair + best + 1, pair + best + 2, (n - best - 2) * sizeof *pair);
            pair[best] = look_up(merge_of, id[best], id[best + 1]);
        }
        if (best > 0) pair[best - 1] = look_up(merge_of, id[best - 1], id[best]);
    }
    *count = n;
}

struct gr__symbol {
    int32_t id; /* -1: joined to the one before */
    uint32_t before, after;
};

struct gr__candidate {
    uint32_t rank, at;
    int32_t a, b, id;
};

typedef struct gr__symbol symbol;
typedef struct gr__candidate candidate;

#define NONE UINT32_MAX

static bool less(const candidate *x, const candidate *y)
{
    return x->rank != y->rank ? x->rank < y->rank : x->at < y->at;
}

static gr_status push(gr__merge_room *room, const gr__pair_map *merge_of, uint32_t at, uint32_t next)
{
    int32_t a = room->symbol[at].id, b = room->symbol[next].id;
    uint64_t found = look_up(merge_of, a, b);
    if (found == NO_MERGE) return GR_OK;
    GR_TRY(gr__grow(&room->heap, sizeof *room->heap, room->n_heap + 1, &room->heap_capacity));
    candidate fresh = {(uint32_t)(found >> 32), at, a, b, (int32_t)(uint32_t)found};
    size_t i = room->n_heap++;
    for (; i > 0 && less(&fresh, &room->heap[(i - 1) / 2]); i = (i - 1) / 2) room->heap[i] = room->heap[(i - 1) / 2];
    room->heap[i] = fresh;
    return GR_OK;
}

static candidate pop(gr__merge_room *room)
{
    candidate *heap = room->heap, top = heap[0], last = heap[--room->n_heap];
    size_t i = 0, n = room->n_heap;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && less(&heap[child + 1], &heap[child])) child++;
        if (!less(&heap[child], &last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static gr_status merge_long(const gr__pair_map *merge_of, gr__merge_room *room, int32_t *id, size_t *count)
{
    size_t n = *count;
    GR_FAIL_IF(n >= NONE, GR_ERR_LIMIT, "a word of %zu symbols is too long; cut the text into documents", n);
    GR_TRY(gr__grow(&room->symbol, sizeof *room->symbol, n, &room->symbol_capacity));
    symbol *s = room->symbol;
    for (uint32_t i = 0; i < n; i++) s[i] = (symbol){id[i], i ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE};
    room->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++) GR_TRY(push(room, merge_of, i, i + 1));
    while (room->n_heap > 0) {
        candidate c = pop(room);
        uint32_t next = s[c.at].after;
        if (s[c.at].id != c.a || next == NONE || s[next].id != c.b) continue;
        s[c.at].id = c.id;
        s[next].id = -1;
        s[c.at].after = s[next].after;
        if (s[next].after != NONE) {
            s[s[next].after].before = c.at;
            GR_TRY(push(room, merge_of, c.at, s[next].after));
        }
        if (s[c.at].before != NONE) GR_TRY(push(room, merge_of, s[c.at].before, c.at));
    }
    *count = 0;
    for (uint32_t i = 0; i < n; i++)
        if (s[i].id >= 0) id[(*count)++] = s[i].id;
    return GR_OK;
}

gr_status gr__merge_word(const gr__pair_map *merge_of, gr__merge_room *room, int32_t *id, size_t *n)
{
    if (merge_of->count == 0 || *n < 2) return GR_OK;
    if (*n > SHORT_WORD) return merge_long(merge_of, room, id, n);
    merge_short(merge_of, id, n);
    return GR_OK;
}

void gr__merge_room_release(gr__merge_room *room)
{
    gr__free(room->symbol);
    gr__free(room->heap);
    *room = (gr__merge_room){0};
}
