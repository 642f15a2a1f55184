/* Long texts to ids, piece by piece: by all threads, and without ids of the whole in memory. */
#ifndef GR__PIECES_H
#define GR__PIECES_H

#include "gradus/text.h"

/* The first place from 'from' on at which a text may be cut so that its ids are those of the two parts joined; n: none is
 * known. For gr_tokenizer_encode without flags. */
size_t gr__text_cut(const gr_tokenizer *tok, const char *text, size_t n, size_t from);

/* Takes ids in their order. What it fails with ends the encoding. */
typedef gr_status gr__ids_fn(void *user, const int32_t *ids, size_t n);
/* The ids of gr_tokenizer_encode without flags, and its statuses: texts joined, each ended by eos where there are several. */
gr_status gr__encode_documents(const gr_tokenizer *tok, const gr_text_source *document, size_t n, gr__ids_fn *fn,
                               void *user);

/* Whether the id is the model's own for what is not in its vocabulary: the size of what that was is not known. */
bool gr__is_unknown(const gr_tokenizer *tok, int32_t id);
/* Bytes of a text that its first id stands for; an unknown one stands for a character, or WordPiece's for a word. */
size_t gr__first_bytes(const gr_tokenizer *tok, const char *text, size_t n, int32_t id);

#endif
