#include "text/pieces.h"

#include "base/parallel.h"
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 18, MOST_PIECES = 64 };

/* ---- where to cut ---- */

static bool is_known_pattern(const char *regex)
{
    static const char *const names[] = {"gpt2", "llama3", "qwen2"};
    for (size_t i = 0; i < GR__COUNT(names); i++)
        if (strcmp(regex, gr__pattern_named(names[i])) == 0) return true;
    return false;
}

/* Words do not reach over what gr__text_cut looks for, and nothing is put before a text. */
static bool splits_there(const gr_tokenizer *tok)
{
    const gr__step *s = tok->split.step;
    if (tok->split.n > 0 && s[0].kind == GR__SPLIT_BERT) return tok->split.n == 1;
    for (int i = 0; i < tok->split.n; i++)
        if (s[i].kind == GR__SPLIT_BYTE_LEVEL ? s[i].prefix : s[i].kind != GR__SPLIT_REGEX) return false;
    if (tok->n_merge == 0 && !tok->inside && !tok->ignore_merges) return true; /* a word is its characters */
    if (tok->split.n == 0 || (tok->split.n == 2 && s[1].flag) || tok->split.n > 2) return false;
    return s[0].kind == GR__SPLIT_REGEX ? is_known_pattern(s[0].a) : s[0].flag;
}

static bool may_cut(const gr_tokenizer *tok)
{
    for (size_t i = 0; i < tok->n_added; i++)
        if (!tok->added[i].special) return false; /* found in plain text too */
    for (int i = 0; i < tok->normalize.n; i++) {
        gr__step_kind kind = tok->normalize.step[i].kind;
        if (kind != GR__NORM_BERT && kind != GR__NORM_NFC && kind != GR__NORM_NFD) return false;
    }
    return !tok->fuse_unk && splits_there(tok);
}

static bool is_letter(char c) { return ((unsigned char)c | 32) >= 'a' && ((unsigned char)c | 32) <= 'z'; }

static bool begins_with_space(const char *text, size_t n)
{
    uint32_t code;
    size_t length;
    return gr__utf8_next(text, n, &code, &length) != GR__UTF8_GOOD || gr__utf8_is_space(code);
}

/* The character that ends at 'at' is broken or a blank. */
static bool ends_with_space(const char *text, size_t at)
{
    size_t start = at - 1;
    while (start > 0 && at - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80) start--;
    return begins_with_space(text + start, at - start);
}

/* Before a blank between two letters, or behind one line feed between two characters that are none: each pattern begins a
 * word there whatever stands before, and ends one there whatever stands behind. */
static bool is_cut(const char *text, size_t n, size_t at)
{
    if (text[at] == ' ') return is_letter(text[at - 1]) && at + 1 < n && is_letter(text[at + 1]);
    return at >= 2 && text[at - 1] == '\n' && !begins_with_space(text + at, n - at) && !ends_with_space(text, at - 1);
}

static size_t next_cut(const char *text, size_t n, size_t from)
{
    for (size_t at = GR__MAX(from, 1); at < n; at++)
        if (is_cut(text, n, at)) return at;
    return n;
}

size_t gr__text_cut(const gr_tokenizer *tok, const char *text, size_t n, size_t from)
{
    return may_cut(tok) ? next_cut(text, n, from) : n;
}

/* ---- pieces ---- */

typedef struct piece {
    const char *text;
    size_t n;
    int32_t *ids;
    size_t n_ids;
    gr_status status;
} piece;

typedef struct pieces {
    const gr_tokenizer *tok;
    piece piece[MOST_PIECES];
} pieces;

static void encode_one(void *context, int64_t i, int thread)
{
    (void)thread;
    pieces *p = context;
    piece *one = &p->piece[i];
    one->status = gr_tokenizer_encode(p->tok, one->text, one->n, 0, &one->ids, &one->n_ids);
}

static gr_status give(pieces *p, int count, gr__ids_fn *fn, void *user)
{
    gr_status status = GR_OK;
    for (int i = 0; i < count; i++) {
        piece *one = &p->piece[i];
        if (status == GR_OK) status = one->status == GR_OK ? fn(user, one->ids, one->n_ids) : one->status;
        if (one->status == GR_OK) gr_text_free(one->ids);
    }
    return status;
}

static gr_status whole(const gr_tokenizer *tok, const char *text, size_t n, gr__ids_fn *fn, void *user)
{
    pieces one = {.tok = tok, .piece = {{.text = text, .n = n}}};
    encode_one(&one, 0, 0);
    return give(&one, 1, fn, user);
}

static gr_status encode(const gr_tokenizer *tok, const char *text, size_t n, gr__ids_fn *fn, void *user)
{
    if (n <= PIECE_BYTES || !may_cut(tok)) return whole(tok, text, n, fn, user);
    int most = GR__MIN(2 * gr_threads(), MOST_PIECES);
    for (size_t at = 0; at < n;) {
        pieces p = {.tok = tok};
        int count = 0;
        for (size_t stop; count < most && at < n; at = stop) {
            stop = n - at > PIECE_BYTES ? next_cut(text, n, at + PIECE_BYTES) : n;
            p.piece[count++] = (piece){.text = text + at, .n = stop - at};
        }
        gr__parallel(count, encode_one, &p);
        gr_status status = give(&p, count, fn, user);
        /* The sentence of another thread is lost, and counts from its piece. */
        if (status == GR_ERR_DATA) return whole(tok, text, n, fn, user);
        GR_TRY(status);
    }
    return GR_OK;
}

gr_status gr__encode_documents(const gr_tokenizer *tok, const gr_text_source *document, size_t n, gr__ids_fn *fn,
                               void *user)
{
    int32_t eos = tok->special.eos;
    for (size_t i = 0; i < n; i++) {
        GR_TRY(encode(tok, document[i].text, document[i].n, fn, user));
        if (n > 1 && eos >= 0) GR_TRY(fn(user, &eos, 1));
    }
    return GR_OK;
}

/* ---- bytes of the source ---- */

bool gr__is_unknown(const gr_tokenizer *tok, int32_t id)
{
    return id >= 0 && id == tok->model_unk && id != tok->special.eos && id != tok->special.bos;
}

/* Where the first word that is no blank ends. */
static size_t first_word_end(const char *text, size_t n)
{
    bool any = false;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code;
        bool good = gr__utf8_next(text + at, n - at, &code, &length) == GR__UTF8_GOOD;
        bool blank = good && gr__utf8_is_space(code), sign = good && gr__is_punctuation(code);
        if (any && (blank || sign)) return at;
        if (sign) return at + length;
        any |= !blank;
    }
    return n;
}

size_t gr__first_bytes(const gr_tokenizer *tok, const char *text, size_t n, int32_t id)
{
    uint64_t bytes = 0;
    uint32_t code;
    size_t length = 0;
    if (!gr__is_unknown(tok, id))
        return gr_tokenizer_text_size(tok, &id, 1, GR_DECODE_BYTES, &bytes) == GR_OK ? (size_t)GR__MIN(bytes, n) : 0;
    if (tok->inside) return first_word_end(text, n);
    if (n > 0) gr__utf8_next(text, n, &code, &length);
    return length;
}
