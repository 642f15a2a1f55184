/* Schema rows: the module that owns a section lists its keys once, as data, and gets a filled struct.
 *
 *   typedef struct train_options { int64_t steps; double lr; const char *out; int schedule; } train_options;
 *   static const char *const schedules[] = {"constant", "cosine", NULL};
 *   static const gr__conf_row rows[] = {
 *       {"steps", GR__CONF_INT, offsetof(train_options, steps), 1, 1e12, NULL, "1000", "optimiser steps", 0},
 *       {"schedule", GR__CONF_ENUM, offsetof(train_options, schedule), 0, 0, schedules, "cosine", "of lr", 0},
 *   };
 *   GR_TRY(gr__conf_read(gr__conf_get(root, "train"), "train", rows, GR__COUNT(rows), &options, arena));
 *
 * The same rows give --help, the manual and JSON Schema. */
#ifndef GR__SCHEMA_H
#define GR__SCHEMA_H

#include "conf/conf.h"

typedef enum gr__conf_type {
    GR__CONF_INT,         /* int64_t; "1e6" and "1_000_000" are fine */
    GR__CONF_INT32,       /* int */
    GR__CONF_DOUBLE,      /* double, finite */
    GR__CONF_BOOL,        /* bool: true false yes no on off */
    GR__CONF_STRING,      /* const char * */
    GR__CONF_ENUM,        /* int (or an enum): index into choices */
    GR__CONF_INT_LIST,    /* gr__conf_ints; one scalar is a list of one */
    GR__CONF_DOUBLE_LIST, /* gr__conf_doubles */
    GR__CONF_STRING_LIST, /* gr__conf_strings; with choices: each must be one of them */
    GR__CONF_SECTION,     /* const gr__conf *: any node, for another reader; NULL when not given */
    GR__CONF_TYPE_COUNT
} gr__conf_type;

enum gr__conf_flag {
    GR__CONF_MAIN = 1,      /* a scalar (or list) in place of the whole section is this key's value */
    GR__CONF_REQUIRED = 2,  /* must be given */
    GR__CONF_ABOVE_MIN = 4, /* min itself is not allowed */
    GR__CONF_BELOW_MAX = 8, /* max itself is not allowed */
    GR__CONF_AUTO = 16      /* the word 'auto' is allowed: INT64_MIN, INT_MIN or NaN */
};

#define GR__CONF_AUTO_INT INT64_MIN

typedef struct gr__conf_row {
    const char *key;
    gr__conf_type type;
    size_t offset;              /* of the field in the struct */
    double min, max;            /* numbers and items of lists; both 0: any; max <= min: no upper limit; INFINITY too */
    const char *const *choices; /* ends with NULL */
    const char *default_text;   /* read like a value from a file; NULL: 0, false, NULL, empty list, -1 for an enum */
    const char *doc;            /* one line */
    unsigned flags;
} gr__conf_row;

/* The rows of one section, so that help can list all of them. */
typedef struct gr__conf_section {
    const char *path; /* "train.lr" */
    const gr__conf_row *rows;
    size_t n;
    const char *doc;
} gr__conf_section;

typedef struct gr__conf_ints {
    int64_t *item;
    size_t n;
} gr__conf_ints;
typedef struct gr__conf_doubles {
    double *item;
    size_t n;
} gr__conf_doubles;
typedef struct gr__conf_strings {
    const char **item;
    size_t n;
} gr__conf_strings;

/* Fills defaults, then what the section gives. section: a map, or a scalar for the MAIN key, or NULL (all defaults).
 * path names the section in messages ("train"; "" for the root). Strings and lists live in 'arena'; a SECTION field
 * borrows from the tree. Fields without a row are left alone.
 * Failure: GR_ERR_CONFIG (unknown key with a suggestion, wrong type, out of range, missing), GR_ERR_MEMORY;
 * the struct may be half filled. */
gr_status gr__conf_read(const gr__conf *section, const char *path, const gr__conf_row *rows, size_t n_rows,
                        void *out_struct, gr__arena *arena);

/* Whether the section gives this key, by name or as its main value. */
bool gr__conf_given(const gr__conf *section, const gr__conf_row *row);

/* A key that says something to some kinds only. */
typedef struct gr__conf_use {
    const char *key;
    unsigned kinds; /* bits */
} gr__conf_use;
/* GR_ERR_CONFIG where the section gives a key that says nothing to this kind, the WHAT 'NAME': a mistake that nobody would
 * see. */
gr_status gr__conf_check_uses(const gr__conf *section, const gr__conf_use *use, size_t n, int kind, const char *what,
                              const char *name);

/* "an integer from 1 to 64", "one of: constant, cosine": what a row accepts, for help and messages. */
void gr__conf_describe(const gr__conf_row *row, gr__str *out);
const char *gr__conf_type_name(gr__conf_type type);

#endif
