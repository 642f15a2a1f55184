/* Recomputation (Griewank 1992; Chen et al. 2016): what the backward part reads of the forward part is computed again
 * right before it is needed, so that it need not be kept. 'cheap' clones ops whose cost is a pass over memory; 'blocks'
 * clones everything inside a block (gr_block_push) back to the block's inputs. Clones keep scope and random stream. */
#include "graph/op_row.h"
#include "pass/pass.h"

#include <string.h>

typedef struct gr__recomputer {
    gr_graph *g;
    gr__recompute level;
    bool *live;
    int32_t *sorted;
    size_t n_sorted, n_nodes; /* nodes and values that existed at the start */
    size_t n_values;
    int32_t *block_of;  /* node -> block, -1 */
    double *needed_at;  /* node -> order of the first backward reader of it or its block */
    gr_value *clone_of; /* value -> its clone */
} gr__recomputer;

static bool inside(const char *scope, const char *block)
{
    size_t n = strlen(block);
    return strncmp(scope, block, n) == 0 && (scope[n] == 0 || scope[n] == '.');
}

static bool repeatable(const gr__recomputer *r, int32_t n)
{
    const gr__node *nd = &r->g->node[n];
    if ((size_t)n >= r->n_nodes || (nd->flags & (GR__NODE_BACKWARD | GR__NODE_UPDATE))) return false;
    if (nd->op->flags & (GR__OP_CHEAP | GR__OP_VIEW)) return true;
    return r->level == GR__RECOMPUTE_BLOCKS && r->block_of[n] >= 0;
}

/* The clone of 'v' (or v itself where it is not repeated) for a reader at 'order'. Depth is the length of a chain inside
 * a block; blocks are layers, so recursion stays shallow, and a limit keeps it so. */
static gr_status clone(gr__recomputer *r, gr_value v, double order, int depth, gr_value *out)
{
    gr_graph *g = r->g;
    int32_t p = v ? gr__value_get(g, v)->producer : -1;
    *out = v;
    if (p < 0 || depth > 200 || !repeatable(r, p)) return GR_OK;
    if (r->clone_of[v - 1]) {
        *out = r->clone_of[v - 1];
        return GR_OK;
    }
    gr__node nd = g->node[p];
    gr_value in[GR__MAX_IN], outs[GR__MAX_OUT];
    for (int k = 0; k < nd.n_in; k++) {
        int32_t q = nd.in[k] ? gr__value_get(g, nd.in[k])->producer : -1;
        bool same_block =
            r->level != GR__RECOMPUTE_BLOCKS || (q >= 0 && (size_t)q < r->n_nodes && r->block_of[q] == r->block_of[p]);
        in[k] = nd.in[k];
        if (same_block) GR_TRY(clone(r, nd.in[k], order, depth + 1, &in[k]));
    }
    GR_TRY(gr__node_clone(g, p, in, order, GR__NODE_CLONE, outs));
    for (int i = 0; i < nd.n_out; i++) r->clone_of[nd.out[i] - 1] = outs[i];
    *out = r->clone_of[v - 1];
    return GR_OK;
}

static void find_blocks(gr__recomputer *r)
{
    for (size_t i = 0; i < r->n_nodes; i++) {
        r->block_of[i] = -1;
        for (size_t b = 0; b < r->g->n_blocks && r->block_of[i] < 0; b++)
            if (inside(r->g->node[i].scope, r->g->block[b])) r->block_of[i] = (int32_t)b;
    }
}

/* The first backward reader of each forward node; inside a block, of the whole block. */
static void find_readers(gr__recomputer *r, double *first_of_block)
{
    const gr_graph *g = r->g;
    for (size_t i = 0; i < r->n_nodes; i++) r->needed_at[i] = 0;
    for (size_t i = 0; i < r->n_sorted; i++) {
        const gr__node *nd = &g->node[r->sorted[i]];
        if (!(nd->flags & GR__NODE_BACKWARD)) continue;
        for (int k = 0; k < nd->n_in; k++) {
            int32_t p = nd->in[k] ? gr__value_get(g, nd->in[k])->producer : -1;
            if (p < 0 || !repeatable(r, p)) continue;
            if (r->needed_at[p] == 0) r->needed_at[p] = nd->order;
            int32_t b = r->block_of[p];
            if (b >= 0 && (first_of_block[b] == 0 || nd->order < first_of_block[b])) first_of_block[b] = nd->order;
        }
    }
}

static gr_status rewrite(gr__recomputer *r, const double *first_of_block)
{
    gr_graph *g = r->g;
    for (size_t i = 0; i < r->n_sorted; i++) {
        int32_t n = r->sorted[i];
        if (!(g->node[n].flags & GR__NODE_BACKWARD)) continue;
        for (int k = 0; k < g->node[n].n_in; k++) {
            gr_value v = g->node[n].in[k], c;
            int32_t p = v ? gr__value_get(g, v)->producer : -1;
            if (p < 0 || !repeatable(r, p)) continue;
            double at = r->level == GR__RECOMPUTE_BLOCKS && r->block_of[p] >= 0 ? first_of_block[r->block_of[p]]
                                                                                : r->needed_at[p];
            GR_TRY(clone(r, v, at - 0.25, 0, &c));
            g->node[n].in[k] = c;
        }
    }
    return GR_OK;
}

gr_status gr__pass_recompute(gr_graph *g, gr__recompute level)
{
    GR_TRY(gr_graph_status(g));
    if (level == GR__RECOMPUTE_NONE) return GR_OK;
    gr_status status = GR_OK;
    gr__recomputer r = {.g = g, .level = level, .n_nodes = g->n_nodes, .n_values = g->n_values};
    r.live = gr__calloc(g->n_nodes + 1, sizeof *r.live);
    r.sorted = gr__calloc(g->n_nodes + 1, sizeof *r.sorted);
    r.block_of = gr__calloc(g->n_nodes + 1, sizeof *r.block_of);
    r.needed_at = gr__calloc(g->n_nodes + 1, sizeof *r.needed_at);
    r.clone_of = gr__calloc(g->n_values + 1, sizeof *r.clone_of);
    double *first_of_block = gr__calloc(g->n_blocks + 1, sizeof *first_of_block);
    if (!r.live || !r.sorted || !r.block_of || !r.needed_at || !r.clone_of || !first_of_block)
        GR_TRY_DONE(gr__fail_memory("recomputation", g->n_nodes * 32));
    GR_TRY_DONE(gr__graph_reach(g, NULL, r.live));
    GR_TRY_DONE(gr__graph_sort(g, r.live, NULL, 0, r.sorted, &r.n_sorted));
    find_blocks(&r);
    find_readers(&r, first_of_block);
    GR_TRY_DONE(rewrite(&r, first_of_block));
done:
    gr__free(r.live);
    gr__free(r.sorted);
    gr__free(r.block_of);
    gr__free(r.needed_at);
    gr__free(r.clone_of);
    gr__free(first_of_block);
    return status;
}
