/* A growing string that remembers the first failed allocation, so that a writer need not check each call.
 * A zeroed gr__str is an empty string. */
#ifndef GR__STR_H
#define GR__STR_H

#include "base/alloc.h"

#include <stdarg.h>

typedef struct gr__str {
    char *text; /* always ends with 0 once anything was added; NULL before */
    size_t n;
    size_t capacity;
    bool failed;
} gr__str;

void gr__str_add(gr__str *s, const char *text);
void gr__str_add_n(gr__str *s, const char *text, size_t n);
void gr__str_add_char(gr__str *s, char c);
void gr__str_printf(gr__str *s, const char *format, ...) GR_PRINTF(2, 3);
void gr__str_vprintf(gr__str *s, const char *format, va_list args);
void gr__str_clear(gr__str *s); /* empty, memory kept */
void gr__str_release(gr__str *s);
/* The text ("" when empty), or GR_ERR_MEMORY if any addition failed. */
gr_status gr__str_check(const gr__str *s);
const char *gr__str_get(const gr__str *s);

/* Case-insensitive Damerau-Levenshtein distance, capped at 'most' + 1. */
int gr__str_distance(const char *a, const char *b, int most);
/* The candidate nearest to 'word', or NULL when none is near enough to be meant. */
const char *gr__str_nearest(const char *word, const char *const *candidates, size_t n);

/* Whether the whole text matches: '*' stands for any characters, '?' for one. */
bool gr__str_glob(const char *pattern, const char *text);
/* Of names of files: "A.CSV" ends in ".csv". */
bool gr__str_ends(const char *text, const char *end);
/* The same with or without ".gz" behind it. */
bool gr__str_ends_packed(const char *text, const char *end);

/* Bytes of the UTF-8 sequence at 'text' (1 to 4); 0 where it is not valid (overlong, surrogate, cut off) or n is 0. */
size_t gr__utf8_step(const char *text, size_t n);

/* Strict, locale-free numbers: the whole text must be used. */
bool gr__parse_double(const char *text, double *out);
bool gr__parse_int(const char *text, int64_t *out);
/* Shortest text that reads back as the same double ("0.1", "1e-05", "3"). Room for 32 bytes. */
void gr__format_double(char out[32], double value);
/* "1.5 MiB", "12.3 k", "1 h 02 min"; room for 32 bytes. */
void gr__format_bytes(char out[32], double bytes);
void gr__format_count(char out[32], double count);
void gr__format_seconds(char out[32], double seconds);

#endif
