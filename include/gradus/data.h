/* gradus/data.h: files of records looked over, cleaned, cut in parts, freed of duplicates, balanced and converted, before
 * anything is trained on them.
 *
 *   gr_records *all, *part[3];
 *   gr_records_open("reviews.csv", NULL, &all);
 *   gr_records_dedup(all, &(gr_dedup_options){.near = 0.9}, NULL);
 *   gr_records_split(all, &(gr_split_options){.valid = 0.1, .test = 0.1, .by = "label"}, part);
 *   gr_records_save(part[0], "train.csv");
 *
 * A file of records is one of
 *   .csv .tsv              cells with names, see docs/formats.md; numbers stay the text that they are in the file, but
 *                          for columns of numbers with a decimal comma, which get a point
 *   .jsonl                 one flat object a line: its keys are the columns, a key that is absent or null is an empty cell, and an
 *                          empty cell is written as null; numbers stay the text that they are, too
 *   .npy, .npz of one      numbers (n) or (n, columns): the columns are "column_1", "column_2", ...
 *   anything else          lines of UTF-8 text: one column "text"; empty lines are left out
 * the first, second and last also gzipped (.gz), for reading. Everything is held in memory, or in a file under $TMPDIR where it is
 * large beside that: a row needs 16 bytes, each cell 16 and its text. That is 2 to 6 times the size of the file, the more the shorter its cells (measured: 3.6 for 1 M rows of 9 cells,
 * 70 bytes each). Statistics, parts, duplicates and balance need up to as much again while they work.
 *
 * Threads: an object belongs to one thread at a time.
 * Status of every function that returns one: GR_ERR_MEMORY, and what is said beside it; messages carry file:line. */
#ifndef GRADUS_DATA_H
#define GRADUS_DATA_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_records gr_records;

typedef enum gr_header {
    GR_HEADER_AUTO, /* by the looks of the first rows; where all is text see gr_records_named() */
    GR_HEADER_YES,  /* the first row holds names */
    GR_HEADER_NO,   /* it does not: the columns are "column_1", "column_2", ... */
    GR_HEADER_COUNT
} gr_header;

typedef struct gr_records_options {
    bool skip_bad;    /* rows with another number of cells, lines that are not JSON, not UTF-8: left out and counted */
    gr_header header; /* of .csv and .tsv; other formats do without */
} gr_records_options;

/* options may be NULL. Status: GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_DATA (two columns have one name, too),
 * GR_ERR_CORRUPT (a bad row or line), GR_ERR_UNSUPPORTED (lists and objects in JSON lines). */
GR_API gr_status gr_records_open(const char *path, const gr_records_options *options, gr_records **out);
GR_API void gr_records_free(gr_records **r);
/* Atomically, in the format that the ending names. .npy: f64, missing cells are NaN; i64, else u64, where f64
 * would change an integer and all cells are integers; GR_ERR_DATA where a cell is no number, or an integer would be changed.
 * .tsv: GR_ERR_DATA where a cell has a line break. Text lines: .txt of the column "text", or of the only one; with
 * any other ending of the only one, GR_ERR_UNSUPPORTED where there are more. */
GR_API gr_status gr_records_save(const gr_records *r, const char *path);

/* Of what is held: rows that are left, without the names; columns, at least one. */
GR_API int64_t gr_records_rows(const gr_records *r);
GR_API int64_t gr_records_columns(const gr_records *r);
GR_API int64_t gr_records_bad(const gr_records *r); /* left out by skip_bad */
/* The first of them in words; NULL: none. */
GR_API const char *gr_records_first_bad(const gr_records *r);
GR_API const char *gr_records_name(const gr_records *r, int64_t column); /* borrowed; NULL past the end */
/* Whether the names are the file's, not ours. *guessed (may be NULL): all cells of the table are text, so that its first row was
 * taken for names, or for a row, by its looks alone. */
GR_API bool gr_records_named(const gr_records *r, bool *guessed);
/* By name, or by number in text. GR_ERR_NOT_FOUND with did-you-mean. */
GR_API gr_status gr_records_column(const gr_records *r, const char *name, int64_t *column);
/* Ends with 0, borrowed until rows are removed or added; NULL past the end. */
GR_API const char *gr_records_cell(const gr_records *r, int64_t row, int64_t column);
/* Of the file that the row came from; 0: it was made here. */
GR_API int64_t gr_records_line(const gr_records *r, int64_t row);

/* ---- looking ------------------------------------------------------------------------- */

typedef enum gr_column_type { GR_COLUMN_NUMBERS, GR_COLUMN_WORDS, GR_COLUMN_TEXT, GR_COLUMN_EMPTY } gr_column_type;

typedef struct gr_column_stats {
    gr_column_type type;       /* numbers: all that is there is a number; text: cells are long and hardly ever equal */
    int64_t missing, distinct; /* beyond a million: about 0.1 % off */
    double mean, deviation, least, quarter, median, three_quarters, most; /* of numbers */
    double length;                                                        /* mean characters of a cell that is there */
    const char
        *often[3]; /* the most frequent of the first million different cells, borrowed; NULL: there are no more */
    int64_t often_count[3];
} gr_column_stats;
/* What a column holds; 'often' is borrowed until rows are removed or added. Status: GR_ERR_ARGUMENT: there is no such column. */
GR_API gr_status gr_records_stats(const gr_records *r, int64_t column, gr_column_stats *out);

/* Rows of b that are in a too: exactly, or with a Jaccard similarity of word 3-grams of at least 'near' (0: exactly).
 * columns: those that are compared, up to NULL; NULL or none: all, by name where both files have names (GR_ERR_SHAPE where only
 * one has a column of that name), else by place. *line_a, *line_b (may be NULL): of the first pair (0: none).
 * Status: GR_ERR_NOT_FOUND (a column), GR_ERR_SHAPE, GR_ERR_ARGUMENT ('near' is not 0 .. 1). */
GR_API gr_status gr_records_overlap(const gr_records *a, const gr_records *b, const char *const *columns, double near,
                                    int64_t *n, int64_t *line_a, int64_t *line_b);

/* ---- changing ------------------------------------------------------------------------ */

typedef enum gr_missing {
    GR_MISSING_KEEP,
    GR_MISSING_MEDIAN, /* of numbers; of words the most frequent one */
    GR_MISSING_MEAN,
    GR_MISSING_DROP, /* the row is removed */
    GR_MISSING_COUNT
} gr_missing;

typedef struct gr_clean_options {
    const char *target; /* rows without it are removed; NULL: no such column */
    gr_missing missing;
    /* > 0: numbers beyond so many interquartile ranges outside of the quartiles are set to that bound; columns whose quartiles are
     * equal stay as they are */
    double clip;
    bool keep_constant;  /* columns with one value stay; default: removed */
    bool keep_spaces;    /* default: blanks around cells go, runs of blanks become one, control characters go */
    int64_t least, most; /* characters that the column "text" must have; 0: any number */
} gr_clean_options;
typedef struct gr_clean_report {
    int64_t trimmed, filled, clipped, rows_removed, columns_removed;
    int64_t columns_unclipped; /* quartiles are equal */
    const char *unclipped;     /* the name of the first of them, borrowed; NULL: none */
} gr_clean_report;
/* options and report may be NULL. Status: GR_ERR_NOT_FOUND (the target), GR_ERR_ARGUMENT, GR_ERR_DATA (no row would be left). */
GR_API gr_status gr_records_clean(gr_records *r, const gr_clean_options *options, gr_clean_report *report);

typedef struct gr_split_options {
    double valid, test; /* shares; 0: no such part */
    const char *by;     /* each value of this column keeps its share in all parts; NULL: any rows */
    const char *group;  /* rows with the same value of this column stay in one part, as do those with none */
    const char *time;   /* the latest rows, by this column, are for test, those before them for validation; numbers, or
                           dates as 2024-05, 2024-05-31, 2024-05-31T14:05:09+02:00. At most one of the three */
    uint64_t seed;
} gr_split_options;
/* part[0 .. 2]: training, validation, test, in the order of the file; NULL where the share is 0. The caller frees them; they
 * borrow r, which must outlive them. Status: GR_ERR_ARGUMENT, GR_ERR_NOT_FOUND, GR_ERR_DATA (a part would be empty, no time). */
GR_API gr_status gr_records_split(const gr_records *r, const gr_split_options *options, gr_records *part[3]);

typedef struct gr_dedup_options {
    const char *const *columns; /* compared, up to NULL; NULL or none: all */
    double near; /* > 0: rows with a Jaccard similarity of word 3-grams of at least this are the same too */
} gr_dedup_options;
typedef struct gr_dedup_report {
    int64_t exact, near; /* removed */
    int64_t line, twin;  /* of the first near one, and of the row that stayed */
} gr_dedup_report;
/* Of equal rows the first stays. Near ones are found by MinHash (Broder 1997) with 128 hashes in bands, and then compared
 * exactly: none is removed wrongly, one whose similarity is close to 'near' may stay. options and report may be NULL.
 * Status: GR_ERR_NOT_FOUND (a column), GR_ERR_ARGUMENT ('near' is not 0 .. 1). */
GR_API gr_status gr_records_dedup(gr_records *r, const gr_dedup_options *options, gr_dedup_report *report);

typedef enum gr_balance {
    GR_BALANCE_OVER,  /* rows of rare values again, up to the most frequent */
    GR_BALANCE_UNDER, /* rows of frequent values removed, down to the rarest */
    GR_BALANCE_SMOTE, /* between rows of a rare value and their neighbours new ones are made (Chawla et al. 2002) */
    GR_BALANCE_COUNT
} gr_balance;
typedef struct gr_balance_options {
    gr_balance how;
    const char *target;
    int64_t neighbours; /* SMOTE: 5 where 0 */
    uint64_t seed;
} gr_balance_options;
/* Rows without the target are left out first: gr_records_stats() counts them. SMOTE: numbers are interpolated; a word is that of most neighbours (SMOTE-NC), and counts in distances as the median of the
 * deviations of numbers. Status: GR_ERR_ARGUMENT, GR_ERR_NOT_FOUND, GR_ERR_DATA (one value only, or none; SMOTE without a column of
 * numbers, with missing numbers, with a single row of a value). */
GR_API gr_status gr_records_balance(gr_records *r, const gr_balance_options *options);

#ifdef __cplusplus
}
#endif
#endif
