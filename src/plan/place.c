/* Walks the nodes in their order, decides where every value lives (its own slot, a view of another, over an operand, inside
 * a concat's result), picks a kernel for each node and appends steps. */
#include "plan/plan.h"

#include "op/attr.h"

#include <stdio.h>
#include <string.h>

typedef struct gr__placer {
    gr_plan *plan;
    gr_graph *g;
    const gr__backend *backend;
    const int32_t *sorted;
    size_t n;
    int32_t end;       /* the time after all nodes */
    int32_t *last_use; /* value -> time */
    int32_t *uses;
    bool *hoisted;    /* value depends on states that this program leaves alone */
    bool *lasting;    /* hoisted, and read by what is not: lives from run to run */
    bool *root;       /* value is an output, an update or an updated state */
    gr_value *inside; /* value -> the concat result that it is written into, 0: none */
    int32_t *inside_operand;
    gr_value *over_state; /* value -> the state that it is written over, 0: none */
    gr__str why;
} gr__placer;

/* ---- slots and operands ---- */

static gr_status new_slot(gr__placer *p, gr__slot s, int32_t *out)
{
    gr_plan *plan = p->plan;
    GR_TRY(gr__grow(&plan->slot, sizeof *plan->slot, plan->n_slots + 1, &plan->slot_capacity));
    plan->slot[plan->n_slots] = s;
    *out = (int32_t)plan->n_slots++;
    return GR_OK;
}

static size_t value_bytes(const gr__value *v) { return (size_t)gr__value_count(v) * gr_dtype_size_bytes(v->dtype); }

/* The value as it lies at its place. */
static gr__operand operand_of(const gr__placer *p, gr_value v)
{
    if (v == 0) return (gr__operand){.slot = -1};
    const gr__value *x = gr__value_get(p->g, v);
    const gr__where *w = &p->plan->where[v - 1];
    gr__operand o = {
        .arg = gr__arg_of(x), .slot = w->slot, .offset_bytes = (size_t)w->offset * gr_dtype_size_bytes(x->dtype)};
    memcpy(o.arg.stride, w->stride, sizeof o.arg.stride);
    if (gr__arg_contiguous(&o.arg)) gr__arg_strides(&o.arg); /* a view may leave any stride on an axis of one */
    return o;
}

/* A fresh contiguous place for the value. */
static gr_status own_slot(gr__placer *p, gr_value v, int32_t first, int32_t last, bool pinned)
{
    const gr__value *x = gr__value_get(p->g, v);
    gr__arg a = gr__arg_of(x);
    gr__where *w = &p->plan->where[v - 1];
    w->offset = 0;
    memcpy(w->stride, a.stride, sizeof w->stride);
    return new_slot(
        p, (gr__slot){.kind = GR__SLOT_ARENA, .bytes = value_bytes(x), .first = first, .last = last, .pinned = pinned},
        &w->slot);
}

static gr_status add_step(gr__placer *p, gr__call s, const gr__operand *in, const gr__operand *out)
{
    gr_plan *plan = p->plan;
    size_t n = plan->n_operands + (size_t)(s.n_in + s.n_out);
    GR_TRY(gr__grow(&plan->operand, sizeof *plan->operand, n, &plan->operand_capacity));
    GR_TRY(gr__grow(&plan->step, sizeof *plan->step, plan->n_steps + 1, &plan->step_capacity));
    s.operand = plan->n_operands;
    if (s.n_in) memcpy(plan->operand + s.operand, in, (size_t)s.n_in * sizeof *in);
    if (s.n_out) memcpy(plan->operand + s.operand + s.n_in, out, (size_t)s.n_out * sizeof *out);
    plan->n_operands = n;
    plan->step[plan->n_steps++] = s;
    return GR_OK;
}

static gr_status add_copy(gr__placer *p, int32_t node, bool update, gr__operand from, gr__operand to)
{
    gr__call s = {.kind = GR__CALL_KERNEL,
                  .kernel = &gr__kernel_copy,
                  .node = node,
                  .n_in = 1,
                  .n_out = 1,
                  .wanted = 1,
                  .scratch_slot = -1,
                  .update = update,
                  .why = ""};
    return add_step(p, s, &from, &to);
}

/* A contiguous copy of an operand that lives at this time only. */
static gr_status make_contiguous(gr__placer *p, int32_t node, int32_t time, gr__operand *o, bool hoisted)
{
    gr__operand to = *o;
    gr__arg_strides(&to.arg);
    to.offset_bytes = 0;
    gr__slot s = {.kind = GR__SLOT_ARENA,
                  .first = hoisted ? 0 : time,
                  .last = hoisted ? p->end : time,
                  .pinned = true,
                  .bytes = (size_t)gr__arg_count(&to.arg) * gr_dtype_size_bytes(to.arg.dtype)};
    GR_TRY(new_slot(p, s, &to.slot));
    GR_TRY(add_copy(p, node, (p->g->node[node].flags & GR__NODE_UPDATE) != 0, *o, to));
    *o = to;
    return GR_OK;
}

/* ---- analysis ---- */

static int32_t later(int32_t a, int32_t b) { return a > b ? a : b; }

static void find_last_uses(gr__placer *p)
{
    const gr__program *pr = p->plan->program;
    for (size_t i = 0; i < pr->n_outputs; i++) p->last_use[pr->output[i].value - 1] = p->end;
    for (size_t i = 0; i < pr->n_updates; i++)
        if (!p->over_state[pr->update[i].value - 1]) p->last_use[pr->update[i].value - 1] = p->end;
    for (size_t t = p->n; t > 0; t--) {
        const gr__node *n = &p->g->node[p->sorted[t - 1]];
        int32_t use = (int32_t)t;
        if (n->op->flags & GR__OP_VIEW) use = later(use, p->last_use[n->out[0] - 1]);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) p->last_use[n->in[k] - 1] = later(p->last_use[n->in[k] - 1], use);
    }
}

static void find_lasting(gr__placer *p)
{
    const gr__program *pr = p->plan->program;
    for (size_t i = 0; i < pr->n_outputs; i++) p->lasting[pr->output[i].value - 1] = true;
    for (size_t i = 0; i < pr->n_updates; i++) p->lasting[pr->update[i].value - 1] = true;
    for (size_t i = 0; i < pr->n_guards; i++) p->lasting[pr->guard[i] - 1] = true;
    for (size_t t = p->n; t > 0; t--) {
        const gr__node *n = &p->g->node[p->sorted[t - 1]];
        bool run = n->n_out == 0 || !p->hoisted[n->out[0] - 1];
        bool seen = !run && (n->op->flags & GR__OP_VIEW || n->op == &gr__op_concat) && p->lasting[n->out[0] - 1];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) p->lasting[n->in[k] - 1] = p->lasting[n->in[k] - 1] || run || seen;
    }
}

/* Until when what a hoisted node makes is needed. */
static int32_t hoisted_end(const gr__placer *p, gr_value v) { return p->lasting[v - 1] ? p->end : 0; }

/* Operands of a concat that can be written straight into its result: computed for it alone, seen through reshapes only. */
static void find_concats(gr__placer *p)
{
    const gr__program *pr = p->plan->program;
    for (size_t i = 0; i < pr->n_outputs; i++) p->root[pr->output[i].value - 1] = true;
    for (size_t i = 0; i < pr->n_updates; i++)
        p->root[pr->update[i].value - 1] = p->root[pr->update[i].state - 1] = true;
    for (size_t i = 0; i < p->n; i++) {
        const gr__node *n = &p->g->node[p->sorted[i]];
        if (n->op != &gr__op_concat || p->hoisted[n->out[0] - 1]) continue;
        for (int k = 0; k < n->n_in; k++) {
            gr_value v = n->in[k];
            const gr__node *q = gr__producer(p->g, v);
            while (q && q->op == &gr__op_reshape && p->uses[v - 1] == 1 && !p->root[v - 1])
                q = gr__producer(p->g, v = q->in[0]);
            if (!q || q->op->flags & GR__OP_VIEW || p->uses[v - 1] != 1 || p->root[v - 1] || p->inside[v - 1]) continue;
            p->inside[v - 1] = n->out[0];
            p->inside_operand[v - 1] = k;
        }
    }
}

/* ---- places inside a concat's result ---- */

static int64_t concat_start(const gr__placer *p, const gr__node *concat, int operand)
{
    int axis = ((const gr__concat_attr *)concat->attr)->axis;
    int64_t at = 0;
    for (int k = 0; k < operand; k++) at += gr__value_get(p->g, concat->in[k])->dim[axis];
    return at;
}

static gr_status place_inside(gr__placer *p, gr_value v, int32_t time, bool *done);

/* The concat's result needs a place as soon as its first operand is computed. */
static gr_status place_concat(gr__placer *p, gr_value out, int32_t time)
{
    if (p->plan->where[out - 1].slot >= 0) return GR_OK;
    bool done = false;
    if (p->inside[out - 1]) GR_TRY(place_inside(p, out, time, &done));
    return done ? GR_OK : own_slot(p, out, time, p->last_use[out - 1], true);
}

/* The place of operand k of a concat in its result. */
static gr__operand concat_part(const gr__placer *p, const gr__node *concat, int k)
{
    int axis = ((const gr__concat_attr *)concat->attr)->axis;
    gr__operand part = operand_of(p, concat->out[0]);
    part.offset_bytes +=
        (size_t)(concat_start(p, concat, k) * part.arg.stride[axis]) * gr_dtype_size_bytes(part.arg.dtype);
    part.arg.dim[axis] = gr__value_get(p->g, concat->in[k])->dim[axis];
    return part;
}

/* v is written inside a concat's result: its place follows back from the concat through reshapes. */
static gr_status place_inside(gr__placer *p, gr_value v, int32_t time, bool *done)
{
    *done = false;
    const gr__node *concat = gr__producer(p->g, p->inside[v - 1]);
    int k = p->inside_operand[v - 1];
    GR_TRY(place_concat(p, concat->out[0], time));
    gr__operand part = concat_part(p, concat, k);
    gr__arg target = gr__arg_of(gr__value_get(p->g, v));
    int64_t offset = 0, stride[GR_MAX_RANK] = {0};
    memcpy(stride, part.arg.stride, sizeof stride);
    if (concat->in[k] != v && !gr__op_reshape.view(&part.arg, NULL, &target, &offset, stride)) return GR_OK;
    gr__where *w = &p->plan->where[v - 1];
    w->slot = part.slot;
    w->offset = (int64_t)(part.offset_bytes / gr_dtype_size_bytes(part.arg.dtype)) + offset;
    memcpy(w->stride, stride, sizeof stride);
    *done = true;
    return GR_OK;
}

/* ---- choosing a kernel ---- */

typedef struct gr__choice {
    const gr__kernel *kernel; /* NULL: the reference */
    uint32_t copies;          /* operands to make contiguous first */
} gr__choice;

/* strided: the operands that need not be contiguous. */
static bool try_row(const gr__kernel *row, const gr__args *like, uint32_t strided, gr__choice *out, char *why)
{
    gr__arg in[GR__MAX_IN];
    gr__args a = *like;
    a.in = in;
    out->copies = 0;
    for (int k = 0; k < a.n_in; k++) {
        in[k] = like->in[k];
        if (gr__arg_there(&in[k]) && !(strided >> k & 1) && !gr__arg_contiguous(&in[k])) {
            out->copies |= 1u << k;
            gr__arg_strides(&in[k]);
        }
    }
    for (int k = 0; k < a.n_out; k++)
        if (gr__arg_there(&a.out[k]) && !(row->out_strided >> k & 1) && !gr__arg_contiguous(&a.out[k])) {
            snprintf(why, GR__WHY_BYTES, "writes contiguous results only");
            return false;
        }
    out->kernel = row;
    return !row->applicable || row->applicable(&a, why);
}

/* A row that refuses operands as they lie may take copies of them: better than the reference. */
static gr__choice choose(gr__placer *p, const gr__node *n, const gr__args *a)
{
    gr__choice c = {0};
    char why[GR__WHY_BYTES] = "";
    gr__str_clear(&p->why);
    for (int copied = 0; copied < 2; copied++)
        for (int i = 0; p->backend && i < p->backend->n_rows; i++) {
            const gr__kernel *row = p->backend->rows[i];
            if (row->op ? row->op != n->op : !gr__op_is_map(n->op)) continue;
            if (try_row(row, a, copied ? 0 : row->in_strided, &c, why)) return c;
            if (!copied) gr__str_printf(&p->why, "%s%s: %s", p->why.n ? "; " : "", row->name, why);
        }
    return (gr__choice){0};
}

/* ---- a node ---- */

static bool take_over(gr__placer *p, const gr__node *n, int i, int32_t time)
{
    gr_plan *plan = p->plan;
    gr_value out = n->out[i];
    for (int k = 0; k < n->n_in; k++) {
        if (!n->in[k] || !gr__plan_may_alias(p->g, n, i, k)) continue;
        const gr__where *w = &plan->where[n->in[k] - 1];
        gr__slot *s = &plan->slot[w->slot];
        gr__operand o = operand_of(p, n->in[k]);
        if (s->kind != GR__SLOT_ARENA || s->pinned || s->last > time || w->offset || !gr__arg_contiguous(&o.arg) ||
            s->bytes != value_bytes(gr__value_get(p->g, out)))
            continue;
        bool clash =
            false; /* another operand sees the slot and is not read element by element, or another result took it */
        for (int j = 0; j < n->n_in; j++) {
            if (j == k || !n->in[j] || plan->where[n->in[j] - 1].slot != w->slot) continue;
            bool same = memcmp(&plan->where[n->in[j] - 1], w, sizeof *w) == 0 &&
                        gr__same_shape(gr__value_get(p->g, n->in[j]), gr__value_get(p->g, n->in[k]));
            clash = clash || !same || !gr__plan_is_map(n->op);
        }
        for (int j = 0; j < i; j++) clash = clash || plan->where[n->out[j] - 1].slot == w->slot;
        if (clash) continue;
        s->last = later(s->last, p->last_use[out - 1]);
        plan->where[out - 1] = *w;
        return true;
    }
    return false;
}

static gr_status place_output(gr__placer *p, const gr__node *n, int i, int32_t time, bool hoisted, bool strided)
{
    gr_value out = n->out[i];
    if (p->over_state[out - 1]) {
        p->plan->where[out - 1] = p->plan->where[p->over_state[out - 1] - 1];
        return GR_OK;
    }
    if (hoisted) return own_slot(p, out, 0, hoisted_end(p, out), true);
    bool done = false;
    if (strided && p->inside[out - 1]) GR_TRY(place_inside(p, out, time, &done));
    if (done || take_over(p, n, i, time)) return GR_OK;
    return own_slot(p, out, time, later(time, p->last_use[out - 1]), false);
}

static uint32_t wanted_outputs(const gr__placer *p, const gr__node *n)
{
    uint32_t wanted = 0;
    for (int i = 0; i < n->n_out; i++) wanted |= (p->uses[n->out[i] - 1] ? 1u : 0) << i;
    return wanted;
}

static void forget_outputs(gr__placer *p, const gr__node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (!p->over_state[n->out[i] - 1]) p->plan->where[n->out[i] - 1].slot = -1;
}

/* Places the outputs and picks the kernel: first with results inside concats, then, where no fast kernel writes there,
 * with contiguous ones. */
static gr_status place_node(gr__placer *p, int32_t index, int32_t time)
{
    const gr__node *n = &p->g->node[index];
    gr_plan *plan = p->plan;
    gr__operand in[GR__MAX_IN], out[GR__MAX_OUT];
    gr__arg in_arg[GR__MAX_IN], out_arg[GR__MAX_OUT];
    uint32_t wanted = wanted_outputs(p, n);
    bool hoisted = n->n_out > 0 && p->hoisted[n->out[0] - 1];
    for (int k = 0; k < n->n_in; k++) {
        in[k] = operand_of(p, n->in[k]);
        in_arg[k] = in[k].arg;
    }
    gr__args a = {.op = n->op,
                  .in = in_arg,
                  .out = out_arg,
                  .n_in = n->n_in,
                  .n_out = n->n_out,
                  .wanted = wanted,
                  .attr = n->attr};
    gr__choice c = {0};
    bool any_inside = false;
    for (int i = 0; i < n->n_out; i++) any_inside = any_inside || p->inside[n->out[i] - 1];
    for (int attempt = any_inside && !hoisted ? 0 : 1; attempt < 2; attempt++) {
        for (int i = 0; i < n->n_out; i++) {
            if (!(wanted >> i & 1)) {
                out[i] = (gr__operand){.slot = -1};
            } else {
                GR_TRY(place_output(p, n, i, time, hoisted, attempt == 0));
                out[i] = operand_of(p, n->out[i]);
            }
            out_arg[i] = out[i].arg;
        }
        c = choose(p, n, &a);
        if (c.kernel || attempt == 1) break;
        forget_outputs(p, n); /* the concat's slot stays: it is needed anyway */
    }
    for (int k = 0; k < n->n_in; k++)
        if (c.copies >> k & 1) {
            GR_TRY(make_contiguous(p, index, time, &in[k], hoisted));
            in_arg[k] = in[k].arg;
        }
    gr__call s = {.kind = c.kernel ? GR__CALL_KERNEL : GR__CALL_REFERENCE,
                  .kernel = c.kernel,
                  .node = index,
                  .n_in = n->n_in,
                  .n_out = n->n_out,
                  .wanted = wanted,
                  .scratch_slot = -1,
                  .update = (n->flags & GR__NODE_UPDATE) != 0};
    for (int i = 0; i < n->n_out; i++) s.update = s.update || p->over_state[n->out[i] - 1];
    size_t scratch = c.kernel && c.kernel->scratch_bytes ? c.kernel->scratch_bytes(&a) : 0;
    if (scratch) {
        GR_TRY(new_slot(
            p, (gr__slot){.bytes = scratch, .first = hoisted ? 0 : time, .last = hoisted ? 0 : time, .pinned = true},
            &s.scratch_slot));
        plan->scratch_bytes = GR__MAX(plan->scratch_bytes, scratch);
    }
    if (!(s.why = gr__arena_strdup(&p->g->arena, gr__str_get(&p->why)))) return gr__fail_memory("a plan", p->why.n);
    plan->flops += n->op->flops ? n->op->flops(&a) : 0;
    return add_step(p, s, in, out);
}

static gr_status place_view(gr__placer *p, int32_t index, int32_t time)
{
    const gr__node *n = &p->g->node[index];
    bool hoisted = p->hoisted[n->out[0] - 1];
    gr__operand in = operand_of(p, n->in[0]);
    gr__arg out = gr__arg_of(gr__value_get(p->g, n->out[0]));
    gr__where *w = &p->plan->where[n->out[0] - 1];
    int64_t offset = 0, stride[GR_MAX_RANK] = {0};
    if (!n->op->view(&in.arg, n->attr, &out, &offset, stride)) {
        GR_TRY(make_contiguous(p, index, time, &in, hoisted));
        gr__slot *s = &p->plan->slot[in.slot];
        s->last = later(s->last, p->last_use[n->out[0] - 1]);
        s->pinned = hoisted;
        GR_FAIL_IF(!n->op->view(&in.arg, n->attr, &out, &offset, stride), GR_ERR_INTERNAL, "'%s' cannot be a view",
                   n->op->name);
    }
    w->slot = in.slot;
    w->offset = (int64_t)(in.offset_bytes / gr_dtype_size_bytes(in.arg.dtype)) + offset;
    memcpy(w->stride, stride, sizeof stride);
    return GR_OK;
}

/* The same elements at the same addresses; the stride of an axis of one means nothing. */
static bool same_place(const gr__operand *a, const gr__operand *b)
{
    bool same = a->slot == b->slot && a->offset_bytes == b->offset_bytes;
    for (int i = 0; i < a->arg.rank; i++) same = same && (a->arg.dim[i] == 1 || a->arg.stride[i] == b->arg.stride[i]);
    return same;
}

static gr_status place_concat_node(gr__placer *p, int32_t index, int32_t time)
{
    const gr__node *n = &p->g->node[index];
    bool hoisted = p->hoisted[n->out[0] - 1];
    if (hoisted)
        GR_TRY(own_slot(p, n->out[0], 0, p->end, true));
    else
        GR_TRY(place_concat(p, n->out[0], time));
    for (int k = 0; k < n->n_in; k++) {
        gr__operand from = operand_of(p, n->in[k]), to = concat_part(p, n, k);
        if (!same_place(&from, &to)) GR_TRY(add_copy(p, index, (n->flags & GR__NODE_UPDATE) != 0, from, to));
    }
    return GR_OK;
}

/* ---- the program's ends ---- */

static gr_status place_leaves(gr__placer *p)
{
    for (size_t i = 0; i < p->g->n_values; i++) {
        const gr__value *v = &p->g->value[i];
        gr_value id = (gr_value)(i + 1);
        if (v->role == GR__ROLE_INPUT) GR_TRY(own_slot(p, id, 0, p->end, true));
        if (v->role != GR__ROLE_STATE) continue;
        GR_TRY(own_slot(p, id, 0, p->end, true));
        gr__slot *s = &p->plan->slot[p->plan->where[i].slot];
        s->kind = v->per_session ? GR__SLOT_SESSION_STATE : GR__SLOT_STATE;
        s->state = id;
    }
    return GR_OK;
}

static gr_status place_outputs(gr__placer *p)
{
    const gr__program *pr = p->plan->program;
    for (size_t i = 0; i < pr->n_outputs; i++) { /* people read contiguous arrays */
        gr_value v = pr->output[i].value;
        gr__operand from = operand_of(p, v), to = from;
        if (gr__arg_contiguous(&from.arg)) continue;
        gr__arg_strides(&to.arg);
        to.offset_bytes = 0;
        GR_TRY(new_slot(
            p,
            (gr__slot){.bytes = value_bytes(gr__value_get(p->g, v)), .first = p->end, .last = p->end, .pinned = true},
            &to.slot));
        GR_TRY(add_copy(p, -1, false, from, to));
        gr__where *w = &p->plan->where[v - 1];
        w->slot = to.slot;
        w->offset = 0;
        memcpy(w->stride, to.arg.stride, sizeof w->stride);
    }
    for (size_t i = 0; i < pr->n_updates; i++) {
        gr_value v = pr->update[i].value;
        if (p->over_state[v - 1] == pr->update[i].state) continue;
        GR_TRY(add_copy(p, -1, true, operand_of(p, v), operand_of(p, pr->update[i].state)));
    }
    return GR_OK;
}

static gr_status place_guard(gr__placer *p, gr_value v)
{
    gr__operand o = operand_of(p, v);
    gr__call s = {
        .kind = GR__CALL_GUARD, .node = gr__value_get(p->g, v)->producer, .n_in = 1, .scratch_slot = -1, .why = ""};
    return add_step(p, s, &o, NULL);
}

/* Behind this node; -1: those of inputs, states and hoisted values, before all others. */
static gr_status place_guards(gr__placer *p, int32_t node)
{
    const gr__program *pr = p->plan->program;
    for (size_t i = 0; i < pr->n_guards; i++) {
        gr_value v = pr->guard[i];
        if ((p->hoisted[v - 1] ? -1 : gr__value_get(p->g, v)->producer) == node) GR_TRY(place_guard(p, v));
    }
    return GR_OK;
}

static gr_status walk(gr__placer *p, bool hoisted)
{
    for (size_t i = 0; i < p->n; i++) {
        int32_t index = p->sorted[i], time = (int32_t)i + 1;
        const gr__node *n = &p->g->node[index];
        if ((n->n_out > 0 && p->hoisted[n->out[0] - 1]) != hoisted) continue;
        if (n->op->flags & GR__OP_VIEW)
            GR_TRY(place_view(p, index, time));
        else if (n->op == &gr__op_concat)
            GR_TRY(place_concat_node(p, index, time));
        else
            GR_TRY(place_node(p, index, time));
        if (!hoisted) GR_TRY(place_guards(p, index));
    }
    return GR_OK;
}

static gr_status place_all(gr__placer *p, const bool *in_place)
{
    gr_plan *plan = p->plan;
    const gr__program *pr = plan->program;
    bool *all = gr__calloc(p->g->n_nodes + 1, sizeof *all);
    if (!all) return gr__fail_memory("a plan", p->g->n_nodes);
    for (size_t i = 0; i < p->n; i++) all[p->sorted[i]] = true;
    gr__graph_uses(p->g, all, p->uses);
    gr__free(all);
    for (size_t u = 0; u < pr->n_updates; u++)
        if (in_place[u]) p->over_state[pr->update[u].value - 1] = pr->update[u].state;
    for (size_t i = 0; i < p->g->n_values; i++) plan->where[i].slot = -1;
    gr__graph_hoisted(p->g, pr, p->sorted, p->n, p->hoisted);
    find_lasting(p);
    find_last_uses(p);
    find_concats(p);
    GR_TRY(place_leaves(p));
    GR_TRY(walk(p, true));
    plan->n_prepare = plan->n_steps;
    GR_TRY(place_guards(p, -1));
    GR_TRY(walk(p, false));
    GR_TRY(place_outputs(p));
    for (size_t i = 0; i < plan->n_slots; i++)
        if (plan->slot[i].kind == GR__SLOT_ARENA && plan->slot[i].first == 0 && plan->slot[i].last == p->end)
            plan->prepared_bytes += plan->slot[i].bytes;
    return GR_OK;
}

gr_status gr__plan_place(gr_plan *plan, const gr__backend *backend, const int32_t *sorted, size_t n,
                         const bool *in_place)
{
    gr_status status = GR_OK;
    gr_graph *g = plan->graph;
    size_t most = g->n_values + 1;
    gr__placer p = {.plan = plan, .g = g, .backend = backend, .sorted = sorted, .n = n, .end = (int32_t)n + 1};
    p.last_use = gr__calloc(most, sizeof *p.last_use);
    p.uses = gr__calloc(most, sizeof *p.uses);
    p.hoisted = gr__calloc(most, sizeof *p.hoisted);
    p.lasting = gr__calloc(most, sizeof *p.lasting);
    p.root = gr__calloc(most, sizeof *p.root);
    p.inside = gr__calloc(most, sizeof *p.inside);
    p.inside_operand = gr__calloc(most, sizeof *p.inside_operand);
    p.over_state = gr__calloc(most, sizeof *p.over_state);
    plan->where = gr__calloc(most, sizeof *plan->where);
    if (!p.last_use || !p.uses || !p.hoisted || !p.lasting || !p.root || !p.inside || !p.inside_operand ||
        !p.over_state || !plan->where)
        GR_TRY_DONE(gr__fail_memory("a plan", most * 32));
    GR_TRY_DONE(place_all(&p, in_place));
    GR_TRY_DONE(gr__str_check(&p.why));
done:
    gr__str_release(&p.why);
    gr__free(p.last_use);
    gr__free(p.uses);
    gr__free(p.hoisted);
    gr__free(p.lasting);
    gr__free(p.root);
    gr__free(p.inside);
    gr__free(p.inside_operand);
    gr__free(p.over_state);
    return status;
}
