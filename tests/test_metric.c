/* Metrics: values that can be checked by hand, what is undefined and why, refusals, merging, bootstrap intervals, and an
 * allocation that fails at any moment. Numbers of other libraries: test_metric_golden.c. */
#include "tests/test.h"

#include "base/rng.h"
#include "gradus/metric.h"
#include "metric/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_is(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want)))) fail_msg("%.17g, not %.17g", got, want);
}

static void assert_undefined(double got, const char *why, const char *part)
{
    assert_true(isnan(got));
    assert_non_null(why);
    if (!strstr(why, part)) fail_msg("'%s' does not say '%s'", why, part);
}

/* ---- by hand ---- */

/* Two detections of one object that need not be found, and one of one that must: COCO lets one pass, VOC both. */
static void difficult_objects(void **state)
{
    (void)state;
    const gr_detection found[] = {{{50, 0, 10, 10}, 0, 0.9}, {{51, 0, 10, 10}, 0, 0.8}, {{0, 0, 10, 10}, 0, 0.7}};
    for (int way = 0; way < 2; way++) {
        const gr_truth truth[] = {{.box = {0, 0, 10, 10}},
                                  {.box = {50, 0, 10, 10}, .ignore = way == 0, .difficult = way == 1}};
        gr_detections *d;
        gr_detection_scores s;
        assert_ok(gr_detections_new(1, &d));
        assert_ok(gr_detections_update(d, truth, 2, found, 3));
        assert_ok(gr_detections_result(d, -1, &s));
        assert_true(way ? s.ap50 > 0.999 : fabs(s.ap50 - 0.5) < 1e-9);
        gr_detections_free(&d);
    }
}

static void confusion_by_hand(void **state)
{
    (void)state;
    const int32_t actual[] = {0, 0, 1, 1, 1, 2}, predicted[] = {0, 1, 1, 1, 0, 0};
    gr_confusion *c, *other;
    gr_confusion_scores s;
    assert_ok(gr_confusion_new(4, &c));
    gr_confusion_result(c, &s);
    assert_undefined(s.accuracy, s.undefined, "no samples");
    assert_true(isnan(s.macro.f1) && isnan(s.mcc));
    assert_ok(gr_confusion_update(c, actual, predicted, 6));
    gr_confusion_result(c, &s);
    assert_null(s.undefined);
    assert_is(s.accuracy, 3.0 / 6);
    assert_is(s.balanced_accuracy, (1.0 / 2 + 2.0 / 3 + 0) / 3); /* class 3 does not occur */
    assert_is(s.macro.precision, (1.0 / 3 + 2.0 / 3 + 0) / 3);
    assert_is(s.weighted.recall, 3.0 / 6);
    assert_int_equal(gr_confusion_count(c, 1, 0), 1);
    gr_precision_recall one = gr_confusion_class(c, 3);
    assert_is(one.precision, 0);
    assert_is(one.f1, 0);
    const int32_t bad = 4, zero = 0;
    assert_fails(gr_confusion_update(c, &zero, &bad, 1), GR_ERR_DATA, "classes are 0 to 3");
    static const int32_t outside[] = {-1, 4, 99, 100000000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(gr_confusion_count(c, outside[i], 0) + gr_confusion_count(c, 0, outside[i]), 0);
        gr_precision_recall none = gr_confusion_class(c, outside[i]);
        assert_true(none.support == 0 && none.precision == 0 && none.recall == 0 && none.f1 == 0);
    }
    assert_ok(gr_confusion_new(3, &other));
    assert_fails(gr_confusion_merge(c, other), GR_ERR_SHAPE, "4 and 3");
    gr_confusion_clear(c);
    gr_confusion_result(c, &s);
    assert_int_equal(s.n, 0);
    gr_confusion_free(&c);
    gr_confusion_free(&other);
    assert_fails(gr_confusion_new(1, &c), GR_ERR_ARGUMENT, "2 classes");
    assert_fails(gr_confusion_new(1518500250, &c), GR_ERR_LIMIT, "at most 1048576");
    assert_null(c);
}

static void probabilities_are_probabilities(void **state)
{
    (void)state;
    gr_probability *p;
    gr_probability_scores s;
    const double logits[] = {2, -1}, half[] = {0.5, 0.4}, good[] = {0.75, 0.25, 0.25, 0.75};
    const int32_t zero[] = {0, 0};
    assert_ok(gr_probability_new(2, NULL, &p));
    assert_fails(gr_probability_update(p, logits, zero, 1), GR_ERR_DATA, "no probability");
    assert_fails(gr_probability_update(p, half, zero, 1), GR_ERR_DATA, "softmax");
    gr_probability_result(p, &s);
    assert_undefined(s.log_loss, s.undefined, "no samples");
    assert_ok(gr_probability_update(p, good, zero, 2));
    gr_probability_result(p, &s);
    assert_is(s.log_loss, -(log(0.75) + log(0.25)) / 2);
    assert_is(s.brier, (0.0625 + 0.5625) / 2);
    assert_is(s.calibration_error, 0.25); /* confidence .75 twice, right once */
    gr_probability_free(&p);
    assert_fails(gr_probability_new(3, &(gr_probability_options){.bins = -1}, &p), GR_ERR_ARGUMENT, "bins");
}

static void curves_by_hand(void **state)
{
    (void)state;
    const double score[] = {0.9, 0.8, 0.7, 0.6}, bad = NAN;
    const int32_t actual[] = {1, 0, 1, 0}, ones[] = {1, 1, 1, 1}, zeros[] = {0, 0, 0, 0}, two = 2;
    gr_curve *c;
    gr_curve_scores s;
    gr_threshold t;
    char *svg;
    assert_ok(gr_curve_new(&c));
    assert_ok(gr_curve_result(c, &s));
    assert_undefined(s.auc, s.undefined, "no samples");
    assert_ok(gr_curve_update(c, score, actual, 4));
    assert_ok(gr_curve_result(c, &s));
    assert_is(s.auc, 0.75);
    assert_is(s.average_precision, (1 + 2.0 / 3) / 2);
    assert_ok(gr_curve_threshold(c, GR_THRESHOLD_F1, 0, &t));
    assert_is(t.threshold, 0.7);
    assert_is(t.f1, 0.8);
    assert_ok(gr_curve_threshold(c, GR_THRESHOLD_PRECISION, 0.9, &t));
    assert_is(t.threshold, 0.9);
    assert_is(t.recall, 0.5);
    assert_ok(gr_curve_threshold(c, GR_THRESHOLD_RECALL, 1, &t));
    assert_is(t.threshold, 0.7);
    assert_fails(gr_curve_threshold(c, GR_THRESHOLD_RECALL, 1.5, &t), GR_ERR_ARGUMENT, "0 to 1");
    assert_ok(gr_curve_threshold(c, GR_THRESHOLD_YOUDEN, 0, &t));
    assert_is(t.threshold, 0.9); /* 1/2 - 0; at 0.7 it is 1 - 1/2, and the highest of equals counts */
    assert_ok(gr_plot_threshold(c, 0.7, NULL, &svg));
    assert_non_null(strstr(svg, "used 0.7000"));
    gr_text_free(svg);
    assert_fails(gr_curve_update(c, &bad, ones, 1), GR_ERR_DATA, "nan");
    assert_fails(gr_curve_update(c, score, &two, 1), GR_ERR_DATA, "class 2");
    gr_curve_set *vast;
    assert_fails(gr_curve_set_new(INT32_MAX, &vast), GR_ERR_LIMIT, "at most 1048576");
    gr_curve_free(&c);
    const struct {
        const int32_t *actual;
        double ap;
    } one_class[] = {{ones, 1}, {zeros, 0}};
    for (int i = 0; i < 2; i++) {
        assert_ok(gr_curve_new(&c));
        assert_ok(gr_curve_update(c, score, one_class[i].actual, 4));
        assert_ok(gr_curve_result(c, &s));
        assert_undefined(s.auc, s.undefined, "one class");
        assert_is(s.average_precision, one_class[i].ap);
        assert_ok(gr_curve_threshold(c, GR_THRESHOLD_F1, 0, &t));
        assert_true(isnan(t.threshold) == (one_class[i].actual == zeros));
        gr_curve_free(&c);
    }
}

static void numbers_by_hand(void **state)
{
    (void)state;
    const double actual[] = {1, 2, 3}, predicted[] = {2, 2, 5}, constant[] = {7, 7, 7}, bad = INFINITY;
    gr_regression *r;
    gr_regression_scores s;
    assert_ok(gr_regression_new(&r));
    assert_ok(gr_regression_result(r, &s));
    assert_undefined(s.mse, s.undefined, "no samples");
    assert_ok(gr_regression_update(r, actual, predicted, 1));
    assert_ok(gr_regression_result(r, &s));
    assert_undefined(s.r2, s.undefined, "two samples");
    assert_ok(gr_regression_update(r, actual + 1, predicted + 1, 2));
    assert_ok(gr_regression_result(r, &s));
    assert_is(s.mse, 5.0 / 3);
    assert_is(s.median_absolute_error, 1);
    assert_is(s.mape, (1 + 0 + 2.0 / 3) / 3);
    assert_is(s.r2, 1 - 5.0 / 2);
    assert_is(s.explained_variance, 0);
    assert_fails(gr_regression_update(r, &bad, actual, 1), GR_ERR_DATA, "inf");
    gr_regression_free(&r);
    double far[4] = {0, 0.25, 1, 3}, said[4] = {0.5, 0.25, 0.75, 2}, r2 = 0;
    for (int moved = 0; moved < 3; moved++) { /* the same numbers, far from 0, and in two parts */
        gr_regression *rest;
        assert_ok(gr_regression_new(&r));
        assert_ok(gr_regression_new(&rest));
        assert_ok(gr_regression_update(r, far, said, 2));
        assert_ok(gr_regression_update(moved == 2 ? rest : r, far + 2, said + 2, 2));
        assert_ok(gr_regression_merge(r, rest));
        assert_ok(gr_regression_result(r, &s));
        if (!moved) r2 = s.r2;
        assert_is(s.r2, r2);
        for (int i = 0; i < 4 && !moved; i++) far[i] += 0x1p28, said[i] += 0x1p28;
        gr_regression_free(&r);
        gr_regression_free(&rest);
    }
    const double large[] = {1e200, -1e200}, nothing_said[] = {0, 0};
    assert_ok(gr_regression_new(&r));
    assert_ok(gr_regression_update(r, large, nothing_said, 2));
    assert_ok(gr_regression_result(r, &s));
    assert_undefined(s.r2, s.undefined, "too large");
    gr_regression_free(&r);
    for (int perfect = 0; perfect < 2; perfect++) {
        assert_ok(gr_regression_new(&r));
        assert_ok(gr_regression_update(r, constant, perfect ? constant : actual, 3));
        assert_ok(gr_regression_result(r, &s));
        assert_is(s.r2, perfect);
        gr_regression_free(&r);
    }
}

static void texts_by_hand(void **state)
{
    (void)state;
    const char *reference[] = {"the cat sat on the mat"}, *nothing[] = {""};
    gr_bleu b = {0}, again;
    assert_ok(gr_bleu_update(&b, NULL, "the cat sat on the mat", reference, 1));
    assert_is(gr_bleu_result(&b, NULL), 100);
    again = b;
    gr_bleu_merge(&b, &again);
    assert_int_equal(b.match[3], 6);
    b = (gr_bleu){0};
    assert_ok(gr_bleu_update(&b, NULL, "", nothing, 1));
    assert_is(gr_bleu_result(&b, NULL), 0);
    assert_fails(gr_bleu_update(&b, NULL, "a \xFF", reference, 1), GR_ERR_DATA, "hypothesis is not UTF-8 at byte 2");
    assert_fails(gr_bleu_update(&b, NULL, "a", reference, 0), GR_ERR_ARGUMENT, "reference");
    const gr_bleu_options odd[] = {
        {.floor = -1}, {.floor = NAN}, {.smoothing = (gr_bleu_smoothing)9}, {.words = (gr_bleu_words)9}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_fails(gr_bleu_update(&b, &odd[i], "a", reference, 1), GR_ERR_ARGUMENT, "BLEU has no");
        assert_true(isnan(gr_bleu_result(&b, &odd[i])));
    }

    gr_rouge r = {0};
    gr_rouge_score s[3];
    gr_rouge_result(&r, s);
    assert_true(isnan(s[0].f));
    assert_ok(gr_rouge_update(&r, "The cat sat", "the cat"));
    gr_rouge_result(&r, s);
    assert_is(s[0].precision, 1);
    assert_is(s[0].recall, 2.0 / 3);
    assert_is(s[1].recall, 1.0 / 2);
    assert_is(s[2].f, 0.8);

    gr_edits e = {0};
    int64_t d;
    assert_ok(gr_edits_update_characters(&e, "kitten", "sitting"));
    assert_int_equal(e.edits, 3);
    assert_is(gr_edits_rate(&e), 0.5);
    e = (gr_edits){0};
    assert_ok(gr_edits_update_words(&e, "", "two words"));
    assert_is(gr_edits_rate(&e), 2); /* as jiwer: the insertions */
    e = (gr_edits){0};
    assert_ok(gr_edits_update_characters(&e, " 你好 ", "你们好"));
    assert_is(gr_edits_rate(&e), 0.5);
    assert_ok(gr_edit_distance(NULL, 0, (const int32_t[]){1, 2}, 2, &d));
    assert_int_equal(d, 2);
    assert_is(gr_perplexity(log(7) * 3, 3), 7);
    assert_true(isnan(gr_perplexity(0, 0)));
}

static void boxes_by_hand(void **state)
{
    (void)state;
    const gr_box a = {0, 0, 2, 2}, b[] = {{1, 0, 2, 2}, {2, 0, 2, 2}, {0, 0, 0, 0}};
    const bool crowd[] = {true, false, false};
    double o[3];
    gr_box_iou(&a, 1, b, 3, NULL, o);
    assert_is(o[0], 1.0 / 3);
    assert_is(o[1], 0);
    assert_is(o[2], 0);
    gr_box_iou(&a, 1, b, 3, crowd, o);
    assert_is(o[0], 0.5);
    gr_detections *d;
    gr_detection_scores s;
    const gr_truth truth = {{0, 0, 2, 2}, 0, false, false};
    const gr_detection found[] = {{{0, 0, 2, 2}, 0, 0.5}, {{5, 5, 1, 1}, 0, 0.9}};
    assert_ok(gr_detections_new(2, &d));
    assert_ok(gr_detections_result(d, -1, &s));
    assert_undefined(s.ap, s.undefined, "no objects");
    assert_ok(gr_detections_update(d, &truth, 1, found, 2));
    assert_ok(gr_detections_result(d, -1, &s));
    assert_is(s.ap, 0.5);
    assert_is(s.recall, 1);
    assert_ok(gr_detections_result(d, 1, &s));
    assert_undefined(s.ap, s.undefined, "no objects");
    gr_detections *vast;
    assert_fails(gr_detections_new(INT32_MAX, &vast), GR_ERR_LIMIT, "at most 1048576");
    assert_fails(gr_detections_result(d, 2, &s), GR_ERR_ARGUMENT, "category 2");
    assert_fails(gr_detections_update(d, &(gr_truth){.box = {0, 0, -1, 1}}, 1, NULL, 0), GR_ERR_DATA, "width -1");
    gr_detections_free(&d);
}

static void rankings_by_hand(void **state)
{
    (void)state;
    const double score[] = {4, 3, 2, 1}, relevance[] = {0, 1, 0, 1}, none[] = {0, 0, 0, 0};
    gr_ranking r = {.k = 2}, other = {.k = 3};
    gr_ranking_scores s;
    gr_ranking_result(&r, &s);
    assert_undefined(s.mrr, s.undefined, "no queries");
    assert_ok(gr_ranking_update(&r, score, relevance, 4));
    gr_ranking_result(&r, &s);
    assert_is(s.precision, 0.5);
    assert_is(s.recall, 0.5);
    assert_is(s.mrr, 0.5);
    assert_is(s.map, 0.25);
    assert_is(s.ndcg, (1 / log2(3)) / (1 + 1 / log2(3)));
    assert_ok(gr_ranking_update(&r, score, none, 4));
    gr_ranking_result(&r, &s);
    assert_is(s.hit_rate, 0.5);
    assert_int_equal(r.empty, 1);
    assert_fails(gr_ranking_merge(&r, &other), GR_ERR_ARGUMENT, "2 and at 3");
    assert_fails(gr_ranking_update(&(gr_ranking){0}, score, none, 4), GR_ERR_ARGUMENT, "cut-off");
}

static void clusters_by_hand(void **state)
{
    (void)state;
    const double x[] = {0, 1, 10, 11};
    const int32_t label[] = {5, 5, -1, -1}, same[] = {1, 1, 1, 1};
    double each[4], mean;
    assert_ok(gr_silhouette(x, label, 4, 1, each, &mean));
    assert_is(each[0], 1 - 1 / 10.5);
    assert_is(mean, (1 - 1 / 10.5 + 1 - 1 / 9.5) / 2);
    assert_fails(gr_silhouette(x, same, 4, 1, NULL, &mean), GR_ERR_DATA, "1 clusters of 4 points");
    gr_contingency *c;
    gr_contingency_scores s;
    assert_ok(gr_contingency_new(&c));
    gr_contingency_result(c, &s);
    assert_is(s.adjusted_rand, 1);
    assert_is(s.normalized_mutual_information, 1);
    assert_ok(gr_contingency_update(c, label, same, 4));
    gr_contingency_result(c, &s);
    assert_is(s.adjusted_rand, 0);
    assert_is(s.normalized_mutual_information, 0);
    assert_is(s.purity, 0.5); /* two of four are the most frequent label of the only cluster */
    gr_contingency_free(&c);
    assert_ok(gr_contingency_new(&c));
    assert_ok(gr_contingency_update(c, (int32_t[]){1, 1, 2, 2, 2, 3}, (int32_t[]){7, 7, 7, -4, -4, -4}, 6));
    gr_contingency_result(c, &s);
    assert_is(s.purity, 4.0 / 6);
    gr_contingency_free(&c);
}

static void order_is_stable(void **state)
{
    (void)state;
    const double key[] = {1, 3, 2, 3, 1, 2, 3};
    const size_t down[] = {1, 3, 6, 2, 5, 0, 4}, up[] = {0, 4, 2, 5, 1, 3, 6};
    size_t index[7];
    assert_ok(gr__order(key, 7, true, index));
    assert_memory_equal(index, down, sizeof down);
    assert_ok(gr__order(key, 7, false, index));
    assert_memory_equal(index, up, sizeof up);
    assert_ok(gr__order(NULL, 0, true, NULL));
    const double sorted[] = {0, 10, 20};
    assert_is(gr__percentile(sorted, 3, 0.25), 5);
    assert_is(gr__percentile(sorted, 3, 1), 20);
    assert_is(gr__percentile(sorted, 1, 0.3), 0);
    const double endless[] = {-(double)INFINITY, (double)INFINITY, (double)INFINITY};
    assert_true(gr__percentile(endless, 3, 0.75) == (double)INFINITY);
}

/* ---- bootstrap ---- */

typedef struct values {
    const double *v;
    double first[8]; /* of the first resamples */
    int calls;
} values;

static gr_status mean_of(void *user, const size_t *index, size_t n, double *out)
{
    values *s = user;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += s->v[index[i]];
    *out = sum / (double)n;
    if (s->calls < 8) s->first[s->calls] = *out;
    s->calls++;
    return GR_OK;
}

static gr_status never(void *user, const size_t *index, size_t n, double *out)
{
    (void)user, (void)index, (void)n;
    *out = NAN;
    return GR_OK;
}

static gr_status broken(void *user, const size_t *index, size_t n, double *out)
{
    (void)user, (void)index, (void)n, (void)out;
    return GR_ERR_NUMERIC;
}

/* About 95 of 100 intervals of 95 % hold the true mean. */
static void intervals_cover(void **state)
{
    (void)state;
    enum { N = 60, TRIALS = 300 };
    int inside = 0;
    for (uint64_t t = 0; t < TRIALS; t++) {
        double x[N];
        gr__rng rng = gr__rng_make(3, t);
        for (int i = 0; i < N; i++) x[i] = 2 + gr__rng_normal(&rng);
        gr_interval i;
        values v = {.v = x};
        assert_ok(gr_bootstrap(N, mean_of, &v, &(gr_bootstrap_options){.resamples = 400, .seed = t}, &i));
        inside += i.low <= 2 && 2 <= i.high;
        assert_true(i.low <= i.value && i.value <= i.high);
    }
    assert_in_range(inside, TRIALS * 90 / 100, TRIALS * 98 / 100);
}

static void resamples_are_pure(void **state)
{
    (void)state;
    const double x[] = {1, 5, 2, 8, 3}, y[] = {0, 4, 1, 7, 2};
    values few = {.v = x}, many = {.v = x}, a = {.v = x}, b = {.v = y};
    gr_interval i;
    assert_ok(gr_bootstrap(5, mean_of, &few, &(gr_bootstrap_options){.resamples = 10}, &i));
    assert_ok(gr_bootstrap(5, mean_of, &many, &(gr_bootstrap_options){.resamples = 500}, &i));
    assert_memory_equal(few.first, many.first, sizeof few.first);
    assert_ok(gr_bootstrap_difference(5, mean_of, &a, &b, NULL, &i));
    assert_is(i.value, 1); /* on the same samples the difference is always 1 */
    assert_is(i.low, 1);
    assert_is(i.high, 1);
    assert_is(i.above_zero, 1);
    assert_ok(gr_bootstrap(0, mean_of, &a, NULL, &i));
    assert_undefined(i.value, i.undefined, "no samples");
    assert_ok(gr_bootstrap(5, never, NULL, NULL, &i));
    assert_undefined(i.low, i.undefined, "not defined");
    assert_int_equal(i.left_out, 1000);
    assert_int_equal(gr_bootstrap(5, broken, NULL, NULL, &i), GR_ERR_NUMERIC);
    assert_fails(gr_bootstrap(SIZE_MAX, never, NULL, NULL, &i), GR_ERR_LIMIT, "more than memory");
    assert_fails(gr_bootstrap(5, never, NULL, &(gr_bootstrap_options){.level = 1}, &i), GR_ERR_ARGUMENT, "level");
    assert_fails(gr_bootstrap(5, never, NULL, &(gr_bootstrap_options){.resamples = 1}, &i), GR_ERR_ARGUMENT,
                 "resamples");
}

/* ---- out of memory ---- */

static long calls, fail_at;

static void *fragile(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (++calls == fail_at) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

static const double score4[] = {0.1, 0.9, 0.4, 0.4};
static const int32_t class4[] = {0, 1, 1, 0};

static gr_status use_classes(void)
{
    gr_confusion *c = NULL;
    gr_probability *p = NULL;
    gr_curve *curve = NULL;
    gr_curve_set *set = NULL;
    gr_curve_set_scores s;
    gr_threshold t;
    gr_status status = GR_OK;
    char *svg = NULL;
    GR_TRY_DONE(gr_confusion_new(2, &c));
    GR_TRY_DONE(gr_confusion_update(c, class4, class4, 4));
    GR_TRY_DONE(gr_plot_confusion(c, NULL, &svg));
    gr_text_free(svg);
    GR_TRY_DONE(gr_probability_new(1, NULL, &p));
    GR_TRY_DONE(gr_probability_update(p, score4, class4, 4));
    GR_TRY_DONE(gr_plot_reliability(p, NULL, &svg));
    gr_text_free(svg);
    GR_TRY_DONE(gr_curve_new(&curve));
    GR_TRY_DONE(gr_curve_update(curve, score4, class4, 4));
    GR_TRY_DONE(gr_curve_threshold(curve, GR_THRESHOLD_F1, 0, &t));
    GR_TRY_DONE(gr_plot_roc(curve, NULL, &svg));
    gr_text_free(svg);
    GR_TRY_DONE(gr_curve_set_new(2, &set));
    GR_TRY_DONE(gr_curve_set_update(set, score4, class4, 2));
    GR_TRY_DONE(gr_curve_set_result(set, &s));
done:
    gr_confusion_free(&c);
    gr_probability_free(&p);
    gr_curve_free(&curve);
    gr_curve_set_free(&set);
    return status;
}

static gr_status use_numbers(void)
{
    gr_regression *r = NULL;
    gr_regression_scores s;
    gr_contingency *c = NULL;
    gr_ranking ranking = {.k = 3};
    gr_interval i;
    values v = {.v = score4};
    double mean;
    char *svg;
    gr_status status = GR_OK;
    GR_TRY_DONE(gr_regression_new(&r));
    GR_TRY_DONE(gr_regression_update(r, score4, score4, 4));
    GR_TRY_DONE(gr_regression_result(r, &s));
    GR_TRY_DONE(gr_contingency_new(&c));
    GR_TRY_DONE(gr_contingency_update(c, class4, class4, 4));
    GR_TRY_DONE(gr_silhouette(score4, class4, 4, 1, NULL, &mean));
    GR_TRY_DONE(gr_ranking_update(&ranking, score4, score4, 4));
    GR_TRY_DONE(gr_bootstrap(4, mean_of, &v, NULL, &i));
    GR_TRY_DONE(gr_plot_histogram(score4, 4, NULL, &svg));
    gr_text_free(svg);
    GR_TRY_DONE(
        gr_plot_forecast(&(gr_forecast){.actual = score4, .n = 4, .forecast = score4, .n_forecast = 4}, NULL, &svg));
    gr_text_free(svg);
done:
    gr_regression_free(&r);
    gr_contingency_free(&c);
    return status;
}

static gr_status use_texts(void)
{
    const char *reference[] = {"a b c d e", "a, b.c"};
    gr_bleu b = {0};
    gr_rouge r = {0};
    gr_edits e = {0};
    for (int words = 0; words < GR_BLEU_WORDS_COUNT; words++)
        GR_TRY(
            gr_bleu_update(&b, &(gr_bleu_options){.words = (gr_bleu_words)words}, "a b 你好 &amp; c d", reference, 2));
    GR_TRY(gr_rouge_update(&r, reference[0], reference[1]));
    GR_TRY(gr_edits_update_characters(&e, reference[0], reference[1]));
    return gr_edits_update_words(&e, reference[0], reference[1]);
}

static gr_status use_boxes(void)
{
    gr_detections *d = NULL;
    gr_detection_scores s;
    const gr_truth truth = {.box = {0, 0, 2, 2}};
    const gr_detection found[] = {{{0, 0, 2, 2}, 0, 0.5}, {{5, 5, 1, 1}, 0, 0.9}};
    gr_status status = GR_OK;
    GR_TRY_DONE(gr_detections_new(2, &d));
    GR_TRY_DONE(gr_detections_update(d, &truth, 1, found, 2));
    GR_TRY_DONE(gr_detections_result(d, -1, &s));
done:
    gr_detections_free(&d);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gr_status (*const use[])(void) = {use_classes, use_numbers, use_texts, use_boxes};
    for (size_t u = 0; u < sizeof use / sizeof *use; u++) {
        size_t before = gr_memory_used_bytes();
        fail_at = calls = 0;
        assert_ok(use[u]());
        long total = calls;
        assert_true(total > 5);
        for (long n = 1; n <= total; n++) {
            calls = 0;
            fail_at = n;
            gr_status status = use[u]();
            fail_at = 0;
            if (status != GR_ERR_MEMORY) fail_msg("group %zu, allocation %ld: %s", u, n, gr_status_name(status));
            if (gr_memory_used_bytes() != before) fail_msg("group %zu, allocation %ld leaks", u, n);
        }
    }
}

/* numpy and scipy.linalg.sqrtm say so. */
static void clouds(void **state)
{
    (void)state;
    static const double a[] = {0.3, 0.8, 0.3, -1.3, 0.9, 0.4, -0.5, 0.6, 0.4, 0.3, 0, 0.5, -0.7, -0.2, -0.5},
                        b[] = {2.2,  1.1,  0.4, -0.6, 0.5, 1.0, 0.4, 3.6,  3.0,
                               -4.4, -2.8, 0.7, 0.2,  1.4, 1.4, 5.2, -1.2, 0.2};
    double d;
    assert_ok(gr_frechet_distance(a, 5, b, 6, 3, &d));
    assert_true(fabs(d - 11.401457229047278) < 1e-9);
    assert_ok(gr_frechet_distance(b, 6, b, 6, 3, &d));
    assert_true(d < 1e-9);
    assert_ok(gr_frechet_distance(a, 15, a, 15, 1, &d));
    assert_true(d < 1e-12);
    assert_fails(gr_frechet_distance(a, 1, b, 6, 3, &d), GR_ERR_ARGUMENT, "two points");
    assert_fails(gr_frechet_distance((double[]){0, NAN}, 2, b, 6, 1, &d), GR_ERR_DATA, "point 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(difficult_objects),
        cmocka_unit_test(confusion_by_hand),
        cmocka_unit_test(probabilities_are_probabilities),
        cmocka_unit_test(curves_by_hand),
        cmocka_unit_test(numbers_by_hand),
        cmocka_unit_test(texts_by_hand),
        cmocka_unit_test(boxes_by_hand),
        cmocka_unit_test(rankings_by_hand),
        cmocka_unit_test(clusters_by_hand),
        cmocka_unit_test(order_is_stable),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(clouds),
        cmocka_unit_test(resamples_are_pure),
        cmocka_unit_test(every_allocation_may_fail),
    };
    gr_set_allocator(&(gr_allocator){.resize = fragile});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
