/* Recurrent layers against PyTorch's (tests/golden/make_rnn.py), through plans; a short text learned in f32 and bf16; what the
 * builders refuse. */
#include "tests/learns.h"
#include "tests/rig.h"

#include "gradus/nn.h"
#include "gradus/plan.h"
#include "kernel/onednn.h"
#include "op/op.h"

static gr__safetensors *file;

static int open_golden(void **state)
{
    (void)state;
    return gr__safetensors_open(test_source("tests/golden/rnn.safetensors"), &file) == GR_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gr__safetensors_close(&file);
    return 0;
}

/* ---- against PyTorch ---- */

typedef enum kind { LSTM, GRU, RNN } kind;

static gr_value layer(gr_graph *g, kind k, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *o,
                      gr_value *h_n, gr_value *c_n)
{
    *c_n = 0;
    return k == LSTM  ? gr_lstm(g, name, x, hidden, o, h_n, c_n)
           : k == GRU ? gr_gru(g, name, x, hidden, o, h_n)
                      : gr_rnn(g, name, x, hidden, o, h_n);
}

static const struct {
    const char *name;
    kind kind;
    int64_t hidden;
    gr_rnn_options options;
    int parameters;
} cases[] = {
    {"lstm", LSTM, 4, {0}, 4},
    {"lstm_no_bias", LSTM, 4, {.no_bias = true}, 2},
    {"lstm_lengths", LSTM, 4, {0}, 4},
    {"lstm_both", LSTM, 5, {.layers = 2, .bidirectional = true}, 16},
    {"gru", GRU, 4, {0}, 4},
    {"gru_two", GRU, 4, {.layers = 2}, 8},
    {"gru_both", GRU, 5, {.layers = 2, .bidirectional = true}, 16},
    {"rnn_tanh", RNN, 4, {.layers = 2}, 8},
    {"rnn_relu", RNN, 4, {.relu = true, .bidirectional = true}, 8},
};

static const char *key_of(const char *name, const char *part)
{
    static char key[2][96];
    static int turn;
    turn = !turn;
    snprintf(key[turn], sizeof key[turn], "%s/%s", name, part);
    return key[turn];
}

static bool has(const char *name, const char *part) { return gr__safetensors_find(file, key_of(name, part)); }

static gr_value input_of(gr_graph *g, const char *name, const char *part)
{
    if (!has(name, part)) return 0;
    const gr_tensor *t = golden(file, key_of(name, part));
    return gr_input(g, part, t->dtype, t->rank, t->dim);
}

static void feed(gr_session *s, const char *name, const char *part)
{
    gr_tensor t;
    if (!has(name, part)) return;
    assert_ok(gr_session_input(s, part, &t));
    memcpy(t.data, golden(file, key_of(name, part))->data, gr_tensor_size_bytes(&t));
}

static void check(gr_session *s, const char *name, const char *part)
{
    gr_tensor t;
    const gr_tensor *wanted = golden(file, key_of(name, part));
    assert_ok(gr_session_output(s, part, &t));
    assert_int_equal(gr_tensor_count(&t), gr_tensor_count(wanted));
    assert_near(key_of(name, part), t.data, wanted, 1e-5);
}

/* Results and states of a case, and the loss that its gradients belong to. */
static gr_value build(gr_graph *g, size_t i, gr_value *leaf)
{
    const char *name = cases[i].name;
    gr_rnn_options o = cases[i].options;
    gr_value h_n = 0, c_n = 0;
    leaf[0] = input_of(g, name, "x");
    leaf[1] = o.h0 = input_of(g, name, "h0");
    leaf[2] = o.c0 = input_of(g, name, "c0");
    o.lengths = input_of(g, name, "lengths");
    gr_value y = layer(g, cases[i].kind, NULL, leaf[0], cases[i].hidden, &o, &h_n, &c_n);
    gr_value loss = gr_sum(g, gr_mul(g, y, input_of(g, name, "r")), 0, false);
    loss = gr_add(g, loss, gr_sum(g, gr_mul(g, h_n, input_of(g, name, "rh")), 0, false));
    if (c_n) loss = gr_add(g, loss, gr_sum(g, gr_mul(g, c_n, input_of(g, name, "rc")), 0, false));
    gr_output(g, "run", "y", y);
    gr_output(g, "run", "h_n", h_n);
    if (c_n) gr_output(g, "run", "c_n", c_n);
    return loss;
}

static void one_case(size_t i)
{
    static const char *const leaves[] = {"x", "h0", "c0"}, *const feeds[] = {"x", "h0", "c0", "lengths",
                                                                             "r", "rh", "rc"};
    const char *name = cases[i].name;
    gr_graph *g;
    gr_plan *plan = NULL;
    gr_session *s = NULL;
    gr_store *store;
    char grad[32][64];
    gr_value leaf[3], wrt[32], d[32];
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_store_new(&store));
    gr_value loss = build(g, i, leaf);
    assert_ok(gr_graph_status(g));
    int n = gr_graph_params(g, wrt, 28);
    assert_int_equal(n, cases[i].parameters);
    for (int k = 0; k < n; k++) snprintf(grad[k], sizeof grad[k], "d:%s", gr_value_path(g, wrt[k]));
    for (int k = 0; k < 3; k++) {
        if (!leaf[k]) continue;
        snprintf(grad[n], sizeof grad[n], "d:%s", leaves[k]);
        wrt[n++] = leaf[k];
    }
    assert_ok(gr_grad(g, loss, wrt, n, d));
    for (int k = 0; k < n; k++) gr_output(g, "run", grad[k], d[k]);
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_store_prepare(store, g, 1));
    for (int k = 0; k < cases[i].parameters; k++) {
        gr_tensor t;
        const char *path = gr_value_path(g, wrt[k]);
        assert_ok(gr_store_get(store, path, &t));
        memcpy(t.data, golden(file, key_of(name, path))->data, gr_tensor_size_bytes(&t));
    }
    assert_ok(gr_session_new(plan, store, &s));
    for (size_t k = 0; k < GR__COUNT(feeds); k++) feed(s, name, feeds[k]);
    assert_ok(gr_session_run(s));
    check(s, name, "y");
    check(s, name, "h_n");
    if (has(name, "c_n")) check(s, name, "c_n");
    for (int k = 0; k < n; k++) check(s, name, grad[k]);
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
}

static void matches_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(cases); i++) one_case(i);
}

/* ---- training ---- */

enum { BATCH = 4, TIME = 7, SIZE = 6, HIDDEN = 16, STEPS = 60 };

/* Trains two layers and a head on one batch; the first and the last loss. */
static void train(kind k, bool bf16, bool reset_before, double loss[2])
{
    static const char *const ops[] = {"lstm", "lstm_grad", "gru", "gru_grad", "rnn", "rnn_grad", NULL};
    gr_graph *g;
    gr_value h_n, c_n;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){BATCH, TIME, SIZE});
    gr_rnn_options o = {.layers = 2, .reset_before = reset_before, .dropout = 0.1};
    gr_value y = layer(g, k, "rnn", x, HIDDEN, &o, &h_n, &c_n);
    gr_value last = gr_reshape(g, gr_slice(g, y, 1, TIME - 1, 1), 2, (int64_t[]){BATCH, HIDDEN});
    learns_in_a_plan(g, gr_linear(g, "head", last, 3, NULL), 10, ops, STEPS, bf16, loss);
}

static void layers_learn_in_a_plan(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        double full[2], low[2];
        train(i == 3 ? GRU : (kind)i, false, i == 3, full);
        train(i == 3 ? GRU : (kind)i, true, i == 3, low);
        assert_true(full[1] < 0.3 * full[0] && low[1] < 0.3 * low[0]);
        assert_close(low[0], full[0], 0.02);
    }
}

/* ---- first numbers, refusals ---- */

static void parameters_begin_as_pytorchs(void **state)
{
    (void)state;
    gr_graph *g;
    rig r;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){2, 3, 10});
    gr_output(g, "run", "y", gr_gru(g, "enc", x, 25, &(gr_rnn_options){.bidirectional = true, .layers = 2}, NULL));
    rig_open(&r, g);
    static const struct {
        const char *path;
        int64_t rows, columns;
    } params[] = {{"enc.weight_ih_l0", 75, 10},
                  {"enc.weight_hh_l0_reverse", 75, 25},
                  {"enc.bias_ih_l0", 75, 1},
                  {"enc.weight_ih_l1_reverse", 75, 50},
                  {"enc.bias_hh_l1", 75, 1}};
    for (size_t i = 0; i < GR__COUNT(params); i++) {
        gr_tensor t;
        double most = 0;
        assert_ok(gr_store_get(r.store, params[i].path, &t));
        assert_int_equal(t.dim[0], params[i].rows);
        assert_int_equal(gr_tensor_count(&t), params[i].rows * params[i].columns);
        for (int64_t k = 0; k < gr_tensor_count(&t); k++) most = fmax(most, fabs(gr_tensor_get(&t, k)));
        if (most > 0.2 * (1 + 1e-6) || most < 0.18) fail_msg("%s begins within %g", params[i].path, most);
    }
    rig_close(&r);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        gr_status status;
    } wrong[] = {
        {"recurrent layer 'a' of a value with 2 axes", GR_ERR_SHAPE},
        {"recurrent layer 'b': 9 layers of 4 units; up to 16 directions fit", GR_ERR_ARGUMENT},
        {"recurrent layer 'c': h0 is not (2, 2, 4)", GR_ERR_SHAPE},
        {"gru: c0 is a state of lstm only", GR_ERR_ARGUMENT},
        {"weight_ih [10,3] must have 4 rows for each unit", GR_ERR_SHAPE},
    };
    for (size_t i = 0; i < GR__COUNT(wrong); i++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){2, 5, 3}), y = 0;
        gr_value flat = gr_input(g, "flat", GR_F32, 2, (int64_t[]){2, 3}),
                 h = gr_input(g, "h", GR_F32, 3, (int64_t[]){1, 2, 4});
        gr_value w = gr_input(g, "w", GR_F32, 2, (int64_t[]){10, 3}),
                 u = gr_input(g, "u", GR_F32, 2, (int64_t[]){10, 5});
        switch (i) {
        case 0: y = gr_lstm(g, "a", flat, 4, NULL, NULL, NULL); break;
        case 1: y = gr_gru(g, "b", x, 4, &(gr_rnn_options){.layers = 9, .bidirectional = true}, NULL); break;
        case 2: y = gr_rnn(g, "c", x, 4, &(gr_rnn_options){.h0 = h, .layers = 2}, NULL); break;
        case 3: y = gr_gru(g, "d", x, 4, &(gr_rnn_options){.c0 = h}, NULL); break;
        default: y = gr_lstm_scan(g, x, w, u, NULL, NULL, NULL); break;
        }
        assert_int_equal(y, 0);
        assert_fails(gr_graph_status(g), wrong[i].status, wrong[i].message);
        gr_graph_free(&g);
    }
}

/* ---- weights packed before the runs ---- */

enum { PACK_STEPS = 5, PACK_WIDTH = 37, PACK_HIDDEN = 70 };

static void expect_same_runs(gr_session *plain, gr_session *packed)
{
    gr_tensor a, b;
    for (int k = 0; k < 2; k++) {
        assert_ok(gr_session_run(plain));
        assert_ok(gr_session_run(packed));
        assert_ok(gr_session_output(plain, "y", &a));
        assert_ok(gr_session_output(packed, "y", &b));
        assert_memory_equal(a.data, b.data, gr_tensor_size_bytes(&a));
    }
}

static void pack_case(kind k, int64_t rows, const gr_rnn_options *options, bool bf16)
{
    gr_graph *g;
    gr_store *store;
    gr_plan *plan[2] = {NULL, NULL};
    gr_session *s[2] = {NULL, NULL};
    gr_value h_n = 0, c_n = 0;
    gr_tensor x, w;
    char *text;
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_store_new(&store));
    gr_value in = gr_input(g, "x", GR_F32, 3, (int64_t[]){rows, PACK_STEPS, PACK_WIDTH});
    gr_output(g, "run", "y", layer(g, k, "cell", in, PACK_HIDDEN, options, &h_n, &c_n));
    if (bf16) assert_ok(gr_autocast_bf16(g));
    assert_ok(gr_store_prepare(store, g, 7));
    for (int i = 0; i < 2; i++) {
        assert_ok(gr_plan_compile(g, "run", &(gr_plan_options){.no_fuse = i == 0}, &plan[i]));
        assert_ok(gr_session_new(plan[i], store, &s[i]));
        assert_ok(gr_session_input(s[i], "x", &x));
        for (int64_t e = 0; e < gr_tensor_count(&x); e++) gr_tensor_set(&x, e, (double)((e * 37 + 11) % 101) / 50 - 1);
        assert_ok(gr_plan_print(plan[i], &text));
        assert_int_equal(strstr(text, "pack.scan") != NULL, i == 1);
        gr_text_free(text);
    }
    expect_same_runs(s[0], s[1]);
    assert_ok(gr_store_get(store, "cell.weight_hh_l0", &w));
    for (int64_t e = 0; e < gr_tensor_count(&w); e++) gr_tensor_set(&w, e, -2 * gr_tensor_get(&w, e));
    gr_store_touch(store);
    expect_same_runs(s[0], s[1]);
    for (int i = 0; i < 2; i++) {
        gr_session_free(&s[i]);
        gr_plan_free(&plan[i]);
    }
    gr_store_free(&store);
    gr_graph_free(&g);
}

static void weights_are_packed_before_the_runs(void **state)
{
    (void)state;
    gr__dnn_hide(true); /* W x by the same kernel in both plans */
    for (int bf16 = 0; bf16 < 2; bf16++) {
        pack_case(LSTM, 3, &(gr_rnn_options){0}, bf16);
        pack_case(LSTM, 19, &(gr_rnn_options){0}, bf16); /* W x in the step */
        pack_case(GRU, 3, &(gr_rnn_options){0}, bf16);
        pack_case(GRU, 3, &(gr_rnn_options){.reset_before = true}, bf16);
        pack_case(RNN, 3, &(gr_rnn_options){.bidirectional = true}, bf16);
    }
    gr__dnn_hide(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch),
        cmocka_unit_test(layers_learn_in_a_plan),
        cmocka_unit_test(parameters_begin_as_pytorchs),
        cmocka_unit_test(refusals),
        cmocka_unit_test(weights_are_packed_before_the_runs),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
