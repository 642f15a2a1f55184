/* One metric of one JSON object, {"metric": NAME, ...}, as a JSON object of numbers; NaN is null, a refusal
 * {"error": STATUS}. Updates go in two parts that are merged, so that merging is tried as well. This is what
 * tests/interop/metrics.py and tests/test_metric_golden.c ask. */
#ifndef GR_METRIC_CASES_H
#define GR_METRIC_CASES_H

#include "base/json.h"
#include "gradus/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gr__str out;

static bool refused(gr_status status)
{
    if (status == GR_OK) return false;
    gr__str_clear(&out);
    gr__str_printf(&out, "\"error\": \"%s\"", gr_status_name(status));
    return true;
}

#define TRY(expr)                     \
    do {                              \
        if (refused(expr)) goto done; \
    } while (0)

static void put(const char *name, double value)
{
    gr__str_printf(&out, "%s\"%s\": ", out.n ? ", " : "", name);
    gr__json_add_double(&out, value);
}

static double *doubles(gr__json o, const char *key, size_t *n)
{
    gr__json a = gr__json_get(o, key);
    size_t count = gr__json_count(a);
    double *v = calloc(count + 1, sizeof *v);
    for (size_t i = 0; i < count; i++)
        if (!gr__json_double(gr__json_at(a, i), &v[i])) v[i] = NAN;
    if (n) *n = count;
    return v;
}

static int32_t *ints(gr__json o, const char *key, size_t *n)
{
    double *v = doubles(o, key, n);
    int32_t *i = calloc(*n + 1, sizeof *i);
    for (size_t k = 0; k < *n; k++) i[k] = (int32_t)v[k];
    free(v);
    return i;
}

static int64_t number(gr__json o, const char *key)
{
    int64_t v = 0;
    gr__json_int(gr__json_get(o, key), &v);
    return v;
}

static const char *text(gr__json v)
{
    const char *t = "";
    size_t n;
    gr__json_string(v, &t, &n);
    return t;
}

static void put_average(const char *name, const gr_precision_recall *p)
{
    char key[64];
    const double v[] = {p->precision, p->recall, p->f1};
    static const char *const part[] = {"precision", "recall", "f1"};
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s_%s", name, part[i]);
        put(key, v[i]);
    }
}

static void confusion(gr__json o)
{
    size_t n;
    int32_t *a = ints(o, "actual", &n), *p = ints(o, "predicted", &n);
    gr_confusion *c = NULL, *d = NULL;
    gr_confusion_scores s;
    TRY(gr_confusion_new((int32_t)number(o, "k"), &c));
    TRY(gr_confusion_new((int32_t)number(o, "k"), &d));
    TRY(gr_confusion_update(c, a, p, n / 3));
    TRY(gr_confusion_update(d, a + n / 3, p + n / 3, n - n / 3));
    TRY(gr_confusion_merge(c, d));
    gr_confusion_result(c, &s);
    put("accuracy", s.accuracy);
    put("balanced", s.balanced_accuracy);
    put("mcc", s.mcc);
    put_average("micro", &s.micro);
    put_average("macro", &s.macro);
    put_average("weighted", &s.weighted);
    gr_precision_recall one = gr_confusion_class(c, 1);
    put_average("binary", &one);
    for (int32_t i = 0; i < gr_confusion_classes(c); i++)
        for (int32_t j = 0; j < gr_confusion_classes(c); j++) {
            char key[32];
            snprintf(key, sizeof key, "c%d_%d", i, j);
            put(key, (double)gr_confusion_count(c, i, j));
        }
done:
    gr_confusion_free(&c);
    gr_confusion_free(&d);
    free(a);
    free(p);
}

static void probability(gr__json o)
{
    size_t n;
    double *p = doubles(o, "p", NULL);
    int32_t *a = ints(o, "actual", &n), k = (int32_t)number(o, "k");
    gr_probability_options options = {.top_k = (int32_t)number(o, "top"), .bins = (int32_t)number(o, "bins")};
    gr_probability *c = NULL, *d = NULL;
    gr_probability_scores s;
    gr_reliability r;
    TRY(gr_probability_new(k, &options, &c));
    TRY(gr_probability_new(k, &options, &d));
    TRY(gr_probability_update(c, p, a, n / 2));
    TRY(gr_probability_update(d, p + n / 2 * (size_t)k, a + n / 2, n - n / 2));
    TRY(gr_probability_merge(c, d));
    gr_probability_result(c, &s);
    put("log_loss", s.log_loss);
    put("brier", s.brier);
    put("top_k", s.top_k);
    put("ece", s.calibration_error);
    for (int32_t i = 0; gr_probability_bin(c, i, &r); i++) {
        char key[32];
        if (r.n == 0) continue;
        snprintf(key, sizeof key, "confidence%d", i);
        put(key, r.confidence);
        snprintf(key, sizeof key, "right%d", i);
        put(key, r.right);
    }
done:
    gr_probability_free(&c);
    gr_probability_free(&d);
    free(a);
    free(p);
}

static void curve(gr__json o)
{
    size_t n, n_points;
    double *score = doubles(o, "score", NULL);
    int32_t *a = ints(o, "actual", &n);
    gr_curve *c = NULL, *d = NULL;
    gr_curve_scores s;
    gr_threshold t;
    const gr_curve_point *points;
    TRY(gr_curve_new(&c));
    TRY(gr_curve_new(&d));
    TRY(gr_curve_update(c, score, a, n / 2));
    TRY(gr_curve_update(d, score + n / 2, a + n / 2, n - n / 2));
    TRY(gr_curve_merge(c, d));
    TRY(gr_curve_result(c, &s));
    put("auc", s.auc);
    put("ap", s.average_precision);
    static const char *const goal[] = {"f1", "precision", "recall"};
    for (int i = 0; i < 3; i++) {
        char key[32];
        TRY(gr_curve_threshold(c, (gr_threshold_goal)i, 0.6, &t));
        snprintf(key, sizeof key, "best_%s", goal[i]);
        put(key, i == 0 ? t.f1 : i == 1 ? t.recall : t.precision);
        snprintf(key, sizeof key, "threshold_%s", goal[i]);
        put(key, t.threshold);
    }
    TRY(gr_curve_points(c, &points, &n_points));
    for (size_t i = 0; i < n_points; i++) {
        char key[32];
        snprintf(key, sizeof key, "t%zu", i);
        put(key, points[i].threshold);
        snprintf(key, sizeof key, "tp%zu", i);
        put(key, (double)points[i].true_positive);
        snprintf(key, sizeof key, "fp%zu", i);
        put(key, (double)points[i].false_positive);
    }
done:
    gr_curve_free(&c);
    gr_curve_free(&d);
    free(score);
    free(a);
}

static void curve_set(gr__json o)
{
    size_t n, k = (size_t)number(o, "k");
    double *score = doubles(o, "score", NULL);
    int32_t *a = ints(o, "actual", &n);
    gr_curve_set *c = NULL, *d = NULL;
    gr_curve_set_scores s;
    TRY(gr_curve_set_new((int32_t)k, &c));
    TRY(gr_curve_set_new((int32_t)k, &d));
    TRY(gr_curve_set_update(c, score, a, n / 2));
    TRY(gr_curve_set_update(d, score + n / 2 * k, a + n / 2, n - n / 2));
    TRY(gr_curve_set_merge(c, d));
    TRY(gr_curve_set_result(c, &s));
    put("auc_macro", s.auc_macro);
    put("auc_weighted", s.auc_weighted);
    put("ap_macro", s.average_precision_macro);
    put("ap_weighted", s.average_precision_weighted);
done:
    gr_curve_set_free(&c);
    gr_curve_set_free(&d);
    free(score);
    free(a);
}

static void regression(gr__json o)
{
    size_t n;
    double *a = doubles(o, "actual", &n), *p = doubles(o, "predicted", NULL);
    gr_regression *c = NULL, *d = NULL;
    gr_regression_scores s;
    TRY(gr_regression_new(&c));
    TRY(gr_regression_new(&d));
    TRY(gr_regression_update(c, a, p, n / 3));
    TRY(gr_regression_update(d, a + n / 3, p + n / 3, n - n / 3));
    TRY(gr_regression_merge(c, d));
    TRY(gr_regression_result(c, &s));
    put("mse", s.mse);
    put("rmse", s.rmse);
    put("mae", s.mae);
    put("median", s.median_absolute_error);
    put("mape", s.mape);
    put("r2", s.r2);
    put("explained", s.explained_variance);
done:
    gr_regression_free(&c);
    gr_regression_free(&d);
    free(a);
    free(p);
}

/* "hypotheses": [..], "references": [[..], ..]: of the corpus, and of each sentence. */
static void bleu(gr__json o)
{
    gr_bleu sum = {0};
    gr_bleu_options options = {.words = (gr_bleu_words)number(o, "words"),
                               .smoothing = (gr_bleu_smoothing)number(o, "smoothing")};
    gr__json hypotheses = gr__json_get(o, "hypotheses"), all = gr__json_get(o, "references");
    for (size_t i = 0; i < gr__json_count(hypotheses); i++) {
        const char *reference[8];
        char key[32];
        size_t n = gr__json_count(gr__json_at(all, i));
        for (size_t r = 0; r < n && r < 8; r++) reference[r] = text(gr__json_at(gr__json_at(all, i), r));
        gr_bleu one = {0};
        options.effective_order = true;
        if (refused(gr_bleu_update(&one, &options, text(gr__json_at(hypotheses, i)), reference, n))) return;
        snprintf(key, sizeof key, "s%zu", i);
        put(key, gr_bleu_result(&one, &options));
        gr_bleu_merge(&sum, &one);
    }
    options.effective_order = false;
    put("corpus", gr_bleu_result(&sum, &options));
    put("words", (double)sum.hypothesis_words);
    put("reference_words", (double)sum.reference_words);
}

static void rouge(gr__json o)
{
    gr_rouge r = {0};
    gr_rouge_score s[3];
    static const char *const name[] = {"1", "2", "L"};
    if (refused(gr_rouge_update(&r, text(gr__json_get(o, "reference")), text(gr__json_get(o, "prediction"))))) return;
    gr_rouge_result(&r, s);
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof key, "p%s", name[i]);
        put(key, s[i].precision);
        snprintf(key, sizeof key, "r%s", name[i]);
        put(key, s[i].recall);
        snprintf(key, sizeof key, "f%s", name[i]);
        put(key, s[i].f);
    }
}

static void edits(gr__json o)
{
    gr_edits words = {0}, characters = {0};
    gr__json a = gr__json_get(o, "references"), b = gr__json_get(o, "hypotheses");
    for (size_t i = 0; i < gr__json_count(a); i++) {
        if (refused(gr_edits_update_words(&words, text(gr__json_at(a, i)), text(gr__json_at(b, i))))) return;
        if (refused(gr_edits_update_characters(&characters, text(gr__json_at(a, i)), text(gr__json_at(b, i))))) return;
    }
    put("wer", gr_edits_rate(&words));
    put("cer", gr_edits_rate(&characters));
}

/* "truth": [image, category, x, y, width, height, crowd, ignore, ...], "found": [image, category, x, y, w, h, score, ...] */
static void detection(gr__json o)
{
    size_t n_truth, n_found, images = (size_t)number(o, "images");
    double *t = doubles(o, "truth", &n_truth), *f = doubles(o, "found", &n_found);
    gr_truth *truth = calloc(n_truth + 1, sizeof *truth);
    gr_detection *found = calloc(n_found + 1, sizeof *found);
    gr_detections *d = NULL, *other = NULL;
    gr_detection_scores s;
    int32_t k = (int32_t)number(o, "k");
    TRY(gr_detections_new(k, &d));
    TRY(gr_detections_new(k, &other));
    for (size_t image = 0; image < images; image++) {
        size_t a = 0, b = 0;
        for (double *p = t; p < t + n_truth; p += 8)
            if ((size_t)p[0] == image)
                truth[a++] = (gr_truth){{p[2], p[3], p[4], p[5]}, (int32_t)p[1], p[6] > 0, p[7] > 0};
        for (double *p = f; p < f + n_found; p += 7)
            if ((size_t)p[0] == image) found[b++] = (gr_detection){{p[2], p[3], p[4], p[5]}, (int32_t)p[1], p[6]};
        TRY(gr_detections_update(image < images / 2 ? d : other, truth, a, found, b));
    }
    TRY(gr_detections_merge(d, other));
    TRY(gr_detections_result(d, -1, &s));
    put("ap", s.ap);
    put("ap50", s.ap50);
    put("ap75", s.ap75);
    put("recall", s.recall);
    put("voc11", s.voc11);
    put("voc_area", s.voc_area);
    for (int32_t c = 0; c < k; c++) {
        char key[32];
        TRY(gr_detections_result(d, c, &s));
        snprintf(key, sizeof key, "ap_%d", c);
        put(key, s.ap);
    }
done:
    gr_detections_free(&d);
    gr_detections_free(&other);
    free(t);
    free(f);
    free(truth);
    free(found);
}

/* "a", "b": [x, y, width, height, ...], "crowd": [..] */
static void iou(gr__json o)
{
    size_t n_a, n_b, n_crowd;
    double *a = doubles(o, "a", &n_a), *b = doubles(o, "b", &n_b), *out_ = calloc(n_a * n_b + 1, sizeof *out_);
    int32_t *flag = ints(o, "crowd", &n_crowd);
    bool *crowd = calloc(n_crowd + 1, sizeof *crowd);
    for (size_t i = 0; i < n_crowd; i++) crowd[i] = flag[i] != 0;
    gr_box_iou((const gr_box *)a, n_a / 4, (const gr_box *)b, n_b / 4, crowd, out_);
    for (size_t i = 0; i < n_a / 4 * (n_b / 4); i++) {
        char key[32];
        snprintf(key, sizeof key, "o%zu", i);
        put(key, out_[i]);
    }
    free(a);
    free(b);
    free(out_);
    free(flag);
    free(crowd);
}

/* "score", "relevance": (queries, n) */
static void ranking(gr__json o)
{
    size_t all, n = (size_t)number(o, "n");
    double *score = doubles(o, "score", &all), *relevance = doubles(o, "relevance", NULL);
    gr_ranking r = {.k = number(o, "k")}, other = r;
    gr_ranking_scores s;
    for (size_t at = 0; at < all; at += n)
        TRY(gr_ranking_update(at < all / 2 ? &r : &other, score + at, relevance + at, n));
    TRY(gr_ranking_merge(&r, &other));
    gr_ranking_result(&r, &s);
    put("precision", s.precision);
    put("recall", s.recall);
    put("hit", s.hit_rate);
    put("ndcg", s.ndcg);
    put("mrr", s.mrr);
    put("map", s.map);
done:
    free(score);
    free(relevance);
}

static void clusters(gr__json o)
{
    size_t n;
    int32_t *a = ints(o, "a", &n), *b = ints(o, "b", &n);
    gr_contingency *c = NULL, *d = NULL;
    gr_contingency_scores s;
    TRY(gr_contingency_new(&c));
    TRY(gr_contingency_new(&d));
    TRY(gr_contingency_update(c, a, b, n / 2));
    TRY(gr_contingency_update(d, a + n / 2, b + n / 2, n - n / 2));
    TRY(gr_contingency_merge(c, d));
    gr_contingency_result(c, &s);
    put("ari", s.adjusted_rand);
    put("nmi", s.normalized_mutual_information);
done:
    gr_contingency_free(&c);
    gr_contingency_free(&d);
    free(a);
    free(b);
}

static void silhouette(gr__json o)
{
    size_t n, all;
    double *x = doubles(o, "x", &all), *each, mean;
    int32_t *label = ints(o, "label", &n);
    each = calloc(n + 1, sizeof *each);
    TRY(gr_silhouette(x, label, n, n ? all / n : 0, each, &mean));
    put("mean", mean);
    for (size_t i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "s%zu", i);
        put(key, each[i]);
    }
done:
    free(x);
    free(label);
    free(each);
}

/* Difference of two means; the resamples themselves, so that the other side can take its own percentiles. */
typedef struct sample {
    const double *value;
    double seen[4096];
    size_t n;
} sample;

static gr_status mean_of(void *user, const size_t *index, size_t n, double *value)
{
    sample *s = user;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += s->value[index[i]];
    *value = sum / (double)n;
    if (s->n < 4096) s->seen[s->n++] = *value;
    return GR_OK;
}

static void bootstrap(gr__json o)
{
    size_t n;
    static sample a, b;
    gr_interval i;
    double *x = doubles(o, "a", &n), *y = doubles(o, "b", NULL), level = 0;
    gr__json_double(gr__json_get(o, "level"), &level);
    a = (sample){.value = x};
    b = (sample){.value = y};
    TRY(gr_bootstrap_difference(n, mean_of, &a, &b,
                                &(gr_bootstrap_options){.resamples = number(o, "resamples"),
                                                        .level = level,
                                                        .seed = (uint64_t)number(o, "seed")},
                                &i));
    put("value", i.value);
    put("low", i.low);
    put("high", i.high);
    put("above_zero", i.above_zero);
    for (size_t k = 1; k < a.n; k++) {
        char key[32];
        snprintf(key, sizeof key, "d%zu", k - 1);
        put(key, a.seen[k] - b.seen[k]);
    }
done:
    free(x);
    free(y);
}

/* The answer is valid until the next call; "" for an unknown metric. */
static const char *metric_answer(gr__json o)
{
    static const struct {
        const char *name;
        void (*run)(gr__json o);
    } row[] = {{"confusion", confusion},   {"probability", probability},
               {"curve", curve},           {"curve_set", curve_set},
               {"regression", regression}, {"bleu", bleu},
               {"rouge", rouge},           {"edits", edits},
               {"detection", detection},   {"iou", iou},
               {"ranking", ranking},       {"clusters", clusters},
               {"silhouette", silhouette}, {"bootstrap", bootstrap}};
    static gr__str whole;
    const char *name = text(gr__json_get(o, "metric"));
    gr__str_clear(&out);
    gr__str_clear(&whole);
    for (size_t i = 0; i < GR__COUNT(row); i++)
        if (strcmp(row[i].name, name) == 0) {
            row[i].run(o);
            gr__str_printf(&whole, "{%s}", gr__str_get(&out));
        }
    return gr__str_get(&whole);
}

#endif
