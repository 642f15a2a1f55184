/* Models for pictures against PyTorch's (tests/golden/make_vision.py), lists of layers and what is refused, and the task
 * image-classification from end to end on pictures made here. */
#include "tests/run_rig.h"

#include "base/file.h"
#include "format/idx.h"
#include "format/npy.h"
#include "format/safetensors.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/train.h"
#include "image/mix.h"
#include "model/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder; /* of this program's files */

/* ---- against PyTorch ---- */

static const struct {
    const char *name, *model;
} subjects[] = {
    {"lenet", "{type: lenet, maps: [3, 4], hidden: [10, 7]}"},
    {"basic", "{type: resnet, layers: [2, 1, 1, 1], base: 4, stem: large}"},
    {"bottleneck", "{type: resnet, layers: [1, 2], base: 3, block: bottleneck}"},
    {"vgg", "{type: vgg, layers: [1, 2], base: 4, widest: 6, pool: 2, hidden: [9], dropout: 0}"},
    {"mobilenet", "{type: mobilenet, base: 4, widths: [6, 8], strides: [1, 2]}"},
    {"vit", "{type: vit, dim: 8, layers: 2, heads: 2, hidden: 12}"},
    {"layers",
     "type: layers\nlayers:\n- {conv: 4, window: 3, stride: [1, 2]}\n- {batch_norm: true, momentum: 0.3}\n- leaky_relu\n"
     "- {residual: [{conv: 0, padding: 1, groups: 0}, batch_norm, tanh], shortcut: [{conv: 4, window: 1}]}\n"
     "- {max_pool}\n- {group_norm: 2}\n- flatten\n- {linear: 6}\n- batch_norm\n- gelu\n- linear\n"},
};

static gr__safetensors *file;

static const gr_tensor *golden(const char *name, const char *part)
{
    char key[200];
    snprintf(key, sizeof key, "%s/%s", name, part);
    const gr__stored *s = gr__safetensors_find(file, key);
    if (!s) fail_msg("no '%s'", key);
    return &s->tensor;
}

static void check(const char *name, const char *part, const gr_tensor *got, double most)
{
    const gr_tensor *want = golden(name, part);
    assert_int_equal(gr_tensor_count(got), gr_tensor_count(want));
    for (int64_t i = 0; i < gr_tensor_count(want); i++) {
        double a = gr_tensor_get(got, i), b = gr_tensor_get(want, i);
        if (!(fabs(a - b) <= most * (1 + fabs(b)))) fail_msg("%s/%s[%d]: %.9g, not %.9g", name, part, (int)i, a, b);
    }
}

static gr_status new_model(const char *text, const gr__facts *facts, gr__arena *arena, gr_model **out)
{
    gr__conf *conf;
    bool flow = *text == '{'; /* a file's root is a map of its own */
    char room[2000];
    snprintf(room, sizeof room, flow ? "model: %s\n" : "%s", text);
    GR_TRY(gr__conf_parse(room, strlen(room), "test.yaml", arena, &conf));
    return gr__model_new(flow ? gr__conf_get(conf, "model") : conf, facts, NULL, out);
}

static void copy_states(gr_model *m, const char *name, const char *part)
{
    gr_value state[256];
    int n = gr__model_states(m, state, 256);
    assert_in_range(n, 1, 256);
    assert_ok(gr_store_prepare(m->store, m->layout, 1));
    for (int i = 0; i < n; i++) {
        char key[200];
        gr_tensor t;
        snprintf(key, sizeof key, "%s/%s", part, gr_value_path(m->layout, state[i]));
        const gr_tensor *from = golden(name, key);
        assert_ok(gr_store_get(m->store, gr_value_path(m->layout, state[i]), &t));
        assert_int_equal(t.rank, from->rank);
        for (int d = 0; d < t.rank; d++) assert_int_equal(t.dim[d], from->dim[d]);
        memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
    }
    gr_store_touch(m->store);
}

static void give(gr_session *s, const char *input, const gr_tensor *from)
{
    gr_tensor t;
    assert_ok(gr_session_input(s, input, &t));
    assert_int_equal(gr_tensor_count(&t), gr_tensor_count(from));
    memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
}

/* Logits as in evaluation. */
static void check_logits(gr_model *m, const char *name, const char *part)
{
    gr_graph *g;
    gr_plan *plan;
    gr_session *s;
    gr_picture_values v;
    gr_tensor t;
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_build_picture(m, g, golden(name, "x")->dim[0], false, NULL, &v));
    gr_output(g, "eval", "logits", v.logits);
    assert_ok(gr_plan_compile(g, "eval", NULL, &plan));
    assert_ok(gr_session_new(plan, m->store, &s));
    give(s, "pictures", golden(name, "x"));
    assert_ok(gr_session_run(s));
    assert_ok(gr_session_output(s, "logits", &t));
    check(name, part, &t, 2e-5);
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_graph_free(&g);
}

/* The gradients of the first step, and three steps of SGD with their running statistics. */
static void check_training(gr_model *m, const char *name)
{
    gr_graph *g;
    gr_plan *plan[2];
    gr_session *s[2];
    gr_picture_values v;
    gr_tensor t;
    gr_value p[128], dp[128];
    int64_t batch = golden(name, "x")->dim[0];
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_build_picture(m, g, batch, true, "step", &v));
    gr_loss loss = gr_loss_cross_entropy(g, v.logits, gr_input(g, "targets", GR_I32, 1, &batch), NULL);
    int n = gr_graph_params(g, p, 128);
    assert_in_range(n, 1, 128);
    assert_ok(gr_grad(g, loss.sum, p, n, dp));
    for (int i = 0; i < n; i++) gr_output(g, "look", gr_value_path(g, p[i]), gr_div(g, dp[i], loss.weight));
    gr_optimizer_options o = {.base = {.learning_rate = 0.05}, .weight = loss.weight};
    assert_ok(gr_optimizer_apply(g, "step", p, dp, n, &o, NULL));
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));
    for (int i = 0; i < 2; i++) {
        assert_ok(gr_plan_compile(g, i ? "step" : "look", NULL, &plan[i]));
        assert_ok(gr_session_new(plan[i], m->store, &s[i]));
        give(s[i], "pictures", golden(name, "x"));
        give(s[i], "targets", golden(name, "targets"));
    }
    assert_ok(gr_session_run(s[0]));
    for (int i = 0; i < n; i++) {
        char key[200];
        snprintf(key, sizeof key, "grad/%s", gr_value_path(g, p[i]));
        assert_ok(gr_session_output(s[0], gr_value_path(g, p[i]), &t));
        check(name, key, &t, 2e-5);
    }
    for (int i = 0; i < 3; i++) {
        gr_session_set_control(s[1], &(gr_run_control){.update = i, .learning_rate = 0.05});
        assert_ok(gr_session_run(s[1]));
        assert_ok(gr_session_output(s[1], "loss", &t));
        double want = gr_tensor_get(golden(name, "losses"), i);
        assert_true(fabs(gr_tensor_get(&t, 0) - want) < 1e-4 * want);
    }
    for (int i = 0; i < 2; i++) {
        gr_session_free(&s[i]);
        gr_plan_free(&plan[i]);
    }
    gr_graph_free(&g);
}

static void check_end(const gr_model *m, const char *name)
{
    size_t running = 0;
    for (size_t i = 0; i < gr__safetensors_count(file); i++) {
        const char *key = gr__safetensors_at(file, i)->name, *state;
        char begin[100];
        gr_tensor t;
        snprintf(begin, sizeof begin, "%s/end/", name);
        if (strncmp(key, begin, strlen(begin)) != 0) continue;
        state = key + strlen(begin);
        assert_ok(gr_store_get(m->store, state, &t));
        check(name, key + strlen(name) + 1, &t, 1e-4);
        running += strstr(state, "running_") != NULL;
    }
    assert_true(strcmp(name, "lenet") == 0 || strcmp(name, "vit") == 0 ? running == 0 : running >= 6);
}

/* Also after it was written and opened again. */
static void models_are_pytorchs(void **state)
{
    (void)state;
    assert_ok(gr__safetensors_open(test_source("tests/golden/vision.safetensors"), &file));
    for (size_t i = 0; i < GR__COUNT(subjects); i++) {
        const char *name = subjects[i].name;
        const gr_tensor *x = golden(name, "x");
        gr__arena arena = {0};
        gr_model *m;
        char path[300];
        gr__facts facts = {.height = x->dim[1], .width = x->dim[2], .channels = x->dim[3]};
        static const char *five[] = {"a", "b", "c", "d", "e"};
        facts.labels = (gr__conf_strings){five, 5};
        assert_ok(new_model(subjects[i].model, &facts, &arena, &m));
        gr__arena_release(&arena); /* nothing of the file is needed any more */
        copy_states(m, name, "begin");
        check_logits(m, name, "logits");
        check_training(m, name);
        check_end(m, name);
        check_logits(m, name, "end_logits");
        snprintf(path, sizeof path, "%s/%s", folder, name);
        assert_ok(gr_model_save(m, path));
        gr_model_free(&m);
        assert_ok(gr_model_open(path, &m));
        check_logits(m, name, "end_logits");
        assert_string_equal(gr_model_label(m, 4), "e");
        assert_int_equal(gr_model_describe(m).height, x->dim[1]);
        gr_model_free(&m);
    }
    gr__safetensors_close(&file);
}

/* torchvision's numbers of parameters. */
static void sizes_are_torchvisions(void **state)
{
    (void)state;
    static const struct {
        int depth, edge;
        int64_t classes, parameters;
    } cases[] = {{18, 224, 1000, 11689512}, {34, 224, 1000, 21797672}, {50, 224, 1000, 25557032}, {20, 32, 10, 272474}};
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr__arena arena = {0};
        gr_model *m;
        char text[100];
        snprintf(text, sizeof text, "{type: resnet, depth: %d, classes: %d}", cases[i].depth, (int)cases[i].classes);
        assert_ok(
            new_model(text, &(gr__facts){.height = cases[i].edge, .width = cases[i].edge, .channels = 3}, &arena, &m));
        assert_int_equal(gr_model_describe(m).parameters, cases[i].parameters);
        gr_model_free(&m);
        gr__arena_release(&arena);
    }
}

/* A network that others trained, as a list of layers. */
static void mnist_cnn_is_burns(void **state)
{
    (void)state;
    const char *weights = test_data("models/mnist-cnn/mnist.safetensors"),
               *answers = test_data("models/mnist-cnn/reference_safetensors.npy"),
               *digits = test_data("images/mnist/t10k-first3000-images-idx3-ubyte.gz");
    if (!weights || !answers || !digits) skip();
    static const char *const names[][2] = {{"0", "conv1"}, {"2", "conv2"}, {"4", "conv3"}, {"6", "norm1"},
                                           {"8", "fc1"},   {"10", "fc2"},  {"11", "norm2"}};
    gr__arena arena = {0};
    gr_model *m;
    gr_tensor x, want, in, out;
    gr_graph *g;
    gr_plan *plan;
    gr_session *s;
    gr_picture_values v;
    gr_value states[64];
    assert_ok(new_model("{type: layers, classes: 10, layers: [{conv: 8}, relu, {conv: 16}, relu, {conv: 24}, relu, "
                        "batch_norm, flatten, {linear: 32}, relu, linear, batch_norm]}",
                        &(gr__facts){.height = 28, .width = 28, .channels = 1}, &arena, &m));
    assert_ok(gr__safetensors_open(weights, &file));
    assert_ok(gr_store_prepare(m->store, m->layout, 1));
    int n = gr__model_states(m, states, 64), taken = 0;
    assert_int_equal(n, 18);
    for (int i = 0; i < n; i++) {
        const char *path = gr_value_path(m->layout, states[i]), *dot = strchr(path, '.');
        for (size_t k = 0; k < GR__COUNT(names); k++) {
            char key[100];
            if (strncmp(path, names[k][0], (size_t)(dot - path)) != 0 || strlen(names[k][0]) != (size_t)(dot - path))
                continue;
            snprintf(key, sizeof key, "%s%s", names[k][1], dot);
            const gr__stored *stored = gr__safetensors_find(file, key);
            assert_non_null(stored);
            assert_ok(gr_store_get(m->store, path, &in));
            assert_int_equal(gr_tensor_count(&in), gr_tensor_count(&stored->tensor));
            memcpy(in.data, stored->tensor.data, gr_tensor_size_bytes(&in));
            taken++;
        }
    }
    assert_int_equal(taken, 18);
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_build_picture(m, g, 100, false, NULL, &v));
    gr_output(g, "look", "all", gr_log_softmax(g, v.logits));
    assert_ok(gr_plan_compile(g, "look", NULL, &plan));
    assert_ok(gr_session_new(plan, m->store, &s));
    assert_ok(gr_session_input(s, "pictures", &in));
    assert_ok(gr__idx_read(digits, &x));
    for (int64_t i = 0; i < gr_tensor_count(&in); i++)
        ((float *)in.data)[i] = ((float)((uint8_t *)x.data)[i] / 255 - 0.1307f) / 0.3081f;
    assert_ok(gr_session_run(s));
    assert_ok(gr_session_output(s, "all", &out));
    assert_ok(gr__npy_read(answers, &want));
    for (int64_t i = 0; i < 1000; i++)
        assert_true(fabs(gr_tensor_get(&out, i) - gr_tensor_get(&want, i)) <=
                    1e-4 * (1 + fabs(gr_tensor_get(&want, i))));
    gr__free(x.data);
    gr__free(want.data);
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    gr_model_free(&m);
    gr__safetensors_close(&file);
    gr__arena_release(&arena);
}

/* ---- lists of layers ---- */

static void wrong_lists_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *list, *part;
    } cases[] = {
        {"[{cov: 3}, linear]", "unknown layer 'cov'; did you mean 'conv'?"},
        {"[{conv: 3, windw: 2}, flatten, linear]", "did you mean 'window'?"},
        {"[{conv: 3, window: 9}, flatten, linear]", "this layer gets [8,6,3]"},
        {"[linear]", "put 'flatten' or 'global_avg_pool' before it"},
        {"[flatten, {conv: 3}, linear]", "'conv' wants pictures, not rows of numbers"},
        {"[flatten, {linear: 3}]", "the last layer gives [3], but 4 numbers are wanted, one for each label"},
        {"[{conv: 4}]", "but 4 numbers are wanted"},
        {"[{residual: [{conv: 5, padding: 1}]}, flatten, linear]",
         "the body gives [8,6,5], the shortcut [8,6,3]; give"},
        {"[{residual: relu}, flatten, linear]", "a list of layers is needed"},
        {"[{conv: 3, window: [1, 2, 3]}, flatten, linear]", "'window' is one number, or two"},
        {"[{relu: false}, flatten, linear]", "leave the layer out"},
        {"[{dropout: 1}, flatten, linear]", "test.yaml:1:"},
        {"[[relu], flatten, linear]", "a layer is a name, or a map"},
        {"[]", "a list of layers is needed"},
        {"relu", "a list of layers is needed"},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr__arena arena = {0};
        gr_model *m = NULL;
        char text[300];
        snprintf(text, sizeof text, "{type: layers, classes: 4, layers: %s}", cases[i].list);
        gr__facts facts = {.height = 8, .width = 6, .channels = 3};
        assert_fails(new_model(text, &facts, &arena, &m), GR_ERR_CONFIG, cases[i].part);
        assert_non_null(strstr(gr_message(), "test.yaml:1:"));
        assert_null(m);
        gr__arena_release(&arena);
    }
}

/* ---- from end to end ---- */

enum { EACH = 12, EDGE = 8 };

/* Class 'bright' has a light middle, 'dark' a dark one, 'edge' a light rim; noise from the number. */
static void write_picture(const char *class, int k)
{
    char name[100], bytes[32 + 3 * EDGE * EDGE];
    int n = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", EDGE, EDGE);
    for (int y = 0; y < EDGE; y++)
        for (int x = 0; x < EDGE; x++)
            for (int c = 0; c < 3; c++) {
                bool middle = x > 1 && x < 6 && y > 1 && y < 6;
                int v = *class == 'b'   ? (middle ? 200 : 100)
                        : *class == 'd' ? (middle ? 20 : 100)
                                        : (middle ? 100 : 200);
                bytes[n++] = (char)(v + (k * 31 + x * 7 + y * 13 + c * 5) % 23);
            }
    snprintf(name, sizeof name, "pictures/%s/%02d.ppm", class, k);
    test_write(folder, name, bytes, (size_t)n);
}

static const char *pictures(void)
{
    static const char *const classes[] = {"bright", "dark", "edge"};
    static char path[300];
    for (int c = 0; c < 3; c++) {
        snprintf(path, sizeof path, "%s/pictures/%s", folder, classes[c]);
        assert_ok(gr__dir_make(path));
        for (int k = 0; k < EACH; k++) write_picture(classes[c], k);
    }
    snprintf(path, sizeof path, "data.source=%s/pictures", folder);
    return path;
}

static const char *const tiny[] = {
    "task=image-classification",
    ("model={type: layers, layers: [{conv: 4, padding: 1}, batch_norm, relu, {max_pool: 2}, "
     "flatten, {dropout: 0.1}, linear]}"),
    "data.augment={flip: 0.5, shift: 1, brightness: 0.1}",
    "data.valid=0.25",
    "train.batch=8",
    "train.steps=40",
    "train.lr=0.01",
    "train.seed=3",
    "train.eval_every=10"};
enum { N_TINY = GR__COUNT(tiny) };

static gr_status open_with(const char *a, const char *b, const char *out, gr_run **run)
{
    static char config[4200];
    const char *set[N_TINY + 2];
    int n = 0;
    for (; n < N_TINY; n++) set[n] = tiny[n];
    if (a) set[n++] = a;
    if (b) set[n++] = b;
    *run = NULL;
    snprintf(config, sizeof config, "%s", test_write(folder, "empty.yaml", "out: none\n", 10));
    gr_run_options o = {.overrides = set, .n_overrides = n, .out = out, .no_write = out == NULL};
    return gr_run_open(config, &o, run);
}

static void learns_and_predicts(void **state)
{
    (void)state;
    gr_run *run;
    gr_model *m;
    char out[300], path[2][300];
    float score[2 * 3];
    snprintf(out, sizeof out, "%s/run", folder);
    assert_ok(open_with(pictures(), NULL, out, &run));
    assert_int_equal(gr_run_describe(run).samples, 27);
    assert_int_equal(gr_run_describe(run).valid_units, 9); /* a quarter of each class */
    double before = metric_of(run, "loss");
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < 0.5 * before);
    assert_true(metric_of(run, "accuracy") == 1);
    assert_true(metric_of(run, "macro_f1") == 1);
    gr_run_close(&run);
    assert_ok(gr_model_open(out, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_PICTURE);
    snprintf(path[0], sizeof path[0], "%s/pictures/edge/03.ppm", folder);
    snprintf(path[1], sizeof path[1], "%s/pictures/dark/05.ppm", folder);
    const char *two[] = {path[0], path[1]}, *none[] = {path[0], "/no/such.png"};
    assert_ok(gr_classify_pictures(m, two, 2, &(gr_classify_options){.batch = 1}, score));
    assert_string_equal(gr_model_label(m, 2), "edge");
    assert_true(score[2] > 0.5f && score[3 + 1] > 0.5f);
    assert_true(fabsf(score[0] + score[1] + score[2] - 1) < 1e-5f);
    assert_fails(gr_classify_pictures(m, none, 2, NULL, score), GR_ERR_NOT_FOUND, "/no/such.png");
    gr_model_free(&m);
}

/* What is called wrong is seen, with its file's name. */
static void mistakes_are_shown(void **state)
{
    (void)state;
    gr_run *run;
    gr__str png = {0};
    char out[300];
    size_t n;
    snprintf(out, sizeof out, "%s/early", folder);
    assert_ok(open_with(pictures(), "train.steps=1", out, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "accuracy") < 1);
    gr_run_close(&run);
    char *page = read_all(out, "evaluation.html", &n);
    const char *at = strstr(page, "The surest mistakes");
    assert_non_null(at);
    assert_non_null(strstr(at, ".ppm</td>"));
    bool draws = gr__png_encode(&(gr__image){1, 1, 1, 8, (uint8_t[]){0}}, "a dot", &png) == GR_OK;
    gr__str_release(&png);
    if (draws) assert_non_null(strstr(at, "<tr><td><img class=\"dots\" width=\"96\" alt=\""));
    gr_text_free(page);
}

static bool stop_soon(void *user) { return ++*(int *)user % 7 == 0; }

static char *weights_of(const char *out, size_t *n)
{
    char path[1000], *bytes;
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_ok(gr__file_read(path, 1 << 24, &bytes, n));
    return bytes;
}

/* Decoded once or anew for each batch, straight or stopped after every 7 steps: the same bits. */
/* Shares of the drawn distribution, pixels of both pictures in pairs, labels that follow. */
static void mixtures(void **state)
{
    (void)state;
    enum { SIDE = 10, N = SIDE * SIDE, TIMES = 4000 };
    for (int cut = 0; cut < 2; cut++) {
        double sum = 0, squares = 0;
        for (uint64_t i = 0; i < TIMES; i++) {
            gr__rng r = gr__rng_make(4, i);
            float a[N], b[N];
            double own = 0;
            for (int k = 0; k < N; k++) a[k] = 1, b[k] = 0;
            double share = gr__mix_pair(&r, cut ? 0 : 0.4, cut ? 0.4 : 0, SIDE, SIDE, 1, a, b);
            for (int k = 0; k < N; k++) {
                assert_true(fabsf(a[k] + b[k] - 1) < 1e-6f && (!cut || a[k] == 0 || a[k] == 1));
                own += (double)a[k] / N;
            }
            assert_true(fabs(own - share) < 1e-5);
            sum += share, squares += share * share;
        }
        double mean = sum / TIMES, variance = squares / TIMES - mean * mean;
        if (!cut) assert_true(fabs(mean - 0.5) < 0.03 && fabs(variance - 0.25 / 1.8) < 0.01); /* of Beta(0.4, 0.4) */
    }
    gr_run *run;
    assert_ok(open_with(pictures(), "data.augment={mixup: 0.2, cutmix: 0.2}", NULL, &run));
    double before = metric_of(run, "loss");
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < 0.8 * before);
    gr_run_close(&run);
}

static void resumes_bit_for_bit(void **state)
{
    (void)state;
    static const char *const ways[] = {NULL, "data.cache_mib=0", NULL};
    char out[3][300], *bytes[3];
    size_t n[3];
    for (int i = 0; i < 3; i++) {
        gr_run *run;
        int steps = 0, times = 0;
        gr_status status;
        snprintf(out[i], sizeof out[i], "%s/way%d", folder, i);
        do {
            assert_ok(open_with(pictures(), ways[i], out[i], &run));
            status = gr_run_train(run, i == 2 ? &(gr_train_hooks){.user = &steps, .stop = stop_soon} : NULL);
            gr_run_close(&run);
        } while (status == GR_ERR_STOPPED && ++times < 10);
        assert_ok(status);
        assert_true(i == 2 ? times >= 5 : times == 0); /* validations ask too */
        bytes[i] = weights_of(out[i], &n[i]);
        assert_int_equal(n[i], n[0]);
        assert_memory_equal(bytes[i], bytes[0], n[0]);
    }
    for (int i = 0; i < 3; i++) gr__free(bytes[i]);
}

static void keep_text(void *user, gr_log_level level, const char *line)
{
    (void)level;
    snprintf(user, 1000, "%.999s", line); /* the last one */
}

static void bad_pictures_are_told_or_left_out(void **state)
{
    (void)state;
    gr_run *run;
    const char *source = pictures();
    char bad[300];
    test_write(folder, "pictures/dark/bad.ppm", "P6 8 8 255\nabc", 14);
    assert_fails(open_with(source, NULL, NULL, &run), GR_ERR_CORRUPT, "dark/bad.ppm");
    assert_ok(open_with(source, "data.skip_bad=true", NULL, &run));
    gr_run_plan p = gr_run_describe(run);
    assert_int_equal(p.samples + p.valid_units, 3 * EACH);
    gr_run_close(&run);
    snprintf(bad, sizeof bad, "%s/pictures/dark/bad.ppm", folder);
    assert_int_equal(unlink(bad), 0);
    /* what is left is judged as if the rest had never been there */
    char where[400], told[1000] = "";
    static const char *const folders[] = {"one/a", "one/b"};
    for (int i = 0; i < 2; i++) {
        snprintf(bad, sizeof bad, "%s/%s", folder, folders[i]);
        assert_ok(gr__dir_make(bad));
    }
    for (int i = 0; i < 8; i++) {
        snprintf(bad, sizeof bad, "one/a/%d.ppm", i);
        test_write(folder, bad, "P6 2 2 255\nabcdefghijkl", 23);
    }
    test_write(folder, "one/b/bad.ppm", "", 0);
    snprintf(where, sizeof where, "data.source=%s/one", folder);
    assert_fails(open_with(where, "data.skip_bad=true", NULL, &run), GR_ERR_DATA,
                 "all 8 pictures that can be read have the class 'a'; there is nothing to tell apart");
    snprintf(bad, sizeof bad, "%s/one/c", folder);
    assert_ok(gr__dir_make(bad));
    test_write(folder, "one/c/0.ppm", "P6 2 2 255\nabcdefghijkk", 23);
    gr_set_log(keep_text, told, GR_LOG_WARNING);
    assert_ok(open_with(where, "data.skip_bad=true", NULL, &run));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    gr_run_close(&run);
    assert_non_null(strstr(told, "/one': the class 'b' has no pictures that can be read"));
    test_write(folder, "one/c/0.ppm", "", 0);
    for (int i = 0; i < 8; i++) {
        snprintf(bad, sizeof bad, "one/a/%d.ppm", i);
        test_write(folder, bad, "", 0);
    }
    assert_fails(open_with(where, "data.skip_bad=true", NULL, &run), GR_ERR_DATA,
                 "all 10 pictures were left out; the first: cannot load '");
}

static void pictures_in_both_parts_are_told(void **state)
{
    (void)state;
    static const char ppm[] = "P6 2 2 255\n0123456789ab", other[] = "P3 2 2 255\n48 49 50 51 52 53 54 55 56 57 97 98\n";
    gr_run *run;
    char path[300], source[400], valid[400];
    snprintf(source, sizeof source, "%s", pictures());
    snprintf(path, sizeof path, "%s/held/bright", folder);
    assert_ok(gr__dir_make(path));
    test_write(folder, "held/bright/p.ppm", other, sizeof other - 1); /* other bytes of the same pixels */
    snprintf(valid, sizeof valid, "data.valid_source=%s/held", folder);
    assert_ok(open_with(source, valid, NULL, &run));
    assert_null(gr_run_report(run));
    gr_run_close(&run);
    test_write(folder, "pictures/dark/99.ppm", ppm, sizeof ppm - 1);
    assert_ok(open_with(source, valid, NULL, &run));
    snprintf(path, sizeof path, "%s/pictures/dark/99.ppm", folder);
    assert_ok(gr__file_remove(path));
    assert_non_null(gr_run_report(run));
    assert_non_null(strstr(gr_run_report(run),
                           "note: 1 picture of the validation part stands in the training part too, "
                           "the first: 'bright/p.ppm' of '"));
    assert_non_null(strstr(gr_run_report(run), "' is 'dark/99.ppm' of '"));
    gr_run_close(&run);
}

static void wrong_configurations_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *set, *part;
        gr_status status;
    } cases[] = {
        {"model=gpt", "'gpt' does not look at pictures", GR_ERR_CONFIG},
        {"model={type: lenet, height: 9}", "'height' is 9, but the data have 8; data.size resizes", GR_ERR_CONFIG},
        {"model={type: resnet, depth: 19}", "'depth: 19' is not known", GR_ERR_CONFIG},
        {"data.channels=2", "'data.channels' is 1 or 3", GR_ERR_CONFIG},
        {"data.mean=[0.5]", "need 3 numbers", GR_ERR_CONFIG},
        {"data.augment.flop=1", "did you mean 'flip'", GR_ERR_CONFIG},
        {"data.augment.area_max=0.01", "'area_max' is below 'area_min'", GR_ERR_CONFIG},
        {"data.source=/no/such/folder", "/no/such/folder", GR_ERR_NOT_FOUND},
    };
    gr_run *run;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        assert_fails(open_with(pictures(), cases[i].set, NULL, &run), cases[i].status, cases[i].part);
        assert_null(run);
    }
}

/* The family 'layers' on rows of numbers. */
static void layers_take_rows(void **state)
{
    (void)state;
    static const char *const set[] = {"task=vector",
                                      "data={source: random, rows: 64, inputs: 3, outputs: 2, targets: normal}",
                                      "model={type: layers, layers: [{linear: 16}, batch_norm, tanh, linear]}",
                                      "train={steps: 60, batch: 16, lr: 0.02, seed: 1}", "data.valid=0"};
    gr_run *run;
    gr_model *m;
    char out[300];
    snprintf(out, sizeof out, "%s/rows", folder);
    const char *config = test_write(folder, "rows.yaml", "out: none\n", 10);
    assert_ok(gr_run_open(config, &(gr_run_options){.overrides = set, .n_overrides = 5, .out = out}, &run));
    double before = metric_of(run, "loss");
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < 0.9 * before);
    gr_run_close(&run);
    assert_ok(gr_model_open(out, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_VECTOR);
    gr_model_free(&m);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_pytorchs),
        cmocka_unit_test(sizes_are_torchvisions),
        cmocka_unit_test(mnist_cnn_is_burns),
        cmocka_unit_test(wrong_lists_are_told),
        cmocka_unit_test(learns_and_predicts),
        cmocka_unit_test(mistakes_are_shown),
        cmocka_unit_test(mixtures),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(bad_pictures_are_told_or_left_out),
        cmocka_unit_test(pictures_in_both_parts_are_told),
        cmocka_unit_test(wrong_configurations_are_told),
        cmocka_unit_test(layers_take_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
