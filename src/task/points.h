/* Rows of numbers of whatever kind: a table whose cells are encoded, or pictures whose pixels are numbers in [0, 1]; with
 * classes to compare with, where the data say any. */
#ifndef GR__TASK_POINTS_H
#define GR__TASK_POINTS_H

#include "data/table.h"
#include "fit/points.h"
#include "task/pictures.h"
#include "task/task.h"

typedef struct gr__point_part {
    gr__points points;
    const int32_t *class; /* (n); NULL: none are known */
    const int64_t *line;  /* (n): of the file of a table; NULL: pictures */
} gr__point_part;

typedef struct gr__point_data {
    gr__point_part part[2];   /* training, validation (may be empty) */
    gr__conf_strings classes; /* their names */
    gr__picture_shape shape;  /* height 0: a table */
    const char *report;       /* lines for people; NULL: none */
    /* inside */
    gr__table_data table;
    gr__image_set *set[2];
    gr__pictures pictures[2];
    float *pixels[2];
    int32_t *labels[2];
} gr__point_data;

extern const gr__conf_row gr__point_rows[]; /* of the section 'data' for pictures; a table has its own */
extern const size_t gr__n_point_rows;

/* Reads the section 'data'. GR_ERR_DATA for numbers that are not finite, and what reading tables and pictures gives. */
gr_status gr__point_data_open(const gr__task_in *in, gr__arena *arena, gr__point_data *out);
void gr__point_data_close(gr__point_data *d);

#endif
