/* Weights of recurrent layers that no run changes, in the order in which their kernel reads them. */
#include "op/pack.h"
#include "op/recurrent.h"
#include "pass/pass.h"

#include <string.h>

static bool is_scan(const gr__node *n) { return n->op == &gr__op_lstm || n->op == &gr__op_gru || n->op == &gr__op_rnn; }

/* Bytes that the backend's kernel of node n wants for its weights; 0: it reads them as they lie. */
static size_t packed_bytes(const gr_graph *g, const gr__backend *backend, const gr__node *n)
{
    gr__arg in[GR__MAX_IN], out[GR__MAX_OUT];
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i] ? gr__arg_of(gr__value_get(g, n->in[i])) : (gr__arg){.dtype = GR_DTYPE_NONE};
    for (int i = 0; i < n->op->n_out; i++) out[i] = gr__arg_of(gr__value_get(g, n->out[i]));
    gr__args a = {.op = n->op, .in = in, .out = out, .n_in = n->n_in, .n_out = n->op->n_out, .attr = n->attr};
    const gr__kernel *row = gr__kernel_for(backend, &a);
    return row && row->packed_bytes ? row->packed_bytes(&a) : 0;
}

static gr_status pack_weights(gr__uses *uses, const gr__backend *backend, int32_t node)
{
    gr_graph *g = uses->g;
    gr__node n = g->node[node]; /* adding moves nodes */
    size_t bytes = packed_bytes(g, backend, &n);
    if (!bytes) return GR_OK;
    gr__pack_attr pack = {.bytes = bytes, .scan = n.op, .scan_attr = *(const gr__recurrent_attr *)n.attr};
    pack.x = *gr__value_get(g, n.in[GR__RNN_X]);
    gr_value in[GR__MAX_IN] = {0}, out[GR__MAX_OUT] = {0};
    memcpy(in, n.in, (size_t)n.n_in * sizeof *in);
    gr__place outer = gr__place_enter(g, &n, n.order, n.flags);
    gr__node_add(g, &gr__op_pack, &n.in[GR__RNN_W_IH], 2, &pack, &in[gr__recurrent_packed(n.op)]);
    gr__node_add(g, n.op, in, n.op->max_in, n.attr, out);
    gr__place_leave(g, &outer);
    GR_TRY(gr_graph_status(g));
    for (int i = 0; i < n.op->n_out; i++) GR_TRY(gr__uses_replace(uses, n.out[i], out[i]));
    return GR_OK;
}

gr_status gr__pass_pack_scan(gr_graph *g, const gr__backend *backend)
{
    gr_status status = GR_OK;
    size_t n_sorted = 0, n_nodes = g->n_nodes;
    bool *live = gr__calloc(n_nodes + 1, sizeof *live), *constant = gr__calloc(g->n_values + 1, sizeof *constant);
    int32_t *sorted = gr__calloc(n_nodes + 1, sizeof *sorted);
    gr__uses uses = {0};
    if (!live || !constant || !sorted) GR_TRY_DONE(gr__fail_memory("packing", n_nodes * sizeof *sorted));
    GR_TRY_DONE(gr__graph_reach(g, NULL, live));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n_sorted));
    gr__graph_hoisted(g, &g->program[0], sorted, n_sorted, constant);
    GR_TRY_DONE(gr__uses_find(&uses, g));
    for (size_t i = 0; i < n_sorted; i++) {
        const gr__node *n = &g->node[sorted[i]];
        if (!is_scan(n) || !constant[n->in[GR__RNN_W_IH] - 1] || !constant[n->in[GR__RNN_W_HH] - 1]) continue;
        if (constant[n->out[GR__RNN_Y] - 1]) continue;
        GR_TRY_DONE(pack_weights(&uses, backend, sorted[i]));
    }
done:
    gr__free(live);
    gr__free(constant);
    gr__free(sorted);
    gr__uses_release(&uses);
    return status;
}
