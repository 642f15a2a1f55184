/* Networks that make pictures: their towers against PyTorch's (tests/golden/make_generator.py), two losses in one step of the
 * trainer, and the task from end to end on pictures made here. */
#include "tests/rig.h"

#include "base/file.h"
#include "format/idx.h"
#include "format/image.h"
#include "gradus/train.h"
#include "model/family.h"

#include <math.h>
#include <string.h>

static const char *folder; /* of this program's files */

/* ---- against PyTorch ---- */

static void load(gr_model *m, const gr__safetensors *file)
{
    gr_value p[64];
    char key[200];
    assert_ok(gr_store_prepare(m->store, m->layout, 1));
    int n = gr__model_states(m, p, 64);
    for (int i = 0; i < n; i++) {
        gr_tensor t;
        snprintf(key, sizeof key, "state/%s", gr_value_path(m->layout, p[i]));
        assert_ok(gr_store_get(m->store, gr_value_path(m->layout, p[i]), &t));
        const gr_tensor *from = golden(file, key);
        assert_int_equal(gr_tensor_count(&t), gr_tensor_count(from));
        memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
    }
    gr_store_touch(m->store);
}

static void check_tower(gr_model *m, const gr__safetensors *file, const char *tower, bool train)
{
    gr_graph *g;
    gr_plan *plan;
    gr_session *s;
    gr_tensor t;
    gr_value result, parts[2], p[64], dp[64];
    char key[200];
    bool decode = strcmp(tower, "decode") == 0;
    const gr_tensor *given = golden(file, decode ? "z" : "x");
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "given", GR_F32, given->rank, given->dim);
    gr__picture_in in = {.x = x, .train = train, .program = "look"};
    if (decode) {
        result = m->family->build_decode(g, m->config, x, &in);
    } else if (strcmp(tower, "judge") == 0) {
        result = m->family->build_judge(g, m->config, &in);
    } else {
        m->family->build_code(g, m->config, &in, &parts[0], &parts[1]);
        result = gr_concat(g, parts, 2, 1);
    }
    gr_output(g, "look", "result", result);
    snprintf(key, sizeof key, "%s/weight", tower);
    int n = train ? gr_graph_params(g, p, 64) : 0;
    if (train) {
        gr_value sum = gr_sum(g, gr_mul(g, result, gr_constant(g, golden(file, key))), 0, false);
        assert_ok(gr_grad(g, sum, p, n, dp));
        for (int i = 0; i < n; i++) gr_output(g, "look", gr_value_path(g, p[i]), dp[i]);
    }
    assert_ok(gr_plan_compile(g, "look", NULL, &plan));
    assert_ok(gr_session_new(plan, m->store, &s));
    assert_ok(gr_session_input(s, "given", &t));
    memcpy(t.data, given->data, gr_tensor_size_bytes(&t));
    assert_ok(gr_session_run(s));
    for (int i = 0; i < (train ? n : 1); i++) {
        if (train)
            snprintf(key, sizeof key, "grad/%s", gr_value_path(g, p[i]));
        else
            snprintf(key, sizeof key, "%s/result", tower);
        assert_ok(gr_session_output(s, train ? gr_value_path(g, p[i]) : "result", &t));
        assert_near(key, t.data, golden(file, key), 2e-5);
    }
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_graph_free(&g);
}

static void check_towers(const char *path, const char *type, const char *hidden)
{
    gr__arena arena = {0};
    gr__safetensors *file;
    gr__conf *conf;
    gr_model *m;
    char text[200];
    assert_ok(gr__safetensors_open(test_source(path), &file));
    int n = snprintf(text, sizeof text,
                     "{type: %s, height: 8, width: 12, channels: 2, latent: 5, maps: [6, 3], hidden: %s, dropout: 0}",
                     type, hidden);
    assert_ok(gr__conf_parse(text, (size_t)n, "test.yaml", &arena, &conf));
    assert_ok(gr__model_new(conf, &(gr__facts){0}, NULL, &m));
    load(m, file);
    check_tower(m, file, "decode", false); /* before training moves the running statistics */
    check_tower(m, file, "decode", true);
    check_tower(m, file, strcmp(type, "dcgan") == 0 ? "judge" : "code", false);
    check_tower(m, file, strcmp(type, "dcgan") == 0 ? "judge" : "code", true);
    gr_model_free(&m);
    gr__arena_release(&arena);
    gr__safetensors_close(&file);
}

static void matches_pytorch(void **state)
{
    (void)state;
    static const char *const types[] = {"vae", "dcgan"};
    for (int i = 0; i < 2; i++) {
        check_towers("tests/golden/generator.safetensors", types[i], "[]");
        check_towers("tests/golden/generator_hidden.safetensors", types[i], "[7, 4], norm: true");
    }
}

/* ---- the task ---- */

enum { SIDE = 8, PICTURES = 256 };

/* A white upper or lower half, no other pictures. */
static const char *pictures(void)
{
    unsigned char file[16 + PICTURES * SIDE * SIDE] = {0, 0, 8,    3, 0, 0, PICTURES >> 8, PICTURES & 255, 0,
                                                       0, 0, SIDE, 0, 0, 0, SIDE};
    for (int i = 0; i < PICTURES; i++) memset(file + 16 + (2 * i + i % 2) * SIDE * SIDE / 2, 255, SIDE * SIDE / 2);
    return test_write(folder, "pictures-idx3-ubyte", file, sizeof file);
}

static const char *labels(void)
{
    unsigned char file[8 + PICTURES] = {0, 0, 8, 1, 0, 0, PICTURES >> 8, PICTURES & 255};
    return test_write(folder, "labels-idx1-ubyte", file, sizeof file);
}

static void open_run(const char *model, const char *steps, const char *extra, const char *out, gr_run **run)
{
    char text[1600];
    snprintf(text, sizeof text, "data.source=%s", pictures());
    char *source = gr__strdup(text);
    snprintf(text, sizeof text, "data.labels=%s", labels());
    const char *rate = strstr(model, "dcgan") ? "train.lr=2e-3" : "train.lr=5e-3";
    const char *set[] = {
        "task=image-generation", source,           text, model,          steps, "train.batch=32", "train.seed=2",
        "model.maps=[16, 8]",    "model.latent=4", rate, "train.clip=0", extra};
    gr_run_options o = {.overrides = set, .n_overrides = extra ? 12 : 11, .out = out, .no_write = !out};
    assert_ok(gr_run_open(test_write(folder, "config.yaml", "train: {epochs: 0}\n", 19), &o, run));
    gr__free(source);
}

/* How many of n pictures look like one of the two that there are: each half within 'most' of white and of black. */
static int alike(gr_model *m, int n, double most, int upper[1])
{
    static float v[64 * SIDE * SIDE];
    int good = 0;
    *upper = 0;
    assert_ok(gr_generate_pictures(m, n, 7, v));
    for (int i = 0; i < n; i++) {
        double half[2] = {0, 0};
        for (int k = 0; k < SIDE * SIDE; k++)
            half[k >= SIDE * SIDE / 2] += (double)v[i * SIDE * SIDE + k] / (SIDE * SIDE / 2);
        bool up = half[0] > 1 - most && half[1]<most, down = half[1]> 1 - most && half[0] < most;
        good += up || down;
        *upper += up;
    }
    return good;
}

static void learns(const char *model, const char *steps, const char *extra, const char *out)
{
    gr_run *run;
    gr_metric metric[4];
    gr_model *m;
    open_run(model, steps, extra, out, &run);
    assert_string_equal(gr_run_describe(run).task, "image-generation");
    assert_ok(gr_run_train(run, NULL));
    int n, upper;
    assert_ok(gr_run_evaluate(run, metric, 4, &n)); /* leaves its panels */
    gr_run_close(&run);
    assert_ok(gr_model_open(out, &m));
    int good = alike(m, 64, 0.15, &upper);
    print_message("%s: %d of 64, %d with the upper half\n", model, good, upper);
    assert_true(good >= 45);
    if (!strstr(model, "dcgan")) assert_true(upper >= 8 && good - upper >= 8); /* two pictures are few for a game */
    gr_model_free(&m);
}

static void vae_learns(void **state)
{
    (void)state;
    char out[600], path[700];
    char *page;
    size_t n;
    gr_model *m;
    gr__image image;
    snprintf(out, sizeof out, "%s/vae", folder);
    learns("model.type=vae", "train.steps=300", NULL, out);
    snprintf(path, sizeof path, "%s/report.html", out);
    assert_ok(gr_report_write(out, path, NULL));
    assert_ok(gr__file_read(path, 1 << 24, &page, &n));
    assert_non_null(strstr(page, "Nearest training pictures"));
    gr__free(page);
    assert_ok(gr_model_open(out, &m));
    snprintf(path, sizeof path, "%s/made", folder);
    if (gr_generate_files(m, 3, 1, path) != GR_ERR_UNSUPPORTED) {
        snprintf(path, sizeof path, "%s/made/0002.png", folder);
        assert_ok(gr__image_read(path, NULL, &image));
        assert_true(image.width == SIDE && image.height == SIDE && image.channels == 1);
        gr__image_release(&image);
    }
    gr_model_free(&m);
}

static void dcgan_learns(void **state)
{
    (void)state;
    char out[600];
    snprintf(out, sizeof out, "%s/dcgan", folder);
    learns("model={type: dcgan, dropout: 0}", "train.steps=400", "train.optimizer={type: adam, beta1: 0.5}", out);
}

static void autoencoder_learns(void **state)
{
    (void)state;
    gr_run *run;
    gr_metric before[4], after[4];
    int n;
    open_run("model.type=autoencoder", "train.steps=100", NULL, NULL, &run);
    assert_ok(gr_run_evaluate(run, before, 4, &n));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, after, 4, &n));
    assert_true(after[0].value < before[0].value / 10);
    gr_run_close(&run);
}

static float *copy_of(gr_run *run, const char *path, int64_t *n)
{
    gr_tensor t;
    assert_ok(gr_store_get(gr_model_store(gr_run_model(run)), path, &t));
    *n = gr_tensor_count(&t);
    float *own = gr__alloc(gr_tensor_size_bytes(&t));
    assert_non_null(own);
    memcpy(own, t.data, gr_tensor_size_bytes(&t));
    return own;
}

/* In a step each side follows its own loss and sees the other as it was: a judge that stands still, or one that learns,
 * moves the generator alike in the first step, and not in the second; the other way round too. */
static void sides_are_apart(void **state)
{
    (void)state;
    static const char *const extra[] = {NULL, "train.groups=[{match: \"judge.*\", frozen: true}]",
                                        "train.groups=[{match: \"decode.*\", frozen: true}]"};
    static const char *const path[] = {"decode.conv2.weight", "judge.conv1.weight"};
    float *w[2][3][2];
    int64_t n[2];
    for (int steps = 0; steps < 2; steps++)
        for (int e = 0; e < 3; e++) {
            gr_run *run;
            open_run("model.type=dcgan", steps ? "train.steps=2" : "train.steps=1", extra[e], NULL, &run);
            assert_ok(gr_run_train(run, NULL));
            for (int k = 0; k < 2; k++) w[steps][e][k] = copy_of(run, path[k], &n[k]);
            gr_run_close(&run);
        }
    for (int k = 0; k < 2; k++) {
        size_t bytes = (size_t)n[k] * sizeof(float);
        assert_memory_equal(w[0][0][k], w[0][k + 1 == 1 ? 1 : 2][k], bytes);     /* the other side is frozen */
        assert_memory_not_equal(w[1][0][k], w[1][k + 1 == 1 ? 1 : 2][k], bytes); /* it has moved since */
        assert_memory_not_equal(w[0][0][k], w[0][k + 1 == 1 ? 2 : 1][k], bytes); /* this side is frozen */
    }
    for (int i = 0; i < 12; i++) gr__free(w[i / 6][i / 2 % 3][i % 2]);
}

/* The penalty of the judge's slope adds its gradient to the judge's, in proportion; a bias behind all does not change a slope,
 * and the generator does not feel it. */
static void penalty_is_the_judges(void **state)
{
    (void)state;
    static const char *const extra[] = {"loss.penalty=0", "loss.penalty=20", "loss.penalty=40"},
                             *const path[] = {"decode.conv2.weight", "judge.linear.bias", "judge.conv1.weight"};
    float *w[3][3], most = 0, off = 0;
    int64_t n[3];
    for (int e = 0; e < 3; e++) {
        gr_run *run;
        open_run("model.type=dcgan", "train={steps: 1, optimizer: sgd}", extra[e], NULL, &run);
        assert_ok(gr_run_train(run, NULL));
        for (int k = 0; k < 3; k++) w[e][k] = copy_of(run, path[k], &n[k]);
        gr_run_close(&run);
    }
    for (int e = 1; e < 3; e++)
        for (int k = 0; k < 2; k++) assert_memory_equal(w[0][k], w[e][k], (size_t)n[k] * sizeof(float));
    for (int64_t i = 0; i < n[2]; i++) {
        float once = w[1][2][i] - w[0][2][i], twice = w[2][2][i] - w[0][2][i];
        most = fmaxf(most, fabsf(once));
        off = fmaxf(off, fabsf(twice - 2 * once));
    }
    print_message("a penalty of 20 moves a weight by %g at most, that of 40 by %g other than twice so far\n",
                  (double)most, (double)off);
    assert_true(most > 1e-5F && off < most / 50);
    for (int i = 0; i < 9; i++) gr__free(w[i / 3][i % 3]);
    gr_run *run; /* half the nodes in bf16 */
    open_run("model={type: dcgan, hidden: [8]}", "train={steps: 2, dtype: bf16}", "loss.penalty=1", NULL, &run);
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
}

/* The examples open and take a few steps. */
static void digits(void **state)
{
    (void)state;
    static const char *const path[] = {"examples/mnist_vae.yaml", "examples/mnist_dcgan.yaml"};
    static const char *const set[] = {"train.epochs=0", "train.steps=3", "train.batch=16", "train.eval_samples=32"};
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
    for (int i = 0; i < 2; i++) {
        gr_run *run;
        gr_run_options o = {.overrides = set, .n_overrides = 4, .no_write = true};
        assert_ok(gr_run_open(test_source(path[i]), &o, &run));
        assert_int_equal(gr_run_describe(run).samples, 57000);
        assert_int_equal(gr_run_describe(run).valid_units, 3000);
        assert_ok(gr_run_train(run, NULL));
        gr_run_close(&run);
    }
}

static void refusals(void **state)
{
    (void)state;
    gr_model *m;
    gr__arena arena = {0};
    gr__conf *conf;
    static const char text[] = "{type: lenet, height: 28, width: 28, channels: 1, classes: 3}",
                      odd[] = "{type: vae, height: 30, width: 28, channels: 1}";
    float v[784];
    assert_ok(gr__conf_parse(text, sizeof text - 1, "test.yaml", &arena, &conf));
    assert_ok(gr__model_new(conf, &(gr__facts){0}, NULL, &m));
    assert_fails(gr_generate_pictures(m, 1, 1, v), GR_ERR_UNSUPPORTED, "needs a generator, not 'lenet'");
    gr_model_free(&m);
    assert_ok(gr__conf_parse(odd, sizeof odd - 1, "test.yaml", &arena, &conf));
    assert_fails(gr__model_new(conf, &(gr__facts){0}, NULL, &m), GR_ERR_CONFIG, "cannot be halved 2 times");
    gr__arena_release(&arena);
}

static int open_folder(void **state)
{
    (void)state;
    folder = test_tmpdir();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_rmtree(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch), cmocka_unit_test(vae_learns),
        cmocka_unit_test(dcgan_learns),    cmocka_unit_test(autoencoder_learns),
        cmocka_unit_test(sides_are_apart), cmocka_unit_test(penalty_is_the_judges),
        cmocka_unit_test(digits),          cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
