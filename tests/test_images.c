/* Pictures: pixels equal to Pillow's, file by file; what is refused, with its sentence; hostile bytes; PNG written and read
 * back. A build without libpng or TurboJPEG skips what it cannot do and must say so. */
#include "tests/hostile.h"
#include "tests/sha256.h"

#include "base/file.h"
#include "format/image.h"

#include <math.h>

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

static char *read_file(const char *path, size_t *n)
{
    char *text;
    assert_ok(gr__file_read(path, (size_t)1 << 30, &text, n));
    return text;
}

static bool not_built_in(gr_status status)
{
    return status == GR_ERR_UNSUPPORTED && strstr(gr_message(), "this build reads no ");
}

/* The next field of a line of a table; NULL at its end. */
static char *field(char **at)
{
    char *start = *at;
    if (!start) return NULL;
    char *end = strpbrk(start, "\t\n");
    *at = end && *end == '\t' ? end + 1 : NULL;
    if (end) *end = 0;
    return start;
}

static void pixel_hash(const gr__image *image, char out[65])
{
    sha256_hex(image->pixels,
               (size_t)image->width * (size_t)image->height * (size_t)image->channels * (size_t)image->depth / 8, out);
}

/* ---- against Pillow ---- */

static void small_files(void **state)
{
    (void)state;
    size_t n, seen = 0;
    char *table = read_file(test_source("tests/golden/images/decoded.tsv"), &n), *line = table, *next;
    for (; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) next++;
        char *at = line, path[100], hash[65];
        snprintf(path, sizeof path, "tests/golden/images/%s", field(&at));
        int64_t width = atoi(field(&at)), height = atoi(field(&at));
        const char *raw = field(&at), *turned = field(&at);
        gr__image image;
        gr__image_options o = {.channels = 4, .no_orientation = true};
        gr_status status = gr__image_read(test_source(path), &o, &image);
        if (not_built_in(status)) continue;
        assert_ok(status);
        assert_true(image.width == width && image.height == height && image.channels == 4 && image.depth == 8);
        pixel_hash(&image, hash);
        if (strcmp(hash, raw) != 0) fail_msg("%s: pixels differ from Pillow's", path);
        gr__image_release(&image);
        o.no_orientation = false;
        assert_ok(gr__image_read(test_source(path), &o, &image));
        pixel_hash(&image, hash);
        if (strcmp(hash, turned) != 0) fail_msg("%s: turned pixels differ from Pillow's", path);
        gr__image_release(&image);
        seen++;
    }
    assert_true(seen >= 8); /* BMP and PNM are always there */
    gr__free(table);
}

/* folder/decoded_by_pillow.tsv, with its columns in any order; exact: hashes must agree. */
static void against_table(const char *folder, size_t exact_at_least, size_t means_at_least)
{
    char name[100];
    size_t n, exact = 0, close = 0, refused = 0, lines = 0;
    snprintf(name, sizeof name, "images/%s/decoded_by_pillow.tsv", folder);
    const char *path = test_data(name);
    if (!path) skip();
    char *table = read_file(path, &n), *line = strchr(table, '\n') + 1, *next;
    for (; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) next++;
        char *at = line, *f[9], hash[65];
        for (size_t i = 0; i < 9; i++) f[i] = field(&at);
        snprintf(name, sizeof name, "images/%s/%s", folder, f[0]);
        gr__image image;
        gr__image_options o = {.channels = 4, .no_orientation = true};
        gr_status status = gr__image_read(test_data(name), &o, &image);
        if (not_built_in(status)) continue;
        lines++;
        if (strcmp(f[3], "REJECTED") == 0) {
            assert_int_equal(status, GR_ERR_CORRUPT);
            assert_non_null(strstr(gr_message(), f[0]));
            refused++;
            continue;
        }
        if (status != GR_OK) fail_msg("%s", gr_message());
        assert_true(image.width == atoi(f[1]) && image.height == atoi(f[2]));
        pixel_hash(&image, hash);
        if (f[5][0] == '-') {
            ; /* 16-bit gray, of which Pillow makes something else; see deep_gray */
        } else if (strstr(f[0], "tbbn0g04")) {
            /* the one difference: Pillow holds the transparent gray of 4 bits against pixels of 8, so that none is; the
             * specification's pixels are the ones of value 15 */
            uint8_t *p = image.pixels;
            size_t clear = 0;
            for (int64_t i = 0; i < image.width * image.height; i++) {
                assert_true(p[4 * i + 3] == (p[4 * i] == 255 ? 0 : 255));
                clear += p[4 * i + 3] == 0;
                p[4 * i + 3] = 255;
            }
            assert_true(clear > 100);
            pixel_hash(&image, hash);
            assert_string_equal(hash, f[5]);
            exact++;
        } else if (strcmp(hash, f[5]) == 0) {
            exact++;
        } else {
            double sum[3] = {0}, count = (double)(image.width * image.height);
            for (int64_t i = 0; i < image.width * image.height; i++)
                for (int c = 0; c < 3; c++) sum[c] += ((uint8_t *)image.pixels)[4 * i + c];
            bool jpeg = strstr(f[0], ".jpg") != NULL;
            for (int c = 0; c < 3; c++)
                if (!jpeg || fabs(sum[c] / count - atof(f[6 + c])) > 0.5)
                    fail_msg("%s: pixels differ from Pillow's (channel %d: mean %.3f, wanted %s)", f[0], c,
                             sum[c] / count, f[6 + c]);
            close++;
        }
        gr__image_release(&image);
    }
    printf("%s: %zu files, %zu equal to Pillow's bit for bit, %zu by their means, %zu refused\n", folder, lines, exact,
           close, refused);
    if (lines > 100 || strcmp(folder, "photos") == 0) assert_true(exact + close > 0);
    gr__image image;
    gr__image_options o = {0};
    gr_status png = gr__image_decode((const unsigned char *)"\x89PNG\r\n\x1a\n", 8, "x", &o, &image);
    bool has_png = !not_built_in(png);
    gr_status jpeg = gr__image_decode((const unsigned char *)"\xff\xd8", 2, "x", &o, &image);
    if (has_png && !not_built_in(jpeg)) assert_true(exact >= exact_at_least && close <= means_at_least);
    gr__free(table);
}

static void png_suite(void **state)
{
    (void)state;
    against_table("pngsuite", 99, 0);
}

static void photos(void **state)
{
    (void)state;
    against_table("photos", 32, 2);
}

/* Every 16-bit gray file of the suite keeps its values: the ones of one picture in several packings agree. */
static void deep_gray(void **state)
{
    (void)state;
    static const char *const same[] = {"basn0g16", "oi1n0g16", "oi2n0g16", "oi4n0g16", "oi9n0g16"};
    char first[65], hash[65];
    for (size_t i = 0; i < GR__COUNT(same); i++) {
        char name[100];
        snprintf(name, sizeof name, "images/pngsuite/16bit/%s.png", same[i]);
        const char *path = test_data(name);
        if (!path) skip();
        gr__image image;
        gr__image_options o = {.deep = true};
        gr_status status = gr__image_read(path, &o, &image);
        if (not_built_in(status)) test_skip(gr_message());
        assert_ok(status);
        assert_true(image.depth == 16 && image.channels == 1 && image.width == 32);
        pixel_hash(&image, i ? hash : first);
        if (i) assert_string_equal(hash, first);
        const uint16_t *p = image.pixels;
        bool fine = false; /* values between those that 8 bits could say */
        for (int k = 0; k < 1024; k++) fine = fine || p[k] % 257 != 0;
        assert_true(fine);
        gr__image_release(&image);
    }
}

/* ---- what is refused ---- */

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        gr_status status;
        const char *message;
    } rows[] = {
        {"GIF89a.........", 15, GR_ERR_UNSUPPORTED, "cannot load 'x': it is a GIF file; convert it to PNG or JPEG"},
        {"RIFF\0\0\0\0WEBP", 12, GR_ERR_UNSUPPORTED, "it is a WebP file"},
        {"\0\0\0\x18"
         "ftypavif",
         12, GR_ERR_UNSUPPORTED, "it is a HEIF or AVIF file"},
        {"", 0, GR_ERR_CORRUPT, "it is empty"},
        {"hello", 5, GR_ERR_CORRUPT, "it is not an image (PNG, JPEG, BMP, PNM are read)"},
        {"P6 70000 70000 255\n", 19, GR_ERR_LIMIT, "it has 70000 x 70000 pixels, at most 67108864 are allowed"},
        {"P6 4000 4000 255\n", 17, GR_ERR_CORRUPT, "it claims 4000 x 4000 pixels, far more than its 17 bytes can hold"},
        {"P5 0 3 255\n", 11, GR_ERR_CORRUPT, "it has no pixels (0 x 3)"},
        {"P5 3 3 0\n", 9, GR_ERR_CORRUPT, "its largest sample is 0"},
        {"P5 1 1 9\n\x0a", 10, GR_ERR_CORRUPT, "sample 0 of row 0 is above its maximum 9"},
        {"P2 1 1 9\n10", 11, GR_ERR_CORRUPT, "a number from 0 to 9 is expected at byte 11"},
        {"P2 2 1 9\n1", 10, GR_ERR_CORRUPT, "it ends early, after 10 bytes"},
        {"P2 99999999999 1 9\n1", 20, GR_ERR_CORRUPT, "a number from 0 to 2147483647 is expected"},
        {"P5 2 2 255\n123", 14, GR_ERR_CORRUPT, "it ends early, after 14 bytes"},
        {"BM", 2, GR_ERR_CORRUPT, "it ends early, after 2 bytes"},
    };
    gr__image image;
    for (size_t i = 0; i < GR__COUNT(rows); i++)
        assert_fails(gr__image_decode((const unsigned char *)rows[i].bytes, rows[i].n, "x", NULL, &image),
                     rows[i].status, rows[i].message);
    gr__image_options few = {.most_pixels = 200};
    assert_fails(gr__image_read(test_source("tests/golden/images/rgb.bmp"), &few, &image), GR_ERR_LIMIT,
                 "19 x 12 pixels, at most 200 are allowed");
}

static gr_status parse(const unsigned char *bytes, size_t n, void *user)
{
    gr__image image;
    GR_TRY(gr__image_decode(bytes, n, "x", user, &image));
    gr__image_release(&image);
    return GR_OK;
}

static void hostile(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb.bmp",  "palette.bmp", "bits.bmp",   "rgba.bmp", "runs.bmp",
                                        "rgb.ppm",  "gray.pgm",    "bits.pbm",   "rgb.jpg",  "progressive.jpg",
                                        "cmyk.jpg", "turned6.jpg", "turned6.png"};
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        char path[100];
        size_t n;
        snprintf(path, sizeof path, "tests/golden/images/%s", names[i]);
        unsigned char *bytes = (unsigned char *)read_file(test_source(path), &n);
        gr__image_options o = {.channels = i % 3 == 0 ? 1 : i % 3 == 1 ? 3 : 4};
        gr_status whole = parse(bytes, n, &o);
        if (not_built_in(whole)) {
            gr__free(bytes);
            continue;
        }
        assert_int_equal(whole, GR_OK);
        hostile_cuts(parse, bytes, n, strstr(names[i], ".bmp") ? 3 : 0, &o); /* padding of a bitmap's last row */
        hostile_flips(parse, bytes, n, 1500, &o);
        gr__free(bytes);
    }
}

/* A JPEG that goes on after damage is taken, as Pillow takes it; no text of a decoder is shown for one that does not. */
static void jpeg_damage(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_file(test_source("tests/golden/images/rgb.jpg"), &n);
    gr__image image;
    gr_status status = gr__image_decode((unsigned char *)bytes, n, "x", NULL, &image);
    if (not_built_in(status)) {
        gr__free(bytes);
        test_skip(gr_message());
    }
    gr__image_release(&image);
    bytes[n - 20] ^= 0x55; /* in the coded data */
    assert_ok(gr__image_decode((unsigned char *)bytes, n, "x", NULL, &image));
    gr__image_release(&image);
    char *dht = NULL;
    for (size_t i = 0; i + 1 < n && !dht; i++)
        if ((unsigned char)bytes[i] == 0xFF && (unsigned char)bytes[i + 1] == 0xC4) dht = bytes + i;
    assert_non_null(dht);
    memset(dht + 5, 0xFF, 16);
    assert_fails(gr__image_decode((unsigned char *)bytes, n, "x", NULL, &image), GR_ERR_CORRUPT, "cannot load 'x'");
    assert_string_equal(gr_message(), "cannot load 'x': its JPEG data is broken; download it again");
    gr__free(bytes);
}

/* ---- writing ---- */

static void fill(gr__image *image, uint64_t seed)
{
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels * (size_t)image->depth / 8;
    gr__rng r = gr__rng_make(3, seed);
    image->pixels = malloc(n);
    for (size_t i = 0; i < n; i++) ((uint8_t *)image->pixels)[i] = (uint8_t)gr__rng_u32(&r);
}

static void png_round_trip(void **state)
{
    (void)state;
    static const int channels[] = {1, 3, 4};
    char *path = gr__path_join(dir, "a.png");
    for (uint64_t i = 0; i < 18; i++) {
        gr__image image = {1 + (int64_t)i * 7, 1 + (int64_t)i % 5, channels[i % 3], i % 2 ? 16 : 8, NULL}, back;
        fill(&image, i);
        gr_status status = gr__png_write(path, &image);
        if (status == GR_ERR_UNSUPPORTED) {
            assert_non_null(strstr(gr_message(), "this build writes no PNG; install libpng-dev"));
            free(image.pixels);
            gr__free(path);
            test_skip(gr_message());
        }
        assert_ok(status);
        gr__image_options o = {.channels = image.channels, .deep = image.depth == 16};
        assert_ok(gr__image_read(path, &o, &back));
        assert_true(back.width == image.width && back.height == image.height);
        assert_memory_equal(back.pixels, image.pixels,
                            (size_t)image.width * (size_t)image.height * (size_t)image.channels * (size_t)image.depth /
                                8);
        gr__image_release(&back);
        free(image.pixels);
    }
    gr__image none = {.channels = 1, .depth = 8};
    assert_fails(gr__png_write(path, &none), GR_ERR_ARGUMENT, "PNG cannot hold 0 x 0 pixels");
    gr__free(path);
}

static gr_status read_and_write(void *user)
{
    gr__image image;
    gr__str s = {0};
    gr__image_options o = {.channels = 4, .deep = true};
    GR_TRY(gr__image_read(user, &o, &image));
    gr_status status = gr__png_encode(&image, "x", &s);
    if (status == GR_ERR_UNSUPPORTED) status = GR_OK;
    gr__str_release(&s);
    gr__image_release(&image);
    return status;
}

static void allocations(void **state)
{
    (void)state;
    static const char *const names[] = {"turned6.png", "rgb.bmp", "gray.pgm"};
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        char path[100];
        snprintf(path, sizeof path, "tests/golden/images/%s", names[i]);
        gr_status status = read_and_write((void *)(uintptr_t)test_source(path));
        if (not_built_in(status)) continue;
        assert_ok(status);
        hostile_allocations(read_and_write, (void *)(uintptr_t)test_source(path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_files), cmocka_unit_test(png_suite),      cmocka_unit_test(photos),
        cmocka_unit_test(deep_gray),   cmocka_unit_test(refuses),        cmocka_unit_test(hostile),
        cmocka_unit_test(jpeg_damage), cmocka_unit_test(png_round_trip), cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
