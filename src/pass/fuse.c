/* Fusion of element-wise ops. Groups grow along the order of execution: a node joins the group of one of its operands
 * when the whole group may run at the node's place, that is when nobody outside the group reads a member before it.
 * A group becomes one 'map' node if its program fits the machine (instructions, registers, inputs, outputs). */
#include "op/map.h"
#include "pass/pass.h"

#include <string.h>

enum { MOST_MEMBERS = GR__MAP_MOST_INSTRUCTIONS };

typedef struct gr__group {
    int32_t member[MOST_MEMBERS]; /* nodes, in order */
    int n;
    size_t last; /* position of the last member */
} gr__group;

typedef struct gr__fuser {
    gr_graph *g;
    bool *live;
    int32_t *sorted;
    size_t n_sorted;
    int32_t *position;   /* of a node in the order */
    int32_t *group_of;   /* node -> group, -1 */
    int32_t *first_user; /* lists of consumers: value -> index into 'next', -1 */
    int32_t *user, *next_user;
    bool *is_root; /* value is an output, update or guard of a program */
    gr__group *group;
    size_t n_groups, group_capacity;
    gr__uses uses;
} gr__fuser;

/* ---- can it run on the machine? ---- */

static bool fits_machine(const gr_graph *g, const gr__node *n)
{
    if (!gr__op_is_map(n->op)) return false;
    for (int i = 0; i < n->n_in; i++) {
        gr_dtype t = gr__value_get(g, n->in[i])->dtype;
        if (t != GR_F32 && t != GR_BF16 && t != GR_I32 && t != GR_U8 && t != GR_BOOL) return false;
    }
    const gr__value *v = gr__value_get(g, n->out[0]);
    return v->dtype == GR_F32 || v->dtype == GR_BF16;
}

static bool member_of(const gr__group *gp, int32_t node)
{
    for (int i = 0; i < gp->n; i++)
        if (gp->member[i] == node) return true;
    return false;
}

/* ---- a group's program ---- */

typedef struct gr__program_draft {
    gr__fused_attr attr;
    gr_value in[GR__MAP_MOST_INPUTS];
    gr_value out[GR__MAP_MOST_OUTPUTS]; /* the values that the outputs replace */
    int n_in;
} gr__program_draft;

typedef struct gr__registers {
    gr_value holds[GR__MAP_REGISTERS]; /* value in a register, 0: free */
    int uses[GR__MAP_REGISTERS];       /* reads to come */
} gr__registers;

static int find_register(const gr__registers *r, gr_value v)
{
    for (int i = 0; i < GR__MAP_REGISTERS; i++)
        if (r->holds[i] == v) return i;
    return -1;
}

static bool read_outside(const gr__fuser *f, const gr__group *gp, gr_value v)
{
    if (f->is_root[v - 1]) return true;
    for (int32_t u = f->first_user[v - 1]; u >= 0; u = f->next_user[u])
        if (!member_of(gp, f->user[u])) return true;
    return false;
}

static int reads_inside(const gr__fuser *f, const gr__group *gp, gr_value v)
{
    int n = 0;
    for (int i = 0; i < gp->n; i++)
        for (int k = 0; k < f->g->node[gp->member[i]].n_in; k++) n += f->g->node[gp->member[i]].in[k] == v;
    return n;
}

static bool add_code(gr__program_draft *d, int op, int dst, int a, int b, int c, double p0, double p1)
{
    if (d->attr.n_code == GR__MAP_MOST_INSTRUCTIONS) return false;
    d->attr.code[d->attr.n_code++] =
        (gr__map_code){(uint8_t)op, (uint8_t)dst, (uint8_t)a, (uint8_t)b, (uint8_t)c, (float)p0, (float)p1};
    return true;
}

static bool draft_member(const gr__fuser *f, const gr__group *gp, const gr__node *n, gr__program_draft *d,
                         gr__registers *r)
{
    bool numbers = n->op->attr_bytes >= sizeof(gr__map_attr); /* a cast has none */
    const gr__map_attr *a = n->attr;
    double p0 = numbers ? a->p0 : 0, p1 = numbers ? a->p1 : 0;
    int from[3] = {0};
    for (int k = 0; k < n->n_in; k++) from[k] = find_register(r, n->in[k]);
    for (int k = 0; k < n->n_in; k++)
        if (--r->uses[from[k]] == 0) r->holds[from[k]] = 0;
    gr_value v = n->out[0];
    bool out = read_outside(f, gp, v);
    int reads = reads_inside(f, gp, v), dst = find_register(r, 0);
    if (dst < 0 || !add_code(d, n->op->map_op, dst, from[0], from[1], from[2], p0, p1)) return false;
    gr_dtype dtype = gr__value_get(f->g, v)->dtype;
    if (dtype == GR_BF16 && reads && !add_code(d, GR__MAP_ROUND_BF16, dst, dst, 0, 0, 0, 0)) return false;
    r->holds[dst] = v;
    r->uses[dst] = reads + (out ? 1 : 0); /* an output stays to the end */
    if (out) {
        if (d->attr.n_out == GR__MAP_MOST_OUTPUTS) return false;
        d->out[d->attr.n_out] = v;
        d->attr.out_dtype[d->attr.n_out] = dtype;
        d->attr.output_register[d->attr.n_out++] = (uint8_t)dst;
    }
    return true;
}

/* false: the group does not fit. */
static bool draft(const gr__fuser *f, const gr__group *gp, gr__program_draft *d)
{
    const gr_graph *g = f->g;
    gr__registers r = {{0}, {0}};
    memset(d, 0, sizeof *d);
    for (int i = 0; i < gp->n; i++) {
        const gr__node *n = &g->node[gp->member[i]];
        for (int k = 0; k < n->n_in; k++) {
            gr_value v = n->in[k];
            int32_t p = gr__value_get(g, v)->producer;
            if ((p >= 0 && member_of(gp, p)) || find_register(&r, v) >= 0) continue;
            if (d->n_in == GR__MAP_MOST_INPUTS) return false;
            r.holds[d->n_in] = v;
            r.uses[d->n_in] = reads_inside(f, gp, v);
            d->in[d->n_in++] = v;
        }
    }
    const gr__value *shape = gr__value_get(g, g->node[gp->member[0]].out[0]);
    d->attr.rank = shape->rank;
    memcpy(d->attr.dim, shape->dim, sizeof d->attr.dim);
    for (int i = 0; i < gp->n; i++)
        if (!draft_member(f, gp, &g->node[gp->member[i]], d, &r)) return false;
    return d->attr.n_out > 0;
}

/* ---- growing groups ---- */

/* Nobody outside reads a member before position 'at'. */
static bool may_run_at(const gr__fuser *f, const gr__group *gp, size_t at)
{
    for (int i = 0; i < gp->n; i++)
        for (int32_t u = f->first_user[f->g->node[gp->member[i]].out[0] - 1]; u >= 0; u = f->next_user[u])
            if (!member_of(gp, f->user[u]) && (size_t)f->position[f->user[u]] < at) return false;
    return true;
}

static bool try_join(gr__fuser *f, gr__group *gp, int32_t node)
{
    const gr__node *n = &f->g->node[node], *first = &f->g->node[gp->member[0]];
    if (gp->n == MOST_MEMBERS) return false;
    if ((n->flags ^ first->flags) & (GR__NODE_UPDATE | GR__NODE_CLONE)) return false;
    if (!gr__same_shape(gr__value_get(f->g, n->out[0]), gr__value_get(f->g, first->out[0]))) return false;
    gr__group larger = *gp;
    larger.member[larger.n++] = node;
    larger.last = (size_t)f->position[node];
    gr__program_draft d;
    if (!may_run_at(f, &larger, larger.last) || !draft(f, &larger, &d)) return false;
    *gp = larger;
    return true;
}

static gr_status place(gr__fuser *f, int32_t node)
{
    const gr__node *n = &f->g->node[node];
    for (int k = 0; k < n->n_in; k++) {
        int32_t p = gr__value_get(f->g, n->in[k])->producer;
        if (p < 0 || f->group_of[p] < 0) continue;
        if (try_join(f, &f->group[f->group_of[p]], node)) {
            f->group_of[node] = f->group_of[p];
            return GR_OK;
        }
    }
    GR_TRY(gr__grow(&f->group, sizeof *f->group, f->n_groups + 1, &f->group_capacity));
    f->group[f->n_groups] = (gr__group){.member = {node}, .n = 1, .last = (size_t)f->position[node]};
    f->group_of[node] = (int32_t)f->n_groups++;
    return GR_OK;
}

static gr_status index_users(gr__fuser *f)
{
    gr_graph *g = f->g;
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += f->live[i] ? (size_t)g->node[i].n_in : 0;
    f->user = gr__calloc(n + 1, sizeof *f->user);
    f->next_user = gr__calloc(n + 1, sizeof *f->next_user);
    if (!f->user || !f->next_user) return gr__fail_memory("fusion", n * 8);
    for (size_t i = 0; i < g->n_values; i++) f->first_user[i] = -1;
    n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; f->live[i] && k < g->node[i].n_in; k++) {
            gr_value v = g->node[i].in[k];
            if (!v) continue;
            f->user[n] = (int32_t)i;
            f->next_user[n] = f->first_user[v - 1];
            f->first_user[v - 1] = (int32_t)n++;
        }
    for (size_t p = 0; p < g->n_programs; p++) {
        const gr__program *pr = &g->program[p];
        for (size_t i = 0; i < pr->n_outputs; i++) f->is_root[pr->output[i].value - 1] = true;
        for (size_t i = 0; i < pr->n_updates; i++) f->is_root[pr->update[i].value - 1] = true;
        for (size_t i = 0; i < pr->n_guards; i++) f->is_root[pr->guard[i] - 1] = true;
    }
    return GR_OK;
}

static gr_status emit(gr__fuser *f, const gr__group *gp)
{
    gr_graph *g = f->g;
    gr__program_draft d;
    if (!draft(f, gp, &d)) return GR_OK; /* a single op that does not fit stays as it is */
    gr__node first = g->node[gp->member[0]], last = g->node[gp->member[gp->n - 1]]; /* adding moves nodes */
    gr__place outer = gr__place_enter(g, &first, last.order, last.flags);
    gr_value outs[GR__MAX_OUT] = {0};
    gr__node_add(g, &gr__op_map, d.in, d.n_in, &d.attr, outs);
    gr__place_leave(g, &outer);
    GR_TRY(gr_graph_status(g));
    for (int i = 0; i < d.attr.n_out; i++) GR_TRY(gr__uses_replace(&f->uses, d.out[i], outs[i]));
    return GR_OK;
}

gr_status gr__pass_fuse(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    gr_status status = GR_OK;
    gr__fuser f = {.g = g};
    f.live = gr__calloc(g->n_nodes + 1, sizeof *f.live);
    f.sorted = gr__calloc(g->n_nodes + 1, sizeof *f.sorted);
    f.position = gr__calloc(g->n_nodes + 1, sizeof *f.position);
    f.group_of = gr__calloc(g->n_nodes + 1, sizeof *f.group_of);
    f.first_user = gr__calloc(g->n_values + 1, sizeof *f.first_user);
    f.is_root = gr__calloc(g->n_values + 1, sizeof *f.is_root);
    if (!f.live || !f.sorted || !f.position || !f.group_of || !f.first_user || !f.is_root)
        GR_TRY_DONE(gr__fail_memory("fusion", g->n_nodes * 16));
    GR_TRY_DONE(gr__graph_reach(g, NULL, f.live));
    GR_TRY_DONE(gr__graph_sort(g, f.live, NULL, 0, f.sorted, &f.n_sorted));
    for (size_t i = 0; i < g->n_nodes; i++) f.group_of[i] = -1;
    for (size_t i = 0; i < f.n_sorted; i++) f.position[f.sorted[i]] = (int32_t)i;
    GR_TRY_DONE(index_users(&f));
    for (size_t i = 0; i < f.n_sorted; i++)
        if (fits_machine(g, &g->node[f.sorted[i]])) GR_TRY_DONE(place(&f, f.sorted[i]));
    GR_TRY_DONE(gr__uses_find(&f.uses, g));
    for (size_t i = 0; i < f.n_groups; i++) GR_TRY_DONE(emit(&f, &f.group[i]));
done:
    gr__free(f.live);
    gr__free(f.sorted);
    gr__free(f.position);
    gr__free(f.group_of);
    gr__free(f.first_user);
    gr__free(f.user);
    gr__free(f.next_user);
    gr__free(f.is_root);
    gr__free(f.group);
    gr__uses_release(&f.uses);
    return status;
}
