/* Small GPT-2 and Llama models against PyTorch's answers (tests/golden/make_models.py): logits, loss, every gradient,
 * ten AdamW steps, greedy continuation; and an MLP with Adam. */
#include "tests/test.h"

#include "format/weights.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "model/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 10 };
static const char *const folders[] = {"gpt2-tiny", "gpt2-odd", "llama-tiny", "llama-tied", "rnn-tiny", "rnn-gru"};

/* max|a - b| / max|b| */
static double distance(const gr_tensor *a, const gr_tensor *b)
{
    double most = 0, scale = 0;
    assert_int_equal(gr_tensor_count(a), gr_tensor_count(b));
    for (int64_t i = 0, n = gr_tensor_count(a); i < n; i++) {
        most = fmax(most, fabs(gr_tensor_get(a, i) - gr_tensor_get(b, i)));
        if (!(fabs(gr_tensor_get(a, i)) < 1e30)) most = INFINITY;
        scale = fmax(scale, fabs(gr_tensor_get(b, i)));
    }
    return most / scale;
}

static void check(const char *model, const char *name, const gr_tensor *a, const gr__safetensors *golden, double most)
{
    const gr__stored *b = gr__safetensors_find(golden, name);
    if (!b) fail_msg("%s: no '%s'", model, name);
    double d = distance(a, &b->tensor);
    if (!(d <= most)) fail_msg("%s: '%s' is %g away", model, name, d);
}

typedef struct subject {
    const char *name;
    gr_model *model;
    gr__safetensors *golden;
    gr_graph *g;
    gr_value param[64], grad[64];
    int n;
    int64_t batch, time;
} subject;

static void subject_open(subject *s, const char *name)
{
    char path[300];
    *s = (subject){.name = name};
    snprintf(path, sizeof path, "tests/golden/models/%s", name);
    assert_ok(gr_model_open(test_source(path), &s->model));
    strcat(path, "/golden.safetensors");
    assert_ok(gr__safetensors_open(test_source(path), &s->golden));
    const gr__stored *ids = gr__safetensors_find(s->golden, "ids");
    assert_non_null(ids);
    s->batch = ids->tensor.dim[0];
    s->time = ids->tensor.dim[1];
}

static void subject_close(subject *s)
{
    gr_graph_free(&s->g);
    gr__safetensors_close(&s->golden);
    gr_model_free(&s->model);
}

/* Program "eval": logits, loss, gradients by path; "step": AdamW. */
static void subject_build(subject *s)
{
    gr_lm_values v;
    gr_value count, rows = 0;
    int64_t n = s->batch * s->time;
    assert_ok(gr_graph_new(&s->g));
    assert_ok(gr_model_build_lm(s->model, s->g, s->batch, s->time, true, &v));
    gr_value targets = gr_input(s->g, "targets", GR_I32, 1, &n);
    rows = gr_reshape(s->g, v.hidden, 2, (int64_t[]){n, gr_model_describe(s->model).width});
    gr_value sum = gr_linear_cross_entropy(s->g, rows, v.head, targets, &count);
    gr_output(s->g, "eval", "logits", gr_matmul(s->g, v.hidden, v.head, &(gr_matmul_options){.transpose_b = true}));
    gr_output(s->g, "eval", "loss", gr_div(s->g, sum, count));
    s->n = gr_graph_params(s->g, s->param, 64);
    assert_in_range(s->n, 1, 64);
    assert_ok(gr_grad(s->g, sum, s->param, s->n, s->grad));
    for (int i = 0; i < s->n; i++)
        gr_output(s->g, "eval", gr_value_path(s->g, s->param[i]), gr_div(s->g, s->grad[i], count));
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAMW,
                                       .learning_rate = 1e-3,
                                       .beta1 = 0.9,
                                       .beta2 = 0.95,
                                       .eps = 1e-4,
                                       .weight_decay = 0.1},
                              .weight = count};
    assert_ok(gr_optimizer_apply(s->g, "step", s->param, s->grad, s->n, &o, NULL));
    gr_output(s->g, "step", "loss", gr_div(s->g, sum, count));
    assert_ok(gr_graph_status(s->g));
}

static void fill(gr_session *session, const subject *s)
{
    static const char *const names[] = {"ids", "targets"};
    for (size_t i = 0; i < 2; i++) {
        gr_tensor t;
        assert_ok(gr_session_input(session, names[i], &t));
        memcpy(t.data, gr__safetensors_find(s->golden, names[i])->tensor.data, gr_tensor_size_bytes(&t));
    }
}

static void check_eval(subject *s, const gr_plan_options *options)
{
    gr_plan *plan;
    gr_session *session;
    gr_tensor t;
    assert_ok(gr_plan_compile(s->g, "eval", options, &plan));
    assert_ok(gr_session_new(plan, gr_model_store(s->model), &session));
    fill(session, s);
    assert_ok(gr_session_run(session));
    assert_ok(gr_session_output(session, "logits", &t));
    check(s->name, "logits", &t, s->golden, 1e-4);
    assert_ok(gr_session_output(session, "loss", &t));
    check(s->name, "loss", &t, s->golden, 1e-5);
    for (int i = 0; i < s->n; i++) {
        char name[200];
        const char *path = gr_value_path(s->g, s->param[i]);
        snprintf(name, sizeof name, "grad.%s", path);
        assert_ok(gr_session_output(session, path, &t));
        check(s->name, name, &t, s->golden, 1e-4);
    }
    gr_session_free(&session);
    gr_plan_free(&plan);
}

static void check_steps(subject *s, const gr_plan_options *options)
{
    gr_plan *plan;
    gr_session *session;
    gr_tensor t;
    const gr__stored *losses = gr__safetensors_find(s->golden, "losses");
    assert_ok(gr_store_prepare(gr_model_store(s->model), s->g, 1));
    assert_ok(gr_plan_compile(s->g, "step", options, &plan));
    assert_ok(gr_session_new(plan, gr_model_store(s->model), &session));
    fill(session, s);
    assert_ok(gr_session_output(session, "loss", &t));
    for (int i = 0; i < STEPS; i++) {
        gr_session_set_control(session, &(gr_run_control){.update = i, .learning_rate = 1e-3});
        assert_ok(gr_session_run(session));
        assert_true(fabs(gr_tensor_get(&t, 0) / gr_tensor_get(&losses->tensor, i) - 1) < 1e-5);
    }
    for (int i = 0; i < s->n; i++) {
        char name[200];
        snprintf(name, sizeof name, "step10.%s", gr_value_path(s->g, s->param[i]));
        assert_ok(gr_store_get(gr_model_store(s->model), gr_value_path(s->g, s->param[i]), &t));
        check(s->name, name, &t, s->golden, 1e-4);
    }
    gr_session_free(&session);
    gr_plan_free(&plan);
}

static const gr_plan_options ways[] = {{0}, {.reference = true}, {.no_fuse = true}, {.recompute = GR_RECOMPUTE_BLOCKS}};

static void gradients_are_pytorchs(void **state)
{
    (void)state;
    for (size_t f = 0; f < 4; f++) {
        subject s;
        subject_open(&s, folders[f]);
        subject_build(&s);
        for (size_t w = 0; w < GR__COUNT(ways); w++) check_eval(&s, &ways[w]);
        subject_close(&s);
    }
}

static void ten_steps_are_pytorchs(void **state)
{
    (void)state;
    for (size_t f = 0; f < 4; f++)
        for (size_t w = 0; w < GR__COUNT(ways); w++) {
            subject s;
            subject_open(&s, folders[f]);
            subject_build(&s);
            check_steps(&s, &ways[w]);
            subject_close(&s);
        }
}

static void logits_and_greedy_are_pytorchs(void **state)
{
    (void)state;
    for (size_t f = 0; f < 4; f++) {
        subject s;
        gr_lm_decoder *d;
        const float *logits;
        subject_open(&s, folders[f]);
        const gr__stored *want = gr__safetensors_find(s.golden, "logits"),
                         *greedy = gr__safetensors_find(s.golden, "greedy");
        gr_tensor t = want->tensor;
        int64_t vocab = t.dim[2];
        t.dtype = GR_F32;
        t.data = malloc(gr_tensor_size_bytes(&t));
        assert_ok(
            gr_model_logits(s.model, gr__safetensors_find(s.golden, "ids")->tensor.data, s.batch, s.time, t.data));
        check(s.name, "logits", &t, s.golden, 1e-4);
        free(t.data);
        const int32_t *ids = greedy->tensor.data;
        assert_ok(gr_lm_decoder_new(s.model, 0, false, &d));
        assert_ok(gr_lm_decoder_feed(d, ids, 3, &logits));
        for (int64_t i = 3; i < greedy->tensor.dim[0]; i++) {
            int32_t best = 0;
            for (int32_t k = 1; k < vocab; k++)
                if (logits[k] > logits[best]) best = k;
            assert_int_equal(best, ids[i]);
            assert_ok(gr_lm_decoder_feed(d, &best, 1, &logits));
        }
        assert_fails(gr_lm_decoder_feed(d, ids, 1, &logits), GR_ERR_LIMIT, "context is full");
        gr_lm_decoder_free(&d);
        subject_close(&s);
    }
}

/* layers.<i> there are net.<2i> of a Sequential with ReLUs here. */
static void copy_mlp(gr_model *m, const gr__safetensors *golden)
{
    assert_ok(gr_store_prepare(gr_model_store(m), m->layout, 1));
    for (int i = 0; i < 4; i++)
        for (int bias = 0; bias < 2; bias++) {
            char from[64], to[64];
            gr_tensor t;
            snprintf(from, sizeof from, "init.layers.%d.%s", i, bias ? "bias" : "weight");
            snprintf(to, sizeof to, "net.%d.%s", 2 * i, bias ? "bias" : "weight");
            assert_ok(gr_store_get(gr_model_store(m), to, &t));
            const gr__stored *s = gr__safetensors_find(golden, from);
            assert_int_equal(gr_tensor_count(&t), gr_tensor_count(&s->tensor));
            memcpy(t.data, s->tensor.data, gr_tensor_size_bytes(&t));
        }
}

static void mlp_with_adam_is_pytorchs(void **state)
{
    (void)state;
    gr__arena arena = {0};
    gr__conf *conf;
    gr__safetensors *golden;
    gr_model *m;
    gr_graph *g;
    gr_plan *plan;
    gr_session *session;
    gr_tensor in, y_in, loss, t;
    static const char text[] = "type: mlp\nhidden: [32, 16, 8]\n";
    assert_ok(gr__safetensors_open(test_source("tests/golden/models/mlp.safetensors"), &golden));
    assert_ok(gr__conf_parse(text, strlen(text), "test", &arena, &conf));
    assert_ok(gr__model_new(conf, &(gr__facts){.inputs = 64, .outputs = 1}, NULL, &m));
    assert_int_equal(gr_model_describe(m).parameters, 64 * 32 + 32 + 32 * 16 + 16 + 16 * 8 + 8 + 8 + 1);
    copy_mlp(m, golden);
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){16, 64}), y = gr_input(g, "y", GR_F32, 2, (int64_t[]){16, 1});
    gr_value p[16], dp[16];
    gr_value pred = m->family->build_vector(g, m->config, x, true, "step");
    gr_loss l = gr_loss_mse(g, pred, y, NULL);
    int n = gr_graph_params(g, p, 16);
    assert_ok(gr_grad(g, l.sum, p, n, dp));
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 1e-3}, .weight = l.weight};
    assert_ok(gr_optimizer_apply(g, "step", p, dp, n, &o, NULL));
    gr_output(g, "step", "loss", gr_div(g, l.sum, l.weight));
    assert_ok(gr_store_prepare(gr_model_store(m), g, 1));
    assert_ok(gr_plan_compile(g, "step", NULL, &plan));
    assert_ok(gr_session_new(plan, gr_model_store(m), &session));
    assert_ok(gr_session_input(session, "x", &in));
    assert_ok(gr_session_input(session, "y", &y_in));
    assert_ok(gr_session_output(session, "loss", &loss));
    memcpy(in.data, gr__safetensors_find(golden, "x")->tensor.data, gr_tensor_size_bytes(&in));
    memcpy(y_in.data, gr__safetensors_find(golden, "y")->tensor.data, gr_tensor_size_bytes(&y_in));
    const gr__stored *losses = gr__safetensors_find(golden, "losses");
    for (int i = 0; i < 100; i++) {
        gr_session_set_control(session, &(gr_run_control){.update = i, .learning_rate = 1e-3});
        assert_ok(gr_session_run(session));
        assert_true(fabs(gr_tensor_get(&loss, 0) / gr_tensor_get(&losses->tensor, i) - 1) < 1e-4);
    }
    for (int i = 0; i < 4; i++) {
        char from[64], to[64];
        snprintf(from, sizeof from, "step100.layers.%d.weight", i);
        snprintf(to, sizeof to, "net.%d.weight", 2 * i);
        assert_ok(gr_store_get(gr_model_store(m), to, &t));
        check("mlp", from, &t, golden, 1e-3);
    }
    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    gr_model_free(&m);
    gr__safetensors_close(&golden);
    gr__arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_pytorchs),
        cmocka_unit_test(ten_steps_are_pytorchs),
        cmocka_unit_test(logits_and_greedy_are_pytorchs),
        cmocka_unit_test(mlp_with_adam_is_pytorchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
