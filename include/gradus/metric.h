/* gradus/metric.h: how good are predictions: classes, scores, numbers, texts, boxes, recommendations, clusters, the
 * uncertainty of all of these, and pictures of them.
 *
 *   const int32_t actual[] = {0, 1, 2, 2}, predicted[] = {0, 2, 2, 2};
 *   gr_confusion *c;
 *   gr_confusion_scores s;
 *   if (gr_confusion_new(3, &c) == GR_OK && gr_confusion_update(c, actual, predicted, 4) == GR_OK) {
 *       gr_confusion_result(c, &s);
 *       printf("accuracy %g, macro F1 %g\n", s.accuracy, s.macro.f1);
 *   }
 *   gr_confusion_free(&c);
 *
 * An accumulator takes data in any number of 'update' calls, takes the data of another one ('merge': shards, threads;
 * never of itself), and gives its 'result' at any time. Merging equals updating with all the data, up to rounding of
 * sums. An update that fails has taken nothing, unless it says otherwise.
 *
 * A number that the data do not define is NaN, and 'undefined' of the result says in words why (NULL: all is defined);
 * where a well-known library gives a number for such data, the same number is given here and the comment says so. Scores
 * and values that are NaN or infinite are GR_ERR_DATA. Empty input is allowed everywhere.
 *
 * Arrays are row-major and contiguous, N rows; classes are i32 from 0. The formulas are those of scikit-learn 1.9,
 * sacrebleu 2.6, rouge-score 0.1.2, jiwer 4.0 and pycocotools 2.0.11; tests/interop/metrics.py compares with them.
 *
 * Threads: one thread at a time for each accumulator. The order of updates matters for rounding alone, and for equal
 * scores of detections.
 * Status of every function that returns one: GR_ERR_MEMORY, and what is said beside it. */
#ifndef GRADUS_METRIC_H
#define GRADUS_METRIC_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- classes: counts of actual against predicted ------------------------------------- */

typedef struct gr_confusion gr_confusion;

/* n_classes 2 .. 2^20; K * K counts are kept. Owner: the caller frees *out. Status: GR_ERR_ARGUMENT, GR_ERR_LIMIT. */
GR_API gr_status gr_confusion_new(int32_t n_classes, gr_confusion **out);
GR_API void gr_confusion_free(gr_confusion **c);

/* actual, predicted: (n), each 0 .. K-1; else GR_ERR_DATA. */
GR_API gr_status gr_confusion_update(gr_confusion *c, const int32_t *actual, const int32_t *predicted, size_t n);
GR_API void gr_confusion_clear(gr_confusion *c); /* all counts become 0 */
/* GR_ERR_SHAPE where the numbers of classes differ. */
GR_API gr_status gr_confusion_merge(gr_confusion *c, const gr_confusion *other);

/* precision TP/(TP+FP), recall TP/(TP+FN), f1 2TP/(2TP+FP+FN); 0 where the divisor is 0 (zero_division=0). */
typedef struct gr_precision_recall {
    double precision, recall, f1;
    int64_t support; /* samples that are of the class(es) */
} gr_precision_recall;

typedef struct gr_confusion_scores {
    int64_t n;
    double accuracy;
    double balanced_accuracy; /* mean recall of the classes that occur in 'actual' */
    double mcc; /* Matthews' coefficient for K classes (Gorodkin 2004); 0 where one side has one class only */
    gr_precision_recall micro, macro,
        weighted;          /* macro: over the classes that occur on either side; weighted: by support */
    const char *undefined; /* no samples: everything is NaN */
} gr_confusion_scores;

/* All numbers of the counts so far. */
GR_API void gr_confusion_result(const gr_confusion *c, gr_confusion_scores *out);
/* Of class k against all others; for two classes k = 1 gives the usual binary numbers. All 0 where there is no class k. */
GR_API gr_precision_recall gr_confusion_class(const gr_confusion *c, int32_t k);
/* Samples of one class that were taken for another; 0 where there is no such class. */
GR_API int64_t gr_confusion_count(const gr_confusion *c, int32_t actual, int32_t predicted);
GR_API int32_t gr_confusion_classes(const gr_confusion *c);

/* ---- classes: probabilities ----------------------------------------------------------- */

typedef struct gr_probability gr_probability;

typedef struct gr_probability_options {
    int32_t top_k; /* >= 1; default 5 */
    int32_t bins;  /* of the calibration, equal width, closed on the right; 1 .. 10000, default 10 */
} gr_probability_options;

/* n_classes 1: rows hold the probability of class 1 alone. options may be NULL. Status: GR_ERR_ARGUMENT. */
GR_API gr_status gr_probability_new(int32_t n_classes, const gr_probability_options *options, gr_probability **out);
GR_API void gr_probability_free(gr_probability **p);

/* probability: (n, K) in 0 .. 1, rows that sum to 1 within 1e-3; actual: (n) in 0 .. K-1 (K = 1: 0 or 1).
 * Status: GR_ERR_DATA names the row. */
GR_API gr_status gr_probability_update(gr_probability *p, const double *probability, const int32_t *actual, size_t n);
/* GR_ERR_SHAPE where classes or options differ. */
GR_API gr_status gr_probability_merge(gr_probability *p, const gr_probability *other);

typedef struct gr_probability_scores {
    int64_t n;
    double log_loss;          /* mean -log p(actual), p clipped to 2^-52 .. 1 - 2^-52; nats */
    double brier;             /* mean sum of (p - [actual])^2, halved for one or two classes */
    double top_k;             /* actual is among the k likeliest, the higher class first among equals; K = 1: p > 0.5 */
    double calibration_error; /* ECE (Guo et al. 2017): mean |share that is right - mean confidence| of the bins */
    double worst_calibration; /* the largest of these gaps */
    const char *undefined;    /* no samples: everything is NaN */
} gr_probability_scores;
GR_API void gr_probability_result(const gr_probability *p, gr_probability_scores *out);

/* One row of the reliability table. K = 1: confidence is p, right means class 1 (as calibration_curve); else confidence
 * is the largest p, right means that its class (the lowest among equals) is the actual one. */
typedef struct gr_reliability {
    double low, high; /* low < confidence <= high; the first bin holds 0 too */
    int64_t n;
    double confidence, right; /* means; NaN where n is 0 */
} gr_reliability;
/* False past the last bin. */
GR_API bool gr_probability_bin(const gr_probability *p, int32_t bin, gr_reliability *out);

/* ---- scores of two classes: ROC and precision-recall ---------------------------------- */

typedef struct gr_curve gr_curve; /* keeps all scores */

/* An empty one. Owner: the caller frees *out. */
GR_API gr_status gr_curve_new(gr_curve **out);
GR_API void gr_curve_free(gr_curve **c);
/* score: (n) finite, higher means class 1; actual: (n) 0 or 1. Status: GR_ERR_DATA. */
GR_API gr_status gr_curve_update(gr_curve *c, const double *score, const int32_t *actual, size_t n);
GR_API gr_status gr_curve_merge(gr_curve *c, const gr_curve *other);

typedef struct gr_curve_scores {
    int64_t n, positives;
    double auc; /* area under ROC, ties count half; NaN where one class is absent */
    double
        average_precision; /* sum of (R_i - R_i-1) P_i over distinct scores; 0 without positives; NaN without samples */
    const char *undefined;
} gr_curve_scores;
GR_API gr_status gr_curve_result(gr_curve *c, gr_curve_scores *out);

/* Counts of what has score >= threshold: one point for each distinct score, from the highest down. Rates are
 * true_positive / positives, false_positive / (n - positives). */
typedef struct gr_curve_point {
    double threshold;
    int64_t true_positive, false_positive;
} gr_curve_point;
/* *points is borrowed: valid until the next call for this curve. */
GR_API gr_status gr_curve_points(gr_curve *c, const gr_curve_point **points, size_t *n);

typedef enum gr_threshold_goal {
    GR_THRESHOLD_F1,        /* the largest F1 */
    GR_THRESHOLD_PRECISION, /* precision >= at_least, and then the largest recall */
    GR_THRESHOLD_RECALL,    /* recall >= at_least, and then the largest precision */
    GR_THRESHOLD_YOUDEN,    /* the largest recall - false positive rate (Youden 1950) */
    GR_THRESHOLD_COUNT
} gr_threshold_goal;
typedef struct gr_threshold {
    double threshold; /* predict class 1 where score >= threshold; of equally good ones the highest */
    double precision, recall, f1;
    const char *undefined; /* no positives (YOUDEN: or no negatives), or the wish cannot be met: all is NaN */
} gr_threshold;
/* at_least is not read for F1 and YOUDEN. Status: GR_ERR_ARGUMENT. */
GR_API gr_status gr_curve_threshold(gr_curve *c, gr_threshold_goal goal, double at_least, gr_threshold *out);

/* One class against the rest, for each of K classes. */
typedef struct gr_curve_set gr_curve_set;
/* n_classes 2 .. 2^20. Owner: the caller frees *out. Status: GR_ERR_ARGUMENT, GR_ERR_LIMIT. */
GR_API gr_status gr_curve_set_new(int32_t n_classes, gr_curve_set **out);
GR_API void gr_curve_set_free(gr_curve_set **s);
/* score: (n, K); actual: (n) in 0 .. K-1. Status: GR_ERR_DATA. After GR_ERR_MEMORY the set is of no more use. */
GR_API gr_status gr_curve_set_update(gr_curve_set *s, const double *score, const int32_t *actual, size_t n);
GR_API gr_status gr_curve_set_merge(gr_curve_set *s, const gr_curve_set *other);
typedef struct gr_curve_set_scores {
    double auc_macro;    /* mean over all classes: NaN where one of them is absent or alone */
    double auc_weighted; /* by the number of samples of a class */
    double average_precision_macro, average_precision_weighted; /* an absent class has 0 */
    const char *undefined;
} gr_curve_set_scores;
GR_API gr_status gr_curve_set_result(gr_curve_set *s, gr_curve_set_scores *out);
/* Borrowed; NULL where there is no class k. Do not update it. */
GR_API gr_curve *gr_curve_set_get(gr_curve_set *s, int32_t k);

/* ---- numbers --------------------------------------------------------------------------- */

typedef struct gr_regression gr_regression; /* keeps |error| of all samples, for the median */

/* An empty one. Owner: the caller frees *out. */
GR_API gr_status gr_regression_new(gr_regression **out);
GR_API void gr_regression_free(gr_regression **r);
/* actual, predicted: (n) finite. Several outputs: one accumulator each. Status: GR_ERR_DATA. */
GR_API gr_status gr_regression_update(gr_regression *r, const double *actual, const double *predicted, size_t n);
GR_API gr_status gr_regression_merge(gr_regression *r, const gr_regression *other);
typedef struct gr_regression_scores {
    int64_t n;
    double mse, rmse, mae, median_absolute_error;
    double mape; /* mean |error| / max(|actual|, 2^-52), a fraction; huge where an actual value is 0 */
    double r2;   /* 1 - sum error^2 / sum (actual - mean)^2; constant actual values: 1 if perfect, else 0 */
    double explained_variance; /* the same with the mean error taken off */
    const char *undefined;     /* no samples: everything is NaN; one sample: r2 is */
} gr_regression_scores;
GR_API gr_status gr_regression_result(const gr_regression *r, gr_regression_scores *out);

/* ---- texts ------------------------------------------------------------------------------ */

/* Texts are UTF-8 ending with 0; GR_ERR_DATA names the byte where they are not. Blanks are Unicode's. */

/* exp(nats / tokens): nats is the sum of -log p. NaN where tokens < 1. */
GR_API double gr_perplexity(double nats, int64_t tokens);

typedef enum gr_bleu_words {
    GR_BLEU_13A,    /* mteval-v13a: punctuation apart */
    GR_BLEU_ZH,     /* Chinese characters apart, the rest as 13a */
    GR_BLEU_BLANKS, /* sacrebleu's 'none': split at blanks */
    GR_BLEU_WORDS_COUNT
} gr_bleu_words;
typedef enum gr_bleu_smoothing {
    GR_BLEU_EXP,   /* the i-th order without a match counts 1/2^i matches */
    GR_BLEU_FLOOR, /* it counts 'floor' matches */
    GR_BLEU_NO_SMOOTHING,
    GR_BLEU_SMOOTHING_COUNT
} gr_bleu_smoothing;
typedef struct gr_bleu_options {
    gr_bleu_words words;         /* default 13a */
    gr_bleu_smoothing smoothing; /* default exp */
    double floor;                /* > 0; default 0.1 */
    bool effective_order;        /* only orders that the text is long enough for: for the BLEU of one sentence */
} gr_bleu_options;

/* Counts of n-grams, n = 1 .. 4. Zeroed it is empty; add the fields up to merge, or call gr_bleu_merge. */
typedef struct gr_bleu {
    int64_t match[4], total[4];
    int64_t hypothesis_words, reference_words; /* of the closest reference of each sentence, the shorter of two */
} gr_bleu;
/* One sentence with n_references >= 1 references. options may be NULL. Status: GR_ERR_DATA, GR_ERR_ARGUMENT (no reference, an
 * option). */
GR_API gr_status gr_bleu_update(gr_bleu *b, const gr_bleu_options *options, const char *hypothesis,
                                const char *const *references, size_t n_references);
GR_API void gr_bleu_merge(gr_bleu *b, const gr_bleu *other);
/* BLEU (Papineni et al. 2002), 0 .. 100. 0 where nothing matches, also for empty texts, as sacrebleu says.
 * NaN where an option is not allowed. */
GR_API double gr_bleu_result(const gr_bleu *b, const gr_bleu_options *options);

typedef struct gr_rouge_score {
    double precision, recall, f;
} gr_rouge_score;
/* ROUGE-1, ROUGE-2 and ROUGE-L (longest common subsequence): sums over texts. Zeroed it is empty. */
typedef struct gr_rouge {
    int64_t n;
    gr_rouge_score sum[3]; /* of 1, 2, L */
} gr_rouge;
/* Words are runs of a-z and 0-9 after lower-casing, no stemmer: texts in other scripts have none. A text without words
 * scores 0. Status: GR_ERR_DATA. */
GR_API gr_status gr_rouge_update(gr_rouge *r, const char *reference, const char *prediction);
GR_API void gr_rouge_merge(gr_rouge *r, const gr_rouge *other);
/* Means over texts of ROUGE-1, ROUGE-2, ROUGE-L; NaN without texts. */
GR_API void gr_rouge_result(const gr_rouge *r, gr_rouge_score out[3]);

/* Levenshtein's distance of ids a (n_a) and b (n_b): insertions, deletions, substitutions cost 1. Time n_a * n_b. */
GR_API gr_status gr_edit_distance(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b, int64_t *out);

/* Edits from reference to hypothesis. Zeroed it is empty. */
typedef struct gr_edits {
    int64_t edits, length; /* length: of the references, in words or characters */
} gr_edits;
/* Words: split at Unicode's blanks (jiwer: at U+0020 alone). Characters: code points, outer blanks off. Status: GR_ERR_DATA. */
GR_API gr_status gr_edits_update_words(gr_edits *e, const char *reference, const char *hypothesis);
GR_API gr_status gr_edits_update_characters(gr_edits *e, const char *reference, const char *hypothesis);
GR_API void gr_edits_merge(gr_edits *e, const gr_edits *other);
/* Word or character error rate edits / length; where all references are empty the number of insertions, as jiwer. */
GR_API double gr_edits_rate(const gr_edits *e);

/* ---- boxes ------------------------------------------------------------------------------ */

typedef struct gr_box {
    double x, y, width, height; /* of the upper left corner; sizes >= 0 */
} gr_box;
/* Intersection over union of boxes a (n_a) with b (n_b) into out (n_a, n_b). crowd: (n_b) or NULL; for a crowd the
 * divisor is the area of a alone. Boxes that do not overlap, or have no area, give 0. */
GR_API void gr_box_iou(const gr_box *a, size_t n_a, const gr_box *b, size_t n_b, const bool *crowd, double *out);

typedef struct gr_truth {
    gr_box box;
    int32_t category; /* 0 .. n_categories-1 */
    bool crowd;       /* a group: any number of detections in it are neither right nor wrong */
    bool ignore;      /* one detection of it is neither right nor wrong (COCO) */
    bool difficult;   /* any number of detections of it are neither right nor wrong (VOC) */
} gr_truth;
typedef struct gr_detection {
    gr_box box;
    int32_t category;
    double score;
} gr_detection;

/* Of boxes of one category that overlap by more than 'overlap' (IoU) only the best stays; then the 'most' best of all stay
 * (0: all), in front of 'found', by falling score. Returns how many. Scores are finite. */
GR_API size_t gr_box_suppress(gr_detection *found, size_t n, double overlap, size_t most);

typedef struct gr_detections gr_detections; /* keeps score and fate of each detection */
/* n_categories 1 .. 2^20. Owner: the caller frees *out. Status: GR_ERR_ARGUMENT, GR_ERR_LIMIT. */
GR_API gr_status gr_detections_new(int32_t n_categories, gr_detections **out);
GR_API void gr_detections_free(gr_detections **d);
/* One image. Of a category the 100 best detections count, equal scores in the order given. Status: GR_ERR_DATA. After
 * GR_ERR_MEMORY the accumulator is of no more use. */
GR_API gr_status gr_detections_update(gr_detections *d, const gr_truth *truth, size_t n_truth,
                                      const gr_detection *found, size_t n_found);
/* Like updates with the other's images behind one's own. */
GR_API gr_status gr_detections_merge(gr_detections *d, const gr_detections *other);
typedef struct gr_detection_scores {
    double ap;         /* COCO: 101 points, mean over IoU .50, .55, .. .95, all areas */
    double ap50, ap75; /* at one IoU */
    double recall;     /* COCO's AR, at most 100 detections */
    double voc11,
        voc_area; /* IoU .50, PASCAL VOC's 11 points (2007) and area under the envelope (2010), matched as COCO */
    const char *undefined; /* no objects: NaN (pycocotools says -1) */
} gr_detection_scores;
/* Means over the categories that have objects; category >= 0: of that one. Status: GR_ERR_ARGUMENT. */
GR_API gr_status gr_detections_result(const gr_detections *d, int32_t category, gr_detection_scores *out);

/* ---- distributions ---------------------------------------------------------------------- */

/* Two clouds of points, a (n_a, width) and b (n_b, width), as normal distributions: |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)),
 * covariances over n - 1 (Frechet 1957; Heusel et al. 2017 judge pictures so). n_a, n_b >= 2. Status: GR_ERR_ARGUMENT,
 * GR_ERR_DATA. */
GR_API gr_status gr_frechet_distance(const double *a, size_t n_a, const double *b, size_t n_b, size_t width,
                                     double *out);

/* ---- recommendations -------------------------------------------------------------------- */

/* Sums over queries, at cut-off k. Set k >= 1 and leave the rest zero: gr_ranking r = {.k = 10}. */
typedef struct gr_ranking {
    int64_t k;
    int64_t queries, empty; /* empty: without a relevant item; they count, with 0 */
    double precision, recall, hit, ndcg, reciprocal_rank, average_precision;
} gr_ranking;
/* One query: n candidates, score finite, relevance >= 0 (> 0 is relevant; NDCG takes it as the gain). Equal scores stand
 * in the order given, but NDCG is the mean over their orders, as scikit-learn's. Status: GR_ERR_DATA, GR_ERR_ARGUMENT. */
GR_API gr_status gr_ranking_update(gr_ranking *r, const double *score, const double *relevance, size_t n);
/* GR_ERR_ARGUMENT where the cut-offs differ. */
GR_API gr_status gr_ranking_merge(gr_ranking *r, const gr_ranking *other);
typedef struct gr_ranking_scores {
    double precision;      /* relevant among the first k, over k */
    double recall;         /* relevant among the first k, over all relevant */
    double hit_rate;       /* is there one among the first k? */
    double ndcg;           /* sum of gain / log2(rank + 1) over the first k, over its largest possible value */
    double mrr;            /* 1 / rank of the first relevant one; 0 behind k */
    double map;            /* sum over relevant ranks i <= k of precision at i, over min(relevant, k) */
    const char *undefined; /* no queries: NaN */
} gr_ranking_scores;
GR_API void gr_ranking_result(const gr_ranking *r, gr_ranking_scores *out);

/* ---- clusters --------------------------------------------------------------------------- */

/* Silhouette (Rousseeuw 1987), Euclidean, exact: time N^2 D, memory N + clusters.
 * x: (n, d) finite; label: (n) any numbers; each: (n) of the points, or NULL; *mean: their mean. A cluster of one point
 * scores 0. Status: GR_ERR_DATA where x is not finite or there are not 2 .. n-1 clusters. */
GR_API gr_status gr_silhouette(const double *x, const int32_t *label, size_t n, size_t d, double *each, double *mean);

typedef struct gr_contingency gr_contingency; /* counts of pairs of labels that occur */
GR_API gr_status gr_contingency_new(gr_contingency **out);
GR_API void gr_contingency_free(gr_contingency **c);
/* a, b: (n) two clusterings, any numbers. After GR_ERR_MEMORY the accumulator is of no more use. */
GR_API gr_status gr_contingency_update(gr_contingency *c, const int32_t *a, const int32_t *b, size_t n);
GR_API gr_status gr_contingency_merge(gr_contingency *c, const gr_contingency *other);
typedef struct gr_contingency_scores {
    double adjusted_rand; /* Hubert and Arabie 1985; 1 where the two agree on all pairs, also for empty input */
    double normalized_mutual_information; /* over the mean of the entropies; 1 where both are one cluster or empty */
    double purity; /* share of the points that have the most frequent a among those of their b; 1 for empty input */
} gr_contingency_scores;
GR_API void gr_contingency_result(const gr_contingency *c, gr_contingency_scores *out);

/* ---- uncertainty ------------------------------------------------------------------------- */

/* A metric of the samples index[0 .. n-1] (with repetitions). NaN: not defined for these. */
typedef gr_status (*gr_metric_fn)(void *user, const size_t *index, size_t n, double *out);

typedef struct gr_bootstrap_options {
    int64_t resamples; /* 2 .. 10 million; default 1000 */
    double level;      /* (0, 1); default 0.95 */
    uint64_t seed;     /* default 0; resample i is a pure function of (seed, i) */
} gr_bootstrap_options;
typedef struct gr_interval {
    double value;          /* of all samples */
    double low, high;      /* percentiles (1 -+ level)/2 of the resamples, interpolated linearly */
    double above_zero;     /* share of resamples > 0: of a difference */
    int64_t left_out;      /* resamples where the metric was NaN */
    const char *undefined; /* no samples, or the metric was never defined: NaN */
} gr_interval;
/* Percentile interval (Efron 1979) of a metric of n samples.
 * Status: GR_ERR_ARGUMENT, GR_ERR_LIMIT (n beyond memory), or what fn returned first. */
GR_API gr_status gr_bootstrap(size_t n, gr_metric_fn fn, void *user, const gr_bootstrap_options *options,
                              gr_interval *out);
/* Of fn(user_a) - fn(user_b), both on the same resamples: is system a better than b on the same test set? */
GR_API gr_status gr_bootstrap_difference(size_t n, gr_metric_fn fn, void *user_a, void *user_b,
                                         const gr_bootstrap_options *options, gr_interval *out);

/* ---- pictures ---------------------------------------------------------------------------- */

/* Each function makes one <svg> element, 640 units wide, as wide as what surrounds it: to be put into an HTML page, whose
 * text colour it takes. It has a title for screen readers. *svg ends with 0; free it with gr_text_free(). After a failure
 * *svg is NULL. Data that are undefined show as "no data". */
typedef struct gr_plot_options {
    const char *title, *x_label, *y_label; /* defaults fit the picture */
    const char *const *class_names;        /* (K); default: the numbers. gr_plot_confusion and those of a set only */
    int32_t bins;                          /* 1 .. 200; default sqrt(n), 5 .. 60. gr_plot_histogram only */
} gr_plot_options;

/* The true over the false positive rate, with the area below it. */
GR_API gr_status gr_plot_roc(gr_curve *c, const gr_plot_options *options, char **svg);
/* Precision over recall, with the average precision. */
GR_API gr_status gr_plot_precision_recall(gr_curve *c, const gr_plot_options *options, char **svg);
/* The same of each class against the rest, one line a class: of the 8 most frequent ones of those that have a curve. The
 * title tells how many have none here. */
GR_API gr_status gr_plot_roc_set(gr_curve_set *s, const gr_plot_options *options, char **svg);
GR_API gr_status gr_plot_precision_recall_set(gr_curve_set *s, const gr_plot_options *options, char **svg);
/* Precision, recall and F1 over the threshold, with a line where 'used' is (NaN: none). */
GR_API gr_status gr_plot_threshold(gr_curve *c, double used, const gr_plot_options *options, char **svg);
GR_API gr_status gr_plot_reliability(const gr_probability *p, const gr_plot_options *options, char **svg);
/* Colour: share of the row (of what is of that class). At most 64 classes, else GR_ERR_LIMIT. */
GR_API gr_status gr_plot_confusion(const gr_confusion *c, const gr_plot_options *options, char **svg);
/* Predicted against actual; of more than 2000 points every i-th. */
GR_API gr_status gr_plot_scatter(const double *actual, const double *predicted, size_t n,
                                 const gr_plot_options *options, char **svg);
/* A series and a forecast of part of it, with a band where low and high are given. */
typedef struct gr_forecast {
    const double *actual; /* (n) at times 0 .. n-1; NaN leaves a gap */
    size_t n;
    const double *forecast;   /* (n_forecast) at times first .. first + n_forecast - 1 */
    const double *low, *high; /* the same; both or none */
    size_t first, n_forecast;
} gr_forecast;
GR_API gr_status gr_plot_forecast(const gr_forecast *f, const gr_plot_options *options, char **svg);
/* Values that are not finite are left out. */
GR_API gr_status gr_plot_histogram(const double *value, size_t n, const gr_plot_options *options, char **svg);

#ifdef __cplusplus
}
#endif
#endif
