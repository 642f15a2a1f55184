/* The CTC loss against PyTorch's (tests/golden/make_ctc.py), by the reference and in a plan, and what it refuses. */
#include "tests/rig.h"

#include "gradus/nn.h"
#include "gradus/plan.h"

static const struct {
    const char *name;
    gr_ctc_options o;
} cases[] = {
    {"plain", {0}}, {"repeats", {0}}, {"blank_last", {.blank = 4}},
    {"empty", {0}}, {"exact", {0}},   {"impossible", {0, true}},
    {"sharp", {0}}, {"long", {0}},
};
static const char *const operands[] = {"x", "targets", "input_lengths", "target_lengths"};
static gr__safetensors *file;

static const gr_tensor *part(const char *name, const char *what)
{
    char key[64];
    snprintf(key, sizeof key, "%s/%s", name, what);
    return golden(file, key);
}

/* The graph of a case: outputs each, sum, grad. */
static gr_graph *build(size_t i, gr_value in[4])
{
    gr_graph *g;
    gr_value d;
    assert_ok(gr_graph_new(&g));
    for (int k = 0; k < 4; k++) {
        const gr_tensor *t = part(cases[i].name, operands[k]);
        in[k] = gr_input(g, operands[k], t->dtype, t->rank, t->dim);
    }
    gr_output(g, "run", "each", gr_ctc_loss(g, in[0], in[1], in[2], in[3], &cases[i].o));
    gr_loss loss = gr_loss_ctc(g, in[0], in[1], in[2], in[3], 0, &cases[i].o);
    assert_ok(gr_grad(g, loss.sum, in, 1, &d));
    gr_output(g, "run", "grad", d);
    gr_output(g, "run", "weight", loss.weight);
    return g;
}

static void reference_is_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_value in[4];
        rig r;
        rig_open(&r, build(i, in));
        for (int k = 0; k < 4; k++) rig_input(&r, in[k], part(cases[i].name, operands[k])->data);
        rig_run(&r, "run", 0);
        assert_near(cases[i].name, rig_output(&r, "each"), part(cases[i].name, "loss"), 1e-6);
        assert_near(cases[i].name, rig_output(&r, "grad"), part(cases[i].name, "grad"), 1e-6);
        assert_close(rig_output(&r, "weight")[0], (double)part(cases[i].name, "x")->dim[0], 0);
        rig_close(&r);
    }
}

static void plan_is_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_value in[4];
        gr_graph *g = build(i, in);
        gr_plan *plan;
        gr_session *s;
        gr_store *store;
        gr_tensor t;
        char *text;
        assert_ok(gr_store_new(&store));
        assert_ok(gr_plan_compile(g, "run", NULL, &plan));
        assert_ok(gr_plan_print(plan, &text));
        assert_null(strstr(text, "ctc_loss.reference"));
        gr_text_free(text);
        assert_ok(gr_session_new(plan, store, &s));
        for (int k = 0; k < 4; k++) {
            assert_ok(gr_session_input(s, operands[k], &t));
            memcpy(t.data, part(cases[i].name, operands[k])->data, gr_tensor_size_bytes(&t));
        }
        assert_ok(gr_session_run(s));
        assert_ok(gr_session_output(s, "each", &t));
        assert_near(cases[i].name, t.data, part(cases[i].name, "loss"), 1e-6);
        assert_ok(gr_session_output(s, "grad", &t));
        assert_near(cases[i].name, t.data, part(cases[i].name, "grad"), 2e-6);
        gr_session_free(&s);
        gr_plan_free(&plan);
        gr_store_free(&store);
        gr_graph_free(&g);
    }
}

/* Two targets in one frame: the loss is infinite and the gradient no number, as PyTorch's without zero_infinity. */
static void impossible_is_infinite(void **state)
{
    (void)state;
    static const float x[6] = {0};
    static const int32_t ids[] = {1, 2}, one[] = {1}, two[] = {2};
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value in[] = {gr_input(g, "x", GR_F32, 3, (int64_t[]){1, 2, 3}),
                     gr_input(g, "ids", GR_I32, 2, (int64_t[]){1, 2}), gr_input(g, "a", GR_I32, 1, (int64_t[]){1}),
                     gr_input(g, "b", GR_I32, 1, (int64_t[]){1})},
             d;
    gr_loss loss = gr_loss_ctc(g, in[0], in[1], in[2], in[3], 0, NULL);
    assert_ok(gr_grad(g, loss.sum, in, 1, &d));
    gr_output(g, "run", "sum", loss.sum);
    gr_output(g, "run", "grad", d);
    rig r;
    rig_open(&r, g);
    rig_input(&r, in[0], x), rig_input(&r, in[1], ids), rig_input(&r, in[2], one), rig_input(&r, in[3], two);
    rig_run(&r, "run", 0);
    assert_true(isinf(rig_output(&r, "sum")[0]) && rig_output(&r, "sum")[0] > 0);
    assert_true(isnan(rig_output(&r, "grad")[0]));
    assert_true(rig_output(&r, "grad")[3] == 0); /* past the length */
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference_is_pytorchs), cmocka_unit_test(plan_is_pytorchs),
                                       cmocka_unit_test(impossible_is_infinite)};
    if (gr__safetensors_open(test_source("tests/golden/ctc.safetensors"), &file) != GR_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gr__safetensors_close(&file);
    return failed;
}
