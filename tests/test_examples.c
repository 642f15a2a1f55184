/* The examples do what issue and README say: each C program and each configuration, with the thresholds of the recipes.
 * The digits run for two epochs and the stories for a smaller model here; test_long_examples.c runs them whole. */
#include "tests/examples_rig.h"

#include "gradus/store.h"
#include "gradus/tools.h"

#include <math.h>

static double parameter(gr_run *run, const char *path)
{
    gr_tensor t;
    assert_ok(gr_store_get(gr_model_store(gr_run_model(run)), path, &t));
    return gr_tensor_get(&t, 0);
}

static void line_program(void **state)
{
    (void)state;
    const char *text = run_example("line");
    assert_true(fabs(number_after(text, "w = ") - 2) < 0.01);
    assert_true(fabs(number_after(text, "b = ")) < 0.01);
}

static void line_config(void **state)
{
    (void)state;
    gr_run *run = open_example("examples/line.yaml", NULL, 0, NULL);
    gr_run_plan plan = gr_run_describe(run);
    assert_int_equal(plan.steps, 1000);
    assert_int_equal(plan.batch, 4);
    assert_int_equal(plan.parameters, 2);
    metric_of(run, "loss"); /* makes the weights */
    double w = parameter(run, "net.0.weight"), b = parameter(run, "net.0.bias");
    assert_true(w >= 0 && w < 1 && b >= 0 && b < 1);
    assert_ok(gr_run_train(run, NULL));
    assert_true(fabs(parameter(run, "net.0.weight") - 2) < 0.01);
    assert_true(fabs(parameter(run, "net.0.bias")) < 0.01);
    gr_run_close(&run);
}

static void broadcast_program(void **state)
{
    (void)state;
    const char *text = run_example("broadcast");
    assert_true(number_after(text, "loss before") > 0.1);
    assert_true(number_after(text, "loss after") <= 0.077);
}

static void broadcast_config(void **state)
{
    (void)state;
    gr_run *run = open_example("examples/broadcast.yaml", NULL, 0, NULL);
    assert_int_equal(gr_run_describe(run).parameters, 10 * 10 + 10 + 10 + 1);
    assert_true(metric_of(run, "loss") > 0.1);
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") <= 0.077);
    gr_run_close(&run);
}

static void tower_program(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char command[512], path[512];
    gr_store *first, *last;
    snprintf(command, sizeof command, "tower %s", dir);
    const char *text = run_example(command);
    assert_true(number_after(text, "update   1  loss") > 0.05);
    assert_true(number_after(text, "update 100  loss") < 0.01);

    assert_ok(gr_store_new(&first));
    assert_ok(gr_store_new(&last));
    snprintf(path, sizeof path, "%s/weights-0.safetensors", dir);
    assert_ok(gr_store_load(first, path));
    snprintf(path, sizeof path, "%s/weights-100.safetensors", dir);
    assert_ok(gr_store_load(last, path));
    assert_int_equal(gr_store_count(first), 14);
    gr_tensor a, b;
    assert_ok(gr_store_get(first, "net.12.weight", &a)); /* (1, 16) */
    assert_ok(gr_store_get(last, "net.12.weight", &b));
    assert_int_equal(a.dim[1], 16);
    assert_memory_not_equal(a.data, b.data, gr_tensor_size_bytes(&a));
    gr_store_free(&first);
    gr_store_free(&last);
    test_rmtree(dir);
}

/* The run leaves a folder that opens as a model, with the weights that it trained. */
static void tower_config(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    gr_run *run = open_example("examples/tower.yaml", NULL, 0, dir);
    assert_int_equal(gr_run_describe(run).steps, 100);
    double before = metric_of(run, "loss");
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < before / 10);
    gr_model *model;
    gr_tensor trained, saved;
    assert_ok(gr_model_open(dir, &model));
    assert_ok(gr_store_get(gr_model_store(gr_run_model(run)), "net.0.weight", &trained));
    assert_ok(gr_store_get(gr_model_store(model), "net.0.weight", &saved));
    assert_memory_equal(trained.data, saved.data, gr_tensor_size_bytes(&trained));
    gr_model_free(&model);
    gr_run_close(&run);
    test_rmtree(dir);
}

static void digits(const char *config)
{
    static const char *const settings[] = {"train.epochs=2"};
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
#ifdef GRADUS_SANITIZED
    test_skip("too slow under a sanitizer");
#endif
    gr_run *run = open_example(config, settings, 1, NULL);
    gr_run_plan plan = gr_run_describe(run);
    assert_int_equal(plan.samples, 60000);
    assert_int_equal(plan.valid_units, 3000);
    assert_ok(gr_run_train(run, NULL));
    double f1 = metric_of(run, "f1");
    print_message("%s: F1 %.4f after two epochs\n", config, f1);
    assert_true(f1 >= 0.95);
    gr_run_close(&run);
}

static void digits_inverse_config(void **state)
{
    (void)state;
    digits("examples/digits_inverse.yaml");
}

static void digits_linear_config(void **state)
{
    (void)state;
    digits("examples/digits_linear.yaml");
}

/* The program itself, on a few steps. */
static void digits_program(void **state)
{
    (void)state;
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
    char command[4096];
    snprintf(command, sizeof command, "digits %s train.epochs=0 train.steps=30",
             test_source("examples/digits_linear.yaml"));
    assert_true(number_after(run_example(command), "accuracy ") > 0.5);
}

static void story_gpt_program(void **state)
{
    (void)state;
    const char *text =
        run_example("story_gpt train.epochs=0 train.steps=100 model.width=64 model.layers=2 train.lr=1e-3");
    double before = number_after(text, "before  loss "), after = number_after(text, "after   loss ");
    assert_true(before > 6 && before < 8);
    assert_true(after < before - 1);
}

static void story_gpt_config(void **state)
{
    (void)state;
    static const char *const settings[] = {"train.epochs=0", "train.steps=20", "model.width=64", "model.layers=2"};
    gr_run *run = open_example("examples/story_gpt.yaml", settings, 4, NULL);
    assert_null(gr_run_source(run));
    double before = metric_of(run, "loss");
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < before);
    gr_run_close(&run);
}

static void questions_config(void **state)
{
    (void)state;
    static const char *const settings[] = {"train.epochs=0", "train.steps=150"};
    if (!test_data("classification/trec/train.txt")) skip();
#ifdef GRADUS_SANITIZED
    test_skip("too slow under a sanitizer");
#endif
    gr_run *run = open_example("examples/questions.yaml", settings, 2, NULL);
    gr_run_plan plan = gr_run_describe(run);
    assert_int_equal(plan.samples, 5452);
    assert_int_equal(plan.valid_units, 500);
    assert_int_equal(plan.labels, 6);
    assert_ok(gr_run_train(run, NULL));
    double accuracy = metric_of(run, "accuracy");
    print_message("questions: accuracy %.3f after 150 steps\n", accuracy);
    assert_true(accuracy >= 0.4); /* the most common answer: 0.276 */
    gr_run_close(&run);
}

/* Opened with all their pictures, and a few steps. */
static void digits_lenet_config(void **state)
{
    (void)state;
    static const char *const settings[] = {"train.epochs=0", "train.steps=100", "train.eval_samples=500"};
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
#ifdef GRADUS_SANITIZED
    test_skip("too slow under a sanitizer");
#endif
    gr_run *run = open_example("examples/mnist_lenet.yaml", settings, 3, NULL);
    gr_run_plan plan = gr_run_describe(run);
    assert_int_equal(plan.samples, 60000);
    assert_int_equal(plan.valid_units, 3000);
    assert_int_equal(plan.labels, 10);
    assert_ok(gr_run_train(run, NULL));
    double accuracy = metric_of(run, "accuracy");
    print_message("mnist_lenet: accuracy %.3f after 100 steps\n", accuracy);
    assert_true(accuracy >= 0.5);
    gr_run_close(&run);
}

/* Opened with all their data, and a few steps. */
static void sequence_configs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data, *metric;
        int64_t samples;
    } cases[] = {
        {"trec_textcnn", "classification/trec/train.txt", "accuracy", 5452},
        {"mr_textcnn", "classification/mr.txt", "accuracy", 8530},
        {"sms_textcnn", "classification/sms_spam.tsv", "auc", 4460},
        {"hotels_zh_bag", "classification/chnsenticorp_htl_zh.csv", "macro_f1", 6212},
        {"etth1_dlinear", "timeseries/ETTh1.csv", "mse", 8640 - 336 - 96 + 1},
        {"airline_lstm", "timeseries/airline_passengers.csv", "rmse", 96 - 12},
        {"movielens_mf", "ratings/ml-latest-small/ratings.csv", "biases_rmse", 80669},
        {"movielens_next", "ratings/ml-latest-small/ratings.csv", "popular_ndcg10", 100836 - 2 * 610},
    };
    static const char *const settings[] = {"train.epochs=0", "train.steps=2", "train.eval_samples=64"};
    if (!test_data(cases[0].data)) skip();
#ifdef GRADUS_SANITIZED
    test_skip("too slow under a sanitizer");
#endif
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128];
        snprintf(path, sizeof path, "examples/%s.yaml", cases[i].name);
        gr_run *run = open_example(path, settings, 3, NULL);
        int64_t samples = gr_run_describe(run).samples;
        if (samples != cases[i].samples) fail_msg("%s: %lld samples", cases[i].name, (long long)samples);
        assert_ok(gr_run_train(run, NULL));
        assert_true(isfinite(metric_of(run, cases[i].metric)));
        gr_run_close(&run);
    }
}

static void penguins_config(void **state)
{
    (void)state;
    if (!test_data("tabular/penguins.csv")) skip();
    gr_run *run = open_example("examples/penguins_kmeans.yaml", NULL, 0, NULL);
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "adjusted_rand") > 0.78);
    assert_true(metric_of(run, "inertia") < 389);
    gr_run_close(&run);
}

/* Of the 3000 test digits alone: 50 directions say nearly as much as those of all 60,000 (0.816 of the test digits). */
static void components_config(void **state)
{
    (void)state;
    const char *pictures = test_data("images/mnist/t10k-first3000-images-idx3-ubyte.gz"),
               *labels = test_data("images/mnist/t10k-first3000-labels-idx1-ubyte.gz");
    if (!pictures || !labels) skip();
    char source[600], names[600];
    snprintf(source, sizeof source, "data.source=%s", pictures);
    snprintf(names, sizeof names, "data.labels=%s", labels);
    gr_run *run = open_example("examples/mnist_pca.yaml", (const char *const[]){source, names}, 2, NULL);
    assert_ok(gr_run_train(run, NULL));
    double explained = metric_of(run, "explained_variance");
    assert_true(explained > 0.815 && explained < 0.85);
    gr_run_close(&run);
}

/* ---- what the examples made necessary ---- */

static void store_files(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char path[512];
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    gr_store *a, *b;
    gr_tensor t;
    assert_ok(gr_store_new(&a));
    assert_ok(gr_store_new(&b));
    assert_ok(gr_store_add(a, "net.w", GR_F32, 2, (int64_t[]){2, 3}, &t));
    for (int i = 0; i < 6; i++) gr_tensor_set(&t, i, i);
    assert_ok(gr_store_add(a, "adam.m:net.w", GR_F32, 2, (int64_t[]){2, 3}, NULL));
    assert_ok(gr_store_save(a, "net.*", path));
    assert_fails(gr_store_save(a, "not.*", path), GR_ERR_NOT_FOUND, "not.*");
    assert_ok(gr_store_load(b, path));
    assert_int_equal(gr_store_count(b), 1);
    assert_ok(gr_store_get(b, "net.w", &t));
    assert_true(gr_tensor_get(&t, 5) == 5);
    gr_store_free(&b);
    assert_ok(gr_store_new(&b));
    assert_ok(gr_store_add(b, "net.w", GR_F32, 2, (int64_t[]){3, 2}, NULL));
    assert_fails(gr_store_load(b, path), GR_ERR_SHAPE, "net.w");
    gr_store_free(&b);
    assert_ok(gr_store_new(&b));
    assert_ok(gr_store_add(b, "net.w", GR_F64, 2, (int64_t[]){2, 3}, NULL));
    assert_fails(gr_store_load(b, path), GR_ERR_DTYPE, "net.w");
    gr_store_free(&b);
    gr_store_free(&a);
    test_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_program),          cmocka_unit_test(line_config),
        cmocka_unit_test(broadcast_program),     cmocka_unit_test(broadcast_config),
        cmocka_unit_test(tower_program),         cmocka_unit_test(tower_config),
        cmocka_unit_test(digits_inverse_config), cmocka_unit_test(digits_linear_config),
        cmocka_unit_test(digits_program),        cmocka_unit_test(story_gpt_program),
        cmocka_unit_test(story_gpt_config),      cmocka_unit_test(questions_config),
        cmocka_unit_test(digits_lenet_config),   cmocka_unit_test(sequence_configs),
        cmocka_unit_test(penguins_config),       cmocka_unit_test(components_config),
        cmocka_unit_test(store_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
