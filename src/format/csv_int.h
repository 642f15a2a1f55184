/* Between the files of CSV: csv_record.c (bytes -> records), csv_sniff.c (its form), csv.c (rows of a file),
 * csv_table.c (whole files). */
#ifndef GR__CSV_INT_H
#define GR__CSV_INT_H

#include "base/file.h"
#include "format/csv.h"

/* Splits bytes into the fields of one record after another.
 *
 *   input (or a sample in memory) -> text: f0 0 f1 0 ...      field[i]: begin, n, quoted */
typedef struct gr__csv_field {
    size_t begin, n;
    bool quoted;
} gr__csv_field;

typedef struct gr__csv_bytes {
    unsigned char *bytes;
    size_t at, n, capacity;
} gr__csv_bytes;

typedef struct gr__csv_records {
    gr__stream *stream; /* NULL: only what is in input */
    const char *path;   /* for messages */
    unsigned char *input;
    size_t used, filled;
    bool end;                  /* nothing follows the input */
    bool stream_ends;          /* has given its last bytes */
    size_t begin;              /* where in input this record begins, or goes on */
    gr__csv_bytes gone, again; /* of this record, from inputs before this one; what comes before the stream goes on */
    char separator;
    bool quotes;
    int64_t line, next_line; /* where this record starts; where the next one will */
    char *text;
    size_t text_n, text_capacity;
    gr__csv_field *field;
    size_t count, field_capacity;
} gr__csv_records;

/* As gr__csv_open(), on a mapping of the file, so that places can be gone back to. */
gr_status gr__csv_open_mapped(const char *path, const gr__csv_options *options, gr__csv **out);
uint64_t gr__csv_place_of(const gr__csv *csv); /* of the row that was read last */
void gr__csv_go_to(gr__csv *csv, uint64_t place, int64_t line);

#define GR__CSV_INPUT_BYTES ((size_t)64 << 10)

/* The next record that is not empty; *more = false at the end. Messages name file and line. After a record that cannot be read
 * (gr__csv_is_bad_record) reading goes on behind its first line: where a quote is never closed, nothing else is lost. */
gr_status gr__csv_next_record(gr__csv_records *r, bool *more);
gr_status gr__csv_fill(gr__csv_records *r);
/* Whether the next line lies whole in the input and has neither quotes nor stray bytes: then it is n bytes of fields, and
 * 'taken' with its end. */
bool gr__csv_simple_line(const gr__csv_records *r, size_t *n, size_t *taken);
/* The next row where its line is simple, has all columns and fits into 'left' bytes: its text to room, *used of it; its cells
 * to cell (columns). false: nothing was taken, gr__csv_next_row() must be asked. */
bool gr__csv_take_simple_row(gr__csv *csv, char *room, size_t left, gr__cell *cell, size_t *used);
void gr__csv_records_release(gr__csv_records *r); /* not the stream, not the input */

typedef struct gr__csv_form {
    char separator;
    bool quotes, header, decimal_comma;
    bool header_guessed; /* by the looks of the first row alone */
} gr__csv_form;
/* What the options leave open, from the first bytes of the file. */
gr_status gr__csv_sniff(const gr__csv_records *sample, const gr__csv_options *options, gr__csv_form *out);

gr_status gr__csv_no_column(const char *path, const char *name, const char *const *names, size_t n, bool header);

#endif
