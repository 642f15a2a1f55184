/* Printing: colours, tables, JSON, and the end of standard output. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "cli/cli.h"

/* "" unless 'file' shows colours. */
const char *out_bold(FILE *file);
const char *out_faint(FILE *file);
const char *out_red(FILE *file);
const char *out_plain(FILE *file);
bool out_is_terminal(FILE *file);
int out_columns(FILE *file); /* of the terminal; 80 where unknown */

/* Lines for people on standard error; nothing with -q. */
void out_note(const char *format, ...) GR_PRINTF(1, 2);

/* Characters (code points; wide ones count two) of a text. */
int out_width(const char *text);
/* The beginning of a text, at most 'width' wide, with "..." where something is left out; out has 4*width + 4 bytes. */
const char *out_cut(char *out, int width, const char *text);

/* A table: cells are collected, then printed with aligned columns. align: one character a column, 'l' or 'r'. */
typedef struct out_table {
    const char *align;
    char **cell;
    size_t n, capacity;
} out_table;
void out_cell(out_table *t, const char *format, ...) GR_PRINTF(2, 3);
/* The first row is a head when 'head'. Frees everything. */
void out_print_table(FILE *file, out_table *t, bool head);

/* JSON on standard output, members in order; commas come by themselves.
 *   json_open('{'); json_text("name", "x"); json_open_key("list", '['); json_number(NULL, 1); json_close(); json_close(); */
void json_open(char bracket);
void json_open_key(const char *key, char bracket);
void json_close(void);
void json_text(const char *key, const char *text); /* NULL: null */
void json_text_n(const char *key, const char *text, size_t n);
void json_number(const char *key, double value); /* NaN and infinity: null */
void json_int(const char *key, int64_t value);
void json_bool(const char *key, bool value);
void json_raw(const char *key, const char *json); /* a value that is JSON already */
/* Ends the line when all is closed. */
void json_end(void);

/* A text as it is, or as the one member of an object with --json. */
void out_text(const char *key, const char *text);

/* Flushes standard output. A reader that went away is no failure; anything else is: prints, EXIT_FAILED. */
int out_finish(int code);
/* Whether standard output failed (the reader went away). */
bool out_broken(void);

#endif
