/* BERT with a head of two labels and random weights: a training step (forward, backward, AdamW on everything), or the
 * forward part alone; the same batch each time, every token real. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "gradus/nn.h"
#include "model/family.h"

#include <stdio.h>
#include <string.h>

static gr_status make_model(gr_bench *b)
{
    static const char *labels[] = {"0", "1"};
    const gr_bench_options *o = &b->o;
    const gr__facts facts = {.labels = {labels, GR__COUNT(labels)}};
    gr__arena arena = {0};
    gr__conf *root;
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{type: bert, layers: %lld, heads: %lld, width: %lld, context: %lld, vocab: %lld, dropout: 0}",
                     (long long)o->layers, (long long)o->heads, (long long)o->width, (long long)o->context,
                     (long long)o->vocab);
    gr_status status = gr__conf_parse(text, (size_t)n, "benchmark", &arena, &root);
    if (status == GR_OK) status = gr__model_new(root, &facts, NULL, &b->model);
    gr__arena_release(&arena);
    return status;
}

static gr_status add_update(gr_bench *b, gr_loss loss)
{
    gr_value *params = NULL, *grads = NULL;
    gr_status status = GR_OK;
    int n = 0;
    GR_TRY(gr__bench_params(b, &params, &n));
    grads = gr__calloc((size_t)n + 1, sizeof *grads);
    if (!grads) GR_TRY_DONE(gr__fail_memory("gradients", (size_t)n * sizeof *grads));
    if (b->o.forward_only) goto done; /* they are only counted */
    GR_TRY_DONE(gr_grad(b->graph, loss.sum, params, n, grads));
    GR_TRY_DONE(gr__bench_adamw_update(b->graph, params, grads, n, loss.weight));
done:
    gr__free(params);
    gr__free(grads);
    return status;
}

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_encoder_values v;
    GR_TRY(gr_model_build_encoder(b->model, g, b->o.batch, b->o.tokens, !b->o.forward_only, &v));
    gr_loss loss = gr_loss_cross_entropy(g, v.logits, gr_input(g, "targets", GR_I32, 1, &b->o.batch), NULL);
    if (b->o.bf16) GR_TRY(gr_autocast_bf16(g));
    gr_output(g, "step", "logits", v.logits);
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    return add_update(b, loss);
}

static gr_status fill(gr_bench *b)
{
    gr_tensor t;
    GR_TRY(gr__bench_ids_input(b, "ids", b->o.vocab));
    GR_TRY(gr_session_input(b->session, "token_types", &t));
    memset(t.data, 0, gr_tensor_size_bytes(&t));
    GR_TRY(gr_session_input(b->session, "mask", &t));
    memset(t.data, 1, gr_tensor_size_bytes(&t));
    GR_TRY(gr_session_input(b->session, "targets", &t));
    gr__bench_ids(t.data, gr_tensor_count(&t), 2, 1);
    return GR_OK;
}

/* Of the forward part; attention sees all pairs. */
static double forward_flops(const gr_bench_options *o)
{
    double tokens = (double)(o->batch * o->tokens), width = (double)o->width, layers = (double)o->layers;
    return (24 * layers * width * width + 4 * layers * width * (double)o->tokens) * tokens +
           2 * width * width * (double)o->batch;
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    GR_FAIL_IF(o->tokens > o->context, GR_ERR_ARGUMENT, "the benchmark's %lld tokens are more than its context of %lld",
               (long long)o->tokens, (long long)o->context);
    GR_TRY(make_model(b));
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    bool training = !o->forward_only;
    b->info.has_loss = true;
    b->info.flops = forward_flops(o) * (training ? 3 : 1);
    b->info.read_bytes = training ? 0 : 12.0 * (double)(o->layers * o->width * o->width) * (o->bf16 ? 2 : 4);
    b->info.copied_bytes = training ? 28.0 * (double)b->info.parameters : 0;
    b->info.units = (double)(o->batch * o->tokens);
    b->info.unit = "tok";
    snprintf(b->info.text, sizeof b->info.text, "%s L%lld H%lld C%lld V%lld B%lld T%lld %s",
             training ? "train" : "infer", (long long)o->layers, (long long)o->heads, (long long)o->width,
             (long long)o->vocab, (long long)o->batch, (long long)o->tokens, o->bf16 ? "bf16" : "f32");
    GR_TRY(gr__bench_compile(b));
    return fill(b);
}

const gr__bench_case gr__bench_bert = {
    .name = "bert",
    .summary = "BERT with a head for labels: training step, or the forward part alone",
    .defaults = {.layers = 12, .heads = 12, .width = 768, .context = 512, .vocab = 30522, .batch = 8, .tokens = 128},
    .open = open,
    .run = gr__bench_run_session};
