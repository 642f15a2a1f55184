/* Texts to labels from end to end on small data: the three formats, training and predicting, beginnings from a folder,
 * weights of labels, runs that go on, and bad input named by file and line. */
#include "tests/large_rig.h"
#include "tests/run_rig.h"

#include "base/file.h"
#include "data/labelled.h"
#include "gradus/train.h"
#include "model/family.h"
#include "task/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 60 };
static const char *folder; /* of this program's files */

/* The label is whether the text speaks of cats or dogs; every third is a bird, of which there are fewer words. */
static const char *const beasts[] = {"cat", "dog", "bird"};
static const char *const talk[] = {"the %s sat here", "a small %s", "%s, %s and more", "who saw the %s go by",
                                   "my %s!"};

static void compose(int i, char out[128], const char **label)
{
    const char *beast = beasts[i % 3];
    *label = beast;
    snprintf(out, 128, talk[i % 5], beast, beast);
}

static const char *lines_file(const char *name, int n)
{
    gr__str s = {0};
    for (int i = 0; i < n; i++) {
        char text[128];
        const char *label;
        compose(i, text, &label);
        gr__str_printf(&s, "%s %s\n", label, text);
    }
    const char *path = test_write(folder, name, gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

static const char *const tiny[] = {"task=text-classification", "model.layers=1",   "model.heads=2",
                                   "model.width=32",           "model.context=48", "model.dropout=0",
                                   "tokenizer.vocab_size=300", "train.batch=8",    "train.steps=150",
                                   "train.lr=0.005",           "train.seed=3",     "train.eval_every=100"};
enum { N_TINY = GR__COUNT(tiny) };

/* tiny, then up to four settings of the caller's (NULL: none). */
static gr_status open_with(const char *source, const char *const more[4], const char *out, gr_run **run)
{
    const char *set[N_TINY + 4];
    int n = 0;
    for (; n < N_TINY; n++) set[n] = tiny[n];
    for (int i = 0; i < 4 && more && more[i]; i++) set[n++] = more[i];
    return run_with(source, set, n, out, run);
}

/* ---- reading ---- */

static void formats_say_the_same(void **state)
{
    (void)state;
    static const char
        table[] = "label,text\nspam,\"win, now\"\nham,  see you \n\nspam,caf\xC3\xA9\n",
        tab[] = "spam\twin, now\nham\tsee you\nspam\tcaf\xC3\xA9\n",
        lines[] = "\xEF\xBB\xBFspam win, now\r\nham   see you\n\n spam\tcaf\xC3\xA9",
        latin[] = "spam win, now\nham see you\nspam caf\xE9\n",
        json[] = "{\"label\": \"spam\", \"text\": \"win, now\"}\n{\"text\": \" see you\", \"label\": \"ham\"}\n"
                 "{\"label\": \"spam\", \"text\": \"caf\\u00e9\", \"more\": [1]}\n";
    const struct {
        const char *name, *text;
        gr__labelled_options o;
        int64_t last_line;
    } cases[] = {
        {"a.csv", table, {.text = "text", .label = "label"}, 5},
        {"b.tsv", tab, {.text = "1", .label = "0", .header = 2}, 3},
        {"c.txt", lines, {.text = "text", .label = "label"}, 4},
        {"d.txt", latin, {.latin_1 = true}, 3},
        {"e.jsonl", json, {.text = "text", .label = "label"}, 3},
        {"f.data", json, {.text = "text", .label = "label", .format = GR__LABELLED_JSONL}, 3},
    };
    static const char *const texts[] = {"win, now", "see you", "caf\xC3\xA9"}, *const names[] = {"spam", "ham", "spam"};
    for (size_t c = 0; c < GR__COUNT(cases); c++) {
        gr__labelled l;
        gr__arena arena = {0};
        gr__conf_strings labels;
        assert_ok(gr__labelled_read(written(cases[c].name, cases[c].text), &cases[c].o, &l));
        assert_int_equal(l.n, 3);
        for (int i = 0; i < 3; i++) {
            assert_string_equal(l.row[i].text, texts[i]);
            assert_int_equal(l.row[i].n_text, strlen(texts[i]));
            assert_string_equal(l.row[i].label, names[i]);
        }
        assert_int_equal(l.row[2].line, cases[c].last_line);
        assert_ok(gr__labelled_names(&l, 2, &arena, &labels));
        assert_int_equal(labels.n, 2);
        assert_string_equal(labels.item[0], "ham");
        assert_fails(gr__labelled_names(&l, 1, &arena, &labels), GR_ERR_DATA, ":");
        gr__arena_release(&arena);
        gr__labelled_release(&l);
    }
}

static void numbers_are_sorted_as_numbers(void **state)
{
    (void)state;
    gr__labelled l;
    gr__arena arena = {0};
    gr__conf_strings labels;
    const gr__labelled_options o = {.text = "text", .label = "label"};
    assert_ok(gr__labelled_read(written("n.txt", "10 a\n9 b\n-1 c\n9 d\n"), &o, &l));
    assert_ok(gr__labelled_names(&l, 9, &arena, &labels));
    assert_string_equal(labels.item[0], "-1");
    assert_string_equal(labels.item[1], "9");
    assert_string_equal(labels.item[2], "10");
    gr__labelled_release(&l);
    assert_ok(gr__labelled_read(
        written("n.jsonl", "{\"text\": \"a\", \"label\": 7}\n{\"text\": \"b\", \"label\": true}\n"), &o, &l));
    assert_ok(gr__labelled_names(&l, 9, &arena, &labels));
    assert_string_equal(labels.item[0], "7");
    assert_string_equal(labels.item[1], "true");
    gr__labelled_release(&l);
    gr__arena_release(&arena);
}

static void texts_in_both_parts_are_told(void **state)
{
    (void)state;
    gr_run *run;
    char valid[400];
    const char *more[4] = {valid};
    snprintf(valid, sizeof valid, "data.valid_source=%s",
             written("v.txt", "x nobody else says so\ny this again\nx this again\n"));
    assert_ok(open_with(written("t.txt", "x one\ny two\nx this again\n"), more, NULL, &run));
    const char *report = gr_run_report(run);
    assert_non_null(report);
    assert_non_null(strstr(report, "note: 2 texts of the validation part stand in the training part too"));
    assert_non_null(strstr(report, "v.txt:2 is "));
    assert_non_null(strstr(report, "t.txt:3 again"));
    gr_run_close(&run);
    snprintf(valid, sizeof valid, "data.valid_source=%s", written("v.txt", "x nobody else says so\n"));
    assert_ok(open_with(written("t.txt", "x one\ny two\n"), more, NULL, &run));
    assert_null(gr_run_report(run));
    gr_run_close(&run);
}

static void a_deep_line_is_named_and_skipped(void **state)
{
    (void)state;
    gr__labelled l;
    gr__labelled_options o = {.text = "text", .label = "label"};
    char text[300] = "{\"text\": \"a\", \"label\": 1}\n";
    size_t n = strlen(text);
    memset(text + n, '[', 100);
    strcpy(text + n + 100, "\n{\"text\": \"b\", \"label\": 2}\n");
    const char *path = written("deep.jsonl", text);
    assert_fails(gr__labelled_read(path, &o, &l), GR_ERR_DATA, "deep.jsonl:2:65: nested deeper than 64 levels");
    o.skip_bad = true;
    assert_ok(gr__labelled_read(path, &o, &l));
    assert_int_equal(l.n, 2);
    assert_int_equal(l.skipped, 1);
    assert_non_null(strstr(l.first_skipped, "deep.jsonl:2:65: nested"));
    gr__labelled_release(&l);
}

static void bad_input_is_named_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *set, *part;
        gr_status status;
    } cases[] = {
        {"a.txt", "x one\ny two\nx\n", NULL, "a.txt:3: a line is a label", GR_ERR_DATA},
        {"b.txt", "x one\ny caf\xE9\n", NULL, "b.txt:2: byte 0xe9 is not UTF-8; if the file is ISO-8859-1",
         GR_ERR_DATA},
        {"c.txt", "x one\nx two\n", NULL, "all 2 texts have the label 'x'", GR_ERR_DATA},
        {"d.txt", "\n\n", NULL, "no text with a label", GR_ERR_DATA},
        {"e.csv", "label,text\nx,one\ny,\n", NULL, "e.csv:3: column 'text' is empty", GR_ERR_DATA},
        {"f.csv", "label,text\nx,one\n,two\n", NULL, "f.csv:3: column 'label' is empty", GR_ERR_DATA},
        {"g.csv", "label,texts\nx,one\ny,two\n", NULL, "texts", GR_ERR_NOT_FOUND},
        {"h.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"a\"}\n", NULL, "h.jsonl:2: there is no label",
         GR_ERR_DATA},
        {"i.jsonl", "{\"text\": \"a\", \"label\": 1}\n[1, 2\n", NULL, "i.jsonl:2:", GR_ERR_DATA},
        {"i2.jsonl", "{\"text\": \"a\", \"label\": 1}\n {\"text\": \"a\", \"text\": \"a\"}\n", NULL,
         "i2.jsonl:2:21: duplicate object key", GR_ERR_DATA},
        {"i3.jsonl", "{\"text\": \"a\", \"label\": 1}\n[1]\n", NULL, "i3.jsonl:2: the line is no object", GR_ERR_DATA},
        {"j.jsonl", "{\"text\": 5, \"label\": 1}\n", NULL, "j.jsonl:1: there is no text 'text'", GR_ERR_DATA},
        {"k.txt", "x one\ny two\n", "data.length=49", "beyond the model's context of 48", GR_ERR_CONFIG},
        {"l.txt", "x one\ny two\n", "data.length=2", "no room for a text between the 2", GR_ERR_ARGUMENT},
        {"m.txt", "x one\ny two\n", "loss.weights=[1, 2, 3]", "3 numbers, but there are 2 labels", GR_ERR_CONFIG},
        {"n.txt", "x one\ny two\n", "from=/nowhere", "leave 'model' out", GR_ERR_CONFIG},
        {"o.txt", "x one\ny two\n", "model.type=gpt", "'gpt' gives no labels for texts", GR_ERR_CONFIG},
    };
    gr_run *run = NULL;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        const char *more[4] = {cases[i].set};
        assert_fails(open_with(written(cases[i].name, cases[i].text), more, NULL, &run), cases[i].status,
                     cases[i].part);
        assert_null(run);
    }
    char valid[300];
    snprintf(valid, sizeof valid, "data.valid_source=%s", written("v.txt", "cat a cat\ncats two cats\n"));
    const char *more[4] = {valid};
    assert_fails(open_with(lines_file("t.txt", 9), more, NULL, &run), GR_ERR_DATA,
                 "v.txt:2: no text for training has the label 'cats'; did you mean 'cat'?");
    snprintf(valid, sizeof valid, "data.valid_source=%s/absent.txt", folder);
    assert_fails(open_with(lines_file("t.txt", 9), more, NULL, &run), GR_ERR_NOT_FOUND, "absent.txt");
    static const char *const wrong[] = {"task=text-generation", "from=somewhere"};
    assert_fails(gr_run_open(lines_file("t.txt", 9),
                             &(gr_run_options){.overrides = wrong, .n_overrides = 2, .no_write = true}, &run),
                 GR_ERR_CONFIG, "cannot begin with a model's folder");
}

/* ---- training ---- */

/* What the trained model says, to texts alone and in batches of unequal lengths. */
static void check_predictions(const char *dir)
{
    static const char *const told[] = {"a small cat", "my dog!", "bird, bird and more", "the cat sat here", "my bird!"};
    static const int want[] = {1, 2, 0, 1, 0}; /* bird, cat, dog */
    gr_model *m;
    float all[5 * 3], one[3];
    assert_ok(gr_model_open(dir, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_ENCODER);
    assert_string_equal(gr_model_label(m, 0), "bird");
    assert_string_equal(gr_model_label(m, 2), "dog");
    assert_ok(gr_classify(m, told, 5, &(gr_classify_options){.batch = 2}, all));
    for (int i = 0; i < 5; i++) {
        double sum = 0;
        int best = 0;
        assert_ok(gr_classify(m, told + i, 1, NULL, one));
        for (int k = 0; k < 3; k++) {
            sum += one[k];
            if (one[k] > one[best]) best = k;
            assert_true(fabs((double)one[k] - (double)all[3 * i + k]) < 1e-6);
        }
        assert_true(fabs(sum - 1) < 1e-6);
        assert_int_equal(best, want[i]);
    }
    const char *empty[] = {"a cat", ""};
    assert_fails(gr_classify(m, empty, 2, NULL, all), GR_ERR_DATA, "text 2: the text is empty");
    assert_fails(gr_classify(m, empty, 0, NULL, one), GR_ERR_ARGUMENT, "no text");
    assert_fails(gr_classify(m, empty, 1, &(gr_classify_options){.length = 49}, one), GR_ERR_ARGUMENT,
                 "length 49 is not possible; the model's context is 48");
    assert_null(strstr(gr_message(), "batch"));
    gr_model_free(&m);
}

static void a_run_learns_and_predicts(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *source = lines_file("t.txt", TEXTS);
    gr_run *run;
    assert_ok(open_with(source, NULL, dir, &run));
    gr_run_plan p = gr_run_describe(run);
    assert_string_equal(p.task, "text-classification");
    assert_string_equal(p.family, "bert");
    assert_string_equal(p.unit, "text");
    assert_int_equal(p.samples, 48);
    assert_int_equal(p.valid_units, 12);
    assert_int_equal(p.labels, 3);
    assert_int_equal(p.vocab, 0);
    double before = metric_of(run, "loss");
    assert_true(fabs(before - log(3)) < 0.3);
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") < 0.2);
    assert_true(metric_of(run, "accuracy") == 1);
    assert_true(metric_of(run, "macro_f1") == 1);
    gr_run_close(&run);
    check_predictions(dir);
    assert_ok(open_with(source, NULL, dir, &run)); /* it goes on, at its end */
    assert_int_equal(gr_run_describe(run).start_step, 150);
    assert_true(metric_of(run, "accuracy") == 1);
    gr_run_close(&run);
    test_rmtree(dir);
}

/* A byte is a token here: of twelve tokens ten are text. */
static void what_is_cut_off_does_not_count(void **state)
{
    (void)state;
    static const char *const more[4] = {"tokenizer.type=byte", "train.steps=1"};
    const char *dir = test_tmpdir(), *texts[] = {"dogdogdogdogdogdogdog", "dogdogdogd", "dogdogdogdo"};
    gr_run *run;
    gr_model *m;
    float score[3][3];
    assert_ok(open_with(lines_file("t.txt", TEXTS), more, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_ok(gr_classify(m, texts, 3, &(gr_classify_options){.length = 12}, *score));
    assert_memory_equal(score[0], score[1], sizeof *score);
    assert_ok(gr_classify(m, texts, 3, &(gr_classify_options){.length = 13}, *score));
    assert_memory_not_equal(score[0], score[1], sizeof *score);
    assert_memory_equal(score[0], score[2], sizeof *score);
    gr_model_free(&m);
    test_rmtree(dir);
}

static void every_variant_and_tokenizer_learns(void **state)
{
    (void)state;
    static const char *const more[][4] = {{"model.type=roberta", "tokenizer.type=char", "train.steps=300"},
                                          {"model.type=distilbert"},
                                          {"model.type=bert", "train.dtype=bf16", "loss.label_smoothing=0.05"}};
    const char *source = lines_file("t.txt", TEXTS);
    for (size_t i = 0; i < GR__COUNT(more); i++) {
        const char *dir = test_tmpdir();
        gr_run *run;
        assert_ok(open_with(source, more[i], dir, &run));
        assert_ok(gr_run_train(run, NULL));
        assert_true(metric_of(run, "accuracy") == 1);
        gr_run_close(&run);
        check_predictions(dir);
        test_rmtree(dir);
    }
}

/* Validation counts every text once, also where the last batch is not full: 12 texts in batches of 5. */
static void the_last_batch_counts_what_is_there(void **state)
{
    (void)state;
    double loss[3];
    static const char *const more[][4] = {{"train.batch=5"}, {"train.batch=12"}, {"train.batch=40"}};
    for (int i = 0; i < 3; i++) {
        gr_run *run;
        assert_ok(open_with(lines_file("t.txt", TEXTS), more[i], NULL, &run));
        loss[i] = metric_of(run, "loss");
        gr_run_close(&run);
    }
    assert_true(fabs(loss[0] / loss[1] - 1) < 1e-6);
    assert_true(fabs(loss[0] / loss[2] - 1) < 1e-6);
}

/* A model that knows its beasts against a file that lies: of 2 cats, 1 dog and 2 birds one cat is called a dog.
 * cat: 1 right, 1 there, 2 predicted; dog: 1, 2, 1; bird: 2, 2, 2. */
static void metrics_are_counted(void **state)
{
    (void)state;
    char valid[300];
    const char *more[4] = {valid};
    gr_run *run;
    snprintf(valid, sizeof valid, "data.valid_source=%s",
             written("v.txt", "cat my cat!\ndog a small cat\ndog my dog!\nbird my bird!\nbird a small bird\n"));
    assert_ok(open_with(lines_file("t.txt", TEXTS), more, NULL, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(fabs(metric_of(run, "accuracy") - 0.8) < 1e-9);
    assert_true(fabs(metric_of(run, "macro_f1") - (2.0 / 3 + 2.0 / 3 + 1) / 3) < 1e-9);
    gr_run_close(&run);
}

static void rare_labels_weigh_more(void **state)
{
    (void)state;
    gr_run *run;
    const char *source = written("w.txt", "a x\na y\na z\nb w\n");
    static const char *const plain[4] = {"data.valid=0"}, *const balanced[4] = {"data.valid=0", "loss.balanced=true"},
                             *const given[4] = {"data.valid=0", "loss.weights=[0.6666667, 2]"},
                             *const both[4] = {"loss.balanced=true", "loss.weights=[1, 2]"},
                             *const smooth[4] = {"loss.balanced=true", "loss.label_smoothing=0.1"};
    const char *const *const ways[] = {plain, balanced, given};
    double loss[3];
    for (int i = 0; i < 3; i++) { /* the first step's loss on all four */
        const char *more[4] = {ways[i][0], ways[i][1], "train.batch=full", "train.steps=1"};
        const char *set[4];
        int n = 0;
        for (int k = 0; k < 4; k++)
            if (more[k]) set[n++] = more[k];
        for (; n < 4; n++) set[n] = NULL;
        const char *dir = test_tmpdir();
        assert_ok(open_with(source, set, dir, &run));
        assert_ok(gr_run_train(run, NULL));
        gr_run_close(&run);
        char path[300], *text;
        size_t size;
        snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
        assert_ok(gr__file_read(path, 1 << 16, &text, &size));
        loss[i] = strtod(strstr(text, "\"loss\": ") + 8, NULL);
        gr__free(text);
        test_rmtree(dir);
    }
    assert_true(fabs(loss[1] / loss[2] - 1) < 1e-5);
    assert_true(fabs(loss[1] / loss[0] - 1) > 1e-4);
    const char *weighted[4] = {"loss.weights=[1, 9]"}; /* of training alone */
    char valid[300];
    snprintf(valid, sizeof valid, "data.valid_source=%s", source);
    weighted[1] = valid;
    assert_ok(open_with(source, weighted, NULL, &run));
    assert_true(fabs(metric_of(run, "loss") - metric_of(run, "log_loss")) < 1e-5);
    gr_run_close(&run);
    assert_fails(open_with(source, both, NULL, &run), GR_ERR_CONFIG, "exclude each other");
    assert_fails(open_with(source, smooth, NULL, &run), GR_ERR_CONFIG, "does not go together");
}

static void a_threshold_says_what_is_said(void **state)
{
    (void)state;
    static const char *const thresholds[] = {"threshold=0", "threshold=1", "threshold=f1"};
    char valid[300];
    snprintf(valid, sizeof valid, "data.valid_source=%s", written("v2.txt", "a x x\nb y y\na x y\nb y x\nb y\n"));
    for (int i = 0; i < 3; i++) {
        const char *more[4] = {valid, thresholds[i]};
        gr_run *run;
        assert_ok(open_with(written("two.txt", "a x\na x x\nb y\nb y y\n"), more, NULL, &run));
        assert_ok(gr_run_train(run, NULL));
        double recall = metric_of(run, "recall"), f1 = metric_of(run, "f1");
        assert_true(i == 0 ? recall == 1 : i == 1 ? recall == 0 : f1 == metric_of(run, "best_f1"));
        assert_true(metric_of(run, "threshold") == gr_model_threshold(gr_run_model(run)));
        gr_run_close(&run);
    }
}

/* ---- beginnings ---- */

static gr_status open_from(const char *source, const char *from, const char *steps, const char *out, gr_run **run)
{
    char text[300];
    snprintf(text, sizeof text, "from=%s", from);
    const char *set[] = {"task=text-classification", text, steps, "train.batch=8", "train.lr=0.01"};
    return gr_run_open(source, &(gr_run_options){.overrides = set, .n_overrides = 5, .out = out, .no_write = !out},
                       run);
}

static void a_run_begins_with_a_folder(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *next = test_tmpdir(), *source = lines_file("t.txt", TEXTS);
    gr_run *run;
    gr_tensor a, b;
    gr_model *m;
    assert_ok(open_with(source, NULL, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    /* the same labels: all of it is taken over */
    assert_ok(open_from(source, dir, "train.steps=1", NULL, &run));
    assert_true(metric_of(run, "accuracy") == 1);
    gr_run_close(&run);
    /* other labels: the body is taken over, the head begins anew */
    assert_ok(open_from(written("o.txt", "yes a cat\nno a dog\nyes my cat\nno two dogs\nyes cat\n"), dir,
                        "train.steps=30", next, &run));
    assert_int_equal(gr_run_describe(run).labels, 2);
    metric_of(run, "loss"); /* makes the weights */
    assert_ok(gr_model_open(dir, &m));
    assert_ok(gr_store_get(gr_model_store(m), "bert.embeddings.word_embeddings.weight", &a));
    assert_ok(gr_store_get(gr_model_store(gr_run_model(run)), "bert.embeddings.word_embeddings.weight", &b));
    assert_memory_equal(a.data, b.data, gr_tensor_size_bytes(&a));
    gr_model_free(&m);
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(next, &m));
    const char *text = "a cat";
    float scores[2];
    assert_ok(gr_classify(m, &text, 1, NULL, scores));
    assert_string_equal(gr_model_label(m, scores[1] > scores[0]), "yes");
    gr_model_free(&m);
    assert_fails(open_from(source, folder, "train.steps=1", NULL, &run), GR_ERR_NOT_FOUND, "no config.json");
    assert_fails(open_from(source, test_source("tests/golden/models/bert-tiny"), "train.steps=1", NULL, &run),
                 GR_ERR_DATA, "tokenizer.path");
    assert_fails(open_from(source, test_source("tests/golden/models/gpt2-tiny"), "train.steps=1", NULL, &run),
                 GR_ERR_UNSUPPORTED, "encoder");
    test_rmtree(dir);
    test_rmtree(next);
}

static void gradients_are_right(void **state)
{
    (void)state;
    static const char *const more[4] = {"model.width=8", "model.layers=1", "loss.balanced=true", "train.batch=3"};
    gr_run *run;
    assert_ok(open_with(lines_file("t.txt", 12), more, NULL, &run));
    assert_ok(gr_run_check_gradients(run, 2, NULL, NULL));
    gr_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_say_the_same),
        when_large(formats_say_the_same),
        when_large(bad_input_is_named_by_line),
        cmocka_unit_test(numbers_are_sorted_as_numbers),
        cmocka_unit_test(a_deep_line_is_named_and_skipped),
        cmocka_unit_test(texts_in_both_parts_are_told),
        cmocka_unit_test(bad_input_is_named_by_line),
        cmocka_unit_test(a_run_learns_and_predicts),
        cmocka_unit_test(what_is_cut_off_does_not_count),
        cmocka_unit_test(every_variant_and_tokenizer_learns),
        cmocka_unit_test(the_last_batch_counts_what_is_there),
        cmocka_unit_test(metrics_are_counted),
        cmocka_unit_test(rare_labels_weigh_more),
        cmocka_unit_test(a_threshold_says_what_is_said),
        cmocka_unit_test(a_run_begins_with_a_folder),
        cmocka_unit_test(gradients_are_right),
    };
    folder = test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
