/* Who reads each value: a replacement costs what it changes, not a walk over the graph. */
#include "graph/graph.h"

#include <string.h>

static gr_status add(gr__uses *u, gr_value *at)
{
    if (!*at) return GR_OK;
    GR_TRY(gr__grow(&u->use, sizeof *u->use, u->n + 1, &u->capacity));
    u->use[u->n] = (gr__use){at, u->first[*at - 1]};
    u->first[*at - 1] = (int32_t)++u->n;
    return GR_OK;
}

/* The values and nodes that are new since the last time. */
static gr_status catch_up(gr__uses *u)
{
    const gr_graph *g = u->g;
    GR_TRY(gr__grow(&u->first, sizeof *u->first, g->n_values, &u->first_capacity));
    if (g->n_values > u->n_values) memset(u->first + u->n_values, 0, (g->n_values - u->n_values) * sizeof *u->first);
    u->n_values = g->n_values;
    for (; u->n_nodes < g->n_nodes; u->n_nodes++)
        for (int k = 0; k < g->node[u->n_nodes].n_in; k++) GR_TRY(add(u, &g->node[u->n_nodes].in[k]));
    return GR_OK;
}

gr_status gr__uses_find(gr__uses *u, gr_graph *g)
{
    *u = (gr__uses){.g = g};
    GR_TRY(catch_up(u));
    for (size_t p = 0; p < g->n_programs; p++) {
        const gr__program *pr = &g->program[p];
        for (size_t i = 0; i < pr->n_outputs; i++) GR_TRY(add(u, &pr->output[i].value));
        for (size_t i = 0; i < pr->n_updates; i++) GR_TRY(add(u, &pr->update[i].value));
        for (size_t i = 0; i < pr->n_guards; i++) GR_TRY(add(u, &pr->guard[i]));
    }
    return GR_OK;
}

gr_status gr__uses_replace(gr__uses *u, gr_value from, gr_value to)
{
    if (from == to) return GR_OK;
    GR_TRY(catch_up(u));
    int32_t *last = &u->first[from - 1];
    for (; *last; last = &u->use[*last - 1].next) *u->use[*last - 1].at = to;
    *last = u->first[to - 1];
    u->first[to - 1] = u->first[from - 1];
    u->first[from - 1] = 0;
    return GR_OK;
}

void gr__uses_release(gr__uses *u)
{
    gr__free(u->use);
    gr__free(u->first);
    *u = (gr__uses){0};
}
