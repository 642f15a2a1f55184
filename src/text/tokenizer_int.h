/* Inside of a tokenizer, shared by the files of src/text. Life of an object: gr__tokenizer_new, then a builder
 * (hf_read.c, gpt2_read.c, llama2c_read.c, train.c) adds tokens, merges and steps, then gr__tokenizer_finish derives
 * the rest; from then on it is constant.
 *
 *   text -> cut at added tokens -> normalize steps -> cut at added tokens -> split steps -> words -> merges -> ids
 *   ids  -> bytes of each token (made once, by the decode steps) -> one leading space off -> text
 *
 * A word is the text itself, not its printable form: a byte-level vocabulary starts from byte_id[256]. */
#ifndef GR__TOKENIZER_INT_H
#define GR__TOKENIZER_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "gradus/text.h"
#include "text/pattern.h"
#include "text/pair_map.h"

#include <stdatomic.h>

#define GR__MOST_TOKENS (1 << 24)
#define GR__MOST_STEPS 16       /* of each kind */
#define GR__MOST_STEP_BYTES 256 /* a text in a step; patterns may be longer */
#define GR__MOST_GROWTH 64      /* times that steps may lengthen a text */

typedef struct gr__token {
    const char *piece; /* its name in the file; NULL: the id is not used */
    size_t n_piece;
    const char *bytes; /* what it stands for */
    size_t n_bytes;
    bool in_model; /* the merges may reach it */
    bool added;    /* found in the text before everything else */
    bool special;
    bool normalized; /* an added token that is looked for in the normalized text */
} gr__token;

typedef struct gr__added {
    int32_t id;
    bool special, normalized, lstrip, rstrip;
} gr__added;

typedef struct gr__merge {
    int32_t a, b, id; /* a b -> id; the place in the list is the rank */
} gr__merge;

typedef enum gr__step_kind {
    GR__NORM_PREPEND, /* a: text put before */
    GR__NORM_REPLACE, /* a: old, b: new */
    GR__NORM_NFC,
    GR__NORM_NFD,
    GR__NORM_NFKC,
    GR__NORM_NFKD,
    GR__NORM_BERT,        /* count: bits GR__BERT_... */
    GR__SPLIT_REGEX,      /* a: the pattern as in the file */
    GR__SPLIT_TEXT,       /* a: the text that is a word of its own */
    GR__SPLIT_DIGITS,     /* flag: one by one */
    GR__SPLIT_BYTE_LEVEL, /* flag: use GPT-2's pattern; prefix: put a space before */
    GR__SPLIT_METASPACE,  /* a: what stands for a space; scheme; flag: cut before it */
    GR__SPLIT_BERT,       /* blanks go, punctuation is a word of its own */
    GR__DECODE_BYTE_LEVEL,
    GR__DECODE_REPLACE, /* a: old, b: new */
    GR__DECODE_BYTE_FALLBACK,
    GR__DECODE_FUSE,
    GR__DECODE_STRIP,     /* a: what, at most 'count' times at the start */
    GR__DECODE_METASPACE, /* a: what stands for a space; scheme */
    GR__DECODE_WORD_PIECE /* a: what a piece inside a word begins with; flag: no space before punctuation */
} gr__step_kind;

/* What BERT's normalizer does, in this order. */
enum {
    GR__BERT_CLEAN = 1,        /* control characters go, every blank is a space */
    GR__BERT_CHINESE = 2,      /* spaces around Chinese characters */
    GR__BERT_ACCENTS = 4,      /* accents go */
    GR__BERT_ACCENTS_TOLD = 8, /* the file says so, or the opposite; else they go where it makes small letters */
    GR__BERT_LOWER = 16
};

typedef enum gr__prepend { GR__PREPEND_ALWAYS, GR__PREPEND_FIRST, GR__PREPEND_NEVER } gr__prepend;

/* One step of normalizing, splitting or decoding. Texts lie in the arena. */
typedef struct gr__step {
    gr__step_kind kind;
    const char *a, *b;
    bool flag, prefix;
    gr__prepend scheme;
    int64_t count;
    gr__pattern *pattern;
} gr__step;

typedef struct gr__steps {
    gr__step step[GR__MOST_STEPS];
    int n;
} gr__steps;

/* Added tokens as a tree of bytes: (node, byte) -> node, node -> token. */
typedef struct gr__trie {
    gr__pair_map edge;
    gr__pair_map leaf;
    uint32_t n_nodes; /* the root is 0 */
    bool first[256];  /* bytes that start a token */
} gr__trie;

typedef struct gr__scratch gr__scratch;
#define GR__SPARE_SCRATCH 16

struct gr_tokenizer {
    gr__arena arena;
    gr_tokenizer_type type;

    gr__map by_piece;
    gr__token *token;
    int32_t n_token; /* highest id + 1 */
    size_t token_capacity;
    gr__merge *merge;
    size_t n_merge, merge_capacity;
    gr__added *added;
    size_t n_added, added_capacity;

    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    const char *inside;      /* WordPiece: what a piece inside a word begins with ("##"); NULL: merges */
    int64_t most_characters; /* WordPiece: longer words are unknown */
    int32_t model_unk;       /* for what the model does not know; -1: none */
    gr__steps normalize, split, decode;
    int32_t *before, *after; /* ids that the post-processor puts around a text */
    size_t n_before, n_after, before_capacity, after_capacity;
    int32_t between[4]; /* and between two texts, where the file says */
    int n_between;
    gr_tokenizer_specials special;

    /* derived by gr__tokenizer_finish */
    int32_t byte_id[256];
    gr__pair_map char_id;  /* code point -> id */
    gr__pair_map merge_of; /* (a, b) -> (rank, id) */
    gr__trie raw, normalized;
    bool cut_at_mark;        /* no merge crosses from another character to U+2581: words may be cut there */
    const char *strip;       /* text that is taken off the start of a decoded text, or NULL */
    bool strip_first;        /* from the first token only */
    const char *first_whole; /* a first token that begins so stands for its name, or NULL */
    int64_t strip_count;

    _Atomic(gr__scratch *) spare[GR__SPARE_SCRATCH]; /* memory for encoding, kept warm between calls */
};

/* ---- building (vocab.c) ---- */

gr_status gr__tokenizer_new(gr_tokenizer **out);
/* A token of the model. GR_ERR_CORRUPT: the name or the id is taken, or the id is absurd. */
gr_status gr__add_token(gr_tokenizer *tok, const char *piece, size_t n, int64_t id);
/* An added token; it may be one of the model's. */
gr_status gr__add_added(gr_tokenizer *tok, const char *text, size_t n, int64_t id, gr__added flags);
/* A merge of two tokens by name; the three of them must be in the model. */
gr_status gr__add_merge(gr_tokenizer *tok, const char *a, size_t n_a, const char *b, size_t n_b);
/* A zeroed step at the end of the list. GR_ERR_LIMIT */
gr_status gr__add_step(gr__steps *steps, gr__step_kind kind, gr__step **out);
/* Compiles patterns, checks ids and derives the tables. */
gr_status gr__tokenizer_finish(gr_tokenizer *tok);

/* Id of a name, -1 where there is none. */
GR__INLINE int32_t gr__find_token(const gr_tokenizer *tok, const char *piece, size_t n)
{
    const int64_t *id = gr__map_get(&tok->by_piece, piece, n);
    return id ? (int32_t)*id : -1;
}

/* ---- added tokens in a text (added.c) ---- */

gr_status gr__trie_add(gr__trie *trie, const char *text, size_t n, uint32_t index);
/* The first place from 'from' on where an added token stands, the longest there; false where there is none. */
bool gr__trie_find(const gr__trie *trie, const char *text, size_t n, size_t from, size_t *start, size_t *end,
                   uint32_t *index);
void gr__trie_release(gr__trie *trie);

/* ---- steps (normalize.c, token_bytes.c) ---- */

/* Appends the normalized text to 'out'. */
gr_status gr__normalize(const gr_tokenizer *tok, const char *text, size_t n, gr__str *out, gr__str *scratch);
/* Appends 'text' with every 'old' replaced. */
void gr__replace_all(gr__str *out, const char *text, size_t n, const char *old, const char *fresh);
bool gr__is_punctuation(uint32_t code); /* ASCII signs, and Unicode's category P */
/* What every token stands for, from its name and the decode steps. */
gr_status gr__make_token_bytes(gr_tokenizer *tok);

/* ---- encoding ---- */

typedef struct gr__ids {
    int32_t *id;
    size_t n, capacity;
} gr__ids;

GR__INLINE gr_status gr__ids_push(gr__ids *ids, int32_t id)
{
    if (GR__UNLIKELY(ids->n == ids->capacity)) GR_TRY(gr__grow(&ids->id, sizeof *ids->id, ids->n + 1, &ids->capacity));
    ids->id[ids->n++] = id;
    return GR_OK;
}

/* Ids of a word by the longest pieces from its start on; one unknown where they do not cover it (word_piece.c). */
gr_status gr__push_word_pieces(const gr_tokenizer *tok, const char *word, size_t n, gr__str *room, gr__ids *ids);

void gr__scratch_free(gr__scratch **scratch);

/* ---- files ---- */

gr_status gr__read_tokenizer_json(const char *path, gr_tokenizer *tok);
/* Sets bos, eos, unk, pad from a tokenizer_config.json; a token that is not in the vocabulary is left out. */
gr_status gr__read_tokenizer_config(const char *path, gr_tokenizer *tok);
gr_status gr__read_gpt2_files(const char *vocab_path, const char *merges_path, gr_tokenizer *tok);
gr_status gr__read_llama2c(const char *path, gr_tokenizer *tok);
void gr__print_tokenizer_json(const gr_tokenizer *tok, gr__str *out);
void gr__print_tokenizer_config(const gr_tokenizer *tok, gr__str *out);

/* The shape of a byte-level tokenizer: split by 'pattern' (NULL: not at all), ByteLevel decoder. */
gr_status gr__make_byte_level(gr_tokenizer *tok, const char *pattern);

/* What comes out of the split steps, word for word (encode.c). What 'fn' fails with ends it. */
typedef gr_status gr__word_fn(void *user, const char *word, size_t n);
gr_status gr__each_word(gr_tokenizer *tok, const char *text, size_t n, gr__word_fn *fn, void *user);

/* ---- training (bpe_train.c, word_train.c) ---- */

/* Adds tokens and merges learned from the texts until n_token reaches vocab_size. */
gr_status gr__train_bpe(gr_tokenizer *tok, int32_t vocab_size, int64_t least_count, const gr_text_source *sources,
                        size_t n_sources);
/* The shape of a vocabulary of whole words; then the words themselves. */
gr_status gr__make_words(gr_tokenizer *tok, bool keep_case);
gr_status gr__train_words(gr_tokenizer *tok, int32_t vocab_size, int64_t least_count, const gr_text_source *sources,
                          size_t n_sources);

#endif
