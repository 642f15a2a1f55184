/* Programs: the entry points of a graph, with what they return, update and guard. */
#include "graph/graph.h"

#include <string.h>

gr__program *gr__program_get(gr_graph *g, const char *name, bool make)
{
    for (size_t i = 0; i < g->n_programs; i++)
        if (strcmp(g->program[i].name, name) == 0) return &g->program[i];
    if (!make) return NULL;
    gr_status s = gr__grow(&g->program, sizeof *g->program, g->n_programs + 1, &g->program_capacity);
    char *copy = s == GR_OK ? gr__arena_strdup(&g->arena, name) : NULL;
    if (!copy) {
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for program '%s'", name);
        return NULL;
    }
    g->program[g->n_programs] = (gr__program){.name = copy};
    return &g->program[g->n_programs++];
}

static bool valid(gr_graph *g, const char *what, gr_value v)
{
    if (g->status != GR_OK) return false;
    if (v >= 1 && (size_t)v <= g->n_values) return true;
    gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: not a value of this graph", what);
    return false;
}

void gr_output(gr_graph *g, const char *program, const char *name, gr_value value)
{
    if (!valid(g, name, value)) return;
    gr__program *p = gr__program_get(g, program, true);
    char *copy = p ? gr__arena_strdup(&g->arena, name) : NULL;
    if (!copy || gr__grow(&p->output, sizeof *p->output, p->n_outputs + 1, &p->output_capacity) != GR_OK) {
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for output '%s'", name);
        return;
    }
    p->output[p->n_outputs++] = (gr__named_value){copy, value};
}

void gr_update(gr_graph *g, const char *program, gr_value state_value, gr_value value)
{
    if (!valid(g, program, state_value) || !valid(g, program, value)) return;
    const gr__value *s = gr__value_get(g, state_value), *v = gr__value_get(g, value);
    gr__program *p = gr__program_get(g, program, true);
    if (!p) return;
    if (s->role != GR__ROLE_STATE) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "program '%s' updates a value that is not a state", program);
        return;
    }
    if (s->dtype != v->dtype || s->rank != v->rank || memcmp(s->dim, v->dim, sizeof s->dim[0] * (size_t)s->rank) != 0) {
        gr__graph_fail(g, GR_ERR_SHAPE, "the update of '%s' has another shape or dtype", s->name);
        return;
    }
    for (size_t i = 0; i < p->n_updates; i++)
        if (p->update[i].state == state_value) {
            gr__graph_fail(g, GR_ERR_ARGUMENT, "program '%s' updates '%s' twice", program, s->name);
            return;
        }
    if (gr__grow(&p->update, sizeof *p->update, p->n_updates + 1, &p->update_capacity) != GR_OK)
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for an update");
    else
        p->update[p->n_updates++] = (gr__update){state_value, value};
}

void gr_guard(gr_graph *g, const char *program, gr_value value)
{
    if (!valid(g, program, value)) return;
    gr__program *p = gr__program_get(g, program, true);
    if (!p) return;
    if (gr__grow(&p->guard, sizeof *p->guard, p->n_guards + 1, &p->guard_capacity) != GR_OK)
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for a guard");
    else
        p->guard[p->n_guards++] = value;
}
