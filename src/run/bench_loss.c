/* Linear and cross-entropy, forward and backward: x (N, C), W (V, C), the loss and both gradients. */
#include "run/bench_int.h"

#include "gradus/nn.h"

#include <stdio.h>

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_value wrt[2], d[2];
    wrt[0] = gr_input(g, "x", GR_F32, 2, (int64_t[]){b->o.rows, b->o.width});
    wrt[1] = gr_param(g, "w", 2, (int64_t[]){b->o.vocab, b->o.width}, &(gr_init){.kind = GR_INIT_NORMAL, .b = 0.02});
    gr_value targets = gr_input(g, "targets", GR_I32, 1, (int64_t[]){b->o.rows});
    gr_loss loss = gr_loss_linear_cross_entropy(g, wrt[0], wrt[1], targets, NULL);
    if (b->o.bf16) GR_TRY(gr_autocast_bf16(g));
    GR_TRY(gr_grad(g, loss.sum, wrt, 2, d));
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    gr_output(g, "step", "dx", d[0]);
    gr_output(g, "step", "dw", d[1]);
    return gr_graph_status(g);
}

/* W counts as new in every run, as it is in training: its bf16 form is made again. */
static gr_status run(gr_bench *b)
{
    gr_store_touch(b->own_store);
    return gr__bench_run_session(b);
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    b->info.has_loss = true;
    b->info.flops = 6.0 * (double)o->rows * (double)o->width * (double)o->vocab;
    b->info.units = (double)o->rows;
    b->info.unit = "tok";
    snprintf(b->info.text, sizeof b->info.text, "%lldx%lldx%lld %s", (long long)o->rows, (long long)o->width,
             (long long)o->vocab, o->bf16 ? "bf16" : "f32");
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    GR_TRY(gr__bench_compile(b));
    GR_TRY(gr__bench_fill_input(b, "x", 1.7f, 1)); /* deviation 1 */
    return gr__bench_ids_input(b, "targets", o->vocab);
}

const gr__bench_case gr__bench_loss = {.name = "loss",
                                       .summary = "linear and cross-entropy, forward and backward",
                                       .defaults = {.rows = 1024, .width = 768, .vocab = 50257},
                                       .open = open,
                                       .run = run};
