/* Tokenizers of every kind: ids against published vectors, round trips, streams, saving, refusals, threads. */
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "gradus/text.h"
#include "tests/test.h"
#include "text/merge.h"
#include "text/utf8.h"

#include <pthread.h>
#include <string.h>

static char *read_all(const char *path, size_t *n)
{
    char *text;
    assert_ok(gr__file_read(path, (size_t)64 << 20, &text, n));
    return text;
}

static gr_tokenizer *open_or_skip(const char *relative)
{
    const char *path = test_data(relative);
    gr_tokenizer *tok = NULL;
    if (!path) skip();
    assert_ok(gr_tokenizer_open(path, &tok));
    return tok;
}

static gr_tokenizer *train(gr_tokenizer_type type, const gr_tokenizer_options *options, const char *text)
{
    gr_tokenizer *tok = NULL;
    gr_text_source source = {text, strlen(text)};
    assert_ok(gr_tokenizer_train(type, options, &source, 1, &tok));
    return tok;
}

static void assert_ids(const gr_tokenizer *tok, const char *text, size_t n, unsigned flags, const int32_t *wanted,
                       size_t n_wanted)
{
    int32_t *ids;
    size_t n_ids;
    assert_ok(gr_tokenizer_encode(tok, text, n, flags, &ids, &n_ids));
    bool same = n_ids == n_wanted && memcmp(ids, wanted, n_ids * sizeof *ids) == 0;
    if (!same)
        fail_msg("'%.*s': %zu ids, wanted %zu; first %d, wanted %d", (int)GR__MIN(n, 60), text, n_ids, n_wanted,
                 n_ids ? ids[0] : -1, n_wanted ? wanted[0] : -1);
    gr_text_free(ids);
}

#define IDS(tok, text, flags, ...)                                             \
    assert_ids(tok, text, strlen(text), flags, (const int32_t[]){__VA_ARGS__}, \
               sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* text -> ids -> the same bytes, and the exact size is known. */
static size_t round_trip(const gr_tokenizer *tok, const char *text, size_t n)
{
    int32_t *ids;
    size_t n_ids, n_back;
    char *back;
    uint64_t size;
    assert_ok(gr_tokenizer_encode(tok, text, n, 0, &ids, &n_ids));
    assert_ok(gr_tokenizer_decode(tok, ids, n_ids, GR_DECODE_BYTES | GR_DECODE_SPECIAL, &back, &n_back));
    assert_ok(gr_tokenizer_text_size(tok, ids, n_ids, GR_DECODE_SPECIAL, &size));
    assert_int_equal(n_back, n);
    assert_int_equal(size, n);
    assert_memory_equal(back, text, n);
    gr_text_free(ids);
    gr_text_free(back);
    return n_ids;
}

/* ---- GPT-2 against published ids ---- */

static void gpt2_gives_the_ids_of_llama_cpp(void **state)
{
    (void)state;
    static const char mark[] = "\n__ggml_vocab_test__\n";
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    size_t n_text, n_out, count = 0;
    char *text = read_all(test_data("tokenizers/ggml-vocab/gpt-2/ggml-vocab-gpt-2.gguf.inp"), &n_text);
    char *out = read_all(test_data("tokenizers/ggml-vocab/gpt-2/ggml-vocab-gpt-2.gguf.out"), &n_out);
    char *line = out;
    for (char *at = text, *stop; at < text + n_text; at = stop + sizeof mark - 1, count++) {
        int32_t wanted[256];
        size_t n_wanted = 0;
        stop = memmem(at, (size_t)(text + n_text - at), mark, sizeof mark - 1);
        if (!stop) break;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
            int64_t id = -1;
            assert_true(gr__parse_int(word, &id));
            wanted[n_wanted++] = (int32_t)id;
        }
        line = end + 1;
        assert_ids(tok, at, (size_t)(stop - at), 0, wanted, n_wanted);
        round_trip(tok, at, (size_t)(stop - at));
    }
    assert_int_equal(count, 46);
    gr__free(text);
    gr__free(out);
    gr_tokenizer_close(&tok);
}

static void gpt2_gives_the_vectors_of_gpt3_encoder(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    size_t n, count = 0;
    char *lines = read_all(test_data("tokenizers/gpt2/vectors.jsonl"), &n);
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"), count++) {
        gr__json_doc *doc;
        const char *text;
        size_t n_text;
        int32_t wanted[64];
        assert_ok(gr__json_parse(line, strlen(line), "vectors.jsonl", &doc));
        gr__json ids = gr__json_get(gr__json_root(doc), "ids");
        assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "text"), &text, &n_text));
        for (size_t i = 0; i < gr__json_count(ids); i++) {
            int64_t id = -1;
            assert_true(gr__json_int(gr__json_at(ids, i), &id));
            wanted[i] = (int32_t)id;
        }
        assert_ids(tok, text, n_text, 0, wanted, gr__json_count(ids));
        gr__json_free(&doc);
    }
    assert_int_equal(count, 7);
    assert_int_equal(gr_tokenizer_vocab_size(tok), 50257);
    assert_int_equal(gr_tokenizer_special_ids(tok).eos, 50256);
    assert_int_equal(gr_tokenizer_special_ids(tok).bos, 50256);
    assert_int_equal(gr_tokenizer_special_ids(tok).pad, -1);
    assert_string_equal(gr_tokenizer_type_name(gr_tokenizer_type_of(tok)), "bpe");
    gr__free(lines);
    gr_tokenizer_close(&tok);
}

static void special_tokens_are_text_unless_asked_for(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    IDS(tok, "a<|endoftext|>b", GR_ENCODE_SPECIAL, 64, 50256, 65);
    IDS(tok, "a<|endoftext|>b", 0, 64, 27, 91, 437, 1659, 5239, 91, 29, 65);
    IDS(tok, "a", GR_ENCODE_BOS | GR_ENCODE_EOS, 50256, 64, 50256);
    const int32_t ids[] = {64, 50256, 65};
    char *text;
    size_t n;
    assert_ok(gr_tokenizer_decode(tok, ids, 3, 0, &text, &n));
    assert_string_equal(text, "ab");
    gr_text_free(text);
    assert_ok(gr_tokenizer_decode(tok, ids, 3, GR_DECODE_SPECIAL, &text, &n));
    assert_string_equal(text, "a<|endoftext|>b");
    gr_text_free(text);
    gr_tokenizer_close(&tok);
}

static void the_longest_special_token_wins(void **state)
{
    (void)state;
    const char *const special[] = {"<a>", "<a><b>", "<b>"};
    gr_tokenizer_options options = {.special = special, .n_special = 3};
    gr_tokenizer *tok = train(GR_TOKENIZER_BYTE, &options, "");
    IDS(tok, "<a><b><b><a>x<", GR_ENCODE_SPECIAL, 258, 259, 257, 'x', '<');
    gr_tokenizer_close(&tok);
}

/* ---- round trips ---- */

static void every_byte_comes_back(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    gr__rng r = gr__rng_make(3, 1);
    static char noise[200000];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)gr__rng_u32(&r);
    round_trip(tok, noise, sizeof noise);
    for (size_t i = 0; i < sizeof noise; i++) /* broken characters among whole ones */
        noise[i] = gr__rng_below(&r, 9) ? "a \xE4\xBD\xA0\xC3\xA9 "[i % 8] : (char)gr__rng_u32(&r);
    round_trip(tok, noise, sizeof noise);
    for (size_t n = 0; n < 300; n++) round_trip(tok, noise + n * 7, n);
    gr_tokenizer *byte = train(GR_TOKENIZER_BYTE, NULL, "");
    assert_int_equal(round_trip(byte, noise, sizeof noise), sizeof noise);
    assert_int_equal(gr_tokenizer_vocab_size(byte), 257);
    assert_int_equal(gr_tokenizer_special_ids(byte).eos, 256);
    IDS(byte, "A\n\xFF", 0, 65, 10, 255);
    gr_tokenizer_close(&byte);
    gr_tokenizer_close(&tok);
}

static void books_come_back(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    static const char *const books[] = {"text/botchan_en.txt", "text/hongloumeng_zh.txt", "text/tinyshakespeare.txt"};
    for (size_t i = 0; i < GR__COUNT(books); i++) {
        size_t n;
        char *text = read_all(test_data(books[i]), &n);
        size_t n_ids = round_trip(tok, text, n);
        if (i == 2)
            assert_int_equal(
                n_ids, 338025); /* as tiktoken has it, see nanoGPT's data/shakespeare/readme.md: 301,966 + 36,059 */
        gr__free(text);
    }
    gr_tokenizer_close(&tok);
}

/* ---- characters ---- */

static void shakespeare_has_65_characters(void **state)
{
    (void)state;
    const char *path = test_data("text/tinyshakespeare.txt");
    if (!path) skip();
    size_t n;
    char *text = read_all(path, &n);
    gr_text_source source = {text, n};
    gr_tokenizer *tok;
    gr_tokenizer_options bare = {.no_unknown = true, .no_end_of_text = true};
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_CHAR, &bare, &source, 1, &tok));
    assert_int_equal(gr_tokenizer_vocab_size(tok), 65);
    assert_int_equal(round_trip(tok, text, n), n);
    IDS(tok, "hii there", 0, 46, 47, 47, 1, 58, 46, 43, 56, 43); /* nanoGPT */
    int32_t *ids;
    size_t n_ids;
    assert_fails(gr_tokenizer_encode(tok, "abc#", 4, 0, &ids, &n_ids), GR_ERR_DATA, "byte 3");
    gr_tokenizer_close(&tok);
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_CHAR, NULL, &source, 1, &tok));
    assert_int_equal(gr_tokenizer_vocab_size(tok), 67);
    assert_int_equal(gr_tokenizer_special_ids(tok).unk, 65);
    IDS(tok, "a##\xE4\xBD\xA0", 0, 39, 65, 65, 65);
    assert_fails(gr_tokenizer_encode(tok, "ab\xFF", 3, 0, &ids, &n_ids), GR_ERR_DATA, "byte 2");
    gr_tokenizer_close(&tok);
    gr__free(text);
}

static void characters_are_counted_between_special_tokens(void **state)
{
    (void)state;
    gr_tokenizer *tok = train(GR_TOKENIZER_CHAR, NULL, "ba<|endoftext|>\xC3\xA9");
    assert_int_equal(gr_tokenizer_vocab_size(tok), 5);
    assert_int_equal(gr_tokenizer_id(tok, "a"), 0);
    assert_int_equal(gr_tokenizer_id(tok, "\xC3\xA9"), 2);
    assert_int_equal(gr_tokenizer_id(tok, "|"), -1);
    IDS(tok, "ab<|endoftext|>", GR_ENCODE_SPECIAL, 0, 1, 4);
    gr_tokenizer_close(&tok);
    gr_text_source bad = {"ab\xC3", 3};
    assert_fails(gr_tokenizer_train(GR_TOKENIZER_CHAR, NULL, &bad, 1, &tok), GR_ERR_DATA,
                 "text 0 is not UTF-8, or has a 0 byte, at byte 2");
}

/* ---- streams ---- */

static void a_stream_gives_the_same_text_in_whole_characters(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/gpt2");
    gr__rng r = gr__rng_make(5, 5);
    gr_decoder *decoder;
    assert_ok(gr_decoder_open(tok, GR_DECODE_SPECIAL, &decoder));
    for (int round = 0; round < 300; round++) {
        int32_t ids[64];
        size_t n = (size_t)gr__rng_below(&r, 64), n_whole, n_piece;
        for (size_t i = 0; i < n; i++) ids[i] = (int32_t)gr__rng_below(&r, round % 2 ? 50257 : 256);
        char *whole;
        const char *piece;
        gr__str pieces = {0};
        assert_ok(gr_tokenizer_decode(tok, ids, n, GR_DECODE_SPECIAL, &whole, &n_whole));
        assert_true(gr__utf8_valid(whole, n_whole, NULL));
        for (size_t i = 0; i <= n; i++) {
            assert_ok(i < n ? gr_decoder_push(decoder, ids[i], &piece, &n_piece)
                            : gr_decoder_end(decoder, &piece, &n_piece));
            assert_true(gr__utf8_valid(piece, n_piece, NULL));
            gr__str_add_n(&pieces, piece, n_piece);
        }
        assert_int_equal(pieces.n, n_whole);
        assert_string_equal(gr__str_get(&pieces), whole);
        gr__str_release(&pieces);
        gr_text_free(whole);
    }
    gr_decoder_close(&decoder);
    gr_tokenizer_close(&tok);
}

static void broken_characters_become_one_mark_each(void **state)
{
    (void)state;
    gr_tokenizer *tok = train(GR_TOKENIZER_BYTE, NULL, "");
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"a\xE4\xBD", "a\xEF\xBF\xBD"}, /* cut off */
                 {"\xE4\xBD\xA0", "\xE4\xBD\xA0"},
                 {"\xE4\xBD"
                  "b",
                  "\xEF\xBF\xBD"
                  "b"},
                 {"\xFF\xFE", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate */
                 {"\xF0\x9F\x91\xC3\xA9", "\xEF\xBF\xBD\xC3\xA9"},
                 {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}};
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        int32_t ids[8];
        size_t n = strlen(cases[i].bytes);
        for (size_t k = 0; k < n; k++) ids[k] = (unsigned char)cases[i].bytes[k];
        char *text;
        assert_ok(gr_tokenizer_decode(tok, ids, n, 0, &text, NULL));
        assert_string_equal(text, cases[i].text);
        gr_text_free(text);
    }
    const char *piece;
    size_t n;
    gr_decoder *decoder;
    assert_ok(gr_decoder_open(tok, 0, &decoder));
    assert_ok(gr_decoder_push(decoder, 0xC3, &piece, &n));
    assert_int_equal(n, 0);
    assert_fails(gr_decoder_push(decoder, 257, &piece, &n), GR_ERR_DATA, "id 257");
    assert_ok(gr_decoder_push(decoder, 0xA9, &piece, &n));
    assert_string_equal(piece, "\xC3\xA9");
    gr_decoder_close(&decoder);
    char *text;
    assert_fails(gr_tokenizer_decode(tok, (const int32_t[]){1, -1}, 2, 0, &text, NULL), GR_ERR_DATA, "position 1");
    gr_tokenizer_close(&tok);
}

/* ---- saving ---- */

static void assert_same(const gr_tokenizer *a, const gr_tokenizer *b, const char *text, size_t n)
{
    uint64_t x, y;
    int32_t *ids;
    size_t n_ids;
    assert_ok(gr_tokenizer_fingerprint(a, &x));
    assert_ok(gr_tokenizer_fingerprint(b, &y));
    assert_int_equal(x, y);
    assert_int_equal(gr_tokenizer_type_of(a), gr_tokenizer_type_of(b));
    gr_tokenizer_specials s = gr_tokenizer_special_ids(a), u = gr_tokenizer_special_ids(b);
    assert_memory_equal(&s, &u, sizeof s);
    assert_ok(gr_tokenizer_encode(a, text, n, GR_ENCODE_TEMPLATE, &ids, &n_ids));
    assert_ids(b, text, n, GR_ENCODE_TEMPLATE, ids, n_ids);
    gr_text_free(ids);
}

/* Saved in a folder and as one file; opened, it is the same. */
static void save_and_open(gr_tokenizer *tok, const char *text, size_t n)
{
    const char *dir = test_tmpdir();
    gr_tokenizer *back;
    assert_ok(gr_tokenizer_save(tok, dir));
    assert_ok(gr_tokenizer_open(dir, &back));
    assert_same(tok, back, text, n);
    gr_tokenizer_close(&back);
    char *path = gr__path_join(dir, "tokenizer.json"), *other = gr__path_join(dir, "again.json");
    assert_ok(gr_tokenizer_open(path, &back));
    assert_ok(gr_tokenizer_save(back, other));
    size_t n_a, n_b;
    char *a = read_all(path, &n_a), *b = read_all(other, &n_b);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    gr_tokenizer_close(&back);
    gr__free(a);
    gr__free(b);
    gr__free(path);
    gr__free(other);
    gr_tokenizer_close(&tok);
    test_rmtree(dir);
}

static void what_is_saved_opens_the_same(void **state)
{
    (void)state;
    const char text[] =
        "the cat \"sat\" \\ on the mat\r\n\tthe thin cat\x7F \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80 12345 the end";
    const char *const special[] = {"<|user|>", "quo\"te\n"};
    gr_tokenizer_options plain = {.vocab_size = 300},
                         more = {.vocab_size = 290, .special = special, .n_special = 2, .least_count = 1};
    gr_tokenizer_options llama3 = {.vocab_size = 280, .pattern = "llama3", .no_end_of_text = true};
    for (int type = GR_TOKENIZER_BYTE; type <= GR_TOKENIZER_BPE; type++) {
        save_and_open(train((gr_tokenizer_type)type, &plain, text), text, sizeof text - 1);
        save_and_open(train((gr_tokenizer_type)type, &more, text), text, sizeof text - 1);
        save_and_open(train((gr_tokenizer_type)type, &llama3, text), text, sizeof text - 1);
    }
    if (test_data("tokenizers/gpt2")) save_and_open(open_or_skip("tokenizers/gpt2"), text, sizeof text - 1);
    if (test_data("tokenizers/hf/roberta-base"))
        save_and_open(open_or_skip("tokenizers/hf/roberta-base"), text, sizeof text - 1);
    if (test_data("models/stories260K/tok512.bin"))
        save_and_open(open_or_skip("models/stories260K/tok512.bin"), text, sizeof text - 1);
}

static void roberta_has_its_template_and_mask(void **state)
{
    (void)state;
    gr_tokenizer *tok = open_or_skip("tokenizers/hf/roberta-base");
    IDS(tok, "Hello world", GR_ENCODE_TEMPLATE, 0, 31414, 232, 2);
    IDS(tok, "a  <mask> b", GR_ENCODE_SPECIAL, 102, 50264, 741); /* it takes the spaces before it */
    gr_tokenizer_specials s = gr_tokenizer_special_ids(tok);
    assert_int_equal(s.bos, 0);
    assert_int_equal(s.eos, 2);
    assert_int_equal(s.pad, 1);
    gr_tokenizer_close(&tok);
}

/* ---- WordPiece ---- */

/* Ids as Hugging Face tokenizers 0.23.3 gives them (tests/interop/wordpiece.py compares real texts). */
static void word_pieces_are_berts(void **state)
{
    (void)state;
    static const char json[] =
        "{\"added_tokens\": [{\"id\": 1, \"content\": \"[CLS]\", \"special\": true}, {\"id\": 2, \"content\": \"[SEP]\", "
        "\"special\": true}],\n"
        "\"normalizer\": {\"type\": \"BertNormalizer\"}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n"
        "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 2], \"cls\": [\"[CLS]\", 1]},\n"
        "\"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},\n"
        "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"max_input_chars_per_word\": 8, \"vocab\": {\"[UNK]\": 0, "
        "\"[CLS]\": 1, \"[SEP]\": 2, \"un\": 3, \"##want\": 4, \"##ed\": 5, \"cafe\": 6, \",\": 7, \"\xE4\xB8\xAD\": 8, \"a\": "
        "9, \"##a\": 10, \"##\xC3\x9F\": 11}}}";
    static const struct {
        const char *text;
        int32_t ids[12];
        int n;
        const char *back;
    } cases[] = {
        {"Unwanted, caf\xC3\x89", {3, 4, 5, 7, 6}, 5, "unwanted, cafe"},
        {"a\xE4\xB8\xAD\xE4\xB8\xAD"
         "A",
         {9, 8, 8, 9},
         4,
         "a \xE4\xB8\xAD \xE4\xB8\xAD a"},
        {"unwantx want \t\n", {0, 0}, 2, "[UNK] [UNK]"},
        {"aaaaaaaa aaaaaaaaa", {9, 10, 10, 10, 10, 10, 10, 10, 0}, 9, "aaaaaaaa [UNK]"},
        {"a\xC3\x9F"
         "\xE2\x80\x8B"
         "a",
         {9, 11, 10},
         3,
         "a\xC3\x9F"
         "a"},
        {" ", {0}, 0, ""},
        /* a private character goes; one that is none yet, and a format character of Unicode 9, stay */
        {"a\xEE\x80\x80"
         "a a\xCD\xB8"
         "a a\xE0\xA3\xA2"
         "a",
         {9, 10, 0, 0},
         4,
         "aa [UNK] [UNK]"},
    };
    const char *dir = test_tmpdir();
    const char *path = test_write(dir, "tokenizer.json", json, sizeof json - 1);
    gr_tokenizer *tok, *again;
    assert_ok(gr_tokenizer_open(path, &tok));
    assert_int_equal(gr_tokenizer_type_of(tok), GR_TOKENIZER_WORD_PIECE);
    assert_string_equal(gr_tokenizer_type_name(gr_tokenizer_type_of(tok)), "wordpiece");
    assert_ok(gr_tokenizer_save(tok, dir));
    assert_ok(gr_tokenizer_open(dir, &again));
    uint64_t a, b;
    assert_ok(gr_tokenizer_fingerprint(tok, &a));
    assert_ok(gr_tokenizer_fingerprint(again, &b));
    assert_true(a == b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t *ids;
        size_t n, n_back;
        char *back;
        assert_ok(gr_tokenizer_encode(again, cases[i].text, strlen(cases[i].text), GR_ENCODE_TEMPLATE, &ids, &n));
        assert_int_equal(n, cases[i].n + 2);
        assert_int_equal(ids[0], 1);
        assert_int_equal(ids[n - 1], 2);
        assert_memory_equal(ids + 1, cases[i].ids, (size_t)cases[i].n * sizeof *ids);
        assert_ok(gr_tokenizer_decode(again, ids, n, 0, &back, &n_back));
        assert_string_equal(back, cases[i].back);
        gr_text_free(back);
        gr_text_free(ids);
    }
    /* A text that begins inside a word shows it; one that goes on does not. */
    static const int32_t inside[] = {1, 5, 3, 4};
    char *back;
    size_t n_back;
    uint64_t size;
    assert_ok(gr_tokenizer_decode(again, inside, 4, 0, &back, &n_back));
    assert_string_equal(back, "##ed unwant");
    gr_text_free(back);
    assert_ok(gr_tokenizer_text_size(again, inside, 4, 0, &size));
    assert_int_equal(size, 11);
    assert_ok(gr_tokenizer_decode(again, inside, 4, GR_DECODE_CONTINUE, &back, &n_back));
    assert_string_equal(back, "ed unwant");
    gr_text_free(back);
    gr_tokenizer_close(&again);
    gr_tokenizer_close(&tok);
}

/* ---- refusals ---- */

static void keep_warning(void *user, gr_log_level level, const char *line)
{
    (void)level;
    snprintf(user, 300, "%.299s", line);
}

static void dropout_is_told(void **state)
{
    (void)state;
    static const char *const model[] = {"0.1", "null", "0.0"};
    for (int i = 0; i < 3; i++) {
        char json[200], said[300] = "";
        int n = snprintf(json, sizeof json,
                         "{\"model\": {\"type\": \"BPE\", \"dropout\": %s, \"vocab\": {\"a\": 0}, \"merges\": []}}",
                         model[i]);
        gr_tokenizer *tok;
        gr_set_log(keep_warning, said, GR_LOG_WARNING);
        assert_ok(gr_tokenizer_open(test_write(test_tmpdir(), "tokenizer.json", json, (size_t)n), &tok));
        gr_set_log(NULL, NULL, GR_LOG_WARNING);
        assert_int_equal(strstr(said, "tokenizer.json': dropout 0.1") != NULL, i == 0);
        assert_int_equal(*said != 0, i == 0);
        gr_tokenizer_close(&tok);
    }
}

static void other_kinds_are_refused_by_name(void **state)
{
    (void)state;
#define MODEL "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"
    static const struct {
        const char *json, *part;
        gr_status status;
    } cases[] = {
        {"{\"model\": {\"type\": \"WordLevel\", \"vocab\": {}}}", "model 'WordLevel'", GR_ERR_UNSUPPORTED},
        {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}", "without an 'unk_token'", GR_ERR_CORRUPT},
        {"{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"b\", \"vocab\": {\"a\": 0}}}", "not in the vocabulary",
         GR_ERR_CORRUPT},
        {"{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"a\", \"max_input_chars_per_word\": 0, \"vocab\": {\"a\": "
         "0}}}",
         "max_input_chars_per_word", GR_ERR_CORRUPT},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}", "model 'Unigram'", GR_ERR_UNSUPPORTED},
        {"{\"normalizer\": {\"type\": \"Precompiled\"}, " MODEL "}", "normalizer 'Precompiled'", GR_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\": {\"type\": \"Whitespace\"}, " MODEL "}", "pre_tokenizer 'Whitespace'",
         GR_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Punctuation\"}]}, " MODEL "}",
         "pre_tokenizer 'Punctuation'", GR_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}, " MODEL
         "}",
         "pattern '(a'", GR_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[[a]b]\"}, \"behavior\": \"Isolated\"}, " MODEL
         "}",
         "nested sets", GR_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Removed\"}, " MODEL
         "}",
         "behavior 'Removed'", GR_ERR_UNSUPPORTED},
        {"{\"decoder\": {\"type\": \"CTC\"}, " MODEL "}", "decoder 'CTC'", GR_ERR_UNSUPPORTED},
        {"{\"post_processor\": {\"type\": \"Mystery\"}, " MODEL "}", "post_processor 'Mystery'", GR_ERR_UNSUPPORTED},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}", "'b', which is not in the vocabulary",
         GR_ERR_CORRUPT},
        {"{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}", "same id 0", GR_ERR_CORRUPT},
        {"{\"model\": {\"vocab\": {\"a\": 2000000000}, \"merges\": []}}", "out of range", GR_ERR_CORRUPT},
        {"{\"model\": {\"vocab\": {\"a\": -1}, \"merges\": []}}", "out of range", GR_ERR_CORRUPT},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"aa\"]}}", "merge 0", GR_ERR_CORRUPT},
        {"{\"model\": {\"vocab\": {}, \"merges\": []}}", "vocabulary is empty", GR_ERR_CORRUPT},
        {"{\"added_tokens\": [{\"id\": 1, \"content\": \"a\"}], " MODEL "}", "has it with id 0", GR_ERR_CORRUPT},
        {"{}", "no 'model'", GR_ERR_CORRUPT},
        {"[", NULL, GR_ERR_CORRUPT},
    };
    const char *dir = test_tmpdir();
    gr_tokenizer *tok = NULL;
    for (size_t i = 0; i < GR__COUNT(cases); i++)
        assert_fails(gr_tokenizer_open(test_write(dir, "tokenizer.json", cases[i].json, strlen(cases[i].json)), &tok),
                     cases[i].status, cases[i].part);
    assert_ok(gr_tokenizer_open(test_write(dir, "tokenizer.json", "{" MODEL "}", strlen("{" MODEL "}")), &tok));
    IDS(tok, "abba", 0, 2, 1, 0);
    gr_tokenizer_close(&tok);
    test_rmtree(dir);
    assert_fails(gr_tokenizer_open("/no/such/place", &tok), GR_ERR_NOT_FOUND, "/no/such/place");
    dir = test_tmpdir();
    assert_fails(gr_tokenizer_open(dir, &tok), GR_ERR_NOT_FOUND, "has no tokenizer");
    test_rmtree(dir);
    if (test_data("tokenizers/hf/t5-small"))
        assert_fails(gr_tokenizer_open(test_data("tokenizers/hf/t5-small"), &tok), GR_ERR_UNSUPPORTED, "'Unigram'");
    assert_null(tok);
}

/* A pattern that tries everything must end with a status, not run for ever. */
static void a_hostile_pattern_hits_a_limit(void **state)
{
    (void)state;
    static const char json[] =
        "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a|a|aa)+$b|(?:a+)+c\"}, "
        "\"behavior\": \"Isolated\"}, " MODEL "}";
    const char *dir = test_tmpdir();
    gr_tokenizer *tok;
    int32_t *ids;
    size_t n_ids;
    char text[200];
    memset(text, 'a', sizeof text);
    assert_ok(gr_tokenizer_open(test_write(dir, "tokenizer.json", json, sizeof json - 1), &tok));
    assert_fails(gr_tokenizer_encode(tok, text, sizeof text, 0, &ids, &n_ids), GR_ERR_LIMIT, "too many steps");
    gr_tokenizer_close(&tok);
    test_rmtree(dir);
}

/* ---- inside ---- */

static void utf8_knows_every_character(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x120000; code += code < 0x11000 ? 1 : 97) {
        char text[4];
        uint32_t back = 0;
        size_t length;
        bool wanted = code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
        if (code >= 0x200000) break;
        size_t n = gr__utf8_put(code, text);
        gr__utf8_kind kind = gr__utf8_next(text, n, &back, &length);
        assert_int_equal(kind == GR__UTF8_GOOD, wanted);
        if (wanted) assert_int_equal(back, code);
        if (wanted) assert_int_equal(length, n);
        for (size_t cut = 1; wanted && cut < n; cut++) {
            assert_int_equal(gr__utf8_next(text, cut, &back, &length), GR__UTF8_PARTIAL);
            assert_int_equal(length, cut);
        }
    }
    size_t offset = 99;
    assert_false(gr__utf8_valid("0123456789abc\xC3\xA9"
                                "defg\xE4\xBD",
                                21, &offset));
    assert_int_equal(offset, 19);
}

/* The definition, word for word. */
static void merge_slowly(const gr__pair_map *merge_of, int32_t *id, size_t *n)
{
    for (;;) {
        size_t best = *n;
        uint64_t least = UINT64_MAX;
        for (size_t i = 0; i + 1 < *n; i++) {
            const uint64_t *found = gr__pair_map_get(merge_of, gr__pair((uint32_t)id[i], (uint32_t)id[i + 1]));
            if (found && *found >> 32 < least >> 32) least = *found, best = i;
        }
        if (best == *n) return;
        id[best] = (int32_t)(uint32_t)least;
        memmove(id + best + 1, id + best + 2, (--*n - best - 1) * sizeof *id);
    }
}

static void long_and_short_words_merge_by_the_definition(void **state)
{
    (void)state;
    gr__rng r = gr__rng_make(11, 1);
    gr__merge_room room = {0};
    for (int round = 0; round < 400; round++) {
        gr__pair_map merge_of = {0};
        int32_t next = 3;
        for (uint32_t rank = 0; rank < 30; rank++) {
            uint32_t a = (uint32_t)gr__rng_below(&r, (uint64_t)next), b = (uint32_t)gr__rng_below(&r, (uint64_t)next);
            if (!gr__pair_map_get(&merge_of, gr__pair(a, b)))
                assert_ok(gr__pair_map_set(&merge_of, gr__pair(a, b), gr__pair(rank, (uint32_t)next++)));
        }
        int32_t x[150], y[150];
        size_t n = 1 + (size_t)gr__rng_below(&r, 150), n_slow = n;
        for (size_t i = 0; i < n; i++) x[i] = y[i] = (int32_t)gr__rng_below(&r, 3);
        assert_ok(gr__merge_word(&merge_of, &room, x, &n));
        merge_slowly(&merge_of, y, &n_slow);
        assert_int_equal(n, n_slow);
        assert_memory_equal(x, y, n * sizeof *x);
        gr__pair_map_release(&merge_of);
    }
    gr__merge_room_release(&room);
}

/* ---- threads, memory ---- */

typedef struct job {
    const gr_tokenizer *tok;
    const char *text;
    size_t n, n_ids;
    gr_status status;
} job;

static void *encode_many(void *argument)
{
    job *j = argument;
    for (int i = 0; i < 30 && j->status == GR_OK; i++) {
        int32_t *ids;
        j->status = gr_tokenizer_encode(j->tok, j->text, j->n, 0, &ids, &j->n_ids);
        if (j->status == GR_OK) gr_text_free(ids);
    }
    return NULL;
}

static void threads_share_a_tokenizer(void **state)
{
    (void)state;
    gr_tokenizer *tok =
        train(GR_TOKENIZER_BPE, &(gr_tokenizer_options){.vocab_size = 270}, "the theory of the thing that thinks");
    gr__str text = {0};
    for (int i = 0; i < 2000; i++) gr__str_printf(&text, "the thing %d thinks\n", i * 7919 % 1000);
    size_t wanted = round_trip(tok, text.text, text.n);
    pthread_t thread[8];
    job jobs[8];
    for (int i = 0; i < 8; i++) {
        jobs[i] = (job){tok, text.text, text.n, 0, GR_OK};
        assert_int_equal(pthread_create(&thread[i], NULL, encode_many, &jobs[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(jobs[i].status, GR_OK);
        assert_int_equal(jobs[i].n_ids, wanted);
    }
    gr__str_release(&text);
    gr_tokenizer_close(&tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_gives_the_ids_of_llama_cpp),
        cmocka_unit_test(gpt2_gives_the_vectors_of_gpt3_encoder),
        cmocka_unit_test(special_tokens_are_text_unless_asked_for),
        cmocka_unit_test(the_longest_special_token_wins),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(books_come_back),
        cmocka_unit_test(shakespeare_has_65_characters),
        cmocka_unit_test(characters_are_counted_between_special_tokens),
        cmocka_unit_test(a_stream_gives_the_same_text_in_whole_characters),
        cmocka_unit_test(broken_characters_become_one_mark_each),
        cmocka_unit_test(what_is_saved_opens_the_same),
        cmocka_unit_test(roberta_has_its_template_and_mask),
        cmocka_unit_test(word_pieces_are_berts),
        cmocka_unit_test(dropout_is_told),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        cmocka_unit_test(a_hostile_pattern_hits_a_limit),
        cmocka_unit_test(utf8_knows_every_character),
        cmocka_unit_test(long_and_short_words_merge_by_the_definition),
        cmocka_unit_test(threads_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
