/* How answers of labels are measured and shown, by every task that gives labels. */
#ifndef GR__LABEL_SCORE_H
#define GR__LABEL_SCORE_H

#include "base/str.h"
#include "conf/schema.h"
#include "gradus/metric.h"
#include "gradus/model.h"
#include "gradus/train.h"

typedef struct gr__label_score gr__label_score;

/* names: of the labels, two at least; borrowed. */
gr_status gr__label_score_new(const gr__conf_strings *names, gr__label_score **out);
void gr__label_score_free(gr__label_score **s);
void gr__label_score_clear(gr__label_score *s);
/* One sample: probability (labels), that sum to 1. 'sample' is what the caller names it by in the panels.
 * GR_ERR_DATA where they are not finite. */
gr_status gr__label_score_add(gr__label_score *s, const double *probability, int32_t actual, int64_t sample);
/* The same of n rows of f32 probabilities (n, labels), samples first .. first + n - 1. */
gr_status gr__label_score_add_rows(gr__label_score *s, const float *probability, const int32_t *actual, int64_t first,
                                   int64_t n);

/* From which probability on the second of two labels is said. */
typedef enum gr__tuning_kind { GR__TUNING_NONE, GR__TUNING_FIXED, GR__TUNING_F1, GR__TUNING_YOUDEN } gr__tuning_kind;
typedef struct gr__tuning {
    gr__tuning_kind kind; /* NONE: the likelier label */
    double number;        /* FIXED */
} gr__tuning;
/* Sets the threshold by which labels are said, of s and of the model (may be NULL), from the samples in s: in the middle between
 * the best one's probability and the next, so that rounding does not turn a sample. Not defined: the likelier label. */
gr_status gr__label_score_tune(gr__label_score *s, const gr__tuning *how, gr_model *model);
/* NaN: the likelier label. */
void gr__label_score_set_threshold(gr__label_score *s, double threshold);

/* accuracy, macro_f1, log_loss, auc, average_precision; with two labels precision, recall and f1 of the second, best_f1 and
 * the threshold of it, and the one that was set; with more than five top5; calibration_error. What is not defined is left
 * out, and auc and average_precision where a label does not occur; macro_f1 is the mean over the labels that do. Fills at
 * most 'capacity', *n gets how many there are. */
gr_status gr__label_score_metrics(gr__label_score *s, gr_metric *out, int capacity, int *n);

/* F1 over samples by their numbers, each as often as it stands there: of the second of two labels, else the mean over those
 * that occur, with the bits of gr_confusion_result(). A gr_metric_fn for gr__label_score *user, after its metrics. */
gr_status gr__label_score_f1(void *user, const size_t *index, size_t n, double *out);

/* What people call a sample ("digits/7/12.png"), in 'room' or borrowed. */
typedef const char *(*gr__sample_name_fn)(void *user, int64_t sample, char room[256]);
/* Appends what a sample looks like, as HTML. */
typedef gr_status (*gr__sample_picture_fn)(void *user, int64_t sample, gr__str *page);
/* Sections of a page: confusion matrix, ROC and precision-recall, calibration, the surest mistakes. name, picture: of the
 * samples; NULL: their numbers, none. */
gr_status gr__label_score_panels(gr__label_score *s, gr__sample_name_fn name, gr__sample_picture_fn picture, void *user,
                                 gr__str *page);

#endif
