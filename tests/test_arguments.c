/* NULL where something must be: every function that returns a status says so (gradus/base.h), before it reads anything. */
#include "tests/test.h"

#include "gradus/bench.h"
#include "gradus/data.h"
#include "gradus/metric.h"
#include "gradus/onnx.h"
#include "gradus/stories.h"
#include "gradus/table.h"
#include "gradus/text.h"
#include "gradus/tools.h"

#define REFUSED(call) assert_fails(call, GR_ERR_ARGUMENT, "NULL")

static const int32_t id[2] = {0, 1};
static const double number[4] = {0.5, 0.5, 0.5, 0.5};
static double d;

static void scores(void **state)
{
    (void)state;
    gr_confusion *confusion;
    gr_probability *probability;
    gr_curve *curve;
    gr_curve_set *set;
    gr_regression *regression;
    gr_confusion_scores counted;
    REFUSED(gr_confusion_new(2, NULL));
    REFUSED(gr_probability_new(2, NULL, NULL));
    REFUSED(gr_curve_new(NULL));
    REFUSED(gr_curve_set_new(2, NULL));
    REFUSED(gr_regression_new(NULL));
    assert_ok(gr_confusion_new(2, &confusion));
    assert_ok(gr_probability_new(2, NULL, &probability));
    assert_ok(gr_curve_new(&curve));
    assert_ok(gr_curve_set_new(2, &set));
    assert_ok(gr_regression_new(&regression));
    REFUSED(gr_confusion_update(NULL, id, id, 2));
    REFUSED(gr_confusion_update(confusion, NULL, id, 2));
    REFUSED(gr_confusion_update(confusion, id, NULL, 2));
    REFUSED(gr_confusion_merge(confusion, NULL));
    assert_ok(gr_confusion_update(confusion, NULL, NULL, 0));
    gr_confusion_result(confusion, &counted);
    assert_int_equal(counted.n, 0);
    REFUSED(gr_probability_update(NULL, number, id, 2));
    REFUSED(gr_probability_update(probability, NULL, id, 2));
    REFUSED(gr_probability_update(probability, number, NULL, 2));
    REFUSED(gr_probability_merge(probability, NULL));
    REFUSED(gr_curve_update(NULL, number, id, 2));
    REFUSED(gr_curve_update(curve, NULL, id, 2));
    REFUSED(gr_curve_update(curve, number, NULL, 2));
    REFUSED(gr_curve_merge(NULL, curve));
    REFUSED(gr_curve_result(curve, NULL));
    REFUSED(gr_curve_points(curve, NULL, &(size_t){0}));
    REFUSED(gr_curve_threshold(curve, GR_THRESHOLD_F1, 0, NULL));
    REFUSED(gr_curve_set_update(set, NULL, id, 2));
    REFUSED(gr_curve_set_update(set, number, NULL, 2));
    REFUSED(gr_curve_set_merge(set, NULL));
    REFUSED(gr_curve_set_result(set, NULL));
    REFUSED(gr_regression_update(NULL, number, number, 2));
    REFUSED(gr_regression_update(regression, number, NULL, 2));
    REFUSED(gr_regression_merge(regression, NULL));
    REFUSED(gr_regression_result(regression, NULL));
    gr_confusion_free(&confusion);
    gr_probability_free(&probability);
    gr_curve_free(&curve);
    gr_curve_set_free(&set);
    gr_regression_free(&regression);
}

static void texts_boxes_and_clusters(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    gr_bleu bleu = {0};
    gr_rouge rouge = {0};
    gr_edits edits = {0};
    gr_ranking ranking = {.k = 1};
    gr_detections *detections;
    gr_contingency *pairs;
    gr_interval interval;
    REFUSED(gr_bleu_update(NULL, NULL, "a", none, 1));
    REFUSED(gr_bleu_update(&bleu, NULL, NULL, none, 1));
    REFUSED(gr_bleu_update(&bleu, NULL, "a", NULL, 1));
    REFUSED(gr_bleu_update(&bleu, NULL, "a", none, 1));
    REFUSED(gr_rouge_update(&rouge, NULL, "a"));
    REFUSED(gr_rouge_update(&rouge, "a", NULL));
    REFUSED(gr_edit_distance(NULL, 2, id, 2, &(int64_t){0}));
    REFUSED(gr_edit_distance(id, 2, id, 2, NULL));
    REFUSED(gr_edits_update_words(&edits, NULL, "a"));
    REFUSED(gr_edits_update_characters(NULL, "a", "a"));
    REFUSED(gr_ranking_update(&ranking, number, NULL, 2));
    REFUSED(gr_ranking_merge(&ranking, NULL));
    REFUSED(gr_detections_new(2, NULL));
    assert_ok(gr_detections_new(2, &detections));
    REFUSED(gr_detections_update(detections, NULL, 1, NULL, 0));
    REFUSED(gr_detections_update(detections, NULL, 0, NULL, 1));
    REFUSED(gr_detections_merge(detections, NULL));
    REFUSED(gr_detections_result(detections, -1, NULL));
    gr_detections_free(&detections);
    REFUSED(gr_frechet_distance(NULL, 2, number, 2, 1, &d));
    REFUSED(gr_frechet_distance(number, 2, number, 2, 1, NULL));
    REFUSED(gr_silhouette(NULL, id, 2, 1, NULL, &d));
    REFUSED(gr_silhouette(number, id, 2, 1, NULL, NULL));
    REFUSED(gr_contingency_new(NULL));
    assert_ok(gr_contingency_new(&pairs));
    REFUSED(gr_contingency_update(pairs, id, NULL, 2));
    REFUSED(gr_contingency_merge(pairs, NULL));
    gr_contingency_free(&pairs);
    REFUSED(gr_bootstrap(2, NULL, NULL, NULL, &interval));
    REFUSED(gr_bootstrap_difference(2, NULL, NULL, NULL, NULL, &interval));
}

static void pictures(void **state)
{
    (void)state;
    char *svg = "not NULL";
    gr_forecast unseen = {.n = 2};
    REFUSED(gr_plot_roc(NULL, NULL, &svg));
    REFUSED(gr_plot_roc_set(NULL, NULL, &svg));
    REFUSED(gr_plot_precision_recall_set(NULL, NULL, &svg));
    assert_null(svg);
    REFUSED(gr_plot_precision_recall(NULL, NULL, &svg));
    REFUSED(gr_plot_threshold(NULL, 0.5, NULL, &svg));
    REFUSED(gr_plot_reliability(NULL, NULL, &svg));
    REFUSED(gr_plot_confusion(NULL, NULL, &svg));
    REFUSED(gr_plot_scatter(number, NULL, 2, NULL, &svg));
    REFUSED(gr_plot_forecast(NULL, NULL, &svg));
    REFUSED(gr_plot_forecast(&unseen, NULL, &svg));
    REFUSED(gr_plot_histogram(NULL, 2, NULL, &svg));
    REFUSED(gr_plot_histogram(number, 2, NULL, NULL));
}

static void records(void **state)
{
    (void)state;
    gr_column_stats stats;
    REFUSED(gr_records_open(NULL, NULL, NULL));
    REFUSED(gr_records_save(NULL, "x.csv"));
    REFUSED(gr_records_column(NULL, "x", &(int64_t){0}));
    REFUSED(gr_records_stats(NULL, 0, &stats));
    REFUSED(gr_records_overlap(NULL, NULL, NULL, 0, &(int64_t){0}, NULL, NULL));
    REFUSED(gr_records_clean(NULL, NULL, NULL));
    REFUSED(gr_records_split(NULL, NULL, NULL));
    REFUSED(gr_records_dedup(NULL, NULL, NULL));
    REFUSED(gr_records_balance(NULL, &(gr_balance_options){.target = "x"}));
}

static void runs_and_models(void **state)
{
    (void)state;
    char *text;
    int n;
    int64_t rows;
    gr_metric metric;
    gr_lm_score score;
    REFUSED(gr_run_open("x.yaml", NULL, NULL));
    REFUSED(gr_run_config(NULL, &text));
    REFUSED(gr_run_print_plan(NULL, &text));
    REFUSED(gr_run_time_step(NULL, &d));
    REFUSED(gr_run_train(NULL, NULL));
    REFUSED(gr_run_evaluate(NULL, &metric, 1, &n));
    REFUSED(gr_run_check_gradients(NULL, 0, NULL, NULL));
    REFUSED(gr_run_folds("x.yaml", NULL, 2, NULL, NULL, NULL, NULL, NULL, 1, &n));
    REFUSED(gr_run_folds("x.yaml", NULL, 2, NULL, NULL, NULL, NULL, NULL, 0, NULL));
    REFUSED(gr_run_leaks(NULL, &rows, &rows, &rows));
    REFUSED(gr_run_duplicates(NULL, &rows));
    REFUSED(gr_report_write(NULL, "x.html", NULL));
    REFUSED(gr_report_write("x", NULL, NULL));
    REFUSED(gr_report_write("x", "x.html", &(gr_report_options){.n_samples = 1}));
    REFUSED(gr_report_write("x", "x.html", &(gr_report_options){.samples = (const char *[]){NULL}, .n_samples = 1}));
    REFUSED(gr_model_set_threshold(NULL, 0.5));
    REFUSED(gr_model_score_text(NULL, "x.txt", NULL, &score));
    REFUSED(gr_table_predict(NULL, "x.csv", NULL, NULL));
    REFUSED(gr_table_score(NULL, "x.csv", NULL, &metric, 1, &n));
}

static void tools(void **state)
{
    (void)state;
    gr_inspection *file;
    gr_inspect_stats stats;
    gr_text_report report;
    gr_onnx *onnx;
    char *text;
    size_t n;
    REFUSED(gr_inspect_open(NULL, &file));
    REFUSED(gr_inspect_open("x", NULL));
    REFUSED(gr_inspect_stats_at(NULL, 0, &stats));
    REFUSED(gr_config_help(NULL, NULL));
    REFUSED(gr_text_check(NULL, &report));
    REFUSED(gr_text_check("x", NULL));
    REFUSED(gr_tensors_save(NULL, NULL, NULL, 0));
    REFUSED(gr_tensors_save("x.safetensors", NULL, NULL, 1));
    assert_fails(gr_tensors_save("x", (const char *[]){NULL}, &(gr_tensor){.dtype = GR_F32}, 1), GR_ERR_ARGUMENT,
                 "name");
    REFUSED(gr_onnx_open(NULL, &onnx));
    REFUSED(gr_onnx_open_bytes(NULL, 5, "x", &onnx));
    REFUSED(gr_onnx_open_bytes("", 0, NULL, &onnx));
    REFUSED(gr_onnx_run(NULL, NULL, 0, NULL, 0));
    REFUSED(gr_onnx_check(NULL, NULL, NULL, NULL));
    REFUSED(gr_bench_measure_limits(NULL));
    REFUSED(gr_bench_open(NULL, NULL, NULL));
    REFUSED(gr_bench_run(NULL, &d, &d));
    REFUSED(gr_bench_profile(NULL, true));
    REFUSED(gr_stories_write(NULL, NULL, &n));
    REFUSED(gr_stories_write(NULL, &text, NULL));
    REFUSED(gr_stories_check(NULL, "a", 1));
    REFUSED(gr_stories_check("en", NULL, 1));
    assert_fails(gr_tokenizer_fingerprint(NULL, &(uint64_t){0}), GR_ERR_ARGUMENT, "needs a tokenizer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores),  cmocka_unit_test(texts_boxes_and_clusters), cmocka_unit_test(pictures),
        cmocka_unit_test(records), cmocka_unit_test(runs_and_models),          cmocka_unit_test(tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
