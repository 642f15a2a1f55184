/* The report of a run folder, also of one that was cut off in the middle of a line. */
#include "tests/run_rig.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "gradus/metric.h"
#include "gradus/tools.h"
#include "task/label_score.h"

#include <math.h>
#include <string.h>

static char *page_of(const char *folder, const gr_report_options *o)
{
    char path[4200], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/report.html", folder);
    assert_ok(gr_report_write(folder, path, o));
    assert_ok(gr__file_read(path, 1 << 24, &text, &n));
    assert_int_equal(strlen(text), n);
    return text;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

static void full_report(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    char lines[8192];
    size_t n = 0;
    for (int i = 1; i <= 40; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n,
                              "{\"step\": %d, \"loss\": %g, \"lr\": 0.001, \"grad_norm\": 1.5, \"units\": %d, "
                              "\"seconds\": %g, \"units_per_second\": 1000}\n",
                              i, 4.0 / i, i * 10, i * 0.01);
    n += (size_t)snprintf(lines + n, sizeof lines - n,
                          "{\"step\": 40, \"valid_loss\": 0.1234, \"valid_perplexity\": 1.13}\n{\"step\": 41, \"lo");
    test_write(folder, "metrics.jsonl", lines, n);
    const char config[] = "model:\n  type: gpt # <b>\n",
               card[] = "{\"model_type\": \"gpt2\", \"n_layer\": 2, \"tie\": true, \"list\": [1]}";
    test_write(folder, "config.yaml", config, strlen(config));
    test_write(folder, "config.json", card, strlen(card));
    const char *titles[] = {"Before"}, *samples[] = {"Once <script>alert(1)</script> 很久以前"};
    char *page = page_of(
        folder, &(gr_report_options){.title = "A & B", .sample_titles = titles, .samples = samples, .n_samples = 1});
    assert_int_equal(count(page, "<svg"), 4); /* loss, rate, norm, throughput */
    assert_non_null(strstr(page, "A &amp; B"));
    assert_non_null(strstr(page, "0.1234"));
    assert_non_null(strstr(page, "&lt;script&gt;"));
    assert_non_null(strstr(page, "&lt;b&gt;"));
    assert_non_null(strstr(page, "很久以前"));
    assert_non_null(strstr(page, "n_layer"));
    assert_null(strstr(page, "<script"));
    assert_int_equal(count(page, "http"), count(page, "http://www.w3.org")); /* nothing is loaded */
    gr__free(page);
    test_rmtree(folder);
}

static void count_warnings(void *user, gr_log_level level, const char *line)
{
    *(int *)user += level == GR_LOG_WARNING && strstr(line, "lacks 2 lines of") && strstr(line, "the first is line 2");
}

/* A run that was killed leaves half a line, which is nothing to tell. */
static void lost_lines_are_told(void **state)
{
    (void)state;
    const char *folder = test_tmpdir(),
               text[] = "{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"step\": 2}\nnonsense\n{\"step\": 3, \"lo";
    int told = 0;
    test_write(folder, "metrics.jsonl", text, strlen(text));
    gr_set_log(count_warnings, &told, GR_LOG_WARNING);
    gr__free(page_of(folder, NULL));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_int_equal(told, 1);
    test_rmtree(folder);
}

static void numbers_that_are_not_finite(void **state)
{
    (void)state;
    const char *folder = test_tmpdir(),
               text[] =
                   "{\"step\": 1, \"loss\": null, \"grad_norm\": null}\n{\"step\": 2, \"loss\": 1}\nnonsense\n\n[1]\n";
    test_write(folder, "metrics.jsonl", text, strlen(text));
    char *page = page_of(folder, NULL);
    assert_non_null(strstr(page, "<svg"));
    assert_null(strstr(page, ">nan"));
    assert_null(strstr(page, "\"nan"));
    gr__free(page);
    test_write(folder, "metrics.jsonl", "", 0);
    page = page_of(folder, NULL);
    gr__free(page);
    test_rmtree(folder);
}

/* A loss that is never finite is no 0, nor is one that was finite once; huge ones are short. */
static void losses_out_of_hand(void **state)
{
    (void)state;
    static const char never[] = "{\"step\": 1, \"loss\": null}\n{\"step\": 2, \"loss\": null}\n",
                      late[] =
                          "{\"step\": 1, \"loss\": 10178619444041823422024532361216}\n{\"step\": 2, \"loss\": null}\n",
                      once[] = "{\"step\": 1, \"loss\": 0.5}\n";
    const char *folder = test_tmpdir();
    test_write(folder, "metrics.jsonl", never, strlen(never));
    char *page = page_of(folder, NULL);
    assert_null(strstr(page, "loss, average"));
    assert_non_null(strstr(page, "<b>not finite</b><span>loss at the end</span>"));
    assert_non_null(strstr(page, "no data"));
    gr__free(page);
    test_write(folder, "metrics.jsonl", late, strlen(late));
    page = page_of(folder, NULL);
    assert_non_null(strstr(page, "<b>1.018e+31</b><span>loss, average</span>"));
    assert_non_null(strstr(page, "not finite"));
    gr__free(page);
    test_write(folder, "metrics.jsonl", once, strlen(once));
    page = page_of(folder, NULL);
    assert_non_null(strstr(page, "<b>0.5000</b>"));
    assert_null(strstr(page, "not finite"));
    assert_null(strstr(page, ">0.9<")); /* steps are whole */
    assert_non_null(strstr(page, ">1</text>"));
    gr__free(page);
    test_rmtree(folder);
}

static void no_run(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    char path[4200];
    snprintf(path, sizeof path, "%s/report.html", folder);
    assert_fails(gr_report_write(folder, path, NULL), GR_ERR_NOT_FOUND, "metrics.jsonl");
    assert_false(gr__file_exists(path));
    test_rmtree(folder);
}

/* ---- panels of labels ---- */

enum { LABELS = 70 };

/* Samples that are called what they are, but for those of label 1; the last of 'labels' is not there. */
static gr__label_score *scores_of(gr__conf_strings *names, int labels)
{
    static char text[LABELS][24];
    static const char *item[LABELS];
    gr__label_score *s;
    double p[LABELS];
    for (int k = 0; k < labels; k++) {
        snprintf(text[k], sizeof text[k], "label <%d>", k);
        item[k] = text[k];
    }
    *names = (gr__conf_strings){.item = item, .n = (size_t)labels};
    assert_ok(gr__label_score_new(names, &s));
    for (int i = 0; i < 4 * (labels - 1); i++) {
        int actual = i % (labels - 1), said = actual == 1 ? 0 : actual;
        for (int k = 0; k < labels; k++) p[k] = (k == said ? 0.5 : 0.5 / (labels - 1));
        assert_ok(gr__label_score_add(s, p, actual, i));
    }
    return s;
}

static bool has(gr__label_score *s, const char *name)
{
    gr_metric m[16];
    int n;
    assert_ok(gr__label_score_metrics(s, m, 16, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return true;
    return false;
}

/* Areas are told where every label is there, so that folds do not average different things. */
static void areas_want_all_labels(void **state)
{
    (void)state;
    for (int labels = 2; labels <= 4; labels += 2) {
        gr__conf_strings names;
        gr__label_score *s = scores_of(&names, labels);
        double p[4] = {0.125, 0.125, 0.25, 0.5};
        if (labels == 2) p[1] = 0.875;
        assert_true(has(s, "macro_f1"));
        assert_false(has(s, "auc") || has(s, "average_precision"));
        assert_ok(gr__label_score_add(s, p, labels - 1, 100));
        assert_true(has(s, "auc") && has(s, "average_precision"));
        gr__label_score_free(&s);
    }
}

static void panels_of_labels(void **state)
{
    (void)state;
    gr__conf_strings names;
    gr__str page = {0};
    gr__label_score *s = scores_of(&names, 4);
    assert_ok(gr__label_score_panels(s, NULL, NULL, NULL, &page));
    assert_non_null(strstr(page.text, "<title>ROC, each against the rest; 1 not shown</title>"));
    assert_non_null(strstr(page.text, "<title>Precision and recall, each against the rest; 1 not shown</title>"));
    assert_non_null(strstr(page.text, "label &lt;2&gt; 1.0000"));
    assert_null(strstr(page.text, "more labels"));
    gr__label_score_free(&s);
    gr__str_clear(&page);
    s = scores_of(&names, LABELS);
    assert_ok(gr__label_score_panels(s, NULL, NULL, NULL, &page));
    assert_non_null(strstr(page.text, "6 more labels are not shown"));
    gr__label_score_free(&s);
    gr__str_release(&page);
}

/* Of resamples, without a matrix: the bits of the matrix's. With thousands of labels 300 matrices were minutes. */
static void f1_of_resamples(void **state)
{
    (void)state;
    enum { N = 300, MOST = 3000 };
    static const int sizes[] = {2, 3, 40, MOST};
    static const char *item[MOST];
    static double p[MOST];
    gr__rng r = gr__rng_make(4, 4);
    for (int k = 0; k < MOST; k++) item[k] = "x";
    for (size_t c = 0; c < GR__COUNT(sizes); c++) {
        const gr__conf_strings names = {.item = item, .n = (size_t)sizes[c]};
        uint64_t labels = (uint64_t)sizes[c];
        int32_t actual[N], said[N];
        gr__label_score *s;
        gr_metric m[16];
        int n;
        assert_ok(gr__label_score_new(&names, &s));
        for (int i = 0; i < N; i++) {
            actual[i] = (int32_t)gr__rng_below(&r, labels);
            said[i] = i % 3 ? actual[i] : (int32_t)gr__rng_below(&r, labels);
            for (uint64_t k = 0; k < labels; k++) p[k] = 0.25 / (double)(labels - 1);
            p[said[i]] = 0.75;
            assert_ok(gr__label_score_add(s, p, actual[i], i));
        }
        assert_ok(gr__label_score_metrics(s, m, 16, &n));
        for (int round = 0; round < 4; round++) {
            size_t index[N];
            double f1;
            gr_confusion *matrix;
            gr_confusion_scores all;
            assert_ok(gr_confusion_new((int32_t)labels, &matrix));
            for (int i = 0; i < N; i++) {
                index[i] = round ? (size_t)gr__rng_below(&r, N) : (size_t)i;
                assert_ok(gr_confusion_update(matrix, &actual[index[i]], &said[index[i]], 1));
            }
            gr_confusion_result(matrix, &all);
            assert_ok(gr__label_score_f1(s, index, N, &f1));
            assert_true(f1 == (labels == 2 ? gr_confusion_class(matrix, 1).f1 : all.macro.f1));
            if (!round) assert_true(f1 == value_of(m, n, labels == 2 ? "f1" : "macro_f1"));
            gr_confusion_free(&matrix);
        }
        gr__str page = {0};
        double start = gr__now();
        assert_ok(gr__label_score_panels(s, NULL, NULL, NULL, &page));
        assert_true(gr__now() - start < 3);
        gr__str_release(&page);
        gr__label_score_free(&s);
    }
}

/* ---- panels of rows of numbers ---- */

static void evaluate(const char *source, const char *loss, const char *out)
{
    const char *set[] = {"task=vector",
                         "model={type: linear}",
                         "train.steps=3",
                         "train.batch=4",
                         "data.valid=0.5",
                         "train.eval_every=100",
                         loss};
    gr_run *run;
    assert_ok(run_with(source, set, GR__COUNT(set), out, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "loss") >= 0);
    gr_run_close(&run);
}

static void panels_of_rows(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    char config[4096], out[4096], text[4200], rows[2000] = "a,b,y,z\n";
    size_t n = strlen(rows);
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%d,%d,%d,%d\n", i, i % 3, i % 2, i % 5 == 0);
    test_write(folder, "rows.csv", rows, n);
    snprintf(config, sizeof config, "%s/run.yaml", folder);
    snprintf(text, sizeof text, "data: {source: '%s/rows.csv', target: [y, z]}\n", folder);
    test_write(folder, "run.yaml", text, strlen(text));
    snprintf(out, sizeof out, "%s/decisions", folder);
    evaluate(config, "loss=bce_with_logits", out);
    static const char *const decided[] = {"<title>Confusion", "<title>ROC", "<title>Precision and recall",
                                          "<title>Reliability", ", output 1</td>"};
    for (size_t i = 0; i < GR__COUNT(decided); i++)
        if (!evaluation_shows(out, decided[i])) fail_msg("the evaluation does not show '%s'", decided[i]);
    snprintf(out, sizeof out, "%s/numbers", folder);
    evaluate(config, "loss=mse", out);
    assert_true(evaluation_shows(out, "Predictions of output 1"));
    assert_true(evaluation_shows(out, "<title>Predicted and actual"));
    assert_false(evaluation_shows(out, "<title>ROC"));
    test_rmtree(folder);
}

/* ---- the other tools ---- */

static void text_is_checked(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    const char *twice = "this is the same line twice\nthis is the same line twice\nshort\nshort\n", *tiny = "hi";
    test_write(folder, "a.txt", twice, strlen(twice));
    test_write(folder, "b.md", twice, strlen(twice));
    test_write(folder, "c.txt", tiny, strlen(tiny));
    test_write(folder, "d.bin", tiny, strlen(tiny));
    gr_text_report r;
    assert_ok(gr_text_check(folder, &r));
    assert_int_equal(r.documents, 3);
    assert_int_equal(r.duplicate_documents, 1);
    assert_int_equal(r.duplicate_lines, 3); /* short lines do not count */
    assert_int_equal(r.short_documents, 1);
    assert_int_equal(r.skipped_files, 1);
    assert_int_equal(r.bytes, 2 * strlen(twice) + 2);
    assert_int_equal(r.lines, 9);
    test_rmtree(folder);
}

static void tensors_are_inspected(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    char path[4200];
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    float values[] = {1, 2, 3, 4, NAN, 5};
    const char *names[] = {"w"};
    gr_tensor t = {.dtype = GR_F32, .rank = 2, .dim = {2, 3}, .data = values};
    assert_ok(gr_tensors_save(path, names, &t, 1));
    gr_inspection *f = NULL;
    assert_ok(gr_inspect_open(path, &f));
    assert_string_equal(gr_inspect_format(f), "safetensors");
    assert_int_equal(gr_inspect_parameters(f), 6);
    assert_int_equal(gr_inspect_bytes(f), 24);
    gr_inspect_tensor seen;
    assert_true(gr_inspect_tensor_at(f, 0, &seen));
    assert_string_equal(seen.name, "w");
    assert_string_equal(seen.type, "F32");
    assert_int_equal(seen.rank, 2);
    assert_int_equal(seen.dim[1], 3);
    assert_false(gr_inspect_tensor_at(f, 1, &seen));
    gr_inspect_stats s;
    assert_ok(gr_inspect_stats_at(f, 0, &s));
    assert_int_equal(s.nonfinite, 1);
    assert_true(s.mean == 3 && s.least == 1 && s.most == 5 && fabs(s.deviation - sqrt(2)) < 1e-12);
    assert_fails(gr_inspect_stats_at(f, 1, &s), GR_ERR_ARGUMENT, NULL);
    gr_inspect_close(&f);
    assert_null(f);
    assert_fails(gr_inspect_open(folder, &f), GR_ERR_UNSUPPORTED, "no model");
    test_rmtree(folder);
}

static void configuration_is_explained(void **state)
{
    (void)state;
    char *text;
    assert_ok(gr_config_help(NULL, &text));
    static const char *const keys[] = {"checkpoint_every", "vocab_size", "weight_decay", "context",
                                       "story_bytes",      "labels",     "patience",     "delta"};
    for (size_t i = 0; i < GR__COUNT(keys); i++)
        if (!strstr(text, keys[i])) fail_msg("'%s' is not explained", keys[i]);
    gr_text_free(text);
    assert_ok(gr_config_help("train", &text));
    assert_non_null(strstr(text, "train.optimizer"));
    assert_null(strstr(text, "tokenizer (task"));
    gr_text_free(text);
    assert_fails(gr_config_help("tokeniser", &text), GR_ERR_NOT_FOUND, "did you mean 'tokenizer'?");
}

static void kernels_are_right_here(void **state)
{
    (void)state;
    assert_ok(gr_self_test(NULL, NULL));
    assert_true(gr_peak_flops(false) > 1e8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_report),
        cmocka_unit_test(lost_lines_are_told),
        cmocka_unit_test(numbers_that_are_not_finite),
        cmocka_unit_test(losses_out_of_hand),
        cmocka_unit_test(no_run),
        cmocka_unit_test(areas_want_all_labels),
        cmocka_unit_test(panels_of_labels),
        cmocka_unit_test(f1_of_resamples),
        cmocka_unit_test(panels_of_rows),
        cmocka_unit_test(text_is_checked),
        cmocka_unit_test(tensors_are_inspected),
        cmocka_unit_test(configuration_is_explained),
        cmocka_unit_test(kernels_are_right_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
