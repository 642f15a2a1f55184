/* Makes the states that a graph declares. */
#include "graph/graph.h"
#include "store/store.h"

gr_status gr_store_prepare(gr_store *s, const gr_graph *g, uint64_t seed)
{
    GR_FAIL_IF(!s, GR_ERR_ARGUMENT, "gr_store_prepare: the store is NULL");
    GR_TRY(gr_graph_status(g));
    for (size_t i = 0; i < g->n_values; i++) {
        const gr__value *v = &g->value[i];
        if (v->role != GR__ROLE_STATE || v->per_session) continue;
        bool there = gr__store_has(s, v->name);
        gr_tensor t;
        GR_TRY(gr_store_add(s, v->name, v->dtype, v->rank, v->dim, &t));
        if (!there && v->init.kind != GR_INIT_ZEROS) GR_TRY(gr_init_fill(&v->init, seed, v->name, &t));
    }
    gr_store_touch(s);
    return GR_OK;
}
