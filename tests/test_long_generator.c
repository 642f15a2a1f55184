/* Digits made from noise, judged by a network of other people (models/mnist-cnn): how sure it is, which digits it sees, and how
 * far their features are from those of real digits. With $GRADUS_JUDGE, a folder of runs by the names of the examples, those
 * that are there are judged as they are, and nothing is trained. */
#include "tests/examples_rig.h"

#include "base/rng.h"
#include "format/idx.h"
#include "format/safetensors.h"
#include "gradus/metric.h"
#include "gradus/model.h"
#include "gradus/ops.h"
#include "gradus/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2000, BATCH = 100, EACH = 784, FEATURES = 32, CLASSES = 10 };

typedef struct judge {
    gr__safetensors *file;
    gr_store *store;
    gr_plan *plan;
    gr_session *session;
} judge;

static gr_value weight(gr_graph *g, const judge *j, const char *name)
{
    const gr__stored *s = gr__safetensors_find(j->file, name);
    if (!s) fail_msg("no '%s'", name);
    return gr_constant(g, &s->tensor);
}

static gr_value norm(gr_graph *g, const judge *j, gr_value x, const char *name)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    gr_value p[4];
    for (int i = 0; i < 4; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s.%s", name, parts[i]);
        p[i] = weight(g, j, key);
    }
    return gr_batch_norm_fixed(g, x, p[0], p[1], p[2], p[3], 1e-5);
}

static gr_value linear(gr_graph *g, const judge *j, gr_value x, const char *w, const char *b)
{
    return gr_add(g, gr_matmul(g, x, weight(g, j, w), &(gr_matmul_options){.transpose_b = true}), weight(g, j, b));
}

static void judge_open(judge *j, const char *path)
{
    static const char *const conv[][2] = {
        {"conv1.weight", "conv1.bias"}, {"conv2.weight", "conv2.bias"}, {"conv3.weight", "conv3.bias"}};
    gr_graph *g;
    assert_ok(gr__safetensors_open(path, &j->file));
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){BATCH, 28, 28, 1});
    x = gr_affine(g, x, 1 / 0.3081, -0.1307 / 0.3081);
    for (int i = 0; i < 3; i++)
        x = gr_relu(g, gr_conv(g, x, weight(g, j, conv[i][0]), &(gr_conv_options){.bias = weight(g, j, conv[i][1])}));
    x = gr_permute(g, norm(g, j, x, "norm1"), (int[]){0, 3, 1, 2});
    x = gr_relu(g, linear(g, j, gr_reshape(g, x, 2, (int64_t[]){BATCH, -1}), "fc1.weight", "fc1.bias"));
    gr_output(g, "look", "features", x);
    gr_output(g, "look", "scores", gr_softmax(g, norm(g, j, linear(g, j, x, "fc2.weight", "fc2.bias"), "norm2")));
    assert_ok(gr_graph_status(g));
    assert_ok(gr_store_new(&j->store));
    assert_ok(gr_plan_compile(g, "look", NULL, &j->plan));
    assert_ok(gr_session_new(j->plan, j->store, &j->session));
    gr_graph_free(&g);
}

static void judge_close(judge *j)
{
    gr_session_free(&j->session);
    gr_plan_free(&j->plan);
    gr_store_free(&j->store);
    gr__safetensors_close(&j->file);
}

typedef struct verdict {
    double confidence, share[CLASSES];
    double *features; /* (N, FEATURES) */
} verdict;

static void look(judge *j, const float *pictures, verdict *v)
{
    gr_tensor x, features, scores;
    *v = (verdict){.features = calloc(N * FEATURES, sizeof(double))};
    assert_non_null(v->features);
    for (int first = 0; first < N; first += BATCH) {
        assert_ok(gr_session_input(j->session, "x", &x));
        memcpy(x.data, pictures + first * EACH, BATCH * EACH * sizeof *pictures);
        assert_ok(gr_session_run(j->session));
        assert_ok(gr_session_output(j->session, "features", &features));
        assert_ok(gr_session_output(j->session, "scores", &scores));
        for (int i = 0; i < BATCH; i++) {
            int best = 0;
            for (int k = 1; k < CLASSES; k++)
                if (gr_tensor_get(&scores, i * CLASSES + k) > gr_tensor_get(&scores, i * CLASSES + best)) best = k;
            v->share[best] += 1.0 / N;
            v->confidence += gr_tensor_get(&scores, i * CLASSES + best) / N;
        }
        for (int i = 0; i < BATCH * FEATURES; i++) v->features[first * FEATURES + i] = gr_tensor_get(&features, i);
    }
}

static gr_model *model_of(const char *name, gr_run **run)
{
    const char *ready = getenv("GRADUS_JUDGE");
    char path[1000];
    gr_model *m;
    *run = NULL;
    if (ready) {
        snprintf(path, sizeof path, "%s/%s", ready, name);
        return gr_model_open(path, &m) == GR_OK ? m : NULL;
    }
    snprintf(path, sizeof path, "examples/%s.yaml", name);
    *run = open_example(path, NULL, 0, NULL);
    assert_ok(gr_run_train(*run, NULL));
    return gr_run_model(*run);
}

static void judge_example(const char *name, double confidence)
{
    const char *path = test_data("models/mnist-cnn/mnist.safetensors"),
               *digits = test_data("images/mnist/t10k-first3000-images-idx3-ubyte.gz");
    if (!path || !digits) skip();
    judge j;
    verdict made, real, noise;
    gr_tensor t;
    gr_run *run;
    float *pictures = calloc(N * EACH, sizeof *pictures);
    double near, far;
    assert_non_null(pictures);
    gr_model *m = model_of(name, &run);
    if (!m) {
        free(pictures);
        skip();
    }
    judge_open(&j, path);
    assert_ok(gr_generate_pictures(m, N, 1, pictures));
    look(&j, pictures, &made);
    assert_ok(gr__idx_read(digits, &t));
    for (int i = 0; i < N * EACH; i++) pictures[i] = (float)((uint8_t *)t.data)[i] / 255;
    look(&j, pictures, &real);
    gr__rng r = gr__rng_make(3, 0);
    for (int i = 0; i < N * EACH; i++) pictures[i] = (float)gr__rng_uniform(&r);
    look(&j, pictures, &noise);
    assert_ok(gr_frechet_distance(made.features, N, real.features, N, FEATURES, &near));
    assert_ok(gr_frechet_distance(noise.features, N, real.features, N, FEATURES, &far));
    print_message("%s: confidence %.4f (real digits %.4f), distance %.2f, that of noise %.2f; shares", name,
                  made.confidence, real.confidence, near, far);
    for (int k = 0; k < CLASSES; k++) print_message(" %.3f", made.share[k]);
    print_message("\n");
    assert_true(made.confidence >= confidence);
    for (int k = 0; k < CLASSES; k++) assert_true(made.share[k] >= 0.04 && made.share[k] <= 0.2);
    assert_true(near <= far / 10);
    free(made.features), free(real.features), free(noise.features), free(pictures);
    gr__free(t.data);
    judge_close(&j);
    if (run)
        gr_run_close(&run);
    else
        gr_model_free(&m);
}

static void vae(void **state)
{
    (void)state;
    judge_example("mnist_vae", 0.8);
}

static void dcgan(void **state)
{
    (void)state;
    judge_example("mnist_dcgan", 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vae), cmocka_unit_test(dcgan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
