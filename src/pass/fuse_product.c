/* Products with the element-wise program behind them, where the backend has a kernel that finishes sums in cache, and
 * weights that no run changes in the order in which that kernel reads them. */
#include "op/pack.h"
#include "pass/pass.h"

#include <string.h>

typedef struct fuser {
    gr_graph *g;
    const gr__backend *backend;
    bool *live, *root;
    int32_t *sorted, *uses;
    size_t n_sorted;
    size_t n_values; /* that the arrays know; later ones are this pass's own */
    bool *constant;  /* value depends on states alone that the program leaves as they are */
    gr__uses users;
} fuser;

static bool is_product(const gr__node *n)
{
    bool plain = n->op == &gr__op_matmul && (n->n_in < 3 || !n->in[2]);
    return plain || n->op == &gr__op_conv;
}

/* A draft of a fused node. */
typedef struct draft {
    gr__fused_product_attr attr;
    gr_value in[GR__MAX_IN], out[GR__MAP_MOST_OUTPUTS]; /* out: what the node's outputs replace */
    int n_in;
} draft;

/* The backend's kernel for it, all operands contiguous. NULL: none. */
static const gr__kernel *kernel_of(const fuser *f, const draft *d)
{
    gr__arg in[GR__MAX_IN], out[GR__MAP_MOST_OUTPUTS];
    for (int i = 0; i < d->n_in; i++)
        in[i] = d->in[i] ? gr__arg_of(gr__value_get(f->g, d->in[i])) : (gr__arg){.dtype = GR_DTYPE_NONE};
    for (int i = 0; i < d->attr.map.n_out; i++) {
        out[i] = (gr__arg){.dtype = d->attr.map.out_dtype[i], .rank = d->attr.map.rank};
        memcpy(out[i].dim, d->attr.map.dim, sizeof out[i].dim);
        gr__arg_strides(&out[i]);
    }
    gr__args a = {.op = &gr__op_fused_product,
                  .in = in,
                  .out = out,
                  .n_in = d->n_in,
                  .n_out = d->attr.map.n_out,
                  .attr = &d->attr};
    return gr__kernel_for(f->backend, &a);
}

/* The product's weight is one that pack_weight() packs, where a kernel wants that. */
static bool is_constant(const fuser *f, const gr__node *product)
{
    gr_value weight = product->in[1], out = product->out[0];
    return (size_t)weight <= f->n_values && f->constant[weight - 1] && !f->constant[out - 1];
}

/* The program meets the product as others would have read it from memory. */
static bool round_product(gr__fused_attr *map, int at)
{
    if (map->n_code == GR__MAP_MOST_INSTRUCTIONS) return false;
    memmove(map->code + 1, map->code, (size_t)map->n_code++ * sizeof *map->code);
    map->code[0] = (gr__map_code){.op = GR__MAP_ROUND_BF16, .dst = (uint8_t)at, .a = (uint8_t)at};
    return true;
}

static void take_product(const gr_graph *g, const gr__node *p, draft *d)
{
    *d = (draft){.attr = {.op = p->op, .n_own = p->op == &gr__op_conv ? p->n_in : 2}};
    memcpy(&d->attr.own, p->attr, p->op->attr_bytes);
    for (int i = 0; i < d->attr.n_own; i++) d->in[d->n_in++] = p->in[i];
    d->attr.weight = *gr__value_get(g, p->in[1]);
}

static gr_status add_node(fuser *f, const draft *d, const gr__node *at)
{
    gr_graph *g = f->g;
    gr__node like = *at; /* adding moves nodes */
    gr_value out[GR__MAX_OUT] = {0};
    gr__place outer = gr__place_enter(g, &like, like.order, like.flags);
    gr__node_add(g, &gr__op_fused_product, d->in, d->n_in, &d->attr, out);
    gr__place_leave(g, &outer);
    GR_TRY(gr_graph_status(g));
    for (int i = 0; i < d->attr.map.n_out; i++) GR_TRY(gr__uses_replace(&f->users, d->out[i], out[i]));
    return GR_OK;
}

/* ---- with the program behind it ---- */

/* The product behind operand k of a map, seen through reshapes, that nobody else reads; NULL: there is none. */
static const gr__node *product_behind(const fuser *f, const gr__node *map, int k)
{
    gr_value v = map->in[k];
    const gr__node *p = NULL;
    while (v && (size_t)v <= f->n_values && f->uses[v - 1] == 1 && !f->root[v - 1]) {
        p = gr__producer(f->g, v);
        if (!p || p->op != &gr__op_reshape) break;
        v = p->in[0];
        p = NULL;
    }
    if (!p || !is_product(p) || (p->flags ^ map->flags) & (GR__NODE_UPDATE | GR__NODE_CLONE)) return NULL;
    return p;
}

static gr_status fuse_map(fuser *f, int32_t node)
{
    const gr__node *map = &f->g->node[node];
    if (map->op != &gr__op_map) return GR_OK;
    for (int k = map->n_in - 1; k >= 0; k--) {
        const gr__node *p = product_behind(f, map, k);
        if (!p) continue;
        draft d;
        take_product(f->g, p, &d);
        d.attr.map = *(const gr__fused_attr *)map->attr;
        d.attr.at = k;
        for (int i = 0; i < map->n_in; i++)
            if (i != k) d.in[d.n_in++] = map->in[i];
        memcpy(d.out, map->out, (size_t)map->n_out * sizeof *d.out);
        const gr__value *last = gr__value_get(f->g, map->in[k]);
        if (last->dtype == GR_BF16 && !round_product(&d.attr.map, k)) continue;
        const gr__value *whole = gr__value_get(f->g, map->out[0]), *product = gr__value_get(f->g, p->out[0]);
        bool alike = last->rank > 0 && gr__same_shape(last, whole) &&
                     product->dim[product->rank - 1] == last->dim[last->rank - 1];
        d.attr.packed_bytes = is_constant(f, p);
        bool kernel = alike && kernel_of(f, &d);
        d.attr.packed_bytes = 0;
        if (!kernel && !(alike && kernel_of(f, &d))) continue;
        return add_node(f, &d, map);
    }
    return GR_OK;
}

/* ---- packed weights ---- */

static void draft_of(const gr_graph *g, const gr__node *n, draft *d)
{
    if (n->op == &gr__op_fused_product) {
        *d = (draft){.attr = *(const gr__fused_product_attr *)n->attr, .n_in = n->n_in};
        memcpy(d->in, n->in, (size_t)n->n_in * sizeof *d->in);
    } else { /* the sums as they are */
        const gr__value *out = gr__value_get(g, n->out[0]);
        take_product(g, n, d);
        d->attr.map = (gr__fused_attr){.n_out = 1, .out_dtype = {out->dtype}, .rank = out->rank};
        memcpy(d->attr.map.dim, out->dim, sizeof out->dim);
    }
    memcpy(d->out, n->out, (size_t)d->attr.map.n_out * sizeof *d->out);
}

static gr_status pack_weight(fuser *f, int32_t node)
{
    gr_graph *g = f->g;
    gr__node n = g->node[node];
    if (!is_product(&n) && n.op != &gr__op_fused_product) return GR_OK;
    if (!is_constant(f, &n)) return GR_OK;
    draft d;
    draft_of(g, &n, &d);
    d.attr.packed_bytes = 1; /* how many: the kernel says */
    const gr__kernel *row = kernel_of(f, &d);
    gr__arg in[GR__MAX_IN];
    for (int i = 0; i < d.n_in; i++)
        in[i] = d.in[i] ? gr__arg_of(gr__value_get(g, d.in[i])) : (gr__arg){.dtype = GR_DTYPE_NONE};
    size_t bytes =
        row && row->packed_bytes ? row->packed_bytes(&(gr__args){.attr = &d.attr, .in = in, .n_in = d.n_in}) : 0;
    if (!bytes) return GR_OK;
    d.attr.packed_bytes = bytes;
    gr__pack_attr pack = {.product = d.attr, .x = *gr__value_get(g, d.in[0]), .bytes = bytes};
    gr__place outer = gr__place_enter(g, &n, n.order, n.flags);
    gr_value weight = d.in[1];
    gr__node_add(g, &gr__op_pack, &weight, 1, &pack, &d.in[1]);
    gr__place_leave(g, &outer);
    GR_TRY(gr_graph_status(g));
    return add_node(f, &d, &n);
}

/* ---- the pass ---- */

static void release(fuser *f)
{
    gr__free(f->live);
    gr__free(f->root);
    gr__free(f->sorted);
    gr__free(f->uses);
    gr__free(f->constant);
    f->live = f->root = f->constant = NULL;
    f->sorted = f->uses = NULL;
}

static gr_status look(fuser *f)
{
    gr_graph *g = f->g;
    release(f);
    f->n_values = g->n_values;
    f->live = gr__calloc(g->n_nodes + 1, sizeof *f->live);
    f->sorted = gr__calloc(g->n_nodes + 1, sizeof *f->sorted);
    f->uses = gr__calloc(g->n_values + 1, sizeof *f->uses);
    f->root = gr__calloc(g->n_values + 1, sizeof *f->root);
    f->constant = gr__calloc(g->n_values + 1, sizeof *f->constant);
    if (!f->live || !f->sorted || !f->uses || !f->root || !f->constant)
        return gr__fail_memory("fusion", g->n_nodes * 16);
    GR_TRY(gr__graph_reach(g, NULL, f->live));
    GR_TRY(gr__graph_sort(g, f->live, NULL, 0, f->sorted, &f->n_sorted));
    gr__graph_uses(g, f->live, f->uses);
    gr__graph_hoisted(g, &g->program[0], f->sorted, f->n_sorted, f->constant);
    for (size_t p = 0; p < g->n_programs; p++) {
        const gr__program *pr = &g->program[p];
        for (size_t i = 0; i < pr->n_outputs; i++) f->root[pr->output[i].value - 1] = true;
        for (size_t i = 0; i < pr->n_updates; i++) f->root[pr->update[i].value - 1] = true;
        for (size_t i = 0; i < pr->n_guards; i++) f->root[pr->guard[i] - 1] = true;
    }
    return GR_OK;
}

gr_status gr__pass_fuse_product(gr_graph *g, const gr__backend *backend)
{
    gr_status status = GR_OK;
    fuser f = {.g = g, .backend = backend};
    GR_TRY_DONE(gr__uses_find(&f.users, g));
    GR_TRY_DONE(look(&f));
    for (size_t i = 0; i < f.n_sorted; i++) GR_TRY_DONE(fuse_map(&f, f.sorted[i]));
    GR_TRY_DONE(look(&f));
    for (size_t i = 0; i < f.n_sorted; i++) GR_TRY_DONE(pack_weight(&f, f.sorted[i]));
done:
    release(&f);
    gr__uses_release(&f.users);
    return status;
}
