/* SentencePiece-like tokenizers: llama2.c's tok512.bin against its own rule (join the pair with the best score) and
 * against a text that llama2.c's model wrote. */
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "gradus/text.h"
#include "tests/test.h"

#include <string.h>

static gr_tokenizer *open_tok512(void)
{
    const char *path = test_data("models/stories260K/tok512.bin");
    gr_tokenizer *tok = NULL;
    if (!path) skip();
    assert_ok(gr_tokenizer_open(path, &tok));
    return tok;
}

static void the_greedy_story_is_decoded(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_tok512();
    gr__json_doc *doc;
    assert_ok(gr__json_read(test_data("models/stories260K/expected_greedy.json"), 1 << 20, &doc));
    gr__json list = gr__json_get(gr__json_root(doc), "greedy_token_ids");
    const char *wanted;
    size_t n_wanted, n = gr__json_count(list), n_text, n_ids;
    int32_t ids[512], *back;
    char *text;
    uint64_t size;
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "expected_text"), &wanted, &n_wanted));
    assert_in_range(n, 1, 512);
    for (size_t i = 0; i < n; i++) {
        int64_t id = -1;
        assert_true(gr__json_int(gr__json_at(list, i), &id));
        ids[i] = (int32_t)id;
    }
    assert_ok(gr_tokenizer_decode(tok, ids, n, 0, &text, &n_text));
    assert_string_equal(text, wanted);
    assert_ok(gr_tokenizer_text_size(tok, ids, n, 0, &size));
    assert_int_equal(size, n_wanted);
    /* In pieces, and going on in the middle, where the space counts. */
    gr_decoder *decoder;
    gr__str pieces = {0};
    assert_ok(gr_decoder_open(tok, 0, &decoder));
    for (size_t i = 0; i <= n; i++) {
        const char *piece;
        size_t n_piece;
        assert_ok(i < n ? gr_decoder_push(decoder, ids[i], &piece, &n_piece)
                        : gr_decoder_end(decoder, &piece, &n_piece));
        gr__str_add_n(&pieces, piece, n_piece);
    }
    assert_string_equal(gr__str_get(&pieces), wanted);
    gr_text_free(text);
    assert_ok(gr_tokenizer_decode(tok, ids + 1, 1, GR_DECODE_CONTINUE, &text, &n_text));
    assert_string_equal(text, " Once");
    gr_text_free(text);
    /* The model's ids are those of its text. */
    assert_ok(gr_tokenizer_encode(tok, wanted, n_wanted, GR_ENCODE_TEMPLATE, &back, &n_ids));
    assert_int_equal(n_ids, n);
    assert_memory_equal(back, ids, n * sizeof *ids);
    gr_text_free(back);
    gr_decoder_close(&decoder);
    gr__str_release(&pieces);
    gr__json_free(&doc);
    gr_tokenizer_close(&tok);
}

/* ---- the rule of llama2.c, straight from the file ---- */

typedef struct piece {
    float score;
    int n;
    char text[16];
} piece;

static piece pieces[512];

static void read_pieces(void)
{
    size_t n, at = 4;
    char *data;
    assert_ok(gr__file_read(test_data("models/stories260K/tok512.bin"), 1 << 20, &data, &n));
    for (int id = 0; id < 512; id++) {
        memcpy(&pieces[id].score, data + at, 4);
        memcpy(&pieces[id].n, data + at + 4, 4);
        assert_true(pieces[id].n < 16);
        memcpy(pieces[id].text, data + at + 8, (size_t)pieces[id].n);
        at += 8 + (size_t)pieces[id].n;
    }
    assert_int_equal(at, n);
    gr__free(data);
}

static int find_piece(const char *text, int n)
{
    for (int id = 0; id < 512; id++)
        if (pieces[id].n == n && memcmp(pieces[id].text, text, (size_t)n) == 0) return id;
    return -1;
}

static size_t encode_by_score(const char *text, size_t n, int32_t *id)
{
    size_t count = 0;
    if (n > 0) id[count++] = find_piece(" ", 1);
    for (size_t at = 0; at < n;) {
        size_t size = 1;
        while (at + size < n && size < 4 && ((unsigned char)text[at + size] & 0xC0) == 0x80) size++;
        int found = find_piece(text + at, (int)size);
        if (found >= 0) id[count++] = found;
        for (size_t i = 0; found < 0 && i < size; i++) id[count++] = (unsigned char)text[at + i] + 3;
        at += size;
    }
    for (;;) {
        float best = -1e10f;
        int best_id = -1;
        size_t where = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            char both[40];
            const piece *a = &pieces[id[i]], *b = &pieces[id[i + 1]];
            memcpy(both, a->text, (size_t)a->n);
            memcpy(both + a->n, b->text, (size_t)b->n);
            int found = find_piece(both, a->n + b->n);
            if (found < 0 || pieces[found].score <= best) continue;
            best = pieces[found].score, best_id = found, where = i;
        }
        if (best_id < 0) return count;
        id[where] = best_id;
        memmove(id + where + 1, id + where + 2, (--count - where - 1) * sizeof *id);
    }
}

static void assert_as_llama2c(const gr_tokenizer *tok, const char *text, size_t n)
{
    int32_t wanted[512], *ids;
    size_t n_ids, n_wanted = encode_by_score(text, n, wanted), n_back;
    char *back;
    assert_ok(gr_tokenizer_encode(tok, text, n, 0, &ids, &n_ids));
    if (n_ids != n_wanted || memcmp(ids, wanted, n_ids * sizeof *ids) != 0)
        fail_msg("other ids for '%.*s'", (int)n, text);
    assert_ok(gr_tokenizer_decode(tok, ids, n_ids, GR_DECODE_BYTES, &back, &n_back));
    assert_int_equal(n_back, n);
    assert_memory_equal(back, text, n);
    gr_text_free(ids);
    gr_text_free(back);
}

static void merges_join_what_scores_join(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_tok512();
    read_pieces();
    gr__rng r = gr__rng_make(23, 2);
    for (int round = 0; round < 3000; round++) { /* texts made of pieces, and of single letters */
        char text[400];
        size_t n = 0, parts = (size_t)gr__rng_below(&r, 12);
        for (size_t i = 0; i < parts; i++) {
            const piece *p = &pieces[259 + gr__rng_below(&r, 253)];
            memcpy(text + n, p->text, (size_t)p->n);
            n += (size_t)p->n;
            if (gr__rng_below(&r, 8) == 0) text[n++] = (char)gr__rng_below(&r, 128); /* it groups broken bytes oddly */
        }
        assert_as_llama2c(tok, text, n);
    }
    size_t n_book;
    char *book;
    assert_ok(gr__file_read(test_data("text/botchan_en.txt"), 1 << 20, &book, &n_book));
    for (size_t at = 0; at + 300 < n_book; at += 1001) assert_as_llama2c(tok, book + at, 200 + at % 100);
    gr__free(book);
    gr_tokenizer_close(&tok);
}

static void a_book_comes_back(void **state)
{
    (void)state;
    static const char *const books[] = {"text/hongloumeng_zh.txt", "text/tinyshakespeare.txt"};
    gr_tokenizer *tok = open_tok512();
    assert_int_equal(gr_tokenizer_special_ids(tok).bos, 1);
    assert_int_equal(gr_tokenizer_special_ids(tok).eos, 2);
    assert_int_equal(gr_tokenizer_special_ids(tok).unk, 0);
    assert_int_equal(gr_tokenizer_type_of(tok), GR_TOKENIZER_LLAMA);
    for (size_t i = 0; i < 2; i++) {
        size_t n, n_ids, n_back;
        char *text, *back;
        int32_t *ids;
        uint64_t size;
        assert_ok(gr__file_read(test_data(books[i]), (size_t)1 << 26, &text, &n));
        assert_ok(gr_tokenizer_encode(tok, text, n, GR_ENCODE_BOS, &ids, &n_ids));
        assert_int_equal(ids[0], 1);
        assert_ok(gr_tokenizer_decode(tok, ids, n_ids, 0, &back, &n_back));
        assert_ok(gr_tokenizer_text_size(tok, ids, n_ids, 0, &size));
        assert_int_equal(n_back, n);
        assert_int_equal(size, n);
        assert_memory_equal(text, back, n);
        gr__free(text);
        gr_text_free(back);
        gr_text_free(ids);
    }
    gr_tokenizer_close(&tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greedy_story_is_decoded),
        cmocka_unit_test(merges_join_what_scores_join),
        cmocka_unit_test(a_book_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
