/* Causal attention, forward and backward or forward alone; q, k, v are (B, T, H, D). */
#include "run/bench_int.h"

#include "gradus/ops.h"

#include <stdio.h>

static const char *const names[] = {"q", "k", "v"}, *const gradients[] = {"dq", "dk", "dv"};

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    const int64_t dim[] = {b->o.batch, b->o.tokens, b->o.heads, b->o.head_size};
    gr_dtype dtype = b->o.bf16 ? GR_BF16 : GR_F32;
    gr_value in[3], d[3];
    for (int i = 0; i < 3; i++) in[i] = gr_input(g, names[i], dtype, 4, dim);
    gr_value y = gr_attention(g, in[0], in[1], in[2], &(gr_attention_options){.causal = true});
    gr_output(g, "step", "y", y);
    if (b->o.forward_only) return gr_graph_status(g);
    /* The gradient of sum(y·dy) by y is dy; the sum itself is asked for by nobody and never computed. */
    gr_value dy = gr_input(g, "dy", dtype, 4, dim);
    GR_TRY(gr_grad(g, gr_sum(g, gr_mul(g, y, dy), 0, false), in, 3, d));
    for (int i = 0; i < 3; i++) gr_output(g, "step", gradients[i], d[i]);
    return gr_graph_status(g);
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    double t = (double)o->tokens, pairs = (double)(o->batch * o->heads) * t * (t + 1) / 2;
    /* Products: two forward, five backward. */
    b->info.flops = pairs * (double)o->head_size * (o->forward_only ? 4 : 14);
    b->info.units = (double)(o->batch * o->tokens);
    b->info.unit = "tok";
    snprintf(b->info.text, sizeof b->info.text, "%s B%lld H%lld T%lld D%lld %s", o->forward_only ? "fwd" : "fwd+bwd",
             (long long)o->batch, (long long)o->heads, (long long)o->tokens, (long long)o->head_size,
             o->bf16 ? "bf16" : "f32");
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    GR_TRY(gr__bench_compile(b));
    for (int i = 0; i < 3; i++) GR_TRY(gr__bench_fill_input(b, names[i], 1.7f, (uint64_t)i + 1));
    return o->forward_only ? GR_OK : gr__bench_fill_input(b, "dy", 1.7f, 4);
}

const gr__bench_case gr__bench_attention = {.name = "attention",
                                            .summary = "causal attention, forward and backward",
                                            .defaults = {.batch = 1, .heads = 12, .tokens = 1024, .head_size = 64},
                                            .open = open,
                                            .run = gr__bench_run_session};
