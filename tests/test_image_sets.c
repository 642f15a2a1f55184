/* Sets of pictures: each container from real files or made here, the parsers of annotations and of video under hostile
 * bytes, many threads decoding from one set. */
#include "tests/hostile.h"

#include "base/file.h"
#include "base/parallel.h"
#include "data/image_set.h"
#include "format/y4m.h"

#include <math.h>
#include <unistd.h>
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

/* dir/path of one pixel whose red tells which it is; folders are made. */
static void add_picture(const char *path, int red)
{
    char *full = gr__path_join(dir, path), *slash = strrchr(full, '/'), text[40];
    *slash = 0;
    assert_ok(gr__dir_make(full));
    *slash = '/';
    int n = snprintf(text, sizeof text, "P3 1 1 255 %d 0 0\n", red);
    assert_ok(gr__file_write(full, text, (size_t)n));
    gr__free(full);
}

static int red_of(const gr__image_set *set, int64_t i)
{
    gr__image image;
    assert_ok(gr__image_set_decode(set, i, NULL, &image));
    int red = ((uint8_t *)image.pixels)[0];
    gr__image_release(&image);
    return red;
}

/* "class/red ..." in order. */
static void check_set(const char *path, const char *wanted, size_t skipped)
{
    gr__image_set *set;
    char got[400] = "";
    size_t n = 0;
    assert_ok(gr__image_set_open(path, NULL, &set));
    for (int64_t i = 0; i < gr__image_set_count(set); i++) {
        int32_t label = gr__image_set_sample(set, i)->label;
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%s/%d", i ? " " : "",
                              label < 0 ? "-" : gr__image_set_class(set, (size_t)label), red_of(set, i));
    }
    assert_string_equal(got, wanted);
    assert_int_equal(gr__image_set_skipped(set), skipped);
    gr__image_set_close(&set);
}

static void folders(void **state)
{
    (void)state;
    add_picture("f/dog/2.ppm", 12);
    add_picture("f/dog/deep/1.PPM", 11);
    add_picture("f/cat/z.ppm", 13);
    add_picture("f/ant/a.ppm", 14);
    add_picture("f/cat/notes.txt", 0);
    add_picture("frames/0002.ppm", 22);
    add_picture("frames/0001.ppm", 21);
    char *path = gr__path_join(dir, "f"), *frames = gr__path_join(dir, "frames"), *none = gr__path_join(dir, "none");
    check_set(path, "ant/14 cat/13 dog/12 dog/11", 1);
    check_set(frames, "-/21 -/22", 0);
    gr__image_set *set;
    add_picture("f/loose.ppm", 1);
    assert_fails(gr__image_set_open(path, NULL, &set), GR_ERR_DATA, "has 1 pictures beside its class folders");
    add_picture("none/a.txt", 1);
    assert_fails(gr__image_set_open(none, NULL, &set), GR_ERR_DATA, "holds no pictures");
    add_picture("odd/l\xff/1.ppm", 1);
    add_picture("odd/m/1.ppm", 1);
    char *odd = gr__path_join(dir, "odd");
    assert_fails(gr__image_set_open(odd, NULL, &set), GR_ERR_DATA, "has a name that is not UTF-8 (byte 0xff)");
    gr__free(odd);
    assert_ok(gr__image_set_open(frames, NULL, &set));
    gr__image image;
    assert_fails(gr__image_set_decode(set, 2, NULL, &image), GR_ERR_ARGUMENT, "has no sample 2");
    add_picture("frames/0001.ppm", 999);
    assert_fails(gr__image_set_decode(set, 0, NULL, &image), GR_ERR_CORRUPT,
                 "frames/0001.ppm': a number from 0 to 255");
    gr__image_set_close(&set);
    gr__free(path);
    gr__free(frames);
    gr__free(none);
}

static void keep_warnings(void *user, gr_log_level level, const char *line)
{
    gr__str *all = user;
    (void)level;
    gr__str_printf(all, "%s%s", all->n ? "\n" : "", line);
}

/* The warnings of opening "dir/path" and what it then holds. */
static void check_warnings_with(const char *path, const gr__image_set_options *o, int64_t count,
                                const char *const *wanted, size_t n)
{
    char *full = gr__path_join(dir, path);
    gr__image_set *set;
    gr__str all = {0};
    size_t lines = 0;
    gr_set_log(keep_warnings, &all, GR_LOG_WARNING);
    assert_ok(gr__image_set_open(full, o, &set));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_int_equal(gr__image_set_count(set), count);
    for (size_t i = 0; i < all.n; i++) lines += all.text[i] == '\n' || i + 1 == all.n;
    for (size_t i = 0; i < n; i++)
        if (!strstr(gr__str_get(&all), wanted[i])) fail_msg("'%s' is not in '%s'", wanted[i], gr__str_get(&all));
    if (lines != n) fail_msg("%zu lines, not %zu: %s", lines, n, gr__str_get(&all));
    gr__str_release(&all);
    gr__image_set_close(&set);
    gr__free(full);
}

static void check_warnings(const char *path, int64_t count, const char *const *wanted, size_t n)
{
    check_warnings_with(path, NULL, count, wanted, n);
}

/* What is not read is counted, links to files are read, notes are no reason for a word. */
static void nothing_vanishes(void **state)
{
    (void)state;
    static const char *const quiet[] = {"w/cat/1.ppm", "w/cat/.hidden.gif", "w/cat/Thumbs.db", "w/cat/notes.TXT",
                                        "w/a.json",    "w/cat-2/1.ppm",     "w/dog/deep/1.ppm"};
    for (size_t i = 0; i < GR__COUNT(quiet); i++) add_picture(quiet[i], 1);
    add_picture("elsewhere/9.ppm", 1);
    char *target = gr__path_join(dir, "elsewhere/9.ppm"), *link = gr__path_join(dir, "w/dog/9.ppm"),
         *folder = gr__path_join(dir, "elsewhere"), *to_folder = gr__path_join(dir, "w/dog/zoo"),
         *empty = gr__path_join(dir, "w/ca");
    assert_int_equal(symlink(target, link), 0);
    check_warnings("w", 4, NULL, 0);
    add_picture("w/dog/1.webp", 1);
    add_picture("w/owl/1.gif", 1);
    check_warnings(
        "w", 4, (const char *[]){"the first: 'dog/1.webp'", "w': 1 class folder holds no pictures, the first: 'owl'"},
        2);
    assert_int_equal(symlink(folder, to_folder), 0);
    assert_ok(gr__dir_make(empty));
    check_warnings("w", 4, (const char *[]){"3 files of '", "w': 2 class folders hold no pictures, the first: 'ca'"},
                   2);
    gr__free(target);
    gr__free(link);
    gr__free(folder);
    gr__free(to_folder);
    gr__free(empty);
}

/* ---- tar ---- */

static void set_sum(unsigned char *h)
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static size_t add_entry(unsigned char *tar, size_t at, const char *name, const char *body)
{
    unsigned char *h = tar + at;
    memset(h, 0, 1024);
    strcpy((char *)h, name);
    snprintf((char *)h + 124, 12, "%011o", (unsigned)strlen(body));
    h[156] = '0';
    set_sum(h);
    memcpy(h + 512, body, strlen(body));
    memset(h + 1024, 0, 1024); /* the closing blocks, unless more follows */
    return at + 1024;
}

/* A link, and a name with a control character: told by name, and left out where skip_bad says so. */
static void refused_entries(unsigned char *tar, size_t n)
{
    gr__image_set *set;
    size_t more = add_entry(tar, n, "set/train/dog/8\a.ppm", "P3 1 1 255 36 0 0");
    more = add_entry(tar, more, "set/train/dog/9.ppm", "");
    unsigned char *h = tar + more - 1024;
    h[156] = '2';
    set_sum(h);
    memmove(tar + more - 512, tar + more, 1024); /* no data */
    more = add_entry(tar, more - 512, "set/train/dog/3.ppm", "P3 1 1 255 37 0 0");
    const char *path = test_write(dir, "refused.tar", tar, more + 1024);
    assert_fails(gr__image_set_open(path, NULL, &set), GR_ERR_CORRUPT,
                 "the name of entry 'set/train/dog/8?.ppm' holds a control character");
    check_warnings_with("refused.tar", &(gr__image_set_options){.skip_bad = true}, 4,
                        (const char *[]){"8?.ppm", "entry 'set/train/dog/9.ppm' is a symbolic link", "2.webp",
                                         "2 entries were left out"},
                        4);
}

static void tars(void **state)
{
    (void)state;
    static unsigned char tar[16384];
    size_t n = add_entry(tar, 0, "set/train/dog/1.ppm", "P3 1 1 255 31 0 0");
    n = add_entry(tar, n, "set/train/cat/1.ppm", "P3 1 1 255 32 0 0");
    n = add_entry(tar, n, "set/train/cat/._1.ppm", "not a picture");
    n = add_entry(tar, n, "set/train/dog/2.ppm", "P3 1 1 255 33 0 0");
    check_set(test_write(dir, "a.tar", tar, n + 1024), "dog/31 cat/32 dog/33", 1);
    const char *packed = test_write(dir, "a.tar.gz", "", 0);
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, tar, (unsigned)n + 1024), (int)n + 1024);
    gzclose(gz);
    check_set(packed, "dog/31 cat/32 dog/33", 1);
    check_warnings("a.tar", 3, NULL, 0);
    size_t hidden = add_entry(tar, n, "set/train/.ipynb_checkpoints/1-checkpoint.ppm", "P3 1 1 255 34 0 0");
    hidden = add_entry(tar, hidden, "set/train/__MACOSX/1.ppm", "P3 1 1 255 35 0 0");
    check_set(test_write(dir, "hidden.tar", tar, hidden + 1024), "dog/31 cat/32 dog/33", 3);
    check_warnings("hidden.tar", 3, NULL, 0);
    n = add_entry(tar, n, "set/train/dog/2.webp", "RIFF");
    n = add_entry(tar, n, "set/train/dog/notes.txt", "dogs");
    test_write(dir, "d.tar", tar, n + 1024);
    check_warnings("d.tar", 3, (const char *[]){"the first: 'set/train/dog/2.webp'"}, 1);
    refused_entries(tar, n);
    n = add_entry(tar, 0, "only/1.ppm", "P3 1 1 255 31 0 0"); /* the last folder is always a class */
    check_set(test_write(dir, "b.tar", tar, n + 1024), "only/31", 0);
    n = add_entry(tar, 0, "1.ppm", "P3 1 1 255 31 0 0");
    check_set(test_write(dir, "c.tar", tar, n + 1024), "-/31", 0);
}

typedef struct job {
    const gr__image_set *set;
    double sum[1000];
    gr_status status[1000];
} job;

static void decode_chunk(void *context, int64_t chunk, int thread)
{
    job *j = context;
    gr__image image;
    (void)thread;
    j->status[chunk] = gr__image_set_decode(j->set, chunk * 10, NULL, &image);
    if (j->status[chunk] != GR_OK) return;
    for (int64_t i = 0; i < image.width * image.height * image.channels; i++)
        j->sum[chunk] += ((uint8_t *)image.pixels)[i];
    gr__image_release(&image);
}

static void cifar(void **state)
{
    (void)state;
    static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    const char *tar = test_data("images/cifar10/test.tar.gz"),
               *bin = test_data("images/cifar10/data_batch_1_first2000.bin.gz");
    if (!tar || !bin) skip();
    gr__image_set *set;
    assert_ok(gr__image_set_open(bin, NULL, &set));
    static const int first[] = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3};
    assert_int_equal(gr__image_set_count(set), 2000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(gr__image_set_sample(set, i)->label, first[i]);
        assert_string_equal(gr__image_set_class(set, (size_t)i), names[i]);
    }
    double sum[3] = {0};
    for (int64_t i = 0; i < 2000; i++) {
        gr__image image;
        assert_ok(gr__image_set_decode(set, i, NULL, &image));
        assert_true(image.width == 32 && image.height == 32 && image.channels == 3);
        for (int k = 0; k < 3072; k++) sum[k % 3] += ((uint8_t *)image.pixels)[k];
        gr__image_release(&image);
    }
    static const double mean[] = {0.4914, 0.4822, 0.4465}; /* of the whole training set, as everybody quotes them */
    for (int c = 0; c < 3; c++) assert_true(fabs(sum[c] / 2000 / 1024 / 255 - mean[c]) < 0.01);
    gr__image_set_close(&set);
    gr__image_set_options hundred = {.hundred = true};
    assert_fails(gr__image_set_open(bin, &hundred, &set), GR_ERR_CORRUPT, "no multiple of the 3074 of a CIFAR-100");

    assert_ok(gr__image_set_open(tar, NULL, &set));
    assert_int_equal(gr__image_set_count(set), 10000);
    assert_int_equal(gr__image_set_classes(set), 10);
    size_t count[10] = {0};
    for (int64_t i = 0; i < 10000; i++) count[gr__image_set_sample(set, i)->label]++;
    for (size_t c = 0; c < 10; c++) {
        assert_int_equal(count[c], 1000);
        assert_string_equal(gr__image_set_class(set, c), names[c]);
    }
    gr__image image;
    gr_status status = gr__image_set_decode(set, 0, NULL, &image);
    if (status == GR_OK) {
        gr__image_release(&image);
        job *one = calloc(1, sizeof *one), *many = calloc(1, sizeof *many);
        one->set = many->set = set;
        for (int64_t i = 0; i < 1000; i++) decode_chunk(one, i, 0);
        gr__parallel(1000, decode_chunk, many);
        for (int i = 0; i < 1000; i++) assert_true(one->status[i] == GR_OK && many->status[i] == GR_OK);
        assert_memory_equal(one->sum, many->sum, sizeof one->sum);
        free(one);
        free(many);
    } else {
        assert_fails(status, GR_ERR_UNSUPPORTED, "this build reads no JPEG");
    }
    gr__image_set_close(&set);
}

static void cifar_hundred(void **state)
{
    (void)state;
    static unsigned char record[2 * 3074];
    record[0] = 19, record[1] = 99, record[2] = 200, record[2 + 1024] = 100;
    gr__image_set_options hundred = {.hundred = true};
    gr__image_set *set;
    gr__image image;
    assert_ok(gr__image_set_open(test_write(dir, "h.bin", record, sizeof record), &hundred, &set));
    assert_true(gr__image_set_count(set) == 2 && gr__image_set_classes(set) == 100);
    assert_int_equal(gr__image_set_sample(set, 0)->label, 99);
    assert_ok(gr__image_set_decode(set, 0, NULL, &image));
    const uint8_t *p = image.pixels;
    assert_true(p[0] == 200 && p[1] == 100 && p[2] == 0);
    gr__image_release(&image);
    gr__image_set_close(&set);
    record[1] = 100;
    assert_fails(gr__image_set_open(test_write(dir, "h.bin", record, sizeof record), &hundred, &set), GR_ERR_CORRUPT,
                 "record 0 has label 100, CIFAR-100 ends at 99");
}

static void mnist(void **state)
{
    (void)state;
    const char *images = test_data("images/mnist/t10k-first3000-images-idx3-ubyte.gz"),
               *labels = test_data("images/mnist/t10k-first3000-labels-idx1-ubyte.gz");
    if (!images || !labels) skip();
    gr__image_set *set;
    gr__image image;
    gr__image_set_options o = {.labels = labels};
    assert_ok(gr__image_set_open(images, &o, &set));
    assert_true(gr__image_set_count(set) >= 3000 && gr__image_set_classes(set) == 10);
    assert_string_equal(gr__image_set_class(set, 7), "7");
    assert_ok(gr__image_set_decode(set, 5, NULL, &image));
    assert_true(image.width == 28 && image.height == 28 && image.channels == 1);
    gr__image_release(&image);
    gr__image_options rgb = {.channels = 3};
    assert_ok(gr__image_set_decode(set, 5, &rgb, &image));
    assert_int_equal(image.channels, 3);
    gr__image_release(&image);
    gr__image_set_close(&set);
    assert_fails(gr__image_set_open(images, NULL, &set), GR_ERR_ARGUMENT,
                 "needs its file of labels; name it with data.labels");
    o.labels = images;
    assert_fails(gr__image_set_open(images, &o, &set), GR_ERR_DATA, "pictures and '");
}

/* ---- boxes ---- */

static const char voc_text[] =
    "<?xml version=\"1.0\"?>\n<!-- made here -->\n<annotation verified='yes'>\n\t<filename>a &amp; b.jpg</filename>\n"
    "  <size><width>640</width><height>480</height><depth/></size>\n"
    "  <object><name> cat </name><difficult>1</difficult><bndbox><xmin>1.5</xmin><ymin>2</ymin><xmax>30</xmax>"
    "<ymax>40</ymax></bndbox><part><name>head</name></part></object>\n"
    "  <object><name>dog</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>9</ymax></bndbox></object>\n"
    "</annotation>\n";

static gr_status parse_voc(const unsigned char *bytes, size_t n, void *user)
{
    gr__arena arena = {0};
    gr__annotation a;
    (void)user;
    gr_status status = gr__voc_parse((const char *)bytes, n, "x.xml", &arena, &a);
    gr__arena_release(&arena);
    return status;
}

static void voc_refuses(const char *text, const char *message)
{
    assert_fails(parse_voc((const unsigned char *)text, strlen(text), NULL), GR_ERR_CORRUPT, message);
}

static void voc(void **state)
{
    (void)state;
    gr__arena arena = {0};
    gr__annotation a;
    assert_ok(gr__voc_parse(voc_text, sizeof voc_text - 1, "x.xml", &arena, &a));
    assert_string_equal(a.file, "a & b.jpg");
    assert_true(a.width == 640 && a.height == 480 && a.count == 1 && a.without_area == 1);
    assert_string_equal(a.box[0].class_name, "cat");
    assert_true(a.box[0].line == 6 && a.empty[0].line == 7 && a.empty[0].x1 == 5);
    assert_true(a.box[0].x0 == 1.5f && a.box[0].y0 == 2 && a.box[0].x1 == 30 && a.box[0].y1 == 40 &&
                a.box[0].difficult);
    gr__arena_release(&arena);
    voc_refuses("<annotation>\n <object>\n</annotation>", "x.xml:3:13: this does not close what was opened last");
    voc_refuses("<annotation><size><width>x</width>", "x.xml:1:34: a number is expected in this element");
    voc_refuses("<annotation><object><name>a</name></object>", "an object needs a name and xmin, ymin, xmax, ymax");
    voc_refuses("<annotation>&evil;", "x.xml:1:13: an unknown entity");
    voc_refuses("<html></html>", "x.xml:1:6: the element 'annotation' is expected");
    voc_refuses("<annotation></annotation><annotation>", "something follows the annotation");
    voc_refuses("text", "x.xml:1:1: text outside of the annotation");
    voc_refuses("<annotation", "its '>' is missing");
    voc_refuses("<annotation><!-- ", "a comment is never closed");
    voc_refuses("", "it ends early");
    assert_fails(parse_voc((const unsigned char *)"<!DOCTYPE a [<!ENTITY b \"c\">]>", 30, NULL), GR_ERR_UNSUPPORTED,
                 "it has a document type");
    char deep[400] = "<annotation>";
    for (int i = 0; i < 70; i++) strcat(deep, "<a>");
    assert_fails(parse_voc((unsigned char *)deep, strlen(deep), NULL), GR_ERR_LIMIT, "deeper than 64 levels");
    hostile_cuts(parse_voc, voc_text, sizeof voc_text - 1, 1, NULL);
    hostile_flips(parse_voc, voc_text, sizeof voc_text - 1, 3000, NULL);
}

static void bccd(void **state)
{
    (void)state;
    const char *path = test_data("images/bccd");
    if (!path) skip();
    static const char *const names[] = {"Platelets", "RBC", "WBC"};
    gr__image_set *set;
    assert_ok(gr__image_set_open(path, NULL, &set));
    assert_int_equal(gr__image_set_count(set), 364);
    assert_int_equal(gr__image_set_classes(set), 3);
    size_t boxes = 0, count[3] = {0};
    for (size_t c = 0; c < 3; c++) assert_string_equal(gr__image_set_class(set, c), names[c]);
    for (int64_t i = 0; i < 364; i++) {
        const gr__image_sample *s = gr__image_set_sample(set, i);
        assert_true(s->width == 640 && s->height == 480);
        boxes += s->n_boxes;
        for (size_t k = 0; k < s->n_boxes; k++) {
            count[s->box[k].class_index]++;
            assert_string_equal(s->box[k].class_name, names[s->box[k].class_index]);
        }
    }
    assert_int_equal(boxes + gr__image_set_empty_boxes(set), 4888);
    const char *notes;
    assert_int_equal(gr__image_set_empty_boxes(set), 2);
    const gr__box *empty = gr__image_set_empty_box(set, 0, &notes);
    assert_true(strstr(notes, "BloodImage_00338.xml") && empty->line == 158 && empty->x0 == 504);
    printf("bccd: %zu boxes (%zu, %zu, %zu), %zu without area\n", boxes, count[0], count[1], count[2],
           gr__image_set_empty_boxes(set));
    gr__image image;
    gr_status status = gr__image_set_decode(set, 0, NULL, &image);
    if (status == GR_OK) {
        assert_true(image.width == 640 && image.height == 480);
        gr__image_release(&image);
    } else {
        assert_fails(status, GR_ERR_UNSUPPORTED, "this build reads no JPEG");
    }
    gr__image_set_close(&set);
    int64_t all = 0;
    static const char *const splits[] = {"train", "val", "test"};
    for (size_t i = 0; i < 3; i++) {
        gr__image_set_options o = {.split = splits[i]};
        assert_ok(gr__image_set_open(path, &o, &set));
        all += gr__image_set_count(set);
        gr__image_set_close(&set);
    }
    assert_int_equal(all, 364);
    gr__image_set_options o = {.split = "../Main/val"};
    assert_fails(gr__image_set_open(path, &o, &set), GR_ERR_ARGUMENT, "is not the name of a split");
}

static const char coco_text[] =
    "{\"images\": [{\"id\": 7, \"file_name\": \"p/a.ppm\", \"width\": 1, \"height\": 1}, {\"id\": 3, \"file_name\": "
    "\"p/b.ppm\"}], \"categories\": [{\"id\": 90, \"name\": \"zebra\"}, {\"id\": 1, \"name\": \"ant\"}], "
    "\"annotations\": [{\"image_id\": 3, \"category_id\": 90, \"bbox\": [1, 2.5, 3, 4], \"iscrowd\": 1}, "
    "{\"image_id\": 3, \"category_id\": 1, \"bbox\": [0, 0, 0, 4]}, {\"image_id\": 3, \"category_id\": 1, \"bbox\": "
    "[0, 0, 9, 9]}]}";

static gr_status parse_coco(const unsigned char *bytes, size_t n, void *user)
{
    gr__image_set *set;
    (void)user;
    GR_TRY(gr__image_set_open(test_write(dir, "c.json", bytes, n), NULL, &set));
    gr__image_set_close(&set);
    return GR_OK;
}

/* A set of fewer classes has the numbers of the other; one that the other has not is refused. */
static void check_like(const gr__image_set *all)
{
    static const char few[] =
        "{\"images\": [{\"id\": 7, \"file_name\": \"p/a.ppm\"}], \"categories\": [{\"id\": 5, \"name\": "
        "\"zebra\"}], \"annotations\": [{\"image_id\": 7, \"category_id\": 5, \"bbox\": [0, 0, 1, 1]}]}";
    gr__image_set_options like = {.like = all};
    gr__image_set *set;
    const char *path = test_write(dir, "few.json", few, sizeof few - 1);
    assert_ok(gr__image_set_open(path, &like, &set));
    assert_true(gr__image_set_classes(set) == 2 && gr__image_set_sample(set, 0)->box[0].class_index == 1);
    like.like = set;
    gr__image_set *folders;
    char *full = gr__path_join(dir, "a.tar");
    assert_fails(gr__image_set_open(full, &like, &folders), GR_ERR_DATA, "has the class 'cat', which '");
    gr__free(full);
    gr__image_set_close(&set);
}

static void coco(void **state)
{
    (void)state;
    gr__image_set *set;
    add_picture("p/a.ppm", 41);
    add_picture("p/b.ppm", 42);
    assert_ok(gr__image_set_open(test_write(dir, "c.json", coco_text, sizeof coco_text - 1), NULL, &set));
    assert_true(gr__image_set_count(set) == 2 && gr__image_set_classes(set) == 2);
    assert_string_equal(gr__image_set_class(set, 0), "ant");
    assert_true(red_of(set, 0) == 41 && red_of(set, 1) == 42);
    const gr__image_sample *s = gr__image_set_sample(set, 1);
    assert_true(gr__image_set_sample(set, 0)->n_boxes == 0 && s->n_boxes == 2 && gr__image_set_empty_boxes(set) == 1);
    const char *notes;
    assert_string_equal(gr__image_set_empty_box(set, 0, &notes)->class_name, "ant");
    assert_true(s->box[0].class_index == 1 && s->box[0].difficult && s->box[0].crowd && s->box[0].x1 == 4 &&
                s->box[0].y1 == 6.5f);
    assert_true(s->box[1].class_index == 0 && !s->box[1].difficult && !s->box[1].crowd && s->box[1].x1 == 9);
    check_like(set);
    gr__image_set_close(&set);
    static const struct {
        const char *from, *to, *message;
    } rows[] = {
        {"p/a.ppm", "../../a", "entry '../../a' leads out of the archive"},
        {"\"id\": 3", "\"id\": 7", "image 1 has the id of another one"},
        {"\"zebra\"", "\"ant\"", "category 1 has the name of another one"},
        {"\"id\": 90", "\"id\": 1 ", "category 1 has the id of another one"},
        {"\"image_id\": 3", "\"image_id\": 4", "annotation 0 speaks of an image or a category that is not there"},
        {"[1, 2.5, 3, 4]", "[1, 2.5, 3]   ", "annotation 0 needs a bbox of four numbers"},
        {"[1, 2.5, 3, 4]", "[1, 2.5, 3,{}]", "annotation 0 needs a bbox of four numbers"},
        {"\"images\"", "\"images \"", "it lacks one of images, annotations, categories"},
    };
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        char text[1000];
        const char *at = strstr(coco_text, rows[i].from);
        size_t before = (size_t)(at - coco_text);
        snprintf(text, sizeof text, "%.*s%s%s", (int)before, coco_text, rows[i].to, at + strlen(rows[i].from));
        gr_status status = parse_coco((unsigned char *)text, strlen(text), NULL);
        assert_true(status == GR_ERR_DATA || status == GR_ERR_CORRUPT);
        if (!strstr(gr_message(), rows[i].message)) fail_msg("'%s', wanted '%s'", gr_message(), rows[i].message);
    }
    const char *lost = strstr(coco_text, "\"image_id\": 3") + strlen("\"image_id\": ");
    char text[1000];
    snprintf(text, sizeof text, "%.*s4%s", (int)(lost - coco_text), coco_text, lost + 1);
    test_write(dir, "lost.json", text, strlen(text));
    check_warnings_with(
        "lost.json", &(gr__image_set_options){.skip_bad = true}, 2,
        (const char *[]){"annotation 0 speaks of an image", "1 annotation that cannot be read was left out"}, 2);
    hostile_cuts(parse_coco, coco_text, sizeof coco_text - 1, 0, NULL);
    hostile_flips(parse_coco, coco_text, sizeof coco_text - 1, 1000, NULL);
}

/* ---- video ---- */

static void pictures_without_boxes(void **state)
{
    (void)state;
    static const char notes[] = "<annotation><filename>1.ppm</filename><size><width>1</width><height>1</height></size>"
                                "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax>"
                                "<ymax>1</ymax></bndbox></object></annotation>";
    add_picture("voc-2/JPEGImages/1.ppm", 1);
    add_picture("voc-2/Annotations/1.xml", 1);
    test_write(dir, "voc-2/Annotations/1.xml", notes, sizeof notes - 1);
    check_warnings("voc-2", 1, NULL, 0);
    add_picture("voc-2/JPEGImages/2.ppm", 1);
    add_picture("voc-2/JPEGImages/3.ppm", 1);
    add_picture("voc-2/JPEGImages/notes.md", 1);
    check_warnings("voc-2", 1, (const char *[]){"JPEGImages' have no annotation and are left out, the first: '2.ppm'"},
                   1);
    add_picture("voc-2/Annotations/2.txt", 1);
    add_picture("voc-2/Annotations/2.yolo", 1);
    add_picture("voc-2/Annotations/3.xml", 1); /* no XML */
    char *full = gr__path_join(dir, "voc-2");
    gr__image_set *set;
    assert_fails(gr__image_set_open(full, NULL, &set), GR_ERR_CORRUPT, "3.xml");
    check_warnings_with("voc-2", &(gr__image_set_options){.skip_bad = true}, 1,
                        (const char *[]){"3.xml", "the first: '2.yolo'",
                                         "1 annotation that cannot be read was left out", "1 picture of '"},
                        4);
    static const char odd[] = "<!DOCTYPE a><annotation/>",
                      bytes[] = "<annotation><filename>3\xff.ppm</filename></annotation>";
    test_write(dir, "voc-2/Annotations/3.xml", odd, sizeof odd - 1);
    check_warnings_with("voc-2", &(gr__image_set_options){.skip_bad = true}, 1,
                        (const char *[]){"it has a document type", "2.yolo", "was left out", "1 picture of '"}, 4);
    test_write(dir, "voc-2/Annotations/3.xml", bytes, sizeof bytes - 1);
    assert_fails(gr__image_set_open(full, NULL, &set), GR_ERR_DATA, "3.xml:1: byte 0xff of a name is not UTF-8");
    gr__free(full);
}

static gr_status parse_y4m(const unsigned char *bytes, size_t n, void *user)
{
    gr__y4m v;
    (void)user;
    GR_TRY(gr__y4m_open(bytes, n, "x.y4m", &v));
    gr_status status = GR_OK;
    for (int64_t i = 0; i < v.frames && i < 10 && status == GR_OK; i++) {
        gr__image image;
        status = gr__y4m_frame(&v, i, &image);
        if (status == GR_OK) gr__image_release(&image);
    }
    gr__y4m_release(&v);
    return status;
}

/* Parameters of a frame's line, which need not be those of the next one. */
static void video_lines(void **state)
{
    (void)state;
    static const char text[] = "YUV4MPEG2 W2 H1 Cmono\nFRAME Ip\n\x10\xeb"
                               "FRAME\n\xeb\xeb"
                               "FRAME It XCOMMENT\n\x10\x10";
    static const int wanted[] = {0, 255, 255, 255, 0, 0};
    const unsigned char *bytes = (const unsigned char *)text;
    gr__y4m v;
    assert_ok(gr__y4m_open(bytes, sizeof text - 1, "x.y4m", &v));
    assert_int_equal(v.frames, 3);
    for (int64_t i = 0; i < v.frames; i++) {
        gr__image image;
        assert_ok(gr__y4m_frame(&v, i, &image));
        for (int k = 0; k < 2; k++) assert_int_equal(((uint8_t *)image.pixels)[k], wanted[2 * i + k]);
        gr__image_release(&image);
    }
    gr__y4m_release(&v);
    assert_fails(parse_y4m(bytes, sizeof text - 2, NULL), GR_ERR_CORRUPT, "frame 2 has 1 of 2 bytes; is it cut off?");
    assert_fails(parse_y4m(bytes, sizeof text - 5, NULL), GR_ERR_CORRUPT, "frame 2 has 0 of 2 bytes; is it cut off?");
    assert_fails(parse_y4m(bytes, 22, NULL), GR_ERR_CORRUPT, "frame 0 has 0 of 2 bytes; is it cut off?");
    assert_fails(parse_y4m((const unsigned char *)"YUV4MPEG2 W2 H1 Cmono\nFRAMES\n..", 31, NULL), GR_ERR_CORRUPT,
                 "frame 0 does not begin where it should");
}

static void video(void **state)
{
    (void)state;
    /* 3 x 2, 4:2:0: six of light, two and two of colour; white, then pure red as BT.601 has it */
    static const char text[] = "YUV4MPEG2 W3 H2 F25:1 Ip A1:1 C420jpeg\n"
                               "FRAME\n\xeb\xeb\xeb\xeb\xeb\xeb\x80\x80\x80\x80"
                               "FRAME\n\x51\x51\x51\x51\x51\x10\x5a\x80\xf0\x80";
    gr__image_set *set;
    gr__image image;
    assert_ok(gr__image_set_open(test_write(dir, "v.y4m", text, sizeof text - 1), NULL, &set));
    assert_int_equal(gr__image_set_count(set), 2);
    assert_int_equal(gr__image_set_sample(set, 1)->label, -1);
    assert_ok(gr__image_set_decode(set, 0, NULL, &image));
    assert_true(image.width == 3 && image.height == 2 && image.channels == 3);
    for (int i = 0; i < 18; i++) assert_int_equal(((uint8_t *)image.pixels)[i], 255);
    gr__image_release(&image);
    assert_ok(gr__image_set_decode(set, 1, NULL, &image));
    const uint8_t *p = image.pixels;
    assert_true(p[0] >= 253 && p[1] <= 2 && p[2] <= 2);  /* red */
    assert_true(p[6] == p[7] && p[7] == p[8]);           /* the right column has gray colours */
    assert_true(p[15] == 0 && p[16] == 0 && p[17] == 0); /* and a black corner */
    gr__image_release(&image);
    gr__image_options gray = {.channels = 1};
    assert_ok(gr__image_set_decode(set, 1, &gray, &image));
    assert_true(image.channels == 1 && abs(((uint8_t *)image.pixels)[0] - 76) <= 1);
    gr__image_release(&image);
    gr__image_set_close(&set);
    hostile_cuts(parse_y4m, text, sizeof text - 17, 0, NULL); /* one frame: a video has no count of its own */
    hostile_flips(parse_y4m, text, sizeof text - 1, 3000, NULL);
    assert_fails(parse_y4m((const unsigned char *)"YUV4MPEG2 W99999 H99999\nFRAME\n", 30, NULL), GR_ERR_LIMIT,
                 "99999 x 99999 pixels");
    assert_fails(parse_y4m((const unsigned char *)"YUV4MPEG2 W2 H2 C420p10\nFRAME\n", 30, NULL), GR_ERR_UNSUPPORTED,
                 "mono video of 8 bits");
}

static gr_status open_all(void *user)
{
    const char *const *paths = user;
    for (size_t i = 0; paths[i]; i++) {
        gr__image_set *set;
        gr__image image;
        GR_TRY(gr__image_set_open(paths[i], NULL, &set));
        gr_status status = gr__image_set_decode(set, 0, NULL, &image);
        if (status == GR_OK) gr__image_release(&image);
        gr__image_set_close(&set);
        GR_TRY(status);
    }
    return GR_OK;
}

static void allocations(void **state)
{
    (void)state;
    static unsigned char tar[8192], record[3073];
    size_t n = add_entry(tar, 0, "dog/1.ppm", "P3 1 1 255 31 0 0");
    add_picture("two/a/1.ppm", 1);
    add_picture("voc/JPEGImages/a & b.jpg", 1);
    add_picture("voc/Annotations/x.txt", 1);
    char voc_dir[300], two[300];
    snprintf(two, sizeof two, "%s/two", dir);
    snprintf(voc_dir, sizeof voc_dir, "%s/voc/Annotations", dir);
    test_write(voc_dir, "a.xml", voc_text, sizeof voc_text - 1);
    snprintf(voc_dir, sizeof voc_dir, "%s/voc", dir);
    const char *paths[] = {two,
                           voc_dir,
                           test_write(dir, "t.tar", tar, n + 1024),
                           test_write(dir, "r.bin", record, 3073),
                           test_write(dir, "c.json", coco_text, sizeof coco_text - 1),
                           NULL};
    add_picture("p/a.ppm", 41);
    hostile_allocations(open_all, paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders),
        cmocka_unit_test(nothing_vanishes),
        cmocka_unit_test(pictures_without_boxes),
        cmocka_unit_test(tars),
        cmocka_unit_test(cifar),
        cmocka_unit_test(cifar_hundred),
        cmocka_unit_test(mnist),
        cmocka_unit_test(voc),
        cmocka_unit_test(bccd),
        cmocka_unit_test(coco),
        cmocka_unit_test(video),
        cmocka_unit_test(video_lines),
        cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
