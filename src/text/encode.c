/* Text to ids. A text is cut at added tokens; every stretch between them is normalized and goes through the split
 * steps, which call each other for each piece (no lists of pieces are made); what comes out at the end is a word. */
#include "text/bytemap.h"
#include "text/merge.h"
#include "text/tokenizer_int.h"
#include "text/utf8.h"
#include "text/word_cache.h"

#include <string.h>

#define MARK "\xE2\x96\x81" /* U+2581 */

/* Memory of one call, given back to the tokenizer for the next one. */
struct gr__scratch {
    gr__matcher *matcher;
    gr__word_cache cache;
    gr__merge_room room;
    gr__str normal, swap;
    gr__str changed[GR__MOST_STEPS]; /* text of a step that adds something */
};

typedef struct encoder {
    const gr_tokenizer *tok;
    gr__scratch *scratch;
    const char *text; /* as the caller gave it */
    size_t n;
    unsigned flags;
    gr__ids ids;
    gr__word_fn *fn; /* takes the words in place of ids; NULL: ids */
    void *user;
} encoder;

/* ---- scratch ---- */

void gr__scratch_free(gr__scratch **scratch)
{
    gr__scratch *s = *scratch;
    if (!s) return;
    gr__matcher_free(&s->matcher);
    gr__word_cache_release(&s->cache);
    gr__merge_room_release(&s->room);
    gr__str_release(&s->normal);
    gr__str_release(&s->swap);
    for (int i = 0; i < GR__MOST_STEPS; i++) gr__str_release(&s->changed[i]);
    gr__free(s);
    *scratch = NULL;
}

static gr_status take_scratch(gr_tokenizer *tok, gr__scratch **out)
{
    for (int i = 0; i < GR__SPARE_SCRATCH; i++)
        if ((*out = atomic_exchange(&tok->spare[i], NULL)) != NULL) return GR_OK;
    gr__scratch *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("encoding", sizeof *s);
    gr_status status = gr__matcher_new(&s->matcher);
    if (status == GR_OK) status = gr__word_cache_init(&s->cache);
    if (status != GR_OK) {
        gr__scratch_free(&s);
        return status;
    }
    *out = s;
    return GR_OK;
}

static void give_scratch(gr_tokenizer *tok, gr__scratch *s)
{
    for (int i = 0; i < GR__SPARE_SCRATCH; i++) {
        gr__scratch *empty = NULL;
        if (atomic_compare_exchange_strong(&tok->spare[i], &empty, s)) return;
    }
    gr__scratch_free(&s);
}

/* ---- words ---- */

static gr_status unknown(const encoder *e, const char *at, const char *what)
{
    bool original = at >= e->text && at < e->text + e->n; /* not a changed copy */
    if (original)
        return gr__fail(GR_ERR_DATA, "%s at byte %zu of the text is not in the vocabulary", what,
                        (size_t)(at - e->text));
    return gr__fail(GR_ERR_DATA, "%s of the text is not in the vocabulary", what);
}

static gr_status push_bytes(encoder *e, const char *word, size_t n)
{
    const int32_t *byte_id = e->tok->byte_id;
    GR_TRY(gr__grow(&e->ids.id, sizeof *e->ids.id, e->ids.n + n, &e->ids.capacity));
    for (size_t i = 0; i < n; i++) {
        unsigned byte = (unsigned char)word[i];
        int32_t id = byte_id[byte] >= 0 ? byte_id[byte] : e->tok->model_unk;
        if (GR__UNLIKELY(id < 0)) {
            char what[24] = "byte 0x";
            memcpy(what + 7, (char[]){"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15], 0}, 3);
            return unknown(e, word + i, what);
        }
        e->ids.id[e->ids.n++] = id;
    }
    return GR_OK;
}

static bool has_bytes(const gr_tokenizer *tok, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tok->byte_id[(unsigned char)text[i]] < 0) return false;
    return tok->byte_fallback;
}

/* Characters; what is not in the vocabulary as bytes, else as <unk> (a run of them as one where 'fuse_unk'). */
static gr_status push_characters(encoder *e, const char *word, size_t n)
{
    const gr_tokenizer *tok = e->tok;
    bool after_unknown = false;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code;
        bool good = gr__utf8_next(word + at, n - at, &code, &length) == GR__UTF8_GOOD;
        const uint64_t *id = good ? gr__pair_map_get(&tok->char_id, code) : NULL;
        bool is_unknown = false;
        if (id) {
            GR_TRY(gr__ids_push(&e->ids, (int32_t)*id));
        } else if (has_bytes(tok, word + at, length)) {
            GR_TRY(push_bytes(e, word + at, length));
        } else {
            if (!good || tok->model_unk < 0)
                return unknown(e, word + at, good ? "the character" : "a broken character");
            if (!(after_unknown && tok->fuse_unk)) GR_TRY(gr__ids_push(&e->ids, tok->model_unk));
            is_unknown = true;
        }
        after_unknown = is_unknown;
    }
    return GR_OK;
}

/* The id of a whole word where the model asks for that (Llama-3), else -1. */
static gr_status whole_word(encoder *e, const char *word, size_t n, int32_t *id)
{
    *id = -1;
    if (!e->tok->ignore_merges) return GR_OK;
    gr__str *name = &e->scratch->swap;
    gr__str_clear(name);
    if (e->tok->byte_level)
        gr__bytemap_add(name, word, n);
    else
        gr__str_add_n(name, word, n);
    GR_TRY(gr__str_check(name));
    int32_t found = gr__find_token(e->tok, gr__str_get(name), name->n);
    if (found >= 0 && e->tok->token[found].in_model) *id = found;
    return GR_OK;
}

static gr_status encode_word(encoder *e, const char *word, size_t n)
{
    const gr_tokenizer *tok = e->tok;
    int32_t whole;
    size_t first = e->ids.n;
    if (tok->inside) return gr__push_word_pieces(tok, word, n, &e->scratch->swap, &e->ids);
    GR_TRY(whole_word(e, word, n, &whole));
    if (whole >= 0) return gr__ids_push(&e->ids, whole);
    GR_TRY(tok->byte_level ? push_bytes(e, word, n) : push_characters(e, word, n));
    size_t count = e->ids.n - first;
    GR_TRY(gr__merge_word(&tok->merge_of, &e->scratch->room, e->ids.id + first, &count));
    e->ids.n = first + count;
    return GR_OK;
}

static gr_status add_word(encoder *e, const char *word, size_t n)
{
    gr__word_cache *cache = &e->scratch->cache;
    if (e->fn) return e->fn(e->user, word, n);
    if (n > GR__CACHED_WORD_BYTES || (e->tok->n_merge == 0 && !e->tok->inside)) return encode_word(e, word, n);
    uint64_t hash = gr__word_hash(cache, word, n);
    size_t n_ids, first = e->ids.n;
    const int32_t *known = gr__word_cache_get(cache, hash, word, n, &n_ids);
    if (!known) {
        GR_TRY(encode_word(e, word, n));
        gr__word_cache_put(cache, hash, word, n, e->ids.id + first, e->ids.n - first);
        return GR_OK;
    }
    GR_TRY(gr__grow(&e->ids.id, sizeof *e->ids.id, first + n_ids, &e->ids.capacity));
    for (size_t i = 0; i < n_ids; i++) e->ids.id[first + i] = known[i];
    e->ids.n += n_ids;
    return GR_OK;
}

/* A text that no step cuts: cut before marks where no merge can cross them, so that words come out of the cache. */
static gr_status add_text(encoder *e, const char *text, size_t n)
{
    size_t start = 0;
    if (e->tok->cut_at_mark && !e->tok->ignore_merges && n > 3)
        for (size_t at = 3; at + 3 <= n; at++) {
            const char *hit = memmem(text + at, n - at, MARK, 3);
            if (!hit) break;
            at = (size_t)(hit - text);
            if (at < start + 3 || memcmp(hit - 3, MARK, 3) == 0) continue;
            GR_TRY(add_word(e, text + start, at - start));
            start = at;
        }
    return start < n ? add_word(e, text + start, n - start) : GR_OK;
}

/* ---- split steps ---- */

static gr_status split(encoder *e, int step, const char *text, size_t n, bool at_start);

static gr_status split_matches(encoder *e, int step, const char *text, size_t n, bool at_start)
{
    const gr__pattern *pattern = e->tok->split.step[step].pattern;
    for (size_t at = 0, start, end; at < n; at = end) {
        GR_TRY(gr__pattern_next(pattern, e->scratch->matcher, text, n, at, &start, &end));
        if (start > at) GR_TRY(split(e, step + 1, text + at, start - at, at_start && at == 0));
        if (end > start) GR_TRY(split(e, step + 1, text + start, end - start, at_start && start == 0));
    }
    return GR_OK;
}

static gr_status split_at_text(encoder *e, int step, const char *text, size_t n, bool at_start)
{
    const char *mark = e->tok->split.step[step].a;
    size_t n_mark = strlen(mark);
    for (size_t at = 0, stop; at < n; at = stop) {
        const char *hit = memmem(text + at, n - at, mark, n_mark);
        stop = hit ? (size_t)(hit - text) : n;
        if (stop > at) GR_TRY(split(e, step + 1, text + at, stop - at, at_start && at == 0));
        if (!hit) break;
        GR_TRY(split(e, step + 1, hit, n_mark, at_start && stop == 0));
        stop += n_mark;
    }
    return GR_OK;
}

static gr_status split_metaspace(encoder *e, int step, const char *text, size_t n, bool at_start)
{
    const gr__step *s = &e->tok->split.step[step];
    gr__str *changed = &e->scratch->changed[step];
    size_t n_mark = strlen(s->a);
    bool has_mark = text[0] == ' ' || (n >= n_mark && memcmp(text, s->a, n_mark) == 0);
    gr__str_clear(changed);
    if (!has_mark && (s->scheme == GR__PREPEND_ALWAYS || (s->scheme == GR__PREPEND_FIRST && at_start)))
        gr__str_add(changed, s->a);
    gr__replace_all(changed, text, n, " ", s->a);
    GR_TRY(gr__str_check(changed));
    if (!s->flag) return split(e, step + 1, changed->text, changed->n, at_start);
    for (size_t at = 0, stop; at < changed->n; at = stop) { /* every mark starts a piece */
        size_t from = at + (changed->n - at >= n_mark && memcmp(changed->text + at, s->a, n_mark) == 0 ? n_mark : 1);
        const char *hit = from < changed->n ? memmem(changed->text + from, changed->n - from, s->a, n_mark) : NULL;
        stop = hit ? (size_t)(hit - changed->text) : changed->n;
        GR_TRY(split(e, step + 1, changed->text + at, stop - at, at_start && at == 0));
    }
    return GR_OK;
}

static gr_status split_bert(encoder *e, int step, const char *text, size_t n, bool at_start)
{
    size_t from = 0, length;
    uint32_t code;
    for (size_t at = 0; at < n; at += length) {
        bool good = gr__utf8_next(text + at, n - at, &code, &length) == GR__UTF8_GOOD;
        bool blank = good && gr__utf8_is_space(code), sign = good && gr__is_punctuation(code);
        if (!blank && !sign) continue;
        if (at > from) GR_TRY(split(e, step + 1, text + from, at - from, at_start && from == 0));
        if (sign) GR_TRY(split(e, step + 1, text + at, length, at_start && at == 0));
        from = at + length;
    }
    return from < n ? split(e, step + 1, text + from, n - from, at_start && from == 0) : GR_OK;
}

static gr_status split(encoder *e, int step, const char *text, size_t n, bool at_start)
{
    if (step == e->tok->split.n) return step == 0 ? add_text(e, text, n) : add_word(e, text, n);
    const gr__step *s = &e->tok->split.step[step];
    switch (s->kind) {
    case GR__SPLIT_REGEX:
    case GR__SPLIT_DIGITS: return split_matches(e, step, text, n, at_start);
    case GR__SPLIT_TEXT: return split_at_text(e, step, text, n, at_start);
    case GR__SPLIT_METASPACE: return split_metaspace(e, step, text, n, at_start);
    case GR__SPLIT_BERT: return split_bert(e, step, text, n, at_start);
    case GR__SPLIT_BYTE_LEVEL:
        if (s->prefix && text[0] != ' ') {
            gr__str *changed = &e->scratch->changed[step];
            gr__str_clear(changed);
            gr__str_add_char(changed, ' ');
            gr__str_add_n(changed, text, n);
            GR_TRY(gr__str_check(changed));
            text = changed->text;
            n = changed->n;
        }
        return s->flag ? split_matches(e, step, text, n, at_start) : split(e, step + 1, text, n, at_start);
    default: return gr__fail(GR_ERR_INTERNAL, "step %d does not split", (int)s->kind);
    }
}

/* ---- added tokens ---- */

typedef gr_status (*stretch_fn)(encoder *e, const char *text, size_t n, bool at_start);

static size_t spaces_before(const char *text, size_t from, size_t to)
{
    while (to > from) {
        size_t at = to - 1, length;
        uint32_t code;
        while (at > from && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
        if (gr__utf8_next(text + at, to - at, &code, &length) != GR__UTF8_GOOD || at + length != to ||
            !gr__utf8_is_space(code))
            break;
        to = at;
    }
    return to;
}

static size_t spaces_behind(const char *text, size_t n, size_t from)
{
    uint32_t code;
    size_t length;
    while (from < n && gr__utf8_next(text + from, n - from, &code, &length) == GR__UTF8_GOOD && gr__utf8_is_space(code))
        from += length;
    return from;
}

/* Cuts at the tokens of one tree and hands what lies between to 'fn'. A special token that stays plain text hides
 * others inside it, as in Hugging Face tokenizers. */
static gr_status cut(encoder *e, const gr__trie *trie, const char *text, size_t n, bool at_start, stretch_fn fn)
{
    size_t done = 0, from = 0, start, end;
    uint32_t index;
    while (gr__trie_find(trie, text, n, from, &start, &end, &index)) {
        const gr__added *added = &e->tok->added[index];
        from = end;
        if (added->special && !(e->flags & GR_ENCODE_SPECIAL)) continue;
        if (added->lstrip) start = spaces_before(text, done, start);
        if (added->rstrip) end = from = spaces_behind(text, n, end);
        if (start > done) GR_TRY(fn(e, text + done, start - done, at_start && done == 0));
        GR_TRY(gr__ids_push(&e->ids, added->id));
        done = end;
    }
    return done < n ? fn(e, text + done, n - done, at_start && done == 0) : GR_OK;
}

static gr_status split_stretch(encoder *e, const char *text, size_t n, bool at_start)
{
    return split(e, 0, text, n, at_start);
}

static gr_status normalize_stretch(encoder *e, const char *text, size_t n, bool at_start)
{
    if (e->tok->normalize.n > 0) {
        gr__str *normal = &e->scratch->normal;
        GR_TRY(gr__normalize(e->tok, text, n, normal, &e->scratch->swap));
        text = gr__str_get(normal);
        n = normal->n;
        if (n == 0) return GR_OK;
    }
    return cut(e, &e->tok->normalized, text, n, at_start, split_stretch);
}

/* ---- the whole ---- */

static gr_status encode_all(encoder *e)
{
    const gr_tokenizer *tok = e->tok;
    const unsigned flags = e->flags;
    GR_TRY(gr__grow(&e->ids.id, sizeof *e->ids.id, e->n / 4 + 16, &e->ids.capacity));
    if (flags & GR_ENCODE_BOS && tok->special.bos >= 0) GR_TRY(gr__ids_push(&e->ids, tok->special.bos));
    for (size_t i = 0; i < tok->n_before && flags & GR_ENCODE_TEMPLATE; i++)
        GR_TRY(gr__ids_push(&e->ids, tok->before[i]));
    GR_TRY(cut(e, &tok->raw, e->text, e->n, true, normalize_stretch));
    for (size_t i = 0; i < tok->n_after && flags & GR_ENCODE_TEMPLATE; i++)
        GR_TRY(gr__ids_push(&e->ids, tok->after[i]));
    if (flags & GR_ENCODE_EOS && tok->special.eos >= 0) GR_TRY(gr__ids_push(&e->ids, tok->special.eos));
    return GR_OK;
}

/* With the scratch of the tokenizer. After a failure e->ids is gone. */
static gr_status run(gr_tokenizer *tok, encoder *e)
{
    GR_TRY(take_scratch(tok, &e->scratch));
    gr_status status = encode_all(e);
    if (status == GR_OK) {
        give_scratch(tok, e->scratch);
        return GR_OK;
    }
    gr__scratch_free(&e->scratch); /* a string that ran out of memory stays failed: begin with fresh memory next time */
    gr__free(e->ids.id);
    return status;
}

gr_status gr__each_word(gr_tokenizer *tok, const char *text, size_t n, gr__word_fn *fn, void *user)
{
    encoder e = {.tok = tok, .text = text, .n = n, .fn = fn, .user = user};
    size_t bad;
    GR_FAIL_IF(!gr__utf8_valid(text, n, &bad), GR_ERR_DATA, "the text is not UTF-8 at byte %zu", bad);
    GR_TRY(run(tok, &e));
    gr__free(e.ids.id);
    return GR_OK;
}

gr_status gr_tokenizer_encode(const gr_tokenizer *tok, const char *text, size_t n, unsigned flags, int32_t **ids,
                              size_t *n_ids)
{
    GR_FAIL_IF(!tok || (!text && n > 0) || !ids || !n_ids, GR_ERR_ARGUMENT,
               "gr_tokenizer_encode needs a tokenizer, a text "
               "and room for the result");
    size_t bad;
    GR_FAIL_IF(!tok->byte_level && !tok->byte_fallback && !gr__utf8_valid(text, n, &bad), GR_ERR_DATA,
               "the text is not UTF-8 at byte %zu, and a '%s' tokenizer has no tokens for bytes", bad,
               gr_tokenizer_type_name(tok->type));
    /* The spare scratch is the one thing in a tokenizer that changes; it is taken and given by atomic exchange. */
    gr_tokenizer *shared = (gr_tokenizer *)tok;
    encoder e = {.tok = tok, .text = text ? text : "", .n = n, .flags = flags};
    GR_TRY(run(shared, &e));
    *ids = e.ids.id;
    *n_ids = e.ids.n;
    return GR_OK;
}
