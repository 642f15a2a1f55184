#include "pass/widen.h"

#include "op/attr.h"

#include <string.h>

static gr_dtype wide(gr_dtype t) { return t == GR_F32 || t == GR_BF16 || t == GR_F16 ? GR_F64 : t; }

static gr_status widen_constant(gr_graph *g, gr__constant_attr *a)
{
    gr_tensor from = a->value, *to = &a->value;
    if (wide(from.dtype) == from.dtype) return GR_OK;
    to->dtype = GR_F64;
    to->data = gr__arena_alloc(&g->arena, gr_tensor_size_bytes(to));
    if (!to->data) return gr__fail_memory("a constant", gr_tensor_size_bytes(to));
    for (int64_t i = 0, n = gr_tensor_count(&from); i < n; i++) gr_tensor_set(to, i, gr_tensor_get(&from, i));
    return GR_OK;
}

/* Dtypes that are said in the attributes. Nodes may share them: this one gets its own. */
static gr_status widen_attributes(gr_graph *g, gr__node *n)
{
    if (!n->op->attr_bytes || !n->attr) return GR_OK;
    void *a = gr__arena_alloc(&g->arena, n->op->attr_bytes);
    if (!a) return gr__fail_memory("a graph", n->op->attr_bytes);
    n->attr = memcpy(a, n->attr, n->op->attr_bytes);
    if (n->op == &gr__op_constant) return widen_constant(g, a);
    gr_dtype *t = n->op == &gr__op_fill             ? &((gr__fill_attr *)a)->dtype
                  : n->op == &gr__op_cast           ? &((gr__cast_attr *)a)->dtype
                  : n->op == &gr__op_one_hot        ? &((gr__one_hot_attr *)a)->dtype
                  : n->op->flags & GR__OP_OUT_DTYPE ? (gr_dtype *)a
                                                    : NULL;
    if (t) *t = wide(*t);
    return GR_OK;
}

static gr_status infer_again(gr_graph *g, const gr__node *n)
{
    gr__infer c = {.op = n->op->name, .attr = n->attr, .n_in = n->n_in, .n_out = n->op->n_out};
    for (int k = 0; k < n->n_in; k++) c.in[k] = n->in[k] ? gr__value_get(g, n->in[k]) : NULL;
    GR_TRY(n->op->infer(&c));
    for (int k = 0; k < n->n_out; k++) {
        GR_FAIL_IF(wide(c.out[k].dtype) != c.out[k].dtype, GR_ERR_DTYPE, "op '%s' has no f64", n->op->name);
        g->value[n->out[k] - 1].dtype = c.out[k].dtype;
    }
    return GR_OK;
}

gr_status gr__pass_widen(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    size_t n = 0;
    bool *all = gr__calloc(g->n_nodes + 1, sizeof *all);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    if (!all || !sorted) GR_TRY_DONE(gr__fail_memory("a graph in f64", g->n_nodes * sizeof *sorted));
    memset(all, true, g->n_nodes * sizeof *all);
    GR_TRY_DONE(gr__graph_sort(g, all, NULL, 0, sorted, &n));
    for (size_t i = 0; i < g->n_values; i++)
        if (g->value[i].role != GR__ROLE_TEMP) g->value[i].dtype = wide(g->value[i].dtype);
    for (size_t i = 0; i < n; i++) {
        GR_TRY_DONE(widen_attributes(g, &g->node[sorted[i]]));
        GR_TRY_DONE(infer_again(g, &g->node[sorted[i]]));
    }
done:
    gr__free(all);
    gr__free(sorted);
    return status;
}
