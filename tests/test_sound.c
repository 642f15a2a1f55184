/* Tasks that listen: patterns of names, sets of sounds, what is refused, and the task sound-classification from end to end on
 * tones made here. */
#include "tests/run_rig.h"

#include "base/file.h"
#include "data/name_pattern.h"
#include "data/sound_set.h"
#include "format/sound.h"
#include "gradus/train.h"
#include "model/picture.h"

#include <math.h>
#include <string.h>

enum { RATE = 4000 };

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name, *label, *group; /* label NULL: it does not fit */
    } cases[] = {
        {"{label}_{group}_*.wav", "7_jackson_3.wav", "7", "jackson"},
        {"{label}_*", "up_down_1.wav", "up", NULL},
        {"*-{label}.wav", "a-b-c.wav", "b-c", NULL},
        {"?{label}.wav", "x1.wav", "1", NULL},
        {"{group}-*-{label}.*", "ann-3-yes.flac", "yes", "ann"},
        {"{label}_*.wav", "seven.wav", NULL, NULL},
        {"{label}_*.wav", "_1.wav", NULL, NULL},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr__name_parts p = {0};
        assert_ok(gr__name_pattern_check(cases[i].pattern));
        assert_int_equal(gr__name_pattern_match(cases[i].pattern, cases[i].name, &p), cases[i].label != NULL);
        if (!cases[i].label) continue;
        assert_int_equal(p.n_label, strlen(cases[i].label));
        assert_memory_equal(p.label, cases[i].label, p.n_label);
        assert_int_equal(p.group != NULL, cases[i].group != NULL);
        if (p.group) assert_memory_equal(p.group, cases[i].group, strlen(cases[i].group));
    }
    assert_fails(gr__name_pattern_check("*_1.wav"), GR_ERR_CONFIG, "needs a {label}");
    assert_fails(gr__name_pattern_check("{label}_{speaker}"), GR_ERR_CONFIG, "only {label} and {group}");
}

/* A tone of 0.2 seconds, in a little noise. */
static void write_tone(const char *folder, const char *name, double hz, int64_t seed, int64_t frames)
{
    float room[RATE];
    gr__sound s = {.frames = frames, .channels = 1, .rate = RATE, .samples = room};
    for (int64_t i = 0; i < frames; i++)
        room[i] = (float)(0.3 * sin(6.283185307 * hz * (double)i / RATE + (double)seed) +
                          0.01 * sin(1e4 * (double)(i * i + seed)));
    char *path = gr__path_join(folder, name);
    assert_ok(gr__wav_write(path, &s, false));
    gr__free(path);
}

/* Low, middle and high tones: "low_a_0.wav". */
static void write_tones(const char *folder, int each)
{
    static const char *const names[] = {"low", "middle", "high"};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < each; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%c_%d.wav", names[k], 'a' + i % 2, i);
            write_tone(folder, name, 300 * (1 + 2 * k) + 7 * i, i, 600 + 20 * i);
        }
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path = gr__path_join(folder, name);
    assert_ok(gr__file_write(path, text, strlen(text)));
    gr__free(path);
}

static gr_run *open_run(const char *folder, const char *more, const char *out)
{
    char config[2000];
    snprintf(config, sizeof config,
             "task: sound-classification\n"
             "data:\n  source: %s\n  features: {mels: 16, window_ms: 32, hop_ms: 16}\n%s"
             "model: {type: layers, layers: [{conv: 4, padding: 1}, relu, {max_pool: 2}, flatten, linear]}\n"
             "train: {batch: 8, epochs: 12, optimizer: adam, lr: 1e-2, seed: 3}\n",
             folder, more);
    gr_run *run = NULL;
    char path[300];
    snprintf(path, sizeof path, "%s.yaml", out);
    assert_ok(gr__file_write(path, config, strlen(config)));
    gr_status s = gr_run_open(path, &(gr_run_options){.out = out}, &run);
    return s == GR_OK ? run : NULL;
}

/* The folder that training leaves needs nothing but a file. */
static void tones_are_told_apart(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char folder[300], out[300], file[400];
    snprintf(folder, sizeof folder, "%s/tones", dir);
    snprintf(out, sizeof out, "%s/run", dir);
    assert_ok(gr__dir_make(folder));
    write_tones(folder, 20);
    gr_run *run = open_run(folder,
                           "  pattern: \"{label}_{group}_*\"\n  valid_files: [\"*_0.wav\", \"*_1.wav\"]\n"
                           "  augment: {shift: 0.05, gain_db: 6, noise: 0.5, time_masks: 1, time_width: 2}\n",
                           out);
    if (!run) fail_msg("%s", gr_message());
    gr_run_plan plan = gr_run_describe(run);
    assert_int_equal(plan.samples, 54);
    assert_int_equal(plan.valid_units, 6);
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "accuracy") == 1);
    gr_run_close(&run);

    gr_model *m;
    float score[3];
    assert_ok(gr_model_open(out, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_SOUND);
    snprintf(file, sizeof file, "%s/high_a_0.wav", folder);
    assert_ok(gr_classify_sounds(m, (const char *[]){file}, 1, NULL, score));
    assert_string_equal(gr_model_label(m, 0), "high");
    assert_true(score[0] > 0.5f);
    assert_true(fabsf(score[0] + score[1] + score[2] - 1) < 1e-5f);
    assert_fails(gr_classify_pictures(m, (const char *[]){file}, 1, NULL, score), GR_ERR_UNSUPPORTED, "hears sounds");
    assert_fails(gr_classify_sounds(m, (const char *[]){file, NULL}, 2, NULL, score), GR_ERR_ARGUMENT,
                 "a sound is NULL: number 1");
    write_tone(folder, "empty.wav", 1, 1, 0);
    snprintf(file, sizeof file, "%s/empty.wav", folder);
    assert_fails(gr_classify_sounds(m, (const char *[]){file}, 1, NULL, score), GR_ERR_DATA,
                 "empty.wav' holds no sound");
    gr_model_free(&m);
    test_rmtree(dir);
}

/* A file without samples, one that is no sound, one whose name says nothing: told, or left out. */
static void bad_sounds_are_named(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *pattern = "  pattern: \"{label}_{group}_*\"\n",
               *lenient = "  pattern: \"{label}_{group}_*\"\n  skip_bad: true\n";
    char folder[300], out[300];
    snprintf(folder, sizeof folder, "%s/tones", dir);
    snprintf(out, sizeof out, "%s/run", dir);
    assert_ok(gr__dir_make(folder));
    write_tones(folder, 6);
    write_tone(folder, "low_a_9.wav", 1, 1, 0);
    assert_null(open_run(folder, pattern, out));
    assert_non_null(strstr(gr_message(), "low_a_9.wav' holds no sound"));
    write_text(folder, "high_b_8.wav", "no sound at all");
    write_text(folder, "strange.wav", "");
    assert_null(open_run(folder, pattern, out));
    assert_non_null(strstr(gr_message(), "strange.wav' does not fit the pattern"));
    gr_run *run = open_run(folder, lenient, out);
    if (!run) fail_msg("%s", gr_message());
    assert_int_equal(gr_run_describe(run).samples + gr_run_describe(run).valid_units, 18);
    gr_run_close(&run);
    assert_null(open_run(folder, "  pattern: \"{label}_*\"\n  valid_files: \"*_77.wav\"\n  skip_bad: true\n", out));
    assert_non_null(strstr(gr_message(), "none of the sounds"));
    test_rmtree(dir);
}

/* A table of paths, and class folders. */
static void sounds_in_both_parts_are_told(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char folder[300], out[300], more[500], name[400];
    snprintf(folder, sizeof folder, "%s/tones", dir);
    snprintf(out, sizeof out, "%s/run", dir);
    assert_ok(gr__dir_make(folder));
    write_tones(folder, 3);
    write_tone(folder, "high_a_9.wav", 300 * 3 + 7, 1, 620); /* the samples of middle_b_1.wav */
    snprintf(more, sizeof more, "  pattern: \"{label}_*\"\n  valid_files: \"*_9.wav\"\n");
    gr_run *run = open_run(folder, more, out);
    assert_non_null(run);
    assert_non_null(gr_run_report(run));
    assert_non_null(strstr(gr_run_report(run), "note: 1 sound of the validation part stands in the training part too"));
    snprintf(name, sizeof name, "the first: 'high_a_9.wav' of '%s' is 'middle_b_1.wav'", folder);
    assert_non_null(strstr(gr_run_report(run), name));
    gr_run_close(&run);
    test_rmtree(dir);
}

static void other_sources(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char folder[300];
    gr__sound_set set;
    gr__wave w;
    snprintf(folder, sizeof folder, "%s/yes", dir);
    assert_ok(gr__dir_make(folder));
    write_tone(folder, "1.wav", 200, 1, 100);
    snprintf(folder, sizeof folder, "%s/no", dir);
    assert_ok(gr__dir_make(folder));
    write_tone(folder, "2.wav", 200, 1, 50);
    assert_ok(gr__sound_set_open(dir, &(gr__sound_set_options){0}, &set));
    assert_int_equal(set.list.n, 2);
    assert_string_equal(set.list.row[0].label, "no");
    gr__sound_set_close(&set);

    write_text(dir, "list.tsv", "path\tlabel\nyes/1.wav\tgood\nno/2.wav\tbad\nno/3.wav\tbad\n");
    snprintf(folder, sizeof folder, "%s/list.tsv", dir);
    assert_ok(gr__sound_set_open(folder, &(gr__sound_set_options){.path = "path", .label = "label"}, &set));
    assert_int_equal(set.list.n, 3);
    assert_ok(gr__sound_set_read(&set, 1, 2 * RATE, &w, NULL));
    assert_int_equal(w.n, 100); /* twice the rate */
    gr__free(w.samples);
    assert_fails(gr__sound_set_read(&set, 2, RATE, &w, NULL), GR_ERR_NOT_FOUND, "list.tsv:4:");
    gr__sound_set_close(&set);
    test_rmtree(dir);
}

enum { TOLD = 600 };

static void keep_last(void *user, gr_log_level level, const char *line)
{
    (void)level;
    snprintf(user, TOLD, "%.*s", TOLD - 1, line);
}

/* A row without a label, one with too many fields. */
static void bad_rows(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char path[300], told[TOLD] = "";
    gr__sound_set set;
    gr__sound_set_options o = {.path = "path", .label = "label"};
    write_text(dir, "list.csv", "path,label\n1.wav,good\n2.wav,\n3.wav,bad,worse\n4.wav,bad\n");
    snprintf(path, sizeof path, "%s/list.csv", dir);
    assert_int_equal(gr__sound_set_open(path, &o, &set), GR_ERR_DATA);
    o.skip_bad = true;
    gr_set_log(keep_last, told, GR_LOG_WARNING);
    assert_ok(gr__sound_set_open(path, &o, &set));
    assert_int_equal(set.list.n, 2);
    assert_string_equal(set.list.row[1].text, "4.wav");
    gr__sound_set_close(&set);
    assert_non_null(strstr(told, "1 row was left out, the first: "));
    assert_non_null(strstr(told, "list.csv:3: column 'label' is empty"));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    test_rmtree(dir);
}

static void files_that_are_not_read(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char path[300], told[TOLD] = "";
    gr__sound_set set;
    gr_set_log(keep_last, told, GR_LOG_WARNING);
    snprintf(path, sizeof path, "%s/sounds", dir);
    const char *const files[] = {"low/1.wav", "low/2.aiff", "low/list.txt", "third/1.aiff"};
    for (size_t i = 0; i < GR__COUNT(files); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s/%.*s", path, (int)(strchr(files[i], '/') - files[i]), files[i]);
        assert_ok(gr__dir_make(name));
        write_text(path, files[i], "x");
    }
    assert_ok(gr__sound_set_open(path, &(gr__sound_set_options){0}, &set));
    assert_int_equal(set.list.n, 1);
    gr__sound_set_close(&set);
    assert_non_null(strstr(told, "sounds': 1 class folder holds no sounds, the first: 'third'"));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    test_rmtree(dir);
}

static void wave_fits(void **state)
{
    (void)state;
    float x[] = {1, 2, 3, 4, 5}, out[7];
    gr__wave_fit(&(gr__wave){x, 5}, out, 3);
    assert_true(out[0] == 2 && out[2] == 4);
    gr__wave_fit(&(gr__wave){x, 5}, out, 7);
    assert_true(out[0] == 0 && out[1] == 1 && out[5] == 5 && out[6] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns),
                                       cmocka_unit_test(wave_fits),
                                       cmocka_unit_test(other_sources),
                                       cmocka_unit_test(sounds_in_both_parts_are_told),
                                       cmocka_unit_test(bad_rows),
                                       cmocka_unit_test(files_that_are_not_read),
                                       cmocka_unit_test(bad_sounds_are_named),
                                       cmocka_unit_test(tones_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
