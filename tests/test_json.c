/* base/json: every file of the JSONTestSuite, messages, getters, writing; and BLAKE2b against RFC 7693. */
#include "tests/test.h"

#include "base/blake2b.h"
#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

/* The suite demands these; the library refuses them on purpose. */
static const char *const stricter[] = {
    "y_object_duplicated_key.json",           /* duplicate keys */
    "y_object_duplicated_key_and_value.json", /* duplicate keys */
    "y_object_escaped_null_in_key.json",      /* NUL in a key */
};

static bool is_stricter(const char *name)
{
    for (size_t i = 0; i < sizeof stricter / sizeof stricter[0]; i++)
        if (strcmp(name, stricter[i]) == 0) return true;
    return false;
}

static void conformance(void **state)
{
    (void)state;
    const char *folder = test_data("conformance/json");
    char **names;
    size_t n, accepted = 0, refused = 0;
    if (!folder) skip();
    assert_ok(gr__dir_list(folder, false, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char *path = gr__path_join(folder, names[i]);
        gr__json_doc *doc = NULL;
        gr_status status = gr__json_read(path, 1 << 20, &doc);
        bool must_accept = names[i][0] == 'y' && !is_stricter(names[i]);
        bool must_refuse = names[i][0] == 'n' || is_stricter(names[i]);
        if (must_accept && status != GR_OK) fail_msg("%s refused: %s", names[i], gr_message());
        if (must_refuse && status == GR_OK) fail_msg("%s accepted", names[i]);
        if (status != GR_OK) assert_non_null(strstr(gr_message(), names[i]));
        accepted += status == GR_OK;
        refused += status != GR_OK;
        gr__json_free(&doc);
        gr__free(path);
    }
    gr__names_free(names, n);
    assert_true(n > 200 && accepted > 50 && refused > 80);
}

static gr_status parse(const char *text)
{
    gr__json_doc *doc = NULL;
    gr_status status = gr__json_parse(text, strlen(text), "x.json", &doc);
    gr__json_free(&doc);
    return status;
}

static void messages(void **state)
{
    (void)state;
    assert_fails(parse("{\"a\": 1,\n \"a\": 2}"), GR_ERR_CORRUPT, "x.json:2:4: duplicate object key near '\"a\"'");
    assert_fails(parse("[1, 2"), GR_ERR_CORRUPT, "x.json:1:5: ");
    assert_fails(parse(""), GR_ERR_CORRUPT, "x.json:1:0: ");
    assert_fails(parse("[\x1b]"), GR_ERR_CORRUPT, "x.json:1:");
    assert_null(strchr(gr_message(), 0x1b)); /* nothing of a file reaches a terminal as it is */
    char deep[200] = {0};
    memset(deep, '[', 65);
    assert_fails(parse(deep), GR_ERR_LIMIT, "x.json:1:65: nested deeper than 64 levels");
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    assert_ok(parse(deep));
    assert_ok(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]"));
}

static void getters(void **state)
{
    (void)state;
    static const char text[] =
        "{\"s\": \"h\\u00e9\\u0000x\", \"i\": -7, \"r\": 3.0, \"f\": 0.5, \"t\": true, \"n\": null,"
        " \"a\": [1, [2]], \"big\": 9223372036854775807, \"huge\": 1e300}";
    gr__json_doc *doc;
    const char *s;
    size_t n;
    int64_t i;
    double d;
    bool b;
    assert_ok(gr__json_parse(text, sizeof text - 1, "x", &doc));
    gr__json o = gr__json_root(doc);
    assert_int_equal(gr__json_kind_of(o), GR__JSON_OBJECT);
    assert_int_equal(gr__json_count(o), 9);
    assert_true(gr__json_string(gr__json_get(o, "s"), &s, &n) && n == 5 && memcmp(s, "h\xc3\xa9\0x", 5) == 0);
    assert_true(gr__json_int(gr__json_get(o, "i"), &i) && i == -7);
    assert_true(gr__json_int(gr__json_get(o, "r"), &i) && i == 3);
    assert_true(gr__json_int(gr__json_get(o, "big"), &i) && i == INT64_MAX);
    assert_false(gr__json_int(gr__json_get(o, "f"), &i));
    assert_false(gr__json_int(gr__json_get(o, "huge"), &i));
    assert_true(gr__json_double(gr__json_get(o, "i"), &d) && d == -7);
    assert_true(gr__json_bool(gr__json_get(o, "t"), &b) && b);
    assert_false(gr__json_bool(gr__json_get(o, "n"), &b));
    assert_int_equal(gr__json_kind_of(gr__json_get(o, "n")), GR__JSON_NULL);
    assert_int_equal(gr__json_kind_of(gr__json_get(o, "absent")), GR__JSON_NONE);
    assert_int_equal(gr__json_count(gr__json_get(o, "a")), 2);
    assert_int_equal(gr__json_kind_of(gr__json_at(gr__json_get(o, "a"), 1)), GR__JSON_ARRAY);
    assert_null(gr__json_at(gr__json_get(o, "a"), 2));
    assert_null(gr__json_get(gr__json_get(o, "absent"), "x"));
    assert_int_equal(gr__json_count(NULL), 0);
    const char *const order[] = {"s", "i", "r", "f", "t", "n", "a", "big", "huge"};
    size_t k = 0;
    for (void *it = gr__json_first(o); it; it = gr__json_next(o, it)) assert_string_equal(gr__json_key(it), order[k++]);
    assert_int_equal(k, 9);
    assert_null(gr__json_first(NULL));
    gr__json_free(&doc);
    assert_null(doc);
}

/* Transformers' "no limit"; the other numbers of such a file can still be asked for as whole ones. */
static void numbers_beyond_64_bits(void **state)
{
    (void)state;
    static const char text[] = "{\"model_max_length\": 1000000000000000019884624838656, \"id\": 7}";
    gr__json_doc *doc;
    int64_t id;
    double most;
    assert_ok(gr__json_parse(text, sizeof text - 1, "test", &doc));
    assert_true(gr__json_int(gr__json_get(gr__json_root(doc), "id"), &id) && id == 7);
    assert_true(gr__json_double(gr__json_get(gr__json_root(doc), "model_max_length"), &most) && most == 1e30);
    assert_false(gr__json_int(gr__json_get(gr__json_root(doc), "model_max_length"), &id));
    gr__json_free(&doc);
    assert_fails(gr__json_parse("[1e999]", 7, "test", &doc), GR_ERR_CORRUPT, "test:1");
}

static void writing(void **state)
{
    (void)state;
    gr__str s = {0};
    gr__json_add_string(&s, "a\"\\\n\x01\xc3\xa9\xff/\0z", 11);
    gr__str_add_char(&s, ' ');
    gr__json_add_double(&s, 0.1);
    gr__str_add_char(&s, ' ');
    gr__json_add_double(&s, (double)NAN);
    assert_ok(gr__str_check(&s));
    assert_string_equal(s.text, "\"a\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd/\\u0000z\" 0.1 null");
    gr__str_release(&s);
}

static void blake2b(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *sum;
    } vectors[] = {/* bytes i*7 + i/256; made with hashlib.blake2b(x, digest_size=32) */
                   {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
                   {128, "14696d2a98d9f8a280da8b132b1045b345e1033759c6b02fcc4ee885c8ae7c37"},
                   {100000, "c78a250eae2dcf122d0452fe67cd4851a975146239a4fbd425869f4773a7916b"}};
    static unsigned char bytes[100000];
    char hex[GR__BLAKE2B_HEX];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 7 + i / 256);
    gr__blake2b_hex_of("abc", 3, hex);
    assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    for (size_t v = 0; v < 3; v++) {
        gr__blake2b_hex_of(bytes, vectors[v].n, hex);
        assert_string_equal(hex, vectors[v].sum);
        for (size_t step = 1; step < 300; step += 13) { /* any cut gives the same */
            gr__blake2b s;
            unsigned char out[GR__BLAKE2B_BYTES];
            gr__blake2b_init(&s);
            for (size_t i = 0; i < vectors[v].n; i += step)
                gr__blake2b_add(&s, bytes + i, i + step < vectors[v].n ? step : vectors[v].n - i);
            gr__blake2b_end(&s, out);
            gr__hex(out, sizeof out, hex);
            assert_string_equal(hex, vectors[v].sum);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance), cmocka_unit_test(messages),
        cmocka_unit_test(getters),     cmocka_unit_test(numbers_beyond_64_bits),
        cmocka_unit_test(writing),     cmocka_unit_test(blake2b),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
