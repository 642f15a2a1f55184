/* Mixed precision: ops of class LOW (dense products, attention) get bf16 operands, ops of class F32 get f32 ones, the
 * rest follows its operands. States stay f32; program outputs, updates and guards keep the dtype they had. */
#include "op/op.h"

#include <string.h>

typedef struct gr__caster {
    gr_graph *g;
    gr_value *low, *full; /* value -> its cast, made once */
    size_t n_values;
} gr__caster;

/* A view that is wanted in bf16 becomes a view of the whole in bf16: the parts of one product (q, k, v) are cast once, and
 * their gradients can be written side by side. */
static bool cast_before(const gr_graph *g, const gr__node *p, gr_dtype to)
{
    return p && p->op->flags & GR__OP_VIEW && to == GR_BF16 && gr__producer(g, p->in[0]);
}

static gr_value cast_of(gr__caster *c, gr_value v, gr_dtype to, double order)
{
    gr_value *known = (size_t)v <= c->n_values ? &(to == GR_BF16 ? c->low : c->full)[v - 1] : NULL;
    if (known && *known) return *known;
    const gr__node *p = gr__producer(c->g, v);
    static const gr__node nowhere = {.scope = ""};
    gr__node like = p ? *p : nowhere;
    gr_value whole = cast_before(c->g, p, to) ? cast_of(c, like.in[0], to, like.order) : 0;
    gr__place outer = gr__place_enter(c->g, &like, whole ? like.order : order - 0.5, like.flags);
    gr_value out = whole ? gr__node_add(c->g, like.op, &whole, 1, like.attr, NULL) : gr_cast(c->g, v, to);
    gr__place_leave(c->g, &outer);
    if (known) *known = out;
    return out;
}

static gr_status rewrite(gr__caster *c, int32_t index)
{
    gr_graph *g = c->g;
    gr__node n = g->node[index];
    for (int k = 0; k < n.n_in; k++) {
        gr_dtype t = gr_value_dtype(g, n.in[k]);
        gr_dtype want = n.op->autocast == GR__CAST_LOW && n.op->float_in >> k & 1 && t == GR_F32 ? GR_BF16
                        : n.op->autocast == GR__CAST_F32 && t == GR_BF16                         ? GR_F32
                                                                                                 : t;
        if (want != t) g->node[index].in[k] = cast_of(c, n.in[k], want, n.order);
    }
    GR_TRY(gr_graph_status(g));
    n = g->node[index];
    gr__infer again = {.op = n.op->name, .attr = n.attr, .n_in = n.n_in, .n_out = n.op->n_out};
    for (int k = 0; k < n.n_in; k++) again.in[k] = n.in[k] ? gr__value_get(g, n.in[k]) : NULL;
    GR_TRY(n.op->infer(&again));
    for (int k = 0; k < n.n_out; k++) g->value[n.out[k] - 1].dtype = again.out[k].dtype;
    return gr_graph_status(g);
}

static void restore(gr__caster *c, gr_value *v, gr_dtype was)
{
    if (*v && gr_value_dtype(c->g, *v) != was) *v = gr_cast(c->g, *v, was);
}

gr_status gr_autocast_bf16(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    size_t n = 0, nodes = g->n_nodes, values = g->n_values;
    gr__caster c = {.g = g, .n_values = values};
    bool *all = gr__calloc(nodes + 1, sizeof *all);
    int32_t *sorted = gr__calloc(nodes + 1, sizeof *sorted);
    gr_dtype *was = gr__calloc(values + 1, sizeof *was);
    c.low = gr__calloc(values + 1, sizeof *c.low);
    c.full = gr__calloc(values + 1, sizeof *c.full);
    if (!all || !sorted || !was || !c.low || !c.full) GR_TRY_DONE(gr__fail_memory("mixed precision", values * 16));
    memset(all, true, nodes * sizeof *all); /* programs may not be declared yet */
    for (size_t i = 0; i < values; i++) was[i] = g->value[i].dtype;
    GR_TRY_DONE(gr__graph_sort(g, all, NULL, 0, sorted, &n));
    for (size_t i = 0; i < n; i++) GR_TRY_DONE(rewrite(&c, sorted[i]));
    for (size_t p = 0; p < g->n_programs; p++) {
        gr__program *pr = &g->program[p];
        for (size_t i = 0; i < pr->n_outputs; i++) restore(&c, &pr->output[i].value, was[pr->output[i].value - 1]);
        for (size_t i = 0; i < pr->n_updates; i++) restore(&c, &pr->update[i].value, was[pr->update[i].value - 1]);
        for (size_t i = 0; i < pr->n_guards; i++) restore(&c, &pr->guard[i], was[pr->guard[i] - 1]);
    }
    status = gr_graph_status(g);
done:
    gr__free(all);
    gr__free(sorted);
    gr__free(was);
    gr__free(c.low);
    gr__free(c.full);
    return status;
}
