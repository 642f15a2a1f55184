/* An LSTM or GRU layer over a batch of sequences, forward and backward or forward alone. */
#include "run/bench_int.h"

#include "gradus/ops.h"

#include <stdio.h>

enum { OPERANDS = 5 };
static const char *const names[] = {"x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"}, *const gradients[] = {
                                                                                              "dx", "dweight_ih",
                                                                                              "dweight_hh", "dbias_ih",
                                                                                              "dbias_hh"};

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    int64_t h = b->o.width, rows = (b->o.gru ? 3 : 4) * h;
    const int64_t dim[OPERANDS][3] = {{b->o.batch, b->o.tokens, h}, {rows, h}, {rows, h}, {rows}, {rows}};
    gr_dtype dtype = b->o.bf16 ? GR_BF16 : GR_F32;
    gr_value in[OPERANDS], d[OPERANDS];
    in[0] = gr_input(g, names[0], dtype, 3, dim[0]);
    for (int i = 1; i < OPERANDS; i++) /* casts of what stays as it is run once */
        in[i] = gr_cast(g, gr_param(g, names[i], i < 3 ? 2 : 1, dim[i], &(gr_init){.kind = GR_INIT_NORMAL, .b = 0.044}),
                        dtype);
    gr_scan_options o = {.bias_ih = in[3], .bias_hh = in[4]};
    gr_value y =
        b->o.gru ? gr_gru_scan(g, in[0], in[1], in[2], &o, NULL) : gr_lstm_scan(g, in[0], in[1], in[2], &o, NULL, NULL);
    gr_output(g, "step", "y", y);
    if (b->o.forward_only) return gr_graph_status(g);
    gr_value dy = gr_input(g, "dy", dtype, 3, dim[0]);
    GR_TRY(gr_grad(g, gr_sum(g, gr_mul(g, y, dy), 0, false), in, OPERANDS, d));
    for (int i = 0; i < OPERANDS; i++) gr_output(g, "step", gradients[i], d[i]);
    return gr_graph_status(g);
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    double h = (double)o->width, steps = (double)(o->batch * o->tokens);
    /* Two products of (G*H, H) a step and row; backward twice that. */
    b->info.flops = steps * (o->gru ? 3 : 4) * h * h * (o->forward_only ? 4 : 12);
    b->info.units = steps;
    b->info.unit = "tok";
    snprintf(b->info.text, sizeof b->info.text, "%s %s B%lld T%lld H%lld %s", o->gru ? "gru" : "lstm",
             o->forward_only ? "fwd" : "fwd+bwd", (long long)o->batch, (long long)o->tokens, (long long)o->width,
             o->bf16 ? "bf16" : "f32");
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    GR_TRY(gr__bench_compile(b));
    GR_TRY(gr__bench_fill_input(b, names[0], 1.7f, 1));
    return o->forward_only ? GR_OK : gr__bench_fill_input(b, "dy", 1.7f, OPERANDS + 1);
}

const gr__bench_case gr__bench_rnn = {.name = "rnn",
                                      .summary = "an LSTM or GRU layer, forward and backward",
                                      .defaults = {.batch = 32, .tokens = 128, .width = 512},
                                      .open = open,
                                      .run = gr__bench_run_session};
