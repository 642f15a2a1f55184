/* tar, zip, npz and JSONL: files as others write them, real ones, golden messages, hostile bytes. */
#include "tests/hostile.h"

#include "base/file.h"
#include "base/limits.h"
#include "format/jsonl.h"
#include "format/npz.h"
#include "format/tar.h"
#include "format/zip.h"

#include <zlib.h>

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

static unsigned char *read_file(const char *path, size_t *n)
{
    char *text;
    assert_ok(gr__file_read(path, (size_t)1 << 30, &text, n));
    return (unsigned char *)text;
}

/* ---- tar ---- */

/* "name:bytes name/ ..." of all entries, everything read. */
static gr_status list_tar(const char *path, gr__str *out)
{
    gr__tar *t;
    gr__tar_entry e;
    bool more;
    GR_TRY(gr__tar_open(path, &t));
    gr_status status;
    while ((status = gr__tar_next(t, &e, &more)) == GR_OK && more) {
        if (out->n < 4000) gr__str_printf(out, e.is_folder ? "%s%s/" : "%s%s:", out->n ? " " : "", e.name);
        if (e.is_folder) continue;
        char *data;
        size_t n;
        if ((status = gr__tar_read_all(t, (size_t)1 << 30, &data, &n)) != GR_OK) break;
        if (out->n < 4000) gr__str_printf(out, "%zu", n);
        gr__free(data);
    }
    if (status == GR_OK) status = gr__str_check(out);
    gr__tar_close(&t);
    return status;
}

static gr_status parse_tar(const unsigned char *bytes, size_t n, void *user)
{
    (void)user;
    gr__str s = {0};
    gr_status status = list_tar(test_write(dir, "x.tar", bytes, n), &s);
    gr__str_release(&s);
    return status;
}

static gr_status alloc_tar(void *user)
{
    gr__str s = {0};
    gr_status status = list_tar(user, &s);
    gr__str_release(&s);
    return status;
}

#define X60 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define F "folder-of-a-long-name/"

static void tars(void **state)
{
    (void)state;
    static const struct {
        const char *name, *list;
    } files[] = {
        {"ustar", "data/ a.txt:0 data/b.txt:560 " F F F F F F "file.txt:1120"},
        {"gnu", "data/ a.txt:0 data/b.txt:560 " X60 "/" X60 "/" X60 "/" X60 "/" X60 ".txt:1120"},
        {"pax",
         "data/ a.txt:0 data/b.txt:560 " X60 "/" X60 "/" X60 "/" X60 "/" X60 ".txt:1120 data/\xe6\x96\x87.txt:1680"},
    };
    for (size_t i = 0; i < GR__COUNT(files); i++) {
        char name[64];
        snprintf(name, sizeof name, "tests/golden/archives/%s.tar", files[i].name);
        const char *path = test_source(name);
        gr__str s = {0};
        assert_ok(list_tar(path, &s));
        assert_string_equal(s.text, files[i].list);
        gr__str_release(&s);
        size_t n;
        unsigned char *bytes = read_file(path, &n);
        /* up to the end of the first closing block a cut must show; Python fills up to 10 KiB */
        size_t last = n;
        while (last > 0 && bytes[last - 1] == 0) last--;
        hostile_cuts(parse_tar, bytes, (last + 511) / 512 * 512 + 512, 0, NULL);
        hostile_flips(parse_tar, bytes, n, 1500, NULL);
        gr__free(bytes);
    }
    hostile_allocations(alloc_tar, (void *)(uintptr_t)test_source("tests/golden/archives/pax.tar"));
}

/* A header of our own, with a right checksum; then a closing block. */
static const char *made_tar(const char *entry, char type, const char *size, const char *link)
{
    unsigned char b[1024] = {0};
    unsigned sum = 0;
    char text[16];
    memcpy(b, entry, strlen(entry));
    memcpy(b + 100, "0000644", 7);
    memcpy(b + 124, size, 12);
    memset(b + 148, ' ', 8);
    b[156] = (unsigned char)type;
    memcpy(b + 157, link, strlen(link));
    memcpy(b + 257,
           "ustar\0"
           "00",
           8);
    for (int i = 0; i < 512; i++) sum += b[i];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(b + 148, text, 7);
    return test_write(dir, "made.tar", b, sizeof b);
}

static void tar_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        char type;
        const char *size;
        gr_status status;
        const char *message;
    } rows[] = {
        {"a", '2', "00000000000", GR_ERR_UNSUPPORTED, "entry 'a' is a symbolic link; pack files and folders only"},
        {"a", '1', "00000000000", GR_ERR_UNSUPPORTED, "entry 'a' is a hard link"},
        {"a", '3', "00000000000", GR_ERR_UNSUPPORTED, "entry 'a' is a device"},
        {"a", 'Z', "00000000000", GR_ERR_CORRUPT, "the tar header at byte 0 has an unknown type"},
        {"../a", '0', "00000000000", GR_ERR_CORRUPT, "entry '../a' leads out of the archive"},
        {"a/..", '0', "00000000000", GR_ERR_CORRUPT, "entry 'a/..' leads out of the archive"},
        {"/etc/passwd", '0', "00000000000", GR_ERR_CORRUPT, "entry '/etc/passwd' leads out of the archive"},
        {"a\033b", '0', "00000000000", GR_ERR_CORRUPT, "holds a control character"},
        {"a", '0', "00000002000", GR_ERR_CORRUPT, "it ends early, at byte 1024 of its contents"},
        {"a", '0', "00077777777", GR_ERR_CORRUPT, "it ends early"},
        {"a", '0', "0000000000x", GR_ERR_CORRUPT, "has a broken size"},
        {"a", '0', "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", GR_ERR_CORRUPT, "a size larger than any file"},
        {"a", '0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", GR_ERR_CORRUPT, "a broken size"},
        {"a", 'L', "00010000000", GR_ERR_LIMIT, "an extended header has 2097152 bytes"},
        {"a", 'x', "00000000010", GR_ERR_CORRUPT, "a broken pax record"},
    };
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        gr__str s = {0};
        assert_fails(list_tar(made_tar(rows[i].name, rows[i].type, rows[i].size, ""), &s), rows[i].status,
                     rows[i].message);
        gr__str_release(&s);
    }
    gr__str s = {0};
    assert_ok(list_tar(made_tar("a", '0', "00000000000", ""), &s));
    assert_string_equal(s.text, "a:0");
    gr__str_release(&s);
}

static void cifar_tar(void **state)
{
    (void)state;
    const char *path = test_data("images/cifar10/test.tar.gz");
    if (!path) skip();
    gr__tar *t;
    gr__tar_entry e;
    bool more;
    size_t files = 0;
    uint64_t bytes = 0;
    assert_ok(gr__tar_open(path, &t));
    for (;;) {
        assert_ok(gr__tar_next(t, &e, &more));
        if (!more) break;
        files += !e.is_folder;
        bytes += e.size_bytes;
        unsigned char head[2];
        size_t got;
        if (e.is_folder) continue;
        assert_ok(gr__tar_read(t, head, 2, &got)); /* the rest is skipped */
        assert_true(got == 2 && head[0] == 0xff && head[1] == 0xd8);
    }
    gr__tar_close(&t);
    assert_int_equal(files, 10000);
    assert_true(bytes > 10000 * 600);
}

/* ---- zip ---- */

static gr_status read_zip(gr__zip *z)
{
    for (size_t i = 0; i < gr__zip_count(z); i++) {
        char *data;
        size_t n;
        GR_TRY(gr__zip_read(z, gr__zip_at(z, i), (size_t)1 << 24, &data, &n));
        gr__free(data);
    }
    return GR_OK;
}

static gr_status parse_zip(const unsigned char *bytes, size_t n, void *user)
{
    (void)user;
    gr__zip *z;
    GR_TRY(gr__zip_open_bytes(bytes, n, "x.zip", &z));
    gr_status status = read_zip(z);
    gr__zip_close(&z);
    return status;
}

static gr_status alloc_zip(void *user)
{
    gr__zip *z;
    GR_TRY(gr__zip_open(user, &z));
    gr_status status = read_zip(z);
    gr__zip_close(&z);
    return status;
}

static void zips(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "zip64", "piped"};
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        char name[64], *data;
        snprintf(name, sizeof name, "tests/golden/archives/%s.zip", names[i]);
        const char *path = test_source(name);
        gr__zip *z;
        size_t n;
        assert_ok(gr__zip_open(path, &z));
        assert_int_equal(gr__zip_count(z), 3);
        assert_string_equal(gr__zip_at(z, 0)->name, "folder/stored.txt");
        assert_null(gr__zip_find(z, "folder/"));
        assert_ok(gr__zip_read(z, gr__zip_find(z, "folder/stored.txt"), 100, &data, &n));
        assert_true(n == 63 && memcmp(data, "stored stored ", 14) == 0);
        gr__free(data);
        assert_ok(gr__zip_read(z, gr__zip_find(z, "deflated.txt"), 5000, &data, &n));
        assert_true(n == 4500 && strncmp(data + 4491, "deflated ", 10) == 0 && data[4500] == 0);
        gr__free(data);
        assert_ok(gr__zip_read(z, gr__zip_find(z, "empty"), 0, &data, &n));
        assert_int_equal(n, 0);
        gr__free(data);
        assert_fails(gr__zip_read(z, gr__zip_find(z, "deflated.txt"), 4499, &data, &n), GR_ERR_LIMIT,
                     "entry 'deflated.txt' has 4500 bytes, at most 4499 are allowed");
        gr__zip_close(&z);
        unsigned char *bytes = read_file(path, &n);
        hostile_cuts(parse_zip, bytes, n, 0, NULL);
        hostile_flips(parse_zip, bytes, n, 4000, NULL);
        gr__free(bytes);
        hostile_allocations(alloc_zip, (void *)(uintptr_t)path);
    }
}

static void put(unsigned char *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) p[i] = (unsigned char)(v >> 8 * i);
}

/* One stored entry 'a' with 4 bytes; the fields to spoil are at fixed places. Local header at 0, data at 31,
 * directory at 35, end record at 82. */
static size_t made_zip(unsigned char b[128])
{
    uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)"data", 4);
    memset(b, 0, 128);
    put(b, 0x04034b50, 4), put(b + 14, crc, 4), put(b + 18, 4, 4), put(b + 22, 4, 4), put(b + 26, 1, 2);
    memcpy(b + 30, "adata", 5);
    put(b + 35, 0x02014b50, 4), put(b + 51, crc, 4), put(b + 55, 4, 4), put(b + 59, 4, 4), put(b + 63, 1, 2);
    b[81] = 'a';
    put(b + 82, 0x06054b50, 4), put(b + 90, 1, 2), put(b + 92, 1, 2), put(b + 94, 47, 4), put(b + 98, 35, 4);
    return 104;
}

static void zip_refuses(void **state)
{
    (void)state;
    static const struct {
        int at, bytes;
        uint32_t value;
        int at_too;
        gr_status status;
        const char *message;
    } rows[] = {
        {43, 2, 1, 0, GR_ERR_UNSUPPORTED, "entry 'a' is encrypted"},
        {45, 2, 9, 8, GR_ERR_UNSUPPORTED, "entry 'a' is packed with method 9"},
        {59, 4, 0x7fffffff, 22, GR_ERR_CORRUPT, "a stored entry has two sizes"},
        {55, 4, 5, 18, GR_ERR_CORRUPT, "an entry ends past the directory at byte 0"},
        {30, 1, 'b', 0, GR_ERR_CORRUPT, "an entry and the directory contradict each other at byte 0"},
        {32, 1, 'x', 0, GR_ERR_CORRUPT, "the data of entry 'a' does not have its checksum"},
        {86, 2, 1, 0, GR_ERR_UNSUPPORTED, "one part of a zip file in several parts"},
        {92, 2, 2, 90, GR_ERR_CORRUPT, "its directory is too small for its entries"},
        {98, 4, 36, 0, GR_ERR_CORRUPT, "its directory ends past the file"},
        {77, 4, 34, 0, GR_ERR_CORRUPT, "an entry should begin at byte 34"},
        {81, 1, '\\', 30, GR_ERR_CORRUPT, "leads out of the archive"},
    };
    unsigned char b[128];
    assert_ok(parse_zip(b, made_zip(b), NULL));
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        size_t n = made_zip(b);
        put(b + rows[i].at, rows[i].value, rows[i].bytes);
        if (rows[i].at_too) put(b + rows[i].at_too, rows[i].value, rows[i].bytes);
        assert_fails(parse_zip(b, n, NULL), rows[i].status, rows[i].message);
    }
    size_t n = made_zip(b); /* deflate that claims a thousand times more than it can hold */
    put(b + 8, 8, 2), put(b + 45, 8, 2), put(b + 22, 0x7fffffff, 4), put(b + 59, 0x7fffffff, 4);
    assert_fails(parse_zip(b, n, NULL), GR_ERR_LIMIT, "entry 'a' claims more than 1000 times its packed size");
    unsigned char two[192]; /* two names for one entry's data */
    n = made_zip(b);
    memcpy(two, b, 82);
    memcpy(two + 82, b + 35, 47);
    memcpy(two + 129, b + 82, 22);
    put(two + 137, 2, 2), put(two + 139, 2, 2), put(two + 141, 94, 4);
    assert_fails(parse_zip(two, 151, NULL), GR_ERR_CORRUPT, "two entries are named 'a'");
}

/* ---- npz ---- */

static void npz(void **state)
{
    (void)state;
    gr__npz *z;
    gr_tensor t;
    assert_ok(gr__npz_open(test_source("tests/golden/archives/arrays.npz"), &z));
    assert_int_equal(gr__npz_count(z), 3);
    assert_string_equal(gr__npz_name(z, 1), "order");
    assert_ok(gr__npz_read(z, "x", &t));
    assert_true(t.dtype == GR_F32 && t.rank == 2 && t.dim[0] == 3 && t.dim[1] == 4 && gr_tensor_get(&t, 7) == 7);
    gr__free(t.data);
    assert_ok(gr__npz_read(z, "order", &t));
    for (int i = 0; i < 6; i++) assert_true(gr_tensor_get(&t, i) == i);
    gr__free(t.data);
    assert_ok(gr__npz_read(z, "zeros", &t)); /* 70,000 bytes out of 94 */
    assert_true(t.dim[0] == 70000 && gr_tensor_get(&t, 69999) == 0);
    gr__free(t.data);
    assert_fails(gr__npz_read(z, "ordre", &t), GR_ERR_NOT_FOUND, "has no array 'ordre'; did you mean 'order'?");
    gr__npz_close(&z);
    assert_fails(gr__npz_open(test_source("tests/golden/archives/plain.zip"), &z), GR_ERR_UNSUPPORTED,
                 "entry 'folder/stored.txt' is not an .npy array");
}

static void npz_real(void **state)
{
    (void)state;
    static const char *const files[] = {"linear", "rmsnorm", "rope"};
    size_t seen = 0;
    for (size_t i = 0; i < GR__COUNT(files); i++) {
        char name[64];
        snprintf(name, sizeof name, "conformance/npy/cs336_test_%s.npz", files[i]);
        const char *path = test_data(name);
        gr__npz *z;
        if (!path) continue;
        seen++;
        assert_ok(gr__npz_open(path, &z));
        assert_int_equal(gr__npz_count(z), 1);
        gr_tensor t;
        assert_ok(gr__npz_read(z, gr__npz_name(z, 0), &t));
        assert_true(t.dtype == GR_F32 && t.rank == 3 && gr_tensor_count(&t) > 1000);
        gr__free(t.data);
        gr__npz_close(&z);
    }
    if (!seen) skip();
}

/* ---- JSONL ---- */

static gr_status parse_jsonl(const unsigned char *bytes, size_t n, void *user)
{
    gr__jsonl *j;
    gr__json v;
    bool more;
    size_t *count = user;
    GR_TRY(gr__jsonl_open(test_write(dir, "x.jsonl", bytes, n), &j));
    gr_status status;
    while ((status = gr__jsonl_next(j, &v, &more)) == GR_OK && more)
        if (count) ++*count;
    gr__jsonl_close(&j);
    return status;
}

static void jsonl(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf{\"a\": 1}\r\n\n  \n{\"a\": 2}\n{\"a\" 3}\n{\"a\": 4}";
    gr__jsonl *j;
    gr__json v;
    bool more;
    int64_t a;
    assert_ok(gr__jsonl_open(test_write(dir, "a.jsonl", text, sizeof text - 1), &j));
    assert_ok(gr__jsonl_next(j, &v, &more));
    assert_true(more && gr__json_int(gr__json_get(v, "a"), &a) && a == 1 && gr__jsonl_line(j) == 1);
    assert_ok(gr__jsonl_next(j, &v, &more));
    assert_true(more && gr__json_int(gr__json_get(v, "a"), &a) && a == 2 && gr__jsonl_line(j) == 4);
    assert_fails(gr__jsonl_next(j, &v, &more), GR_ERR_CORRUPT, "a.jsonl:5:6: ");
    assert_ok(gr__jsonl_next(j, &v, &more)); /* behind the bad line */
    assert_true(more && gr__json_int(gr__json_get(v, "a"), &a) && a == 4 && gr__jsonl_line(j) == 6);
    assert_ok(gr__jsonl_next(j, &v, &more));
    assert_false(more);
    gr__jsonl_close(&j);
    size_t n = (size_t)GR__LIMIT_JSONL_LINE_BYTES + 2;
    char *large = malloc(n);
    memset(large, ' ', n);
    memcpy(large, "1\n", 2);
    large[n - 1] = '2';
    size_t count = 0;
    assert_ok(parse_jsonl((unsigned char *)large, n, &count)); /* exactly the limit */
    assert_int_equal(count, 2);
    large[1] = ' ';
    assert_fails(parse_jsonl((unsigned char *)large, n, NULL), GR_ERR_LIMIT,
                 "x.jsonl:1: the line is longer than 16777216 bytes");
    free(large);
    hostile_flips(parse_jsonl, text, sizeof text - 1, 1000, NULL);
}

static void jsonl_real(void **state)
{
    (void)state;
    const char *path = test_data("tokenizers/bert_uncased_pairs.jsonl");
    if (!path) skip();
    gr__jsonl *j;
    gr__json v;
    bool more;
    size_t lines = 0;
    assert_ok(gr__jsonl_open(path, &j));
    for (;; lines++) {
        assert_ok(gr__jsonl_next(j, &v, &more));
        if (!more) break;
    }
    assert_true(lines > 5);
    assert_int_equal(gr__jsonl_line(j), lines);
    gr__jsonl_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tars),     cmocka_unit_test(tar_refuses), cmocka_unit_test(cifar_tar),
        cmocka_unit_test(zips),     cmocka_unit_test(zip_refuses), cmocka_unit_test(npz),
        cmocka_unit_test(npz_real), cmocka_unit_test(jsonl),       cmocka_unit_test(jsonl_real),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
