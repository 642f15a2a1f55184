/* A zip file that lies in memory or is mapped: stored and deflated entries, zip64. Encryption, other methods and archives
 * in several parts are refused by name; the central directory and the local headers must agree, entries may not overlap,
 * and no entry may claim more than it can hold (GR__LIMIT_ZIP_EXPANSION).
 *
 *   | local header, name, data | ... | central directory: one record an entry | end record | */
#ifndef GR__ZIP_H
#define GR__ZIP_H

#include "base/status.h"

typedef struct gr__zip gr__zip;

typedef struct gr__zip_entry {
    const char *name;
    uint64_t size_bytes;   /* unpacked */
    uint64_t packed_bytes; /* in the file, at 'offset' */
    uint64_t offset;
    uint32_t crc;
    int method; /* 0 stored, 8 deflated */
} gr__zip_entry;

gr_status gr__zip_open(const char *path, gr__zip **out);
/* From memory that outlives the result; 'name' stands in messages. */
gr_status gr__zip_open_bytes(const unsigned char *bytes, size_t n, const char *name, gr__zip **out);
void gr__zip_close(gr__zip **zip);

size_t gr__zip_count(const gr__zip *zip);
/* In the order of the central directory; folders (names that end in '/') are left out. */
const gr__zip_entry *gr__zip_at(const gr__zip *zip, size_t i);
const gr__zip_entry *gr__zip_find(const gr__zip *zip, const char *name); /* NULL when absent */
/* The unpacked data, checked against its CRC, one 0 byte behind it; free with gr__free. Any number of readers of one zip. */
gr_status gr__zip_read(const gr__zip *zip, const gr__zip_entry *entry, size_t most, char **out, size_t *n);

#endif
