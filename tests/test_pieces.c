/* Long texts in pieces: wherever a text may be cut, and however it is encoded, its ids are those of the whole. */
#include "base/file.h"
#include "base/rng.h"
#include "tests/test.h"
#include "text/pieces.h"

#include <stdlib.h>
#include <string.h>

static const char *const scrap[] = {"a",
                                    "Word",
                                    "the",
                                    "\xC3\xA9t\xC3\xA9",
                                    "e\xCC\x81",
                                    "\xCC\x81",
                                    "'s",
                                    "'S",
                                    "'",
                                    " ",
                                    " ",
                                    "  ",
                                    "\n",
                                    "\n",
                                    "\r\n",
                                    "\n\n",
                                    "\t",
                                    "\v",
                                    "\r",
                                    "7",
                                    "2026",
                                    ".",
                                    ", ",
                                    "!?",
                                    "\xE4\xB8\xAD\xE6\x96\x87",
                                    "\xE3\x80\x82",
                                    "\xE3\x80\x80",
                                    "\xC2\xA0",
                                    "\xC2\x85",
                                    "\xE2\x80\xA8",
                                    "\xE2\x80\x83",
                                    "\xC2\xA8",
                                    "\xF0\x9F\x98\x80",
                                    "\xE2\x80\x8D",
                                    "\xE2\x96\x81",
                                    "<|endoftext|>",
                                    "#",
                                    "_"};

static size_t random_text(gr__rng *r, size_t parts, bool broken, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < parts; i++) {
        if (broken && gr__rng_below(r, 30) == 0) {
            out[n++] = (char)(0x80 + gr__rng_below(r, 128));
            continue;
        }
        const char *s = scrap[gr__rng_below(r, GR__COUNT(scrap))];
        memcpy(out + n, s, strlen(s));
        n += strlen(s);
    }
    return n;
}

typedef struct list {
    int32_t *id;
    size_t n, capacity;
} list;

static gr_status append(void *user, const int32_t *id, size_t n)
{
    list *l = user;
    GR_TRY(gr__grow(&l->id, sizeof *l->id, l->n + n, &l->capacity));
    if (n) memcpy(l->id + l->n, id, n * sizeof *id);
    l->n += n;
    return GR_OK;
}

static void encode(const gr_tokenizer *tok, const char *text, size_t n, list *l)
{
    int32_t *ids;
    size_t n_ids;
    assert_ok(gr_tokenizer_encode(tok, text, n, 0, &ids, &n_ids));
    assert_ok(append(l, ids, n_ids));
    gr_text_free(ids);
}

static void assert_same(const char *name, const list *a, const list *b, const char *text, size_t n)
{
    if (a->n != b->n || (a->n && memcmp(a->id, b->id, a->n * sizeof *a->id) != 0))
        fail_msg("%s: %zu and %zu ids of '%.*s'", name, a->n, b->n, (int)GR__MIN(n, 300), text);
}

/* Returns how many cuts there were. */
static size_t cut_everywhere(const char *name, const gr_tokenizer *tok, bool broken)
{
    enum { TEXTS = 400, PARTS = 40 };
    static char text[PARTS * 16];
    gr__rng r = gr__rng_make(5, 0);
    size_t cuts = 0;
    for (int i = 0; i < TEXTS; i++) {
        size_t n = random_text(&r, PARTS, broken, text);
        list whole = {0};
        encode(tok, text, n, &whole);
        for (size_t at = 0; (at = gr__text_cut(tok, text, n, at + 1)) < n; cuts++) {
            list both = {0};
            encode(tok, text, at, &both);
            encode(tok, text + at, n - at, &both);
            assert_same(name, &whole, &both, text, n);
            gr__free(both.id);
        }
        gr__free(whole.id);
    }
    return cuts;
}

/* A text of several rounds of pieces. */
static void in_pieces(const char *name, const gr_tokenizer *tok)
{
    enum { PARTS = 1 << 20 };
    char *text = malloc((size_t)PARTS * 16);
    gr__rng r = gr__rng_make(6, 0);
    size_t n = random_text(&r, PARTS, false, text);
    list whole = {0}, pieces = {0};
    encode(tok, text, n, &whole);
    assert_ok(gr__encode_documents(tok, &(gr_text_source){text, n}, 1, append, &pieces));
    assert_same(name, &whole, &pieces, text, n);
    free(text);
    gr__free(whole.id);
    gr__free(pieces.id);
}

static void try_one(const char *name, gr_tokenizer *tok, bool broken, bool cuts)
{
    size_t n = cut_everywhere(name, tok, broken);
    if (cuts != (n > 0)) fail_msg("%s: %zu places to cut", name, n);
    in_pieces(name, tok);
    gr_tokenizer_close(&tok);
}

static gr_tokenizer *train(gr_tokenizer_type type, const char *pattern)
{
    gr_tokenizer *tok = NULL;
    enum { PARTS = 4000 };
    char *text = malloc((size_t)PARTS * 16);
    gr__rng r = gr__rng_make(7, 0);
    gr_text_source source = {text, random_text(&r, PARTS, false, text)};
    assert_ok(
        gr_tokenizer_train(type, &(gr_tokenizer_options){.vocab_size = 600, .pattern = pattern}, &source, 1, &tok));
    free(text);
    return tok;
}

static void trained_ones(void **state)
{
    (void)state;
    try_one("byte", train(GR_TOKENIZER_BYTE, NULL), true, true);
    try_one("char", train(GR_TOKENIZER_CHAR, NULL), false, true);
    try_one("gpt2", train(GR_TOKENIZER_BPE, "gpt2"), true, true);
    try_one("llama3", train(GR_TOKENIZER_BPE, "llama3"), true, true);
    try_one("qwen2", train(GR_TOKENIZER_BPE, "qwen2"), true, true);
    try_one("words", train(GR_TOKENIZER_WORD_PIECE, NULL), false, true);
}

static void real_ones(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool broken, cuts;
    } t[] = {{"tokenizers/gpt2", true, true}, {"tokenizers/hf/roberta-base/tokenizer.json", true, true}};
    int n = 0;
    for (size_t i = 0; i < GR__COUNT(t); i++) {
        gr_tokenizer *tok = NULL;
        const char *path = test_data(t[i].path);
        if (!path || !gr__file_exists(path)) continue;
        assert_ok(gr_tokenizer_open(path, &tok));
        try_one(t[i].path, tok, t[i].broken, t[i].cuts);
        n++;
    }
    if (!n) skip();
}

/* Counted from the start of the text, not of a piece. */
static void says_where_it_fails(void **state)
{
    (void)state;
    gr_tokenizer *tok = NULL;
    enum { N = 2000000, BAD = 1700000 };
    char *text = malloc(N), place[64];
    for (size_t i = 0; i < N; i++) text[i] = "ab \n"[i % 4];
    gr_text_source source = {text, N};
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_CHAR, &(gr_tokenizer_options){.no_unknown = true}, &source, 1, &tok));
    text[BAD] = 'c';
    list l = {0};
    snprintf(place, sizeof place, "at byte %d of the text", BAD);
    assert_fails(gr__encode_documents(tok, &source, 1, append, &l), GR_ERR_DATA, place);
    gr__free(l.id);
    gr_tokenizer_close(&tok);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trained_ones), cmocka_unit_test(real_ones),
                                       cmocka_unit_test(says_where_it_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
