/* A shard of token ids on disk, mapped when it is read, so that data may be larger than memory.
 *
 *   | "GRTOKENS" | u32 version 1 | u32 bytes per id (2, 4) | u64 ids | u64 vocabulary | u64 tokenizer | 32 bytes BLAKE2b |
 *   | ids, little-endian ... |
 *
 * The checksum covers the ids; 'tokenizer' is gr_tokenizer_fingerprint(). */
#ifndef GR__TOKENS_H
#define GR__TOKENS_H

#include "base/blake2b.h"
#include "base/file.h"

typedef struct gr__tokens {
    gr__mapping map;
    const uint16_t *u16; /* one of the two */
    const uint32_t *u32;
    int64_t n, vocab;
    uint64_t tokenizer;
    uint64_t fingerprint; /* of the ids: the first bytes of their checksum */
} gr__tokens;

/* Writes ids below vocab as they come, atomically: open, add, add, ..., commit. */
typedef struct gr__token_writer {
    gr__writer *file;
    gr__blake2b hash;
    int64_t n, vocab;
    uint64_t tokenizer;
    unsigned char *buffer;
} gr__token_writer;
gr_status gr__token_writer_open(const char *path, int64_t vocab, uint64_t tokenizer, gr__token_writer *out);
gr_status gr__token_writer_add(gr__token_writer *w, const int32_t *ids, size_t n);
gr_status gr__token_writer_commit(gr__token_writer *w);
void gr__token_writer_drop(gr__token_writer *w); /* also behind a commit, and one that is all 0 */

/* verify: reads everything once and compares the checksum, and every id with the vocabulary.
 * GR_ERR_NOT_FOUND, GR_ERR_CORRUPT, GR_ERR_IO. */
gr_status gr__tokens_open(const char *path, bool verify, gr__tokens *out);
void gr__tokens_close(gr__tokens *t);

GR__INLINE int32_t gr__tokens_at(const gr__tokens *t, int64_t i)
{
    return t->u16 ? (int32_t)t->u16[i] : (int32_t)t->u32[i];
}

/* The training windows of a stream of n ids: windows of 'time' ids and the ids behind them, disjoint within an epoch,
 * shifted by a phase and shuffled anew in each epoch. All a pure function of (seed, epoch, index). */
typedef struct gr__windows {
    int64_t n, time;
    uint64_t seed;
} gr__windows;
int64_t gr__windows_per_epoch(const gr__windows *w);            /* 0: the text is shorter than time + 1 */
int64_t gr__window_start(const gr__windows *w, int64_t sample); /* sample counts over all epochs */

#endif
