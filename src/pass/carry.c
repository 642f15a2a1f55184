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

/* cast[state - 1]: the index + 1 of the first node that makes it bf16; 0: none. */
static void find_casts(const gr_graph *g, const bool *live, int32_t *cast)
{
    for (size_t i = g->n_nodes; i-- > 0;) {
        const gr__node *n = &g->node[i];
        if (live[i] && n->op == &gr__op_cast && gr_value_dtype(g, n->out[0]) == GR_BF16)
            cast[n->in[0] - 1] = (int32_t)i + 1;
    }
}

static gr_status carry(gr_graph *g, const char *program, gr_value state, int32_t optimizer)
{
    gr__value p = *gr__value_get(g, state); /* adding moves values */
    char *name = gr__arena_printf(&g->arena, "%s#bf16", p.name);
    if (!name) return gr__fail_memory("a plan", 64);
    gr_value copy = gr_session_state(g, name, GR_BF16, p.rank, p.dim);
    GR_TRY(gr_graph_status(g));
    g->value[copy - 1].copy_of = state;
    gr_update(g, program, copy, g->node[optimizer].out[GR__OPTIM_OUT_COPY]);
    return gr_graph_status(g);
}

gr_status gr__pass_carry(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    gr__program *p = &g->program[0];
    size_t updates = p->n_updates, n_values = g->n_values;
    gr__uses uses = {0};
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *cast = gr__calloc(n_values + 1, sizeof *cast);
    if (!live || !cast) GR_TRY_DONE(gr__fail_memory("a plan", n_values * sizeof *cast));
    GR_TRY_DONE(gr__graph_reach(g, p, live));
    find_casts(g, live, cast);
    for (size_t u = 0; u < updates; u++) {
        int32_t optimizer = optimizer_of(g, &p->update[u]);
        if (optimizer >= 0 && cast[p->update[u].state - 1])
            GR_TRY_DONE(carry(g, p->name, p->update[u].state, optimizer));
    }
    GR_TRY_DONE(gr__uses_find(&uses, g));
    for (size_t i = n_values; i < g->n_values; i++)
        GR_TRY_DONE(gr__uses_replace(&uses, g->node[cast[g->value[i].copy_of - 1] - 1].out[0], (gr_value)i + 1));
done:
    gr__free(live);
    gr__free(cast);
    gr__uses_release(&uses);
    return status;
}
