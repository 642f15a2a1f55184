/* gradus/text.h: tokenizers: text to token ids and back.
 *
 *   gr_tokenizer *tok = NULL;
 *   int32_t *ids = NULL;
 *   size_t n = 0;
 *   if (gr_tokenizer_open("gpt2/", &tok) == GR_OK &&
 *       gr_tokenizer_encode(tok, "To be, or not", 13, 0, &ids, &n) == GR_OK)
 *       printf("%zu ids, the first is %d\n", n, (int)ids[0]);
 *   else
 *       fprintf(stderr, "%s\n", gr_message());
 *   gr_text_free(ids);
 *   gr_tokenizer_close(&tok);
 *
 * Kinds: bytes, characters, byte-level BPE (GPT-2, Llama-3, Qwen), SentencePiece-like BPE (Llama-2, llama2.c), and
 * WordPiece (BERT).
 * They are stored as tokenizer.json of Hugging Face tokenizers, and give the same ids there.
 *
 * Threads: an open tokenizer is never changed: any number of threads may use it. A gr_decoder belongs to one thread at
 * a time. Every function that returns gr_status leaves its 'out' arguments untouched when it fails. */
#ifndef GRADUS_TEXT_H
#define GRADUS_TEXT_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_tokenizer gr_tokenizer;

/* ---- simple ------------------------------------------------------------------------- */

/* Opens a tokenizer. 'path' is one of
 *   - a tokenizer.json (BPE with ByteLevel, Split, Metaspace, Digits pre-tokenizers, BERT's WordPiece; anything else is
 *     refused by name);
 *   - a llama2.c tokenizer .bin (tok512.bin, tokenizer.bin);
 *   - a folder with tokenizer.json, or vocab.json + merges.txt (or encoder.json + vocab.bpe), or tokenizer.bin.
 * bos, eos, unk and pad come from a tokenizer_config.json in the same folder, else from their usual names.
 * 'truncation' and 'padding' of a tokenizer.json are left to the caller; a 'dropout' of BPE is left out, with a warning.
 * Owner:  the caller closes *out.
 * Status: GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_CORRUPT, GR_ERR_UNSUPPORTED, GR_ERR_LIMIT, GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_open(const char *path, gr_tokenizer **out);

/* Closes and nulls *tok. NULL and *tok == NULL are fine. Decoders of it must be closed before. */
GR_API void gr_tokenizer_close(gr_tokenizer **tok);

/* Writes a tokenizer.json atomically; where 'path' is an existing folder, tokenizer.json and tokenizer_config.json in
 * it. The bytes depend on the tokenizer alone.
 * Status: GR_ERR_IO, GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_save(const gr_tokenizer *tok, const char *path);

/* Flags of gr_tokenizer_encode. */
enum {
    GR_ENCODE_SPECIAL = 1, /* special tokens written in the text become their ids; default: they are plain text */
    GR_ENCODE_BOS = 2,     /* begin with the bos id, where the tokenizer has one */
    GR_ENCODE_EOS = 4,     /* end with the eos id, where the tokenizer has one */
    GR_ENCODE_TEMPLATE = 8 /* add what the file's post-processor puts around one text (Llama: <s> before it) */
};

/* Ids of the n bytes at 'text' (no closing 0 needed).
 * out:    fresh array *ids of *n_ids values, free it with gr_text_free; never NULL, also when *n_ids is 0.
 * Bytes that are not UTF-8: byte-level kinds and those with byte tokens encode them one by one; others fail.
 * Status: GR_ERR_DATA with the byte offset (bad UTF-8, or a character that is not in a character vocabulary without
 *         <unk>), GR_ERR_LIMIT (a pattern that needs too many steps), GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_encode(const gr_tokenizer *tok, const char *text, size_t n, unsigned flags,
                                                 int32_t **ids, size_t *n_ids);

/* Flags of decoding. */
enum {
    GR_DECODE_SPECIAL = 1, /* write special tokens as text; default: they are left out */
    GR_DECODE_BYTES =
        2, /* the exact bytes; default: broken UTF-8 becomes U+FFFD, one for each broken part (Hugging Face's
                              ByteFallback gives one for each byte of a run of byte tokens that is broken anywhere) */
    GR_DECODE_CONTINUE = 4 /* ids go on with an earlier text: keep the space that a Llama tokenizer puts first */
};

/* The text of n ids; a closing 0 is behind it but not counted.
 * out:    fresh *text of *n_text bytes, free it with gr_text_free.
 * Status: GR_ERR_DATA (an id outside the vocabulary, with its position), GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_decode(const gr_tokenizer *tok, const int32_t *ids, size_t n, unsigned flags,
                                                 char **text, size_t *n_text);

/* ---- what a tokenizer is ------------------------------------------------------------ */

typedef enum gr_tokenizer_type {
    GR_TOKENIZER_BYTE,       /* ids 0 to 255 are bytes */
    GR_TOKENIZER_CHAR,       /* one id per character (code point) of the training text */
    GR_TOKENIZER_BPE,        /* byte-level byte-pair encoding, as GPT-2 */
    GR_TOKENIZER_LLAMA,      /* byte-pair encoding of characters with spaces as U+2581, as Llama-2; not trained here */
    GR_TOKENIZER_WORD_PIECE, /* the longest pieces of words, as BERT; trained here: whole words */
    GR_TOKENIZER_TYPE_COUNT
} gr_tokenizer_type;

/* Which of the kinds above a tokenizer is. */
GR_API gr_tokenizer_type gr_tokenizer_type_of(const gr_tokenizer *tok);
/* "byte", "char", "bpe", "llama", "wordpiece"; "unknown" outside the enum. */
GR_API const char *gr_tokenizer_type_name(gr_tokenizer_type type);
/* false where the name is unknown. */
GR_API bool gr_tokenizer_type_from_name(const char *name, gr_tokenizer_type *out);

/* One more than the highest id: the rows that an embedding needs. */
GR_API int32_t gr_tokenizer_vocab_size(const gr_tokenizer *tok);

/* Name of a token as tokenizer.json writes it, e.g. "Ġthe"; borrowed until the tokenizer is closed. NULL where no
 * token has this id. *n (may be NULL) gets its length in bytes. */
GR_API const char *gr_tokenizer_token(const gr_tokenizer *tok, int32_t id, size_t *n);
/* The bytes that the token stands for, e.g. " the"; borrowed, as above. They may be a part of a character. */
GR_API const char *gr_tokenizer_token_bytes(const gr_tokenizer *tok, int32_t id, size_t *n);
/* Id of the token with this name, or -1. */
GR_API int32_t gr_tokenizer_id(const gr_tokenizer *tok, const char *token);
/* Whether the id is a special (control) token. */
GR_API bool gr_tokenizer_is_special(const gr_tokenizer *tok, int32_t id);

/* How many ids GR_ENCODE_TEMPLATE puts before and behind a text: what cutting it short must leave alone. */
GR_API void gr_tokenizer_template(const gr_tokenizer *tok, size_t *before, size_t *after);

/* Special ids; -1 where there is none. */
typedef struct gr_tokenizer_specials {
    int32_t bos, eos, unk, pad;
} gr_tokenizer_specials;
GR_API gr_tokenizer_specials gr_tokenizer_special_ids(const gr_tokenizer *tok);

/* Estimate of bytes per token on text like that of the training, from the vocabulary alone (for memory and time plans;
 * measure where it matters). */
GR_API double gr_tokenizer_bytes_per_token(const gr_tokenizer *tok);

/* Exact number of bytes of the text that ids stand for (bits per byte): the size of gr_tokenizer_decode's text with
 * GR_DECODE_BYTES and 'flags'.
 * Status: GR_ERR_DATA as there. */
GR_API GR_MUST_USE gr_status gr_tokenizer_text_size(const gr_tokenizer *tok, const int32_t *ids, size_t n,
                                                    unsigned flags, uint64_t *n_bytes);

/* Number that stands for the whole tokenizer: equal for two that save the same tokenizer.json (token shards keep it).
 * Status: GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_fingerprint(const gr_tokenizer *tok, uint64_t *out);

/* ---- decoding as ids come ----------------------------------------------------------- */

/* Text of a stream of ids: holds an incomplete character back until it is whole, so that what it gives is always valid
 * UTF-8 (unless GR_DECODE_BYTES). All pieces together are the text of gr_tokenizer_decode. */
typedef struct gr_decoder gr_decoder;

/* 'tok' must outlive it. Owner: the caller closes *out. Status: GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_decoder_open(const gr_tokenizer *tok, unsigned flags, gr_decoder **out);
/* Takes the next id; *text (borrowed until the next call on this decoder) is what became certain, maybe empty, with a
 * closing 0. Status: GR_ERR_DATA (id outside the vocabulary; the decoder may go on), GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_decoder_push(gr_decoder *decoder, int32_t id, const char **text, size_t *n);
/* What is held back, incomplete characters as U+FFFD; the decoder is then ready for a new text. */
GR_API GR_MUST_USE gr_status gr_decoder_end(gr_decoder *decoder, const char **text, size_t *n);
GR_API void gr_decoder_close(gr_decoder **decoder);

/* ---- training ----------------------------------------------------------------------- */

/* n bytes of text, borrowed. */
typedef struct gr_text_source {
    const char *text;
    size_t n;
} gr_text_source;

/* Zero means default. */
typedef struct gr_tokenizer_options {
    int64_t vocab_size; /* bpe, wordpiece: ids in total, with the 256 bytes and special tokens; to 2^20; default 8192 */
    int64_t least_count;        /* bpe, wordpiece: a pair, a word that is rarer is left out; >= 1; default 2 */
    const char *pattern;        /* bpe: how text is cut into words: "gpt2" (default), "llama3", "qwen2" */
    const char *const *special; /* special tokens besides <|endoftext|>, distinct and not empty */
    size_t n_special;
    const char *before, *after; /* of 'special': what GR_ENCODE_TEMPLATE puts around a text; NULL: nothing */
    bool no_end_of_text;        /* default: <|endoftext|> is a token, and is bos and eos */
    bool no_unknown;            /* char: default: <unk> stands for characters outside the vocabulary */
    bool keep_case;             /* wordpiece: default: small letters without accents */
} gr_tokenizer_options;

/* Trains a tokenizer on n_sources texts, as if each were a document. Special tokens found in them end a document too.
 * Order of ids: byte: 256 bytes, <|endoftext|>, special. char: characters by code point, <unk>, <|endoftext|>, special.
 * bpe: <|endoftext|>, special, 256 bytes in GPT-2's order, merges; equally frequent pairs: the bytewise greater first;
 * fewer ids than vocab_size where the text has no more pairs. wordpiece: <|endoftext|>, special, [UNK], then whole words,
 * the most frequent first, equals by their bytes; a Chinese character, a sign is a word; no pieces inside words.
 * The byte kind needs no text. GR_TOKENIZER_LLAMA cannot be trained.
 * options: NULL for all defaults. Owner: the caller closes *out. Result: the same on every machine.
 * Status:  GR_ERR_ARGUMENT (options), GR_ERR_DATA (char: bad UTF-8 with source and offset, U+0000; no text),
 *          GR_ERR_UNSUPPORTED (llama), GR_ERR_LIMIT (more than 2^31 different bytes of words), GR_ERR_MEMORY. */
GR_API GR_MUST_USE gr_status gr_tokenizer_train(gr_tokenizer_type type, const gr_tokenizer_options *options,
                                                const gr_text_source *sources, size_t n_sources, gr_tokenizer **out);

#ifdef __cplusplus
}
#endif
#endif
