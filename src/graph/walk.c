/* Reachability, use counts, order and the invariants of a graph. */
#include "graph/graph.h"

#include "graph/op_row.h"

#include <string.h>

typedef struct gr__stack {
    int32_t *node;
    size_t n, capacity;
} gr__stack;

static gr_status push(gr__stack *s, const gr_graph *g, gr_value v, bool *live)
{
    if (v == 0) return GR_OK;
    int32_t n = g->value[v - 1].producer;
    if (n < 0 || live[n]) return GR_OK;
    live[n] = true;
    GR_TRY(gr__grow(&s->node, sizeof *s->node, s->n + 1, &s->capacity));
    s->node[s->n++] = n;
    return GR_OK;
}

static gr_status push_roots(gr__stack *s, const gr_graph *g, const gr__program *p, bool *live)
{
    for (size_t i = 0; i < p->n_outputs; i++) GR_TRY(push(s, g, p->output[i].value, live));
    for (size_t i = 0; i < p->n_updates; i++) GR_TRY(push(s, g, p->update[i].value, live));
    for (size_t i = 0; i < p->n_guards; i++) GR_TRY(push(s, g, p->guard[i], live));
    return GR_OK;
}

gr_status gr__graph_reach(const gr_graph *g, const gr__program *program, bool *live)
{
    gr_status status = GR_OK;
    gr__stack s = {0};
    if (program) GR_TRY_DONE(push_roots(&s, g, program, live)); /* perhaps one that the graph does not list */
    for (size_t i = 0; !program && i < g->n_programs; i++) GR_TRY_DONE(push_roots(&s, g, &g->program[i], live));
    while (s.n) {
        const gr__node *n = &g->node[s.node[--s.n]];
        for (int i = 0; i < n->n_in; i++) GR_TRY_DONE(push(&s, g, n->in[i], live));
    }
done:
    gr__free(s.node);
    return status;
}

void gr__graph_uses(const gr_graph *g, const bool *live, int32_t *uses)
{
    memset(uses, 0, g->n_values * sizeof *uses);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; live[i] && k < g->node[i].n_in; k++)
            if (g->node[i].in[k]) uses[g->node[i].in[k] - 1]++;
    for (size_t p = 0; p < g->n_programs; p++) {
        const gr__program *pr = &g->program[p];
        for (size_t i = 0; i < pr->n_outputs; i++) uses[pr->output[i].value - 1]++;
        for (size_t i = 0; i < pr->n_updates; i++) uses[pr->update[i].value - 1]++;
        for (size_t i = 0; i < pr->n_guards; i++) uses[pr->guard[i] - 1]++;
    }
}

void gr__graph_hoisted(const gr_graph *g, const gr__program *p, const int32_t *sorted, size_t n, bool *hoisted)
{
    for (size_t i = 0; i < g->n_values; i++) {
        const gr__value *v = &g->value[i];
        hoisted[i] = v->role == GR__ROLE_STATE && !v->per_session && !gr__program_updates(p, (gr_value)(i + 1));
    }
    for (size_t i = 0; i < n; i++) {
        const gr__node *node = &g->node[sorted[i]];
        bool all = !node->op->random && (node->n_in > 0 || node->op->flags & GR__OP_FIXED);
        for (int k = 0; k < node->n_in; k++) all = all && (!node->in[k] || hoisted[node->in[k] - 1]);
        for (int k = 0; k < node->n_out; k++) hoisted[node->out[k] - 1] = all;
    }
}

/* ---- order: Kahn's algorithm with a heap ---- */

typedef struct gr__heap {
    const gr_graph *g;
    int32_t *item;
    size_t n;
} gr__heap;

static bool before(const gr__heap *h, int32_t a, int32_t b)
{
    double x = h->g->node[a].order, y = h->g->node[b].order;
    return x < y || (x == y && a < b);
}

static void heap_push(gr__heap *h, int32_t v)
{
    size_t i = h->n++;
    h->item[i] = v;
    while (i && before(h, h->item[i], h->item[(i - 1) / 2])) {
        int32_t t = h->item[i];
        h->item[i] = h->item[(i - 1) / 2];
        h->item[i = (i - 1) / 2] = t;
    }
}

static int32_t heap_pop(gr__heap *h)
{
    int32_t top = h->item[0];
    h->item[0] = h->item[--h->n];
    for (size_t i = 0;;) {
        size_t c = 2 * i + 1;
        if (c >= h->n) break;
        if (c + 1 < h->n && before(h, h->item[c + 1], h->item[c])) c++;
        if (!before(h, h->item[c], h->item[i])) break;
        int32_t t = h->item[i];
        h->item[i] = h->item[c];
        h->item[c] = t;
        i = c;
    }
    return top;
}

gr_status gr__graph_sort(const gr_graph *g, const bool *live, const gr__edge *extra, size_t n_extra, int32_t *sorted,
                         size_t *n_out)
{
    gr_status status = GR_OK;
    size_t n = 0, edges = 0, total = 0;
    int32_t *waits = gr__calloc(g->n_nodes + 1, sizeof *waits); /* operands not yet computed */
    size_t *first = gr__calloc(g->n_nodes + 2, sizeof *first);  /* consumers of node i: user[first[i] .. first[i+1]) */
    int32_t *user = NULL;
    gr__heap h = {.g = g, .item = gr__calloc(g->n_nodes + 1, sizeof *h.item)};
    if (!waits || !first || !h.item) GR_TRY_DONE(gr__fail_memory("ordering a graph", g->n_nodes * 16));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < g->n_nodes; i++)
            for (int k = 0; live[i] && k < g->node[i].n_in; k++) {
                gr_value v = g->node[i].in[k];
                int32_t p = v ? g->value[v - 1].producer : -1;
                if (p < 0) continue;
                if (pass == 0)
                    first[p + 1]++, edges++, waits[i]++;
                else
                    user[first[p]++] = (int32_t)i;
            }
        for (size_t e = 0; e < n_extra; e++) {
            if (pass == 0)
                first[extra[e].a + 1]++, edges++, waits[extra[e].b]++;
            else
                user[first[extra[e].a]++] = extra[e].b;
        }
        if (pass) break;
        for (size_t i = 0; i < g->n_nodes; i++) first[i + 1] += first[i];
        user = gr__calloc(edges + 1, sizeof *user);
        if (!user) GR_TRY_DONE(gr__fail_memory("ordering a graph", edges * sizeof *user));
    }
    /* after the filling, first[p] is the end of p's users; the start is the end of p-1's */
    for (size_t i = 0; i < g->n_nodes; i++)
        if (live[i]) {
            total++;
            if (waits[i] == 0) heap_push(&h, (int32_t)i);
        }
    while (h.n) {
        int32_t p = heap_pop(&h);
        sorted[n++] = p;
        for (size_t e = p ? first[p - 1] : 0; e < first[p]; e++)
            if (--waits[user[e]] == 0) heap_push(&h, user[e]);
    }
    *n_out = n;
    if (n != total) GR_TRY_DONE(gr__fail(GR_ERR_INTERNAL, "the graph has a cycle"));
done:
    gr__free(waits);
    gr__free(first);
    gr__free(user);
    gr__free(h.item);
    return status;
}

/* ---- invariants ---- */

static gr_status check_node(const gr_graph *g, size_t i)
{
    const gr__node *n = &g->node[i];
    gr__infer c = {.op = n->op->name, .attr = n->attr, .n_in = n->n_in, .n_out = n->op->n_out};
    for (int k = 0; k < n->n_in; k++) {
        gr_value v = n->in[k];
        GR_FAIL_IF(v < 0 || (size_t)v > g->n_values, GR_ERR_INTERNAL, "node %zu (%s) reads value %d of %zu", i,
                   n->op->name, v, g->n_values);
        c.in[k] = v ? gr__value_get(g, v) : NULL;
    }
    GR_TRY(n->op->infer(&c));
    for (int k = 0; k < n->n_out; k++) {
        const gr__value *v = gr__value_get(g, n->out[k]);
        bool same = v->dtype == c.out[k].dtype && v->rank == c.out[k].rank && v->producer == (int32_t)i;
        for (int d = 0; same && d < v->rank; d++) same = v->dim[d] == c.out[k].dim[d];
        GR_FAIL_IF(!same, GR_ERR_INTERNAL, "node %zu (%s): output %d is not what its shape rule says", i, n->op->name,
                   k);
    }
    return GR_OK;
}

gr_status gr__graph_check(const gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    size_t n;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    if (!live || !sorted) GR_TRY_DONE(gr__fail_memory("checking a graph", g->n_nodes));
    GR_TRY_DONE(gr__graph_reach(g, NULL, live));
    for (size_t i = 0; i < g->n_nodes; i++)
        if (live[i]) GR_TRY_DONE(check_node(g, i));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n));
done:
    gr__free(live);
    gr__free(sorted);
    return status;
}
