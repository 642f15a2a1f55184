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

/* 'busy' holds the placed slots by their begin. */
static size_t lowest_gap(const gr__placed *busy, size_t n, const gr__placed *s)
{
    size_t at = 0, size = s->end - s->begin;
    for (size_t i = 0; i < n; i++) {
        if (busy[i].last < s->first || busy[i].first > s->last) continue;
        if (busy[i].begin >= at + size) break;
        if (busy[i].end > at) at = busy[i].end;
    }
    return at;
}

gr_status gr__plan_arena(gr_plan *plan)
{
    gr_status status = GR_OK;
    size_t n = 0, n_busy = 0;
    gr__placed *todo = gr__calloc(plan->n_slots + 1, sizeof *todo), *busy = gr__calloc(plan->n_slots + 1, sizeof *busy);
    if (!todo || !busy) GR_TRY_DONE(gr__fail_memory("placing arrays", plan->n_slots * sizeof *todo));
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->slot[i].kind == GR__SLOT_ARENA)
            todo[n++] = (gr__placed){(int32_t)i, 0, (plan->slot[i].bytes + GR__ALIGN - 1) / GR__ALIGN * GR__ALIGN,
                                     plan->slot[i].first, plan->slot[i].last};
    qsort(todo, n, sizeof *todo, larger_first);
    plan->arena_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        gr__placed s = todo[i];
        size_t size = s.end;
        s.begin = lowest_gap(busy, n_busy, &s);
        s.end = s.begin + size;
        size_t at = n_busy++;
        while (at > 0 && busy[at - 1].begin > s.begin) {
            busy[at] = busy[at - 1];
            at--;
        }
        busy[at] = s;
        plan->slot[s.slot].offset = s.begin;
        if (s.end > plan->arena_bytes) plan->arena_bytes = s.end;
    }
done:
    gr__free(todo);
    gr__free(busy);
    return status;
}
