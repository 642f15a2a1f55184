/* The order of execution. A state that is updated in place must be read by everybody else before, so edges are added
 * from those readers to the node that overwrites it; optimiser nodes run as early as they can (their gradient's memory
 * is free then), but after every guard. */
#include "plan/plan.h"

#include "op/fused_product.h"

#include <string.h>

bool gr__plan_is_map(const gr__op *op) { return gr__op_is_map(op) || op == &gr__op_map; }

bool gr__plan_may_alias(const gr_graph *g, const gr__node *n, int i, int k)
{
    const gr__value *out = gr__value_get(g, n->out[i]), *in = n->in[k] ? gr__value_get(g, n->in[k]) : NULL;
    if (!in || in->dtype != out->dtype || in->rank != out->rank) return false;
    for (int d = 0; d < in->rank; d++)
        if (in->dim[d] != out->dim[d]) return false;
    bool program = n->op == &gr__op_fused_product && k >= ((const gr__fused_product_attr *)n->attr)->n_own;
    return gr__plan_is_map(n->op) || program || n->op->alias[i] == k + 1;
}

typedef struct gr__edges {
    gr__edge *edge;
    size_t n, capacity;
} gr__edges;

static gr_status add_edge(gr__edges *e, int32_t a, int32_t b)
{
    GR_TRY(gr__grow(&e->edge, sizeof *e->edge, e->n + 1, &e->capacity));
    e->edge[e->n++] = (gr__edge){a, b};
    return GR_OK;
}

/* root[v-1]: the state that v is or is a view of, 0: none. */
static void find_roots(const gr_graph *g, const int32_t *sorted, size_t n, gr_value *root)
{
    for (size_t i = 0; i < g->n_values; i++) root[i] = g->value[i].role == GR__ROLE_STATE ? (gr_value)(i + 1) : 0;
    for (size_t i = 0; i < n; i++) {
        const gr__node *nd = &g->node[sorted[i]];
        if (nd->op->flags & GR__OP_VIEW) root[nd->out[0] - 1] = root[nd->in[0] - 1];
    }
}

/* May the value be written over the state? Its producer reads the state as an operand that it may overwrite, and no other
 * operand may see the state but an element-wise op's that reads each element where it writes it. A copy of a state is
 * not among the operands at all. */
static bool may_overwrite(const gr_graph *g, const gr_value *root, gr_value value, gr_value state)
{
    const gr__node *p = gr__producer(g, value);
    int found = -1;
    if (!p || p->op->flags & GR__OP_VIEW) return false;
    if (gr__value_get(g, state)->copy_of) return true;
    for (int k = 0; k < p->n_in; k++) {
        if (!p->in[k] || root[p->in[k] - 1] != state) continue;
        if (p->in[k] != state || (found >= 0 && !gr__plan_is_map(p->op))) return false;
        if (found < 0 && gr__plan_may_alias(g, p, gr__value_get(g, value)->out_index, k))
            found = k;
        else if (!gr__plan_is_map(p->op))
            return false;
    }
    return found >= 0;
}

static gr_status edges_of_updates(const gr_graph *g, const gr__program *p, const bool *live, const gr_value *root,
                                  const bool *in_place, gr__edges *e)
{
    int32_t *writer = gr__calloc(g->n_values + 1, sizeof *writer); /* state -> node + 1 that overwrites it */
    if (!writer) return gr__fail_memory("ordering a plan", g->n_values * 4);
    gr_status status = GR_OK;
    for (size_t u = 0; u < p->n_updates; u++)
        if (in_place[u]) writer[p->update[u].state - 1] = gr__value_get(g, p->update[u].value)->producer + 1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; live[i] && k < g->node[i].n_in; k++) {
            gr_value s = g->node[i].in[k] ? root[g->node[i].in[k] - 1] : 0;
            if (s && writer[s - 1] && writer[s - 1] - 1 != (int32_t)i)
                GR_TRY_DONE(add_edge(e, (int32_t)i, writer[s - 1] - 1));
        }
    for (size_t i = 0; i < p->n_guards; i++) {
        int32_t guard = gr__value_get(g, p->guard[i])->producer;
        for (size_t n = 0; guard >= 0 && n < g->n_nodes; n++)
            if (live[n] && g->node[n].flags & GR__NODE_UPDATE) GR_TRY_DONE(add_edge(e, guard, (int32_t)n));
        for (size_t u = 0; guard >= 0 && u < p->n_updates; u++) {
            int32_t n = in_place[u] ? gr__value_get(g, p->update[u].value)->producer : -1;
            if (n >= 0 && n != guard && !(g->node[n].flags & GR__NODE_UPDATE)) GR_TRY_DONE(add_edge(e, guard, n));
        }
    }
done:
    gr__free(writer);
    return status;
}

/* Outputs and updates that show a state which the program changes get a copy of it: a node that reads the state, so it
 * runs before the change. */
gr_status gr__plan_keep_old_states(gr_graph *g, gr__program *p)
{
    for (size_t i = 0; i < p->n_outputs + p->n_updates; i++) {
        gr_value *v = i < p->n_outputs ? &p->output[i].value : &p->update[i - p->n_outputs].value, base = *v;
        for (const gr__node *n = gr__producer(g, base); n && n->op->flags & GR__OP_VIEW; n = gr__producer(g, base))
            base = n->in[0];
        if (!gr__program_updates(p, base)) continue;
        *v = gr__node_add(g, &gr__op_cast, v, 1, &(gr__cast_attr){gr_value_dtype(g, *v)}, NULL);
    }
    return gr_graph_status(g);
}

/* Numbers cost nothing, and updates may wait for them (1 / weight of the batch). */
static bool is_number(const gr_graph *g, const gr__node *n)
{
    return gr__plan_is_map(n->op) && gr__value_count(gr__value_get(g, n->out[0])) == 1;
}

gr_status gr__plan_order(gr_graph *g, const gr__program *p, int32_t *sorted, size_t *n, bool *in_place)
{
    gr_status status = GR_OK;
    gr__edges e = {0};
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    gr_value *root = gr__calloc(g->n_values + 1, sizeof *root);
    if (!live || !root) GR_TRY_DONE(gr__fail_memory("ordering a plan", g->n_values * 4));
    GR_TRY_DONE(gr__graph_reach(g, p, live));
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->node[i].flags & GR__NODE_UPDATE || is_number(g, &g->node[i])) g->node[i].order = 0;
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, n));
    find_roots(g, sorted, *n, root);
    for (size_t u = 0; u < p->n_updates; u++)
        in_place[u] = may_overwrite(g, root, p->update[u].value, p->update[u].state);
    for (int attempt = 0; attempt < 2; attempt++) {
        e.n = 0;
        GR_TRY_DONE(edges_of_updates(g, p, live, root, in_place, &e));
        status = gr__graph_sort(g, live, e.edge, e.n, sorted, n);
        if (status != GR_ERR_INTERNAL) break;
        /* a reader of an old state needs its new value: such programs write copies */
        memset(in_place, 0, p->n_updates * sizeof *in_place);
    }
    if (status == GR_ERR_INTERNAL)
        status = gr__fail(GR_ERR_ARGUMENT, "program '%s': a guard depends on an update", p->name);
done:
    gr__free(e.edge);
    gr__free(live);
    gr__free(root);
    return status;
}
