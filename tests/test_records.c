/* Files of records: formats there and back, cleaning, parts, duplicates, balance, and what is wrong with them. */
#include "tests/large_rig.h"

#include "base/file.h"
#include "data/records.h"
#include "gradus/data.h"

#include <math.h>
#include <string.h>

static const char *folder;

static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

static gr_records *opened(const char *name, const char *text)
{
    gr_records *r;
    assert_ok(gr_records_open(written(name, text), NULL, &r));
    return r;
}

static char *saved(const gr_records *r, const char *name)
{
    char path[4200], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(gr_records_save(r, path));
    assert_ok(gr__file_read(path, 1 << 20, &text, &n));
    return text;
}

static void expect_saved(const gr_records *r, const char *name, const char *text)
{
    char *got = saved(r, name);
    assert_string_equal(got, text);
    gr__free(got);
}

static const char *cell(const gr_records *r, int64_t row, int64_t column) { return gr_records_cell(r, row, column); }

/* ---- formats ---- */

static void formats_there_and_back(void **state)
{
    (void)state;
    gr_records *r = opened("a.csv", "id,text,ok\n007,\"a, \"\"b\"\"\",true\n-1.5,,\n3,\"\",false\n");
    assert_int_equal(gr_records_rows(r), 3);
    assert_string_equal(gr_records_name(r, 1), "text");
    assert_int_equal(gr_records_line(r, 2), 4);
    expect_saved(r, "b.csv", "id,text,ok\n007,\"a, \"\"b\"\"\",true\n-1.5,,\n3,\"\",false\n");
    expect_saved(
        r, "b.jsonl",
        "{\"id\": \"007\", \"text\": \"a, \\\"b\\\"\", \"ok\": true}\n{\"id\": -1.5, \"text\": null, \"ok\": null}\n"
        "{\"id\": 3, \"text\": \"\", \"ok\": false}\n");
    expect_saved(r, "b.tsv", "\"id\"\ttext\tok\n007\t\"a, \"\"b\"\"\"\ttrue\n-1.5\t\t\n3\t\"\"\tfalse\n");
    gr_records_free(&r);
    char path[4200];
    snprintf(path, sizeof path, "%s/b.jsonl", folder);
    assert_ok(gr_records_open(path, NULL, &r));
    expect_saved(r, "c.csv", "id,text,ok\n007,\"a, \"\"b\"\"\",true\n-1.5,,\n3,\"\",false\n");
    gr_records_free(&r);
    r = opened("l.txt", "\xEF\xBB\xBFone\r\n\ntwo, three\n");
    assert_int_equal(gr_records_rows(r), 2);
    assert_string_equal(cell(r, 1, 0), "two, three");
    expect_saved(r, "m.txt", "one\ntwo, three\n");
    expect_saved(r, "m.log", "one\ntwo, three\n");
    gr_records_free(&r);
    r = opened("two.csv", "id,text\n1,one\n2,two\n");
    expect_saved(r, "two.txt", "one\ntwo\n");
    snprintf(path, sizeof path, "%s/two.parquet", folder);
    assert_fails(gr_records_save(r, path), GR_ERR_UNSUPPORTED, "two.parquet': this ending names no format");
    assert_false(gr__file_exists(path));
    gr_records_free(&r);
}

static void lines_of_any_kind(void **state)
{
    (void)state;
    gr_records *r = opened("mac.txt", "one\r\rtwo, three\rfour");
    assert_int_equal(gr_records_rows(r), 3);
    assert_string_equal(cell(r, 1, 0), "two, three");
    assert_int_equal(gr_records_line(r, 1), 3);
    gr_records_free(&r);
    static const char wide[] = "\xFF\xFEo\0n\0e\0";
    assert_fails(gr_records_open(test_write(folder, "wide.txt", wide, sizeof wide), NULL, &r), GR_ERR_DATA,
                 "wide.txt:1: is in UTF-16");
    r = opened("zero.jsonl", "{\"id\": 1, \"text\": \"a\"}\n{\"id\": 2, \"text\": \"b\\u0000c\"}\n");
    char path[4200];
    snprintf(path, sizeof path, "%s/zero.csv", folder);
    assert_fails(gr_records_save(r, path), GR_ERR_DATA, "zero.jsonl:2: the text in column 'text' has a 0 byte");
    assert_false(gr__file_exists(path));
    gr_records_free(&r);
}

static gr_records *reread(const gr_records *r, const char *name)
{
    char path[4200];
    gr_records *out;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(gr_records_save(r, path));
    assert_ok(gr_records_open(path, NULL, &out));
    return out;
}

static void expect_equal(const gr_records *a, const gr_records *b)
{
    assert_int_equal(gr_records_rows(a), gr_records_rows(b));
    assert_int_equal(gr_records_columns(a), gr_records_columns(b));
    for (int64_t k = 0; k < gr_records_columns(a); k++) {
        assert_string_equal(gr_records_name(a, k), gr_records_name(b, k));
        for (int64_t i = 0; i < gr_records_rows(a); i++) assert_string_equal(cell(a, i, k), cell(b, i, k));
    }
}

/* The reader decides from the first 64 KiB what a quote is. */
static void tabs_come_back(void **state)
{
    (void)state;
    gr__str s = {0};
    gr__str_add(&s, "id,text,label\n");
    for (int i = 0; i < 9000; i++) gr__str_printf(&s, "%d,plain,yes\n", i);
    gr__str_add(&s, "1,\"\"\"all\"\"\",\"a\tb\"\n2,\"\"\"x\"\" y\",\"c\rd\"\n");
    gr_records *r = opened("late.csv", gr__str_get(&s)), *back = reread(r, "late.tsv");
    expect_equal(r, back);
    gr__str_release(&s);
    gr_records_free(&r);
    gr_records_free(&back);
    char path[4200];
    snprintf(path, sizeof path, "%s/broken.tsv", folder);
    r = opened("broken.csv", "id,text,label\n0,a,yes\n1,\"c\nd\",no\n");
    assert_fails(gr_records_save(r, path), GR_ERR_DATA, "broken.csv:3: the text in column 'text' has a line break");
    assert_false(gr__file_exists(path));
    assert_ok(gr_records_clean(r, NULL, NULL));
    back = reread(r, "broken.tsv");
    expect_equal(r, back);
    gr_records_free(&r);
    gr_records_free(&back);
    r = opened("single.jsonl", "{\"x\": \"a, b\"}\n{}\n{\"x\": \"c\\nd\"}\n");
    back = reread(r, "single.tsv");
    expect_equal(r, back);
    gr_records_free(&r);
    gr_records_free(&back);
}

/* Of more digits than a double keeps, and of more than 64 bits. */
static void json_numbers_keep_their_digits(void **state)
{
    (void)state;
    static const char lines[] = "{\"a 1\": \"2 \\\" 3\", \"id\": 1234567890123456789, \"x\": -1.50}\n"
                                "{\"a 1\": \"b\", \"id\": 1234567890123456788, \"x\": 1e5}\n"
                                "{\"a 1\": true, \"id\": 18446744073709551616, \"x\": 7}\n"
                                "{\"a 1\": null, \"id\": 18446744073709551617, \"x\": null}\n";
    char path[4200];
    gr_dedup_report report;
    gr_records *r = opened("id.jsonl", lines);
    assert_string_equal(cell(r, 0, 0), "2 \" 3");
    assert_ok(gr_records_dedup(r, &(gr_dedup_options){.columns = (const char *const[]){"id", NULL}}, &report));
    assert_int_equal(report.exact, 0);
    expect_saved(r, "id.csv",
                 "a 1,id,x\n\"2 \"\" 3\",1234567890123456789,-1.50\nb,1234567890123456788,1e5\n"
                 "true,18446744073709551616,7\n,18446744073709551617,\n");
    gr_records_free(&r);
    snprintf(path, sizeof path, "%s/id.csv", folder);
    assert_ok(gr_records_open(path, NULL, &r));
    expect_saved(r, "id2.jsonl", lines);
    gr_records_free(&r);
}

static void commas_of_texts_stay(void **state)
{
    (void)state;
    gr_records *r = opened("comma.csv", "a;b;c;d\n1,5;\"1,2\";1,5;1,5\n2,5;\"red, blue\";x;\"1,2\"\nNA;;2,5;2\n");
    expect_saved(r, "point.csv", "a,b,c,d\n1.5,\"1,2\",\"1,5\",1.5\n2.5,\"red, blue\",x,\"1,2\"\nNA,,\"2,5\",2\n");
    gr_records_free(&r);
    r = opened("all.csv", "\"a\";\"b\"\n\"1,5\";\"red, blue\"\n\"-2,5\";\"3,5\"\n"); /* quotes say nothing */
    expect_saved(r, "point.csv", "a,b\n1.5,\"red, blue\"\n-2.5,\"3,5\"\n");
    gr_records_free(&r);
}

static void empty_columns_stay(void **state)
{
    (void)state;
    gr_records *r = opened("sparse.csv", "a,b,c,d\n,1,,x\n,2,3,y\n"), *back = reread(r, "sparse.jsonl");
    expect_equal(r, back);
    gr_records_free(&back);
    gr_records_free(&r);
}

static void arrays_and_commas(void **state)
{
    (void)state;
    gr_records *r = opened("n.csv", "x;y\n1,5;2\n3;NA\n2,25;4\n");
    char path[4200];
    snprintf(path, sizeof path, "%s/n.npy", folder);
    assert_ok(gr_records_save(r, path));
    gr_records_free(&r);
    assert_ok(gr_records_open(path, NULL, &r));
    assert_string_equal(cell(r, 0, 0), "1.5");
    assert_string_equal(cell(r, 1, 1), "");
    assert_string_equal(cell(r, 2, 0), "2.25");
    gr_records *back = reread(r, "n2.csv"); /* the names are taken for names */
    assert_string_equal(gr_records_name(r, 0), "column_1");
    expect_equal(r, back);
    gr_records_free(&r);
    gr_records_free(&back);
    r = opened("w.csv", "x,y\n1,a\n");
    assert_fails(gr_records_save(r, path), GR_ERR_DATA, "w.csv:2: 'a' in column 'y' is not a number");
    gr_records_free(&r);
    r = opened("whole.csv", "x,y\n1304000,0.5\n-2000000,1\n");
    assert_ok(gr_records_save(r, path)); /* as f64 */
    gr_records_free(&r);
    assert_ok(gr_records_open(path, NULL, &r));
    assert_string_equal(cell(r, 0, 0), "1304000");
    assert_string_equal(cell(r, 1, 0), "-2000000");
    gr_records_free(&r);
    static const char no_columns[] = "\x93NUMPY\1\0\x76\0{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0)}";
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, no_columns, sizeof no_columns - 1);
    header[127] = '\n';
    assert_fails(gr_records_open(test_write(folder, "none.npy", header, sizeof header), NULL, &r), GR_ERR_DATA,
                 "none.npy' has no columns");
    assert_fails(gr_records_open(test_source("tests/golden/archives/arrays.npz"), NULL, &r), GR_ERR_UNSUPPORTED,
                 "arrays; records are one");
}

/* Of 64 bits, where f64 keeps 53. */
static void large_integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *fault;
    } cases[] = {
        {"id,n\n1234567890123456789,1\n-9223372036854775808,0\n9223372036854775807,-0\n", NULL},
        {"id,n\n18446744073709551615,1\n9007199254740993,007\n", NULL},
        {"id,n\n9007199254740992,1.5\n1000000000000000000000,\n", NULL}, /* f64 keeps them */
        {"id,n\n1,1\n9007199254740993,1.5\n", "big.csv:3: '9007199254740993' in column 'id' has more digits"},
        {"id,n\n1,\n9007199254740993,2\n", "big.csv:3"},
        {"id,n\n18446744073709551615,-1\n", "big.csv:2"},
        {"id,n\n18446744073709551617,1\n", "big.csv:2"},
    };
    char path[4200];
    snprintf(path, sizeof path, "%s/big.npy", folder);
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_records *r = opened("big.csv", cases[i].rows), *back;
        if (cases[i].fault)
            assert_fails(gr_records_save(r, path), GR_ERR_DATA, cases[i].fault);
        else {
            assert_ok(gr_records_save(r, path));
            assert_ok(gr_records_open(path, NULL, &back));
            for (int64_t k = 0; k < gr_records_rows(r); k++) {
                double a = 0, b = 0;
                if (i < 2) assert_string_equal(cell(back, k, 0), cell(r, k, 0));
                assert_true(gr__parse_double(cell(r, k, 0), &a) && gr__parse_double(cell(back, k, 0), &b) && a == b);
            }
            gr_records_free(&back);
        }
        gr_records_free(&r);
    }
}

static void bad_rows(void **state)
{
    (void)state;
    gr_records *r;
    const char *csv = written("bad.csv", "a,b\n1,2\n3\n4,5\n6,\xFF\n");
    assert_fails(gr_records_open(csv, NULL, &r), GR_ERR_DATA, "bad.csv:3");
    assert_ok(gr_records_open(csv, &(gr_records_options){.skip_bad = true}, &r));
    assert_int_equal(gr_records_rows(r), 2);
    assert_int_equal(gr_records_bad(r), 2);
    assert_non_null(strstr(gr_records_first_bad(r), "bad.csv:3"));
    gr_records_free(&r);
    const char *json = written("bad.jsonl", "{\"a\": 1}\n{\"a\": \n{\"b\": 2}\n");
    assert_fails(gr_records_open(json, NULL, &r), GR_ERR_CORRUPT, "bad.jsonl:2");
    assert_ok(gr_records_open(json, &(gr_records_options){.skip_bad = true}, &r));
    assert_int_equal(gr_records_rows(r), 2);
    assert_int_equal(gr_records_bad(r), 1);
    gr_records_free(&r);
    assert_fails(gr_records_open(written("deep.jsonl", "{\"a\": [1]}\n"), NULL, &r), GR_ERR_UNSUPPORTED,
                 "deep.jsonl:1");
    assert_fails(gr_records_open(written("none.txt", "\n\n"), NULL, &r), GR_ERR_DATA, "no rows");
    assert_fails(gr_records_open("nowhere.csv", NULL, &r), GR_ERR_NOT_FOUND, "nowhere.csv");
}

/* Texts of a row share a block: short cells would be rounded up to 16 bytes each. */
static void short_cells_stay_small(void **state)
{
    (void)state;
    enum { ROWS = 20000, COLUMNS = 9, MOST = COLUMNS * 16 + 100 };
    gr__str s = {0};
    gr__str_add(&s, "a,b,c,d,e,f,g,h,i\n");
    for (int i = 0; i < ROWS; i++) gr__str_add(&s, "123,123,abc,123,123,123,123,123,123\n");
    const char *path = written("short.csv", gr__str_get(&s));
    gr__str_release(&s);
    size_t before = gr_memory_used_bytes();
    gr_records *r;
    assert_ok(gr_records_open(path, NULL, &r));
    assert_in_range(gr_memory_used_bytes() - before, ROWS, ROWS * MOST);
    gr_records_free(&r);
}

static void headers_are_guessed_or_said(void **state)
{
    (void)state;
    static const char blanks[] = "Review text,Given label\nnice place,good\nawful place,bad\nso so,neutral\n",
                      words[] = "Hello\tBonjour\nThanks\tMerci\nBread\tPain\n";
    static const struct {
        const char *name, *text, *first; /* name of column 0 */
        gr_header header;
        int rows;
        bool guessed;
    } cases[] = {{"h.csv", blanks, "column_1", GR_HEADER_AUTO, 4, true},
                 {"h.csv", blanks, "Review text", GR_HEADER_YES, 3, false},
                 {"h.tsv", words, "Hello", GR_HEADER_AUTO, 2, true},
                 {"h.tsv", words, "column_1", GR_HEADER_NO, 3, false},
                 {"h.csv", "text,n\nnice,1\nbad,2\n", "text", GR_HEADER_AUTO, 2, false},
                 {"h.csv", "nice,1\nbad,2\n", "column_1", GR_HEADER_AUTO, 2, false},
                 {"h.csv", "nice,good\nso so,good\n", "column_1", GR_HEADER_AUTO, 2, false},
                 {"h.jsonl", "{\"a\": \"b\"}\n", "a", GR_HEADER_NO, 1, false}};
    gr_records *r;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        bool guessed;
        assert_ok(gr_records_open(written(cases[i].name, cases[i].text),
                                  &(gr_records_options){.header = cases[i].header}, &r));
        assert_int_equal(gr_records_rows(r), cases[i].rows);
        assert_string_equal(gr_records_name(r, 0), cases[i].first);
        assert_int_equal(gr_records_named(r, &guessed), strcmp(cases[i].first, "column_1") != 0);
        assert_int_equal(guessed, cases[i].guessed);
        gr_records_free(&r);
    }
    assert_fails(gr_records_open(written("h.csv", "ham,spam\n"), NULL, &r), GR_ERR_DATA, "(--header no)");
    assert_fails(gr_records_open("h.csv", &(gr_records_options){.header = (gr_header)7}, &r), GR_ERR_ARGUMENT, "7");
}

static void names_are_told_apart(void **state)
{
    (void)state;
    gr_records *r;
    assert_fails(gr_records_open(written("same.csv", "a,y,y\n1,x,y\n2,y,x\n"), NULL, &r), GR_ERR_DATA,
                 "two columns have the name 'y'");
}

/* ---- looking and cleaning ---- */

static void columns_are_described(void **state)
{
    (void)state;
    gr_records *r = opened("s.csv", "n,w,e\n1,red,\n2,blue,\n3,red,\n4,,\n,red,\n");
    gr_column_stats s;
    assert_ok(gr_records_stats(r, 0, &s));
    assert_int_equal(s.type, GR_COLUMN_NUMBERS);
    assert_int_equal(s.missing, 1);
    assert_true(fabs(s.mean - 2.5) < 1e-12 && fabs(s.deviation - sqrt(5.0 / 3)) < 1e-12);
    assert_true(s.least == 1 && s.quarter == 1.75 && s.median == 2.5 && s.three_quarters == 3.25 && s.most == 4);
    assert_ok(gr_records_stats(r, 1, &s));
    assert_int_equal(s.type, GR_COLUMN_WORDS);
    assert_int_equal(s.distinct, 2);
    assert_string_equal(s.often[0], "red");
    assert_int_equal(s.often_count[0], 3);
    assert_string_equal(s.often[1], "blue");
    assert_null(s.often[2]);
    assert_ok(gr_records_stats(r, 2, &s));
    assert_int_equal(s.type, GR_COLUMN_EMPTY);
    assert_fails(gr_records_stats(r, 3, &s), GR_ERR_ARGUMENT, "no column 3");
    gr_records_free(&r);
}

static void cells_are_cleaned(void **state)
{
    (void)state;
    gr_clean_report report;
    gr_records *r = opened("c.csv", "x,w,same,y\n1,  a \t b,k,1\n2,c,k,2\n3,c,k,\n,c,k,4\n4,,k,5\n1000,c,k,6\n");
    assert_ok(
        gr_records_clean(r, &(gr_clean_options){.target = "y", .missing = GR_MISSING_MEDIAN, .clip = 1}, &report));
    assert_int_equal(report.trimmed, 1);
    assert_int_equal(report.rows_removed, 1);
    assert_int_equal(report.columns_removed, 1);
    assert_int_equal(report.filled, 2);
    assert_int_equal(report.clipped, 1);
    /* of 1 2 4 1000: quartiles 1.75 and 253, so 253 + 251.25 */
    expect_saved(r, "d.csv", "x,w,y\n1,a b,1\n2,c,2\n3,c,4\n4,c,5\n504.25,c,6\n");
    gr_records_free(&r);
    r = opened("t.txt", "too short\nthis one is long enough\n");
    assert_ok(gr_records_clean(r, &(gr_clean_options){.least = 10}, &report));
    assert_int_equal(gr_records_rows(r), 1);
    assert_fails(gr_records_clean(r, &(gr_clean_options){.least = 100}, NULL), GR_ERR_DATA, "no row");
    gr_records_free(&r);
}

/* Where the middle half of a column is one value, all others would be outliers. */
static void rare_values_are_not_clipped(void **state)
{
    (void)state;
    gr_clean_report report;
    gr__str s = {0};
    gr__str_add(&s, "x,flag\n");
    for (int i = 1; i <= 20; i++) gr__str_printf(&s, "%d,%d\n", i < 20 ? i : 1000, i % 10 == 0);
    gr_records *r = opened("flag.csv", gr__str_get(&s));
    gr__str_release(&s);
    assert_ok(gr_records_clean(r, &(gr_clean_options){.clip = 3}, &report));
    assert_int_equal(report.clipped, 1);
    assert_int_equal(report.columns_unclipped, 1);
    assert_string_equal(report.unclipped, "flag");
    assert_string_equal(cell(r, 9, 1), "1");
    assert_string_not_equal(cell(r, 19, 0), "1000");
    gr_records_free(&r);
}

static void missing_cells_are_cleaned(void **state)
{
    (void)state;
    gr_clean_report report;
    gr_records *r = opened("m.jsonl", "{\"n\": 1, \"w\": \" a\"}\n{\"n\": null}\n{\"n\": 4, \"w\": \"b\"}\n");
    assert_ok(gr_records_clean(r, NULL, &report));
    assert_int_equal(report.trimmed, 1);
    expect_saved(r, "m1.csv", "n,w\n1,a\n,\n4,b\n");
    assert_ok(gr_records_clean(r, &(gr_clean_options){.missing = GR_MISSING_MEAN}, &report));
    assert_int_equal(report.filled, 2);
    expect_saved(r, "m2.csv", "n,w\n1,a\n2.5,a\n4,b\n");
    gr_records_free(&r);
    char path[4200];
    snprintf(path, sizeof path, "%s/hole.npy", folder);
    r = opened("holes.csv", "x,y\n1,2\n,4\n3,NA\n");
    assert_ok(gr_records_save(r, path));
    gr_records_free(&r);
    assert_ok(gr_records_open(path, NULL, &r));
    assert_ok(gr_records_clean(r, &(gr_clean_options){.missing = GR_MISSING_MEAN}, &report));
    assert_int_equal(report.filled, 2);
    assert_string_equal(cell(r, 1, 0), "2");
    assert_string_equal(cell(r, 2, 1), "3");
    gr_records_free(&r);
}

/* Rows that were drawn again share their texts. */
static void shared_texts_are_cleaned(void **state)
{
    (void)state;
    gr_clean_report report;
    gr_records *r = opened("o.csv", "w,label\n\"  ab\",a\n c,b\nd,b\n");
    assert_ok(gr_records_balance(r, &(gr_balance_options){GR_BALANCE_OVER, "label", 0, 1}));
    assert_ok(gr_records_clean(r, NULL, &report));
    assert_int_equal(report.trimmed, 3);
    expect_saved(r, "o1.csv", "w,label\nab,a\nc,b\nd,b\nab,a\n");
    gr_records_free(&r);
}

/* ---- parts ---- */

static gr_records *labelled(int n)
{
    gr__str s = {0};
    gr__str_add(&s, "id,label,who,when\n");
    for (int i = 0; i < n; i++)
        gr__str_printf(&s, "%d,%s,p%d,2024-%02d-%02d\n", i, i % 5 ? "common" : "rare", i / 4, 1 + (i * 7) % 12,
                       1 + i % 28);
    gr_records *r = opened("p.csv", gr__str_get(&s));
    gr__str_release(&s);
    return r;
}

static int64_t count(const gr_records *r, int64_t column, const char *text)
{
    int64_t n = 0;
    for (int64_t i = 0; i < gr_records_rows(r); i++) n += strcmp(cell(r, i, column), text) == 0;
    return n;
}

static void parts_keep_their_word(void **state)
{
    (void)state;
    gr_records *r = labelled(200), *part[3], *again[3];
    gr_split_options o = {.valid = 0.1, .test = 0.2, .by = "label", .seed = 3};
    assert_ok(gr_records_split(r, &o, part));
    assert_int_equal(gr_records_rows(part[0]), 140);
    assert_int_equal(gr_records_rows(part[1]), 20);
    assert_int_equal(gr_records_rows(part[2]), 40);
    assert_int_equal(count(part[2], 1, "rare"), 8);
    assert_int_equal(count(part[1], 1, "rare"), 4);
    assert_ok(gr_records_split(r, &o, again));
    for (int p = 0; p < 3; p++) {
        for (int64_t i = 0; i < gr_records_rows(part[p]); i++)
            assert_string_equal(cell(part[p], i, 0), cell(again[p], i, 0));
        gr_records_free(&part[p]);
        gr_records_free(&again[p]);
    }
    o = (gr_split_options){.valid = 0.1, .test = 0.2, .group = "who", .seed = 3};
    assert_ok(gr_records_split(r, &o, part));
    assert_int_equal(gr_records_rows(part[2]), 40);
    for (int64_t i = 0; i < gr_records_rows(part[2]); i++) {
        assert_int_equal(count(part[0], 2, cell(part[2], i, 2)), 0);
        assert_int_equal(count(part[2], 2, cell(part[2], i, 2)), 4);
    }
    for (int p = 0; p < 3; p++) gr_records_free(&part[p]);
    o = (gr_split_options){.valid = 0.1, .test = 0.2, .time = "when"};
    assert_ok(gr_records_split(r, &o, part));
    const char *latest = "";
    for (int64_t i = 0; i < gr_records_rows(part[0]); i++)
        if (strcmp(cell(part[0], i, 3), latest) > 0) latest = cell(part[0], i, 3);
    for (int64_t i = 0; i < gr_records_rows(part[2]); i++) assert_true(strcmp(cell(part[2], i, 3), latest) >= 0);
    for (int p = 0; p < 3; p++) gr_records_free(&part[p]);
    o = (gr_split_options){.valid = 0.5, .test = 0.5};
    assert_fails(gr_records_split(r, &o, part), GR_ERR_ARGUMENT, "not possible");
    o = (gr_split_options){.valid = 0.001, .test = 0};
    assert_fails(gr_records_split(r, &o, part), GR_ERR_DATA, "validation would be empty");
    o = (gr_split_options){.valid = 0.1, .by = "lable"};
    assert_fails(gr_records_split(r, &o, part), GR_ERR_NOT_FOUND, "did you mean 'label'");
    gr_records_free(&r);
    r = opened("groups.csv", "x,who\n1,\n2,\n3,\n4,p\n5,p\n");
    o = (gr_split_options){.valid = 0.2, .test = 0.2, .group = "who"};
    assert_fails(gr_records_split(r, &o, part), GR_ERR_DATA, "3 of 5 rows have nothing in column 'who'");
    gr_records_free(&r);
}

static void expect_order(const char *const *times, int n)
{
    gr__str s = {0};
    gr__str_add(&s, "when,what\n");
    for (int i = 0; i < n; i++) gr__str_printf(&s, "%s,x\n", times[i]);
    gr_records *r = opened("when.csv", gr__str_get(&s)), *part[3];
    gr__str_release(&s);
    assert_ok(gr_records_split(r, &(gr_split_options){.test = 1.0 / n, .time = "when"}, part));
    assert_int_equal(gr_records_rows(part[2]), 1);
    assert_string_equal(cell(part[2], 0, 0), times[0]);
    gr_records_free(&part[0]);
    gr_records_free(&part[2]);
    gr_records_free(&r);
}

/* The first is the latest. */
static void times_are_understood(void **state)
{
    (void)state;
    static const char *const numbers[] = {"10", "9", "9.5"}, *const days[] = {"2020-01-01", "2019-12-31", "2019-09-30"},
                             *const months[] = {"2020-01", "2019-12", "2019-11"},
                             *const clocks[] = {"2024-02-29 14:05:09.5", "2024-02-29 14:05:09", "2024-02-29T14:05"},
                             *const zones[] = {"2024-02-29T23:30:00-02:00", "2024-03-01T01:00Z",
                                               "2024-03-01T02:00:00+0200"};
    expect_order(numbers, 3);
    expect_order(days, 3);
    expect_order(months, 3);
    expect_order(clocks, 3);
    expect_order(zones, 3);
    static const char *const bad[] = {"1/2/2020",        "20.1.2020",        "2020-1-2",          "2020-13-01",
                                      "2020-01-02 soon", "2020-01-02T1:00",  "2020-01-02T10:00+", "2020-01-02-03",
                                      "2020/01/02",      "2020-01-02T10:61", "2023-02-29",        "1900-02-29",
                                      "2020-04-31"};
    for (size_t i = 0; i < GR__COUNT(bad); i++) {
        char text[200], said[200];
        gr_records *part[3];
        snprintf(text, sizeof text, "when,what\n2020-01-01,x\n%s,y\n", bad[i]);
        snprintf(said, sizeof said, "bad-time.csv:3: '%s' in column 'when' is no time", bad[i]);
        gr_records *r = opened("bad-time.csv", text);
        assert_fails(gr_records_split(r, &(gr_split_options){.test = 0.5, .time = "when"}, part), GR_ERR_DATA, said);
        assert_non_null(strstr(gr_message(), "YYYY-MM-DD"));
        gr_records_free(&r);
    }
}

/* ---- duplicates ---- */

static const char twins[] = "the quick brown fox jumps over the lazy dog near the old river bank today\n"
                            "something else that has nothing to do with it at all, really nothing\n"
                            "The quick, brown fox jumps over the lazy dog near the old river bank TODAY!\n"
                            "the quick brown fox jumps over the lazy dog near the old river bank yesterday\n"
                            "something else that has nothing to do with it at all, really nothing\n"
                            "the quick brown fox\n"
                            "\xE5\xBE\x88\xE4\xB9\x85\xE4\xBB\xA5\xE5\x89\x8D\n";

static void twins_are_found(void **state)
{
    (void)state;
    gr_dedup_report report;
    gr_records *r = opened("twins.txt", twins);
    assert_ok(gr_records_dedup(r, NULL, &report));
    assert_int_equal(report.exact, 1);
    assert_int_equal(report.near, 0);
    assert_int_equal(gr_records_rows(r), 6);
    assert_ok(gr_records_dedup(r, &(gr_dedup_options){.near = 1}, &report));
    assert_int_equal(report.near, 1); /* capitals and commas */
    assert_int_equal(report.line, 3);
    assert_int_equal(report.twin, 1);
    /* line 4 shares 12 of 14 3-grams with line 1 */
    assert_ok(gr_records_dedup(r, &(gr_dedup_options){.near = 0.87}, &report));
    assert_int_equal(report.near, 0);
    assert_ok(gr_records_dedup(r, &(gr_dedup_options){.near = 0.85}, &report));
    assert_int_equal(report.near, 1);
    assert_int_equal(gr_records_rows(r), 4);
    gr_records_free(&r);
    assert_fails(gr__near_new(1.5, &(gr__near *){NULL}), GR_ERR_ARGUMENT, "0 to 1");
}

static void leaks_are_found(void **state)
{
    (void)state;
    int64_t n, a, b;
    gr_records *train = opened("train.csv", "text,label\none two three four,1\nfive,0\n"),
               *test = opened("test.csv", "text,label\nsix,1\nOne two three four,0\nfive,0\n");
    assert_ok(gr_records_overlap(train, test, NULL, 0, &n, &a, &b));
    assert_int_equal(n, 1);
    assert_int_equal(a, 3);
    assert_int_equal(b, 4);
    assert_ok(gr_records_overlap(train, test, (const char *const[]){"text", NULL}, 0.9, &n, &a, &b));
    assert_int_equal(n, 2);
    assert_int_equal(a, 2);
    assert_int_equal(b, 3);
    gr_records_free(&train);
    gr_records_free(&test);
}

static void columns_are_matched_by_name(void **state)
{
    (void)state;
    int64_t n;
    gr_records *a = opened("ab.csv", "a,b,y\n1,2,p\n3,4,q\n"),
               *b = opened("ba.jsonl", "{\"y\": \"p\", \"b\": 2, \"a\": 1}\n"),
               *more = opened("more.csv", "y,b,a,c\np,2,1,0\n"), *other = opened("other.csv", "a,b,z\n1,2,p\n"),
               *bare = opened("bare.csv", "1,2,p\n3,4,5\n"), *two = opened("two.csv", "1,2\n");
    assert_ok(gr_records_overlap(a, b, NULL, 0, &n, NULL, NULL));
    assert_int_equal(n, 1);
    assert_ok(gr_records_overlap(a, b, (const char *const[]){"b", "a", NULL}, 0, &n, NULL, NULL));
    assert_int_equal(n, 1);
    assert_fails(gr_records_overlap(a, more, NULL, 0, &n, NULL, NULL), GR_ERR_SHAPE, "more.csv' has a column 'c'");
    assert_fails(gr_records_overlap(more, a, NULL, 0, &n, NULL, NULL), GR_ERR_SHAPE, "more.csv' has a column 'c'");
    assert_fails(gr_records_overlap(a, other, NULL, 0, &n, NULL, NULL), GR_ERR_SHAPE, "ab.csv' has a column 'y'");
    assert_ok(gr_records_overlap(a, bare, NULL, 0, &n, NULL, NULL)); /* by place */
    assert_int_equal(n, 1);
    assert_fails(gr_records_overlap(a, two, NULL, 0, &n, NULL, NULL), GR_ERR_SHAPE, "3 and 2 columns");
    gr_records *all[] = {a, b, more, other, bare, two};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr_records_free(&all[i]);
}

/* ---- balance ---- */

static gr_records *uneven(void)
{
    return opened("u.csv", "x,n,w,label\n0,1,a,no\n1,2,a,no\n2,3,b,no\n3,4,a,no\n4,5,b,no\n5,6,b,no\n10,0,c,yes\n"
                           "11,2,c,yes\n12,4,d,yes\n");
}

static void values_are_balanced(void **state)
{
    (void)state;
    gr_records *r = uneven();
    assert_ok(gr_records_balance(r, &(gr_balance_options){GR_BALANCE_OVER, "label", 0, 1}));
    assert_int_equal(count(r, 3, "yes"), 6);
    assert_int_equal(count(r, 3, "no"), 6);
    for (int i = 10; i < 13; i++) {
        char x[16];
        snprintf(x, sizeof x, "%d", i);
        assert_int_equal(count(r, 0, x), 2);
    }
    gr_records_free(&r);
    r = uneven();
    assert_ok(gr_records_balance(r, &(gr_balance_options){GR_BALANCE_UNDER, "label", 0, 1}));
    assert_int_equal(count(r, 3, "yes"), 3);
    assert_int_equal(count(r, 3, "no"), 3);
    gr_records_free(&r);
    r = uneven();
    assert_ok(gr_records_balance(r, &(gr_balance_options){GR_BALANCE_SMOTE, "label", 2, 1}));
    assert_int_equal(count(r, 3, "yes"), 6);
    for (int64_t i = 9; i < 12; i++) {
        double x, n;
        assert_true(gr__parse_double(cell(r, i, 0), &x) && x >= 10 && x <= 12 && x == floor(x));
        assert_true(gr__parse_double(cell(r, i, 1), &n) && n >= 0 && n <= 4);
        assert_int_equal(gr_records_line(r, i), 0);
        assert_true(strcmp(cell(r, i, 2), "c") == 0 || strcmp(cell(r, i, 2), "d") == 0);
    }
    assert_fails(gr_records_balance(r, &(gr_balance_options){.target = "labels"}), GR_ERR_NOT_FOUND, "'label'");
    gr_records_free(&r);
    r = opened("one.csv", "x,label\n1,a\n2,a\n");
    assert_fails(gr_records_balance(r, &(gr_balance_options){.target = "label"}), GR_ERR_DATA, "nothing to balance");
    gr_records_free(&r);
    r = opened("hole.csv", "x,label\n1,a\n,a\n3,b\n");
    assert_fails(gr_records_balance(r, &(gr_balance_options){GR_BALANCE_SMOTE, "label", 0, 1}), GR_ERR_DATA,
                 "hole.csv:3: no number");
    gr_records_free(&r);
}

static void rows_without_target_are_no_value(void **state)
{
    (void)state;
    for (int how = 0; how < GR_BALANCE_COUNT; how++) {
        int64_t each = how == GR_BALANCE_UNDER ? 2 : 3;
        gr_records *r = opened("without.csv", "x,label\n1,a\n2,a\n3,b\n4,\n5,NA\n6,a\n7,b\n");
        assert_ok(gr_records_balance(r, &(gr_balance_options){(gr_balance)how, "label", 1, 1}));
        assert_int_equal(count(r, 1, "a"), each);
        assert_int_equal(count(r, 1, "b"), each);
        assert_int_equal(gr_records_rows(r), 2 * each);
        gr_records_free(&r);
    }
    gr_records *r = opened("without.csv", "x,label\n1,\n2,NA\n");
    assert_fails(gr_records_balance(r, &(gr_balance_options){.target = "label"}), GR_ERR_DATA, "'label', the target");
    gr_records_free(&r);
}

static void columns_that_are_not_there(void **state)
{
    (void)state;
    static const char *const unknown[] = {"labell", NULL}, *const none[] = {NULL};
    int64_t n, twice;
    gr_records *r = opened("twice.csv", "x,label\n1,a\n2,a\n1,a\n");
    assert_fails(gr_records_overlap(r, r, unknown, 0, &n, NULL, NULL), GR_ERR_NOT_FOUND, "did you mean 'label'");
    assert_fails(gr_records_dedup(r, &(gr_dedup_options){.columns = unknown}, NULL), GR_ERR_NOT_FOUND, "'labell'");
    assert_ok(gr_records_overlap(r, r, none, 0, &n, NULL, &twice));
    assert_int_equal(n, 3);
    assert_ok(gr_records_dedup(r, &(gr_dedup_options){.columns = none}, NULL)); /* none named: all */
    assert_int_equal(gr_records_rows(r), 2);
    gr_records *mixed = opened("mixed.csv", "label,x\na,1\nb,2\n");
    assert_ok(gr_records_overlap(r, mixed, none, 0, &n, NULL, &twice)); /* by name, as NULL */
    assert_int_equal(n, 1);
    gr_records_free(&mixed);
    gr_column_stats s;
    assert_fails(gr_records_stats(r, 2, &s), GR_ERR_ARGUMENT, "no column 2");
    assert_null(gr_records_name(r, -1));
    assert_null(gr_records_cell(r, 0, 2));
    assert_null(gr_records_cell(r, -1, 0));
    assert_int_equal(gr_records_line(r, 2), 0);
    gr_records_free(&r);
}

static void ways_that_do_not_exist(void **state)
{
    (void)state;
    gr_records *r = uneven();
    int64_t rows = gr_records_rows(r);
    assert_fails(gr_records_balance(r, &(gr_balance_options){(gr_balance)55, "label", 0, 1}), GR_ERR_ARGUMENT, "55");
    assert_fails(gr_records_clean(r, &(gr_clean_options){.missing = (gr_missing)77}, NULL), GR_ERR_ARGUMENT, "77");
    assert_fails(gr_records_clean(r, &(gr_clean_options){.clip = (double)NAN}, NULL), GR_ERR_ARGUMENT, "0 or more");
    assert_int_equal(gr_records_rows(r), rows);
    gr_records_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_there_and_back),
        cmocka_unit_test(lines_of_any_kind),
        cmocka_unit_test(tabs_come_back),
        cmocka_unit_test(json_numbers_keep_their_digits),
        cmocka_unit_test(commas_of_texts_stay),
        cmocka_unit_test(empty_columns_stay),
        cmocka_unit_test(arrays_and_commas),
        cmocka_unit_test(large_integers_are_exact),
        cmocka_unit_test(bad_rows),
        cmocka_unit_test(short_cells_stay_small),
        cmocka_unit_test(headers_are_guessed_or_said),
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(columns_are_described),
        cmocka_unit_test(cells_are_cleaned),
        cmocka_unit_test(rare_values_are_not_clipped),
        cmocka_unit_test(missing_cells_are_cleaned),
        cmocka_unit_test(shared_texts_are_cleaned),
        cmocka_unit_test(parts_keep_their_word),
        cmocka_unit_test(times_are_understood),
        cmocka_unit_test(twins_are_found),
        cmocka_unit_test(leaks_are_found),
        cmocka_unit_test(columns_are_matched_by_name),
        cmocka_unit_test(values_are_balanced),
        cmocka_unit_test(rows_without_target_are_no_value),
        cmocka_unit_test(columns_that_are_not_there),
        cmocka_unit_test(ways_that_do_not_exist),
        when_large(formats_there_and_back),
        when_large(json_numbers_keep_their_digits),
        when_large(commas_of_texts_stay),
        when_large(empty_columns_stay),
        when_large(arrays_and_commas),
        when_large(large_integers_are_exact),
        when_large(bad_rows),
        when_large(names_are_told_apart),
        when_large(columns_are_described),
        when_large(cells_are_cleaned),
        when_large(rare_values_are_not_clipped),
        when_large(missing_cells_are_cleaned),
        when_large(shared_texts_are_cleaned),
        when_large(parts_keep_their_word),
        when_large(times_are_understood),
        when_large(twins_are_found),
        when_large(leaks_are_found),
        when_large(columns_are_matched_by_name),
        when_large(values_are_balanced),
        when_large(rows_without_target_are_no_value),
    };
    folder = test_tmpdir();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
