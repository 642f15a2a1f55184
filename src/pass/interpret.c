#include "pass/interpret.h"

#include "graph/op_row.h"

#include <math.h>
#include <string.h>

typedef struct slot {
    gr_tensor numbers; /* data NULL: not known */
    bool given;
} slot;

struct gr__interpret {
    const gr_graph *g;
    gr__control control;
    slot *slot; /* by value id - 1 */
    size_t n_slots, capacity;
};

gr_status gr__interpret_new(gr__interpret **out, const gr_graph *g)
{
    gr__interpret *it = gr__calloc(1, sizeof *it);
    if (!it) return gr__fail_memory("an interpreter", sizeof *it);
    it->g = g;
    it->control.ok = true;
    *out = it;
    return GR_OK;
}

void gr__interpret_free(gr__interpret **it)
{
    if (!it || !*it) return;
    for (size_t i = 0; i < (*it)->n_slots; i++) gr__free((*it)->slot[i].numbers.data);
    gr__free((*it)->slot);
    gr__free(*it);
    *it = NULL;
}

gr__control *gr__interpret_control(gr__interpret *it) { return &it->control; }

/* One slot for each value that the graph has by now. */
static gr_status grow(gr__interpret *it)
{
    size_t n = it->g->n_values;
    GR_TRY(gr__grow(&it->slot, sizeof *it->slot, n, &it->capacity));
    for (; it->n_slots < n; it->n_slots++) it->slot[it->n_slots] = (slot){0};
    return GR_OK;
}

static void forget(gr__interpret *it)
{
    for (size_t i = 0; i < it->n_slots; i++) {
        if (it->slot[i].given) continue;
        gr__free(it->slot[i].numbers.data);
        it->slot[i].numbers.data = NULL;
    }
}

/* Memory for the value, all bits set, so that what a kernel forgets to write shows as NaN. */
static gr_status make(gr__interpret *it, gr_value v)
{
    const gr__value *x = gr__value_get(it->g, v);
    gr_tensor *t = &it->slot[v - 1].numbers;
    *t = (gr_tensor){.dtype = x->dtype, .rank = x->rank};
    memcpy(t->dim, x->dim, sizeof t->dim);
    size_t bytes = gr_tensor_size_bytes(t);
    t->data = gr__alloc(bytes);
    if (!t->data) return gr__fail_memory("a value", bytes);
    memset(t->data, 0xff, bytes);
    return GR_OK;
}

gr_status gr__interpret_set(gr__interpret *it, gr_value v, const gr_tensor *numbers)
{
    GR_TRY(grow(it));
    GR_FAIL_IF(v < 1 || (size_t)v > it->n_slots, GR_ERR_ARGUMENT, "interpreter: %d is not a value of the graph", v);
    const gr__value *x = gr__value_get(it->g, v);
    GR_FAIL_IF(numbers->dtype != x->dtype, GR_ERR_DTYPE, "interpreter: %s for a value of dtype %s",
               gr_dtype_name(numbers->dtype), gr_dtype_name(x->dtype));
    GR_FAIL_IF(numbers->rank != x->rank || memcmp(numbers->dim, x->dim, (size_t)x->rank * sizeof *x->dim) != 0,
               GR_ERR_SHAPE, "interpreter: numbers of another shape than the value");
    forget(it);
    slot *s = &it->slot[v - 1];
    if (!s->numbers.data) GR_TRY(make(it, v));
    memcpy(s->numbers.data, numbers->data, gr_tensor_size_bytes(numbers));
    s->given = true;
    return GR_OK;
}

const gr_tensor *gr__interpret_get(const gr__interpret *it, gr_value v)
{
    return v >= 1 && (size_t)v <= it->n_slots && it->slot[v - 1].numbers.data ? &it->slot[v - 1].numbers : NULL;
}

static gr__arg arg_of(const gr__interpret *it, gr_value v)
{
    gr__arg a = {0};
    if (!v) return a;
    const gr_tensor *t = &it->slot[v - 1].numbers;
    a = (gr__arg){.data = t->data, .dtype = t->dtype, .rank = t->rank};
    memcpy(a.dim, t->dim, sizeof a.dim);
    gr__arg_strides(&a);
    return a;
}

static gr_status run_node(gr__interpret *it, const gr__node *n)
{
    gr__arg in[GR__MAX_IN], out[GR__MAX_OUT];
    gr__args args = {.in = in,
                     .out = out,
                     .n_in = n->n_in,
                     .n_out = n->n_out,
                     .attr = n->attr,
                     .control = &it->control,
                     .stream = n->stream};
    for (int i = 0; i < n->n_in; i++) {
        gr_value v = n->in[i];
        if (v && !it->slot[v - 1].numbers.data) {
            const gr__value *x = gr__value_get(it->g, v);
            return gr__fail(GR_ERR_NOT_FOUND, "interpreter: %s '%s' has no numbers",
                            x->role == GR__ROLE_STATE ? "state" : "input", x->name ? x->name : "");
        }
        in[i] = arg_of(it, v);
    }
    for (int i = 0; i < n->n_out; i++) {
        slot *s = &it->slot[n->out[i] - 1];
        if (s->numbers.data)
            out[i] = (gr__arg){0};
        else {
            GR_TRY(make(it, n->out[i]));
            out[i] = arg_of(it, n->out[i]);
            args.wanted |= 1u << i;
        }
    }
    return args.wanted ? n->op->reference(&args) : GR_OK;
}

gr_status gr__interpret_run(gr__interpret *it, const gr_value *values, int n)
{
    const gr_graph *g = it->g;
    GR_TRY(gr_graph_status(g));
    GR_TRY(grow(it));
    gr_status status = GR_OK;
    size_t n_sorted;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    int32_t *sorted = gr__calloc(g->n_nodes + 1, sizeof *sorted);
    gr_value *roots = gr__calloc((size_t)n + 1, sizeof *roots);
    if (!live || !sorted || !roots) GR_TRY_DONE(gr__fail_memory("an interpreter", g->n_nodes));
    for (int i = 0; i < n; i++) roots[i] = values[i];
    gr__program asked = {.name = "interpreter", .guard = roots, .n_guards = (size_t)n};
    GR_TRY_DONE(gr__graph_reach(g, &asked, live));
    GR_TRY_DONE(gr__graph_sort(g, live, NULL, 0, sorted, &n_sorted));
    for (size_t i = 0; i < n_sorted; i++) GR_TRY_DONE(run_node(it, &g->node[sorted[i]]));
    for (int i = 0; i < n; i++)
        if (values[i] && !gr__interpret_get(it, values[i])) {
            const char *name = gr__value_get(g, values[i])->name;
            GR_TRY_DONE(gr__fail(GR_ERR_NOT_FOUND, "interpreter: '%s' has no numbers", name ? name : ""));
        }
done:
    gr__free(live);
    gr__free(sorted);
    gr__free(roots);
    return status;
}

/* ---- programs ---- */

static bool all_finite(const gr__interpret *it, const gr__program *p)
{
    for (size_t i = 0; i < p->n_guards; i++) {
        const gr_tensor *t = gr__interpret_get(it, p->guard[i]);
        for (int64_t k = 0; k < gr_tensor_count(t); k++)
            if (!isfinite(gr_tensor_get(t, k))) return false;
    }
    return true;
}

/* The new numbers are all read before the first state changes. */
static gr_status fire(gr__interpret *it, const gr__program *p)
{
    gr_status status = GR_OK;
    gr_tensor *fresh = gr__calloc(p->n_updates + 1, sizeof *fresh);
    if (!fresh) return gr__fail_memory("updates", p->n_updates);
    for (size_t i = 0; i < p->n_updates; i++) {
        fresh[i] = *gr__interpret_get(it, p->update[i].value);
        size_t bytes = gr_tensor_size_bytes(&fresh[i]);
        void *copy = gr__alloc(bytes);
        if (copy) memcpy(copy, fresh[i].data, bytes);
        fresh[i].data = copy;
        if (!copy) GR_TRY_DONE(gr__fail_memory("an update", bytes));
    }
    for (size_t i = 0; i < p->n_updates; i++) GR_TRY_DONE(gr__interpret_set(it, p->update[i].state, &fresh[i]));
done:
    for (size_t i = 0; i < p->n_updates; i++) gr__free(fresh[i].data);
    gr__free(fresh);
    return status;
}

gr_status gr__interpret_program(gr__interpret *it, const char *program)
{
    const gr_graph *g = it->g;
    const gr__program *p = NULL;
    for (size_t i = 0; i < g->n_programs; i++)
        if (strcmp(g->program[i].name, program) == 0) p = &g->program[i];
    GR_FAIL_IF(!p, GR_ERR_NOT_FOUND, "interpreter: the graph has no program '%s'", program);
    size_t n = p->n_outputs + p->n_guards + p->n_updates, k = 0;
    gr_value *roots = gr__calloc(n + 1, sizeof *roots);
    if (!roots) return gr__fail_memory("a program", n);
    for (size_t i = 0; i < p->n_outputs; i++) roots[k++] = p->output[i].value;
    for (size_t i = 0; i < p->n_guards; i++) roots[k++] = p->guard[i];
    for (size_t i = 0; i < p->n_updates; i++) roots[k++] = p->update[i].value;
    forget(it); /* the control block may have changed */
    gr_status s = gr__interpret_run(it, roots, (int)n);
    gr__free(roots);
    GR_TRY(s);
    it->control.ok = all_finite(it, p);
    return it->control.ok ? fire(it, p) : GR_OK;
}
