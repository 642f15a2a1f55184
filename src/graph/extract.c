/* The part of a graph that one program reaches, copied: what a plan compiles and owns. */
#include "graph/graph.h"

#include "graph/op_row.h"

#include <string.h>

typedef struct gr__copy_state {
    const gr_graph *from;
    gr_graph *to;
    gr_value *map; /* old id - 1 -> new id */
} gr__copy_state;

static gr_status copy_value(gr__copy_state *c, gr_value v, int32_t producer)
{
    gr_graph *t = c->to;
    if (v == 0 || c->map[v - 1]) return GR_OK;
    GR_TRY(gr__grow(&t->value, sizeof *t->value, t->n_values + 1, &t->value_capacity));
    gr__value x = *gr__value_get(c->from, v);
    x.producer = producer;
    GR_ASSERT(x.copy_of == 0); /* made in plans only */
    if (x.name && !(x.name = gr__arena_strdup(&t->arena, x.name))) return gr__fail_memory("a plan", 64);
    t->value[t->n_values++] = x;
    c->map[v - 1] = (gr_value)t->n_values;
    return GR_OK;
}

static gr_status copy_node(gr__copy_state *c, const gr__node *n)
{
    gr_graph *t = c->to;
    GR_TRY(gr__grow(&t->node, sizeof *t->node, t->n_nodes + 1, &t->node_capacity));
    gr__node x = *n;
    x.in = gr__arena_alloc(&t->arena, (size_t)(n->n_in + n->n_out) * sizeof *x.in);
    x.scope = gr__arena_strdup(&t->arena, n->scope);
    if (n->op->attr_bytes) x.attr = gr__arena_alloc(&t->arena, n->op->attr_bytes);
    if (!x.in || !x.scope || (n->op->attr_bytes && !x.attr)) return gr__fail_memory("a plan", 64);
    if (n->op->attr_bytes) memcpy(x.attr, n->attr, n->op->attr_bytes);
    if (n->op->adopt) GR_TRY(n->op->adopt(&t->arena, x.attr));
    x.out = x.in + n->n_in;
    for (int i = 0; i < n->n_in; i++) {
        GR_TRY(copy_value(c, n->in[i], -1)); /* a leaf, or copied with its producer before */
        x.in[i] = n->in[i] ? c->map[n->in[i] - 1] : 0;
    }
    for (int i = 0; i < n->n_out; i++) {
        GR_TRY(copy_value(c, n->out[i], (int32_t)t->n_nodes));
        x.out[i] = c->map[n->out[i] - 1];
    }
    t->node[t->n_nodes++] = x;
    return GR_OK;
}

static gr_status copy_program(gr__copy_state *c, const gr__program *p)
{
    gr_graph *t = c->to;
    for (size_t i = 0; i < p->n_outputs; i++) {
        GR_TRY(copy_value(c, p->output[i].value, -1));
        gr_output(t, p->name, p->output[i].name, c->map[p->output[i].value - 1]);
    }
    for (size_t i = 0; i < p->n_updates; i++) {
        GR_TRY(copy_value(c, p->update[i].state, -1));
        GR_TRY(copy_value(c, p->update[i].value, -1));
        gr_update(t, p->name, c->map[p->update[i].state - 1], c->map[p->update[i].value - 1]);
    }
    for (size_t i = 0; i < p->n_guards; i++) {
        GR_TRY(copy_value(c, p->guard[i], -1));
        gr_guard(t, p->name, c->map[p->guard[i] - 1]);
    }
    for (size_t i = 0; i < c->from->n_blocks; i++) {
        GR_TRY(gr__grow(&t->block, sizeof *t->block, t->n_blocks + 1, &t->block_capacity));
        if (!(t->block[t->n_blocks++] = gr__arena_strdup(&t->arena, c->from->block[i])))
            return gr__fail_memory("a plan", 64);
    }
    return gr_graph_status(t);
}

gr_status gr__graph_extract(const gr_graph *g, const char *program, gr_graph **out)
{
    GR_TRY(gr_graph_status(g));
    const gr__program *p = gr__program_get((gr_graph *)g, program, false);
    GR_FAIL_IF(!p, GR_ERR_NOT_FOUND, "the graph has no program '%s'", program);
    gr_status status = GR_OK;
    gr__copy_state c = {.from = g};
    size_t n = 0;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    c.map = gr__calloc(g->n_values + 1, sizeof *c.map);
    if (!live || !sorted || !c.map) GR_TRY_DONE(gr__fail_memory("a plan", g->n_values * 4));
    GR_TRY_DONE(gr_graph_new(&c.to));
    GR_TRY_DONE(gr__graph_reach(g, p, live));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n));
    for (size_t i = 0; i < n; i++) GR_TRY_DONE(copy_node(&c, &g->node[sorted[i]]));
    GR_TRY_DONE(copy_program(&c, p));
    *out = c.to;
    c.to = NULL;
done:
    gr_graph_free(&c.to);
    gr__free(live);
    gr__free(sorted);
    gr__free(c.map);
    return status;
}
