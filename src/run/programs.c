/* The graphs of a run. Without accumulation one program, 'step', does all; with it 'micro' adds gradients up, 'apply'
 * updates, and 'clear' drops what a skipped step had added. */
#include "run/run.h"

#include "base/clock.h"

#include <string.h>

/* Weight decay is for matrices: every vector gets a group of its own without it, behind the user's groups. */
static gr_status add_vector_groups(gr_run *run, gr_optimizer_options *o)
{
    gr__settings *s = &run->set;
    gr_param_group *groups = gr__arena_alloc(&run->arena, (size_t)(s->n_groups + run->n_params + 1) * sizeof *groups);
    if (!groups) return gr__fail_memory("parameter groups", 64);
    int n = s->n_groups;
    if (n) memcpy(groups, s->groups, (size_t)n * sizeof *groups);
    for (int i = 0; i < run->n_params && !s->decay_all; i++) {
        if (gr_value_rank(run->graph, run->params[i]) > 1) continue;
        groups[n] = (gr_param_group){.pattern = gr_value_path(run->graph, run->params[i]), .optional = true};
        groups[n++].optimizer.no_weight_decay = true;
    }
    o->groups = groups;
    o->n_groups = n;
    return GR_OK;
}

static gr_status find_params(gr_run *run)
{
    run->n_params = gr_graph_params(run->graph, NULL, 0);
    run->params = gr__arena_alloc(&run->arena, (size_t)(run->n_params + 1) * sizeof *run->params);
    if (!run->params) return gr__fail_memory("parameters", 64);
    gr_graph_params(run->graph, run->params, run->n_params);
    return GR_OK;
}

/* Each parameter follows one loss: the rival's where its pattern says so. */
static gr_status add_gradients(gr_run *run, gr_value loss, gr_value *grads)
{
    const gr__rival *rival = &run->task->rival;
    if (!rival->sum) return gr_grad(run->graph, loss, run->params, run->n_params, grads);
    for (int side = 0; side < 2; side++) {
        gr_value *mine = gr__arena_alloc(&run->arena, 2 * (size_t)(run->n_params + 1) * sizeof *mine),
                 *d = mine + run->n_params + 1;
        if (!mine) return gr__fail_memory("gradients", (size_t)run->n_params * sizeof *mine);
        int n = 0;
        for (int i = 0; i < run->n_params; i++)
            if (gr__str_glob(rival->pattern, gr_value_path(run->graph, run->params[i])) == (side == 1))
                mine[n++] = run->params[i];
        GR_TRY(gr_grad(run->graph, side ? rival->sum : loss, mine, n, d));
        for (int i = 0, k = 0; i < run->n_params && k < n; i++)
            if (run->params[i] == mine[k]) grads[i] = d[k++];
    }
    return GR_OK;
}

/* The task sets the values itself: the program is the forward part. */
static gr_status add_loss_alone(gr_run *run, gr_loss loss)
{
    gr_output(run->graph, "step", "loss_sum", loss.sum);
    gr_output(run->graph, "step", "weight", loss.weight);
    return gr_graph_status(run->graph);
}

static gr_status add_updates(gr_run *run, gr_loss loss)
{
    gr_graph *g = run->graph;
    const gr__settings *s = &run->set;
    size_t n = (size_t)run->n_params;
    gr_value *grads = gr__arena_alloc(&run->arena, (n + 1) * sizeof *grads),
             *sums = gr__arena_alloc(&run->arena, (n + 1) * sizeof *sums);
    if (!grads || !sums) return gr__fail_memory("gradients", n * sizeof *grads);
    gr_optimizer_options o = {.base = s->optimizer,
                              .weight = loss.weight,
                              .clip_norm = s->clip,
                              .clip_value = s->clip_value,
                              .ema_decay = s->ema,
                              .guard = s->nonfinite == GR__NONFINITE_SKIP ? GR_GUARD_ON : GR_GUARD_AUTO};
    GR_TRY(add_vector_groups(run, &o));
    GR_TRY(add_gradients(run, loss.sum, grads));
    bool once = s->accumulate == 1;
    const char *forward = once ? "step" : "micro", *update = once ? "step" : "apply";
    if (!once) {
        GR_TRY(gr_gradients_accumulate(g, "micro", run->params, grads, run->n_params, loss.weight));
        GR_TRY(gr_gradients_use(g, "apply", run->params, run->n_params, sums, &o.weight));
        GR_TRY(gr_gradients_clear(g, "clear", run->params, run->n_params));
        gr_guard(g, "micro", loss.sum);
    } else {
        gr_guard(g, "step", loss.sum);
    }
    gr_optimizer_result r;
    GR_TRY(gr_optimizer_apply(g, update, run->params, once ? grads : sums, run->n_params, &o, &r));
    gr_output(g, forward, "loss_sum", loss.sum);
    gr_output(g, forward, "weight", loss.weight);
    if (r.grad_norm) gr_output(g, update, "grad_norm", r.grad_norm);
    if (r.sum_squares) gr_output(g, update, "sum_squares", r.sum_squares);
    return gr_graph_status(g);
}

static gr_status compile(gr_run *run, const char *program, gr_plan **out)
{
    gr_plan_options o = {.memory_budget_bytes = (size_t)(run->set.memory_mib * 1048576.0),
                         .recompute = (gr_recompute)run->set.recompute,
                         .strict = run->set.strict == 1};
    return gr_plan_compile(run->graph, program, &o, out);
}

static gr_status compile_training(gr_run *run)
{
    gr_loss loss;
    GR_TRY(gr_graph_new(&run->graph));
    const char *forward = run->set.accumulate == 1 ? "step" : "micro";
    GR_TRY(run->task->kind->build(run->task, run->graph, run->set.batch, true, forward, &loss));
    if (run->set.dtype == 1) GR_TRY(gr_autocast_bf16(run->graph));
    GR_TRY(find_params(run));
    GR_TRY(run->task->kind->fit ? add_loss_alone(run, loss) : add_updates(run, loss));
    if (run->set.accumulate == 1) return compile(run, "step", &run->step_plan);
    GR_TRY(compile(run, "micro", &run->micro_plan));
    GR_TRY(compile(run, "apply", &run->apply_plan));
    return compile(run, "clear", &run->clear_plan);
}

static gr_status compile_validation(gr_run *run)
{
    gr_loss loss;
    if (run->task->samples[1] == 0) return GR_OK;
    GR_TRY(gr_graph_new(&run->eval_graph));
    GR_TRY(run->task->kind->build(run->task, run->eval_graph, run->set.batch, false, "eval", &loss));
    gr_output(run->eval_graph, "eval", "loss_sum", loss.sum);
    gr_output(run->eval_graph, "eval", "weight", loss.weight);
    if (run->set.dtype == 1) GR_TRY(gr_autocast_bf16(run->eval_graph));
    gr_plan_options o = {.strict = run->set.strict == 1};
    return gr_plan_compile(run->eval_graph, "eval", &o, &run->eval_plan);
}

gr_status gr__run_compile(gr_run *run)
{
    GR_TRY(compile_training(run));
    return compile_validation(run);
}

static gr_status bind(gr_run *run, const gr_plan *plan, gr_session **out)
{
    return plan ? gr_session_new(plan, run->store, out) : GR_OK;
}

gr_status gr__run_allocate(gr_run *run)
{
    uint64_t seed = (uint64_t)run->set.seed;
    GR_TRY(gr_store_prepare(run->store, run->graph, seed));
    if (run->eval_graph) GR_TRY(gr_store_prepare(run->store, run->eval_graph, seed));
    GR_TRY(bind(run, run->step_plan, &run->step));
    GR_TRY(bind(run, run->micro_plan, &run->micro));
    GR_TRY(bind(run, run->apply_plan, &run->apply));
    GR_TRY(bind(run, run->clear_plan, &run->clear));
    GR_TRY(bind(run, run->eval_plan, &run->eval));
    run->bound_bytes = gr__rss_bytes();
    return GR_OK;
}

gr_status gr__run_begin(gr_run *run)
{
    if (run->begun) return GR_OK;
    if (!run->step && !run->micro) GR_TRY(gr__run_allocate(run));
    if (run->at.step > 0) GR_TRY(gr__checkpoint_load(run, run->at.step));
    run->begun = true;
    return GR_OK;
}

void gr__run_release_programs(gr_run *run)
{
    gr_session_free(&run->step);
    gr_session_free(&run->micro);
    gr_session_free(&run->apply);
    gr_session_free(&run->clear);
    gr_session_free(&run->eval);
    gr_plan_free(&run->step_plan);
    gr_plan_free(&run->micro_plan);
    gr_plan_free(&run->apply_plan);
    gr_plan_free(&run->clear_plan);
    gr_plan_free(&run->eval_plan);
    gr_graph_free(&run->graph);
    gr_graph_free(&run->eval_graph);
}
