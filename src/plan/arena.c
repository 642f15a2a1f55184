/* Offsets: larger slots first, each at the lowest place where no slot of an overlapping life is
 * (Pisarchyk and Lee 2020, greedy by size). */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct gr__placed {
    int32_t slot;
    size_t begin, end;
    int32_t first, last;
} gr__placed;

static int larger_first(const void *a, const void *b)
{
    const gr__placed *x = a, *y = b;
    size_t sx = x->end - x->begin, sy = y->end - y->begin;
    if (sx != sy) return sx > sy ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* Placed slots, by their begin. A slot looks at a whole shelf at once where none of its slots lives at the same time, or all
 * of them do. */
enum { SHELF = 128 };

typedef struct gr__shelf {
    int n;
    int32_t least_first, most_first, least_last, most_last;
    size_t end, gap; /* the largest end; the widest room between two of them */
    gr__placed item[SHELF];
} gr__shelf;

static void sum_up(gr__shelf *h)
{
    const gr__placed *s = h->item;
    h->least_first = h->most_first = s->first;
    h->least_last = h->most_last = s->last;
    h->end = s->end;
    h->gap = 0;
    for (int i = 1; i < h->n; i++) {
        s = &h->item[i];
        h->least_first = GR__MIN(h->least_first, s->first);
        h->most_first = GR__MAX(h->most_first, s->first);
        h->least_last = GR__MIN(h->least_last, s->last);
        h->most_last = GR__MAX(h->most_last, s->last);
        if (s->begin > h->end) h->gap = GR__MAX(h->gap, s->begin - h->end);
        h->end = GR__MAX(h->end, s->end);
    }
}

static size_t lowest_gap(gr__shelf *const *shelf, size_t n, const gr__placed *s)
{
    size_t at = 0, size = s->end - s->begin;
    for (size_t i = 0; i < n; i++) {
        const gr__shelf *h = shelf[i];
        if (h->item[0].begin >= at + size) break;
        if (h->most_last < s->first || h->least_first > s->last) continue;
        if (h->least_last >= s->first && h->most_first <= s->last && h->gap < size) {
            at = GR__MAX(at, h->end);
            continue;
        }
        for (int k = 0; k < h->n; k++) {
            const gr__placed *busy = &h->item[k];
            if (busy->last < s->first || busy->first > s->last) continue;
            if (busy->begin >= at + size) return at;
            at = GR__MAX(at, busy->end);
        }
    }
    return at;
}

static gr_status put(gr__shelf **shelf, size_t *n, const gr__placed *s)
{
    size_t i = *n;
    while (i > 1 && shelf[i - 1]->item[0].begin > s->begin) i--;
    gr__shelf *h = i ? shelf[i - 1] : NULL;
    if (!h || h->n == SHELF) { /* its upper half moves to a new one */
        gr__shelf *upper = gr__calloc(1, sizeof *upper);
        if (!upper) return gr__fail_memory("placing arrays", sizeof *upper);
        memmove(shelf + i + 1, shelf + i, (*n - i) * sizeof *shelf);
        shelf[i] = upper;
        ++*n;
        if (h) {
            h->n = upper->n = SHELF / 2;
            memcpy(upper->item, h->item + SHELF / 2, sizeof *h->item * SHELF / 2);
            sum_up(h);
            sum_up(upper);
        }
        if (!h || upper->item[0].begin <= s->begin) h = upper;
    }
    int at = h->n++;
    for (; at > 0 && h->item[at - 1].begin > s->begin; at--) h->item[at] = h->item[at - 1];
    h->item[at] = *s;
    sum_up(h);
    return GR_OK;
}

gr_status gr__plan_arena(gr_plan *plan)
{
    gr_status status = GR_OK;
    size_t n = 0, n_shelves = 0;
    gr__placed *todo = gr__calloc(plan->n_slots + 1, sizeof *todo);
    gr__shelf **shelf = gr__calloc(plan->n_slots / (SHELF / 2) + 2, sizeof *shelf);
    if (!todo || !shelf) GR_TRY_DONE(gr__fail_memory("placing arrays", plan->n_slots * sizeof *todo));
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->slot[i].kind == GR__SLOT_ARENA)
            todo[n++] = (gr__placed){(int32_t)i, 0, (plan->slot[i].bytes + GR__ALIGN - 1) / GR__ALIGN * GR__ALIGN,
                                     plan->slot[i].first, plan->slot[i].last};
    qsort(todo, n, sizeof *todo, larger_first);
    plan->arena_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        gr__placed s = todo[i];
        size_t size = s.end;
        s.begin = lowest_gap(shelf, n_shelves, &s);
        s.end = s.begin + size;
        GR_TRY_DONE(put(shelf, &n_shelves, &s));
        plan->slot[s.slot].offset = s.begin;
        if (s.end > plan->arena_bytes) plan->arena_bytes = s.end;
    }
done:
    gr__free(todo);
    for (size_t i = 0; i < n_shelves; i++) gr__free(shelf[i]);
    gr__free(shelf);
    return status;
}
