/* Hostile tokenizer files: every truncation and 10,000 seeded mutants must end with a status, and what opens must
 * encode, decode and save without harm. Also: every allocation fails once. */
#include "base/file.h"
#include "base/rng.h"
#include "gradus/text.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static const char sample[] = "the cat, 12345  <|endoftext|> \xE4\xBD\xA0\xC3\xA9\r\n\t<s> \xE2\x96\x81the\xFF end";

/* All that one can do with a tokenizer that opened. */
static void use(gr_tokenizer *tok, const char *dir)
{
    int32_t *ids, mine[8] = {0, 1, 2, 250, 258, 259, 300, -1};
    size_t n_ids, n;
    char *text;
    uint64_t x;
    for (unsigned flags = 0; flags < 16; flags += 3) {
        if (gr_tokenizer_encode(tok, sample, sizeof sample - 1, flags, &ids, &n_ids) != GR_OK) continue;
        if (gr_tokenizer_decode(tok, ids, n_ids, flags & 7, &text, &n) == GR_OK) gr_text_free(text);
        assert_ok(gr_tokenizer_text_size(tok, ids, n_ids, flags & 7, &x));
        gr_text_free(ids);
    }
    if (gr_tokenizer_decode(tok, mine, 8, 0, &text, &n) == GR_OK) gr_text_free(text);
    assert_ok(gr_tokenizer_fingerprint(tok, &x));
    assert_true(gr_tokenizer_bytes_per_token(tok) > 0);
    if (x % 64 == 0) assert_ok(gr_tokenizer_save(tok, dir)); /* rarely: it waits for the disk */
}

/* A new file each time: truncating an old one makes some file systems wait for the disk. */
static const char *write_fresh(const char *dir, const char *name, const void *bytes, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    remove(path);
    return test_write(dir, name, bytes, n);
}

/* Opens bytes as a file; returns whether they opened. */
static bool try_bytes(const char *dir, const char *name, const char *bytes, size_t n)
{
    gr_tokenizer *tok = NULL;
    size_t before = gr_memory_used_bytes();
    gr_status status = gr_tokenizer_open(write_fresh(dir, name, bytes, n), &tok);
    if (status == GR_OK)
        use(tok, dir);
    else
        assert_null(tok);
    if (status != GR_OK) assert_true(strlen(gr_message()) > 0);
    gr_tokenizer_close(&tok);
    assert_int_equal(gr_memory_used_bytes(), before);
    return status == GR_OK;
}

/* Some bytes replaced, doubled, cut out, or swapped for what readers trip over. */
static size_t mutate(gr__rng *r, const char *text, size_t n, char *out)
{
    static const char *const bait[] = {"-1",    "99999999999", "null", "[]",         "{}",  "\"\"",
                                       "1e999", "\\u0000",     "true", "4294967295", "\xFF"};
    memcpy(out, text, n);
    for (uint64_t edits = 1 + gr__rng_below(r, 3); edits > 0 && n > 8; edits--) {
        size_t at = (size_t)gr__rng_below(r, n), size = 1 + (size_t)gr__rng_below(r, 8);
        if (size > n - at) size = n - at;
        switch (gr__rng_below(r, 5)) {
        case 0: out[at] = (char)gr__rng_u32(r); break;
        case 1: out[at] ^= (char)(1u << gr__rng_below(r, 8)); break;
        case 2:
            memmove(out + at, out + at + size, n - at - size);
            n -= size;
            break;
        case 3:
            memmove(out + at + size, out + at, n - at);
            n += size;
            break;
        default: {
            const char *b = bait[gr__rng_below(r, GR__COUNT(bait))];
            size_t n_bait = strlen(b);
            if (n_bait <= n - at) memcpy(out + at, b, n_bait);
        }
        }
    }
    return n;
}

static void fuzz(const char *name, const char *text, size_t n, int mutants)
{
    const char *dir = test_tmpdir();
    gr__rng r = gr__rng_make(99, n);
    char *out = malloc(n + 64);
    assert_non_null(out);
    int opened = 0;
    assert_true(try_bytes(dir, name, text, n));
    for (size_t cut = 0; cut + 1 < n; cut++) opened += try_bytes(dir, name, text, cut);
    for (int i = 0; i < mutants; i++) opened += try_bytes(dir, name, out, mutate(&r, text, n, out));
    printf("%s: %d of %zu broken files opened\n", name, opened, n + (size_t)mutants);
    free(out);
    test_rmtree(dir);
}

/* Small files that together have every kind of step. */
static const char byte_level[] =
    "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":7,\"content\":\"<|endoftext|>\",\"special\":true,\"lstrip\":true,\"rstrip\":true,"
    "\"normalized\":false},{\"id\":8,\"content\":\"\\u4f60\",\"normalized\":true}],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
    "{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"q\"},\"content\":\"k\"}]},\"pre_tokenizer\":{\"type\":\"Sequence\","
    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|[^\\\\s\\\\p{L}]+\"},\"behavior\":\"Isolated\",\"invert\":false},"
    "{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}]},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"t\",\"type_id\":0}},{\"Sequence\":{\"id\":"
    "\"A\",\"type_id\":0}}],\"special_tokens\":{\"t\":{\"id\":\"t\",\"ids\":[0],\"tokens\":[\"t\"]}}},\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"u\",\"ignore_merges\":true,\"vocab\":{\"t\":0,\"h\":1,\"e\":2,\"th\":3,\"the\":4,\"u\":5,"
    "\"\\u0120\":6},\"merges\":[\"t h\",[\"th\",\"e\"]]}}";
static const char llama_like[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true,\"normalized\":true}],\"normalizer\":{\"type\":\"Prepend\",\"prepend\":"
    "\"\\u2581\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\",\"prepend_scheme\":\"first\",\"split\":true},"
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\\u2581\"},\"content\":\" \"},"
    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\","
    "\"byte_fallback\":true,\"fuse_unk\":true,\"unk_token\":\"?\",\"vocab\":{\"<s>\":0,\"?\":1,\"\\u2581\":2,\"t\":3,\"\\u2581t\":4,"
    "\"<0xFF>\":5,\"h\":6,\"\\u2581th\":7},\"merges\":[[\"\\u2581\",\"t\"],\"\\u2581t h\"]}}";

static void broken_json_is_refused(void **state)
{
    (void)state;
    fuzz("tokenizer.json", byte_level, sizeof byte_level - 1, 6000);
    fuzz("tokenizer.json", llama_like, sizeof llama_like - 1, 4000);
}

static void broken_llama2c_files_are_refused(void **state)
{
    (void)state;
    const char *path = test_data("models/stories260K/tok512.bin");
    if (!path) skip();
    char *data;
    size_t n;
    assert_ok(gr__file_read(path, 1 << 20, &data, &n));
    fuzz("tok512.bin", data, n, 3000);
    gr__free(data);
}

static void broken_merges_are_refused(void **state)
{
    (void)state;
    static const char vocab[] = "{\"t\":0,\"h\":1,\"th\":2,\"e\":3,\"the\":4}",
                      merges[] = "#version: 0.2\nt h\r\nth e\n";
    const char *dir = test_tmpdir();
    test_write(dir, "vocab.json", vocab, sizeof vocab - 1);
    gr__rng r = gr__rng_make(7, 7);
    for (int i = 0; i < 3000; i++) {
        char text[128];
        size_t n = i ? mutate(&r, merges, sizeof merges - 1, text) : sizeof merges - 1;
        gr_tokenizer *tok = NULL;
        write_fresh(dir, "merges.txt", i ? text : merges, n);
        gr_status status = gr_tokenizer_open(dir, &tok);
        if (i == 0) assert_int_equal(status, GR_OK);
        if (status == GR_OK && i == 0) assert_int_equal(gr_tokenizer_vocab_size(tok), 5);
        gr_tokenizer_close(&tok);
    }
    test_rmtree(dir);
}

/* ---- every allocation fails once ---- */

typedef struct failing {
    long until; /* allocations that still succeed; < 0: all do */
} failing;

static void *resize(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    failing *f = user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (f->until == 0) return NULL;
    if (f->until > 0) f->until--;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

/* A small life of a tokenizer; the first failure ends it. */
static gr_status live(const char *dir, const char *json)
{
    static const char text[] = "the cat sat on the mat, the thin cat 12345";
    const gr_text_source source = {text, sizeof text - 1};
    gr_tokenizer *tok = NULL, *other = NULL;
    gr_decoder *decoder = NULL;
    int32_t *ids = NULL;
    size_t n_ids = 0, n;
    char *back = NULL;
    const char *piece;
    gr_status status =
        gr_tokenizer_train(GR_TOKENIZER_BPE, &(gr_tokenizer_options){.vocab_size = 265}, &source, 1, &tok);
    if (status == GR_OK) status = gr_tokenizer_encode(tok, text, sizeof text - 1, 0, &ids, &n_ids);
    if (status == GR_OK) status = gr_tokenizer_decode(tok, ids, n_ids, 0, &back, &n);
    if (status == GR_OK) assert_string_equal(back, text);
    if (status == GR_OK) status = gr_decoder_open(tok, 0, &decoder);
    if (status == GR_OK) status = gr_decoder_push(decoder, ids[0], &piece, &n);
    if (status == GR_OK) status = gr_tokenizer_save(tok, dir);
    if (status == GR_OK) status = gr_tokenizer_open(json, &other);
    gr_text_free(ids);
    ids = NULL;
    if (status == GR_OK) status = gr_tokenizer_encode(other, text, sizeof text - 1, GR_ENCODE_TEMPLATE, &ids, &n_ids);
    gr_text_free(ids);
    gr_text_free(back);
    gr_decoder_close(&decoder);
    gr_tokenizer_close(&tok);
    gr_tokenizer_close(&other);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *json = test_write(dir, "other.json", byte_level, sizeof byte_level - 1);
    failing f = {-1};
    size_t before = gr_memory_used_bytes();
    gr_set_allocator(&(gr_allocator){resize, &f});
    assert_ok(live(dir, json));
    long count = 0;
    gr_status status = GR_ERR_MEMORY;
    for (; status != GR_OK; count++) {
        f.until = count;
        status = live(dir, json);
        if (status != GR_OK && status != GR_ERR_MEMORY)
            fail_msg("allocation %ld: %s (%s)", count, gr_message(), gr_status_name(status));
        assert_int_equal(gr_memory_used_bytes(), before);
    }
    gr_set_allocator(NULL);
    printf("%ld allocations\n", count - 1);
    assert_true(count > 100);
    test_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_json_is_refused),
        cmocka_unit_test(broken_llama2c_files_are_refused),
        cmocka_unit_test(broken_merges_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
