/* A CSV file as rows for a table model: columns typed (or as data.columns says), rows split by the seed, transforms fitted
 * on the rows for training, cells encoded, and a report of all that.
 *
 *   read -> type the columns -> classes of the target -> split -> fit on the training rows -> encode both parts */
#ifndef GR__TABLE_H
#define GR__TABLE_H

#include "data/split.h"
#include "format/columns.h"

typedef enum gr__table_predict { GR__PREDICT_AUTO, GR__PREDICT_NUMBER, GR__PREDICT_CLASS } gr__table_predict;

/* ORDER BALANCE */
typedef enum gr__table_balance {
    GR__BALANCE_NONE,
    GR__BALANCE_OVER,
    GR__BALANCE_UNDER,
    GR__BALANCE_SMOTE
} gr__table_balance;

/* The section 'data' of the task 'table'. */
typedef struct gr__table_options {
    const char *source, *test_source, *target, *strip;
    gr__conf_strings names, ignore;
    int header, predict;
    bool log_target, skip_bad;
    int balance; /* gr__table_balance */
    gr__split_options split;
    const gr__conf *columns, *all;
    bool untold; /* not from the configuration: nothing is predicted, a target is only something to compare with */
} gr__table_options;
extern const gr__conf_row gr__table_rows[], gr__table_column_rows[];
extern const size_t gr__n_table_rows, gr__n_table_column_rows;

typedef struct gr__table_part {
    int64_t n;
    int64_t *line;  /* n: of the file */
    float *numbers; /* (n, N) */
    int32_t *codes; /* (n, K) */
    double *number; /* n: of the target, as a model learns it; 0 for classes */
    int32_t *class; /* n: -1 for numbers */
} gr__table_part;

typedef struct gr__table_data {
    gr__columns columns;    /* in the arena that was given to open; without a target its name is "" */
    gr__table_part part[2]; /* training, validation (may be empty) */
    const char *report;     /* lines for people, in the arena */
} gr__table_data;

/* 'section' is for messages with a position. kept: columns fitted before, which stay where they are the same ones, and which
 * outlive *out; NULL: all are fitted. GR_ERR_DATA, GR_ERR_CONFIG and what reading gives; *out is then empty. */
gr_status gr__table_open(const gr__table_options *o, const gr__conf *section, uint64_t seed, const gr__columns *kept,
                         gr__arena *arena, gr__table_data *out);
void gr__table_close(gr__table_data *t);

/* What was odd in a file that is encoded by columns fitted elsewhere: how many cells, and where the first is. */
typedef struct gr__table_odd {
    int64_t count, line;
    const char *column; /* borrowed from the columns */
    char text[64];      /* its first bytes */
} gr__table_odd;
typedef struct gr__table_oddities {
    gr__table_odd bad, unknown, missing;
} gr__table_oddities;

/* A file for columns that are fitted: by the names of its header, or in the order of training where that had none.
 * GR_ERR_DATA where a column is missing; column[i] (columns->n of them, in 'arena') is where feature i stands, *target
 * where the target does, SIZE_MAX: nowhere. skip_bad: rows that cannot be read or have another number of fields are left
 * out, with a warning. */
gr_status gr__table_read_for(const gr__columns *columns, const char *path, bool skip_bad, gr__arena *arena,
                             gr__csv_table *csv, size_t **column, size_t *target);
/* Rows 'row' (n; NULL: all) of the table. target SIZE_MAX: none is wanted. A target that is missing, no number or an
 * unknown class is GR_ERR_DATA with its line. odd NULL: so is a number that is too large, which else is odd. */
gr_status gr__table_encode(const gr__columns *columns, const gr__csv_table *csv, const size_t *column, size_t target,
                           const int64_t *row, int64_t n, gr__table_part *out, gr__table_oddities *odd);
void gr__table_part_release(gr__table_part *part);

#endif
