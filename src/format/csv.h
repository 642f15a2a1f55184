/* CSV and its relatives (RFC 4180; separators , ; TAB |), plain or gzipped, a row at a time or as a table of texts.
 * Separator, header, decimal comma and the meaning of quotes in TAB files are sniffed from the first 64 KiB unless the
 * options say; a .tsv with a TAB in its first line is separated by TABs. Cells are bytes as in the file: never evaluated,
 * "007" stays text. A BOM, CRLF and empty lines are skipped. Messages carry file:line. */
#ifndef GR__CSV_H
#define GR__CSV_H

#include "base/compiler.h"
#include "base/status.h"

typedef enum gr__csv_choice { GR__CSV_SNIFF, GR__CSV_YES, GR__CSV_NO } gr__csv_choice;

typedef struct gr__csv_options {
    char separator;               /* 0: sniffed */
    gr__csv_choice header;        /* the first row holds names */
    const char *named;            /* a column that there should be: a first row that has it holds names; NULL: none */
    gr__csv_choice quotes;        /* "..." may hold separators, newlines and "" */
    gr__csv_choice decimal_comma; /* 1,5 is a number */
    bool
        skip_bad; /* rows that cannot be read, or with another number of fields, are left out, with a warning at the end */
    bool may_stay; /* gr__csv_read: rows of a file of gr__large_bytes() (base/spill.h) stay in it */
} gr__csv_options;

typedef struct gr__cell {
    const char *text; /* n bytes and a 0 */
    uint32_t n;       /* small, for a table has millions: writing them costs as much as reading the file */
    bool quoted;
} gr__cell;

/* ---- a row at a time ---- */

typedef struct gr__csv gr__csv;

gr_status gr__csv_open(const char *path, const gr__csv_options *options, gr__csv **out); /* options NULL: sniff all */
void gr__csv_close(gr__csv **csv);

char gr__csv_separator(const gr__csv *csv);
bool gr__csv_has_header(const gr__csv *csv);
bool gr__csv_header_guessed(const gr__csv *csv); /* all is text: the first row may as well be the other */
bool gr__csv_decimal_comma(const gr__csv *csv);
size_t gr__csv_columns(const gr__csv *csv);
const char *gr__csv_name(const gr__csv *csv, size_t column); /* "column_1" ... without a header */
/* By name, or by number from 0 in text ("3") where no name is that. GR_ERR_NOT_FOUND with the nearest name. */
gr_status gr__csv_column(const gr__csv *csv, const char *name, size_t *out);

/* Names must be told apart: they are what columns are asked by. GR_ERR_DATA where two are the same. */
gr_status gr__csv_check_names(const char *path, const char *const *name, size_t n);

/* Reads the next row; *more = false at the end. The cells (gr__csv_columns of them) live until the next call. After a row that
 * cannot be read (gr__csv_is_bad_record) the next call reads on behind its first line. */
gr_status gr__csv_next_row(gr__csv *csv, bool *more);
bool gr__csv_is_bad_record(gr_status status);
const gr__cell *gr__csv_cells(const gr__csv *csv);
int64_t gr__csv_line(const gr__csv *csv); /* where that row starts, from 1 */

/* Empty, NA, N/A, null, nan, none or ? (any case, blanks around ignored, not in quotes unless empty). */
bool gr__cell_is_missing(const gr__cell *cell);
/* Locale-free; blanks around are ignored. */
bool gr__cell_number(const gr__cell *cell, bool decimal_comma, double *out);

/* The size of a number that a model can learn from: a float where it is scaled first, else even its square is one. */
#define GR__CSV_MOST_SCALED 3.4e38
#define GR__CSV_MOST_PLAIN 1e18
/* GR_ERR_DATA that says so of a value. */
gr_status gr__csv_too_large(const char *path, int64_t line, const char *column, double value, double most);

/* ---- the whole file ---- */

typedef struct gr__csv_table {
    size_t columns, rows;
    const char **name; /* columns */
    gr__cell *cell;    /* (rows, columns); NULL: they stay in the file */
    struct gr__csv_place {
        gr__csv *csv;   /* of the mapped file */
        uint64_t *at;   /* rows: offset of each */
        gr__cell *none; /* columns: empty */
        int64_t row;    /* whose cells csv has; -1: none */
        bool lost;      /* a row is no longer what it was */
    } * place;          /* where they stay in the file */
    int64_t *line;      /* rows: where each starts */
    char separator;
    bool has_header, decimal_comma;
    char *path;
    void *texts; /* owners of the texts */
    char *block;
} gr__csv_table;

gr_status gr__csv_read(const char *path, const gr__csv_options *options, gr__csv_table *out);
/* The cells of a row (columns of them). Of a table whose rows stay in the file they live until the next call, one thread may
 * ask, and a row that is no longer there has empty cells, which gr__csv_table_check() tells. */
const gr__cell *gr__csv_table_row(const gr__csv_table *table, int64_t row);
GR__INLINE const gr__cell *gr__csv_table_cell(const gr__csv_table *t, int64_t row, size_t column)
{
    return t->cell ? &t->cell[(size_t)row * t->columns + column] : &gr__csv_table_row(t, row)[column];
}
/* GR_ERR_DATA: the file was changed while its rows were asked for. */
gr_status gr__csv_table_check(const gr__csv_table *table);
void gr__csv_table_release(gr__csv_table *table);
gr_status gr__csv_table_column(const gr__csv_table *table, const char *name, size_t *out);
/* Of a table in memory: rows doubles; missing cells become NaN; any other text is GR_ERR_DATA with its line. */
gr_status gr__csv_table_doubles(const gr__csv_table *table, size_t column, double *out);

#endif
