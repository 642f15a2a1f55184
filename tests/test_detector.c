/* The detector against PyTorch (tests/golden/make_detector.py), what its task does to boxes, and the task from end to end on
 * pictures made here; a few steps on real pictures. */
#include "tests/rig.h"
#include "tests/run_rig.h"

#include "gradus/metric.h"
#include "gradus/nn.h"
#include "gradus/train.h"
#include "image/augment.h"
#include "model/family.h"
#include "task/assign.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *folder; /* of this program's files */

/* ---- against PyTorch ---- */

static gr_model *new_model(gr__arena *arena)
{
    static const char text[] = "{type: detector, height: 23, width: 30, channels: 3, classes: 3, base: 4, widest: 10, "
                               "layers: [1, 0, 1], stride: 8, neck: 6, depth: 1}";
    gr__conf *conf;
    gr_model *m;
    assert_ok(gr__conf_parse(text, sizeof text - 1, "test.yaml", arena, &conf));
    assert_ok(gr__model_new(conf, &(gr__facts){0}, NULL, &m));
    return m;
}

static void matches_pytorch(void **state)
{
    (void)state;
    gr__safetensors *file;
    gr__arena arena = {0};
    gr_value p[64], dp[64];
    char key[200];
    assert_ok(gr__safetensors_open(test_source("tests/golden/detector.safetensors"), &file));
    gr_model *m = new_model(&arena);
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
    for (int train = 0; train < 2; train++) {
        gr_graph *g;
        gr_plan *plan;
        gr_session *s;
        gr_detector_values v;
        gr_tensor t;
        assert_ok(gr_graph_new(&g));
        assert_ok(gr_model_build_detector(m, g, 2, train, NULL, &v));
        gr_output(g, "look", "logits", v.logits);
        gr_output(g, "look", "boxes", v.boxes);
        if (train) {
            gr_value sum = gr_add(g, gr_sum(g, gr_mul(g, v.logits, gr_constant(g, golden(file, "a"))), 0, false),
                                  gr_sum(g, gr_mul(g, v.boxes, gr_constant(g, golden(file, "b"))), 0, false));
            n = gr_graph_params(g, p, 64);
            assert_ok(gr_grad(g, sum, p, n, dp));
            for (int i = 0; i < n; i++) gr_output(g, "look", gr_value_path(g, p[i]), dp[i]);
        }
        assert_ok(gr_plan_compile(g, "look", NULL, &plan));
        assert_ok(gr_session_new(plan, m->store, &s));
        assert_ok(gr_session_input(s, "pictures", &t));
        memcpy(t.data, golden(file, "x")->data, gr_tensor_size_bytes(&t));
        assert_ok(gr_session_run(s));
        for (int i = 0; i < (train ? n : 2); i++) {
            const char *name = train ? gr_value_path(g, p[i]) : i ? "boxes" : "logits";
            snprintf(key, sizeof key, "%s%s", train ? "grad/" : "", name);
            assert_ok(gr_session_output(s, name, &t));
            assert_near(key, t.data, golden(file, key), 2e-4);
        }
        gr_session_free(&s);
        gr_plan_free(&plan);
        gr_graph_free(&g);
    }
    gr_model_free(&m);
    gr__arena_release(&arena);
    gr__safetensors_close(&file);
}

/* ---- boxes ---- */

static void suppress(void **state)
{
    (void)state;
    gr_detection found[] = {
        {{0, 0, 10, 10}, 0, 0.6},  {{1, 0, 10, 10}, 0, 0.9},  {{1, 0, 10, 10}, 1, 0.3},
        {{20, 0, 10, 10}, 0, 0.5}, {{20, 6, 10, 10}, 0, 0.4}, {{20, 2, 10, 10}, 0, 0.2},
    };
    assert_int_equal(gr_box_suppress(found, 6, 0.5, 0), 4);
    assert_true(found[0].score == 0.9 && found[1].score == 0.5 && found[2].score == 0.4 && found[3].score == 0.3);
    assert_int_equal(gr_box_suppress(found, 4, 0.1, 2), 2); /* 0.4 overlaps 0.5 by a quarter */
    assert_true(found[0].score == 0.9 && found[1].category == 0 && found[1].box.y == 0);
    assert_int_equal(gr_box_suppress(NULL, 0, 0.5, 0), 0);
}

static void assign(void **state)
{
    (void)state;
    enum { H = 4, W = 5, L = H * W };
    int32_t label[L];
    float box[4 * L], counts[L];
    const gr__assigned to = {label, box, counts};
    const gr__box boxes[] = {
        {.x0 = 0, .y0 = 0, .x1 = 40, .y1 = 32, .class_index = 1},
        {.x0 = 17, .y0 = 9, .x1 = 23, .y1 = 15, .class_index = 2}, /* less than a stride, in the middle */
        {.x0 = 0, .y0 = 24, .x1 = 10, .y1 = 32, .class_index = 0, .difficult = true},
    };
    gr__assign(boxes, 3, H, W, 8, 1, &to);
    for (int i = 0; i < L; i++) {
        int x = i % W, y = i / W;
        bool large = x >= 1 && x <= 3 && y >= 1 && y <= 2, small = x == 2 && y == 1;
        assert_int_equal(label[i], small ? 2 : large ? 1 : -1);
        assert_true(counts[i] == (y == 3 && x == 0 ? 0 : 1));
        assert_true(box[4 * i + 2] == (small ? 23 : large ? 40 : 0));
    }
}

/* A white rectangle goes where 'moved' says. */
static void moved(void **state)
{
    (void)state;
    enum { W = 40, H = 30 };
    uint8_t pixels[H * W] = {0};
    gr__image in = {W, H, 1, 8, pixels}, out;
    const gr__augment_options o = {.scale_least = 0.6,
                                   .scale_most = 1.5,
                                   .flip_x = 0.5,
                                   .flip_y = 0.5,
                                   .padding = 3,
                                   .width = W,
                                   .height = H,
                                   .filter = GR__BILINEAR};
    for (int y = 10; y < 20; y++) memset(pixels + y * W + 12, 255, 12);
    for (uint64_t i = 0; i < 40; i++) {
        gr__moved m;
        assert_ok(gr__image_augment(&in, &o, 5, 0, i, &m, &out));
        double sum = 0, x = 0, y = 0;
        for (int k = 0; k < H * W; k++) {
            double v = ((uint8_t *)out.pixels)[k];
            sum += v, x += v * (k % W + 0.5), y += v * (k / W + 0.5);
        }
        if (sum > 255 * 118 * fabs(m.scale_x * m.scale_y)) { /* all of it is there */
            assert_close(x / sum, 18 * m.scale_x + m.shift_x, 0.6);
            assert_close(y / sum, 15 * m.scale_y + m.shift_y, 0.6);
        }
        gr__image_release(&out);
    }
}

/* ---- the task ---- */

enum { SIDE = 48, PICTURES = 24 };

/* Picture i: a red and a blue square on gray, the annotation beside it; odd: what is written as xmax of the first. */
static void write_picture(int i, const char *odd)
{
    char name[64], text[2000];
    unsigned char file[64 + 3 * SIDE * SIDE];
    int n = snprintf((char *)file, 64, "P6 %d %d 255\n", SIDE, SIDE), length;
    unsigned char *p = file + n;
    memset(p, 120, 3 * SIDE * SIDE);
    length = snprintf(text, sizeof text, "<annotation>\n<filename>p%d.ppm</filename>\n", i);
    for (int k = 0; k < 2; k++) {
        int edge = 10 + (i * 7 + k * 5) % 7, x = (i * 11 + k * 5) % (SIDE - edge), y = k * 24 + (i * 5) % (24 - edge);
        for (int a = 0; a < edge * edge; a++) {
            unsigned char *at = p + 3 * ((y + a / edge) * SIDE + x + a % edge);
            at[0] = k ? 20 : 230, at[1] = 30, at[2] = k ? 230 : 20;
        }
        char end[16];
        snprintf(end, sizeof end, "%d", x + edge);
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "<object>\n<name>%s</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%s</xmax>"
                           "<ymax>%d</ymax></bndbox>\n</object>\n",
                           k ? "blue" : "red", x, y, odd && k == 0 ? odd : end, y + edge);
    }
    length += snprintf(text + length, sizeof text - (size_t)length, "</annotation>\n");
    snprintf(name, sizeof name, "JPEGImages/p%d.ppm", i);
    test_write(folder, name, file, (size_t)n + 3 * SIDE * SIDE);
    snprintf(name, sizeof name, "Annotations/p%d.xml", i);
    test_write(folder, name, text, (size_t)length);
}

static gr_status open_run(const char *out, const char *extra, gr_run **run)
{
    char source[600];
    snprintf(source, sizeof source, "data.source=%s", folder);
    const char *set[] = {"task=object-detection", source,
                         "model.layers=[1, 1]",   "model.base=8",
                         "model.neck=16",         "train.batch=8",
                         "train.epochs=40",       "train.lr=5e-3",
                         "train.seed=3",          "data.augment.flip=0.5",
                         "train.eval_every=1000", extra};
    const char *path = test_write(folder, "config.yaml", "{}\n", 3);
    gr_run_options o = {.overrides = set, .n_overrides = extra ? 12 : 11, .out = out, .no_write = !out};
    return gr_run_open(path, &o, run);
}

static double metric(gr_run *run, const char *name)
{
    gr_metric m[16];
    int n;
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return m[i].value;
    fail_msg("no metric '%s'", name);
    return NAN;
}

typedef struct seen {
    int n[2];
    double worst;
} seen;

static void count_boxes(void *user, int64_t picture, const gr_detection *found, size_t n)
{
    seen *s = user;
    (void)picture;
    for (size_t i = 0; i < n; i++) {
        bool sure = found[i].score >= 0.5; /* a weaker one more depends on the last bits of the training */
        s->n[found[i].category] += sure;
        s->worst = fmin(s->worst, found[i].score);
    }
}

/* Before anything is written: not over a picture that was given, whatever its name, and not over another drawing. */
static void draws_over_nothing(gr_model *m)
{
    char own[800], other[800], inside[700], link[800];
    seen s = {.worst = 1};
    snprintf(inside, sizeof inside, "%s/JPEGImages", folder);
    snprintf(own, sizeof own, "%s/p1.png", inside);
    snprintf(other, sizeof other, "%s/p1.ppm", inside);
    snprintf(link, sizeof link, "%s/p1.ppm", folder);
    assert_int_equal(symlink(other, own) | symlink(other, link), 0);
    gr_detect_options o = {.draw = inside};
    assert_fails(gr_detect_pictures(m, (const char *[]){other}, 1, &o, count_boxes, &s), GR_ERR_CONFIG,
                 "would overwrite the picture");
    o.draw = folder;
    assert_fails(gr_detect_pictures(m, (const char *[]){other, link}, 2, &o, count_boxes, &s), GR_ERR_CONFIG,
                 "would both be drawn as");
    assert_true(s.n[0] == 0 && s.n[1] == 0);
    assert_int_equal(unlink(own) | unlink(link), 0);
    snprintf(own, sizeof own, "%s/p1.png", folder);
    assert_false(gr__file_exists(own));
}

static void learns(void **state)
{
    (void)state;
    gr_run *run;
    char out[600], path[2][800], drawn[700];
    for (int i = 0; i < PICTURES; i++) write_picture(i, NULL);
    snprintf(out, sizeof out, "%s/run", folder);
    assert_ok(open_run(out, NULL, &run));
    assert_string_equal(gr_run_describe(run).task, "object-detection");
    assert_string_equal(gr_run_describe(run).family, "detector");
    assert_ok(gr_run_train(run, NULL));
    double reached = metric(run, "map50");
    print_message("map50 %.3f, map %.3f\n", reached, metric(run, "map"));
    assert_true(reached > 0.9);
    gr_run_close(&run);
    char *page;
    size_t length;
    snprintf(path[0], sizeof path[0], "%s/report.html", out);
    assert_ok(gr_report_write(out, path[0], NULL));
    assert_ok(gr__file_read(path[0], 1 << 24, &page, &length));
    assert_non_null(strstr(page, "<h2>Boxes</h2>"));
    assert_non_null(strstr(page, "blue</td><td class=\"n\">"));
    assert_non_null(strstr(page, "background:#286ee6\"></span></td><td>red</td>")); /* the colour of its frames */
    gr__str png = {0};
    bool draws = gr__png_encode(&(gr__image){1, 1, 1, 8, (uint8_t[]){0}}, "a dot", &png) == GR_OK;
    gr__str_release(&png);
    if (draws) assert_non_null(strstr(page, "src=\"data:image/png;base64,iVBORw0KGgo"));
    gr__free(page);

    gr_model *m;
    seen s = {.worst = 1};
    assert_ok(gr_model_open(out, &m));
    assert_string_equal(gr_model_label(m, 0), "blue");
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_DETECTOR);
    snprintf(drawn, sizeof drawn, "%s/drawn", folder);
    for (int i = 0; i < 2; i++) snprintf(path[i], sizeof path[i], "%s/JPEGImages/p%d.ppm", folder, i + 1);
    gr_detect_options o = {.draw = draws ? drawn : NULL};
    assert_ok(gr_detect_pictures(m, (const char *[]){path[0], path[1]}, 2, &o, count_boxes, &s));
    print_message("%d blue, %d red surely, score %.3f at least\n", s.n[0], s.n[1], s.worst);
    assert_true(s.n[0] == 2 && s.n[1] == 2 && s.worst >= 0.3);
    draws_over_nothing(m);
    gr_model_free(&m);
    if (!draws) return;
    gr__image image, plain;
    snprintf(path[0], sizeof path[0], "%s/p2.png", drawn);
    assert_ok(gr__image_read(path[0], NULL, &image));
    assert_ok(gr__image_read(path[1], NULL, &plain));
    assert_true(image.width == SIDE && memcmp(image.pixels, plain.pixels, 3 * SIDE * SIDE) != 0);
    gr__image_release(&image);
    gr__image_release(&plain);
}

/* What a score is to be depends on the boxes, and is held where their gradient is stopped. */
static void gradients(void **state)
{
    (void)state;
    gr_run *run;
    for (int i = 0; i < PICTURES; i++) write_picture(i, NULL);
    assert_ok(open_run(NULL, "model={type: detector, layers: [1], base: 4, stride: 4, neck: 4}", &run));
    assert_ok(gr_run_check_gradients(run, 1, NULL, NULL));
    gr_run_close(&run);
}

static void keep_lines(void *user, gr_log_level level, const char *line)
{
    (void)level;
    gr__str_printf(user, "%s\n", line);
}

static void bad_boxes(void **state)
{
    (void)state;
    gr_run *run;
    gr__str told = {0};
    for (int i = 1; i < PICTURES; i++) write_picture(i, NULL);
    write_picture(0, "0");
    assert_fails(open_run(NULL, NULL, &run), GR_ERR_DATA, "p0.xml:3: the box (0, 0) to (0,");
    assert_fails(open_run(NULL, NULL, &run), GR_ERR_DATA, "of 'red' has no area; correct it, or set data.skip_bad");
    write_picture(0, "49");
    assert_fails(open_run(NULL, NULL, &run), GR_ERR_DATA, "reaches out of its picture");
    gr_set_log(keep_lines, &told, GR_LOG_WARNING);
    assert_ok(open_run(NULL, "data.skip_bad=true", &run));
    gr_run_close(&run);
    assert_non_null(strstr(gr__str_get(&told), "cut: "));
    assert_non_null(strstr(gr__str_get(&told), "p0.xml:3: the box"));
    assert_non_null(strstr(gr__str_get(&told), "boxes that were cut at the edges of their pictures: 1\n"));
    assert_null(strstr(gr__str_get(&told), "boxes that were left out"));
    gr__str_clear(&told);
    write_picture(0, "0");
    assert_ok(open_run(NULL, "data.skip_bad=true", &run));
    gr_run_close(&run);
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_non_null(strstr(gr__str_get(&told), "left out: "));
    assert_non_null(strstr(gr__str_get(&told), "boxes that were left out: 1\n"));
    gr__str_release(&told);
    write_picture(0, NULL);
    assert_fails(open_run(NULL, "model=lenet", &run), GR_ERR_CONFIG, "finds no boxes");
    assert_fails(open_run(NULL, "model.stride=64", &run), GR_ERR_CONFIG, "'stride: 64' is not one of the strides");
}

/* COCO says the same; a box that reaches outside is cut, and a crowd is neither right nor wrong. */
static void coco(void **state)
{
    (void)state;
    char text[2000];
    gr_run *run;
    write_picture(1, NULL);
    write_picture(2, NULL);
    int n =
        snprintf(text, sizeof text,
                 "{\"categories\": [{\"id\": 4, \"name\": \"blue\"}, {\"id\": 9, \"name\": \"red\"}],"
                 "\"images\": [{\"id\": 1, \"file_name\": \"p1.ppm\"}, {\"id\": 2, \"file_name\": \"p2.ppm\"}],"
                 "\"annotations\": [{\"image_id\": 1, \"category_id\": 9, \"bbox\": [3, 4, 10, 10], \"iscrowd\": 1},"
                 "{\"image_id\": 2, \"category_id\": 4, \"bbox\": [40, 4, 10, 10]}]}");
    const char *path = test_write(folder, "boxes.json", text, (size_t)n);
    char source[700], where[700];
    snprintf(source, sizeof source, "data.source=%s", path);
    snprintf(where, sizeof where, "data.pictures=%s/JPEGImages", folder);
    const char *set[] = {
        "task=object-detection", source,           where,           "data.valid=0.5",    "model.layers=[1, 1]",
        "train.batch=1",         "train.epochs=0", "train.steps=2", "data.skip_bad=true"};
    gr_run_options o = {.overrides = set, .n_overrides = 8, .no_write = true};
    const char *config = test_write(folder, "coco.yaml", "{}\n", 3);
    assert_fails(gr_run_open(config, &o, &run), GR_ERR_DATA,
                 "boxes.json:annotation 1: the box (40, 4) to (50, 14) of 'blue' reaches out of its picture");
    o.n_overrides = 9;
    assert_ok(gr_run_open(config, &o, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
}

static const char *write_coco(const char *name, const char *annotations)
{
    char text[900];
    int n = snprintf(text, sizeof text,
                     "{\"categories\": [{\"id\": 4, \"name\": \"blue\"}],"
                     "\"images\": [{\"id\": 2, \"file_name\": \"p2.ppm\"}], \"annotations\": [%s]}",
                     annotations);
    return test_write(folder, name, text, (size_t)n);
}

/* Of a validation on 'valid' after some steps on 'train', the picture in a wider one. */
static double measure(const char *train, const char *valid, const char *steps, const char *name)
{
    char source[700], other[700], where[1500];
    gr_run *run;
    snprintf(source, sizeof source, "data.source=%s", write_coco("one.json", train));
    snprintf(other, sizeof other, "data.valid_source=%s", write_coco("two.json", valid));
    snprintf(where, sizeof where, "data={pictures: %s/JPEGImages, valid_pictures: %s/JPEGImages}", folder, folder);
    const char *set[] = {
        "task=object-detection", where,           source, other, "data.size=[48, 80]", "data.skip_bad=true",
        "model.layers=[1, 1]",   "train.batch=1", steps};
    gr_run_options o = {.overrides = set, .n_overrides = GR__COUNT(set), .no_write = true};
    assert_ok(gr_run_open(test_write(folder, "one.yaml", "{}\n", 3), &o, &run));
    assert_ok(gr_run_train(run, NULL));
    double value = metric_of(run, name);
    gr_run_close(&run);
    return value;
}

/* Keys of metrics.jsonl: whole characters of long names, and two that begin alike are still two. */
static void long_names(void **state)
{
    (void)state;
    char text[2000], long_name[200], out[600], path[700], *lines;
    gr_metric m[16];
    gr_run *run;
    size_t length;
    int n = 0, named = 0;
    for (int i = 0; i < 30; i++)
        n += snprintf(long_name + n, sizeof long_name - (size_t)n, "\xE7\xBA\xA2"); /* 3 bytes each */
    n = snprintf(text, sizeof text,
                 "{\"categories\": [{\"id\": 1, \"name\": \"%s 1\"}, {\"id\": 2, \"name\": \"%s 2\"},"
                 "{\"id\": 3, \"name\": \"a \\\"b\\\"\"}],"
                 "\"images\": [{\"id\": 2, \"file_name\": \"p2.ppm\"}], \"annotations\": ["
                 "{\"image_id\": 2, \"category_id\": 1, \"bbox\": [3, 4, 10, 10]},"
                 "{\"image_id\": 2, \"category_id\": 2, \"bbox\": [20, 4, 10, 10]},"
                 "{\"image_id\": 2, \"category_id\": 3, \"bbox\": [20, 20, 10, 10]}]}",
                 long_name, long_name);
    write_picture(2, NULL);
    const char *file = test_write(folder, "long.json", text, (size_t)n);
    char source[700], valid[700], where[1500];
    snprintf(source, sizeof source, "data.source=%s", file);
    snprintf(valid, sizeof valid, "data.valid_source=%s", file);
    snprintf(where, sizeof where, "data={pictures: %s/JPEGImages, valid_pictures: %s/JPEGImages}", folder, folder);
    snprintf(out, sizeof out, "%s/long", folder);
    const char *set[] = {"task=object-detection", where,           source,          valid,
                         "model.layers=[1, 1]",   "train.batch=1", "train.steps=2", "train.eval_every=1"};
    gr_run_options o = {.overrides = set, .n_overrides = GR__COUNT(set), .out = out};
    assert_ok(gr_run_open(test_write(folder, "long.yaml", "{}\n", 3), &o, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    for (int i = 0; i < n; i++) {
        named += strncmp(m[i].name, "ap50_", 5) == 0;
        for (int k = 0; k < i; k++) assert_string_not_equal(m[i].name, m[k].name);
    }
    assert_int_equal(named, 3);
    gr_run_close(&run);
    snprintf(path, sizeof path, "%s/metrics.jsonl", out);
    assert_ok(gr__file_read(path, 1 << 20, &lines, &length));
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        gr__json_doc *doc = NULL;
        assert_ok(gr__json_parse(line, strlen(line), "metrics.jsonl", &doc));
        gr__json_free(&doc);
    }
    gr__free(lines);
}

#define BLUE(more, box) "{\"image_id\": 2, \"category_id\": 4, " more "\"bbox\": [" box "]}"

static void no_boxes_at_all(void **state)
{
    (void)state;
    static const char *const none[] = {"", BLUE("", "50, 4, 10, 10"), BLUE("", "4, 4, 0, 10")};
    gr_run *run;
    char source[700], pictures[700];
    write_picture(2, NULL);
    for (size_t i = 0; i < GR__COUNT(none); i++) {
        snprintf(source, sizeof source, "data.source=%s", write_coco("none.json", none[i]));
        snprintf(pictures, sizeof pictures, "data.pictures=%s/JPEGImages", folder);
        const char *set[] = {"task=object-detection", source, pictures, "data.valid=0", "data.skip_bad=true"};
        gr_run_options o = {.overrides = set, .n_overrides = GR__COUNT(set), .no_write = true};
        assert_fails(gr_run_open(test_write(folder, "none.yaml", "{}\n", 3), &o, &run), GR_ERR_DATA,
                     "has no boxes to learn from in the 1 pictures for training");
    }
}

static double loss_with(const char *annotation) { return measure(annotation, annotation, "train.steps=2", "loss"); }

/* At the picture, not at what it lies in, and also where little of it is seen. */
static void boxes_are_cut(void **state)
{
    (void)state;
    write_picture(2, NULL);
    assert_true(loss_with(BLUE("", "40, 4, 10, 10")) == loss_with(BLUE("", "40, 4, 8, 10")));
    assert_true(loss_with(BLUE("", "30, 30, 90, 90")) == loss_with(BLUE("", "30, 30, 18, 18")));
    assert_true(loss_with(BLUE("", "30, 30, 90, 90")) != loss_with(BLUE("", "3, 3, 18, 18")));
}

/* Of many answers all over a picture only those in a crowd are not wrong; a crowd's own are no more than that. */
static void crowds_take_many(void **state)
{
    (void)state;
    static const char object[] = BLUE("", "30, 30, 18, 18"), crowd[] = BLUE("\"iscrowd\": 1, ", "0, 0, 48, 48");
    char both[400];
    write_picture(2, NULL);
    snprintf(both, sizeof both, "%s, %s", object, crowd);
    double alone = measure(object, object, "train.steps=2", "map50"),
           among = measure(object, both, "train.steps=2", "map50");
    if (!(alone > 0 && alone < 0.9 && among > 0.999)) fail_msg("map50 %g alone, %g with a crowd", alone, among);
}

static void large_grids(void **state)
{
    (void)state;
    static const char text[] = "{type: detector, height: 65536, width: 65536, channels: 3, classes: 1}";
    gr__arena arena = {0};
    gr__conf *conf;
    gr_model *m;
    assert_ok(gr__conf_parse(text, sizeof text - 1, "test.yaml", &arena, &conf));
    assert_fails(gr__model_new(conf, &(gr__facts){0}, NULL, &m), GR_ERR_CONFIG,
                 "more than 1048576 places 8 pixels apart");
    gr__arena_release(&arena);
}

static void blood_cells(void **state)
{
    (void)state;
    if (!test_data("images/bccd")) skip();
    gr_run *run;
    gr__image image;
    char path[2000];
    snprintf(path, sizeof path, "%s/JPEGImages/BloodImage_00000.jpg", test_data("images/bccd"));
    if (gr__image_read(path, NULL, &image) == GR_ERR_UNSUPPORTED) test_skip("this build reads no JPEG");
    gr__image_release(&image);
    const char *set[] = {"train.epochs=0", "train.steps=2", "data.size=[60, 80]"};
    gr_run_options o = {.overrides = set, .n_overrides = 3, .no_write = true};
    gr__str told = {0};
    gr_set_log(keep_lines, &told, GR_LOG_WARNING);
    assert_ok(gr_run_open(test_source("examples/bccd_detector.yaml"), &o, &run));
    gr_run_plan plan = gr_run_describe(run);
    assert_true(plan.samples == 292 && plan.valid_units == 72);
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_non_null(
        strstr(gr__str_get(&told), "BloodImage_00338.xml:158: the box (504, 337) to (504, 337) of 'RBC' has no area"));
    assert_non_null(strstr(gr__str_get(&told), "BloodImage_00343.xml:"));
    gr__str_release(&told);
    assert_ok(gr_run_train(run, NULL));
    assert_true(isfinite(metric(run, "map50")));
    gr_run_close(&run);
}

static int open_folder(void **state)
{
    (void)state;
    folder = test_tmpdir();
    char path[600];
    static const char *const below[] = {"JPEGImages", "Annotations"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, below[i]);
        if (gr__dir_make(path) != GR_OK) return -1;
    }
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
        cmocka_unit_test(matches_pytorch),  cmocka_unit_test(suppress),
        cmocka_unit_test(assign),           cmocka_unit_test(moved),
        cmocka_unit_test(learns),           cmocka_unit_test(gradients),
        cmocka_unit_test(bad_boxes),        cmocka_unit_test(coco),
        cmocka_unit_test(no_boxes_at_all),  cmocka_unit_test(boxes_are_cut),
        cmocka_unit_test(large_grids),      cmocka_unit_test(blood_cells),
        cmocka_unit_test(crowds_take_many), cmocka_unit_test(long_names),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
