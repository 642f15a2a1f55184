/* A training step of GPT-2 with random weights: forward, backward, AdamW on everything; the same batch each time. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "gradus/nn.h"

#include <stdio.h>

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_lm_values v;
    gr_value *params = NULL, *grads = NULL;
    gr_status status = GR_OK;
    int n = 0;
    GR_TRY(gr_model_build_lm(b->model, g, b->o.batch, b->o.tokens, true, &v));
    gr_value targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){b->o.batch, b->o.tokens});
    gr_loss loss = gr_loss_linear_cross_entropy(g, v.hidden, v.head, targets, NULL);
    if (b->o.bf16) GR_TRY(gr_autocast_bf16(g));
    GR_TRY(gr__bench_params(b, &params, &n));
    grads = gr__calloc((size_t)n + 1, sizeof *grads);
    if (!grads) GR_TRY_DONE(gr__fail_memory("gradients", (size_t)n * sizeof *grads));
    GR_TRY_DONE(gr_grad(g, loss.sum, params, n, grads));
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    GR_TRY_DONE(gr__bench_adamw_update(g, params, grads, n, loss.weight));
done:
    gr__free(params);
    gr__free(grads);
    return status;
}

/* ids (B, T) and targets (B, T) are views of one stream of B rows of T + 1. */
static gr_status fill(gr_bench *b)
{
    int64_t batch = b->o.batch, time = b->o.tokens;
    gr_tensor ids, targets;
    GR_TRY(gr_session_input(b->session, "ids", &ids));
    GR_TRY(gr_session_input(b->session, "targets", &targets));
    int32_t *stream = gr__alloc((size_t)(batch * (time + 1)) * sizeof *stream), *x = ids.data, *y = targets.data;
    if (!stream) return gr__fail_memory("token ids", (size_t)(batch * (time + 1)) * sizeof *stream);
    gr__bench_ids(stream, batch * (time + 1), b->o.vocab, 0);
    for (int64_t i = 0; i < batch; i++)
        for (int64_t t = 0; t < time; t++) {
            x[i * time + t] = stream[i * (time + 1) + t];
            y[i * time + t] = stream[i * (time + 1) + t + 1];
        }
    gr__free(stream);
    return GR_OK;
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    GR_FAIL_IF(o->tokens > o->context, GR_ERR_ARGUMENT, "the benchmark's %lld tokens are more than its context of %lld",
               (long long)o->tokens, (long long)o->context);
    GR_TRY(gr__bench_make_gpt(b));
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    double tokens = (double)(o->batch * o->tokens), width = (double)o->width, layers = (double)o->layers;
    double weights = 12 * layers * width * width + (double)o->vocab * width; /* in matrices that are multiplied with */
    b->info.has_loss = true;
    b->info.flops = (6 * weights + 6 * layers * width * (double)o->tokens) * tokens;
    b->info.copied_bytes = 28.0 * (double)b->info.parameters;
    b->info.units = tokens;
    b->info.unit = "tok";
    snprintf(b->info.text, sizeof b->info.text, "L%lld H%lld C%lld V%lld B%lld T%lld %s", (long long)o->layers,
             (long long)o->heads, (long long)o->width, (long long)o->vocab, (long long)o->batch, (long long)o->tokens,
             o->bf16 ? "bf16" : "f32");
    GR_TRY(gr__bench_compile(b));
    return fill(b);
}

const gr__bench_case gr__bench_step = {
    .name = "step",
    .summary = "training step of GPT-2: forward, backward, AdamW",
    .defaults = {.layers = 12, .heads = 12, .width = 768, .context = 1024, .vocab = 50257, .batch = 4, .tokens = 64},
    .open = open,
    .run = gr__bench_run_session};
