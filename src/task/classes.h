/* What tasks that tell classes apart have in common: the cut into parts, the model on planes of numbers (pictures, or the
 * bands of sounds), the loss. */
#ifndef GR__CLASSES_H
#define GR__CLASSES_H

#include "task/label_score.h"
#include "task/task.h"

/* Of each class the seed draws as many as 'share' says, rounded: valid[i] = 1. label (n), from 0 to classes - 1. */
gr_status gr__classes_split(const int32_t *label, int64_t n, int64_t classes, double share, uint64_t seed,
                            uint8_t *valid);

/* What is left of the classes when samples were left out, 'count' of each in both parts: a class without any is told,
 * GR_ERR_DATA where fewer than two have some. what: "pictures". */
gr_status gr__classes_left(const gr__conf_strings *names, const int64_t *count, const char *source, const char *what);

/* The section 'model' with these facts; 'resnet', for clips 'clip', where it names no family. GR_ERR_CONFIG for one that does not fit; 'what'
 * says at what it cannot look ("look at pictures"). */
gr_status gr__classes_model(const gr__task_in *in, const gr__facts *facts, const char *what, gr__arena *arena,
                            gr_model **out);

/* The loss of logits (batch, n) with the input "targets"; for validation the output "probability". */
gr_status gr__classes_build(gr_graph *g, gr_value logits, int64_t batch, bool train, double smoothing,
                            const char *program, gr_loss *out);
/* The n samples of a validation batch that ran, 'first' of all. */
void gr__classes_score(gr__label_score *scores, int64_t first, int64_t n, gr_session *session);

#endif
