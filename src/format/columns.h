/* What the columns of a table mean to a model: fitted on the rows for training, kept in its config.json, applied to any
 * cell afterwards. A row becomes
 *
 *   numbers f32 (N)   each number column: value, then [is missing] where 'indicator'; each one-hot column: its codes
 *   codes   i32 (K)   each category that is embedded
 *
 * in the order of the columns. Code 0 of a category is 'unknown or missing'. */
#ifndef GR__COLUMNS_H
#define GR__COLUMNS_H

#include "base/arena.h"
#include "base/json.h"
#include "conf/schema.h"
#include "format/csv.h"

typedef enum gr__column_kind { GR__COLUMN_NUMBER, GR__COLUMN_CATEGORY } gr__column_kind;

typedef struct gr__column {
    const char *name;
    gr__column_kind kind;
    /* number: clipped to low .. high, then sign(v)*log(1 + |v|) where 'log', then (v - shift)/scale */
    bool log, indicator;
    double low, high;    /* -INFINITY, INFINITY: not clipped */
    double fill;         /* stands for missing cells */
    double shift, scale; /* scale > 0 */
    /* category */
    gr__conf_strings words; /* sorted; word i has code i + 1 */
    int64_t buckets;        /* > 0: the code is 1 + hash modulo this, without 'words' */
    int64_t width;          /* of its vector; 0: one-hot */
} gr__column;

typedef struct gr__columns {
    gr__column *item; /* of the features */
    size_t n;
    gr__column target;      /* a category is the classes, without the code 0: word i is class i */
    gr__conf_strings names; /* of all columns of the file for training where it had no header; else none */
    const char *strip;      /* characters taken off the end of the target's cells; NULL: none */
} gr__columns;

/* What became of a cell. */
typedef enum gr__cell_fate { GR__CELL_FINE, GR__CELL_MISSING, GR__CELL_BAD, GR__CELL_UNKNOWN } gr__cell_fate;

int64_t gr__columns_numbers(const gr__columns *c); /* N */
int64_t gr__columns_codes(const gr__columns *c);   /* K */
int64_t gr__column_codes(const gr__column *c);     /* of a category, code 0 too */
int64_t gr__columns_classes(const gr__columns *c); /* 0: the target is a number */
int64_t gr__columns_outputs(const gr__columns *c); /* of a model: 1 for a number and for two classes */

double gr__column_forward(const gr__column *c, double value); /* NaN: missing */
double gr__column_backward(const gr__column *c, double value);
/* The text of a cell without blanks around it. */
const char *gr__cell_trimmed(const gr__cell *cell, size_t *n);
/* Code of a text, 0: unknown. */
int64_t gr__column_code(const gr__column *c, const char *text, size_t n);

/* One cell into its places; both pointers move on. What is missing or bad counts as missing. */
gr__cell_fate gr__column_take(const gr__column *c, const gr__cell *cell, bool decimal_comma, float **numbers,
                              int32_t **codes);
/* The target of a row: *number as a model learns it, *class. Other fates than FINE leave both. */
gr__cell_fate gr__columns_target(const gr__columns *c, const gr__cell *cell, bool decimal_comma, double *number,
                                 int32_t *class);

/* The members "columns", "target" and "strip" of config.json. */
void gr__columns_write(const gr__columns *c, gr__str *out);
/* Texts are copied to 'arena'. GR_ERR_CORRUPT. */
gr_status gr__columns_read(gr__json root, gr__arena *arena, gr__columns *out);

#endif
