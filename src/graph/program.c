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

/* The program that 'builder' puts 'value' into; NULL after a failure. */
static gr__program *program_for(gr_graph *g, const char *builder, const char *program, gr_value value)
{
    if (!gr__require(g, builder, value)) return NULL;
    if (program) return gr__program_get(g, program, true);
    gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: the program has no name", builder);
    return NULL;
}

/* Whether the program has an output of this name; of another value it is an error. */
static bool has_output(gr_graph *g, const gr__program *p, const char *name, gr_value value)
{
    for (size_t i = 0; i < p->n_outputs; i++) {
        if (strcmp(p->output[i].name, name) != 0) continue;
        if (p->output[i].value != value)
            gr__graph_fail(g, GR_ERR_ARGUMENT, "program '%s' has two outputs '%s'", p->name, name);
        return true;
    }
    return false;
}

void gr_output(gr_graph *g, const char *program, const char *name, gr_value value)
{
    gr__program *p = program_for(g, "output", program, value);
    if (!p) return;
    if (!name || !*name) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "an output of program '%s' without a name", program);
        return;
    }
    if (has_output(g, p, name, value)) return;
    char *copy = gr__arena_strdup(&g->arena, name);
    if (!copy || gr__grow(&p->output, sizeof *p->output, p->n_outputs + 1, &p->output_capacity) != GR_OK) {
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for output '%s'", name);
        return;
    }
    p->output[p->n_outputs++] = (gr__named_value){copy, value};
}

bool gr__program_updates(const gr__program *p, gr_value state)
{
    return gr__map_get(&p->updated, &state, sizeof state) != NULL;
}

void gr_update(gr_graph *g, const char *program, gr_value state_value, gr_value value)
{
    gr__program *p = program_for(g, "update", program, value);
    if (!p || !gr__require(g, "update", state_value)) return;
    const gr__value *s = gr__value_get(g, state_value), *v = gr__value_get(g, value);
    if (s->role != GR__ROLE_STATE) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "program '%s' updates a value that is not a state", program);
        return;
    }
    if (s->dtype != v->dtype || s->rank != v->rank || memcmp(s->dim, v->dim, sizeof s->dim[0] * (size_t)s->rank) != 0) {
        gr__graph_fail(g, GR_ERR_SHAPE, "the update of '%s' has another shape or dtype", s->name);
        return;
    }
    if (gr__program_updates(p, state_value)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "program '%s' updates '%s' twice", program, s->name);
        return;
    }
    if (gr__grow(&p->update, sizeof *p->update, p->n_updates + 1, &p->update_capacity) != GR_OK ||
        gr__map_set(&p->updated, &state_value, sizeof state_value, (int64_t)p->n_updates, NULL) != GR_OK)
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for an update");
    else
        p->update[p->n_updates++] = (gr__update){state_value, value};
}

void gr_guard(gr_graph *g, const char *program, gr_value value)
{
    gr__program *p = program_for(g, "guard", program, value);
    if (!p) return;
    const gr__value *v = gr__value_get(g, value);
    bool number = gr__is_float(v->dtype);
    if (!number || gr__value_count(v) != 1) {
        gr__graph_fail(g, number ? GR_ERR_SHAPE : GR_ERR_DTYPE,
                       "the guard of program '%s' is %s of %lld elements, not one f64, f32 or bf16", program,
                       gr_dtype_name(v->dtype), (long long)gr__value_count(v));
        return;
    }
    if (gr__grow(&p->guard, sizeof *p->guard, p->n_guards + 1, &p->guard_capacity) != GR_OK)
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for a guard");
    else
        p->guard[p->n_guards++] = value;
}
