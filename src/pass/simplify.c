/* Rules that make a graph smaller without changing its values. They run over the nodes in order until nothing changes. */
#include "op/attr.h"
#include "pass/pass.h"

#include <string.h>

typedef struct gr__simplifier {
    gr_graph *g;
    int32_t *uses; /* of each value */
    size_t n_uses;
    gr__uses users;
    gr__map seen; /* op, attributes and operands -> first output */
    bool changed;
} gr__simplifier;

/* Replaces value 'from' by 'to' everywhere. */
static void replace(gr__simplifier *s, gr_value from, gr_value to)
{
    gr_status status = gr__uses_replace(&s->users, from, to);
    if (status != GR_OK) {
        gr__graph_fail(s->g, status, "out of memory for the uses of a value");
        return;
    }
    if ((size_t)to <= s->n_uses && (size_t)from <= s->n_uses) s->uses[to - 1] += s->uses[from - 1];
    if ((size_t)from <= s->n_uses) s->uses[from - 1] = 0;
    s->changed = true;
}

static const gr__node *producer_is(const gr_graph *g, gr_value v, const gr__op *op)
{
    const gr__node *n = v ? gr__producer(g, v) : NULL;
    return n && n->op == op ? n : NULL;
}

static bool is_fill(const gr_graph *g, gr_value v, double *number)
{
    const gr__node *n = producer_is(g, v, &gr__op_fill);
    if (n) *number = ((const gr__fill_attr *)n->attr)->map.p0;
    return n != NULL;
}

static bool same_type(const gr_graph *g, gr_value a, gr_value b)
{
    const gr__value *x = gr__value_get(g, a), *y = gr__value_get(g, b);
    return x->dtype == y->dtype && gr__same_shape(x, y);
}

static bool used_once(const gr__simplifier *s, gr_value v) { return (size_t)v <= s->n_uses && s->uses[v - 1] == 1; }

/* ---- neutral elements ---- */

static gr_value neutral(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    double c;
    gr_value out = n->out[0];
    if (n->op == &gr__op_add || n->op == &gr__op_mul) {
        double zero = n->op == &gr__op_add ? 0 : 1;
        for (int i = 0; i < 2; i++)
            if (is_fill(g, n->in[i], &c) && c == zero && same_type(g, n->in[1 - i], out)) return n->in[1 - i];
    }
    if (n->op == &gr__op_mul)
        for (int i = 0; i < 2; i++)
            if (is_fill(g, n->in[i], &c) && c == 1 &&
                gr__same_shape(gr__value_get(g, n->in[1 - i]), gr__value_get(g, out)))
                return gr_cast(g, n->in[1 - i], gr_value_dtype(g, out));
    if (n->op == &gr__op_mul)
        for (int i = 0; i < 2; i++)
            if (is_fill(g, n->in[i], &c) && same_type(g, n->in[1 - i], out)) return gr_affine(g, n->in[1 - i], c, 0);
    if (n->op == &gr__op_sub && is_fill(g, n->in[1], &c) && c == 0 && same_type(g, n->in[0], out)) return n->in[0];
    if (n->op == &gr__op_affine && ((const gr__map_attr *)n->attr)->p0 == 1 && ((const gr__map_attr *)n->attr)->p1 == 0)
        return n->in[0];
    bool moves =
        n->op == &gr__op_cast || n->op == &gr__op_reshape || n->op == &gr__op_broadcast_to || n->op == &gr__op_permute;
    if (moves && is_fill(g, n->in[0], &c)) {
        const gr__value *v = gr__value_get(g, out);
        return gr_fill(g, v->dtype, v->rank, v->dim, c);
    }
    return 0;
}

/* ---- shapes ---- */

static gr_value reshapes(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    if (n->op != &gr__op_reshape) return 0;
    if (same_type(g, n->in[0], n->out[0])) return n->in[0];
    const gr__node *inner = producer_is(g, n->in[0], &gr__op_reshape);
    const gr__value *v = gr__value_get(g, n->out[0]);
    return inner ? gr_reshape(g, inner->in[0], v->rank, v->dim) : 0;
}

/* ---- casts ---- */

/* There and back: nothing is lost on the way through a wider type, and a gradient may keep what it has. */
static gr_value casts(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    if (n->op == &gr__op_cast_like) return gr_cast(g, n->in[0], gr_value_dtype(g, n->in[1]));
    if (n->op != &gr__op_cast) return 0;
    if (same_type(g, n->in[0], n->out[0])) return n->in[0];
    const gr__node *inner = producer_is(g, n->in[0], &gr__op_cast);
    if (!inner || !same_type(g, inner->in[0], n->out[0])) return 0;
    gr_dtype x = gr_value_dtype(g, inner->in[0]), between = gr_value_dtype(g, n->in[0]);
    if (!gr__is_float(x) || !gr__is_float(between)) return 0;
    bool gradient = n->flags & GR__NODE_BACKWARD && inner->flags & GR__NODE_BACKWARD;
    return gradient || gr__wider(x, between) == between ? inner->in[0] : 0;
}

/* ---- a cast behind an op that can write the other dtype itself ---- */

static gr_value fold_cast(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    if (n->op != &gr__op_cast) return 0;
    gr_value x = n->in[0];
    const gr__node *p = gr__producer(g, x);
    if (!p || !(p->op->flags & GR__OP_OUT_DTYPE) || p->out[0] != x || !used_once(s, x)) return 0;
    gr_dtype to = gr__value_get(g, n->out[0])->dtype, from = gr__value_get(g, x)->dtype;
    bool pair = (to == GR_F32 && from == GR_BF16) || (to == GR_BF16 && from == GR_F32);
    bool dense = p->op->autocast == GR__CAST_LOW; /* products of f32 do not give bf16 */
    if (!pair || (dense && to == GR_BF16 && gr_value_dtype(g, p->in[0]) != GR_BF16)) return 0;
    if (p->op->flags & GR__OP_ACCUMULATE && p->n_in == p->op->max_in && p->in[p->n_in - 1]) return 0;
    *(gr_dtype *)p->attr = to; /* the first field, by the rule of GR__OP_OUT_DTYPE */
    g->value[x - 1].dtype = to;
    return x;
}

/* ---- additions ---- */

/* add(a, f(...)) -> f(..., accumulate a) */
static gr_value accumulate(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    if (n->op != &gr__op_add) return 0;
    for (int i = 1; i >= 0; i--) {
        gr_value x = n->in[i], a = n->in[1 - i];
        const gr__node *p = gr__producer(g, x);
        if (!p || a == x || !(p->op->flags & GR__OP_ACCUMULATE) || p->out[0] != x || !used_once(s, x)) continue;
        if (!same_type(g, a, x) || (p->n_in == p->op->max_in && p->in[p->n_in - 1])) continue;
        gr_value in[GR__MAX_IN] = {0}, outs[GR__MAX_OUT] = {0};
        memcpy(in, p->in, (size_t)p->n_in * sizeof *in);
        in[p->op->max_in - 1] = a;
        gr__node like = *p;
        gr__place outer = gr__place_enter(g, &like, n->order, n->flags);
        gr__node_add(g, like.op, in, like.op->max_in, like.attr, outs);
        gr__place_leave(g, &outer);
        for (int k = 1; k < like.n_out; k++) replace(s, like.out[k], outs[k]); /* the old node has no use left */
        return outs[0];
    }
    return 0;
}

/* A tree of additions of pad_slices that tile one axis -> concat of what they pad. */
enum { MOST_PARTS = 16 };

static bool collect_parts(const gr__simplifier *s, gr_value v, bool root, const gr__node **part, int *n)
{
    const gr__node *add = producer_is(s->g, v, &gr__op_add), *pad = producer_is(s->g, v, &gr__op_pad_slice);
    if (!root && !used_once(s, v)) return false;
    if (add) return collect_parts(s, add->in[0], false, part, n) && collect_parts(s, add->in[1], false, part, n);
    if (!pad || *n == MOST_PARTS) return false;
    part[(*n)++] = pad;
    return true;
}

static gr_value tile(gr__simplifier *s, const gr__node *n)
{
    gr_graph *g = s->g;
    const gr__node *part[MOST_PARTS];
    gr_value in[MOST_PARTS];
    int parts = 0;
    if (n->op != &gr__op_add || !collect_parts(s, n->out[0], true, part, &parts)) return 0;
    int axis = ((const gr__slice_attr *)part[0]->attr)->axis;
    int64_t at = 0, size = gr_value_dim(g, n->out[0], axis);
    for (int k = 0; k < parts; k++) { /* the part that starts at 'at' */
        int found = -1;
        for (int i = 0; i < parts; i++) {
            const gr__slice_attr *a = part[i]->attr;
            if (a->axis == axis && a->start == at) found = i;
        }
        if (found < 0 || !same_type(g, part[found]->out[0], n->out[0])) return 0;
        in[k] = part[found]->in[0];
        at += gr_value_dim(g, in[k], axis);
    }
    if (at != size) return 0;
    gr__node like = *n;
    gr__place outer = gr__place_enter(g, &like, like.order, like.flags);
    gr_value out = gr_concat(g, in, parts, axis);
    gr__place_leave(g, &outer);
    return out;
}

/* ---- sums of a pooling's gradient ---- */

/* Each element of dy falls on one place: their sum over all places is that of dy. With gaps a window may see nothing. */
static gr_value unspread(gr__simplifier *s, const gr__node *n)
{
    if (n->op != &gr__op_sum) return 0;
    const gr__node *spread = producer_is(s->g, n->in[0], &gr__op_max_pool_grad);
    if (!spread) return 0;
    const gr__pool_attr *pool = spread->attr;
    int rank = gr__value_get(s->g, n->in[0])->rank, axes = pool->window.axes;
    uint32_t places = ((1u << axes) - 1u) << 1;
    bool gaps = pool->adaptive;
    for (int i = 0; i < axes; i++) gaps = gaps || pool->window.dilation[i] != 1;
    if (gaps || (gr__reduce_mask(n->attr, rank) & places) != places) return 0;
    gr_value sum = gr__node_add(s->g, &gr__op_sum, spread->in, 1, n->attr, NULL);
    return sum && same_type(s->g, sum, n->out[0]) ? sum : 0;
}

static gr_value pointwise(gr__simplifier *s, const gr__node *n) { return gr__pointwise(s->g, n); }

/* ---- repeated nodes ---- */

static gr_status repeated(gr__simplifier *s, const gr__node *n, gr_value *found)
{
    gr_graph *g = s->g;
    *found = 0;
    if (n->op->random || n->n_out != 1 || (n->flags & GR__NODE_CLONE)) return GR_OK;
    gr__str key = {0};
    uint32_t apart = n->flags & (gr__op_is_map(n->op) ? GR__NODE_UPDATE | GR__NODE_BACKWARD : GR__NODE_UPDATE);
    gr__str_add_n(&key, (const char *)&n->op, sizeof n->op);
    gr__str_add_n(&key, (const char *)&apart, sizeof apart);
    gr__str_add_n(&key, (const char *)n->in, (size_t)n->n_in * sizeof *n->in);
    if (n->op->attr_bytes) gr__str_add_n(&key, n->attr, n->op->attr_bytes);
    gr_status status = gr__str_check(&key);
    if (status == GR_OK) {
        int64_t *known = gr__map_get(&s->seen, key.text, key.n);
        if (!known)
            status = gr__map_set(&s->seen, key.text, key.n, n->out[0], NULL);
        else if (*known != n->out[0] && same_type(g, (gr_value)*known, n->out[0]))
            *found = (gr_value)*known;
    }
    gr__str_release(&key);
    return status;
}

/* ---- driver ---- */

static gr_status simplify_node(gr__simplifier *s, int32_t index)
{
    static gr_value (*const rules[])(gr__simplifier *, const gr__node *) = {neutral,  reshapes,  casts,      tile,
                                                                            unspread, pointwise, accumulate, fold_cast};
    gr_graph *g = s->g;
    gr__node n = g->node[index]; /* rules append nodes */
    gr_value to;
    GR_TRY(repeated(s, &n, &to));
    if (!to) {
        gr__place outer = gr__place_enter(g, &n, n.order, n.flags);
        for (size_t r = 0; !to && r < GR__COUNT(rules); r++) to = rules[r](s, &n);
        gr__place_leave(g, &outer);
        GR_TRY(gr_graph_status(g));
    }
    if (to && to != n.out[0]) replace(s, n.out[0], to);
    return gr_graph_status(g);
}

static gr_status round_of_rules(gr_graph *g, bool *changed)
{
    gr_status status = GR_OK;
    gr__simplifier s = {.g = g, .n_uses = g->n_values};
    size_t n = 0;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    s.uses = gr__calloc(g->n_values + 1, sizeof *s.uses);
    if (!live || !sorted || !s.uses) GR_TRY_DONE(gr__fail_memory("simplification", g->n_nodes * 16));
    GR_TRY_DONE(gr__graph_reach(g, NULL, live));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n));
    gr__graph_uses(g, live, s.uses);
    GR_TRY_DONE(gr__uses_find(&s.users, g));
    for (size_t i = 0; i < n; i++)
        if (g->node[sorted[i]].n_out) GR_TRY_DONE(simplify_node(&s, sorted[i]));
    *changed = s.changed;
done:
    gr__map_release(&s.seen);
    gr__uses_release(&s.users);
    gr__free(live);
    gr__free(sorted);
    gr__free(s.uses);
    return status;
}

gr_status gr__pass_simplify(gr_graph *g)
{
    GR_TRY(gr_graph_status(g));
    bool changed = true;
    for (int round = 0; round < 6 && changed; round++) GR_TRY(round_of_rules(g, &changed));
    return GR_OK;
}
