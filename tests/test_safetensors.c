/* safetensors: the reference writer's bytes, a golden message for each rule, shards, faults, and mutants. */
#include "tests/test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "format/llama2c.h"
#include "format/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A file with this header (padded) and n bytes of data 0, 1, 2, ...; static storage. */
static size_t make(const char *header, size_t data, unsigned char out[4096])
{
    size_t n = strlen(header);
    memset(out, 0, 4096);
    memcpy(out + 8, header, n);
    while (n % 8) out[8 + n++] = ' ';
    out[0] = (unsigned char)n;
    out[1] = (unsigned char)(n >> 8);
    for (size_t i = 0; i < data; i++) out[8 + n + i] = (unsigned char)i;
    return 8 + n + data;
}

/* A copy of exactly n bytes on the heap, so that the sanitizer sees a read past its end. */
static gr_status open_copy(const unsigned char *bytes, size_t n, gr__safetensors **file, unsigned char **copy)
{
    *copy = malloc(n ? n : 1);
    if (n) memcpy(*copy, bytes, n);
    return gr__safetensors_open_bytes(*copy, n, "x", file);
}

static void refused(const char *header, size_t data, gr_status wanted, const char *message)
{
    unsigned char bytes[4096], *copy;
    gr__safetensors *file = NULL;
    size_t n = make(header, data, bytes);
    gr_status status = open_copy(bytes, n, &file, &copy);
    if (status != wanted || strcmp(gr_message(), message) != 0)
        fail_msg("%s: %s '%s', wanted '%s'", header, gr_status_name(status), gr_message(), message);
    assert_null(file);
    free(copy);
}

#define T(type, shape, offsets) "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void rules(void **state)
{
    (void)state;
    const gr_status bad = GR_ERR_CORRUPT;
    refused("{\"a\":" T("F32", "[2]", "[0,8]") "}", 7, bad,
            "cannot load 'x': tensor 'a': ends 1 bytes past the file; download it again");
    refused("{\"a\":" T("F32", "[2]", "[0,8]") "}", 9, bad, "cannot load 'x': 1 unused bytes lie at its end");
    refused("{\"a\":" T("F32", "[3]", "[0,8]") "}", 8, bad,
            "cannot load 'x': tensor 'a': has 8 bytes of data, its shape and type F32 need 12");
    refused("{\"a\":" T("F32", "[1]", "[4,8]") "}", 8, bad,
            "cannot load 'x': tensor 'a': 4 unused bytes lie before it");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[2,6]") "}", 6, bad,
            "cannot load 'x': tensor 'b': overlaps tensor 'a'");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4, bad,
            "cannot load 'x': tensor 'b': overlaps tensor 'a'");
    refused("{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, bad,
            "cannot load 'x': tensor 'a': 'data_offsets' is not a pair of positions [begin, end]");
    refused("{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, bad,
            "cannot load 'x': tensor 'a': 'data_offsets' is not a pair of positions [begin, end]");
    refused("{\"a\":" T("F32", "[1]", "[0,4,4]") "}", 4, bad,
            "cannot load 'x': tensor 'a': 'data_offsets' is not a pair of positions [begin, end]");
    refused("{\"a\":" T("F32", "[1]", "[0,4.0]") "}", 4, bad,
            "cannot load 'x': tensor 'a': 'data_offsets' is not a pair of positions [begin, end]");
    refused("{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, bad,
            "cannot load 'x': tensor 'a': size 0 of its shape is not a whole number from 0");
    refused("{\"a\":" T("F32", "[1,2.0]", "[0,4]") "}", 4, bad,
            "cannot load 'x': tensor 'a': size 1 of its shape is not a whole number from 0");
    refused("{\"a\":" T("F32", "3", "[0,4]") "}", 4, bad,
            "cannot load 'x': tensor 'a': 'shape' is missing or not a list");
    refused("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, bad,
            "cannot load 'x': tensor 'a': it has 9 dimensions, at most 8 are supported");
    /* products that wrap to 0, to the right size, or only with the element size; CVE-2025-53630 and its bypass */
    refused("{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, bad,
            "cannot load 'x': tensor 'a': its shape has more elements than any machine can hold");
    refused("{\"a\":" T("F32", "[9223372036854775807,2,1]", "[0,0]") "}", 0, bad,
            "cannot load 'x': tensor 'a': its shape has more elements than any machine can hold");
    refused("{\"a\":" T("F32", "[4611686018427387904]", "[0,0]") "}", 0, bad,
            "cannot load 'x': tensor 'a': its shape has more elements than any machine can hold");
    refused("{\"a\":" T("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]") "}", 0, bad,
            "cannot load 'x': tensor 'a': its shape has more elements than any machine can hold");
    refused("{\"a\":" T("X9", "[1]", "[0,4]") "}", 4, bad, "cannot load 'x': tensor 'a': unknown dtype 'X9'");
    refused("{\"a\":" T("F32\\u0000", "[1]", "[0,4]") "}", 4, bad, "cannot load 'x': tensor 'a': unknown dtype 'F32'");
    refused("{\"a\":" T("F4", "[3]", "[0,1]") "}", 1, bad,
            "cannot load 'x': tensor 'a': its F4 elements do not end on a byte");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, bad,
            "cannot load 'x': tensor 'a': its entry must have exactly 'dtype', 'shape' and 'data_offsets'");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, bad,
            "cannot load 'x': tensor 'a': its entry must have exactly 'dtype', 'shape' and 'data_offsets'");
    refused("{\"a\":3}", 0, bad,
            "cannot load 'x': tensor 'a': its entry must have exactly 'dtype', 'shape' and 'data_offsets'");
    refused("{\"\":" T("F32", "[1]", "[0,4]") "}", 4, bad, "cannot load 'x': tensor 0 has an empty name");
    refused("{\"a\\u001b\":" T("F32", "[1]", "[0,4]") "}", 4, bad,
            "cannot load 'x': the name of tensor 0 holds a control character");
    refused("{\"__metadata__\":{\"a\":1}}", 0, bad, "cannot load 'x': 'a' in '__metadata__' is not a text");
    refused("{\"__metadata__\":[]}", 0, bad, "cannot load 'x': '__metadata__' is not a map of texts");
    refused("[]", 0, bad, "cannot load 'x': its header does not start with '{'");
    refused(" {}", 0, bad, "cannot load 'x': its header does not start with '{'");
    refused("{}\n", 0, bad, "cannot load 'x': its header does not end with '}'");
    refused("{}{}", 0, bad, "x:1:3: end of file expected near '{'");
    refused("{\"a\":1,\"a\":2}", 0, bad, "x:1:10: duplicate object key near '\"a\"'");
    refused("{\"\xff\":1}", 0, bad, "x:1:2: unable to decode byte 0xff near '\"'");
    char name[600] = "{\"";
    memset(name + 2, 'n', 513);
    strcpy(name + 515, "\":1}");
    refused(name, 0, GR_ERR_LIMIT,
            "cannot load 'x': tensor name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' is longer than 512 bytes");
}

static void sizes(void **state)
{
    (void)state;
    unsigned char bytes[4096], *copy;
    gr__safetensors *file;
    size_t n = make("{}", 0, bytes);
    assert_fails(open_copy(bytes, 7, &file, &copy), GR_ERR_CORRUPT, "it is 7 bytes long, too short");
    free(copy);
    bytes[0] = 0;
    assert_fails(open_copy(bytes, 8, &file, &copy), GR_ERR_CORRUPT, "does not start with '{'");
    free(copy);
    bytes[0] = 9;
    assert_fails(open_copy(bytes, n, &file, &copy), GR_ERR_CORRUPT, "its header ends 1 bytes past the file");
    free(copy);
    memset(bytes, 0xFF, 8);
    assert_fails(open_copy(bytes, n, &file, &copy), GR_ERR_LIMIT, "its header claims 18446744073709551615 bytes");
    free(copy);
}

static void accepts(void **state)
{
    (void)state;
    unsigned char bytes[4096], *copy;
    gr__safetensors *file;
    size_t n =
        make("{\"b\":" T("F32", "[0,5]", "[4,4]") ",\"a\":" T("I32", "[]", "[0,4]") ",\"c\":" T(
                 "F8_E4M3", "[2]", "[4,6]") ",\"__metadata__\":{\"k\":\"v\"},\"u\":" T("U16", "[2]", "[6,10]") "}",
             10, bytes);
    assert_ok(open_copy(bytes, n, &file, &copy));
    assert_int_equal(gr__safetensors_count(file), 4);
    assert_string_equal(gr__safetensors_at(file, 0)->name, "a"); /* by position */
    assert_string_equal(gr__safetensors_at(file, 1)->name, "b");
    const gr__stored *a = gr__safetensors_find(file, "a"), *c = gr__safetensors_find(file, "c");
    assert_int_equal(a->tensor.rank, 0);
    assert_int_equal(gr_tensor_count(&a->tensor), 1);
    assert_true(gr_tensor_get(&a->tensor, 0) == 0x03020100);
    assert_int_equal(c->tensor.dtype, GR_DTYPE_NONE);
    assert_string_equal(c->type, "F8_E4M3");
    assert_int_equal(c->size_bytes, 2);
    assert_int_equal(c->offset, n - 6);
    assert_int_equal(gr__safetensors_metadata_count(file), 1);
    assert_string_equal(gr__safetensors_metadata_at(file, 0)->value, "v");
    assert_null(gr__safetensors_find(file, "z"));
    gr__safetensors_close(&file);
    free(copy);
    n = make("{\"x\":" T("U8", "[3]", "[0,3]") ",\"y\":" T("F64", "[2]", "[3,19]") "}", 19,
             bytes); /* y lies unaligned */
    assert_ok(open_copy(bytes, n, &file, &copy));
    const gr_tensor *y = &gr__safetensors_find(file, "y")->tensor;
    assert_int_equal((uintptr_t)y->data % 8, 0);
    assert_memory_equal(y->data, bytes + n - 16, 16);
    gr__safetensors_close(&file);
    free(copy);
}

/* ---- writing ---- */

static gr__named_tensor named(const char *name, gr_dtype dtype, void *data, int rank, int64_t a, int64_t b)
{
    return (gr__named_tensor){name, {.dtype = dtype, .rank = rank, .dim = {a, b}, .data = data}};
}

static void assert_file(const char *path, const void *bytes, size_t n)
{
    char *text;
    size_t got;
    assert_ok(gr__file_read(path, SIZE_MAX, &text, &got));
    assert_int_equal(got, n);
    assert_memory_equal(text, bytes, n);
    gr__free(text);
}

/* Bytes that the reference library writes (its own unit tests say so). */
static void reference_bytes(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "m.safetensors", "", 0);
    float values[6] = {0, 1, 2, 3, 4, 5};
    static const char empty[] = "\x08\0\0\0\0\0\0\0{}      ";
    static const char pt[] = "\x28\0\0\0\0\0\0\0{\"__metadata__\":{\"framework\":\"pt\"}}     ";
    gr__name_value framework = {"framework", "pt"};
    assert_ok(gr__safetensors_write(path, NULL, 0, NULL, 0));
    assert_file(path, empty, sizeof empty - 1);
    assert_ok(gr__safetensors_write(path, NULL, 0, &framework, 1));
    assert_file(path, pt, sizeof pt - 1);
    char wanted[200] =
        "\x48\0\0\0\0\0\0\0{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],\"data_offsets\":[0,24]}}       ";
    memcpy(wanted + 80, values, sizeof values);
    gr__named_tensor t = {"attn0", {.dtype = GR_F32, .rank = 4, .dim = {1, 1, 2, 3}, .data = values}};
    assert_ok(gr__safetensors_write(path, &t, 1, NULL, 0));
    assert_file(path, wanted, 104);
    test_rmtree(dir);
}

/* Reads a file and writes it again from a list in another order. */
static void assert_rewritten(const char *path, const char *copy)
{
    gr__safetensors *file;
    char *text;
    size_t bytes;
    assert_ok(gr__safetensors_open(path, &file));
    size_t n = gr__safetensors_count(file), m = gr__safetensors_metadata_count(file);
    gr__named_tensor *list = gr__calloc(n, sizeof *list);
    gr__name_value *metadata = gr__calloc(m + 1, sizeof *metadata);
    for (size_t i = 0; i < n; i++) {
        const gr__stored *t = gr__safetensors_at(file, n - 1 - i);
        list[i] = (gr__named_tensor){t->name, t->tensor};
    }
    for (size_t i = 0; i < m; i++) metadata[i] = *gr__safetensors_metadata_at(file, i);
    assert_ok(gr__safetensors_write(copy, list, n, metadata, m));
    assert_ok(gr__file_read(path, SIZE_MAX, &text, &bytes));
    assert_file(copy, text, bytes);
    gr__free(text);
    gr__free(list);
    gr__free(metadata);
    gr__safetensors_close(&file);
}

/* What the reference library wrote comes out again byte for byte; what others wrote can be read. */
static void conformance(void **state)
{
    (void)state;
    static const char *const files[] = {
        "conformance/safetensors/multi_layer.safetensors", "models/mnist-cnn/mnist.safetensors",
        "models/silero-vad/silero_vad_16k.safetensors", "models/mlperf-tiny-resnet8/weights.safetensors",
        "models/mlperf-tiny-autoencoder/weights.safetensors"};
    const char *dir = test_tmpdir(), *copy = test_write(dir, "copy.safetensors", "", 0);
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        const char *path = test_data(files[f]);
        gr__weights *w;
        if (!path) skip();
        if (f < 2) assert_rewritten(path, copy);
        assert_ok(gr__weights_open(path, &w));
        assert_true(gr__weights_count(w) > 5);
        gr__weights_close(&w);
    }
    test_rmtree(dir);
}

static void round_trip(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "m.safetensors", "", 0);
    static uint64_t data[16];
    char names[16][40];
    gr__named_tensor list[16];
    size_t n = 0;
    for (size_t i = 0; i < sizeof data; i++) ((unsigned char *)data)[i] = (unsigned char)(i * 37);
    for (gr_dtype d = GR_F64; d < GR_DTYPE_COUNT; d = (gr_dtype)(d + 1)) {
        snprintf(names[n], sizeof names[n], "layer.%s \"\\\xc3\xa9", gr_dtype_name(d));
        list[n] = named(names[n], d, data, 2, 3, 5);
        list[n].tensor.dim[1] = n == 3 ? 0 : 5;
        n++;
    }
    gr__name_value metadata[] = {{"b", "line\nbreak \"q\""}, {"a", ""}};
    assert_ok(gr__safetensors_write(path, list, n, metadata, 2));
    gr__safetensors *file;
    assert_ok(gr__safetensors_open(path, &file));
    assert_int_equal(gr__safetensors_count(file), n);
    for (size_t i = 0; i < n; i++) {
        const gr__stored *t = gr__safetensors_find(file, names[i]);
        assert_non_null(t);
        assert_int_equal(t->tensor.dtype, list[i].tensor.dtype);
        assert_int_equal(t->tensor.dim[1], list[i].tensor.dim[1]);
        assert_memory_equal(t->tensor.data, data, gr_tensor_size_bytes(&t->tensor));
    }
    assert_string_equal(gr__safetensors_metadata_at(file, 0)->name, "a");
    assert_string_equal(gr__safetensors_metadata_at(file, 1)->value, metadata[0].value);
    gr__safetensors_close(&file);
    gr__st_writer *w; /* streamed, a byte at a time: the same file */
    char *whole;
    size_t whole_n;
    assert_ok(gr__file_read(path, SIZE_MAX, &whole, &whole_n));
    assert_ok(gr__st_writer_open(path, list, n, metadata, 2, &w));
    for (size_t k = 0; k < n; k++) {
        const gr_tensor *t = &list[gr__st_writer_order(w, k)].tensor;
        for (size_t b = 0; b < gr_tensor_size_bytes(t); b++)
            assert_ok(gr__st_writer_add(w, (const char *)t->data + b, 1));
    }
    assert_fails(gr__st_writer_add(w, "x", 1), GR_ERR_ARGUMENT, "more data than its tensors hold");
    assert_ok(gr__st_writer_commit(&w));
    assert_file(path, whole, whole_n);
    assert_ok(gr__st_writer_open(path, list, n, NULL, 0, &w));
    assert_fails(gr__st_writer_commit(&w), GR_ERR_ARGUMENT, "bytes of its tensors are missing");
    assert_null(w);
    assert_file(path, whole, whole_n);
    gr__free(whole);
    test_rmtree(dir);
}

static void bad_arguments(void **state)
{
    (void)state;
    float x = 0;
    gr__named_tensor two[] = {named("a", GR_F32, &x, 0, 0, 0), named("a", GR_F16, &x, 0, 0, 0)};
    gr__named_tensor none = named("a", GR_DTYPE_NONE, &x, 0, 0, 0), empty = named("", GR_F32, &x, 0, 0, 0);
    gr__named_tensor huge = named("a", GR_F32, &x, 2, INT64_MAX, 2), negative = named("a", GR_F32, &x, 1, -1, 0);
    gr__named_tensor absent = named("a", GR_F32, NULL, 1, 3, 0);
    assert_fails(gr__safetensors_write("/tmp/never", two, 2, NULL, 0), GR_ERR_ARGUMENT, "tensor 'a' is given twice");
    assert_fails(gr__safetensors_write("/tmp/never", &none, 1, NULL, 0), GR_ERR_DTYPE,
                 "tensor 'a' has no element type");
    assert_fails(gr__safetensors_write("/tmp/never", &empty, 1, NULL, 0), GR_ERR_ARGUMENT, "cannot be the name");
    assert_fails(gr__safetensors_write("/tmp/never", &huge, 1, NULL, 0), GR_ERR_SHAPE, "impossible shape");
    assert_fails(gr__safetensors_write("/tmp/never", &negative, 1, NULL, 0), GR_ERR_SHAPE, "impossible shape");
    assert_fails(gr__safetensors_write("/tmp/never", &absent, 1, NULL, 0), GR_ERR_ARGUMENT, "has no data");
    assert_fails(gr__safetensors_write("/nowhere/x", two, 1, NULL, 0), GR_ERR_NOT_FOUND, "cannot create '/nowhere/x");
    assert_false(gr__file_exists("/tmp/never"));
}

/* ---- folders ---- */

static void shards(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    float data[64];
    gr__named_tensor list[] = {named("c", GR_F32, data, 1, 20, 0), named("a", GR_F32, data, 1, 20, 0),
                               named("b", GR_F32, data, 1, 40, 0)};
    gr__weights *w;
    gr_tensor t;
    for (int i = 0; i < 64; i++) data[i] = (float)i;
    assert_fails(gr__weights_open(dir, &w), GR_ERR_NOT_FOUND, "it holds neither model.safetensors nor");
    assert_ok(gr__weights_write(dir, list, 3, NULL, 0, 250));
    assert_ok(gr__weights_open(dir, &w));
    assert_int_equal(gr__weights_count(w), 3);
    assert_string_equal(gr__weights_at(w, 0)->name, "a");
    assert_ok(gr__weights_get(w, "b", &t));
    assert_int_equal(t.dim[0], 40);
    assert_true(gr_tensor_get(&t, 39) == 39);
    assert_fails(gr__weights_get(w, "d", &t), GR_ERR_NOT_FOUND, "has no tensor 'd'; did you mean '");
    gr__weights_close(&w);
    char *text;
    size_t n;
    char *index = gr__path_join(dir, "model.safetensors.index.json");
    assert_ok(gr__file_read(index, 1 << 20, &text, &n));
    assert_string_equal(
        text, "{\n  \"metadata\": {\n    \"total_size\": 320\n  },\n  \"weight_map\": {\n"
              "    \"a\": \"model-00001-of-00002.safetensors\",\n    \"b\": \"model-00001-of-00002.safetensors\",\n"
              "    \"c\": \"model-00002-of-00002.safetensors\"\n  }\n}\n");
    gr__free(text);
    static const struct {
        const char *index;
        gr_status status;
        const char *message;
    } bad[] = {
        {"{\"weight_map\":{\"a\":\"../model.safetensors\"}}", GR_ERR_CORRUPT,
         "the file of tensor 'a' is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", GR_ERR_CORRUPT, "not a plain file name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", GR_ERR_CORRUPT, "not a plain file name"},
        {"{\"weight_map\":{\"a\":3}}", GR_ERR_CORRUPT, "not a plain file name"},
        {"{\"weight_map\":{\"z\":\"model-00001-of-00002.safetensors\"}}", GR_ERR_CORRUPT,
         "tensor 'z' is not in 'model-00001-of-00002.safetensors', where the index says it is"},
        {"{\"weight_map\":{\"a\":\"absent\"}}", GR_ERR_NOT_FOUND, "absent"},
        {"{\"weight_map\":[]}", GR_ERR_CORRUPT, "'weight_map' is missing or not a map"},
        {"{\"metadata\":{\"total_size\":\"x\"},\"weight_map\":{}}", GR_ERR_CORRUPT, "'total_size'"},
        {"{", GR_ERR_CORRUPT, "index.json:1:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_ok(gr__file_write(index, bad[i].index, strlen(bad[i].index)));
        assert_fails(gr__weights_open(index, &w), bad[i].status, bad[i].message);
    }
    assert_ok(gr__weights_write(dir, list, 2, NULL, 0, 0)); /* now one file: the index must go */
    assert_false(gr__file_exists(index));
    assert_ok(gr__weights_open(dir, &w));
    assert_int_equal(gr__weights_count(w), 2);
    gr__weights_close(&w);
    gr__free(index);
    test_rmtree(dir);
}

/* ---- hostile bytes ---- */

static void touch(const unsigned char *bytes, size_t n, size_t *accepted)
{
    gr__safetensors *file = NULL;
    unsigned char *copy;
    gr_status status = open_copy(bytes, n, &file, &copy);
    assert_true(status == GR_OK || status == GR_ERR_CORRUPT || status == GR_ERR_LIMIT);
    for (size_t i = 0; status == GR_OK && i < gr__safetensors_count(file); i++) {
        const gr__stored *t = gr__safetensors_at(file, i);
        double sum = 0;
        for (int64_t k = 0; k < gr_tensor_count(&t->tensor) && t->tensor.dtype; k++)
            sum += gr_tensor_get(&t->tensor, k) != 0;
        assert_true(sum >= 0 && gr__safetensors_find(file, t->name) == t);
    }
    *accepted += status == GR_OK;
    gr__safetensors_close(&file);
    free(copy);
}

static void mutants(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "0",   "1",   "-1", "4",    "255", "4294967296", "9223372036854775807", "18446744073709551615",
        "1e9", "0.5", "[]", "null", "\"\""};
    unsigned char seed_bytes[4096], bytes[4096];
    size_t seed_n = make("{\"__metadata__\":{\"k\":\"v\"},\"a\":" T("F32", "[2,3]", "[0,24]") ",\"b\":" T(
                             "U8", "[3]", "[24,27]") ",\"c\":" T("F16", "[2,0]", "[27,27]") "}",
                         27, seed_bytes);
    size_t accepted = 0, before = gr_memory_used_bytes();
    touch(seed_bytes, seed_n, &accepted);
    assert_int_equal(accepted, 1);
    for (size_t n = 0; n < seed_n; n++) touch(seed_bytes, n, &accepted);
    assert_int_equal(accepted, 1); /* every truncation is refused */
    for (uint64_t seed = 0; seed < 10000; seed++) {
        gr__rng r = gr__rng_make(11, seed);
        size_t n = seed_n;
        memcpy(bytes, seed_bytes, sizeof bytes);
        for (uint64_t k = 1 + gr__rng_below(&r, 3); k > 0; k--) {
            size_t at = gr__rng_below(&r, n);
            if (gr__rng_below(&r, 2)) {
                bytes[at] = (unsigned char)gr__rng_u32(&r);
                continue;
            }
            while (at < n && (bytes[at] < '0' || bytes[at] > '9')) at++; /* another number in the header */
            size_t end = at;
            while (end < n && bytes[end] >= '0' && bytes[end] <= '9') end++;
            const char *number = numbers[gr__rng_below(&r, sizeof numbers / sizeof numbers[0])];
            size_t m = strlen(number);
            memmove(bytes + at + m, bytes + end, n - end);
            memcpy(bytes + at, number, m);
            n = n - (end - at) + m;
            unsigned long long header = seed_bytes[0] + m - (end - at) + 256ull * seed_bytes[1];
            bytes[0] = (unsigned char)header;
            bytes[1] = (unsigned char)(header >> 8);
        }
        touch(bytes, n, &accepted);
    }
    assert_int_equal(gr_memory_used_bytes(), before);
}

/* A million tensors: linear time, memory in proportion. */
static void many_tensors(void **state)
{
    (void)state;
    gr__str s = {0};
    gr__safetensors *file;
    gr__str_add(&s, "00000000{");
    for (int i = 0; i < 200000; i++) gr__str_printf(&s, "%s\"t%d\":" T("F32", "[0]", "[0,0]"), i ? "," : "", i);
    gr__str_add(&s, "}");
    assert_ok(gr__str_check(&s));
    for (int i = 0; i < 8; i++) s.text[i] = (char)((s.n - 8) >> (8 * i));
    assert_ok(gr__safetensors_open_bytes((const unsigned char *)s.text, s.n, "many", &file));
    assert_int_equal(gr__safetensors_count(file), 200000);
    assert_non_null(gr__safetensors_find(file, "t199999"));
    gr__safetensors_close(&file);
    gr__str_release(&s);
}

/* ---- every allocation fails once ---- */

typedef struct failing {
    size_t at, n;
} failing;

static void *failing_resize(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    failing *f = user;
    (void)old_size;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (f->n++ == f->at) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

static void allocation_failures(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    float data[4] = {1, 2, 3, 4};
    gr__named_tensor list[] = {named("a", GR_F32, data, 1, 4, 0), named("b", GR_F32, data, 1, 4, 0)};
    gr__name_value metadata = {"k", "v"};
    size_t before = gr_memory_used_bytes();
    for (size_t at = 0, done = 0; !done; at++) {
        failing f = {.at = at};
        gr_allocator allocator = {failing_resize, &f};
        gr__weights *w = NULL;
        gr_set_allocator(&allocator);
        gr_status status = gr__weights_write(dir, list, 2, &metadata, 1, 16);
        if (status == GR_OK) status = gr__weights_open(dir, &w);
        gr__weights_close(&w);
        done = f.n <= at;
        gr_set_allocator(NULL);
        if (done)
            assert_ok(status);
        else
            assert_int_equal(status, GR_ERR_MEMORY);
        assert_int_equal(gr_memory_used_bytes(), before);
    }
    test_rmtree(dir);
}

/* ---- llama2.c ---- */

static void llama2c(void **state)
{
    (void)state;
    const char *path = test_data("models/stories260K/stories260K.bin");
    if (!path) skip();
    gr__llama2c m;
    assert_ok(gr__llama2c_open(path, &m));
    assert_true(m.dim == 64 && m.hidden == 172 && m.layers == 5 && m.heads == 8 && m.kv_heads == 4 && m.vocab == 512 &&
                m.context == 512);
    assert_true(m.tied && m.output == m.token_embedding);
    assert_true(m.freq_real[0] == 1 && m.freq_imag[0] == 0); /* position 0: cos 0, sin 0 */
    assert_true(m.freq_imag + 512 * 4 == (const float *)(const void *)(m.map.data + m.map.n));
    const char *dir = test_tmpdir();
    const char *cut = test_write(dir, "cut.bin", m.map.data, m.map.n - 4);
    gr__llama2c bad;
    assert_fails(gr__llama2c_open(cut, &bad), GR_ERR_CORRUPT, "are too few for the sizes in its header");
    assert_fails(gr__llama2c_open(test_write(dir, "short.bin", m.map.data, 27), &bad), GR_ERR_CORRUPT, "too short");
    unsigned char head[28];
    for (int field = 0; field < 7; field++)
        for (int value = 0; value < 4; value++) {
            static const uint32_t values[] = {0, 0x7fffffff, 0x80000000, 1u << 24};
            memcpy(head, m.map.data, 28);
            memcpy(head + 4 * field, &values[value], 4);
            assert_fails(gr__llama2c_open(test_write(dir, "h.bin", head, 28), &bad), GR_ERR_CORRUPT, "cannot load '");
        }
    gr__llama2c_close(&m);
    test_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(sizes),
        cmocka_unit_test(accepts),
        cmocka_unit_test(reference_bytes),
        cmocka_unit_test(conformance),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(shards),
        cmocka_unit_test(mutants),
        cmocka_unit_test(many_tensors),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(llama2c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
