/* conf/: what YAML becomes, golden messages, overrides, schema, rendering. */
#include "tests/test.h"

#include "base/rng.h"
#include "conf/conf.h"
#include "conf/schema.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static gr__arena arena;

static int release(void **state)
{
    (void)state;
    gr__arena_release(&arena);
    return 0;
}

static gr__conf *parse(const char *text)
{
    gr__conf *root = NULL;
    assert_ok(gr__conf_parse(text, strlen(text), "t.yaml", &arena, &root));
    return root;
}

/* The text must be refused with exactly this message. */
static void refused(const char *text, const char *message)
{
    gr__conf *root;
    assert_int_equal(gr__conf_parse(text, strlen(text), "t.yaml", &arena, &root), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), message);
}

static const char *render(const gr__conf *node)
{
    static gr__str s;
    gr__str_clear(&s);
    if (!node) {
        gr__str_release(&s);
        return "";
    }
    gr__conf_write_yaml(node, &s);
    assert_ok(gr__str_check(&s));
    return gr__str_get(&s);
}

static void tree(void **state)
{
    (void)state;
    gr__conf *root = parse("task: text-generation   # comment\n"
                           "data: {source: texts/, split: {train: 0.98, valid: 0.02}}\n"
                           "model:\n  hidden: [128, 64]\n  no: no\n  empty:\n  quoted: \"\"\n");
    assert_string_equal(gr__conf_text(root, "task", ""), "text-generation");
    assert_string_equal(gr__conf_text(root, "data.split.valid", ""), "0.02");
    assert_string_equal(gr__conf_text(root, "model.hidden.1", ""), "64");
    assert_string_equal(gr__conf_text(root, "model.no", ""), "no");
    assert_null(gr__conf_find(root, "model.hidden.2"));
    assert_null(gr__conf_find(root, "model.hidden.x"));
    assert_null(gr__conf_find(root, "task.x"));
    assert_string_equal(gr__conf_text(root, "model.empty", "other"), "other");
    assert_string_equal(gr__conf_text(root, "model.quoted", "other"), "");
    assert_true(gr__conf_is_null(gr__conf_find(root, "model.empty")));
    assert_string_equal(gr__conf_origin(gr__conf_find(root, "data.split.valid"), &arena), "t.yaml:2:52");
    assert_int_equal(parse("# nothing\n")->kind, GR__CONF_MAP);
    assert_int_equal(parse("")->count, 0);
}

static void refusals(void **state)
{
    (void)state;
    refused("a: 1\nb: 2\na: 3\n", "t.yaml:3:1: this key stands twice in the same map; remove one of them\n  a: 3\n  ^");
    refused("a: &x 1\n", "t.yaml:1:4: anchors (&name) are not allowed\n  a: &x 1\n     ^");
    refused("a: {b: *x}\n", "t.yaml:1:8: aliases (*name) are not allowed; repeat the value\n  a: {b: *x}\n         ^");
    refused("a: !!int 1\n", "t.yaml:1:4: tags (!name) are not allowed\n  a: !!int 1\n     ^");
    refused("a: !x [1]\n", "t.yaml:1:4: tags (!name) are not allowed\n  a: !x [1]\n     ^");
    refused("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document starts here; only one is allowed\n  ---\n  ^");
    refused("- a\n- b\n", "t.yaml:1:1: a configuration is a map like 'train: {steps: 100}', found a list\n  - a\n  ^");
    refused("[a, b]: 1\n", "t.yaml:1:1: a key must be a plain word, not a list or a map\n  [a, b]: 1\n  ^");
    refused("a:\n\tb: 1\n",
            "t.yaml:2:1: found character that cannot start any token (while scanning for the next token); "
            "indent with blanks, not tabs\n  \tb: 1\n  ^");
    refused("a: [1, 2\nb: 3\n",
            "t.yaml:2:2: did not find expected ',' or ']' (while parsing a flow sequence)\n  b: 3\n   ^");
    refused(
        "\xc3\xa9t\xc3\xa9: ${GRADUS_TEST_UNSET}\n",
        "t.yaml:1:6: environment variable 'GRADUS_TEST_UNSET' is not set; set it, or write $${GRADUS_TEST_UNSET} for "
        "this very text\n  \xc3\xa9t\xc3\xa9: ${GRADUS_TEST_UNSET}\n       ^");
    gr__conf *root;
    assert_fails(gr__conf_parse("a: \xff", 4, "t.yaml", &arena, &root), GR_ERR_CONFIG, "t.yaml: byte 3: ");
    assert_fails(gr__conf_parse("a: \"x\\0y\"", 9, "t.yaml", &arena, &root), GR_ERR_CONFIG, "NUL");
    char deep[200];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "a: ", 3);
    assert_fails(gr__conf_parse(deep, sizeof deep, "t.yaml", &arena, &root), GR_ERR_CONFIG,
                 "nested deeper than 64 levels");
    char *large = gr__alloc((1 << 20) + 1);
    memset(large, '#', (1 << 20) + 1);
    assert_fails(gr__conf_parse(large, (1 << 20) + 1, "t.yaml", &arena, &root), GR_ERR_CONFIG,
                 "larger than 1048576 bytes");
    gr__free(large);
    assert_fails(gr__conf_load("/nowhere.yaml", &arena, &root), GR_ERR_NOT_FOUND, "/nowhere.yaml");
}

/* 100,000 keys in one map: a duplicate test by nested loops would take minutes. */
static void many_keys(void **state)
{
    (void)state;
    gr__str s = {0};
    gr__conf *root;
    for (int i = 0; i < 90000; i++) gr__str_printf(&s, "k%d: \n", i);
    assert_ok(gr__conf_parse(s.text, s.n, "t.yaml", &arena, &root));
    assert_int_equal(root->count, 90000);
    gr__str_release(&s);
}

static void environment(void **state)
{
    (void)state;
    setenv("GRADUS_TEST_NAME", "a: b # c", 1);
    gr__conf *root = parse("x: pre-${GRADUS_TEST_NAME}-post\ny: '$${GRADUS_TEST_NAME}'\nz: a${ ${1} $\n");
    assert_string_equal(gr__conf_text(root, "x", ""), "pre-a: b # c-post");
    assert_string_equal(gr__conf_text(root, "y", ""), "${GRADUS_TEST_NAME}");
    assert_string_equal(gr__conf_text(root, "z", ""), "a${ ${1} $");
    root =
        parse("m: {x: ${GRADUS_TEST_NAME}, l: [pre${GRADUS_TEST_NAME}, \"$${B}\"], ${K}: 1}"); /* inside braces too */
    assert_string_equal(gr__conf_text(root, "m.x", ""), "a: b # c");
    assert_string_equal(gr__conf_text(root, "m.l.0", ""), "prea: b # c");
    assert_string_equal(gr__conf_text(root, "m.l.1", ""), "${B}");
    assert_string_equal(gr__conf_text(root, "m.${K}", ""), "1");
    assert_ok(gr__conf_override(root, "m.x=<${GRADUS_TEST_NAME}>", "command line", &arena));
    assert_string_equal(gr__conf_text(root, "m.x", ""), "<a: b # c>");
    char *before = getenv("GRADUS_DATA") ? gr__strdup(getenv("GRADUS_DATA")) : NULL;
    unsetenv("GRADUS_DATA");
    assert_string_equal(gr__conf_text(parse("p: ${GRADUS_DATA}/text"), "p", ""), "../shared/data/text");
    if (before) setenv("GRADUS_DATA", before, 1);
    gr__free(before);
    setenv("GRADUS_TEST_NAME", "\xff", 1);
    refused("x: ${GRADUS_TEST_NAME}", "t.yaml:1:4: environment variable 'GRADUS_TEST_NAME' is not UTF-8 text\n"
                                      "  x: ${GRADUS_TEST_NAME}\n     ^");
    unsetenv("GRADUS_TEST_NAME");
}

static void overrides(void **state)
{
    (void)state;
    gr__conf *root = parse("train: {lr: 1e-3, steps: 5}\nfiles: [a, b]\n");
    assert_ok(gr__conf_override(root, "train.steps=10", "command line", &arena));
    assert_ok(gr__conf_override(root, "model.hidden=[1, 2]", "command line", &arena));
    assert_ok(gr__conf_override(root, "data.split.train=0.9", "command line", &arena));
    assert_ok(gr__conf_override(root, "files.1=c", "command line", &arena));
    assert_ok(gr__conf_override(root, "prompt=Once: a # time = 5", "command line", &arena));
    assert_ok(gr__conf_override(root, "train.lr.schedule=cosine", "command line", &arena));
    assert_ok(gr__conf_override(root, "empty=", "command line", &arena));
    assert_string_equal(render(root),
                        "train:\n  lr:\n    \"\": 1e-3\n    schedule: cosine\n  steps: 10\nfiles: [a, c]\nmodel:\n"
                        "  hidden: [1, 2]\ndata:\n  split:\n    train: 0.9\nprompt: \"Once: a # time = 5\"\n"
                        "empty: null\n");
    assert_string_equal(gr__conf_origin(gr__conf_find(root, "train.steps"), &arena), "command line");
    assert_fails(gr__conf_override(root, "train.steps", "command line", &arena), GR_ERR_CONFIG,
                 "write it like train.lr=1e-3");
    assert_fails(gr__conf_override(root, "=3", "command line", &arena), GR_ERR_CONFIG, "'=3' is not a setting");
    assert_fails(gr__conf_override(root, "a..b=3", "command line", &arena), GR_ERR_CONFIG,
                 "command line: 'a..b' is not a path");
    assert_fails(gr__conf_override(root, "files.2=c", "command line", &arena), GR_ERR_CONFIG,
                 "'2' is not a place in a list of 2");
    assert_fails(gr__conf_override(root, "x=[1", "command line", &arena), GR_ERR_CONFIG, "\n  x=[1\n      ^");
    assert_fails(gr__conf_override(root, "x={a: *b}", "command line", &arena), GR_ERR_CONFIG, "aliases");
    assert_fails(gr__conf_override(root, "x=\xff", "command line", &arena), GR_ERR_CONFIG, "not UTF-8");
}

static void merging(void **state)
{
    (void)state;
    gr__conf *a = parse("train: {lr: 1e-3, steps: 5}\nlist: [1, 2]\nx: 1\n");
    assert_ok(gr__conf_merge(a, parse("train: {steps: 7, lr: {warmup: 3}}\nlist: [3]\ny: {z: 1}\n"), &arena));
    assert_string_equal(render(a),
                        "train:\n  lr:\n    \"\": 1e-3\n    warmup: 3\n  steps: 7\nlist: [3]\nx: 1\ny:\n  z: 1\n");
}

static void building(void **state)
{
    (void)state;
    gr__conf *root = gr__conf_new(GR__CONF_MAP, &arena), *list = gr__conf_new(GR__CONF_SEQ, &arena);
    assert_ok(gr__conf_set(root, "a.b", "text", &arena));
    assert_ok(gr__conf_set(root, "a.null", "null", &arena));
    assert_ok(gr__conf_set_int(root, "a.n", -3, &arena));
    assert_ok(gr__conf_set_double(root, "lr", 1e-4, &arena));
    assert_ok(gr__conf_put(list, NULL, gr__conf_new_text("x y", false, &arena), &arena));
    assert_ok(gr__conf_put(list, NULL, gr__conf_new(GR__CONF_MAP, &arena), &arena));
    assert_ok(gr__conf_set_node(root, "list", list, &arena));
    assert_string_equal(render(root), "a:\n  b: text\n  \"null\": \"null\"\n  n: -3\nlr: 0.0001\nlist: [x y, {}]\n");
}

/* ---- schema ---- */

typedef struct options {
    int64_t steps;
    int threads;
    double lr, beta;
    bool shuffle;
    const char *out;
    int schedule;
    gr__conf_ints hidden;
    gr__conf_doubles weights;
    gr__conf_strings metrics;
    const gr__conf *optimizer;
} options;

static const char *const schedules[] = {"constant", "cosine", "linear", NULL};
static const char *const metrics[] = {"accuracy", "f1", NULL};
static const gr__conf_row rows[] = {
    {"steps", GR__CONF_INT, offsetof(options, steps), 1, 1e9, NULL, "1000", "optimiser steps", 0},
    {"threads", GR__CONF_INT32, offsetof(options, threads), 0, 64, NULL, NULL, "threads", GR__CONF_AUTO},
    {"lr", GR__CONF_DOUBLE, offsetof(options, lr), 0, 0, NULL, "1e-3", "learning rate",
     GR__CONF_ABOVE_MIN | GR__CONF_AUTO | GR__CONF_MAIN},
    {"beta", GR__CONF_DOUBLE, offsetof(options, beta), 0, 1, NULL, "0.9", "momentum", GR__CONF_BELOW_MAX},
    {"shuffle", GR__CONF_BOOL, offsetof(options, shuffle), 0, 0, NULL, "true", "shuffle", 0},
    {"out", GR__CONF_STRING, offsetof(options, out), 0, 0, NULL, "", "folder", 0},
    {"schedule", GR__CONF_ENUM, offsetof(options, schedule), 0, 0, schedules, "cosine", "of lr", 0},
    {"hidden", GR__CONF_INT_LIST, offsetof(options, hidden), 1, 4096, NULL, "[128, 64]", "sizes", 0},
    {"weights", GR__CONF_DOUBLE_LIST, offsetof(options, weights), 0, 0, NULL, NULL, "of classes", 0},
    {"metrics", GR__CONF_STRING_LIST, offsetof(options, metrics), 0, 0, metrics, "", "to report", 0},
    {"optimizer", GR__CONF_SECTION, offsetof(options, optimizer), 0, 0, NULL, NULL, "optimiser", 0},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static gr_status read_options(const char *text, options *o)
{
    return gr__conf_read(gr__conf_find(parse(text), "train"), "train", rows, N_ROWS, o, &arena);
}

static void wrong(const char *text, const char *message)
{
    options o;
    assert_int_equal(read_options(text, &o), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), message);
}

static void schema_values(void **state)
{
    (void)state;
    options o;
    memset(&o, 0xAA, sizeof o);
    assert_ok(gr__conf_read(NULL, "train", rows, N_ROWS, &o, &arena));
    assert_int_equal(o.steps, 1000);
    assert_int_equal(o.threads, 0);
    assert_true(o.lr == 1e-3 && o.beta == 0.9 && o.shuffle);
    assert_string_equal(o.out, "");
    assert_int_equal(o.schedule, 1);
    assert_int_equal(o.hidden.n, 2);
    assert_int_equal(o.hidden.item[1], 64);
    assert_int_equal(o.weights.n, 0);
    assert_int_equal(o.metrics.n, 0);
    assert_null(o.optimizer);
    assert_ok(read_options("train:\n  steps: 1_000_000\n  threads: 1e1\n  lr: auto\n  shuffle: No\n  out: 007\n"
                           "  schedule: linear\n  hidden: 32\n  weights: [1, 2.5]\n  metrics: [f1]\n  beta: null\n"
                           "  optimizer: adamw\n",
                           &o));
    assert_int_equal(o.steps, 1000000);
    assert_int_equal(o.threads, 10);
    assert_true(isnan(o.lr) && o.beta == 0.9 && !o.shuffle);
    assert_string_equal(o.out, "007");
    assert_int_equal(o.schedule, 2);
    assert_int_equal(o.hidden.n, 1);
    assert_int_equal(o.hidden.item[0], 32);
    assert_true(o.weights.n == 2 && o.weights.item[1] == 2.5);
    assert_string_equal(o.metrics.item[0], "f1");
    assert_string_equal(o.optimizer->text, "adamw");
    assert_ok(read_options("train:\n", &o)); /* everything commented out */
    assert_ok(read_options("train: 0.5\n", &o));
    assert_true(o.lr == 0.5 && o.steps == 1000);
    assert_ok(read_options("train: {threads: auto}\n", &o));
    assert_int_equal(o.threads, INT_MIN);
    gr__conf *root = parse("train: 0.5\n"); /* the main value stays when an override adds a key */
    assert_ok(gr__conf_override(root, "train.steps=9", "command line", &arena));
    assert_ok(gr__conf_read(gr__conf_get(root, "train"), "train", rows, N_ROWS, &o, &arena));
    assert_true(o.lr == 0.5 && o.steps == 9);
}

static void schema_failures(void **state)
{
    (void)state;
    wrong("train: {stesp: 5}\n",
          "t.yaml:1:9: unknown key 'stesp' in 'train'; did you mean 'steps'?\n  train: {stesp: 5}\n"
          "          ^");
    wrong(
        "train: {zzzzzzzz: 5}\n",
        "t.yaml:1:9: unknown key 'zzzzzzzz' in 'train'; known keys: steps, threads, lr, beta, shuffle, out, schedule, "
        "hidden, "
        "weights, metrics, optimizer\n  train: {zzzzzzzz: 5}\n          ^");
    wrong("train: {steps: many}\n", "t.yaml:1:16: 'train.steps' must be an integer from 1 to 1e+09, found 'many'\n"
                                    "  train: {steps: many}\n                 ^");
    wrong("train: {steps: 0}\n", "t.yaml:1:16: 'train.steps' must be an integer from 1 to 1e+09, found '0'\n"
                                 "  train: {steps: 0}\n                 ^");
    wrong("train: {steps: 1.5}\n", "t.yaml:1:16: 'train.steps' must be an integer from 1 to 1e+09, found '1.5'\n"
                                   "  train: {steps: 1.5}\n                 ^");
    wrong("train: {lr: [1]}\n", "t.yaml:1:13: 'train.lr' must be a number above 0 or auto, found a list\n"
                                "  train: {lr: [1]}\n              ^");
    wrong("train: {lr: 0}\n", "t.yaml:1:13: 'train.lr' must be a number above 0 or auto, found '0'\n"
                              "  train: {lr: 0}\n              ^");
    wrong("train: {beta: 1}\n", "t.yaml:1:15: 'train.beta' must be a number from 0 and below 1, found '1'\n"
                                "  train: {beta: 1}\n                ^");
    wrong("train: {beta: nan}\n", "t.yaml:1:15: 'train.beta' must be a number from 0 and below 1, found 'nan'\n"
                                  "  train: {beta: nan}\n                ^");
    wrong("train: {shuffle: maybe}\n", "t.yaml:1:18: 'train.shuffle' must be true or false, found 'maybe'\n"
                                       "  train: {shuffle: maybe}\n                   ^");
    wrong("train:\n  schedule: cosinus\n",
          "t.yaml:2:13: 'train.schedule' must be one of: constant, cosine, linear, found 'cosinus'; did you "
          "mean 'cosine'?\n"
          "    schedule: cosinus\n              ^");
    wrong("train: {hidden: [1, x]}\n",
          "t.yaml:1:21: 'train.hidden' must be a list of integers from 1 to 4096, found 'x'\n"
          "  train: {hidden: [1, x]}\n                      ^");
    wrong("train: {hidden: {a: 1}}\n",
          "t.yaml:1:17: 'train.hidden' must be a list of integers from 1 to 4096, found a map\n"
          "  train: {hidden: {a: 1}}\n                  ^");
    wrong("train: {metrics: [f2]}\n",
          "t.yaml:1:19: 'train.metrics' must be a list of texts out of: accuracy, f1, found 'f2'; "
          "did you mean 'f1'?\n  train: {metrics: [f2]}\n                    ^");
    wrong("train: {out: [a]}\n",
          "t.yaml:1:14: 'train.out' must be a text, found a list\n  train: {out: [a]}\n               ^");
    gr__conf *root = parse("train: {steps: 5}\n");
    options o;
    assert_ok(gr__conf_override(root, "train.bate=0.5", "command line", &arena));
    assert_int_equal(gr__conf_read(gr__conf_get(root, "train"), "train", rows, N_ROWS, &o, &arena), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), "command line: unknown key 'bate' in 'train'; did you mean 'beta'?\n"
                                      "  train.bate=0.5\n        ^");
    root = parse("train: {steps: 5}\n");
    assert_ok(gr__conf_override(root, "train.steps=x", "command line", &arena));
    assert_int_equal(gr__conf_read(gr__conf_get(root, "train"), "train", rows, N_ROWS, &o, &arena), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), "command line: 'train.steps' must be an integer from 1 to 1e+09, found 'x'\n"
                                      "  train.steps=x\n              ^");
}

static void required(void **state)
{
    (void)state;
    typedef struct data {
        const char *source;
    } data;
    static const gr__conf_row row = {"source", GR__CONF_STRING,  offsetof(data, source), 0, 0, NULL,
                                     NULL,     "file or folder", GR__CONF_REQUIRED};
    data d;
    gr__conf *root = parse("data: {}\nother: {source: x}\nplain: y\n");
    assert_int_equal(gr__conf_read(gr__conf_get(root, "data"), "data", &row, 1, &d, &arena), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), "t.yaml:1:1: 'data.source' is missing: file or folder (a text)\n  data: {}\n  ^");
    assert_int_equal(gr__conf_read(NULL, "data", &row, 1, &d, &arena), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), "'data.source' is missing: file or folder (a text)");
    assert_ok(gr__conf_read(gr__conf_get(root, "other"), "other", &row, 1, &d, &arena));
    assert_string_equal(d.source, "x");
    assert_int_equal(gr__conf_read(gr__conf_get(root, "plain"), "plain", &row, 1, &d, &arena), GR_ERR_CONFIG);
    assert_string_equal(gr_message(), "t.yaml:3:8: 'plain' must be a map of keys, found 'y'\n  plain: y\n         ^");
}

static void given(void **state)
{
    (void)state;
    const gr__conf_row *main = NULL, *other = NULL;
    for (size_t i = 0; i < N_ROWS; i++) *(rows[i].flags & GR__CONF_MAIN ? &main : &other) = &rows[i];
    gr__conf *root = parse("alone: 0.5\nnone: null\nmap: {}\n");
    assert_true(gr__conf_given(gr__conf_get(root, "alone"), main));
    assert_false(gr__conf_given(gr__conf_get(root, "alone"), other));
    assert_false(gr__conf_given(gr__conf_get(root, "none"), main));
    assert_false(gr__conf_given(gr__conf_get(root, "map"), main));
    assert_false(gr__conf_given(NULL, main));
    assert_ok(gr__conf_override(root, "alone.steps=3", "command line", &arena));
    assert_true(gr__conf_given(gr__conf_get(root, "alone"), main));
}

/* ---- rendering reads back ---- */

static bool same(const gr__conf *a, const gr__conf *b)
{
    if (a->kind != b->kind || a->count != b->count || gr__conf_is_null(a) != gr__conf_is_null(b)) return false;
    if (!gr__conf_is_null(a) && strcmp(a->text, b->text) != 0) return false;
    if ((a->key != NULL) != (b->key != NULL) || (a->key && strcmp(a->key, b->key) != 0)) return false;
    for (a = a->first, b = b->first; a; a = a->next, b = b->next)
        if (!same(a, b)) return false;
    return true;
}

static const char *random_text(gr__rng *r)
{
    static const char *const pieces[] = {"a",
                                         "B",
                                         "1",
                                         ".",
                                         " ",
                                         "\n",
                                         "\t",
                                         "'",
                                         "\"",
                                         "\\",
                                         ":",
                                         "#",
                                         "-",
                                         "${X}",
                                         "$",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         "&",
                                         "*",
                                         "!",
                                         "|",
                                         ">",
                                         "%",
                                         "@",
                                         "`",
                                         "~",
                                         "null",
                                         "?",
                                         "\xc3\xa9",
                                         "\xc2\x85",
                                         "\xe2\x80\xa8",
                                         "\xef\xbb\xbf",
                                         "\xf0\x9f\x98\x80",
                                         "\x01",
                                         "=",
                                         "\r",
                                         "\x7f",
                                         "\xef\xbf\xbf"};
    static char text[64];
    text[0] = 0;
    for (uint64_t n = gr__rng_below(r, 6); n > 0; n--)
        strcat(text, pieces[gr__rng_below(r, sizeof pieces / sizeof pieces[0])]);
    return text;
}

static gr__conf *random_tree(gr__rng *r, int depth)
{
    uint64_t kind = depth == 0 ? GR__CONF_MAP : gr__rng_below(r, depth > 3 ? 1 : 4);
    if (kind == 0 || kind == 3) return gr__conf_new_text(random_text(r), gr__rng_below(r, 2), &arena);
    gr__conf *node = gr__conf_new((gr__conf_kind)kind, &arena);
    for (uint64_t n = gr__rng_below(r, 5); n > 0; n--) {
        const char *key = kind == GR__CONF_MAP ? gr__arena_strdup(&arena, random_text(r)) : NULL;
        assert_ok(gr__conf_put(node, key, random_tree(r, depth + 1), &arena));
    }
    return node;
}

static void rendering(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        gr__rng r = gr__rng_make(7, seed);
        gr__conf *a = random_tree(&r, 0), *b = NULL;
        const char *text = render(a);
        if (gr__conf_parse(text, strlen(text), "t.yaml", &arena, &b) != GR_OK)
            fail_msg("seed %d: %s\n%s", (int)seed, gr_message(), text);
        if (!same(a, b)) fail_msg("seed %d: not the same:\n%s", (int)seed, text);
        char *once = gr__strdup(text);
        assert_string_equal(render(b), once);
        gr__free(once);
        gr__arena_release(&arena);
    }
}

/* Any bytes: a tree or a refusal, never more. */
static void mutants(void **state)
{
    (void)state;
    static const char seed_text[] =
        "a: {b: [1, 'x', \"y\\n\"], c: |\n  text\n}\nd:\n  - e: ${GRADUS_DATA}\n  - f: ~ # g\n? h\n: i\n";
    char text[sizeof seed_text];
    for (uint64_t seed = 0; seed < 20000; seed++) {
        gr__rng r = gr__rng_make(8, seed);
        gr__conf *root;
        memcpy(text, seed_text, sizeof text);
        for (uint64_t n = 1 + gr__rng_below(&r, 4); n > 0; n--)
            text[gr__rng_below(&r, sizeof text - 1)] =
                gr__rng_below(&r, 2) ? (char)gr__rng_u32(&r) : "{}[]:-#&*!|>'\"\n %@?"[gr__rng_below(&r, 20)];
        size_t n = gr__rng_below(&r, sizeof text);
        gr_status status = gr__conf_parse(text, n, "t.yaml", &arena, &root);
        assert_true(status == GR_OK || status == GR_ERR_CONFIG);
        if (status == GR_OK) render(root);
        gr__arena_release(&arena);
    }
    render(NULL);
}

/* ---- every allocation fails once ---- */

typedef struct failing {
    size_t at, n;
} failing;

static void *failing_resize(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    failing *f = user;
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

static gr_status whole_life(void)
{
    static const char text[] = "train: {lr: 1e-3, hidden: [1, 2], out: ${GRADUS_DATA}, optimizer: {a: b}}\n";
    gr__conf *root;
    gr__str s = {0};
    options o;
    GR_TRY(gr__conf_parse(text, sizeof text - 1, "t.yaml", &arena, &root));
    GR_TRY(gr__conf_override(root, "train.lr.schedule=[cosine]", "command line", &arena));
    GR_TRY(gr__conf_override(root, "train.lr={main: 1}", "command line", &arena));
    GR_TRY(gr__conf_override(root, "train.lr=2", "command line", &arena));
    GR_TRY(gr__conf_merge(root, root, &arena));
    GR_TRY(gr__conf_read(gr__conf_get(root, "train"), "train", rows, N_ROWS, &o, &arena));
    gr__conf_write_yaml(root, &s);
    gr_status status = gr__str_check(&s);
    gr__str_release(&s);
    return status;
}

static void allocation_failures(void **state)
{
    (void)state;
    size_t before = gr_memory_used_bytes();
    for (size_t at = 0, done = 0; !done; at++) {
        failing f = {.at = at};
        gr_allocator allocator = {failing_resize, &f};
        gr_set_allocator(&allocator);
        gr_status status = whole_life();
        gr__arena_release(&arena);
        done = f.n <= at;
        gr_set_allocator(NULL);
        if (status != (done ? GR_OK : GR_ERR_MEMORY))
            fail_msg("allocation %zu: %s: %s", at, gr_status_name(status), gr_message());
        assert_int_equal(gr_memory_used_bytes(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tree, release),
        cmocka_unit_test_teardown(refusals, release),
        cmocka_unit_test_teardown(many_keys, release),
        cmocka_unit_test_teardown(environment, release),
        cmocka_unit_test_teardown(overrides, release),
        cmocka_unit_test_teardown(merging, release),
        cmocka_unit_test_teardown(building, release),
        cmocka_unit_test_teardown(schema_values, release),
        cmocka_unit_test_teardown(schema_failures, release),
        cmocka_unit_test_teardown(required, release),
        cmocka_unit_test_teardown(given, release),
        cmocka_unit_test_teardown(rendering, release),
        cmocka_unit_test_teardown(mutants, release),
        cmocka_unit_test_teardown(allocation_failures, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
