/* Between the files of a table: table.c (reading, splitting, encoding), table_columns.c (types and fitting),
 * table_rows.c (rows that cannot be used), table_report.c (what people should know). */
#ifndef GR__TABLE_INT_H
#define GR__TABLE_INT_H

#include "data/table.h"

enum { GR__TYPE_AUTO, GR__TYPE_NUMBER, GR__TYPE_CATEGORY, GR__TYPE_IGNORE };
enum { GR__SCALE_STANDARD, GR__SCALE_MIN_MAX, GR__SCALE_NONE };
enum { GR__ENCODE_EMBEDDING, GR__ENCODE_ONE_HOT, GR__ENCODE_HASH };

/* What data.columns says of one column. */
typedef struct gr__column_settings {
    int type, scale, missing, indicator, encode;
    bool log;
    double clip;
    int64_t size, rare, buckets;
} gr__column_settings;

/* What its cells are. */
typedef struct gr__column_facts {
    int64_t missing, numbers, texts, distinct;
    int64_t odd_line; /* of the first text among numbers, or number among texts */
    double most;      /* size of the largest number */
    bool integers, sequence;
    const char *ignored; /* why it is; NULL: it is a feature, or the target */
    gr__column_settings set;
    gr__column_kind kind;
} gr__column_facts;

/* One file with what is known of it. */
typedef struct gr__table_work {
    const gr__table_options *o;
    const gr__conf *section;
    const gr__columns *kept; /* fitted before; NULL: none are */
    gr__csv_table csv;
    gr__column_facts *fact; /* csv.columns */
    size_t target;          /* column; SIZE_MAX: none */
    size_t *feature;        /* columns->n: the column of each */
    int64_t *row;           /* usable rows (n_rows), then the same as training rows and validation rows */
    int64_t n_rows, n_train, n_valid, no_target;
    int32_t *class; /* csv.rows; -1: none */
    gr__arena *arena;
    gr__columns *columns;
} gr__table_work;

gr_status gr__table_type_columns(gr__table_work *w);
/* Rows whose texts are no UTF-8: refused, or with data.skip_bad no longer usable. */
gr_status gr__table_check_texts(gr__table_work *w);
/* The same for numbers that no model can learn from; the kind of the target is known. */
gr_status gr__table_check_numbers(gr__table_work *w);
/* Kind of the target and its classes; w->class. */
gr_status gr__table_type_target(gr__table_work *w);
/* On the first n_train of w->row. */
gr_status gr__table_fit(gr__table_work *w);
/* Room for n rows, zeros. */
gr_status gr__table_part_new(const gr__columns *columns, int64_t n, gr__table_part *out);
/* table_balance.c: as many rows of each class; how: gr__table_balance. */
gr_status gr__table_balance_part(const gr__columns *columns, int how, uint64_t seed, gr__table_part *part);
gr_status gr__table_report(const gr__table_work *w, const gr__csv_table *test, const char **out);

#endif
