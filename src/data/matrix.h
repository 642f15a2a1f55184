/* Rows of numbers for models that take vectors: x (rows, inputs) and y (rows, outputs), f32, in memory. */
#ifndef GR__MATRIX_H
#define GR__MATRIX_H

#include "conf/schema.h"
#include "gradus/tensor.h"

typedef struct gr__matrix {
    int64_t rows, inputs, outputs;
    float *x, *y; /* owned */
} gr__matrix;

/* The section 'data' of a vector task:
 *   source: random                       rows, inputs, outputs, targets: uniform | normal | inputs, seed
 *   source: FILE.csv, target: [names]    every other column is an input (or inputs: [names])
 *   source: IMAGES-idx, labels: IDX      scale, positive: a label against the rest (else one-hot of 'classes')
 *   test_source, test_labels             the same for the test part */
typedef struct gr__matrix_options {
    const char *source, *labels, *test_source, *test_labels;
    gr__conf_strings target, inputs_named, drop;
    int64_t rows, inputs, outputs, classes, positive, seed;
    double scale;
    int targets;
    double valid;
} gr__matrix_options;
extern const gr__conf_row gr__matrix_rows[];
extern const size_t gr__n_matrix_rows;

/* test: the test part; GR_ERR_NOT_FOUND when none is named. 'section' is for messages with a position. */
gr_status gr__matrix_load(const gr__matrix_options *o, const gr__conf *section, bool test, gr__matrix *out);
void gr__matrix_release(gr__matrix *m);

#endif
