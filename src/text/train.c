/* Training: the order of ids for each kind; the merges of BPE are learned in bpe_train.c. */
#include "text/bytemap.h"
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <string.h>

#define END_OF_TEXT "<|endoftext|>"
#define UNKNOWN "<unk>"
#define UNKNOWN_WORD "[UNK]"
#define DEFAULT_VOCAB_SIZE 8192
#define MOST_VOCAB_SIZE (1 << 20)
#define MOST_CHARACTERS 0x110000

static gr_status add_special(gr_tokenizer *tok, const char *text)
{
    size_t n = strlen(text);
    GR_FAIL_IF(n == 0 || !gr__utf8_valid(text, n, NULL), GR_ERR_ARGUMENT, "a special token is empty or not UTF-8");
    GR_FAIL_IF(gr__find_token(tok, text, n) >= 0, GR_ERR_ARGUMENT,
               "special token '%s' is given twice or is a token already", text);
    int32_t id = tok->n_token;
    GR_TRY(gr__add_token(tok, text, n, id));
    return gr__add_added(tok, text, n, id, (gr__added){.special = true});
}

static gr_status add_specials(gr_tokenizer *tok, const gr_tokenizer_options *o)
{
    if (!o->no_end_of_text) GR_TRY(add_special(tok, END_OF_TEXT));
    for (size_t i = 0; i < o->n_special; i++) {
        GR_FAIL_IF(!o->special[i], GR_ERR_ARGUMENT, "special token %zu is NULL", i);
        GR_TRY(add_special(tok, o->special[i]));
    }
    return GR_OK;
}

static gr_status put_around(const gr_tokenizer *tok, const char *text, int32_t **ids, size_t *n, size_t *capacity)
{
    if (!text) return GR_OK;
    int32_t id = gr__find_token(tok, text, strlen(text));
    GR_FAIL_IF(id < 0 || !tok->token[id].special, GR_ERR_ARGUMENT,
               "'%.40s' is to stand beside every text, but is no "
               "special token",
               text);
    GR_TRY(gr__grow(ids, sizeof **ids, *n + 1, capacity));
    (*ids)[(*n)++] = id;
    return GR_OK;
}

static gr_status add_template(gr_tokenizer *tok, const gr_tokenizer_options *o)
{
    GR_TRY(put_around(tok, o->before, &tok->before, &tok->n_before, &tok->before_capacity));
    GR_TRY(put_around(tok, o->after, &tok->after, &tok->n_after, &tok->after_capacity));
    if (o->before && o->after) tok->between[tok->n_between++] = tok->after[0]; /* [CLS] a [SEP] b [SEP] */
    return GR_OK;
}

static gr_status add_byte(gr_tokenizer *tok, unsigned char byte)
{
    char name[4];
    return gr__add_token(tok, name, gr__utf8_put(gr__byte_char(byte), name), tok->n_token);
}

/* ---- bytes ---- */

static gr_status make_bytes(gr_tokenizer *tok, const gr_tokenizer_options *o)
{
    for (int b = 0; b < 256; b++) GR_TRY(add_byte(tok, (unsigned char)b));
    GR_TRY(add_specials(tok, o));
    return gr__make_byte_level(tok, NULL);
}

/* ---- characters ---- */

/* Where the special tokens stand in the texts, for cutting them out. */
static gr_status index_specials(const gr_tokenizer_options *o, gr__trie *trie)
{
    if (!o->no_end_of_text) GR_TRY(gr__trie_add(trie, END_OF_TEXT, sizeof END_OF_TEXT - 1, 0));
    for (size_t i = 0; i < o->n_special; i++)
        if (o->special[i]) GR_TRY(gr__trie_add(trie, o->special[i], strlen(o->special[i]), 0));
    return GR_OK;
}

static gr_status collect(const char *text, size_t n, size_t offset, size_t source, unsigned char *seen)
{
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code;
        GR_FAIL_IF(
            gr__utf8_next(text + at, n - at, &code, &length) != GR__UTF8_GOOD || code == 0, GR_ERR_DATA,
            "text %zu is not UTF-8, or has a 0 byte, at byte %zu; clean it, or train a 'byte' or 'bpe' tokenizer",
            source, offset + at);
        seen[code / 8] |= (unsigned char)(1u << code % 8);
    }
    return GR_OK;
}

static gr_status collect_all(const gr__trie *trie, const gr_text_source *sources, size_t n_sources, unsigned char *seen)
{
    for (size_t i = 0; i < n_sources; i++) {
        const char *text = sources[i].n ? sources[i].text : "";
        size_t at = 0, start, end;
        uint32_t index;
        for (; gr__trie_find(trie, text, sources[i].n, at, &start, &end, &index); at = end)
            GR_TRY(collect(text + at, start - at, at, i, seen));
        GR_TRY(collect(text + at, sources[i].n - at, at, i, seen));
    }
    return GR_OK;
}

static gr_status add_characters(gr_tokenizer *tok, const unsigned char *seen)
{
    for (uint32_t code = 0; code < MOST_CHARACTERS; code++) {
        char name[4];
        if (seen[code / 8] & 1u << code % 8) GR_TRY(gr__add_token(tok, name, gr__utf8_put(code, name), tok->n_token));
    }
    GR_FAIL_IF(tok->n_token == 0, GR_ERR_DATA, "the training text has no characters");
    return GR_OK;
}

static gr_status make_characters(gr_tokenizer *tok, const gr_tokenizer_options *o, const gr_text_source *sources,
                                 size_t n)
{
    gr_status status = GR_OK;
    gr__trie trie = {0};
    gr__step *step;
    unsigned char *seen = gr__calloc(MOST_CHARACTERS / 8, 1);
    if (!seen) return gr__fail_memory("the characters of a text", MOST_CHARACTERS / 8);
    GR_TRY_DONE(index_specials(o, &trie));
    GR_TRY_DONE(collect_all(&trie, sources, n, seen));
    GR_TRY_DONE(add_characters(tok, seen));
    if (!o->no_unknown) {
        tok->model_unk = tok->n_token;
        GR_TRY_DONE(add_special(tok, UNKNOWN));
    }
    GR_TRY_DONE(add_specials(tok, o));
    GR_TRY_DONE(gr__add_step(&tok->decode, GR__DECODE_FUSE, &step));
done:
    gr__trie_release(&trie);
    gr__free(seen);
    return status;
}

/* ---- byte pairs ---- */

static gr_status make_bpe(gr_tokenizer *tok, const gr_tokenizer_options *o, const gr_text_source *sources, size_t n)
{
    const char *pattern = gr__pattern_named(o->pattern ? o->pattern : "gpt2");
    int64_t vocab_size = o->vocab_size ? o->vocab_size : DEFAULT_VOCAB_SIZE,
            least = o->least_count ? o->least_count : 2;
    GR_FAIL_IF(!pattern, GR_ERR_ARGUMENT, "pattern '%s' is not known; choose 'gpt2', 'llama3' or 'qwen2'", o->pattern);
    GR_FAIL_IF(least < 1, GR_ERR_ARGUMENT, "least_count is %lld; it must be at least 1", (long long)least);
    GR_TRY(add_specials(tok, o));
    for (int rank = 0; rank < 256; rank++) GR_TRY(add_byte(tok, gr__byte_by_rank(rank)));
    GR_FAIL_IF(vocab_size < tok->n_token || vocab_size > MOST_VOCAB_SIZE, GR_ERR_ARGUMENT,
               "vocab_size is %lld; it must be from %d (bytes and special tokens) to %d", (long long)vocab_size,
               tok->n_token, MOST_VOCAB_SIZE);
    GR_TRY(gr__make_byte_level(tok, pattern));
    return gr__train_bpe(tok, (int32_t)vocab_size, least, sources, n);
}

/* ---- words ---- */

static gr_status make_words(gr_tokenizer *tok, const gr_tokenizer_options *o, const gr_text_source *sources, size_t n)
{
    int64_t vocab_size = o->vocab_size ? o->vocab_size : DEFAULT_VOCAB_SIZE,
            least = o->least_count ? o->least_count : 2;
    GR_FAIL_IF(least < 1, GR_ERR_ARGUMENT, "least_count is %lld; it must be at least 1", (long long)least);
    GR_TRY(add_specials(tok, o));
    tok->model_unk = tok->n_token;
    GR_TRY(add_special(tok, UNKNOWN_WORD));
    GR_FAIL_IF(vocab_size <= tok->n_token || vocab_size > MOST_VOCAB_SIZE, GR_ERR_ARGUMENT,
               "vocab_size is %lld; it must be from %d (special tokens and a word) to %d", (long long)vocab_size,
               tok->n_token + 1, MOST_VOCAB_SIZE);
    GR_TRY(gr__make_words(tok, o->keep_case));
    return gr__train_words(tok, (int32_t)vocab_size, least, sources, n);
}

gr_status gr_tokenizer_train(gr_tokenizer_type type, const gr_tokenizer_options *options, const gr_text_source *sources,
                             size_t n_sources, gr_tokenizer **out)
{
    static const gr_tokenizer_options defaults = {0};
    const gr_tokenizer_options *o = options ? options : &defaults;
    gr_tokenizer *tok;
    GR_FAIL_IF(!out || (!sources && n_sources > 0) || (!o->special && o->n_special > 0), GR_ERR_ARGUMENT,
               "gr_tokenizer_train needs texts, special tokens where they are counted, and room for the result");
    for (size_t i = 0; i < n_sources; i++)
        GR_FAIL_IF(!sources[i].text && sources[i].n > 0, GR_ERR_ARGUMENT, "training text %zu is NULL", i);
    GR_TRY(gr__tokenizer_new(&tok));
    gr_status status;
    switch (type) {
    case GR_TOKENIZER_BYTE: status = make_bytes(tok, o); break;
    case GR_TOKENIZER_CHAR: status = make_characters(tok, o, sources, n_sources); break;
    case GR_TOKENIZER_BPE: status = make_bpe(tok, o, sources, n_sources); break;
    case GR_TOKENIZER_WORD_PIECE: status = make_words(tok, o, sources, n_sources); break;
    default:
        status = gr__fail(GR_ERR_UNSUPPORTED,
                          "a '%s' tokenizer cannot be trained; choose 'byte', 'char', 'bpe' or 'wordpiece'",
                          gr_tokenizer_type_name(type));
    }
    if (status == GR_OK) status = add_template(tok, o);
    if (status == GR_OK) status = gr__tokenizer_finish(tok);
    if (status != GR_OK) {
        gr_tokenizer_close(&tok);
        return status;
    }
    *out = tok;
    return GR_OK;
}
