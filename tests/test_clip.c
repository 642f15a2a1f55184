/* Clips of video: the family clip against PyTorch's (tests/golden/make_clip.py), pictures that move, reading, and the task
 * clip-classification from end to end on clips made here. */
#include "tests/run_rig.h"

#include "base/file.h"
#include "data/motion.h"
#include "format/image.h"
#include "format/safetensors.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/train.h"
#include "image/clip.h"
#include "model/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- against PyTorch ---- */

static gr__safetensors *file;

static const gr_tensor *golden(const char *name, const char *part)
{
    char key[200];
    snprintf(key, sizeof key, "%s/%s", name, part);
    const gr__stored *s = gr__safetensors_find(file, key);
    if (!s) fail_msg("no '%s'", key);
    return &s->tensor;
}

static void check(const char *name, const char *part, const gr_tensor *got)
{
    const gr_tensor *want = golden(name, part);
    assert_int_equal(gr_tensor_count(got), gr_tensor_count(want));
    for (int64_t i = 0; i < gr_tensor_count(want); i++) {
        double a = gr_tensor_get(got, i), b = gr_tensor_get(want, i);
        if (!(fabs(a - b) <= 2e-5 * (1 + fabs(b)))) fail_msg("%s/%s[%d]: %.9g, not %.9g", name, part, (int)i, a, b);
    }
}

static void give(gr_session *s, const char *input, const gr_tensor *from)
{
    gr_tensor t;
    assert_ok(gr_session_input(s, input, &t));
    assert_int_equal(gr_tensor_count(&t), gr_tensor_count(from));
    memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
}

static void check_model(gr_model *m, const char *name, bool train)
{
    gr_graph *g;
    gr_plan *plan;
    gr_session *s;
    gr_picture_values v;
    gr_tensor t;
    gr_value p[32], d[32];
    int n = 0;
    int64_t batch = golden(name, "x")->dim[0];
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_build_picture(m, g, batch, train, "run", &v));
    if (train) {
        gr_loss loss = gr_loss_cross_entropy(g, v.logits, gr_input(g, "targets", GR_I32, 1, &batch), NULL);
        n = gr_graph_params(g, p, 32);
        assert_ok(gr_grad(g, loss.sum, p, n, d));
        for (int i = 0; i < n; i++) gr_output(g, "run", gr_value_path(g, p[i]), d[i]);
        gr_output(g, "run", "loss", loss.sum);
    } else {
        gr_output(g, "run", "logits", v.logits);
    }
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_session_new(plan, m->store, &s));
    give(s, "pictures", golden(name, "x"));
    if (train) give(s, "targets", golden(name, "targets"));
    assert_ok(gr_session_run(s));
    assert_ok(gr_session_output(s, train ? "loss" : "logits", &t));
    check(name, train ? "loss" : "logits", &t);
    for (int i = 0; i < n; i++) {
        char key[200];
        snprintf(key, sizeof key, "grad/%s", gr_value_path(g, p[i]));
        assert_ok(gr_session_output(s, gr_value_path(g, p[i]), &t));
        check(name, key, &t);
    }
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_graph_free(&g);
}

static void family_is_pytorchs(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"gru", "{type: clip, maps: [3, 4], hidden: 5}"},
                                           {"lstm", "{type: clip, maps: 3, cell: lstm, hidden: 4}"}};
    static const char *labels[] = {"a", "b", "c", "d"};
    const char *dir = test_tmpdir();
    assert_ok(gr__safetensors_open(test_source("tests/golden/clip.safetensors"), &file));
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        const char *name = cases[i][0];
        gr__arena arena = {0};
        gr__conf *conf;
        gr_model *m;
        char text[200], path[300];
        gr__facts facts = {.labels = {labels, 4}, .height = 9, .width = 7, .channels = 1, .frames = 4};
        snprintf(text, sizeof text, "model: %s\n", cases[i][1]);
        assert_ok(gr__conf_parse(text, strlen(text), "test.yaml", &arena, &conf));
        assert_ok(gr__model_new(gr__conf_get(conf, "model"), &facts, NULL, &m));
        gr_value states[64];
        int n = gr__model_states(m, states, 64);
        assert_ok(gr_store_prepare(m->store, m->layout, 1));
        for (int k = 0; k < n; k++) {
            char key[200];
            gr_tensor t;
            snprintf(key, sizeof key, "begin/%s", gr_value_path(m->layout, states[k]));
            assert_ok(gr_store_get(m->store, gr_value_path(m->layout, states[k]), &t));
            assert_int_equal(gr_tensor_count(&t), gr_tensor_count(golden(name, key)));
            memcpy(t.data, golden(name, key)->data, gr_tensor_size_bytes(&t));
        }
        gr_store_touch(m->store);
        check_model(m, name, false);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        assert_ok(gr_model_save(m, path));
        check_model(m, name, true);
        gr_model_free(&m);
        assert_ok(gr_model_open(path, &m));
        check_model(m, name, false);
        assert_int_equal(gr_model_kind_of(m), GR_MODEL_CLIP);
        gr_model_free(&m);
        gr__arena_release(&arena);
    }
    gr__safetensors_close(&file);
    test_rmtree(dir);
}

/* ---- pictures that move ---- */

enum { EDGE = 20, FRAMES = 5 };

/* Where the bright dot is. */
static void find(const uint8_t *frame, int *x, int *y)
{
    int n = 0;
    for (int i = 0; i < EDGE * EDGE; i++)
        if (frame[i]) *x = i % EDGE, *y = i / EDGE, n++;
    assert_int_equal(n, 1);
}

static void motion_keeps_its_way(void **state)
{
    (void)state;
    static const int way_x[] = {1, 1, 0, -1, -1, -1, 0, 1}, way_y[] = {0, -1, -1, -1, 0, 1, 1, 1};
    gr__motion m = {FRAMES, EDGE, 1, 1, 2, 4};
    uint8_t dot = 9, clip[FRAMES * EDGE * EDGE], again[sizeof clip];
    int seen = 0;
    assert_ok(gr__motion_check(&m));
    for (uint64_t s = 0; s < 200; s++) {
        int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
        int32_t d = gr__motion_draw(&m, &dot, 5, 1, s, clip);
        assert_in_range(d, 0, 7);
        seen |= 1 << d;
        for (int f = 0; f + 1 < FRAMES; f++) {
            find(clip + f * EDGE * EDGE, &x0, &y0);
            find(clip + (f + 1) * EDGE * EDGE, &x1, &y1);
            assert_in_range((x1 - x0) * way_x[d], way_x[d] ? 1 : 0, way_x[d] ? 5 : 0);
            assert_in_range((y1 - y0) * way_y[d], way_y[d] ? 1 : 0, way_y[d] ? 5 : 0);
            assert_true(way_x[d] || x0 == x1);
            assert_true(way_y[d] || y0 == y1);
        }
        assert_int_equal(gr__motion_draw(&m, &dot, 5, 1, s, again), d);
        assert_memory_equal(clip, again, sizeof clip);
    }
    assert_int_equal(seen, 255);
    static uint64_t way[2][512]; /* of two streams: those of training and validation */
    gr__motion wide = {3, 256, 1, 1, 2, 100};
    static uint8_t room[3 * 256 * 256];
    for (uint64_t i = 0; i < 1024; i++) {
        gr__motion_draw(&wide, &dot, 5, 0x100 + i / 512, i % 512, room);
        for (uint64_t k = 0; k < sizeof room; k++)
            if (room[k]) way[i / 512][i % 512] = way[i / 512][i % 512] << 20 | k;
    }
    assert_true(test_in_both(way[0], way[1], 512) < 10);
    m.speed_most = 6;
    assert_fails(gr__motion_check(&m), GR_ERR_CONFIG, "do not stay in a field of 20");
}

/* ---- clips in folders ---- */

/* A square that goes right or down, as pictures; video: as one file. */
static void write_clip(const char *class_folder, const char *name, bool down, int seed, bool video)
{
    char folder[400], path[500];
    snprintf(folder, sizeof folder, "%s/%s", class_folder, name);
    if (!video) assert_ok(gr__dir_make(folder));
    gr__str film = {0};
    if (video) gr__str_add(&film, "YUV4MPEG2 W12 H12 F25:1 Ip A1:1 Cmono\n");
    for (int f = 0; f < 6; f++) {
        uint8_t pixels[144] = {0};
        for (int i = 0; i < 9; i++) {
            int along = f + seed % 3 + i % 3, across = 2 + seed % 7 + i / 3;
            pixels[(down ? along : across) * 12 + (down ? across : along)] = 230;
        }
        char frame[13 + sizeof pixels] = "P5 12 12 255\n"; /* every build reads it */
        memcpy(frame + 13, pixels, sizeof pixels);
        snprintf(path, sizeof path, "%s/%02d.pgm", folder, f);
        if (!video) assert_ok(gr__file_write(path, frame, sizeof frame));
        if (video) gr__str_add(&film, "FRAME\n"), gr__str_add_n(&film, (const char *)pixels, sizeof pixels);
    }
    if (video) assert_ok(gr__file_write(folder, film.text, film.n));
    gr__str_release(&film);
}

static gr_status open_run(const char *dir, const char *more, gr_run **run)
{
    char path[300], out[300], config[1000];
    snprintf(path, sizeof path, "%s.yaml", dir);
    snprintf(out, sizeof out, "%s.run", dir);
    snprintf(config, sizeof config,
             "task: clip-classification\ndata: {source: %s, frames: 4%s}\nmodel: {maps: [4, 8], hidden: 16}\n"
             "train: {batch: 8, epochs: 15, optimizer: adam, lr: 1e-2, seed: 2}\n",
             dir, more);
    assert_ok(gr__file_write(path, config, strlen(config)));
    return gr_run_open(path, &(gr_run_options){.out = out}, run);
}

static void clips_are_told_apart(void **state)
{
    (void)state;
    const char *base = test_tmpdir();
    char dir[300], ways[2][320], name[40], path[500];
    gr_run *run;
    snprintf(dir, sizeof dir, "%s/clips", base);
    for (int k = 0; k < 2; k++) {
        snprintf(ways[k], sizeof ways[k], "%s/%s", dir, k ? "right" : "down");
        assert_ok(gr__dir_make(ways[k]));
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, i % 4 ? "%d" : "%d.y4m", i);
            write_clip(ways[k], name, k == 0, i, i % 4 == 0);
        }
    }
    assert_ok(open_run(dir, "", &run));
    assert_int_equal(gr_run_describe(run).samples, 32);
    assert_int_equal(gr_run_describe(run).valid_units, 8);
    gr_metric metric[16];
    int n;
    snprintf(path, sizeof path, "%s.run", dir);
    assert_ok(gr__dir_make(path)); /* before training there are mistakes to show */
    assert_ok(gr_run_evaluate(run, metric, 16, &n));
    assert_true(evaluation_shows(path, "<th>sample</th>"));
    gr__str png = {0};
    if (gr__png_encode(&(gr__image){1, 1, 1, 8, (uint8_t[]){0}}, "a dot", &png) == GR_OK)
        assert_true(evaluation_shows(path, "alt=\"the first frame\" src=\"data:image/png"));
    gr__str_release(&png);
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, metric, 16, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(metric[i].name, "accuracy") == 0) assert_true(metric[i].value == 1);
    gr_run_close(&run);

    gr_model *m;
    float score[2][2];
    char a[400], b[400];
    snprintf(path, sizeof path, "%s.run", dir);
    assert_ok(gr_model_open(path, &m));
    snprintf(a, sizeof a, "%s/4.y4m", ways[0]);
    snprintf(b, sizeof b, "%s/3", ways[1]);
    assert_ok(gr_classify_clips(m, (const char *[]){a, b}, 2, NULL, score[0]));
    assert_string_equal(gr_model_label(m, 0), "down");
    assert_true(score[0][0] > 0.5f && score[1][1] > 0.5f);
    assert_fails(gr_classify_clips(m, (const char *[]){"/nowhere.y4m"}, 1, NULL, score[0]), GR_ERR_NOT_FOUND,
                 "nowhere");
    gr_model_free(&m);

    assert_ok(open_run(dir, "", &run));
    assert_null(gr_run_report(run));
    gr_run_close(&run);
    snprintf(path, sizeof path, "%s/held/down", base);
    assert_ok(gr__dir_make(path));
    write_clip(path, "again", true, 5, false);
    snprintf(path, sizeof path, ", valid_source: %s/held", base);
    assert_ok(open_run(dir, path, &run));
    assert_non_null(gr_run_report(run));
    assert_non_null(strstr(gr_run_report(run), "note: 1 clip of the validation part stands in the training part too"));
    assert_non_null(strstr(gr_run_report(run), "the first: 'down/again' of '"));
    gr_run_close(&run);

    snprintf(path, sizeof path, "%s/broken.y4m", ways[0]);
    assert_ok(gr__file_write(path, "no film", 7));
    assert_int_not_equal(open_run(dir, "", &run), GR_OK);
    assert_non_null(strstr(gr_message(), "broken.y4m"));
    assert_ok(open_run(dir, ", skip_bad: true", &run));
    gr_run_close(&run);
    snprintf(path, sizeof path, "%s/loose.png", ways[0]);
    assert_ok(gr__file_write(path, "x", 1));
    assert_fails(open_run(dir, ", skip_bad: true", &run), GR_ERR_DATA, "is no clip in a class folder");
    test_rmtree(base);
}

/* Fewer pictures than wanted are shown twice, more are left out evenly; colours become gray as asked. */
static void reading(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char path[300];
    uint8_t out[12 * 144], small[2 * 36 * 3];
    gr__clip_size look;
    write_clip(dir, "film.y4m", false, 0, true);
    snprintf(path, sizeof path, "%s/film.y4m", dir);
    assert_ok(gr__clip_look(path, &look));
    assert_true(look.height == 12 && look.width == 12);
    assert_int_equal(look.channels, 1);
    assert_ok(gr__clip_read(path, &(gr__clip_size){12, 12, 12, 1}, out));
    assert_memory_equal(out, out + 144, 144);
    assert_memory_not_equal(out, out + 2 * 144, 144);
    assert_ok(gr__clip_read(path, &(gr__clip_size){2, 6, 6, 3}, small));
    for (int i = 0; i < 72; i++) assert_true(small[3 * i] == small[3 * i + 1] && small[3 * i] == small[3 * i + 2]);
    test_rmtree(dir);
}

/* Numbers in the names of frames count, padded or not; of equal ones the bytes do. */
static void frames_by_number(void **state)
{
    (void)state;
    static const char *const name[] = {"a-1.pgm",  "a-01x.pgm", "a-2.pgm", "a-02.pgm", "a-9.pgm",
                                       "a-10.pgm", "a-11.pgm",  "b.pgm",   "b1.pgm"};
    static const uint8_t wanted[] = {0, 1, 3, 2, 4, 5, 6, 7, 8}; /* "a-02" < "a-2" */
    const char *dir = test_tmpdir();
    uint8_t out[GR__COUNT(name)];
    for (size_t i = 0; i < GR__COUNT(name); i++) {
        char frame[] = "P5 1 1 255\n?";
        frame[11] = (char)i;
        test_write(dir, name[i], frame, 12);
    }
    assert_ok(gr__clip_read(dir, &(gr__clip_size){GR__COUNT(name), 1, 1, 1}, out));
    assert_memory_equal(out, wanted, sizeof wanted);
    test_rmtree(dir);
}

/* A short run on real digits. */
static void digits_that_move(void **state)
{
    (void)state;
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
    gr_run *run;
    const char *set[] = {"data.motion.samples=640", "data.motion.valid_samples=64", "train.epochs=1", "data.frames=5"};
    gr_run_options o = {.overrides = set, .n_overrides = 4, .no_write = true};
    assert_ok(gr_run_open(test_source("examples/clips_direction.yaml"), &o, &run));
    assert_int_equal(gr_model_describe(gr_run_model(run)).labels, 8);
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(family_is_pytorchs),
                                       cmocka_unit_test(motion_keeps_its_way),
                                       cmocka_unit_test(reading),
                                       cmocka_unit_test(frames_by_number),
                                       cmocka_unit_test(clips_are_told_apart),
                                       cmocka_unit_test(digits_that_move)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
