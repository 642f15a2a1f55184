/* Reverse-mode gradients (Linnainmaa 1970): walks the nodes behind the loss backwards and lets each op append the nodes
 * of its inputs' gradients. Contributions to one value are added in the order in which they arrive. */
#include "op/op.h"

#include <string.h>

typedef struct gr__grad_walk {
    gr_graph *g;
    bool *live;      /* node reaches the loss */
    bool *depends;   /* value depends on one of wrt */
    int32_t *sorted; /* live nodes, operands first */
    size_t n_sorted;
    gr_value *d; /* gradient so far of each value that existed at the start */
    size_t n_values;
} gr__grad_walk;

/* live = the producers behind 'loss', found by a program that exists only here. */
static gr_status prepare(gr__grad_walk *w, gr_value loss, const gr_value *wrt, int n)
{
    gr_graph *g = w->g;
    w->n_values = g->n_values;
    w->live = gr__calloc(g->n_nodes + 1, sizeof *w->live);
    w->sorted = gr__calloc(g->n_nodes + 1, sizeof *w->sorted);
    w->depends = gr__calloc(g->n_values + 1, sizeof *w->depends);
    w->d = gr__calloc(g->n_values + 1, sizeof *w->d);
    if (!w->live || !w->sorted || !w->depends || !w->d) return gr__fail_memory("a gradient", g->n_values * 16);
    gr__program only_loss = {.name = "gradient", .guard = &loss, .n_guards = 1};
    GR_TRY(gr__graph_reach(g, &only_loss, w->live));
    GR_TRY(gr__graph_sort(g, w->live, NULL, 0, w->sorted, &w->n_sorted));
    for (int i = 0; i < n; i++)
        if (wrt[i]) w->depends[wrt[i] - 1] = true;
    for (size_t i = 0; i < w->n_sorted; i++) {
        const gr__node *nd = &g->node[w->sorted[i]];
        bool any = false;
        for (int k = 0; k < nd->n_in; k++) any = any || (nd->in[k] && w->depends[nd->in[k] - 1]);
        for (int k = 0; any && k < nd->n_out; k++) w->depends[nd->out[k] - 1] = true;
    }
    return GR_OK;
}

static gr_status contribute(gr__grad_walk *w, const gr__node *nd, int k, gr_value d)
{
    gr_value to = nd->in[k];
    const gr__value *v = gr__value_get(w->g, to), *dv = gr__value_get(w->g, d);
    GR_FAIL_IF(!gr__same_shape(v, dv) || v->dtype != dv->dtype, GR_ERR_INTERNAL,
               "the gradient of %s gives operand %d another shape or dtype", nd->op->name, k);
    w->d[to - 1] = w->d[to - 1] ? gr_add(w->g, w->d[to - 1], d) : d;
    return gr_graph_status(w->g);
}

static gr_status step(gr__grad_walk *w, int32_t index)
{
    gr_graph *g = w->g;
    gr__node nd = g->node[index];
    gr__grad c = {.g = g, .node = &nd};
    bool flows = false, needed = false;
    for (int k = 0; k < nd.n_out; k++) flows = (c.out_grad[k] = w->d[nd.out[k] - 1]) != 0 || flows;
    for (int k = 0; k < nd.n_in; k++) {
        c.need[k] = nd.in[k] && w->depends[nd.in[k] - 1] && gr__is_float(gr_value_dtype(g, nd.in[k]));
        needed = needed || c.need[k];
    }
    if (!flows || !needed) return GR_OK;
    GR_FAIL_IF(!nd.op->grad, GR_ERR_UNSUPPORTED, "%s%sop '%s' has no gradient: %s", nd.scope, *nd.scope ? ": " : "",
               nd.op->name, nd.op->no_grad ? nd.op->no_grad : "not differentiable");
    gr__place outer = gr__place_enter(g, &nd, 0, g->node_flags);
    nd.op->grad(&c);
    gr__place_leave(g, &outer);
    GR_TRY(gr_graph_status(g));
    for (int k = 0; k < nd.n_in; k++)
        if (c.need[k] && c.in_grad[k]) GR_TRY(contribute(w, &nd, k, c.in_grad[k]));
    return GR_OK;
}

gr_status gr_grad(gr_graph *g, gr_value loss, const gr_value *wrt, int n, gr_value *dwrt)
{
    GR_FAIL_IF(n < 0 || (n > 0 && (!wrt || !dwrt)), GR_ERR_ARGUMENT, "gr_grad: %d values, or their arrays are NULL", n);
    if (n) memset(dwrt, 0, (size_t)n * sizeof *dwrt);
    GR_TRY(gr_graph_status(g));
    GR_FAIL_IF(!gr__is_value(g, loss), GR_ERR_ARGUMENT, "gr_grad: the loss is not a value of this graph");
    for (int i = 0; i < n; i++)
        GR_FAIL_IF(wrt[i] && !gr__is_value(g, wrt[i]), GR_ERR_ARGUMENT, "gr_grad: wrt[%d] is not a value", i);
    const gr__value *l = gr__value_get(g, loss);
    GR_FAIL_IF(gr__value_count(l) != 1 || !gr__is_float(l->dtype), GR_ERR_ARGUMENT,
               "gr_grad: the loss must be one float; sum it first");
    gr_status status = GR_OK;
    gr__grad_walk w = {.g = g};
    uint32_t flags = g->node_flags;
    GR_TRY_DONE(prepare(&w, loss, wrt, n));
    g->node_flags |= GR__NODE_BACKWARD;
    w.d[loss - 1] = gr__fill_like(g, loss, 1);
    for (size_t i = w.n_sorted; i-- > 0;) GR_TRY_DONE(step(&w, w.sorted[i]));
    for (int i = 0; i < n; i++) dwrt[i] = wrt[i] ? w.d[wrt[i] - 1] : 0;
    status = gr_graph_status(g);
done:
    g->node_flags = flags;
    gr__free(w.live);
    gr__free(w.sorted);
    gr__free(w.depends);
    gr__free(w.d);
    return status;
}
