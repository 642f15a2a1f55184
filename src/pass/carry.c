/* bf16 copies of weights, kept from run to run. Where a program casts a state that its own optimiser updates, the cast
 * would run in every step and read the whole state for it. The cast becomes a session state that the optimiser writes
 * beside the state itself; the session fills it when the store was changed by somebody else. */
#include "op/attr.h"
#include "op/optim.h"
#include "pass/pass.h"

/* The optimiser's node behind an update of 'state', -1: another kind of update. */
static int32_t optimizer_of(const gr_graph *g, const gr__update *u)
{
    int32_t n = gr__value_get(g, u->value)->producer;
    bool fused = n >= 0 && g->node[n].op == &gr__op_optim && g->node[n].in[GR__OPTIM_P] == u->state;
    return fused && gr__value_get(g, u->value)->out_index == 0 ? n : -1;
}

static int32_t find_cast(const gr_graph *g, const bool *live, gr_value state)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gr__node *n = &g->node[i];
        if (live[i] && n->op == &gr__op_cast && n->in[0] == state && gr_value_dtype(g, n->out[0]) == GR_BF16)
            return (int32_t)i;
    }
    return -1;
}

static gr_status carry(gr_graph *g, const char *program, gr_value state, int32_t cast, int32_t optimizer)
{
    gr__value p = *gr__value_get(g, state); /* adding moves values */
    char *name = gr__arena_printf(&g->arena, "%s#bf16", p.name);
    if (!name) return gr__fail_memory("a plan", 64);
    gr_value copy = gr_session_state(g, name, GR_BF16, p.rank, p.dim);
    GR_TRY(gr_graph_status(g));
    g->value[copy - 1].copy_of = state;
    gr__replace_uses(g, g->node[cast].out[0], copy);
    gr_update(g, program, copy, g->node[optimizer].out[GR__OPTIM_OUT_COPY]);
    return gr_graph_status(g);
}

gr_status gr__pass_carry(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    gr__program *p = &g->program[0];
    size_t updates = p->n_updates;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    if (!live) return gr__fail_memory("a plan", g->n_nodes);
    GR_TRY_DONE(gr__graph_reach(g, p, live));
    for (size_t u = 0; u < updates; u++) {
        int32_t optimizer = optimizer_of(g, &p->update[u]), cast = find_cast(g, live, p->update[u].state);
        if (optimizer >= 0 && cast >= 0) GR_TRY_DONE(carry(g, p->name, p->update[u].state, cast, optimizer));
    }
done:
    gr__free(live);
    return status;
}
