/* A plan as text: steps with kernel, operands and their places, and why other kernels were refused. */
#include "plan/plan.h"

static void add_operand(gr__str *s, const gr_plan *p, const gr__operand *o)
{
    if (o->slot < 0) {
        gr__str_add(s, "-");
        return;
    }
    const gr__slot *slot = &p->slot[o->slot];
    gr__str_printf(s, "%s[", gr_dtype_name(o->arg.dtype));
    for (int i = 0; i < o->arg.rank; i++) gr__str_printf(s, "%s%lld", i ? "," : "", (long long)o->arg.dim[i]);
    if (slot->kind == GR__SLOT_ARENA)
        gr__str_printf(s, "]@%zu", slot->offset + o->offset_bytes);
    else
        gr__str_printf(s, "]@%s", gr__value_get(p->graph, slot->state)->name);
    if (!gr__arg_contiguous(&o->arg)) gr__str_add(s, "~");
}

static void add_step(gr__str *s, const gr_plan *p, size_t i)
{
    const gr__call *c = &p->step[i];
    const gr__node *n = c->node >= 0 ? &p->graph->node[c->node] : NULL;
    const char *what = c->kind == GR__CALL_GUARD ? "guard" : c->kernel ? c->kernel->name : n ? n->op->name : "?";
    gr__str_printf(s, "%4zu %s%s%s (", i, i < p->n_prepare ? "prepare " : "", what,
                   c->kind == GR__CALL_REFERENCE ? ".reference" : "");
    for (int k = 0; k < c->n_in; k++) {
        if (k) gr__str_add(s, ", ");
        add_operand(s, p, &p->operand[c->operand + (size_t)k]);
    }
    gr__str_add(s, ") -> ");
    for (int k = 0; k < c->n_out; k++) {
        if (k) gr__str_add(s, ", ");
        add_operand(s, p, &p->operand[c->operand + (size_t)(c->n_in + k)]);
    }
    if (n && *n->scope) gr__str_printf(s, "  @%s", n->scope);
    if (n && n->flags & GR__NODE_CLONE) gr__str_add(s, " again");
    if (c->update) gr__str_add(s, " update");
    if (c->why && *c->why) gr__str_printf(s, "  [not %s]", c->why);
    gr__str_add_char(s, '\n');
}

gr_status gr_plan_print(const gr_plan *p, char **out)
{
    static const char *const levels[] = {"auto", "none", "cheap", "blocks"};
    GR_FAIL_IF(!p || !out, GR_ERR_ARGUMENT, "gr_plan_print: an argument is NULL");
    gr__str s = {0};
    gr__str_printf(&s, "program %s: %zu steps (%zu prepared), arena %zu bytes, %.3g flop, recompute %s\n",
                   p->program->name, p->n_steps, p->n_prepare, p->arena_bytes, p->flops, levels[p->recompute]);
    for (size_t i = 0; i < p->n_steps; i++) add_step(&s, p, i);
    for (size_t i = 0; i < p->program->n_outputs; i++) {
        gr_value v = p->program->output[i].value;
        const gr__where *w = &p->where[v - 1];
        gr__str_printf(&s, "output %s slot %d\n", p->program->output[i].name, w->slot);
    }
    gr_status status = gr__str_check(&s);
    if (status == GR_OK)
        *out = s.text;
    else
        gr__str_release(&s);
    return status;
}
