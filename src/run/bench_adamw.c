/* AdamW over all parameters of GPT-2, from gradients that are there already; nothing else. */
#include "run/bench_int.h"

#include "base/alloc.h"

#include <stdio.h>

/* One input for each parameter, so that the plan has the updates of a real step. */
static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_lm_values v;
    gr_value *params = NULL, *grads = NULL;
    gr_status status = GR_OK;
    int n = 0;
    GR_TRY(gr_model_build_lm(b->model, g, 1, 1, true, &v));
    GR_TRY(gr__bench_params(b, &params, &n));
    grads = gr__calloc((size_t)n + 1, sizeof *grads);
    if (!grads) GR_TRY_DONE(gr__fail_memory("gradients", (size_t)n * sizeof *grads));
    for (int i = 0; i < n; i++) {
        char name[32];
        int64_t dim[GR_MAX_RANK];
        int rank = gr_value_rank(g, params[i]);
        for (int d = 0; d < rank; d++) dim[d] = gr_value_dim(g, params[i], d);
        snprintf(name, sizeof name, "grad.%d", i);
        grads[i] = gr_input(g, name, GR_F32, rank, dim);
    }
    GR_TRY_DONE(gr__bench_adamw_update(g, params, grads, n, 0));
    b->info.units = (double)b->info.parameters;
done:
    gr__free(params);
    gr__free(grads);
    return status;
}

static gr_status open(gr_bench *b)
{
    GR_TRY(gr__bench_make_gpt(b));
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    b->info.bf16 = false;
    b->info.copied_bytes = 28.0 * (double)b->info.parameters; /* p, m, v both ways, g in */
    b->info.unit = "param";
    snprintf(b->info.text, sizeof b->info.text, "%.1f M parameters", (double)b->info.parameters * 1e-6);
    GR_TRY(gr__bench_compile(b));
    gr_tensor t;
    char name[32];
    for (int i = 0; snprintf(name, sizeof name, "grad.%d", i), gr_session_input(b->session, name, &t) == GR_OK; i++)
        gr__bench_fill(t.data, t.dtype, gr_tensor_count(&t), 1e-2f, (uint64_t)i + 1);
    return GR_OK;
}

const gr__bench_case gr__bench_adamw = {
    .name = "adamw",
    .summary = "AdamW over the parameters of GPT-2",
    .defaults = {.layers = 12, .heads = 12, .width = 768, .context = 1024, .vocab = 50257},
    .open = open,
    .run = gr__bench_run_session};
