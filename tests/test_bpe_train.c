/* Learning merges: exactly those of a published reference, and by the definition on random texts. */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "gradus/text.h"
#include "tests/test.h"
#include "text/tokenizer_int.h"

#include <string.h>

static char *read_all(const char *path, size_t *n)
{
    char *text;
    assert_ok(gr__file_read(path, (size_t)64 << 20, &text, n));
    return text;
}

static gr_tokenizer *train_file(const char *relative, int64_t vocab_size)
{
    const char *path = test_data(relative);
    if (!path) skip();
    gr_text_source source;
    char *text = read_all(path, &source.n);
    source.text = text;
    gr_tokenizer *tok;
    assert_ok(
        gr_tokenizer_train(GR_TOKENIZER_BPE, &(gr_tokenizer_options){.vocab_size = vocab_size}, &source, 1, &tok));
    gr__free(text);
    return tok;
}

static void the_reference_is_reproduced(void **state)
{
    (void)state;
    gr_tokenizer *tok = train_file("tokenizers/bpe_training/corpus.en", 500);
    size_t n, rank = 0;
    char *lines = read_all(test_data("tokenizers/bpe_training/train-bpe-reference-merges.txt"), &n);
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"), rank++) {
        char mine[256];
        assert_true(rank < tok->n_merge);
        snprintf(mine, sizeof mine, "%s %s", tok->token[tok->merge[rank].a].piece,
                 tok->token[tok->merge[rank].b].piece);
        assert_string_equal(mine, line);
    }
    assert_int_equal(rank, 243);
    assert_int_equal(tok->n_merge, 243);
    gr__json_doc *doc;
    assert_ok(gr__json_read(test_data("tokenizers/bpe_training/train-bpe-reference-vocab.json"), 1 << 20, &doc));
    gr__json vocab = gr__json_root(doc);
    assert_int_equal(gr__json_count(vocab), 500);
    for (void *it = gr__json_first(vocab); it; it = gr__json_next(vocab, it)) {
        int64_t id;
        assert_true(gr__json_int(gr__json_value(it), &id));
        assert_int_equal(gr_tokenizer_id(tok, gr__json_key(it)), id);
    }
    assert_int_equal(gr_tokenizer_vocab_size(tok), 500);
    gr__json_free(&doc);
    gr__free(lines);
    gr_tokenizer_close(&tok);
}

static void shakespeare_takes_less_than_two_seconds(void **state)
{
    (void)state;
    double start = gr__now();
    gr_tokenizer *tok = train_file("text/tinyshakespeare.txt", 8192);
    double seconds = gr__now() - start;
    printf("8,192 tokens in %.3f s\n", seconds);
    assert_int_equal(gr_tokenizer_vocab_size(tok), 8192);
#if !defined(__SANITIZE_ADDRESS__)
    assert_true(seconds < 2);
#endif
    gr_tokenizer_close(&tok);
}

/* ---- the definition, on words of letters with one space between them ---- */

#define MOST_WORDS 200
#define MOST_LETTERS 12

typedef struct slow_word {
    char part[MOST_LETTERS][MOST_LETTERS + 1];
    int n;
} slow_word;

static int count_pair(const slow_word *w, int n, const char *a, const char *b)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k + 1 < w[i].n; k++) count += strcmp(w[i].part[k], a) == 0 && strcmp(w[i].part[k + 1], b) == 0;
    return count;
}

/* Greatest count, then the greater first part, then the greater second part. */
static int best_pair(const slow_word *w, int n, char a[MOST_LETTERS + 1], char b[MOST_LETTERS + 1])
{
    int best = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k + 1 < w[i].n; k++) {
            const char *x = w[i].part[k], *y = w[i].part[k + 1];
            int count = count_pair(w, n, x, y), order = best ? strcmp(x, a) : 1;
            if (!order) order = strcmp(y, b);
            if (count < best || (count == best && order <= 0)) continue;
            best = count;
            memcpy(a, x, MOST_LETTERS + 1);
            memcpy(b, y, MOST_LETTERS + 1);
        }
    return best;
}

static void join_slowly(slow_word *w, int n, const char *a, const char *b)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k + 1 < w[i].n; k++) {
            if (strcmp(w[i].part[k], a) != 0 || strcmp(w[i].part[k + 1], b) != 0) continue;
            strcat(w[i].part[k], w[i].part[k + 1]);
            memmove(w[i].part[k + 1], w[i].part[k + 2], (size_t)(w[i].n - k - 2) * sizeof w[i].part[0]);
            w[i].n--;
        }
}

static void merges_follow_the_definition(void **state)
{
    (void)state;
    gr__rng r = gr__rng_make(17, 4);
    static slow_word words[MOST_WORDS];
    for (int round = 0; round < 30; round++) {
        gr__str text = {0};
        int n = 20 + (int)gr__rng_below(&r, MOST_WORDS - 20), letters = 2 + round % 3;
        for (int i = 0; i < n; i++) {
            words[i].n = 1 + (int)gr__rng_below(&r, MOST_LETTERS - 1);
            for (int k = 0; k < words[i].n; k++) {
                snprintf(words[i].part[k], 2, "%c", (int)('a' + gr__rng_below(&r, (uint64_t)letters)));
                gr__str_add(&text, words[i].part[k]);
            }
            gr__str_add(&text, "\n"); /* a newline is a word of its own: "\s+" */
        }
        gr_text_source source = {text.text, text.n};
        gr_tokenizer *tok;
        assert_ok(gr_tokenizer_train(GR_TOKENIZER_BPE, &(gr_tokenizer_options){.vocab_size = 330}, &source, 1, &tok));
        for (size_t rank = 0; rank < tok->n_merge; rank++) {
            char a[MOST_LETTERS + 1], b[MOST_LETTERS + 1];
            int count = best_pair(words, n, a, b);
            assert_true(count >= 2);
            assert_string_equal(tok->token[tok->merge[rank].a].piece, a);
            assert_string_equal(tok->token[tok->merge[rank].b].piece, b);
            join_slowly(words, n, a, b);
        }
        char a[MOST_LETTERS + 1], b[MOST_LETTERS + 1];
        if (tok->n_token < 330) assert_true(best_pair(words, n, a, b) < 2);
        gr__str_release(&text);
        gr_tokenizer_close(&tok);
    }
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    gr_tokenizer *tok = NULL;
    gr_text_source source = {"text", 4};
    const char *const twice[] = {"<x>", "<x>"}, *const empty[] = {""};
    const gr_tokenizer_options wrong[] = {{.vocab_size = 256},
                                          {.vocab_size = -1},
                                          {.vocab_size = 1 << 21},
                                          {.least_count = -2},
                                          {.pattern = "gpt9"},
                                          {.special = twice, .n_special = 2},
                                          {.special = empty, .n_special = 1},
                                          {.n_special = 1}};
    for (size_t i = 0; i < GR__COUNT(wrong); i++)
        assert_fails(gr_tokenizer_train(GR_TOKENIZER_BPE, &wrong[i], &source, 1, &tok), GR_ERR_ARGUMENT, NULL);
    assert_fails(gr_tokenizer_train(GR_TOKENIZER_LLAMA, NULL, &source, 1, &tok), GR_ERR_UNSUPPORTED, "'llama'");
    assert_fails(gr_tokenizer_train(GR_TOKENIZER_CHAR, NULL, NULL, 0, &tok), GR_ERR_DATA, "no characters");
    assert_null(tok);
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_BPE, NULL, NULL, 0, &tok)); /* bytes alone */
    assert_int_equal(gr_tokenizer_vocab_size(tok), 257);
    gr_tokenizer_close(&tok);
}

/* "<|endoftext|>" in the text and a new source both end a word; a long run of one letter is one word. */
static void documents_do_not_touch(void **state)
{
    (void)state;
    gr_tokenizer *one, *two;
    gr_text_source joined[] = {{"ab<|endoftext|>ab<|endoftext|>ba", 32}}, apart[] = {{"ab", 2}, {"ab", 2}, {"ba", 2}};
    uint64_t x, y;
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_BPE, NULL, joined, 1, &one));
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_BPE, NULL, apart, 3, &two));
    assert_int_equal(one->n_merge, 1);
    assert_ok(gr_tokenizer_fingerprint(one, &x));
    assert_ok(gr_tokenizer_fingerprint(two, &y));
    assert_int_equal(x, y);
    gr_tokenizer_close(&one);
    gr_tokenizer_close(&two);
    static char run[3000000];
    memset(run, 'a', sizeof run);
    gr_text_source long_run = {run, sizeof run};
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_BPE, NULL, &long_run, 1, &one));
    assert_true(one->n_merge > 15);
    gr_tokenizer_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_is_reproduced),  cmocka_unit_test(shakespeare_takes_less_than_two_seconds),
        cmocka_unit_test(merges_follow_the_definition), cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(documents_do_not_touch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
