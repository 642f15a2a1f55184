/* What tasks that tell classes apart have in common: the cut into parts, the model on planes of numbers (pictures, or the
 * bands of sounds), the loss, the scores. */
#ifndef GR__CLASSES_H
#define GR__CLASSES_H

#include "gradus/metric.h"
#include "task/task.h"

typedef struct gr__classes {
    int64_t n;
    gr_confusion *confusion;
    gr_probability *probability; /* NULL: of up to five classes the right one is always among five */
    double *row;                 /* (n): of one sample */
} gr__classes;

gr_status gr__classes_open(gr__classes *c, int64_t n, gr__arena *arena);
void gr__classes_close(gr__classes *c);

/* Of each class the seed draws as many as 'share' says, rounded: valid[i] = 1. label (n), from 0 to classes - 1. */
gr_status gr__classes_split(const int32_t *label, int64_t n, int64_t classes, double share, uint64_t seed,
                            uint8_t *valid);

/* The section 'model' with these facts; 'resnet' where it names no family. GR_ERR_CONFIG for one that sees no planes; 'what'
 * says at what it cannot look ("look at pictures"). */
gr_status gr__classes_model(const gr__task_in *in, const gr__facts *facts, const char *what, gr__arena *arena,
                            gr_model **out);

/* The loss of logits (batch, n) with the input "targets"; for validation the outputs "prediction" and "probability". */
gr_status gr__classes_build(const gr__classes *c, gr_graph *g, gr_value logits, int64_t batch, bool train,
                            double smoothing, const char *program, gr_loss *out);

/* What a validation batch gave for samples with these labels; first: the scores begin anew. */
void gr__classes_score(gr__classes *c, bool first, const int32_t *label, int64_t n, gr_session *session);
/* accuracy, macro_f1, top5 where there are more than five; returns how many. */
int gr__classes_finish(const gr__classes *c, gr_metric *out, int capacity);

#endif
