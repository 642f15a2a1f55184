/* Metrics of a table model's outputs, for validation and for a file that is evaluated alike. */
#ifndef GR__TABLE_SCORE_H
#define GR__TABLE_SCORE_H

#include "base/str.h"
#include "data/table.h"
#include "task/label_score.h"
#include "gradus/train.h"

/* Outputs of a model (outputs per row) to probabilities of all classes. */
void gr__table_probabilities(const gr__columns *c, const float *output, double *probability);

/* threshold: of two classes, see gr_model_threshold().
 * The first n rows of 'part' against output (n, outputs). Numbers are measured on the scale of the file. Fills at most
 * 'capacity', *n_out gets how many there are; what is not defined (one class alone) is left out. */
gr_status gr__table_score(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                          double threshold, gr_metric *out, int capacity, int *n_out);
/* Sets the model's threshold from the same rows, of two classes. */
gr_status gr__table_tune(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                         const gr__tuning *how, gr_model *model);
/* Sections of a page about the same rows, which stand in the file at 'path'. */
gr_status gr__table_panels(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                           double threshold, const char *path, gr__str *page);

#endif
