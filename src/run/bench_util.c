/* What benchmark cases share: random data that the peers make too, AdamW with the peers' settings, a compiled step. */
#include "run/bench_int.h"

#include "base/clock.h"
#include "base/parallel.h"
#include "gradus/nn.h"
#include "model/family.h"

#include <stdio.h>
#include <string.h>

static uint64_t splitmix64(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void gr__bench_ids(int32_t *ids, int64_t n, int64_t below, uint64_t stream)
{
    for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)(splitmix64((stream << 32) + (uint64_t)i) % (uint64_t)below);
}

/* ---- floats ---- */

enum { FILL_CHUNK = 1 << 16 };

typedef struct fill_args {
    void *data;
    gr_dtype dtype;
    int64_t n;
    float scale;
    uint64_t first;
} fill_args;

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    const fill_args *a = context;
    (void)thread;
    int64_t end = GR__MIN(a->n, (chunk + 1) * FILL_CHUNK);
    for (int64_t i = chunk * FILL_CHUNK; i < end; i++) {
        float x = a->scale * ((float)(splitmix64(a->first + (uint64_t)i) >> 40) * 0x1p-23f - 1);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (a->dtype == GR_F32)
            ((float *)a->data)[i] = x;
        else
            ((uint16_t *)a->data)[i] = (uint16_t)(bits >> 16);
    }
}

void gr__bench_fill(void *data, gr_dtype dtype, int64_t n, float scale, uint64_t stream)
{
    fill_args a = {data, dtype, n, scale, stream << 32};
    gr__parallel((n + FILL_CHUNK - 1) / FILL_CHUNK, fill_chunk, &a);
}

gr_status gr__bench_fill_input(gr_bench *b, const char *name, float scale, uint64_t stream)
{
    gr_tensor t;
    GR_TRY(gr_session_input(b->session, name, &t));
    gr__bench_fill(t.data, t.dtype, gr_tensor_count(&t), scale, stream);
    return GR_OK;
}

gr_status gr__bench_ids_input(gr_bench *b, const char *name, int64_t below)
{
    gr_tensor t;
    GR_TRY(gr_session_input(b->session, name, &t));
    gr__bench_ids(t.data, gr_tensor_count(&t), below, 0);
    return GR_OK;
}

/* ---- graphs ---- */

gr_status gr__bench_params(gr_bench *b, gr_value **out, int *n)
{
    *n = gr_graph_params(b->graph, NULL, 0);
    *out = gr__calloc((size_t)*n + 1, sizeof **out);
    if (!*out) return gr__fail_memory("parameters", (size_t)*n * sizeof **out);
    gr_graph_params(b->graph, *out, *n);
    for (int i = 0; i < *n; i++) {
        int64_t count = 1;
        for (int d = 0; d < gr_value_rank(b->graph, (*out)[i]); d++) count *= gr_value_dim(b->graph, (*out)[i], d);
        b->info.parameters += count;
    }
    return GR_OK;
}

gr_status gr__bench_adamw_update(gr_graph *g, const gr_value *params, const gr_value *grads, int n, gr_value weight)
{
    gr_optimizer_options o = {
        .base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 1e-4, .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.1},
        .weight = weight,
        .guard = GR_GUARD_OFF};
    return gr_optimizer_apply(g, "step", params, grads, n, &o, NULL);
}

static gr_store *store_of(gr_bench *b) { return b->model ? gr_model_store(b->model) : b->own_store; }

gr_status gr__bench_compile(gr_bench *b)
{
    gr_plan_options o = {.memory_budget_bytes = b->o.memory_budget_bytes, .strict = b->o.strict};
    if (!b->model && !b->own_store) GR_TRY(gr_store_new(&b->own_store));
    double start = gr__now();
    GR_TRY(gr_plan_compile(b->graph, "step", &o, &b->plan));
    b->info.compile_seconds = gr__now() - start;
    gr_plan_memory m = gr_plan_memory_of(b->plan);
    b->info.arena_bytes = m.arena_bytes;
    b->info.state_bytes = m.state_bytes;
    GR_TRY(gr_store_prepare(store_of(b), b->graph, 0));
    return gr_session_new(b->plan, store_of(b), &b->session);
}

gr_status gr__bench_run_session(gr_bench *b)
{
    gr_run_control c = {.learning_rate = 1e-4, .update = b->update, .micro_step = b->update};
    gr_session_set_control(b->session, &c);
    b->update++;
    return gr_session_run(b->session);
}

/* ---- GPT-2 ---- */

gr_status gr__bench_make_gpt(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    gr__arena arena = {0};
    gr__conf *root;
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{type: gpt, layers: %lld, heads: %lld, width: %lld, context: %lld, vocab: %lld, bias: %s}",
                     (long long)o->layers, (long long)o->heads, (long long)o->width, (long long)o->context,
                     (long long)o->vocab, o->no_bias ? "false" : "true");
    gr_status status = gr__conf_parse(text, (size_t)n, "benchmark", &arena, &root);
    if (status == GR_OK) status = gr__model_new(root, &(gr__facts){0}, NULL, &b->model);
    gr__arena_release(&arena);
    return status;
}
