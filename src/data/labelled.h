/* Texts with a label each, in memory, from a table (CSV, TSV), from lines 'label text', or from JSON lines. Everything is
 * UTF-8 when it is here; blanks around texts and labels are gone. */
#ifndef GR__LABELLED_H
#define GR__LABELLED_H

#include "base/arena.h"
#include "conf/schema.h"

typedef enum gr__labelled_format {
    GR__LABELLED_AUTO, /* by the end of the name: .csv, .tsv, .jsonl (.gz too), else lines */
    GR__LABELLED_TABLE,
    GR__LABELLED_LINES,
    GR__LABELLED_JSONL
} gr__labelled_format;

typedef struct gr__labelled_options {
    int format;
    const char *text, *label; /* columns by name or number, keys of JSON lines */
    int header;               /* of a table: gr__csv_choice */
    bool latin_1;             /* bytes are ISO-8859-1 */
    bool skip_bad;            /* a row that is no text with a label is left out; default: GR_ERR_DATA */
} gr__labelled_options;

typedef struct gr__labelled_row {
    const char *text, *label;
    size_t n_text;
    int64_t line;
} gr__labelled_row;

typedef struct gr__labelled {
    gr__labelled_row *row;
    int64_t n;
    size_t capacity;
    const char *path;
    int64_t skipped;
    const char *first_skipped; /* what was wrong with it, in the arena */
    gr__arena arena;           /* of the texts */
} gr__labelled;

/* Messages carry file:line. Status: GR_ERR_NOT_FOUND (file, column), GR_ERR_DATA (an empty text or label, a line without
 * one, bytes that are not UTF-8, nothing at all), GR_ERR_IO, GR_ERR_MEMORY. */
gr_status gr__labelled_read(const char *path, const gr__labelled_options *options, gr__labelled *out);
/* A row more, of texts in the arena. */
gr_status gr__labelled_add(gr__labelled *l, const gr__labelled_row *row);
void gr__labelled_release(gr__labelled *l);

/* The different labels, sorted: as numbers where all are whole numbers, else by their bytes. The texts are borrowed from
 * 'l', the list lies in 'arena'. GR_ERR_DATA when there are more than 'most': it is hardly the label's column. */
gr_status gr__labelled_names(const gr__labelled *l, size_t most, gr__arena *arena, gr__conf_strings *out);

#endif
