/* CSV, IDX and npy: real files with their known shapes, golden messages, and hostile bytes. */
#include "tests/test.h"

#include "base/rng.h"

#include "base/file.h"
#include "base/spill.h"
#include "base/rng.h"
#include "format/csv.h"
#include "format/idx.h"
#include "format/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *dir;

static int make_dir(void **state)
{
    (void)state;
    dir = test_tmpdir();
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    test_rmtree(dir);
    return 0;
}

/* ---- CSV ---- */

static gr_status read_text(const char *text, const gr__csv_options *options, gr__csv_table *t)
{
    return gr__csv_read(test_write(dir, "t.csv", text, strlen(text)), options, t);
}

/* "name|name / cell|cell / ..." */
static const char *flat(const gr__csv_table *t)
{
    static char out[4096];
    size_t n = 0;
    for (size_t c = 0; c < t->columns; c++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", c ? "|" : "", t->name[c]);
    for (size_t i = 0; i < t->rows * t->columns; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", i % t->columns ? "|" : " / ", t->cell[i].text);
    return out;
}

static void reads(const char *text, const char *wanted)
{
    gr__csv_table t;
    assert_ok(read_text(text, NULL, &t));
    assert_string_equal(flat(&t), wanted);
    gr__csv_table_release(&t);
}

static void forms(void **state)
{
    (void)state;
    reads("a,b\n1,2\n3,4\n", "a|b / 1|2 / 3|4");
    reads("a,b\r\n1,2\r\n\r\n3,4", "a|b / 1|2 / 3|4");
    reads("a,b\r1,2\r", "a|b / 1|2");
    reads("\xef\xbb\xbf"
          "a;b\n1,5;2\n",
          "a|b / 1,5|2");
    reads("a\tb\n1\t2\n", "a|b / 1|2");
    reads("a|b\n1|2\n", "a|b / 1|2");
    reads("x\n1\n2\n", "x / 1 / 2");
    reads("1,2\n3,4\n", "column_1|column_2 / 1|2 / 3|4");
    reads("a,b\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n", "a|b / x, y|say \"hi\" / two\nlines|");
    reads("a,b\n\"1\",\"\"\n", "a|b / 1|");
    reads("name,name2\nx,y\n", "name|name2 / x|y");
    reads(",b\n1,2\n", "column_1|b / 1|2");
    reads("ham\tGo \"now\nspam\t\"free\n", "column_1|column_2 / ham|Go \"now / spam|\"free");
    reads("a\tb\n\"x\ty\"\t1\n", "a|b / x\ty|1");
    reads("red,large\nblue,small\nred,small\n", "column_1|column_2 / red|large / blue|small / red|small");
    reads("x,c,y\n1,a,p\ninf,c,q\n1e400,c,p\n-nan,b,q\n", "x|c|y / 1|a|p / inf|c|q / 1e400|c|p / -nan|b|q");
    gr__csv_table named;
    assert_ok(read_text("u,w\nu,p\nv,q\n", &(gr__csv_options){.named = "w"}, &named));
    assert_string_equal(flat(&named), "u|w / u|p / v|q");
    gr__csv_table_release(&named);
    assert_ok(read_text("1,2\n3,1\n", &(gr__csv_options){.named = "1"}, &named)); /* a number is no name */
    assert_string_equal(flat(&named), "column_1|column_2 / 1|2 / 3|1");
    gr__csv_table_release(&named);
    gr__csv_options o = {.separator = ':', .header = GR__CSV_NO, .quotes = GR__CSV_NO};
    gr__csv_table t;
    assert_ok(read_text("a:\"b\nc:d\n", &o, &t));
    assert_string_equal(flat(&t), "column_1|column_2 / a|\"b / c|d");
    gr__csv_table_release(&t);
}

static void keep_warning(void *user, gr_log_level level, const char *line)
{
    (void)level;
    snprintf(user, 200, "%s", line);
}

/* Bad rows are left out on request, counted, and the first one is named; a quote that is never closed takes its line alone. */
static void csv_bad_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *flat, *warning;
    } cases[] = {{"a,b\n1\n1,2\n1,2,3\n\n3,4\n5\n", "a|b / 1|2 / 3|4",
                  "t.csv:2: the row has 1 fields, expected 2; this row and 2 more were left out"},
                 {"a,b\n1,2\n\"x\ny\",2,3\n3,4\n", "a|b / 1|2 / 3|4",
                  "t.csv:3: the row has 3 fields, expected 2; this row was left out"},
                 {"a,b\n1,2\n3,\"4\"5,6\n7,8\n", "a|b / 1|2 / 7|8", "t.csv:3: text follows a closing quote"},
                 {"a,b\n1,2\n3,\"x\n5,6\n7,8\n9,1\n", "a|b / 1|2 / 5|6 / 7|8 / 9|1", "t.csv:3: a quote is opened here"},
                 {"a,b\n1,2\n3,\"x\n5,\"y\n7,8\n", "a|b / 1|2 / 7|8", "t.csv:4: text follows"},
                 {"a,b\n1,2\n", "a|b / 1|2", ""}};
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr__csv_table t;
        char warning[200] = "";
        gr_set_log(keep_warning, warning, GR_LOG_WARNING);
        assert_ok(read_text(cases[i].text, &(gr__csv_options){.header = GR__CSV_YES, .skip_bad = true}, &t));
        gr_set_log(NULL, NULL, GR_LOG_WARNING);
        assert_string_equal(flat(&t), cases[i].flat);
        if (*cases[i].warning ? !strstr(warning, cases[i].warning) : *warning)
            fail_msg("case %zu: the warning is '%s'", i, warning);
        gr__csv_table_release(&t);
    }
}

/* A quote that is never closed, in a file of many inputs: its line alone is left out, whatever lies between. */
static void csv_open_quote(void **state)
{
    (void)state;
    enum { ROWS = 30000, OPEN = 7 };
    gr__str text = {0};
    gr__csv_table t;
    for (int i = 0; i < ROWS; i++) gr__str_printf(&text, i == OPEN ? "%d,\"x\n" : "%d,ab\n", i);
    char warning[200];
    gr_set_log(keep_warning, warning, GR_LOG_WARNING);
    assert_ok(read_text(gr__str_get(&text),
                        &(gr__csv_options){.header = GR__CSV_NO, .separator = ',', .skip_bad = true}, &t));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_non_null(strstr(warning, "t.csv:8: a quote is opened here and never closed; this row was left out"));
    assert_int_equal(t.rows, ROWS - 1);
    for (size_t r = 0; r < t.rows; r++) {
        char number[16];
        snprintf(number, sizeof number, "%zu", r + (r >= OPEN));
        assert_string_equal(t.cell[2 * r].text, number);
        assert_int_equal(t.line[r], r + (r >= OPEN) + 1);
    }
    gr__csv_table_release(&t);
    gr__str_release(&text);
}

static void csv_failures(void **state)
{
    (void)state;
    gr__csv_table t;
    assert_fails(read_text("a,b\n1,2\n\n3\n", NULL, &t), GR_ERR_DATA, "t.csv:4: the row has 1 fields, expected 2");
    static const char ragged[] = "a\tb\n1\t2\n3\n4\n5\t6\n"; /* the name tells what its rows do not */
    assert_fails(gr__csv_read(test_write(dir, "r.tsv", ragged, sizeof ragged - 1), NULL, &t), GR_ERR_DATA,
                 "r.tsv:3: the row has 1 fields, expected 2");
    assert_fails(read_text("a,b\n\"x\ny\",2\n1,2,3\n", NULL, &t), GR_ERR_DATA,
                 "t.csv:4: the row has 3 fields, expected 2");
    assert_fails(read_text("a,b\r\n\"x\r\ny\rz\",2\r\n1,2,3\r\n", NULL, &t), GR_ERR_DATA,
                 "t.csv:5: the row has 3 fields");
    assert_fails(read_text("a,b\n1,\"2\n3,4\n", NULL, &t), GR_ERR_DATA,
                 "t.csv:2: a quote is opened here and never closed");
    assert_fails(read_text("a,b\n1,\"2\"x\n", NULL, &t), GR_ERR_DATA, "t.csv:2: text follows a closing quote");
    assert_fails(read_text("", NULL, &t), GR_ERR_DATA, "has no rows");
    assert_fails(read_text("\n\n", NULL, &t), GR_ERR_DATA, "has no rows");
    assert_fails(gr__csv_read(test_write(dir, "n.csv", "a,b\n1,\0002\n", 10), NULL, &t), GR_ERR_DATA,
                 "n.csv:2: holds a NUL byte");
    assert_fails(gr__csv_read(test_write(dir, "u.csv",
                                         "\xff\xfe"
                                         "a\0",
                                         4),
                              NULL, &t),
                 GR_ERR_DATA, "u.csv:1: is in UTF-16");
    char *large = gr__alloc((1 << 20) + 100);
    memset(large, 'x', (1 << 20) + 100);
    memcpy(large, "a,b\n1,\"", 7);
    assert_fails(gr__csv_read(test_write(dir, "l.csv", large, (1 << 20) + 100), NULL, &t), GR_ERR_LIMIT,
                 "l.csv:2: a field is larger than 1048576 bytes; is a quote missing?");
    memset(large, ',', (1 << 16) + 1);
    assert_fails(gr__csv_read(test_write(dir, "w.csv", large, (1 << 16) + 1), NULL, &t), GR_ERR_LIMIT,
                 "w.csv:1: a row has more than 65536 fields");
    gr__free(large);
    assert_ok(read_text("sepal,petal\n1,2\n3,x\n", NULL, &t));
    double v[2];
    size_t c;
    assert_fails(gr__csv_table_column(&t, "petals", &c), GR_ERR_NOT_FOUND,
                 "has no column 'petals'; did you mean 'petal'?");
    assert_ok(gr__csv_table_column(&t, "1", &c));
    assert_int_equal(c, 1);
    assert_fails(gr__csv_table_doubles(&t, c, v), GR_ERR_DATA, "t.csv:3: 'x' in column 'petal' is not a number");
    gr__csv_table_release(&t);
}

static void cells(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool missing, number, comma_number;
        double value;
    } rows[] = {
        {"1.5", false, true, true, 1.5},  {" -2e3 ", false, true, true, -2000}, {"1,5", false, false, true, 1.5},
        {"", true, false, false, 0},      {"NA", true, false, false, 0},        {" ? ", true, false, false, 0},
        {"nan", true, false, false, 0},   {"null", true, false, false, 0},      {"inf", false, false, false, 0},
        {"0x10", false, false, false, 0}, {"1e999", false, false, false, 0},    {"-", false, false, false, 0},
        {"1 2", false, false, false, 0},  {"=1+1", false, false, false, 0},     {"007", false, true, true, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gr__cell cell = {rows[i].text, (uint32_t)strlen(rows[i].text), false};
        double v = 0;
        assert_int_equal(gr__cell_is_missing(&cell), rows[i].missing);
        assert_int_equal(gr__cell_number(&cell, false, &v), rows[i].number);
        if (rows[i].number) assert_true(v == rows[i].value);
        assert_int_equal(gr__cell_number(&cell, true, &v), rows[i].comma_number);
        if (rows[i].comma_number) assert_true(v == rows[i].value);
    }
    gr__cell quoted = {"NA", 2, true};
    assert_false(gr__cell_is_missing(&quoted));
}

/* Cuts of the input at every byte of a 64 KiB buffer: rows of growing length, compared with what was written. */
static void buffer_edges(void **state)
{
    (void)state;
    gr__str s = {0};
    gr__str_add(&s, "id,text\n");
    for (int i = 0; i < 20000; i++)
        gr__str_printf(&s, "%d,\"%.*s\"\"\r\n,%d\"%s", i, i % 23, "abcdefghijklmnopqrstuvwxyz", i,
                       i % 2 ? "\r\n" : "\n");
    gr__csv *csv;
    bool more;
    size_t rows = 0;
    assert_ok(gr__csv_open(test_write(dir, "e.csv", s.text, s.n), NULL, &csv));
    for (;;) {
        char wanted[64];
        assert_ok(gr__csv_next_row(csv, &more));
        if (!more) break;
        int n = snprintf(wanted, sizeof wanted, "%.*s\"\r\n,%zu", (int)(rows % 23), "abcdefghijklmnopqrstuvwxyz", rows);
        assert_int_equal(gr__csv_cells(csv)[1].n, n);
        assert_string_equal(gr__csv_cells(csv)[1].text, wanted);
        assert_int_equal(gr__csv_line(csv), 2 + 2 * (int64_t)rows);
        rows++;
    }
    assert_int_equal(rows, 20000);
    gr__csv_close(&csv);
    gr__str_release(&s);
}

static void real_csv(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t rows, columns;
        char separator;
        bool header;
        const char *last; /* name of the last column */
    } files[] = {
        {"tabular/titanic.csv", 891, 15, ',', true, "alone"},
        {"tabular/penguins.csv", 344, 7, ',', true, "sex"},
        {"tabular/diamonds.csv", 53940, 10, ',', true, "z"},
        {"tabular/abalone.csv", 4177, 9, ',', false, "column_9"},
        {"tabular/german.csv", 1000, 21, ',', false, "column_21"},
        {"tabular/winequality_red.csv", 1599, 12, ',', false, "column_12"},
        {"tabular/adult/train.csv", 32561, 15, ',', false, "column_15"},
        {"tabular/adult/test.csv", 16281, 15, ',', false, "column_15"},
        {"timeseries/ETTh1.csv", 17420, 8, ',', true, "OT"},
        {"timeseries/airline_passengers.csv", 144, 2, ',', true, "Passengers"},
        {"classification/sms_spam.tsv", 5574, 2, '\t', false, "column_2"},
        {"classification/chnsenticorp_htl_zh.csv", 7766, 2, ',', true, "review"},
        {"classification/waimai_10k_zh.csv", 11987, 2, ',', true, "review"},
        {"classification/csl_category_zh/train.tsv", 8000, 3, '\t', false, "column_3"},
        {"ratings/ml-latest-small/ratings.csv", 100836, 4, ',', true, "timestamp"},
        {"ratings/ml-latest-small/movies.csv", 9742, 3, ',', true, "genres"},
    };
    size_t seen = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = test_data(files[i].path);
        gr__csv_table t;
        if (!path) continue;
        seen++;
        gr_status status = gr__csv_read(path, NULL, &t);
        if (status != GR_OK) fail_msg("%s", gr_message());
        if (t.rows != files[i].rows || t.columns != files[i].columns || t.has_header != files[i].header ||
            t.separator != files[i].separator || strcmp(t.name[t.columns - 1], files[i].last) != 0)
            fail_msg("%s: %zu rows, %zu columns, separator '%c', header %d, last '%s'", files[i].path, t.rows,
                     t.columns, t.separator, t.has_header, t.name[t.columns - 1]);
        gr__csv_table_release(&t);
    }
    if (!seen) skip();
}

/* The rows of a file from the file itself, forwards and backwards, are those that memory has. */
static void compare_with_file(const char *path, const gr__csv_options *options, const gr__csv_table *t)
{
    gr__csv_options stay = *options;
    gr__csv_table u;
    stay.may_stay = true;
    gr__set_large_bytes(1);
    gr_status status = gr__csv_read(path, &stay, &u);
    gr__set_large_bytes(0);
    assert_ok(status);
    assert_true(u.rows == t->rows && u.columns == t->columns && !u.cell && u.has_header == t->has_header);
    for (size_t k = 0; k < 2 * u.rows; k++) {
        size_t i = k < u.rows ? k : 2 * u.rows - 1 - k;
        const gr__cell *a = gr__csv_table_row(t, (int64_t)i), *b = gr__csv_table_row(&u, (int64_t)i);
        assert_int_equal(t->line[i], u.line[i]);
        for (size_t c = 0; c < u.columns; c++)
            assert_true(a[c].n == b[c].n && a[c].quoted == b[c].quoted &&
                        memcmp(a[c].text, b[c].text, a[c].n + 1) == 0);
    }
    assert_ok(gr__csv_table_check(&u));
    gr__csv_table_release(&u);
}

static void rows_that_change_are_lost(void **state)
{
    (void)state;
    const char *path = test_write(dir, "s.csv", "a,b\n1,2\n3,4\n5,6\n", 16);
    gr__csv_table t;
    gr__set_large_bytes(1);
    assert_ok(gr__csv_read(path, &(gr__csv_options){.may_stay = true}, &t));
    gr__set_large_bytes(0);
    assert_string_equal(gr__csv_table_row(&t, 1)[1].text, "4");
    FILE *f = fopen(path, "r+b"); /* the same file, another row */
    assert_true(f && fseek(f, 4, SEEK_SET) == 0 && fwrite("1,,", 1, 3, f) == 3 && fclose(f) == 0);
    assert_string_equal(gr__csv_table_row(&t, 0)[1].text, "");
    assert_fails(gr__csv_table_check(&t), GR_ERR_DATA, "was changed while it was read");
    gr__csv_table_release(&t);
}

static void csv_mutants(void **state)
{
    (void)state;
    static const char seed_text[] = "id,name,\"x\"\"y\"\n1,\"a\r\nb\",2.5\n2,,?\n\"3\",c;d,\t\n";
    char text[200];
    for (uint64_t seed = 0; seed < 4000; seed++) {
        gr__rng r = gr__rng_make(21, seed);
        size_t n = sizeof seed_text - 1;
        memcpy(text, seed_text, n);
        for (uint64_t k = gr__rng_below(&r, 5); k > 0; k--)
            text[gr__rng_below(&r, n)] =
                gr__rng_below(&r, 3) ? ",;\t|\"\n\r\0 "[gr__rng_below(&r, 9)] : (char)gr__rng_u32(&r);
        gr__csv_table t;
        const char *path = test_write(dir, "m.csv", text, gr__rng_below(&r, n + 1));
        gr__csv_options o = {.skip_bad = seed % 2};
        gr_status status = gr__csv_read(path, &o, &t);
        assert_true(status == GR_OK || status == GR_ERR_DATA || status == GR_ERR_CORRUPT);
        if (status != GR_OK) continue;
        compare_with_file(path, &o, &t);
        gr__csv_table_release(&t);
    }
}

/* ---- IDX ---- */

static void idx(void **state)
{
    (void)state;
    gr_tensor t;
    static const unsigned char i16[] = {0, 0, 11, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFE, 0x01, 0x00};
    assert_ok(gr__idx_read(test_write(dir, "a.idx", i16, sizeof i16), &t));
    assert_true(t.dtype == GR_I16 && t.rank == 2 && t.dim[0] == 1 && t.dim[1] == 2);
    assert_true(gr_tensor_get(&t, 0) == -2 && gr_tensor_get(&t, 1) == 256);
    gr__free(t.data);
    for (size_t n = 0; n < sizeof i16; n++)
        assert_fails(gr__idx_read(test_write(dir, "cut.idx", i16, n), &t), GR_ERR_CORRUPT, "cut.idx");
    unsigned char bad[64];
    memcpy(bad, i16, sizeof i16);
    assert_fails(gr__idx_read(test_write(dir, "long.idx", bad, sizeof i16 + 1), &t), GR_ERR_CORRUPT,
                 "more follows its 4 bytes of data");
    bad[2] = 10;
    assert_fails(gr__idx_read(test_write(dir, "type.idx", bad, sizeof i16), &t), GR_ERR_CORRUPT,
                 "unknown IDX type 0x0a");
    bad[2] = 8;
    bad[3] = 9;
    assert_fails(gr__idx_read(test_write(dir, "rank.idx", bad, sizeof i16), &t), GR_ERR_LIMIT, "9 dimensions");
    memset(bad, 0xFF, sizeof bad);
    bad[0] = bad[1] = 0;
    bad[2] = 14;
    bad[3] = 8;
    assert_fails(gr__idx_read(test_write(dir, "huge.idx", bad, sizeof bad), &t), GR_ERR_CORRUPT,
                 "larger than any machine");
    bad[3] = 1; /* 32 GiB claimed by a file of 64 bytes: refused without asking for the memory */
    gr_memory_reset_peak();
    size_t before = gr_memory_used_bytes();
    assert_fails(gr__idx_read(test_write(dir, "claim.idx", bad, sizeof bad), &t), GR_ERR_CORRUPT,
                 "it ends after 56 of 34359738360 bytes");
    assert_true(gr_memory_peak_bytes() - before < (4 << 20));
}

static void mnist(void **state)
{
    (void)state;
    const char *images = test_data("images/mnist/train-images-idx3-ubyte.gz"),
               *labels = test_data("images/mnist/train-labels-idx1-ubyte.gz");
    gr_tensor x, y;
    if (!images || !labels) skip();
    assert_ok(gr__idx_read(images, &x));
    assert_ok(gr__idx_read(labels, &y));
    assert_true(x.rank == 3 && x.dim[0] == 60000 && x.dim[1] == 28 && x.dim[2] == 28 && x.dtype == GR_U8);
    assert_true(y.rank == 1 && y.dim[0] == 60000);
    static const int first[] = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4};
    for (int i = 0; i < 10; i++) assert_true(gr_tensor_get(&y, i) == first[i]);
    double sum = 0;
    for (int64_t i = 0; i < gr_tensor_count(&x); i++) sum += ((const uint8_t *)x.data)[i];
    assert_true(fabs(sum / (double)gr_tensor_count(&x) / 255 - 0.1307) < 5e-5); /* the mean that everybody quotes */
    gr__free(x.data);
    gr__free(y.data);
}

/* ---- npy ---- */

static gr_status read_npy(const char *header, const void *data, size_t n, gr_tensor *t)
{
    unsigned char bytes[512] = "\x93NUMPY\x01";
    size_t h = strlen(header);
    bytes[8] = (unsigned char)h;
    memcpy(bytes + 10, header, h);
    memcpy(bytes + 10 + h, data, n);
    unsigned char *copy = malloc(10 + h + n); /* exact, for the sanitizer */
    memcpy(copy, bytes, 10 + h + n);
    gr_status status = gr__npy_read_bytes(copy, 10 + h + n, "x.npy", t);
    free(copy);
    return status;
}

static void npy(void **state)
{
    (void)state;
    gr_tensor t;
    int32_t six[] = {1, 2, 3, 4, 5, 6};
    assert_ok(read_npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }   \n", six, sizeof six, &t));
    static const double turned[] = {1, 3, 5, 2, 4, 6};
    for (int i = 0; i < 6; i++) assert_true(gr_tensor_get(&t, i) == turned[i]);
    gr__free(t.data);
    assert_ok(read_npy("{'shape': (3,), 'descr': '>u2', 'fortran_order': False}", "\1\2\0\1\xff\0", 6, &t));
    assert_true(t.dtype == GR_U16 && gr_tensor_get(&t, 0) == 0x102 && gr_tensor_get(&t, 2) == 0xff00);
    gr__free(t.data);
    assert_ok(read_npy("{'descr': '|b1', 'fortran_order': False, 'shape': (), }", "\2", 1, &t));
    assert_true(t.rank == 0 && gr_tensor_get(&t, 0) == 1);
    gr__free(t.data);
    assert_ok(read_npy("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 0, 2), }", "", 0, &t));
    assert_true(t.rank == 3 && gr_tensor_count(&t) == 0);
    gr__free(t.data);
    assert_fails(read_npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", six, 8, &t), GR_ERR_UNSUPPORTED,
                 "Python objects");
    assert_fails(read_npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", six, 4, &t),
                 GR_ERR_UNSUPPORTED, "structures");
    assert_fails(read_npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", six, 8, &t), GR_ERR_UNSUPPORTED,
                 "'<c8'");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", six, 4, &t), GR_ERR_CORRUPT,
                 "4 bytes of data, its shape and type need 8");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", six, 4, &t),
                 GR_ERR_CORRUPT, "any machine");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", six, 8, &t), GR_ERR_CORRUPT,
                 "should have ','");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", six, 8, &t), GR_ERR_CORRUPT,
                 "should have a size at character 51");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': False}", six, 8, &t), GR_ERR_CORRUPT,
                 "lacks descr, fortran_order or shape");
    assert_fails(read_npy("{'descr': '<f4', 'descr': '<f4'}", six, 8, &t), GR_ERR_CORRUPT,
                 "'descr' in its header is unknown or there twice");
    assert_fails(read_npy("{'x': __import__('os')}", six, 8, &t), GR_ERR_CORRUPT, "'x' in its header is unknown");
    assert_fails(read_npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", six, 8, &t), GR_ERR_CORRUPT,
                 "True or False");
    assert_fails(read_npy("{} x", six, 8, &t), GR_ERR_CORRUPT, "its end at character 3");
    assert_fails(gr__npy_read_bytes((const unsigned char *)"\x93NUMPY\x04\0\0\0", 10, "x", &t), GR_ERR_UNSUPPORTED,
                 "version 4.0");
    assert_fails(gr__npy_read_bytes((const unsigned char *)"\x93NUMPY\x02\0\0\0", 10, "x", &t), GR_ERR_CORRUPT,
                 "ends in its header");
    assert_fails(gr__npy_read_bytes((const unsigned char *)"\x93NUMPY\x01\0\xff\0", 10, "x", &t), GR_ERR_CORRUPT,
                 "ends in its header");
    assert_fails(gr__npy_read_bytes((const unsigned char *)"\x93NUMPY\x03\0\0\0\0\1", 12, "x", &t), GR_ERR_LIMIT,
                 "larger than 65536");
}

static void npy_round_trip(void **state)
{
    (void)state;
    char *path = gr__path_join(dir, "r.npy");
    uint64_t data[24];
    for (size_t i = 0; i < sizeof data; i++) ((unsigned char *)data)[i] = (unsigned char)(i * 41);
    for (gr_dtype d = GR_F64; d < GR_BOOL; d = (gr_dtype)(d + 1))
        for (int rank = 0; rank <= 3; rank++) {
            gr_tensor t = {.dtype = d, .rank = rank, .dim = {2, 3, 4}, .data = data}, back;
            if (d == GR_BF16) {
                assert_fails(gr__npy_write(path, &t), GR_ERR_UNSUPPORTED, "no type bf16");
                continue;
            }
            assert_ok(gr__npy_write(path, &t));
            assert_ok(gr__npy_read(path, &back));
            assert_int_equal(back.dtype, d);
            assert_int_equal(back.rank, rank);
            assert_int_equal(gr_tensor_count(&back), gr_tensor_count(&t));
            assert_memory_equal(back.data, data, gr_tensor_size_bytes(&t));
            gr__free(back.data);
        }
    gr__free(path);
}

/* Files of NumPy: read, written again, the same bytes. */
static void npy_real(void **state)
{
    (void)state;
    static const char *const files[] = {"conformance/npy/candle_test.npy",
                                        "conformance/npy/mlperf_calibration_samples_idxs.npy",
                                        "conformance/npy/mlperf_perf_samples_idxs.npy"};
    char *copy = gr__path_join(dir, "copy.npy"), *a, *b;
    for (size_t i = 0; i < 3; i++) {
        const char *path = test_data(files[i]);
        gr_tensor t;
        size_t n, m;
        if (!path) break;
        assert_ok(gr__npy_read(path, &t));
        assert_true(gr_tensor_count(&t) > 0);
        assert_ok(gr__npy_write(copy, &t));
        assert_ok(gr__file_read(path, SIZE_MAX, &a, &n));
        assert_ok(gr__file_read(copy, SIZE_MAX, &b, &m));
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
        gr__free(a);
        gr__free(b);
        gr__free(t.data);
    }
    gr__free(copy);
    if (!test_data(files[0])) skip();
}

static void npy_mutants(void **state)
{
    (void)state;
    static const char seed_text[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    float data[6] = {0};
    char header[sizeof seed_text];
    for (uint64_t seed = 0; seed < 20000; seed++) {
        gr__rng r = gr__rng_make(31, seed);
        gr_tensor t;
        memcpy(header, seed_text, sizeof header);
        for (uint64_t k = 1 + gr__rng_below(&r, 3); k > 0; k--)
            header[gr__rng_below(&r, sizeof header - 1)] = gr__rng_below(&r, 2)
                                                               ? "{}()',:0129<>|fiub TrueFalse"[gr__rng_below(&r, 28)]
                                                               : (char)(gr__rng_u32(&r) | 1);
        if (read_npy(header, data, gr__rng_below(&r, sizeof data + 1), &t) == GR_OK) gr__free(t.data);
    }
}

/* ---- element types ---- */

static void dtypes(void **state)
{
    (void)state;
    uint64_t cell = 0;
    gr_tensor t = {.rank = 0, .data = &cell};
    for (uint32_t h = 0; h < 65536; h++) { /* every 16-bit float comes back */
        for (int k = 0; k < 2; k++) {
            t.dtype = k ? GR_BF16 : GR_F16;
            uint16_t bits = (uint16_t)h;
            memcpy(&cell, &bits, 2);
            double v = gr_tensor_get(&t, 0);
            cell = 0;
            gr_tensor_set(&t, 0, v);
            uint16_t back = (uint16_t)cell;
            if (isnan(v) ? !isnan(gr_tensor_get(&t, 0)) : back != bits)
                fail_msg("%s %04x -> %g -> %04x", gr_dtype_name(t.dtype), bits, v, back);
        }
    }
    static const struct {
        gr_dtype dtype;
        double in, out;
    } cases[] = {
        {GR_F16, 65519.999, 65504},
        {GR_F16, 65520, (double)INFINITY},
        {GR_F16, 0x1p-25, 0},
        {GR_F16, 0x1.0000001p-25, 0x1p-24},
        {GR_F16, 2049, 2048},
        {GR_F16, 2051, 2052},
        {GR_F16, 2049 + 1e-12, 2050}, /* double rounding would give 2048 */
        {GR_BF16, 257, 256},
        {GR_BF16, 257 + 1e-12, 258},
        {GR_BF16, 259, 260},
        {GR_BF16, -1e39, -(double)INFINITY},
        {GR_I8, 127.5, 127},
        {GR_I8, -1e9, -128},
        {GR_I8, 2.5, 2},
        {GR_U8, -3, 0},
        {GR_U8, 300, 255},
        {GR_I64, 1e300, 9223372036854775807.0},
        {GR_U64, 1e300, 18446744073709551615.0},
        {GR_I32, (double)NAN, 0},
        {GR_BOOL, 0.5, 1},
        {GR_U32, 4294967295.0, 4294967295.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        t.dtype = cases[i].dtype;
        gr_tensor_set(&t, 0, cases[i].in);
        if (gr_tensor_get(&t, 0) != cases[i].out)
            fail_msg("%s: %.17g -> %.17g", gr_dtype_name(t.dtype), cases[i].in, gr_tensor_get(&t, 0));
    }
    assert_int_equal(gr_dtype_from_name("BF16"), GR_BF16);
    assert_int_equal(gr_dtype_from_name("bf16"), GR_BF16);
    assert_int_equal(gr_dtype_from_name("F8"), GR_DTYPE_NONE);
    assert_int_equal(gr_dtype_from_name(""), GR_DTYPE_NONE);
    assert_string_equal(gr_dtype_name((gr_dtype)99), "unknown");
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

static gr_status all_formats(const char *csv, const char *idx_path, const char *npy_path)
{
    gr__csv_table t;
    gr_tensor x;
    char **names;
    size_t n;
    GR_TRY(gr__csv_read(csv, NULL, &t));
    gr__csv_table_release(&t);
    GR_TRY(gr__dir_list(dir, true, &names, &n));
    gr__names_free(names, n);
    GR_TRY(gr__idx_read(idx_path, &x));
    gr_status status = gr__npy_write(npy_path, &x);
    gr__free(x.data);
    GR_TRY(status);
    GR_TRY(gr__npy_read(npy_path, &x));
    gr__free(x.data);
    return GR_OK;
}

static void allocation_failures(void **state)
{
    (void)state;
    static const unsigned char i16[] = {0, 0, 11, 1, 0, 0, 0, 1, 0xFF, 0xFE};
    const char *csv = test_write(dir, "a.csv", "a,b\n1,\"x\"\"\"\n2,y\n", 16),
               *idx_path = test_write(dir, "a.idx", i16, sizeof i16);
    char *npy_path = gr__path_join(dir, "a.npy");
    size_t before = gr_memory_used_bytes();
    for (size_t at = 0, done = 0; !done; at++) {
        failing f = {.at = at};
        gr_allocator allocator = {failing_resize, &f};
        gr_set_allocator(&allocator);
        gr_status status = all_formats(csv, idx_path, npy_path);
        done = f.n <= at;
        gr_set_allocator(NULL);
        if (status != (done ? GR_OK : GR_ERR_MEMORY))
            fail_msg("allocation %zu: %s: %s", at, gr_status_name(status), gr_message());
        assert_int_equal(gr_memory_used_bytes(), before);
    }
    gr__free(npy_path);
}

/* Decimals of every length: the short way gives the bits of strtod, and what is no number stays none. */
static void numbers_are_exact(void **state)
{
    (void)state;
    static const char *const none[] = {"", "-", "+", ".", "-.", "1.2.3", "1-2", "0x10", "inf", "nan", "1e", "--1"};
    gr__rng r = gr__rng_make(7, 1);
    char text[64];
    double got;
    for (int i = 0; i < 20000; i++) {
        double v = (gr__rng_uniform(&r) - 0.5) * pow(10, (double)(i % 20) - 4);
        snprintf(text, sizeof text, "%s%.*f", i % 7 ? "" : " ", i % 17, v);
        gr__cell c = {text, (uint32_t)strlen(text), false};
        assert_true(gr__cell_number(&c, false, &got));
        assert_true(got == strtod(text, NULL));
        for (char *p = text; *p; p++)
            if (*p == '.') *p = ',';
        assert_true(gr__cell_number(&c, true, &got));
        assert_true(got == strtod((snprintf(text, sizeof text, "%.*f", i % 17, v), text), NULL));
    }
    for (size_t i = 0; i < GR__COUNT(none); i++)
        assert_false(gr__cell_number(&(gr__cell){none[i], (uint32_t)strlen(none[i]), false}, false, &got));
    assert_true(gr__cell_number(&(gr__cell){".5", 2, false}, false, &got) && got == 0.5);
    assert_true(gr__cell_number(&(gr__cell){"-7.", 2, false}, false, &got) && got == -7);
    assert_true(gr__cell_is_missing(&(gr__cell){"nA", 2, false}) &&
                gr__cell_is_missing(&(gr__cell){" NULL", 5, false}));
    assert_false(gr__cell_is_missing(&(gr__cell){"nann", 4, false}) || gr__cell_is_missing(&(gr__cell){"n", 1, false}));
}

/* A file larger than the buffers, with quotes, CRLF, empty lines and no end to the last line: every cell and line number. */
static void large_files_are_read_whole(void **state)
{
    (void)state;
    const char *own = test_tmpdir();
    char path[300], want[64];
    gr__str text = {0};
    gr__csv_table t;
    int64_t *line, at = 1;
    enum { ROWS = 60000 };
    assert_non_null(line = gr__alloc(ROWS * sizeof *line));
    gr__str_add(&text, "number,word,other\n");
    for (int i = 0; i < ROWS; i++) {
        if (i % 1000 == 999) gr__str_add(&text, "\n"), at++;
        line[i] = ++at;
        if (i % 50 == 3)
            gr__str_printf(&text, "%d.25,\"a \"\"b\"\",\n%d\",x%s", i, i, i + 1 < ROWS ? "\r\n" : ""), at++;
        else
            gr__str_printf(&text, "%d.25,w%d,x%s", i, i, i + 1 == ROWS ? "" : i % 3 ? "\n" : "\r\n");
    }
    snprintf(path, sizeof path, "%s/large.csv", own);
    assert_ok(gr__file_write(path, text.text, text.n));
    assert_true(text.n > 1 << 20);
    assert_ok(gr__csv_read(path, NULL, &t));
    double *v = gr__alloc(ROWS * sizeof *v);
    assert_int_equal(t.rows, ROWS);
    assert_int_equal(t.columns, 3);
    assert_ok(gr__csv_table_doubles(&t, 0, v));
    for (int i = 0; i < ROWS; i++) {
        if (i % 50 == 3)
            snprintf(want, sizeof want, "a \"b\",\n%d", i);
        else
            snprintf(want, sizeof want, "w%d", i);
        assert_true(v[i] == i + 0.25);
        assert_string_equal(t.cell[3 * i + 1].text, want);
        assert_string_equal(t.cell[3 * i + 2].text, "x");
        assert_int_equal(t.cell[3 * i + 1].n, strlen(want));
        assert_int_equal(t.line[i], line[i]);
    }
    assert_fails(gr__csv_table_doubles(&t, 1, v), GR_ERR_DATA, "large.csv:2: 'w0' in column 'word' is not a number");
    gr__csv_table_release(&t);
    gr__str_add(&text, "\n1,2\n");
    assert_ok(gr__file_write(path, text.text, text.n));
    assert_fails(gr__csv_read(path, NULL, &t), GR_ERR_DATA, "the row has 2 fields, expected 3");
    gr__free(v);
    gr__free(line);
    gr__str_release(&text);
    test_rmtree(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(large_files_are_read_whole),
        cmocka_unit_test(forms),
        cmocka_unit_test(csv_bad_rows),
        cmocka_unit_test(csv_open_quote),
        cmocka_unit_test(csv_failures),
        cmocka_unit_test(cells),
        cmocka_unit_test(buffer_edges),
        cmocka_unit_test(real_csv),
        cmocka_unit_test(rows_that_change_are_lost),
        cmocka_unit_test(csv_mutants),
        cmocka_unit_test(idx),
        cmocka_unit_test(mnist),
        cmocka_unit_test(npy),
        cmocka_unit_test(npy_round_trip),
        cmocka_unit_test(npy_real),
        cmocka_unit_test(npy_mutants),
        cmocka_unit_test(dtypes),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
