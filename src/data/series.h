/* A CSV file as series: a row a moment, in order, one column of times that is only looked at for its order. */
#ifndef GR__SERIES_DATA_H
#define GR__SERIES_DATA_H

#include "base/arena.h"
#include "conf/schema.h"

typedef struct gr__series_options {
    const char *source, *time;
    gr__conf_strings columns, ignore;
    int header;
    bool fill; /* a missing value repeats the one before; default: GR_ERR_DATA */
} gr__series_options;

typedef struct gr__series_data {
    int64_t rows, n;
    double *value; /* (rows, n), owned */
    gr__conf_strings names;
    int64_t *line;            /* rows: of the file, owned */
    const char *first, *last; /* times, in the arena; NULL: there is no column of times */
    int64_t filled;
} gr__series_data;

/* columns: the series by name; none: all but the times and what is ignored. The first column is the times where it is not
 * all numbers, unless 'time' names another; its cells are numbers, dates (date.h), or names, which have no order. GR_ERR_DATA with file:line:
 * no number, a missing value, a time that is none or does not come after the one before. */
gr_status gr__series_read(const gr__series_options *o, gr__arena *arena, gr__series_data *out);
void gr__series_release(gr__series_data *s);

#endif
