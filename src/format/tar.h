/* A tar file as a stream of entries, plain or gzipped: ustar, GNU long names and base-256 sizes, pax 'path' and 'size'.
 * Links, devices and sparse files are refused by name, names that lead out of the archive too.
 *
 *   | header 512 | data, padded to 512 | header | data | ... | 0 ... 0 (at least one block) |
 *
 *   while ((status = gr__tar_next(tar, &entry, &more)) == GR_OK && more)
 *       if (!entry.is_folder) status = gr__tar_read(tar, buffer, n, &got);      (what is not read is skipped) */
#ifndef GR__TAR_H
#define GR__TAR_H

#include "base/status.h"

typedef struct gr__tar gr__tar;

typedef struct gr__tar_entry {
    const char *name; /* without "./" in front; lives until the next call of gr__tar_next */
    uint64_t size_bytes;
    uint64_t offset; /* of the data in the unpacked stream */
    bool is_folder;
} gr__tar_entry;

gr_status gr__tar_open(const char *path, gr__tar **out);
void gr__tar_close(gr__tar **tar);

/* The next file or folder; *more = false at the end. A file that ends without its closing block is GR_ERR_CORRUPT. */
gr_status gr__tar_next(gr__tar *tar, gr__tar_entry *entry, bool *more);
/* After a failure of gr__tar_next(): it is one entry that is refused (its kind, its name), and the next can be read. */
bool gr__tar_goes_on(const gr__tar *tar);
/* Up to n bytes of the entry's data; *got < n only at its end. */
gr_status gr__tar_read(gr__tar *tar, void *buffer, size_t n, size_t *got);
/* All that is left of the entry, one 0 byte behind it; free with gr__free. GR_ERR_LIMIT above 'most' bytes. */
gr_status gr__tar_read_all(gr__tar *tar, size_t most, char **out, size_t *n);

#endif
