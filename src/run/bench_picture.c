/* Networks for pictures with random weights: a training step (forward, backward, optimiser on everything), or the forward
 * part alone; the same batch each time. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "gradus/nn.h"
#include "gradus/ops.h"
#include "model/family.h"

#include <stdio.h>
#include <string.h>

typedef struct network {
    const char *name, *config;
    int64_t edge, channels, classes;
    double multiplications; /* of products for one picture, forward */
} network;

static const network resnet50 = {"ResNet-50", "{type: resnet, depth: 50}", 224, 3, 1000, 4.0892e9};
/* 3 x 3 windows to 32 and 64 channels, each with maxima of 2 x 2 behind it, 128 units, 10 labels. */
static const network small_cnn = {
    "conv 32, conv 64, linear 128",
    "{type: layers, layers: [{conv: 32, padding: 1}, relu, max_pool, {conv: 64, padding: 1}, relu, max_pool, flatten, "
    "{linear: 128}, relu, linear]}",
    28,
    1,
    10,
    28 * 28 * 32 * 9 + 14 * 14 * 64 * 288 + 3136 * 128 + 128 * 10};

static const network *network_of(const gr_bench *b)
{
    return strcmp(b->kind->name, "resnet") == 0 ? &resnet50 : &small_cnn;
}

static gr_status make_model(gr_bench *b, const network *net)
{
    const char *labels[1000];
    char digits[1000][8];
    gr__facts facts = {
        .labels = {labels, (size_t)net->classes}, .height = net->edge, .width = net->edge, .channels = net->channels};
    gr__arena arena = {0};
    gr__conf *root;
    for (int64_t i = 0; i < net->classes; i++) {
        snprintf(digits[i], sizeof digits[i], "%d", (int)(i % 1000));
        labels[i] = digits[i];
    }
    gr_status status = gr__conf_parse(net->config, strlen(net->config), "benchmark", &arena, &root);
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
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_SGD, .learning_rate = 1e-4, .momentum = 0.9},
                              .weight = loss.weight,
                              .guard = GR_GUARD_OFF};
    GR_TRY_DONE(gr_optimizer_apply(b->graph, "step", params, grads, n, &o, NULL));
done:
    gr__free(params);
    gr__free(grads);
    return status;
}

static gr_status build(gr_bench *b)
{
    gr_graph *g = b->graph;
    gr_picture_values v;
    GR_TRY(gr_model_build_picture(b->model, g, b->o.batch, !b->o.forward_only, "step", &v));
    gr_loss loss = gr_loss_cross_entropy(g, v.logits, gr_input(g, "targets", GR_I32, 1, &b->o.batch), NULL);
    if (b->o.bf16) GR_TRY(gr_autocast_bf16(g));
    gr_output(g, "step", "logits", v.logits);
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    return add_update(b, loss);
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    const network *net = network_of(b);
    GR_TRY(make_model(b, net));
    GR_TRY(gr_graph_new(&b->graph));
    GR_TRY(build(b));
    b->info.has_loss = true;
    b->info.flops = 2 * net->multiplications * (double)o->batch * (o->forward_only ? 1 : 3);
    b->info.units = (double)o->batch;
    b->info.unit = "picture";
    snprintf(b->info.text, sizeof b->info.text, "%s %s B%lld %s", net->name, o->forward_only ? "infer" : "train",
             (long long)o->batch, o->bf16 ? "bf16" : "f32");
    GR_TRY(gr__bench_compile(b));
    GR_TRY(gr__bench_fill_input(b, "pictures", 1.7f, 1));
    return gr__bench_ids_input(b, "targets", net->classes);
}

const gr__bench_case gr__bench_resnet = {.name = "resnet",
                                         .summary = "ResNet-50 on 224 x 224: training step, or the forward part alone",
                                         .defaults = {.batch = 8},
                                         .open = open,
                                         .run = gr__bench_run_session};
const gr__bench_case gr__bench_cnn = {.name = "cnn",
                                      .summary = "a small convolutional network on 28 x 28: the same",
                                      .defaults = {.batch = 64},
                                      .open = open,
                                      .run = gr__bench_run_session};
