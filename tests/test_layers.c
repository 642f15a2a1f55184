/* Layers: names, shapes and values of their parameters against formulas written out here; activations by name. */
#include "tests/rig.h"

#include "gradus/nn.h"

enum { B = 3, I = 4, O = 2 };
static const float input[B * I] = {0.5f, -1, 2, 0.25f, 1, 1, -1, -1, 3, -2, 0.125f, 0};

static gr_value x_of(gr_graph *g) { return gr_input(g, "x", GR_F32, 2, (int64_t[]){B, I}); }

static rig run(gr_graph *g, gr_value y)
{
    rig r;
    gr_output(g, "run", "y", y);
    rig_open(&r, g);
    rig_input(&r, x_of(g), input);
    rig_run(&r, "run", 0);
    return r;
}

static void linear(void **state)
{
    (void)state;
    for (int in_out = 0; in_out < 2; in_out++)
        for (int bias = 0; bias < 2; bias++) {
            gr_graph *g;
            assert_ok(gr_graph_new(&g));
            gr_scope_push(g, "h.%d", 3);
            gr_value y = gr_linear(g, "fc", x_of(g), O, &(gr_linear_options){.in_out = in_out, .no_bias = !bias});
            gr_scope_pop(g);
            rig r = run(g, y);
            const float *w = rig_state(&r, "h.3.fc.weight"), *b = bias ? rig_state(&r, "h.3.fc.bias") : NULL;
            assert_int_equal(rig_has_state(&r, "h.3.fc.bias"), bias);
            for (int i = 0; i < B; i++)
                for (int o = 0; o < O; o++) {
                    double sum = b ? (double)b[o] : 0;
                    for (int k = 0; k < I; k++)
                        sum += (double)input[i * I + k] * (double)w[in_out ? k * O + o : o * I + k];
                    assert_close(rig_output(&r, "y")[i * O + o], sum, 1e-6);
                }
            for (int i = 0; i < I * O; i++) assert_true(fabsf(w[i]) <= 0.5f && w[i] != 0);
            rig_close(&r);
        }
}

static void norms(void **state)
{
    (void)state;
    for (int rms = 0; rms < 2; rms++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_norm_options o = {.eps = 1e-3, .no_bias = rms};
        rig r = run(g, rms ? gr_rms_norm_layer(g, "n", x_of(g), &o) : gr_layer_norm_layer(g, "n", x_of(g), &o));
        assert_int_equal(rig_has_state(&r, "n.bias"), !rms);
        rig_state(&r, "n.weight")[1] = 3;
        rig_run(&r, "run", 0);
        for (int i = 0; i < B; i++) {
            double mean = 0, square = 0;
            for (int k = 0; k < I; k++) mean += rms ? 0 : (double)input[i * I + k] / I;
            for (int k = 0; k < I; k++) square += pow((double)input[i * I + k] - mean, 2) / I;
            for (int k = 0; k < I; k++)
                assert_close(rig_output(&r, "y")[i * I + k],
                             ((double)input[i * I + k] - mean) / sqrt(square + 1e-3) * (k == 1 ? 3 : 1), 1e-5);
        }
        rig_close(&r);
    }
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    assert_true(gr_layer_norm_layer(g, "n", x_of(g), &(gr_norm_options){.no_affine = true}) > 0);
    assert_int_equal(gr_graph_params(g, NULL, 0), 0);
    gr_graph_free(&g);
}

static void embedding(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){2, 2});
    gr_value y = gr_embedding_layer(g, "wte", ids, 5, 3, NULL);
    gr_output(g, "run", "y", y);
    assert_int_equal(gr_value_rank(g, y), 3);
    rig r;
    rig_open(&r, g);
    rig_input(&r, ids, (int32_t[]){4, 0, 0, 2});
    rig_run(&r, "run", 0);
    const float *table = rig_state(&r, "wte.weight"), *out = rig_output(&r, "y");
    for (int c = 0; c < 3; c++)
        assert_true(out[c] == table[12 + c] && out[3 + c] == table[c] && out[9 + c] == table[6 + c]);
    rig_close(&r);
}

/* Numbered as torch.nn.Sequential(Linear, ReLU, Linear, ReLU, Linear). */
static void mlp(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_mlp_options relu = {.activation = GR_ACTIVATION_RELU};
    rig r = run(g, gr_mlp(g, "net", x_of(g), (int64_t[]){8, 6, 2}, 3, &relu));
    assert_true(rig_has_state(&r, "net.0.weight") && rig_has_state(&r, "net.2.bias"));
    assert_true(rig_has_state(&r, "net.4.weight"));
    assert_false(rig_has_state(&r, "net.1.weight"));
    float h[2][8] = {{0}};
    int sizes[] = {4, 8, 6, 2};
    memcpy(h[0], input, I * sizeof *input);
    for (int l = 0; l < 3; l++) {
        char path[32];
        snprintf(path, sizeof path, "net.%d.weight", 2 * l);
        const float *w = rig_state(&r, path);
        snprintf(path, sizeof path, "net.%d.bias", 2 * l);
        const float *b = rig_state(&r, path);
        for (int o = 0; o < sizes[l + 1]; o++) {
            float sum = b[o];
            for (int k = 0; k < sizes[l]; k++) sum += w[o * sizes[l] + k] * h[l % 2][k];
            h[1 - l % 2][o] = l < 2 && sum < 0 ? 0 : sum;
        }
    }
    assert_close(rig_output(&r, "y")[0], h[1][0], 1e-5);
    assert_close(rig_output(&r, "y")[1], h[1][1], 1e-5);
    rig_close(&r);

    assert_ok(gr_graph_new(&g));
    gr_mlp_options o = {.activation = GR_ACTIVATION_TANH, .dropout = 0.5, .linear = {.no_bias = true}};
    gr_value path[2];
    assert_true(gr_mlp(g, NULL, x_of(g), (int64_t[]){8, 2}, 2, &o) > 0);
    assert_int_equal(gr_graph_params(g, path, 2), 2);
    assert_string_equal(gr_value_path(g, path[1]), "3.weight"); /* behind Linear, Tanh, Dropout */
    gr_graph_free(&g);
    assert_ok(gr_graph_new(&g));
    assert_int_equal(gr_mlp(g, "net", x_of(g), NULL, 0, NULL), 0);
    assert_fails(gr_graph_status(g), GR_ERR_ARGUMENT, "no layers");
    gr_graph_free(&g);
}

static double formula(gr_activation_kind kind, double x)
{
    switch (kind) {
    case GR_ACTIVATION_RELU: return fmax(x, 0);
    case GR_ACTIVATION_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case GR_ACTIVATION_ELU: return x > 0 ? x : exp(x) - 1;
    case GR_ACTIVATION_GELU: return x * 0.5 * erfc(-x / sqrt(2));
    case GR_ACTIVATION_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case GR_ACTIVATION_SILU: return x / (1 + exp(-x));
    case GR_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case GR_ACTIVATION_TANH: return tanh(x);
    case GR_ACTIVATION_SOFTPLUS: return log1p(exp(x));
    default: return x;
    }
}

static void activations(void **state)
{
    (void)state;
    gr_activation_kind back;
    for (int k = 0; k < GR_ACTIVATION_COUNT; k++) {
        gr_graph *g;
        gr_activation_kind kind = (gr_activation_kind)k;
        assert_ok(gr_graph_new(&g));
        assert_ok(gr_activation_from_name(gr_activation_name(kind), &back));
        assert_int_equal(back, kind);
        rig r = run(g, gr_activation(g, kind, x_of(g)));
        for (int i = 0; i < B * I; i++) assert_close(rig_output(&r, "y")[i], formula(kind, (double)input[i]), 1e-6);
        rig_close(&r);
    }
    assert_ok(gr_activation_from_name("gelu_new", &back));
    assert_int_equal(back, GR_ACTIVATION_GELU_TANH);
    assert_fails(gr_activation_from_name("sigmoit", &back), GR_ERR_CONFIG, "did you mean 'sigmoid'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear), cmocka_unit_test(norms),       cmocka_unit_test(embedding),
        cmocka_unit_test(mlp),    cmocka_unit_test(activations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
