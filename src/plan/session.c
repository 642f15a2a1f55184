/* A plan with memory. A run is one loop over an array of calls. */
#include "plan/plan.h"

#include "base/clock.h"
#include "op/map.h"
#include "kernel/copy.h"
#include "kernel/cpu.h"
#include "kernel/reduce.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct gr__live_call {
    gr__args args;
    const gr__call *call;
    void *state; /* of the kernel */
    double best_seconds;
    int64_t runs;
} gr__live_call;

struct gr_session {
    const gr_plan *plan;
    gr_store *store;
    unsigned char *arena;
    void **slot_data; /* of each slot */
    bool *borrowed;   /* the slot is a session state of another session */
    gr__arg *arg;     /* of all operands */
    gr__live_call *call;
    gr__control control;
    uint64_t prepared_for; /* the store's version when the prepared part last ran, +1 */
    bool profile;
    bool updates;
};

/* ---- making ---- */

static bool same_shape(const gr__value *a, const gr__value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* Memory of the session state v: that of 'with' where it has one of this path. */
static gr_status bind_session_state(gr_session *s, const gr_session *with, size_t slot, const gr__value *v)
{
    for (size_t i = 0; with && i < with->plan->n_slots; i++) {
        if (with->plan->slot[i].kind != GR__SLOT_SESSION_STATE) continue;
        const gr__value *o = gr__value_get(with->plan->graph, with->plan->slot[i].state);
        if (strcmp(o->name, v->name) != 0) continue;
        GR_FAIL_IF(!same_shape(o, v), GR_ERR_SHAPE,
                   "session state '%s' has another shape or dtype in program '%s' than in '%s'", v->name,
                   s->plan->program->name, with->plan->program->name);
        s->slot_data[slot] = with->slot_data[i];
        s->borrowed[slot] = true;
        return GR_OK;
    }
    s->slot_data[slot] = gr__calloc(1, s->plan->slot[slot].bytes);
    return s->slot_data[slot] ? GR_OK : gr__fail_memory(v->name, s->plan->slot[slot].bytes);
}

static gr_status bind_slots(gr_session *s, const gr_session *with)
{
    const gr_plan *p = s->plan;
    s->arena = gr__alloc_large(p->arena_bytes);
    s->slot_data = gr__calloc(p->n_slots + 1, sizeof *s->slot_data);
    s->borrowed = gr__calloc(p->n_slots + 1, sizeof *s->borrowed);
    if (!s->arena || !s->slot_data || !s->borrowed) {
        char text[32];
        gr__format_bytes(text, (double)p->arena_bytes);
        return gr__fail(GR_ERR_MEMORY,
                        "out of memory: cannot get %s for program '%s'; use a smaller batch, context or "
                        "model, or a memory budget",
                        text, p->program->name);
    }
    for (size_t i = 0; i < p->n_slots; i++) {
        const gr__slot *slot = &p->slot[i];
        if (slot->kind == GR__SLOT_ARENA) {
            s->slot_data[i] = s->arena + slot->offset;
        } else if (slot->kind == GR__SLOT_SESSION_STATE) {
            GR_TRY(bind_session_state(s, with, i, gr__value_get(p->graph, slot->state)));
        } else {
            const gr__value *v = gr__value_get(p->graph, slot->state);
            gr_tensor t;
            GR_TRY(gr_store_get(s->store, v->name, &t));
            bool same = t.dtype == v->dtype && t.rank == v->rank;
            for (int d = 0; same && d < t.rank; d++) same = t.dim[d] == v->dim[d];
            GR_FAIL_IF(!same, GR_ERR_SHAPE, "state '%s' has another shape or dtype in the store than in program '%s'",
                       v->name, p->program->name);
            s->slot_data[i] = t.data;
        }
    }
    return GR_OK;
}

static gr_status bind_call(gr_session *s, size_t i)
{
    const gr_plan *p = s->plan;
    const gr__call *c = &p->step[i];
    gr__live_call *l = &s->call[i];
    const gr__node *n = c->node >= 0 ? &p->graph->node[c->node] : NULL;
    for (int k = 0; k < c->n_in + c->n_out; k++) {
        const gr__operand *o = &p->operand[c->operand + (size_t)k];
        gr__arg *a = &s->arg[c->operand + (size_t)k];
        *a = o->arg;
        if (o->slot >= 0)
            a->data = (char *)s->slot_data[o->slot] + o->offset_bytes;
        else
            *a = (gr__arg){0};
    }
    l->call = c;
    l->args = (gr__args){.op = n ? n->op : NULL,
                         .in = &s->arg[c->operand],
                         .out = &s->arg[c->operand + (size_t)c->n_in],
                         .n_in = c->n_in,
                         .n_out = c->n_out,
                         .wanted = c->wanted,
                         .control = &s->control,
                         .attr = n ? n->attr : NULL,
                         .stream = n ? n->stream : 0,
                         .scratch = c->scratch_slot >= 0 ? s->slot_data[c->scratch_slot] : NULL};
    if (c->kernel && c->kernel->prepare) GR_TRY(c->kernel->prepare(&l->args, &l->state));
    return GR_OK;
}

gr_status gr_session_new(const gr_plan *plan, gr_store *store, gr_session **out)
{
    return gr_session_new_shared(plan, store, NULL, out);
}

gr_status gr_session_new_shared(const gr_plan *plan, gr_store *store, const gr_session *with, gr_session **out)
{
    gr_status status = GR_OK;
    GR_FAIL_IF(!plan || !store || !out, GR_ERR_ARGUMENT, "gr_session_new: an argument is NULL");
    gr_session *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a session", sizeof *s);
    s->plan = plan;
    s->store = store;
    s->updates = plan->program->n_updates > 0;
    s->arg = gr__calloc(plan->n_operands + 1, sizeof *s->arg);
    s->call = gr__calloc(plan->n_steps + 1, sizeof *s->call);
    if (!s->arg || !s->call) GR_TRY_DONE(gr__fail_memory("a session", plan->n_operands * sizeof *s->arg));
    GR_TRY_DONE(bind_slots(s, with));
    bool was = gr__cpu_set_strict(plan->strict);
    for (size_t i = 0; i < plan->n_steps && status == GR_OK; i++) status = bind_call(s, i);
    gr__cpu_set_strict(was);
    if (status != GR_OK) goto done;
    *out = s;
    s = NULL;
done:
    gr_session_free(&s);
    return status;
}

void gr_session_free(gr_session **session)
{
    if (!session || !*session) return;
    gr_session *s = *session;
    const gr_plan *p = s->plan;
    for (size_t i = 0; s->call && i < p->n_steps; i++)
        if (s->call[i].call && s->call[i].call->kernel && s->call[i].call->kernel->release && s->call[i].state)
            s->call[i].call->kernel->release(s->call[i].state);
    for (size_t i = 0; s->borrowed && s->slot_data && i < p->n_slots; i++)
        if (p->slot[i].kind == GR__SLOT_SESSION_STATE && !s->borrowed[i]) gr__free(s->slot_data[i]);
    gr__free_large(s->arena, p->arena_bytes);
    gr__free(s->slot_data);
    gr__free(s->borrowed);
    gr__free(s->arg);
    gr__free(s->call);
    gr__free(s);
    *session = NULL;
}

/* ---- looking ---- */

static void describe(const gr_session *s, gr_value v, gr_tensor *out)
{
    const gr__value *x = gr__value_get(s->plan->graph, v);
    const gr__where *w = &s->plan->where[v - 1];
    *out = (gr_tensor){.dtype = x->dtype,
                       .rank = x->rank,
                       .data = (char *)s->slot_data[w->slot] + (size_t)w->offset * gr_dtype_size_bytes(x->dtype)};
    memcpy(out->dim, x->dim, sizeof out->dim);
}

static gr_status find_leaf(gr_session *s, gr__role role, const char *what, const char *name, gr_tensor *out)
{
    const gr_graph *g = s->plan->graph;
    const char *near = NULL;
    int best = 4;
    for (size_t i = 0; i < g->n_values; i++) {
        bool sought = g->value[i].role == role && (role != GR__ROLE_STATE || g->value[i].per_session);
        if (!sought || !g->value[i].name || s->plan->where[i].slot < 0) continue;
        if (strcmp(g->value[i].name, name) == 0) {
            describe(s, (gr_value)(i + 1), out);
            return GR_OK;
        }
        int d = gr__str_distance(name, g->value[i].name, best);
        if (d < best) best = d, near = g->value[i].name;
    }
    return gr__fail(GR_ERR_NOT_FOUND, "program '%s' has no %s '%s'%s%s%s", s->plan->program->name, what, name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

bool gr__session_next_input(gr_session *s, size_t *at, const char **name, gr_tensor *out)
{
    const gr_graph *g = s->plan->graph;
    for (size_t i = *at; i < g->n_values; i++) {
        if (g->value[i].role != GR__ROLE_INPUT || !g->value[i].name || s->plan->where[i].slot < 0) continue;
        *at = i + 1;
        *name = g->value[i].name;
        describe(s, (gr_value)(i + 1), out);
        return true;
    }
    return false;
}

gr_status gr_session_input(gr_session *s, const char *name, gr_tensor *out)
{
    GR_FAIL_IF(!s || !name || !out, GR_ERR_ARGUMENT, "gr_session_input: an argument is NULL");
    return find_leaf(s, GR__ROLE_INPUT, "input", name, out);
}

gr_status gr_session_get_state(gr_session *s, const char *path, gr_tensor *out)
{
    GR_FAIL_IF(!s || !path || !out, GR_ERR_ARGUMENT, "gr_session_get_state: an argument is NULL");
    return find_leaf(s, GR__ROLE_STATE, "session state", path, out);
}

gr_status gr_session_output(gr_session *s, const char *name, gr_tensor *out)
{
    GR_FAIL_IF(!s || !name || !out, GR_ERR_ARGUMENT, "gr_session_output: an argument is NULL");
    const gr__program *p = s->plan->program;
    const char *near = NULL;
    int best = 4;
    for (size_t i = 0; i < p->n_outputs; i++) {
        if (strcmp(p->output[i].name, name) == 0) {
            describe(s, p->output[i].value, out);
            return GR_OK;
        }
        int d = gr__str_distance(name, p->output[i].name, best);
        if (d < best) best = d, near = p->output[i].name;
    }
    return gr__fail(GR_ERR_NOT_FOUND, "program '%s' has no output '%s'%s%s%s", p->name, name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void gr_session_set_control(gr_session *s, const gr_run_control *c)
{
    if (!s || !c) return;
    s->control = (gr__control){.seed = c->seed,
                               .micro_step = c->micro_step,
                               .sample = c->sample,
                               .update = c->update,
                               .learning_rate = c->learning_rate,
                               .ok = true};
}

/* ---- running ---- */

static gr_status run_call(gr_session *s, gr__live_call *l)
{
    const gr__call *c = l->call;
    if (c->update && !s->control.ok) return GR_OK;
    switch (c->kind) {
    case GR__CALL_KERNEL: return c->kernel->run(&l->args, l->state);
    case GR__CALL_REFERENCE: return s->plan->graph->node[c->node].op->reference(&l->args);
    case GR__CALL_GUARD:
        if (!isfinite(gr__load(&l->args.in[0], 0))) s->control.ok = false;
        return GR_OK;
    }
    return GR_OK;
}

static gr_status run_timed(gr_session *s, gr__live_call *l)
{
    double start = gr__now();
    GR_TRY(run_call(s, l));
    double seconds = gr__now() - start;
    if (l->runs++ == 0 || seconds < l->best_seconds) l->best_seconds = seconds;
    return GR_OK;
}

static gr_status run_range(gr_session *s, size_t from, size_t to)
{
    gr_status status = GR_OK;
    bool was = gr__cpu_set_strict(s->plan->strict);
    for (size_t i = from; i < to && status == GR_OK; i++)
        status = s->profile ? run_timed(s, &s->call[i]) : run_call(s, &s->call[i]);
    gr__cpu_set_strict(was);
    return status;
}

/* Session states that are copies of states in another dtype. */
static void fill_copies(gr_session *s)
{
    const gr_plan *p = s->plan;
    for (size_t i = 0; i < p->n_slots; i++) {
        if (p->slot[i].kind != GR__SLOT_SESSION_STATE) continue;
        const gr__value *v = gr__value_get(p->graph, p->slot[i].state);
        if (!v->copy_of) continue;
        const gr__value *from = gr__value_get(p->graph, v->copy_of);
        gr__cast(s->slot_data[i], v->dtype, s->slot_data[p->where[v->copy_of - 1].slot], from->dtype,
                 gr__value_count(v));
    }
}

static gr_status prepare_states(gr_session *s)
{
    uint64_t version = gr__store_version(s->store) + 1;
    if (s->prepared_for == version) return GR_OK;
    fill_copies(s);
    GR_TRY(run_range(s, 0, s->plan->n_prepare));
    s->prepared_for = version;
    return GR_OK;
}

gr_status gr_session_run(gr_session *s)
{
    GR_FAIL_IF(!s, GR_ERR_ARGUMENT, "gr_session_run: the session is NULL");
    GR_FAIL_IF(gr_threads() != s->plan->threads, GR_ERR_ARGUMENT,
               "the plan was compiled for %d threads, now there are %d; set the threads first", s->plan->threads,
               gr_threads());
    s->control.ok = true;
    GR_TRY(prepare_states(s));
    GR_TRY(run_range(s, s->plan->n_prepare, s->plan->n_steps));
    if (s->updates) { /* what is hoisted depends on no state that the program itself changes */
        gr_store_touch(s->store);
        s->prepared_for = gr__store_version(s->store) + 1;
    }
    GR_FAIL_IF(!s->control.ok, GR_ERR_NUMERIC, "program '%s' met a number that is not finite", s->plan->program->name);
    return GR_OK;
}

gr_status gr__session_run_dry(gr_session *s)
{
    GR_TRY(prepare_states(s));
    s->control.ok = false;
    return run_range(s, s->plan->n_prepare, s->plan->n_steps);
}

static bool all_finite(const gr__arg *a)
{
    if (!a->data || (a->dtype != GR_F32 && a->dtype != GR_BF16 && a->dtype != GR_F64)) return true;
    if (a->dtype != GR_F64 && gr__arg_contiguous(a)) return gr__all_finite(a->data, a->dtype, gr__arg_count(a));
    int64_t index[GR_MAX_RANK] = {0};
    do {
        if (!isfinite(gr__load(a, gr__offset(a, index)))) return false;
    } while (gr__next_index(a->rank, a->dim, index));
    return true;
}

/* "'log'", "'map' (mul, log)" */
static void add_op(gr__str *s, const gr__node *n)
{
    gr__str_printf(s, "'%s'", n->op->name);
    const gr__fused_attr *f = n->op == &gr__op_map ? n->attr : NULL;
    for (int i = 0; f && i < f->n_code; i++) gr__str_printf(s, "%s%s", i ? ", " : " (", gr__map_op_name(f->code[i].op));
    if (f) gr__str_add(s, ")");
}

static gr_status name_result(const gr__node *n)
{
    gr__str op = {0};
    add_op(&op, n);
    gr__fail(GR_ERR_NUMERIC, "%s%sthe result of %s%s is not finite", n->scope, *n->scope ? ": " : "", gr__str_get(&op),
             n->flags & GR__NODE_BACKWARD ? " in the gradient" : "");
    gr__str_release(&op);
    return GR_ERR_NUMERIC;
}

static gr_status check_states(const gr_session *s)
{
    const gr_plan *p = s->plan;
    for (size_t i = 0; i < p->n_slots; i++) {
        if (p->slot[i].kind != GR__SLOT_STATE) continue;
        const gr__value *v = gr__value_get(p->graph, p->slot[i].state);
        gr__arg a = gr__arg_of(v);
        a.data = s->slot_data[i];
        GR_FAIL_IF(!all_finite(&a), GR_ERR_NUMERIC, "state '%s' holds a number that is not finite", v->name);
    }
    return GR_OK;
}

gr_status gr_session_find_nonfinite(gr_session *s)
{
    GR_FAIL_IF(!s, GR_ERR_ARGUMENT, "gr_session_find_nonfinite: the session is NULL");
    const gr_plan *p = s->plan;
    GR_TRY(check_states(s));
    for (size_t i = 0; i < p->n_steps; i++) {
        gr__live_call *l = &s->call[i];
        const gr__node *n = l->call->node >= 0 ? &p->graph->node[l->call->node] : NULL;
        if (l->call->update || l->call->kind == GR__CALL_GUARD) continue;
        s->control.ok = true;
        GR_TRY(run_call(s, l));
        for (int k = 0; n && k < l->call->n_out; k++)
            if (!all_finite(&l->args.out[k])) return name_result(n);
    }
    return GR_OK;
}

/* ---- profile ---- */

gr_status gr_session_profile(gr_session *s, bool on)
{
    GR_FAIL_IF(!s, GR_ERR_ARGUMENT, "gr_session_profile: the session is NULL");
    s->profile = on;
    for (size_t i = 0; i < s->plan->n_steps; i++) s->call[i].runs = 0;
    return GR_OK;
}

static void describe_operands(const gr__live_call *l, char *text, size_t size)
{
    size_t n = 0;
    for (int k = 0; k < l->call->n_in + l->call->n_out && n < size; k++) {
        const gr__arg *a = &l->args.in[k]; /* outputs follow */
        if (k == l->call->n_in) n += (size_t)snprintf(text + n, size - n, "%s->", k ? " " : "");
        if (!a->data || n >= size) continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s[", k ? " " : "", gr_dtype_name(a->dtype));
        for (int d = 0; d < a->rank && n < size; d++)
            n += (size_t)snprintf(text + n, size - n, "%s%lld", d ? "," : "", (long long)a->dim[d]);
        if (n < size) n += (size_t)snprintf(text + n, size - n, gr__arg_contiguous(a) ? "]" : "]~");
    }
}

bool gr_session_profile_at(const gr_session *s, size_t i, gr_profile_row *out)
{
    if (!s || !out || i >= s->plan->n_steps) return false;
    const gr_plan *p = s->plan;
    const gr__live_call *l = &s->call[i];
    const gr__node *n = l->call->node >= 0 ? &p->graph->node[l->call->node] : NULL;
    *out = (gr_profile_row){.kernel = l->call->kernel                       ? l->call->kernel->name
                                      : l->call->kind == GR__CALL_REFERENCE ? n->op->name
                                                                            : "guard",
                            .scope = n ? n->scope : "",
                            .runs = l->runs,
                            .seconds = l->best_seconds};
    describe_operands(l, out->operands, sizeof out->operands);
    if (n && n->op->flops && l->call->kernel != &gr__kernel_copy) out->flops = n->op->flops(&l->args);
    for (int k = 0; k < l->call->n_in + l->call->n_out; k++) {
        const gr__arg *a = &l->args.in[k];
        if (a->data) out->bytes += (double)gr__arg_count(a) * (double)gr_dtype_size_bytes(a->dtype);
    }
    return true;
}
