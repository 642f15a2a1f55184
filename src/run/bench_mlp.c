/* A training step of a 784-512-512-10 network: ReLU, cross-entropy, Adam. */
#include "run/bench_int.h"

#include "gradus/nn.h"

#include <stdio.h>

static const int64_t widths[] = {784, 512, 512, 10};
enum { LAYERS = GR__COUNT(widths) - 1 };

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){b->o.batch, widths[0]});
    gr_value targets = gr_input(g, "targets", GR_I32, 1, (int64_t[]){b->o.batch});
    gr_value y = gr_mlp(g, NULL, x, widths + 1, LAYERS, &(gr_mlp_options){.activation = GR_ACTIVATION_RELU});
    gr_loss loss = gr_loss_cross_entropy(g, y, targets, NULL);
    if (b->o.bf16) GR_TRY(gr_autocast_bf16(g));
    gr_value params[2 * LAYERS], grads[2 * LAYERS];
    int n = gr_graph_params(g, params, 2 * LAYERS);
    GR_TRY(gr_grad(g, loss.sum, params, n, grads));
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    gr_optimizer_options o = {
        .base = {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 1e-4}, .weight = loss.weight, .guard = GR_GUARD_OFF};
    return gr_optimizer_apply(g, "step", params, grads, n, &o, NULL);
}

static gr_status open(gr_bench *b)
{
    double weights = 0;
    for (int i = 0; i < LAYERS; i++) {
        weights += (double)(widths[i] * widths[i + 1]);
        b->info.parameters += (widths[i] + 1) * widths[i + 1];
    }
    b->info.has_loss = true;
    b->info.flops = (6 * weights - 2 * (double)(widths[0] * widths[1])) * (double)b->o.batch; /* no gradient of x */
    b->info.units = (double)b->o.batch;
    b->info.unit = "row";
    snprintf(b->info.text, sizeof b->info.text, "784-512-512-10 B%lld %s", (long long)b->o.batch,
             b->o.bf16 ? "bf16" : "f32");
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    GR_TRY(gr__bench_compile(b));
    GR_TRY(gr__bench_fill_input(b, "x", 1, 1));
    return gr__bench_ids_input(b, "targets", widths[LAYERS]);
}

const gr__bench_case gr__bench_mlp = {.name = "mlp",
                                      .summary = "training step of a 784-512-512-10 network",
                                      .defaults = {.batch = 32},
                                      .open = open,
                                      .run = gr__bench_run_session};
