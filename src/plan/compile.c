/* graph -> plan: extract, simplify, recompute, fuse, order, place, lay out. */
#include "plan/plan.h"

#include "backend/cpu/table.h"
#include "base/log.h"
#include "base/parallel.h"
#include "kernel/cpu.h"
#include "pass/pass.h"

void gr_plan_free(gr_plan **plan)
{
    if (!plan || !*plan) return;
    gr_plan *p = *plan;
    gr_graph_free(&p->graph);
    gr__free(p->slot);
    gr__free(p->where);
    gr__free(p->step);
    gr__free(p->operand);
    gr__free(p);
    *plan = NULL;
}

static gr_status run_passes(gr_graph *g, gr__recompute level, const gr_plan_options *o)
{
    GR_TRY(gr__pass_simplify(g));
    GR_TRY(gr__pass_carry(g));
    GR_TRY(gr__pass_recompute(g, level));
    if (!o->no_fuse) GR_TRY(gr__pass_fuse(g));
    if (!o->no_fuse && !o->reference) {
        GR_TRY(gr__pass_fuse_product(g, &gr__cpu_backend));
        GR_TRY(gr__pass_pack_scan(g, &gr__cpu_backend));
    }
#ifndef NDEBUG
    GR_TRY(gr__graph_check(g));
#endif
    return gr_graph_status(g);
}

static gr_status compile_level(const gr_graph *graph, const char *program, const gr_plan_options *o,
                               gr__recompute level, gr_plan **out)
{
    gr_status status = GR_OK;
    int32_t *sorted = NULL;
    bool *in_place = NULL;
    size_t n = 0;
    gr_plan *p = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("a plan", sizeof *p);
    GR_TRY_DONE(gr__graph_extract(graph, program, &p->graph));
    GR_TRY_DONE(run_passes(p->graph, level, o));
    p->program = &p->graph->program[0];
    GR_TRY_DONE(gr__plan_keep_old_states(p->graph, &p->graph->program[0]));
    p->recompute = (gr_recompute)(level + 1);
    p->threads = gr_threads();
    p->strict = o->strict;
    sorted = gr__calloc(p->graph->n_nodes + 1, sizeof *sorted);
    in_place = gr__calloc(p->program->n_updates + 1, sizeof *in_place);
    if (!sorted || !in_place) GR_TRY_DONE(gr__fail_memory("a plan", p->graph->n_nodes * 4));
    GR_TRY_DONE(gr__plan_order(p->graph, p->program, sorted, &n, in_place));
    GR_TRY_DONE(gr__plan_place(p, o->reference ? NULL : &gr__cpu_backend, sorted, n, in_place));
    GR_TRY_DONE(gr__plan_arena(p));
    *out = p;
    p = NULL;
done:
    gr_plan_free(&p);
    gr__free(sorted);
    gr__free(in_place);
    return status;
}

gr_status gr_plan_compile(const gr_graph *graph, const char *program, const gr_plan_options *options, gr_plan **out)
{
    gr_plan_options o = options ? *options : (gr_plan_options){0};
    GR_FAIL_IF(!graph || !program || !out, GR_ERR_ARGUMENT, "gr_plan_compile: an argument is NULL");
    GR_FAIL_IF((unsigned)o.recompute >= GR_RECOMPUTE_COUNT, GR_ERR_ARGUMENT, "gr_plan_compile: unknown recomputation");
    int first = o.recompute == GR_RECOMPUTE_AUTO ? 0 : (int)o.recompute - 1;
    int last = o.recompute != GR_RECOMPUTE_AUTO ? first : o.memory_budget_bytes ? GR__RECOMPUTE_COUNT - 1 : 0;
    gr_plan *best = NULL;
    for (int level = first; level <= last; level++) {
        gr_plan *p;
        bool was = gr__cpu_set_strict(o.strict);
        gr_status s = compile_level(graph, program, &o, (gr__recompute)level, &p);
        gr__cpu_set_strict(was);
        if (s != GR_OK) {
            gr_plan_free(&best);
            return s;
        }
        if (!best || p->arena_bytes < best->arena_bytes) {
            gr_plan *t = best;
            best = p;
            p = t;
        }
        gr_plan_free(&p);
        if (o.memory_budget_bytes == 0 || best->arena_bytes <= o.memory_budget_bytes) break;
    }
    if (o.memory_budget_bytes && best->arena_bytes > o.memory_budget_bytes)
        gr__log(GR_LOG_WARNING, "program '%s' needs %zu bytes, more than its budget of %zu, with all recomputation",
                program, best->arena_bytes, o.memory_budget_bytes);
    *out = best;
    return GR_OK;
}

gr_plan_memory gr_plan_memory_of(const gr_plan *p)
{
    if (!p) return (gr_plan_memory){0};
    gr_plan_memory m = {
        .arena_bytes = p->arena_bytes, .prepared_bytes = p->prepared_bytes, .scratch_bytes = p->scratch_bytes};
    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slot[i].kind == GR__SLOT_STATE)
            m.state_bytes += p->slot[i].bytes;
        else if (p->slot[i].kind == GR__SLOT_SESSION_STATE)
            m.arena_bytes += p->slot[i].bytes;
    return m;
}

double gr_plan_flops(const gr_plan *p) { return p ? p->flops : 0; }
gr_recompute gr_plan_recompute(const gr_plan *p) { return p ? p->recompute : GR_RECOMPUTE_AUTO; }
