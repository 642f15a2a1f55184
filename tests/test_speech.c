/* Sounds to texts: the family ctc against PyTorch's (tests/golden/make_speech.py), decoding against all paths counted out,
 * and the task speech-recognition on strings of tones made here. */
#include "tests/run_rig.h"

#include "base/file.h"
#include "format/safetensors.h"
#include "format/sound.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/train.h"
#include "model/ctc_decode.h"
#include "model/speech.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- decoding ---- */

static void greedy_merges(void **state)
{
    (void)state;
    static const int said[] = {1, 1, 0, 1, 2, 2, 0, 0, 3, 3};
    float logits[10][4] = {{0}};
    int32_t out[10];
    int64_t n;
    for (int t = 0; t < 10; t++) logits[t][said[t]] = 1;
    gr__ctc_greedy(logits[0], 10, 4, out, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(out, ((int32_t[]){1, 1, 2, 3}), sizeof(int32_t[4]));
}

enum { STEPS = 5, SYMBOLS = 3, PATHS = 243 };

/* The likeliest text: the probabilities of all 3^5 paths added up by what they spell, as a number in base 3. */
static int64_t likeliest(const float *logits, int32_t *out)
{
    double share[PATHS] = {0};
    int best = 0;
    for (int path = 0; path < PATHS; path++) {
        double p = 1;
        int text = 0, before = 0;
        for (int t = 0, rest = path; t < STEPS; t++, rest /= SYMBOLS) {
            const float *row = logits + t * SYMBOLS;
            int v = rest % SYMBOLS;
            double sum = 0;
            for (int k = 0; k < SYMBOLS; k++) sum += exp((double)row[k]);
            p *= exp((double)row[v]) / sum;
            if (v && v != before) text = text * SYMBOLS + v;
            before = v;
        }
        share[text] += p;
    }
    for (int k = 1; k < PATHS; k++)
        if (share[k] > share[best]) best = k;
    int64_t n = 0;
    for (int k = best; k; k /= SYMBOLS) n++;
    for (int64_t i = n, k = best; i > 0; k /= SYMBOLS) out[--i] = (int32_t)(k % SYMBOLS);
    return n;
}

static void beam_finds_the_likeliest_text(void **state)
{
    (void)state;
    int other = 0;
    for (int i = 0; i < 200; i++) {
        float logits[STEPS * SYMBOLS];
        int32_t want[STEPS], got[STEPS + 1], quick[STEPS + 1];
        int64_t n, n_quick;
        for (int k = 0; k < STEPS * SYMBOLS; k++) logits[k] = (float)(1.5 * sin(12.9898 * (i * 100 + k * k + k)));
        int64_t n_want = likeliest(logits, want);
        assert_ok(gr__ctc_beam(logits, STEPS, SYMBOLS, 100, got, &n));
        gr__ctc_greedy(logits, STEPS, SYMBOLS, quick, &n_quick);
        assert_int_equal(n, n_want);
        assert_memory_equal(got, want, (size_t)n * sizeof *got);
        other += n_quick != n || memcmp(quick, got, (size_t)n * sizeof *got) != 0;
    }
    assert_true(other > 10); /* or the search would be for nothing */
}

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
    gr_speech_values v;
    gr_tensor t;
    gr_value p[32], d[32];
    int n = 0;
    const gr_tensor *x = golden(name, "x"), *targets = golden(name, "targets");
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_build_speech(m, g, x->dim[0], x->dim[1], train, "run", &v));
    if (train) {
        gr_value y = gr_input(g, "targets", GR_I32, 2, targets->dim),
                 k = gr_input(g, "symbols", GR_I32, 1, targets->dim);
        gr_loss loss = gr_loss_ctc(g, v.logits, y, v.lengths, k, 0, NULL);
        n = gr_graph_params(g, p, 32);
        assert_ok(gr_grad(g, loss.sum, p, n, d));
        for (int i = 0; i < n; i++) gr_output(g, "run", gr_value_path(g, p[i]), d[i]);
        gr_output(g, "run", "loss", loss.sum);
    } else {
        gr_output(g, "run", "logits", v.logits);
    }
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_session_new(plan, m->store, &s));
    give(s, "bands", x);
    give(s, "lengths", golden(name, "lengths"));
    if (train) {
        give(s, "targets", targets);
        give(s, "symbols", golden(name, "symbols"));
    }
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
    static const struct {
        const char *name, *model;
        int64_t mels;
    } cases[] = {{"lstm", "{type: ctc, maps: [3, 4], stride: [2, 1], hidden: 5}", 7},
                 {"gru", "{type: ctc, maps: 3, stride: 2, cell: gru, hidden: 4, layers: 2, forward_only: true}", 6}};
    static const char *symbols[] = {"a", "b", "c", "d"};
    assert_ok(gr__safetensors_open(test_source("tests/golden/speech.safetensors"), &file));
    const char *dir = test_tmpdir();
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        const char *name = cases[i].name;
        gr__arena arena = {0};
        gr__conf *conf;
        gr_model *m;
        char text[200], path[300];
        gr__features f = {.rate = 8000, .window = 200, .hop = 80, .mels = cases[i].mels};
        gr__facts facts = {.labels = {symbols, 4}, .features = &f};
        snprintf(text, sizeof text, "model: %s\n", cases[i].model);
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
        assert_int_equal(gr_model_kind_of(m), GR_MODEL_SPEECH);
        assert_string_equal(gr_model_label(m, 3), "d");
        gr_model_free(&m);
        gr__arena_release(&arena);
    }
    gr__safetensors_close(&file);
    test_rmtree(dir);
}

/* ---- the task ---- */

enum { RATE = 4000, PIECE = 600 };

/* Tones one after the other, each of PIECE samples, that rise and fade: two alike are still two. */
static void write_tones(const char *folder, const char *name, const char *which, int seed)
{
    float room[8 * PIECE];
    gr__sound s = {.frames = (int64_t)strlen(which) * PIECE, .channels = 1, .rate = RATE, .samples = room};
    for (int64_t i = 0; i < s.frames; i++) {
        int k = which[i / PIECE] - 'a';
        room[i] = (float)(0.4 * sin(3.14159265 * (double)(i % PIECE) / PIECE) *
                              sin(6.283185307 * (300 * (1 + 2 * k) + 5 * seed) * (double)i / RATE + seed) +
                          0.01 * sin(1e4 * (double)(i * i + seed)));
    }
    char *path = gr__path_join(folder, name);
    assert_ok(gr__wav_write(path, &s, false));
    gr__free(path);
}

static gr_status train(const char *dir, const char *data, gr_run **out)
{
    char path[300], config[2000], run[300];
    snprintf(run, sizeof run, "%s/run", dir);
    snprintf(path, sizeof path, "%s/test.yaml", dir);
    snprintf(config, sizeof config,
             "task: speech-recognition\ndata:\n  source: %s\n  features: {mels: 16, window_ms: 32, hop_ms: 16}\n%s"
             "model: {type: ctc, maps: [8, 8], stride: [2, 1], hidden: 16}\n"
             "train: {batch: 8, epochs: 25, optimizer: adam, lr: 1e-2, seed: 3, clip: 5}\n",
             dir, data);
    assert_ok(gr__file_write(path, config, strlen(config)));
    return gr_run_open(path, &(gr_run_options){.out = run}, out);
}

/* Joined on the fly from single tones; what is left reads strings out of files, by both ways to decode. */
static void strings_are_understood(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char name[40], path[300], *text;
    gr_run *run;
    for (int i = 0; i < 18; i++) {
        snprintf(name, sizeof name, "%c_%d_%d.wav", 'a' + i % 3, i % 2, i);
        write_tones(dir, name, (const char *[]){"a", "b", "c"}[i % 3], i);
    }
    assert_ok(train(dir,
                    "  pattern: \"{label}_{group}_*\"\n  units: words\n  valid: 0.34\n"
                    "  join: {least: 1, most: 4, gap_ms: 100, samples: 64, valid_samples: 20}\n",
                    &run));
    assert_int_equal(gr_run_describe(run).samples, 64);
    assert_int_equal(gr_run_describe(run).valid_units, 20);
    assert_ok(gr_run_train(run, NULL));
    print_message("strings of tones: WER %.3f\n", metric_of(run, "wer"));
    assert_true(metric_of(run, "wer") < 0.05);
    assert_true(metric_of(run, "exact") > 0.9);
    gr_run_close(&run);

    gr_model *m;
    snprintf(path, sizeof path, "%s/run", dir);
    assert_ok(gr_model_open(path, &m));
    snprintf(path, sizeof path, "%s/string.wav", dir);
    write_tones(dir, "string.wav", "acb", 3);
    for (int64_t beam = 0; beam < 8; beam += 4) {
        assert_ok(gr_transcribe(m, path, &(gr_transcribe_options){.beam = beam}, &text));
        assert_string_equal(text, "a c b");
        gr_text_free(text);
    }
    assert_fails(gr_transcribe(m, "/nowhere.wav", NULL, &text), GR_ERR_NOT_FOUND, "nowhere");
    gr_model_free(&m);
    test_rmtree(dir);
}

/* A table of paths and texts, by characters. */
static void texts_of_a_table(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char name[40], table[4000] = "path\ttext\n", config[600], path[300];
    gr_run *run;
    for (int i = 0; i < 48; i++) {
        char said[5] = {(char)('a' + i % 3), (char)('a' + i / 3 % 3), 0};
        snprintf(name, sizeof name, "%d.wav", i);
        write_tones(dir, name, said, i);
        snprintf(table + strlen(table), sizeof table - strlen(table), "%s\t%s\n", name, said);
    }
    snprintf(path, sizeof path, "%s/list.tsv", dir);
    assert_ok(gr__file_write(path, table, strlen(table)));
    char source[300];
    snprintf(source, sizeof source, "%s/test.yaml", dir);
    snprintf(config, sizeof config,
             "task: speech-recognition\ndata:\n  source: %s\n  features: {mels: 16, window_ms: 32, hop_ms: 16}\n"
             "model: {maps: [8, 8], stride: [2, 1], hidden: 16, cell: gru}\n"
             "train: {batch: 8, epochs: 40, optimizer: adam, lr: 1e-2, seed: 3, clip: 5}\n",
             path);
    assert_ok(gr__file_write(source, config, strlen(config)));
    assert_ok(gr_run_open(source, &(gr_run_options){.no_write = true}, &run));
    assert_int_equal(gr_model_describe(gr_run_model(run)).labels, 3);
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "cer") < 0.1);
    gr_run_close(&run);
    test_rmtree(dir);
}

/* ---- sounds of which nothing can be learnt ---- */

static void keep_warnings(void *user, gr_log_level level, const char *line)
{
    gr__str *all = user;
    if (level == GR_LOG_WARNING) gr__str_printf(all, "%s\n", line);
}

/* Sounds of one, two and six tones, and a text of twelve symbols for one tone; 'more' goes behind the settings. */
static gr_status open_mixed(const char *dir, const char *more, gr__str *warnings, gr_run **run)
{
    static const char *const tones[] = {"a", "ab", "abcabc"};
    const char *source = test_write(dir, "test.yaml", "", 0);
    gr__str table = {0}, config = {0};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.wav", i);
        write_tones(dir, name, tones[i], i);
    }
    gr__str_printf(&table, "path\ttext\n0.wav\ta\n1.wav\tab\n2.wav\tabcabc\n0.wav\taabbccaabbcc\n");
    test_write(dir, "list.tsv", gr__str_get(&table), table.n);
    gr__str_printf(&config,
                   "task: speech-recognition\ndata: {source: %s/list.tsv, valid: 0, features: {mels: 8}, %s}\n"
                   "model: {maps: [4, 4], stride: [2, 2], hidden: 4}\n"
                   "train: {batch: 2, steps: 2, optimizer: adam, lr: 1e-2, clip: 1}\n",
                   dir, more);
    test_write(dir, "test.yaml", gr__str_get(&config), config.n);
    gr__str_clear(warnings);
    gr_set_log(keep_warnings, warnings, GR_LOG_WARNING);
    gr_status status = gr_run_open(source, &(gr_run_options){.no_write = true}, run);
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    gr__str_release(&table);
    gr__str_release(&config);
    return status;
}

static void warns(const gr__str *warnings, const char *part)
{
    if (!strstr(warnings->n ? warnings->text : "", part)) fail_msg("no '%s' in: %s", part, warnings->text);
}

static void unusable_sounds_are_left_out(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    gr__str warnings = {0};
    gr_run *run;
    assert_ok(open_mixed(dir, "seconds: 0.4", &warnings, &run));
    warns(&warnings,
          "1 of 4 training sounds are longer than data.seconds and are not trained on; the first is '2.wav'");
    warns(&warnings, "1 of 4 training texts have more symbols");
    warns(&warnings, "list.tsv:5; lower model.stride");
    assert_int_equal(gr_run_describe(run).samples, 2);
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);

    assert_ok(open_mixed(dir, "seconds: 2", &warnings, &run));
    assert_null(strstr(warnings.text, "data.seconds"));
    assert_int_equal(gr_run_describe(run).samples, 3);
    gr_run_close(&run);

    assert_fails(open_mixed(dir, "seconds: 0.1", &warnings, &run), GR_ERR_DATA, "leaves no sound to train on");
    gr__str_release(&warnings);
    test_rmtree(dir);
}

static void loss_is_zero(void *user, gr_run_event event, const gr_progress *p, const char *text)
{
    (void)user, (void)text;
    if (event == GR_EVENT_STEP) assert_true(p->loss == 0);
}

/* A sample of joined sounds may be too short for its text, and all of a batch: nothing is learnt, and nothing breaks. */
static void a_batch_without_a_loss(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    gr_run *run;
    gr_metric m[8];
    int n;
    write_tones(dir, "0.wav", "a", 0);
    static const char table[] = "path\ttext\n0.wav\taabbccaabbccaabbcc\n";
    char config[600];
    test_write(dir, "list.tsv", table, sizeof table - 1);
    snprintf(config, sizeof config,
             "task: speech-recognition\ndata: {source: %s/list.tsv, valid_source: %s/list.tsv, features: {mels: 8},\n"
             "  join: {least: 1, most: 1, gap_ms: 0, samples: 4, valid_samples: 2}}\n"
             "model: {maps: [4, 4], stride: [2, 2], hidden: 4}\n"
             "train: {batch: 2, steps: 2, optimizer: adam, lr: 1e-2, clip: 1}\n",
             dir, dir);
    const char *path = test_write(dir, "test.yaml", config, strlen(config));
    assert_ok(gr_run_open(path, &(gr_run_options){.no_write = true}, &run));
    assert_ok(gr_run_train(run, &(gr_train_hooks){.event = loss_is_zero}));
    assert_ok(gr_run_evaluate(run, m, 8, &n));
    gr_run_close(&run);
    test_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_merges),          cmocka_unit_test(beam_finds_the_likeliest_text),
        cmocka_unit_test(family_is_pytorchs),     cmocka_unit_test(texts_of_a_table),
        cmocka_unit_test(strings_are_understood), cmocka_unit_test(unusable_sounds_are_left_out),
        cmocka_unit_test(a_batch_without_a_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
