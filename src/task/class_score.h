/* What the logits of a classifier are worth, for the tasks that tell classes apart. */
#ifndef GR__CLASS_SCORE_H
#define GR__CLASS_SCORE_H

#include "gradus/train.h"

/* A list of metrics that is filled up: n counts also what found no room. */
typedef struct gr__metrics {
    gr_metric *item;
    int capacity, n;
} gr__metrics;
/* NaN: not defined, left out. */
void gr__metrics_add(gr__metrics *l, const char *name, double value);

/* One row of logits to probabilities of all classes; outputs: one for each class, or one alone, of the second of two. */
void gr__class_probabilities(int64_t classes, int64_t outputs, const float *output, double *probability);
/* actual (n), output (n, outputs) -> accuracy, macro_f1, log_loss, auc, average_precision; of two classes f1 of the rarer
 * one. What is not defined (one class alone) is left out. */
gr_status gr__class_score(int32_t classes, int64_t outputs, const int32_t *actual, const float *output, int64_t n,
                          gr__metrics *out);

#endif
