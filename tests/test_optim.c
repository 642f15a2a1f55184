/* Optimisers against ten steps of PyTorch's (tests/golden/make_optim.py), groups, clipping, guards, accumulation. */
#include "tests/rig.h"

#include "gradus/nn.h"
#include "op/op.h"

#include <stdlib.h>

enum { STEPS = 10, PARAMS = 3 };
static const char *const paths[PARAMS] = {"a.weight", "a.bias", "b.weight"};

static gr__safetensors *file;

static int open_golden(void **state)
{
    (void)state;
    return gr__safetensors_open(test_source("tests/golden/optim.safetensors"), &file) == GR_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gr__safetensors_close(&file);
    return 0;
}

typedef struct model {
    gr_graph *g;
    gr_value param[PARAMS], grad[PARAMS];
} model;

/* The golden parameters, with their gradients as inputs. */
static model declare(void)
{
    model m;
    assert_ok(gr_graph_new(&m.g));
    for (int i = 0; i < PARAMS; i++) {
        char name[64];
        snprintf(name, sizeof name, "start/%s", paths[i]);
        const gr_tensor *t = golden(file, name);
        m.param[i] = gr_param(m.g, paths[i], t->rank, t->dim, NULL);
        m.grad[i] = gr_input(m.g, paths[i], GR_F32, t->rank, t->dim);
    }
    return m;
}

static rig start(model *m)
{
    rig r;
    rig_open(&r, m->g);
    for (int i = 0; i < PARAMS; i++) {
        char name[64];
        snprintf(name, sizeof name, "start/%s", paths[i]);
        const gr_tensor *t = golden(file, name);
        memcpy(rig_state(&r, paths[i]), t->data, gr_tensor_size_bytes(t));
    }
    return r;
}

/* The gradients of step 'step' of the golden file. */
static void feed(rig *r, const model *m, int step)
{
    for (int i = 0; i < PARAMS; i++) {
        char name[64];
        snprintf(name, sizeof name, "grad/%s", paths[i]);
        const gr_tensor *t = golden(file, name);
        rig_input(r, m->grad[i], (const float *)t->data + step * (gr_tensor_count(t) / STEPS));
    }
}

static void compare(rig *r, const char *name, const char *prefix, double tolerance)
{
    for (int i = 0; i < PARAMS; i++) {
        char key[128], path[64];
        snprintf(path, sizeof path, "%s%s", prefix, paths[i]);
        snprintf(key, sizeof key, "%s/%s", name, path);
        assert_near(key, rig_state(r, path), golden(file, key), tolerance);
    }
}

/* Ten steps with these options must end where the golden case did, and measure the same norms. */
static void run_case(const char *name, const gr_optimizer_options *options, double weight, double tolerance)
{
    char key[64];
    model m = declare();
    gr_optimizer_options o = *options;
    gr_optimizer_result result;
    gr_optimizer resolved;
    if (weight != 0) o.weight = gr_scalar(m.g, GR_F32, weight);
    assert_ok(gr_optimizer_resolve(&o.base, &resolved));
    assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, &result));
    gr_output(m.g, "step", "norm", result.grad_norm);
    rig r = start(&m);
    snprintf(key, sizeof key, "%s/norms", name);
    const float *norms = golden(file, key)->data;
    for (int step = 0; step < STEPS; step++) {
        feed(&r, &m, step);
        rig_run(&r, "step", resolved.learning_rate);
        r.update++;
        if (options->n_groups == 0) assert_close(rig_output(&r, "norm")[0], norms[step], 1e-6);
    }
    compare(&r, name, "", tolerance);
    if (o.ema_decay > 0) compare(&r, name, "ema:", tolerance);
    rig_close(&r);
}

static void matches_pytorch(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        gr_optimizer o;
    } cases[] = {
        {"sgd", {.learning_rate = 0.1}},
        {"sgd_momentum", {.kind = GR_OPTIMIZER_SGD, .learning_rate = 0.1, .momentum = 0.9}},
        {"sgd_nesterov",
         {.kind = GR_OPTIMIZER_SGD, .learning_rate = 0.1, .momentum = 0.8, .nesterov = true, .weight_decay = 0.05}},
        {"sgd_decay", {.kind = GR_OPTIMIZER_SGD, .learning_rate = 0.1, .weight_decay = 0.1}},
        {"rmsprop", {.kind = GR_OPTIMIZER_RMSPROP}},
        {"rmsprop_momentum",
         {.kind = GR_OPTIMIZER_RMSPROP, .learning_rate = 0.02, .alpha = 0.9, .momentum = 0.7, .weight_decay = 0.01}},
        {"adagrad", {.kind = GR_OPTIMIZER_ADAGRAD}},
        {"adagrad_start",
         {.kind = GR_OPTIMIZER_ADAGRAD, .learning_rate = 0.1, .initial_accumulator = 0.1, .weight_decay = 0.02}},
        {"adam", {.kind = GR_OPTIMIZER_ADAM}},
        {"adam_coupled",
         {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1}},
        {"adamw", {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.01}},
        {"adamw_no_decay", {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.01, .no_weight_decay = true}},
        {"lion", {.kind = GR_OPTIMIZER_LION, .learning_rate = 0.01, .weight_decay = 0.1}},
        {"lamb", {.kind = GR_OPTIMIZER_LAMB, .learning_rate = 0.01}},
        {"muon_original", {.kind = GR_OPTIMIZER_MUON, .learning_rate = 0.02}},
        {"muon_match_rms_adamw", {.kind = GR_OPTIMIZER_MUON, .learning_rate = 0.02, .muon_scale = GR_MUON_SCALE_ADAMW}},
        {"muon_spectral_unclamped",
         {.kind = GR_OPTIMIZER_MUON, .learning_rate = 0.02, .muon_scale = GR_MUON_SCALE_SPECTRAL}},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++)
        run_case(cases[i].name, &(gr_optimizer_options){.base = cases[i].o}, 0, 1e-6);
}

static void matches_clipping_and_averages(void **state)
{
    (void)state;
    gr_optimizer sgd = {.kind = GR_OPTIMIZER_SGD, .learning_rate = 0.1};
    gr_optimizer adamw = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.01}, penalty = sgd;
    penalty.l1 = 0.02;
    penalty.l2 = 0.05;
    run_case("clip_norm", &(gr_optimizer_options){.base = sgd, .clip_norm = 1.5}, 0, 1e-6);
    run_case("clip_value", &(gr_optimizer_options){.base = sgd, .clip_value = 0.5}, 0, 1e-6);
    run_case("penalty", &(gr_optimizer_options){.base = penalty, .clip_norm = 2}, 7, 1e-6);
    run_case("ema", &(gr_optimizer_options){.base = adamw, .ema_decay = 0.9}, 0, 1e-6);
    run_case("weight", &(gr_optimizer_options){.base = adamw, .clip_norm = 0.5}, 7, 1e-6);
}

static void matches_groups(void **state)
{
    (void)state;
    gr_optimizer base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.01, .weight_decay = 0.2};
    gr_param_group groups[] = {
        {.pattern = "*.bias", .optimizer = {.no_weight_decay = true, .learning_rate = 0.002}},
        {.pattern = "a.*", .optimizer = {.kind = GR_OPTIMIZER_SGD, .learning_rate = 0.05, .momentum = 0.9}},
        {.pattern = "norm.?", .optional = true},
    };
    run_case("groups", &(gr_optimizer_options){.base = base, .groups = groups, .n_groups = 3}, 0, 1e-6);
    base = (gr_optimizer){.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.01};
    gr_param_group frozen = {.pattern = "b.*", .frozen = true};
    run_case("frozen", &(gr_optimizer_options){.base = base, .groups = &frozen, .n_groups = 1}, 0, 1e-6);
}

/* Nothing of a frozen parameter, nor of one without a gradient, is declared or measured. */
static void leaves_the_frozen_alone(void **state)
{
    (void)state;
    model m = declare();
    gr_param_group frozen = {.pattern = "b.*", .frozen = true};
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAM}, .groups = &frozen, .n_groups = 1, .ema_decay = 0.9};
    gr_optimizer_result result;
    bool is_frozen;
    gr_optimizer resolved;
    m.grad[1] = 0;
    assert_ok(gr_optimizer_of_param(&o, "b.weight", 2, &resolved, &is_frozen));
    assert_true(is_frozen);
    assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, &result));
    gr_output(m.g, "step", "squares", result.sum_squares);
    gr_output(m.g, "step", "norm", result.grad_norm);
    rig r = start(&m);
    assert_true(rig_has_state(&r, "adam.m:a.weight"));
    assert_false(rig_has_state(&r, "adam.m:a.bias"));
    assert_false(rig_has_state(&r, "adam.m:b.weight"));
    assert_false(rig_has_state(&r, "ema:b.weight"));
    float g[12];
    for (int i = 0; i < 12; i++) g[i] = 0.5f;
    rig_input(&r, m.grad[0], g);
    rig_run(&r, "step", 1e-3);
    const float *squares = rig_output(&r, "squares");
    assert_close(squares[0], 3, 1e-6);
    assert_true(squares[1] == 0 && squares[2] == 0);
    assert_close(rig_output(&r, "norm")[0], sqrt(3), 1e-6);
    assert_near("b.weight", rig_state(&r, "b.weight"), golden(file, "start/b.weight"), 0);
    rig_close(&r);
}

/* Moments cost memory: no kind has one that it does not use. */
static void declares_what_it_needs(void **state)
{
    (void)state;
    static const struct {
        gr_optimizer o;
        size_t states; /* for a.weight, a matrix */
    } cases[] = {
        {{.kind = GR_OPTIMIZER_SGD}, 0},     {{.kind = GR_OPTIMIZER_SGD, .momentum = 0.9}, 1},
        {{.kind = GR_OPTIMIZER_RMSPROP}, 1}, {{.kind = GR_OPTIMIZER_RMSPROP, .momentum = 0.9}, 2},
        {{.kind = GR_OPTIMIZER_ADAM}, 2},    {{.kind = GR_OPTIMIZER_ADAMW}, 2},
        {{.kind = GR_OPTIMIZER_ADAGRAD}, 1}, {{.kind = GR_OPTIMIZER_LION}, 1},
        {{.kind = GR_OPTIMIZER_LAMB}, 2},    {{.kind = GR_OPTIMIZER_MUON}, 1},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        model m = declare();
        gr_optimizer_options o = {.base = cases[i].o};
        assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, 1, &o, NULL));
        assert_int_equal(gr__program_get(m.g, "step", false)->n_updates, 1 + cases[i].states);
        rig r = start(&m);
        assert_int_equal(gr_store_count(r.store), PARAMS + cases[i].states);
        rig_close(&r);
    }
}

/* Without clipping and guard no update may wait for another gradient. */
static bool depends_on(const gr_graph *g, gr_value v, gr_value on)
{
    if (v == on) return true;
    const gr__node *n = v ? gr__producer(g, v) : NULL;
    for (int i = 0; n && i < n->n_in; i++)
        if (depends_on(g, n->in[i], on)) return true;
    return false;
}

static bool any_update_waits(gr_optimizer_options o)
{
    model m = declare();
    o.weight = gr_scalar(m.g, GR_F32, 3);
    o.base = (gr_optimizer){.kind = GR_OPTIMIZER_ADAMW};
    assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, NULL));
    gr__program *p = gr__program_get(m.g, "step", false);
    bool waits = p->n_guards > 0;
    for (size_t u = 0; u < p->n_updates; u++) {
        int met = 0;
        for (int i = 0; i < PARAMS; i++) met += depends_on(m.g, p->update[u].value, m.grad[i]);
        waits = waits || met > 1;
        assert_true(gr__producer(m.g, p->update[u].value)->flags & GR__NODE_UPDATE);
    }
    for (size_t i = 0; i < p->n_guards; i++) /* what the guard reads must run before the update is decided */
        for (size_t n = 0; n < m.g->n_nodes; n++)
            if (m.g->node[n].flags & GR__NODE_UPDATE) assert_false(depends_on(m.g, p->guard[i], m.g->node[n].out[0]));
    assert_int_equal(m.g->node_flags, 0);
    gr_graph_free(&m.g);
    return waits;
}

static void updates_run_early(void **state)
{
    (void)state;
    assert_false(any_update_waits((gr_optimizer_options){.clip_value = 1, .ema_decay = 0.9}));
    assert_true(any_update_waits((gr_optimizer_options){.clip_norm = 1}));
    assert_true(any_update_waits((gr_optimizer_options){.clip_norm = 1, .guard = GR_GUARD_OFF}));
    assert_true(any_update_waits((gr_optimizer_options){.guard = GR_GUARD_ON}));
}

static void guard_keeps_the_states(void **state)
{
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        model m = declare();
        gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAMW}, .guard = guarded ? GR_GUARD_ON : GR_GUARD_OFF};
        gr_optimizer_result result;
        assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, &result));
        gr_output(m.g, "step", "squares", result.sum_squares);
        rig r = start(&m);
        feed(&r, &m, 0);
        rig_input(&r, m.grad[1], (float[4]){1, INFINITY, 0, 0});
        rig_run(&r, "step", 1e-3);
        assert_int_equal(r.taken, !guarded);
        const float *squares = rig_output(&r, "squares");
        assert_true(isfinite(squares[0]) && !isfinite(squares[1]) && isfinite(squares[2]));
        assert_int_equal(isfinite(rig_state(&r, "adam.v:a.bias")[1]) != 0, guarded);
        assert_int_equal(rig_state(&r, "adam.m:a.weight")[0] == 0, guarded);
        rig_close(&r);
    }
}

/* Micro-batches with their own weights, then one update: the same as one batch of all; and a guarded run can go on. */
static void accumulates(void **state)
{
    (void)state;
    model m = declare();
    int64_t none = 1;
    gr_value count = gr_input(m.g, "count", GR_F32, 1, &none), sums[PARAMS], unused = m.grad[1];
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_SGD, .learning_rate = 1}, .guard = GR_GUARD_ON};
    m.grad[1] = 0;
    gr_scope_push(m.g, "trainer"); /* scopes must not creep into the paths */
    assert_ok(gr_gradients_accumulate(m.g, "micro", m.param, m.grad, PARAMS, count));
    assert_ok(gr_gradients_use(m.g, "apply", m.param, PARAMS, sums, &o.weight));
    assert_int_equal(sums[1], 0);
    assert_ok(gr_optimizer_apply(m.g, "apply", m.param, sums, PARAMS, &o, NULL));
    assert_ok(gr_gradients_clear(m.g, "clear", m.param, PARAMS));
    gr_scope_pop(m.g);
    m.grad[1] = unused;
    rig r = start(&m);
    for (int round = 0; round < 2; round++) {
        float before = rig_state(&r, "a.weight")[5], sum = 0;
        if (round == 1) { /* a broken run: nothing changes, and 'clear' heals */
            feed(&r, &m, 0);
            float bad[12] = {NAN};
            rig_input(&r, m.grad[0], bad);
            rig_input(&r, count, &(float){1});
            rig_run(&r, "micro", 0);
            rig_run(&r, "apply", 1);
            assert_false(r.taken);
            assert_true(rig_state(&r, "a.weight")[5] == before);
            rig_run(&r, "clear", 0);
        }
        for (int micro = 0; micro < 3; micro++) {
            feed(&r, &m, micro);
            rig_input(&r, count, &(float){(float)(micro + 2)});
            rig_run(&r, "micro", 0);
            sum += ((const float *)golden(file, "grad/a.weight")->data)[micro * 12 + 5];
        }
        assert_close(rig_state(&r, "grad:a.weight")[5], sum, 1e-6);
        assert_close(rig_state(&r, "grad.weight")[0], 9, 0);
        rig_run(&r, "apply", 1);
        assert_close(rig_state(&r, "a.weight")[5], before - sum / 9, 1e-6);
        assert_true(rig_state(&r, "grad:a.weight")[5] == 0 && rig_state(&r, "grad.weight")[0] == 0);
    }
    assert_near("a.bias", rig_state(&r, "a.bias"), golden(file, "start/a.bias"), 0);
    assert_false(rig_has_state(&r, "grad:a.bias"));
    rig_close(&r);
}

/* A batch in which nothing counts: zero over zero is no step, not NaN. */
static void weight_zero_is_no_step(void **state)
{
    (void)state;
    model m = declare();
    gr_optimizer_options o = {.base = {.learning_rate = 1}, .clip_norm = 1, .weight = gr_scalar(m.g, GR_F32, 0)};
    assert_ok(gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, NULL));
    rig r = start(&m);
    float zeros[15] = {0};
    for (int i = 0; i < PARAMS; i++) rig_input(&r, m.grad[i], zeros);
    rig_run(&r, "step", 1);
    assert_true(r.taken);
    assert_near("a.weight", rig_state(&r, "a.weight"), golden(file, "start/a.weight"), 0);
    rig_close(&r);
}

/* More parameters than one concat takes: every norm at its place. */
static void many_parameters(void **state)
{
    (void)state;
    enum { MANY = 300 };
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value param[MANY], grad[MANY];
    for (int i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "p%d", i);
        param[i] = gr_param(g, path, 0, NULL, NULL);
        grad[i] = gr_scalar(g, GR_F32, i);
    }
    gr_optimizer_result result;
    assert_ok(gr_optimizer_apply(g, "step", param, grad, MANY, &(gr_optimizer_options){0}, &result));
    gr_output(g, "step", "squares", result.sum_squares);
    gr_output(g, "step", "norm", result.grad_norm);
    rig r;
    rig_open(&r, g);
    rig_run(&r, "step", 0.5);
    double total = 0;
    for (int i = 0; i < MANY; i++) {
        assert_true(rig_output(&r, "squares")[i] == (float)(i * i));
        total += (double)i * i;
    }
    assert_close(rig_output(&r, "norm")[0], sqrt(total), 1e-6);
    assert_close(rig_state(&r, "p299")[0], -149.5, 0);
    rig_close(&r);
}

static void defaults_and_names(void **state)
{
    (void)state;
    gr_optimizer o;
    gr_optimizer_kind kind;
    for (int k = GR_OPTIMIZER_SGD; k < GR_OPTIMIZER_COUNT; k++) {
        assert_ok(gr_optimizer_resolve(&(gr_optimizer){.kind = (gr_optimizer_kind)k}, &o));
        assert_true(o.learning_rate > 0 && (int)o.kind == k);
        gr_optimizer again;
        assert_ok(gr_optimizer_resolve(&o, &again));
        size_t from = offsetof(gr_optimizer, learning_rate), to = offsetof(gr_optimizer, no_nesterov) + sizeof(bool);
        assert_memory_equal((char *)&o + from, (char *)&again + from, to - from); /* without padding */
        assert_ok(gr_optimizer_from_name(gr_optimizer_name((gr_optimizer_kind)k), &kind));
        assert_int_equal(kind, k);
    }
    assert_string_equal(gr_optimizer_name(GR_OPTIMIZER_COUNT), "");
    assert_ok(gr_optimizer_resolve(&(gr_optimizer){0}, &o));
    assert_int_equal(o.kind, GR_OPTIMIZER_SGD);
    assert_ok(gr_optimizer_resolve(&(gr_optimizer){.kind = GR_OPTIMIZER_ADAM, .no_beta1 = true}, &o));
    assert_true(o.beta1 == 0 && o.beta2 == 0.999);
    assert_ok(gr_optimizer_resolve(&(gr_optimizer){.kind = GR_OPTIMIZER_MUON, .no_nesterov = true}, &o));
    assert_true(!o.nesterov && o.momentum == 0.95);
    assert_fails(gr_optimizer_from_name("adamx", &kind), GR_ERR_CONFIG, "did you mean 'adam'");

    /* a group of the same kind takes what it leaves open from the base; of another kind, from that kind */
    gr_param_group groups[] = {{.pattern = "x", .optimizer = {.weight_decay = 0.5}},
                               {.pattern = "y", .optimizer = {.kind = GR_OPTIMIZER_LION}}};
    gr_optimizer_options options = {
        .base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 5e-4, .beta2 = 0.95, .l1 = 0.1, .no_weight_decay = true},
        .groups = groups,
        .n_groups = 2};
    assert_ok(gr_optimizer_of_param(&options, "x", 2, &o, NULL));
    assert_true(o.learning_rate == 5e-4 && o.beta2 == 0.95 && o.weight_decay == 0.5 && o.l1 == 0.1);
    assert_ok(gr_optimizer_of_param(&options, "y", 2, &o, NULL));
    assert_true(o.learning_rate == 1e-4 && o.beta2 == 0.99 && o.l1 == 0);
    assert_ok(gr_optimizer_of_param(&options, "z", 2, &o, NULL));
    assert_true(o.weight_decay == 0 && o.learning_rate == 5e-4);
}

static gr_status try_options(gr_optimizer_options o)
{
    model m = declare();
    gr_status s = gr_optimizer_apply(m.g, "step", m.param, m.grad, PARAMS, &o, NULL);
    gr_graph_free(&m.g);
    return s;
}

static void refuses(void **state)
{
    (void)state;
    assert_fails(try_options((gr_optimizer_options){.base = {.learning_rate = -1}}), GR_ERR_CONFIG,
                 "optimizer 'sgd': 'learning_rate' is -1, not above 0");
    assert_fails(try_options((gr_optimizer_options){.base = {.momentum = 1}}), GR_ERR_CONFIG, "'momentum'");
    assert_fails(try_options((gr_optimizer_options){.base = {.kind = GR_OPTIMIZER_ADAM, .beta2 = NAN}}), GR_ERR_CONFIG,
                 "'beta2'");
    assert_fails(try_options((gr_optimizer_options){.base = {.weight_decay = -0.1}}), GR_ERR_CONFIG, "'weight_decay'");
    assert_fails(try_options((gr_optimizer_options){.base = {.nesterov = true}}), GR_ERR_CONFIG, "needs 'momentum'");
    assert_fails(try_options((gr_optimizer_options){.clip_norm = -1}), GR_ERR_CONFIG, "'clip_norm'");
    assert_fails(try_options((gr_optimizer_options){.ema_decay = 1}), GR_ERR_CONFIG, "'ema_decay'");
    gr_param_group group = {.pattern = "*.biass"};
    assert_fails(try_options((gr_optimizer_options){.groups = &group, .n_groups = 1}), GR_ERR_CONFIG,
                 "parameter group '*.biass' matches none of the 3 parameters (the first is 'a.weight')");
    group = (gr_param_group){.pattern = "*.bias", .optimizer = {.learning_rate = -2}};
    assert_fails(try_options((gr_optimizer_options){.groups = &group, .n_groups = 1}), GR_ERR_CONFIG,
                 "parameter group '*.bias': optimizer 'sgd'");
    model m = declare();
    assert_fails(gr_optimizer_apply(m.g, "step", m.grad, m.grad, PARAMS, &(gr_optimizer_options){0}, NULL),
                 GR_ERR_ARGUMENT, "parameter 0 is not a state");
    assert_fails(gr_optimizer_apply(m.g, "step", m.param, m.grad, 0, &(gr_optimizer_options){0}, NULL), GR_ERR_ARGUMENT,
                 "without parameters");
    gr_value shuffled[] = {m.grad[1], m.grad[0], m.grad[2]};
    assert_fails(gr_optimizer_apply(m.g, "step", m.param, shuffled, PARAMS, &(gr_optimizer_options){0}, NULL),
                 GR_ERR_SHAPE, "the gradient of 'a.weight' has another shape");
    gr_graph_free(&m.g);
}

/* ---- every allocation fails once ---- */

static int allocations_left;

static void *scarce(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (allocations_left-- <= 0) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!fresh || !pointer) return fresh;
    memcpy(fresh, pointer, GR__MIN(old_size, size));
    free(pointer);
    return fresh;
}

/* A whole training graph: layers, loss, gradient, accumulation, groups, clipping, averages. */
static gr_status build(gr_graph *g)
{
    gr_value param[8], grad[8], sums[8];
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){4, 6}), t = gr_input(g, "t", GR_I32, 1, (int64_t[]){4});
    gr_mlp_options mlp = {.activation = GR_ACTIVATION_GELU};
    gr_value y = gr_layer_norm_layer(g, "ln", gr_mlp(g, "net", x, (int64_t[]){5, 3}, 2, &mlp), NULL);
    gr_loss loss = gr_loss_cross_entropy(g, y, t, NULL);
    GR_TRY(gr_graph_status(g));
    int n = gr_graph_params(g, param, 8);
    GR_TRY(gr_grad(g, loss.sum, param, n, grad));
    gr_param_group group = {.pattern = "*.bias", .optimizer = {.kind = GR_OPTIMIZER_LAMB}};
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_MUON, .l1 = 0.1},
                              .groups = &group,
                              .n_groups = 1,
                              .clip_norm = 1,
                              .ema_decay = 0.9};
    GR_TRY(gr_gradients_accumulate(g, "micro", param, grad, n, loss.weight));
    GR_TRY(gr_gradients_use(g, "apply", param, n, sums, &o.weight));
    return gr_optimizer_apply(g, "apply", param, sums, n, &o, NULL);
}

/* What is no matrix goes by AdamW, with what was said of the options. */
static void muon_without_matrices(void **state)
{
    (void)state;
    static const gr_param_group group = {.pattern = "*.bias", .optimizer = {.no_weight_decay = true}};
    gr_optimizer_options o = {
        .base = {.kind = GR_OPTIMIZER_MUON, .weight_decay = 0.3, .beta2 = 0.95}, .groups = &group, .n_groups = 1};
    gr_optimizer is;
    assert_ok(gr_optimizer_of_param(&o, "a.bias", 1, &is, NULL));
    assert_true(is.kind == GR_OPTIMIZER_ADAMW && is.weight_decay == 0 && is.beta2 == 0.95);
    assert_ok(gr_optimizer_of_param(&o, "a.scale", 1, &is, NULL));
    assert_true(is.kind == GR_OPTIMIZER_ADAMW && is.weight_decay == 0.3 && is.beta1 == 0.9);
    assert_ok(gr_optimizer_of_param(&o, "a.weight", 2, &is, NULL));
    assert_true(is.kind == GR_OPTIMIZER_MUON && is.weight_decay == 0.3);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    static const gr_allocator scarcity = {.resize = scarce};
    gr__safetensors_close(&file); /* the library must own nothing now */
    gr_set_allocator(&scarcity);
    gr_status status = GR_ERR_MEMORY;
    int n = 0;
    for (; status != GR_OK && n < 100000; n += 1 + n / 64) { /* each early one, then a sample */
        gr_graph *g = NULL;
        allocations_left = n;
        status = gr_graph_new(&g);
        if (status == GR_OK) status = build(g);
        gr_graph_free(&g);
        assert_int_equal(gr_memory_used_bytes(), 0);
        if (status != GR_OK) assert_int_equal(status, GR_ERR_MEMORY);
    }
    gr_set_allocator(NULL);
    assert_int_equal(status, GR_OK);
    assert_true(n > 50);
    assert_int_equal(open_golden(NULL), 0);
}

static void globs(void **state)
{
    (void)state;
    assert_true(gr__str_glob("*.bias", "h.0.attn.bias"));
    assert_true(gr__str_glob("h.*.attn.*", "h.11.attn.c_attn.weight"));
    assert_true(gr__str_glob("*", ""));
    assert_true(gr__str_glob("h.?.w", "h.1.w"));
    assert_false(gr__str_glob("h.?.w", "h.11.w"));
    assert_false(gr__str_glob("*.bias", "h.0.bias2"));
    assert_false(gr__str_glob("h.*.attn.*", "h.0.mlp.weight"));
    assert_true(gr__str_glob("*a*b*c", "xxaxxbxxbxc"));
    assert_false(gr__str_glob("", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch),
        cmocka_unit_test(matches_clipping_and_averages),
        cmocka_unit_test(matches_groups),
        cmocka_unit_test(leaves_the_frozen_alone),
        cmocka_unit_test(updates_run_early),
        cmocka_unit_test(guard_keeps_the_states),
        cmocka_unit_test(accumulates),
        cmocka_unit_test(weight_zero_is_no_step),
        cmocka_unit_test(many_parameters),
        cmocka_unit_test(defaults_and_names),
        cmocka_unit_test(refuses),
        cmocka_unit_test(globs),
        cmocka_unit_test(declares_what_it_needs),
        cmocka_unit_test(muon_without_matrices),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
