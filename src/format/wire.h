/* The wire format of Protocol Buffers, read field by field over bytes in memory. Nothing is copied or allocated; groups (which
 * proto3 does not have) are refused.
 *
 *   field: | varint number << 3 | kind | payload |     kind 0: varint, 1: 8 bytes, 2: varint n and n bytes, 5: 4 bytes */
#ifndef GR__WIRE_H
#define GR__WIRE_H

#include "base/status.h"

typedef struct gr__wire {
    const unsigned char *at, *end;
    const unsigned char *begin; /* of the file: messages tell places in it */
    const char *name;           /* of the file */
} gr__wire;

enum gr__wire_kind { GR__WIRE_VARINT = 0, GR__WIRE_FIXED64 = 1, GR__WIRE_BYTES = 2, GR__WIRE_FIXED32 = 5 };

typedef struct gr__wire_field {
    uint32_t number;
    int kind;
    uint64_t value;             /* of numbers: their bits */
    const unsigned char *bytes; /* GR__WIRE_BYTES */
    size_t n;
} gr__wire_field;

/* The next field; *more = false at the end. GR_ERR_CORRUPT with the place. */
gr_status gr__wire_next(gr__wire *w, gr__wire_field *field, bool *more);
/* The inside of a field with bytes. */
gr__wire gr__wire_inside(const gr__wire *w, const gr__wire_field *field);
/* One varint of a packed list, at w->at. */
gr_status gr__wire_varint(gr__wire *w, uint64_t *value);
/* "cannot load 'NAME': byte N: " and the sentence. */
gr_status gr__wire_corrupt(const gr__wire *w, const char *format, ...) GR_PRINTF(2, 3);

#endif
