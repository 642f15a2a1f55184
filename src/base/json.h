/* Strict JSON behind one door (jansson): duplicate keys refused, UTF-8 checked, depth capped at 64.
 * Values are borrowed from the document. */
#ifndef GR__JSON_H
#define GR__JSON_H

#include "base/str.h"

typedef struct gr__json_doc gr__json_doc;
typedef const void *gr__json; /* a value; NULL means "not there" and every getter accepts it */

typedef enum gr__json_kind {
    GR__JSON_NONE,
    GR__JSON_NULL,
    GR__JSON_BOOL,
    GR__JSON_INT,
    GR__JSON_REAL,
    GR__JSON_STRING,
    GR__JSON_ARRAY,
    GR__JSON_OBJECT
} gr__json_kind;

/* 'name' is for messages: "NAME:line:column: ...". GR_ERR_CORRUPT or GR_ERR_MEMORY. */
gr_status gr__json_parse(const char *text, size_t n, const char *name, gr__json_doc **out);
/* The same for a text that starts at line 'first_line' of the file (from 1). */
gr_status gr__json_parse_line(const char *text, size_t n, const char *name, size_t first_line, gr__json_doc **out);
gr_status gr__json_read(const char *path, size_t most, gr__json_doc **out); /* a file */
void gr__json_free(gr__json_doc **doc);
gr__json gr__json_root(const gr__json_doc *doc);

gr__json_kind gr__json_kind_of(gr__json v);
gr__json gr__json_get(gr__json object, const char *key);
size_t gr__json_count(gr__json array_or_object);
gr__json gr__json_at(gr__json array, size_t i);
/* Iteration of an object in file order: it = gr__json_first(o); it; it = gr__json_next(o, it). */
void *gr__json_first(gr__json object);
void *gr__json_next(gr__json object, void *it);
const char *gr__json_key(void *it);
gr__json gr__json_value(void *it);

/* false when v is not of that kind; int accepts a real with an integral value, double accepts both. */
bool gr__json_string(gr__json v, const char **out, size_t *n);
bool gr__json_int(gr__json v, int64_t *out);
bool gr__json_double(gr__json v, double *out);
bool gr__json_bool(gr__json v, bool *out);

/* The next number of a text that was parsed, as it is written, for a double keeps 15 digits only: n bytes, behind which *at is
 * moved. n = 0: there is none. */
const char *gr__json_next_number(const char **at, const char *end, size_t *n);

/* Writing: text with quotes and escapes (UTF-8 kept), and a number that reads back the same (nan and inf as null). */
void gr__json_add_string(gr__str *s, const char *text, size_t n);
void gr__json_add_double(gr__str *s, double value);
/* A whole value, as it was read. */
void gr__json_add(gr__str *s, gr__json v);

#endif
