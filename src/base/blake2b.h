/* BLAKE2b with 32 bytes of output (RFC 7693, no key): the checksum of checkpoints, caches and run folders. */
#ifndef GR__BLAKE2B_H
#define GR__BLAKE2B_H

#include "base/compiler.h"

#define GR__BLAKE2B_BYTES 32
#define GR__BLAKE2B_HEX (2 * GR__BLAKE2B_BYTES + 1) /* room for the hex text and its 0 */

typedef struct gr__blake2b {
    uint64_t h[8];
    uint64_t count; /* bytes compressed so far; 2^64 is enough */
    size_t used;    /* bytes waiting in block */
    unsigned char block[128];
} gr__blake2b;

void gr__blake2b_init(gr__blake2b *s);
void gr__blake2b_add(gr__blake2b *s, const void *bytes, size_t n);
void gr__blake2b_end(gr__blake2b *s, unsigned char out[GR__BLAKE2B_BYTES]);

/* All of it in one call, as bytes and as hex text. */
void gr__blake2b_of(const void *bytes, size_t n, unsigned char out[GR__BLAKE2B_BYTES]);
void gr__blake2b_hex_of(const void *bytes, size_t n, char out[GR__BLAKE2B_HEX]);

/* Lower-case hex of n bytes: 2n characters and a 0. */
void gr__hex(const unsigned char *bytes, size_t n, char *out);

#endif
