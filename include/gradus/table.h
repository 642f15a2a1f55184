/* gradus/table.h: models for rows of a table, used on CSV files: the model's folder holds all that reading a raw file needs.
 *
 *   gr_model *model;
 *   gr_predictions *p;
 *   gr_prediction row;
 *   gr_model_open("runs/houses", &model);
 *   gr_table_predict(model, "new.csv", NULL, &p);
 *   for (int64_t i = 0; gr_predictions_get(p, i, &row); i++) printf("line %lld: %g\n", (long long)row.line, row.value);
 *   gr_predictions_free(&p);
 *
 * The file has a header with the names that the model reads, in any order; or none, where the file for training had none:
 * then its columns are in that order, with the target or without. Threads: one at a time for each model. */
#ifndef GRADUS_TABLE_H
#define GRADUS_TABLE_H

#include "gradus/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_predictions gr_predictions;

typedef struct gr_prediction {
    int64_t line;      /* of the file, where the row starts */
    double value;      /* of a number, on the scale of the file; NaN for a class. k-means: distance to the centre */
    const char *label; /* the likeliest class, k-means: the cluster; NULL for a number, and for components */
    const double *probability; /* of each class, in the order of gr_model_label(); NULL for others */
    const double *place;       /* k-means, PCA: distance to each centre, or each component, in that order; else NULL */
} gr_prediction;

typedef struct gr_table_options {
    bool skip_bad; /* rows with another number of fields are left out, with a warning; default: GR_ERR_DATA */
} gr_table_options;

/* Cells that are no number count as missing, categories that training did not know as unknown: gr_predictions_note says
 * so. options NULL: the defaults. Status: GR_ERR_UNSUPPORTED (no table model), GR_ERR_DATA (file and line; a column that is not there), GR_ERR_NOT_FOUND,
 * GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_table_predict(gr_model *model, const char *path, const gr_table_options *options,
                                  gr_predictions **out);
GR_API void gr_predictions_free(gr_predictions **p);
/* Row i; texts and numbers are borrowed. False past the end. */
GR_API bool gr_predictions_get(const gr_predictions *p, int64_t i, gr_prediction *out);
/* The file's own cells, as read: row -1 is the names. NULL past the end of rows or columns. The cells of a row live until another
 * row is asked for: those of a file that is large beside the memory are read from it again. */
GR_API const char *gr_predictions_cell(const gr_predictions *p, int64_t row, int64_t column);
/* GR_ERR_DATA: the file was changed while its cells were asked for, which were empty then. */
GR_API gr_status gr_predictions_check(const gr_predictions *p);
/* Name of the target, borrowed; "" where the model has none. */
GR_API const char *gr_predictions_target(const gr_predictions *p);
/* The i-th sentence about what was odd in the file ("new.csv:3: ..."); NULL past the end. */
GR_API const char *gr_predictions_note(const gr_predictions *p, int i);

/* The model's metrics on a file that has the target (k-means and PCA need none): fills at most 'capacity', *n gets how many there are. Status as
 * above; GR_ERR_DATA where a target is missing or of an unknown class. */
GR_API gr_status gr_table_score(gr_model *model, const char *path, const gr_table_options *options, gr_metric *out,
                                int capacity, int *n);

/* How the series of a CSV file go on after its last row, by a forecaster (GR_MODEL_SERIES): columns by the names of training
 * (gr_model_label), missing values as the one before. out: (horizon, series) of gr_model_describe(), on the scale of the
 * file. Status: GR_ERR_UNSUPPORTED (no forecaster), GR_ERR_NOT_FOUND (file, column), GR_ERR_DATA (fewer rows than the window,
 * what is no number, with its line), GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_series_continue(gr_model *model, const char *path, double *out);

/* One item for a user: its name (borrowed from the model) and its score: a rating, or what only orders items. */
typedef struct gr_recommended {
    const char *item;
    double score;
} gr_recommended;
/* The best items for a user, by a recommender (GR_MODEL_RECOMMENDER), the best first, at most 'top' into out; *n: how many.
 * path: a CSV file with the columns of training's (no ratings are needed) whose items of this user are their history and are
 * left out; NULL: none. A user whom training did not know is served by the history where the model looks at that, else by
 * what all like. Status: GR_ERR_UNSUPPORTED (no recommender), GR_ERR_NOT_FOUND (file, column, user), GR_ERR_DATA, GR_ERR_IO,
 * GR_ERR_MEMORY. */
GR_API gr_status gr_recommend(gr_model *model, const char *path, const char *user, int64_t top, gr_recommended *out,
                              int64_t *n);

/* Cross-validation: the configuration's rows are cut in 'folds' parts (2 or more), a model is trained on all parts but one
 * and measured on that one, for each. mean and deviation (of a sample, n - 1) of each metric, at most 'capacity'. fn (may
 * be NULL) gets the metrics of each fold; hooks (may be NULL) as gr_run_train's. Nothing is written.
 * Status: GR_ERR_UNSUPPORTED (a task whose data cannot be cut; nothing is opened then), GR_ERR_ARGUMENT, and those of opening
 * and training. */
typedef void (*gr_fold_fn)(void *user, int fold, const gr_metric *metrics, int n);
GR_API gr_status gr_run_folds(const char *path, const gr_run_options *options, int folds, const gr_train_hooks *hooks,
                              gr_fold_fn fn, void *user, gr_metric *mean, gr_metric *deviation, int capacity, int *n);

#ifdef __cplusplus
}
#endif
#endif
