/* Documents of text: one file, or every .txt and .md below a folder in the order of their paths (a document = a file).
 * Hidden files and files of other kinds are left out and counted; links to files are files. Large files are mapped, not read: they need not fit into
 * memory. */
#ifndef GR__CORPUS_H
#define GR__CORPUS_H

#include "base/file.h"
#include "gradus/text.h"

typedef struct gr__corpus {
    gr_text_source *document; /* borrowed from 'held' */
    struct gr__held_text {
        char *read; /* or */
        gr__mapping map;
    } * held;
    size_t n, capacity;
    size_t bytes;
    size_t skipped; /* files that were left out */
} gr__corpus;

typedef struct gr__corpus_options {
    bool any_bytes; /* texts need not be UTF-8 without NUL bytes */
    bool skip_bad;  /* of a folder: others, and what cannot be read, are left out, with a warning */
} gr__corpus_options;

/* path: a file of any name, or a folder.
 * Status: GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_DATA (file and offset of invalid UTF-8; a link to nothing, or
 *         no file, with the name of a text; nothing to read), GR_ERR_MEMORY. */
gr_status gr__corpus_read(const char *path, gr__corpus_options o, gr__corpus *out);
/* Takes a text over as the only document, also when it fails. GR_ERR_DATA, GR_ERR_MEMORY. */
gr_status gr__corpus_of_text(char *text, size_t n, bool any_bytes, gr__corpus *out);
void gr__corpus_release(gr__corpus *c);

#endif
