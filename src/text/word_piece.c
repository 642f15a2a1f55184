/* WordPiece (Schuster and Nakajima 2012, as in BERT): a word is cut into the longest pieces of the vocabulary, from its
 * start on; pieces that do not begin the word are named with a prefix. A word that no pieces cover is one unknown. */
#include "text/tokenizer_int.h"
#include "text/utf8.h"

static size_t characters(const char *word, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)word[i] & 0xC0) != 0x80;
    return count;
}

/* The longest piece at 'at'; its end, or 'at' where there is none. */
static gr_status longest(const gr_tokenizer *tok, const char *word, size_t n, size_t at, gr__str *room, int32_t *id,
                         size_t *end)
{
    gr__str_clear(room);
    if (at > 0) gr__str_add(room, tok->inside);
    size_t before = room->n;
    gr__str_add_n(room, word + at, n - at);
    GR_TRY(gr__str_check(room));
    for (*end = n; *end > at; --*end) {
        if (*end < n && ((unsigned char)word[*end] & 0xC0) == 0x80) continue; /* inside a character */
        *id = gr__find_token(tok, room->text, before + *end - at);
        if (*id >= 0 && tok->token[*id].in_model) return GR_OK;
    }
    return GR_OK;
}

gr_status gr__push_word_pieces(const gr_tokenizer *tok, const char *word, size_t n, gr__str *room, gr__ids *ids)
{
    size_t first = ids->n, end;
    bool known = (int64_t)characters(word, n) <= tok->most_characters;
    for (size_t at = 0; at < n && known; at = end) {
        int32_t id;
        GR_TRY(longest(tok, word, n, at, room, &id, &end));
        known = end > at;
        if (known) GR_TRY(gr__ids_push(ids, id));
    }
    if (known) return GR_OK;
    ids->n = first;
    return gr__ids_push(ids, tok->model_unk);
}
