/* What families have in common that an algorithm of their own fits, instead of steps of an optimiser: rows of numbers come
 * from cells of a table, or are the pixels of pictures, in [0, 1]. Their configuration begins with a gr__fitted_config, their
 * row in families has GR__FITTED_FAMILY. */
#ifndef GR__FITTED_H
#define GR__FITTED_H

#include "fit/points.h"
#include "model/family.h"
#include "model/hf_json.h"
#include "model/picture.h"

enum { GR__MOST_FITTED = 65536 }; /* clusters, components */

typedef struct gr__fitted_config {
    gr__columns columns;        /* n = 0: pictures */
    gr__picture_config picture; /* height, width and channels; 0: a table */
    int64_t inputs;             /* numbers of a row */
    gr__conf_strings names;     /* of what is said of a row: clusters, components */
} gr__fitted_config;

/* How a family is fitted. */
typedef struct gr__fitting {
    gr__points points;
    int64_t passes; /* over the rows, at most */
    uint64_t seed;
    const gr__watch *watch;
} gr__fitting;

/* What is said of rows: said (N, outputs), rest (N). */
typedef struct gr__fitted_out {
    gr_value said, rest;
} gr__fitted_out;

/* Takes inputs from the data, and names 'outputs' things that are said: prefix0, prefix1, ... */
gr_status gr__fitted_finish(gr__fitted_config *c, const gr__facts *facts, const char *prefix, int64_t outputs);
/* Columns or sizes of pictures, and 'outputs' under 'key'. */
gr_status gr__fitted_read_json(gr__json root, const char *key, gr__fitted_config *c, gr__arena *arena,
                               int64_t *outputs);
void gr__fitted_write_json(const gr__fitted_config *c, const char *key, gr__str *out);
gr_model_info gr__fitted_info(const void *config);
const gr__conf_strings *gr__fitted_names(const void *config);
const gr__columns *gr__fitted_columns(const void *config);
/* A state of the model that 'fit' sets, zeros before. */
gr_value gr__fitted_state(gr_graph *g, const char *name, int rank, const int64_t *dim);
/* Puts numbers into it. */
gr_status gr__fitted_set(gr_model *model, const char *name, const double *v, int64_t n);
/* Rows of numbers (batch, inputs), input "numbers", and what is said of them. */
void gr__model_build_fitted(const gr_model *model, gr_graph *g, int64_t batch, gr__fitted_out *out);
/* What the model says of rows: said (n, outputs) and rest (n), each may be NULL. */
gr_status gr__fitted_run(const gr_model *model, const gr__points *points, float *said, float *rest);
/* What the i-th number of a row is: "age", "sex=F", "age is missing", "pixel 17". */
gr_status gr__fitted_input_name(const gr__fitted_config *c, int64_t i, gr__str *out);
/* A value of it in the units of the file; shares of categories and pixels stay as they are. */
double gr__fitted_backward(const gr__fitted_config *c, int64_t i, double value);

#define GR__FITTED_FAMILY \
    .kind = GR_MODEL_FITTED, .labels = gr__fitted_names, .columns = gr__fitted_columns, .describe = gr__fitted_info

#endif
