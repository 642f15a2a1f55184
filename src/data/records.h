/* The inside of gr_records, between its files. */
#ifndef GR__RECORDS_H
#define GR__RECORDS_H

#include "base/arena.h"
#include "base/str.h"
#include "format/csv.h"
#include "gradus/data.h"

typedef struct gr__record {
    gr__cell *cell; /* (columns) */
    int64_t line;
} gr__record;

struct gr_records {
    gr__arena arena; /* of texts and cells */
    char *path;
    const char **name; /* columns */
    bool named;        /* by the file, not by us */
    bool guessed;      /* that a table is named, or not */
    int64_t columns, rows;
    gr__record *row;
    size_t capacity;
    int64_t bad;
    char *first_bad;
};

/* The text of a cell: whole numbers have no exponent, so that others read them as such. */
void gr__record_number(char out[32], double value);
/* A row of empty cells at the end. */
gr_status gr__records_add(gr_records *r, int64_t line, gr__cell **cell);
/* Keeps the rows whose flag is set, in order. */
void gr__records_keep(gr_records *r, const bool *keep);
/* An empty one with the columns of r, whose texts it borrows. */
gr_status gr__records_like(const gr_records *r, gr_records **out);
/* Numbers of the column; NaN where there is none. Whether every cell that is there is a number. */
bool gr__records_numbers(const gr_records *r, int64_t column, double *out);
/* Codes 0 .. *n - 1 of the different cells of a column, in the order in which they come; *out (rows) is the caller's. */
gr_status gr__records_codes(const gr_records *r, int64_t column, int32_t **out, int32_t *n);

/* records_near.c: an index of rows by what is in them. */
typedef struct gr__near gr__near;
/* columns: of those names, up to NULL; NULL: all. near 0: exact alone. */
gr_status gr__near_new(double near, gr__near **out);
void gr__near_free(gr__near **n);
/* Which earlier row the text equals (-1: none), and whether exactly; adds it under 'id' unless it equals one, or 'add' is
 * false. */
gr_status gr__near_look(gr__near *n, const char *text, size_t bytes, int64_t id, bool add, int64_t *twin, bool *exact);

#endif
