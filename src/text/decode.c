/* Ids to text, at once or as they come. One path for both: every id's bytes go through gr_decoder, which holds the last
 * bytes back while they may still become a character. */
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <string.h>

struct gr_decoder {
    const gr_tokenizer *tok;
    unsigned flags;
    int64_t strip_left; /* texts that may still be taken off the start */
    char held[4];       /* start of a character */
    size_t n_held;
    gr__str out;
};

static int64_t strips(const gr_tokenizer *tok, unsigned flags)
{
    return tok->strip && !(flags & GR_DECODE_CONTINUE) ? tok->strip_count : 0;
}

/* The part of a token that is seen: nothing of a special one, not the space that a Llama tokenizer puts first. */
static bool visible(const gr_tokenizer *tok, int32_t id, unsigned flags, int64_t *strip_left, const char **bytes,
                    size_t *n)
{
    if (id < 0 || id >= tok->n_token || !tok->token[id].piece) return false;
    const gr__token *token = &tok->token[id];
    *bytes = token->bytes;
    *n = token->special && !(flags & GR_DECODE_SPECIAL) ? 0 : token->n_bytes;
    if (*strip_left == 0 || (token->special && *n == 0)) return true;
    size_t n_whole = tok->first_whole ? strlen(tok->first_whole) : SIZE_MAX;
    if (token->n_piece >= n_whole && memcmp(token->piece, tok->first_whole, n_whole) == 0) {
        *bytes = token->piece;
        *n = token->n_piece;
    }
    if (*n == 0) return true;
    size_t n_strip = strlen(tok->strip);
    while (*strip_left > 0 && *n >= n_strip && memcmp(*bytes, tok->strip, n_strip) == 0) {
        *bytes += n_strip;
        *n -= n_strip;
        (*strip_left)--;
    }
    if (*n > 0 || tok->strip_first) *strip_left = 0;
    return true;
}

static gr_status outside(const gr_tokenizer *tok, int32_t id, size_t position)
{
    return gr__fail(GR_ERR_DATA, "id %d at position %zu is not in the vocabulary of %d tokens", id, position,
                    tok->n_token);
}

/* ---- valid UTF-8 ---- */

/* Appends whole characters, U+FFFD for what can never be one; keeps the start of one at the end for later. */
static void add_valid(gr_decoder *d, const char *text, size_t n)
{
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code;
        size_t good;
        if (gr__utf8_valid(text + at, n - at, &good)) good = n - at;
        gr__str_add_n(&d->out, text + at, good);
        at += good;
        length = 0;
        if (at == n) return;
        if (gr__utf8_next(text + at, n - at, &code, &length) == GR__UTF8_PARTIAL) {
            memcpy(d->held, text + at, length);
            d->n_held = length;
            return;
        }
        gr__str_add(&d->out, GR__UTF8_REPLACEMENT);
    }
}

static void add_bytes(gr_decoder *d, const char *bytes, size_t n)
{
    if (n == 0) return;
    if (d->flags & GR_DECODE_BYTES) {
        gr__str_add_n(&d->out, bytes, n);
        return;
    }
    /* Three more bytes settle whatever is held. */
    char joined[8];
    while (d->n_held > 0 && n > 0) {
        size_t held = d->n_held;
        memcpy(joined, d->held, held);
        joined[held] = *bytes++;
        n--;
        d->n_held = 0;
        add_valid(d, joined, held + 1);
    }
    add_valid(d, bytes, n);
}

static gr_status push(gr_decoder *d, int32_t id, size_t position)
{
    const char *bytes;
    size_t n;
    if (!visible(d->tok, id, d->flags, &d->strip_left, &bytes, &n)) return outside(d->tok, id, position);
    add_bytes(d, bytes, n);
    return GR_OK;
}

static void end(gr_decoder *d)
{
    if (d->n_held > 0) gr__str_add(&d->out, GR__UTF8_REPLACEMENT); /* what is held is one broken part of a character */
    d->n_held = 0;
    d->strip_left = strips(d->tok, d->flags);
}

/* ---- public ---- */

gr_status gr_decoder_open(const gr_tokenizer *tok, unsigned flags, gr_decoder **out)
{
    GR_FAIL_IF(!tok || !out, GR_ERR_ARGUMENT, "gr_decoder_open needs a tokenizer and room for the result");
    gr_decoder *d = gr__calloc(1, sizeof *d);
    if (!d) return gr__fail_memory("a decoder", sizeof *d);
    *d = (gr_decoder){.tok = tok, .flags = flags, .strip_left = strips(tok, flags)};
    *out = d;
    return GR_OK;
}

void gr_decoder_close(gr_decoder **decoder)
{
    if (!decoder || !*decoder) return;
    gr__str_release(&(*decoder)->out);
    gr__free(*decoder);
    *decoder = NULL;
}

static gr_status hand_out(gr_decoder *d, const char **text, size_t *n)
{
    if (d->out.failed) { /* the string does not recover: begin a new one */
        gr__str_release(&d->out);
        return gr__fail_memory("decoding", 0);
    }
    if (text) *text = gr__str_get(&d->out);
    if (n) *n = d->out.n;
    return GR_OK;
}

gr_status gr_decoder_push(gr_decoder *d, int32_t id, const char **text, size_t *n)
{
    GR_FAIL_IF(!d, GR_ERR_ARGUMENT, "gr_decoder_push needs a decoder");
    gr__str_clear(&d->out);
    GR_TRY(push(d, id, 0));
    return hand_out(d, text, n);
}

gr_status gr_decoder_end(gr_decoder *d, const char **text, size_t *n)
{
    GR_FAIL_IF(!d, GR_ERR_ARGUMENT, "gr_decoder_end needs a decoder");
    gr__str_clear(&d->out);
    end(d);
    return hand_out(d, text, n);
}

gr_status gr_tokenizer_decode(const gr_tokenizer *tok, const int32_t *ids, size_t n, unsigned flags, char **text,
                              size_t *n_text)
{
    GR_FAIL_IF(!tok || (!ids && n > 0) || !text, GR_ERR_ARGUMENT,
               "gr_tokenizer_decode needs a tokenizer, ids and room for "
               "the result");
    gr_decoder d = {.tok = tok, .flags = flags, .strip_left = strips(tok, flags)};
    gr_status status = GR_OK;
    for (size_t i = 0; i < n && status == GR_OK; i++) status = push(&d, ids[i], i);
    end(&d);
    gr__str_add_n(&d.out, "", 0); /* makes sure that there is memory, with a closing 0 */
    if (status == GR_OK) status = gr__str_check(&d.out);
    if (status != GR_OK) {
        gr__str_release(&d.out);
        return status;
    }
    *text = d.out.text;
    if (n_text) *n_text = d.out.n;
    return GR_OK;
}

gr_status gr_tokenizer_text_size(const gr_tokenizer *tok, const int32_t *ids, size_t n, unsigned flags,
                                 uint64_t *n_bytes)
{
    GR_FAIL_IF(!tok || (!ids && n > 0) || !n_bytes, GR_ERR_ARGUMENT,
               "gr_tokenizer_text_size needs a tokenizer, ids and room "
               "for the result");
    int64_t strip_left = strips(tok, flags);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes;
        size_t size;
        if (!visible(tok, ids[i], flags, &strip_left, &bytes, &size)) return outside(tok, ids[i], i);
        sum += size;
    }
    *n_bytes = sum;
    return GR_OK;
}
