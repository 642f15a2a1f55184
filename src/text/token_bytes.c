/* What each token stands for. The decode steps work on single tokens, so their results are made once; only the strip at
 * the start of a text is left for decoding. Added tokens stand for themselves. */
#include "text/bytemap.h"
#include "text/tokenizer_int.h"

#include <string.h>

/* "<0x0A>" -> 10, else -1. */
static int byte_of_piece(const char *piece, size_t n)
{
    if (n != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        const char *digits = "0123456789ABCDEF", *hit = piece[i] ? strchr(digits, piece[i]) : NULL;
        if (!hit) return -1;
        value = value * 16 + (int)(hit - digits);
    }
    return value;
}

/* The marks that English is written with stand without a space before them. */
static void add_tidy(gr__str *out, const char *text, size_t n)
{
    static const char *const tight[] = {" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"};
    bool is_tight = false;
    for (size_t i = 0; i < GR__COUNT(tight); i++) is_tight |= strlen(tight[i]) == n && memcmp(text, tight[i], n) == 0;
    gr__str_add_n(out, text + is_tight, n - is_tight);
}

/* "##ing" -> "ing", "the" -> " the"; the space at the start of a text is taken off when it is decoded. */
static void add_word_piece(gr__str *out, const gr__step *step, const char *text, size_t n)
{
    size_t n_prefix = strlen(step->a);
    if (n >= n_prefix && memcmp(text, step->a, n_prefix) == 0) {
        gr__str_add_n(out, text + n_prefix, n - n_prefix);
        return;
    }
    gr__str word = {0};
    gr__str_add_char(&word, ' ');
    gr__str_add_n(&word, text, n);
    if (word.failed) out->failed = true;
    if (step->flag)
        add_tidy(out, gr__str_get(&word), word.n);
    else
        gr__str_add_n(out, gr__str_get(&word), word.n);
    gr__str_release(&word);
}

static gr_status apply(const gr__step *step, const char *text, size_t n, gr__str *out)
{
    switch (step->kind) {
    case GR__DECODE_BYTE_LEVEL: {
        char *room = gr__alloc(n + 1);
        if (!room) return gr__fail_memory("a token", n);
        size_t got = gr__bytemap_decode(text, n, room);
        gr__str_add_n(out, got == SIZE_MAX ? text : room, got == SIZE_MAX ? n : got);
        gr__free(room);
        return GR_OK;
    }
    case GR__DECODE_REPLACE: gr__replace_all(out, text, n, step->a, step->b); return GR_OK;
    case GR__DECODE_METASPACE: gr__replace_all(out, text, n, step->a, " "); return GR_OK;
    case GR__DECODE_WORD_PIECE: add_word_piece(out, step, text, n); return GR_OK;
    case GR__DECODE_BYTE_FALLBACK: {
        int byte = byte_of_piece(text, n);
        if (byte >= 0)
            gr__str_add_char(out, (char)byte);
        else
            gr__str_add_n(out, text, n);
        return GR_OK;
    }
    default: gr__str_add_n(out, text, n); return GR_OK;
    }
}

/* An added token that was found in a normalized text stands for what the normalizer added, too (a space before it). */
static gr_status decode_piece(const gr_tokenizer *tok, const gr__token *token, gr__str *out, gr__str *scratch)
{
    bool as_added = token->added && token->normalized && !tok->byte_level && !tok->inside;
    gr__str_clear(out);
    gr__str_add_n(out, token->piece, token->n_piece);
    if (as_added) GR_TRY(gr__normalize(tok, token->piece, token->n_piece, out, scratch));
    for (int i = 0; i < tok->decode.n && (!token->added || as_added || tok->inside); i++) {
        gr__str_clear(scratch);
        GR_TRY(apply(&tok->decode.step[i], gr__str_get(out), out->n, scratch));
        gr__str swap = *out;
        *out = *scratch;
        *scratch = swap;
        GR_TRY(gr__str_check(out));
        GR_FAIL_IF(out->n / GR__MOST_GROWTH > token->n_piece + 64, GR_ERR_LIMIT,
                   "the decoder makes token %d more than %d times longer", (int)(token - tok->token), GR__MOST_GROWTH);
    }
    return GR_OK;
}

gr_status gr__make_token_bytes(gr_tokenizer *tok)
{
    gr_status status = GR_OK;
    gr__str text = {0}, scratch = {0};
    for (int32_t id = 0; id < tok->n_token; id++) {
        gr__token *token = &tok->token[id];
        if (!token->piece) continue;
        GR_TRY_DONE(decode_piece(tok, token, &text, &scratch));
        token->n_bytes = text.n;
        token->bytes = gr__arena_strndup(&tok->arena, gr__str_get(&text), text.n);
        if (!token->bytes) {
            status = gr__fail_memory("the vocabulary", text.n);
            goto done;
        }
    }
    for (int i = 0; i < tok->decode.n; i++) {
        const gr__step *step = &tok->decode.step[i];
        if (step->kind == GR__DECODE_STRIP) tok->strip = step->a, tok->strip_count = step->count;
        if (step->kind == GR__DECODE_METASPACE && step->scheme != GR__PREPEND_NEVER)
            tok->strip = " ", tok->strip_count = INT64_MAX, tok->strip_first = true;
        if (step->kind == GR__DECODE_WORD_PIECE) tok->strip = " ", tok->strip_count = 1, tok->strip_first = true;
    }
    /* As Hugging Face tokenizers: a text that begins inside a word shows it. */
    if (tok->decode.n == 1 && tok->decode.step[0].kind == GR__DECODE_WORD_PIECE)
        tok->first_whole = tok->decode.step[0].a;
done:
    gr__str_release(&text);
    gr__str_release(&scratch);
    return status;
}
