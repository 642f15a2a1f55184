/* A graph as text, one node a line:
 *   %7 f32[4,64,128] = layer_norm(%5, h.0.ln_1.weight, h.0.ln_1.bias)   @h.0 */
#include "graph/graph.h"

#include "graph/op_row.h"

static void add_value(gr__str *s, const gr_graph *g, gr_value v)
{
    if (v == 0) {
        gr__str_add(s, "-");
        return;
    }
    const gr__value *x = gr__value_get(g, v);
    if (x->name)
        gr__str_add(s, x->name);
    else
        gr__str_printf(s, "%%%d", v);
}

static void add_type(gr__str *s, const gr__value *v)
{
    gr__str_printf(s, "%s[", gr_dtype_name(v->dtype));
    for (int i = 0; i < v->rank; i++) gr__str_printf(s, "%s%lld", i ? "," : "", (long long)v->dim[i]);
    gr__str_add(s, "]");
}

gr_status gr_graph_print(const gr_graph *g, char **out)
{
    GR_TRY(gr_graph_status(g));
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_graph_print: 'out' is NULL");
    gr_status status = GR_OK;
    gr__str s = {0};
    size_t n;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    if (!live || !sorted) GR_TRY_DONE(gr__fail_memory("printing a graph", g->n_nodes));
    GR_TRY_DONE(gr__graph_reach(g, NULL, live));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n));
    for (size_t i = 0; i < n; i++) {
        const gr__node *nd = &g->node[sorted[i]];
        for (int k = 0; k < nd->n_out; k++) {
            gr__str_printf(&s, "%s%%%d ", k ? ", " : "", nd->out[k]);
            add_type(&s, gr__value_get(g, nd->out[k]));
        }
        gr__str_printf(&s, " = %s(", nd->op->name);
        for (int k = 0; k < nd->n_in; k++) {
            if (k) gr__str_add(&s, ", ");
            add_value(&s, g, nd->in[k]);
        }
        gr__str_printf(&s, ")%s%s%s\n", *nd->scope ? "   @" : "", nd->scope,
                       nd->flags & GR__NODE_CLONE ? " again" : "");
    }
    for (size_t p = 0; p < g->n_programs; p++) {
        gr__str_printf(&s, "program %s:", g->program[p].name);
        for (size_t i = 0; i < g->program[p].n_outputs; i++) {
            gr__str_printf(&s, " %s=", g->program[p].output[i].name);
            add_value(&s, g, g->program[p].output[i].value);
        }
        gr__str_printf(&s, " updates %zu states\n", g->program[p].n_updates);
    }
    GR_TRY_DONE(gr__str_check(&s));
    *out = s.text;
    s.text = NULL;
done:
    gr__str_release(&s);
    gr__free(live);
    gr__free(sorted);
    return status;
}
