/* Operations on pictures against what Pillow, torch and torchvision made of the same one; augmentation by its properties. */
#include "tests/hostile.h"

#include "format/npz.h"
#include "image/augment.h"

#include <math.h>

static gr__npz *golden;

static int open_golden(void **state)
{
    (void)state;
    assert_ok(gr__npz_open(test_source("tests/golden/image_ops.npz"), &golden));
    return 0;
}

static int close_golden(void **state)
{
    (void)state;
    gr__npz_close(&golden);
    return 0;
}

static gr__image load(const char *name)
{
    gr_tensor t;
    assert_ok(gr__npz_read(golden, name, &t));
    assert_int_equal(t.dtype, GR_U8);
    return (gr__image){t.dim[1], t.dim[0], t.rank == 3 ? (int)t.dim[2] : 1, 8, t.data};
}

static size_t size_of(const gr__image *a) { return (size_t)a->width * (size_t)a->height * (size_t)a->channels; }

/* Compares with the golden picture of that name and frees 'got'; 'most' levels apart at most, 'share' of all differ. */
static void same(gr__image *got, const char *name, int most, double share)
{
    gr__image wanted = load(name);
    size_t n = size_of(&wanted), differ = 0;
    assert_true(got->width == wanted.width && got->height == wanted.height && got->channels == wanted.channels);
    for (size_t i = 0; i < n; i++) {
        int d = ((uint8_t *)got->pixels)[i] - ((uint8_t *)wanted.pixels)[i];
        differ += d != 0;
        if (abs(d) > most) fail_msg("%s: value %zu differs by %d", name, i, d);
    }
    if ((double)differ > share * (double)n) fail_msg("%s: %zu of %zu values differ", name, differ, n);
    gr__image_release(&wanted);
    gr__image_release(got);
}

static void resize(void **state)
{
    (void)state;
    static const char *const names[] = {"nearest", "bilinear", "bicubic"};
    static const int sizes[][2] = {{20, 11}, {29, 50}, {59, 21}, {29, 8}, {40, 40}, {1, 1}, {7, 44}};
    gr__image rgb = load("rgb"), gray = load("gray"), out, plain;
    char name[64];
    for (int f = 0; f < 3; f++) {
        for (size_t i = 0; i < GR__COUNT(sizes); i++) {
            snprintf(name, sizeof name, "%s_%dx%d", names[f], sizes[i][0], sizes[i][1]);
            assert_ok(gr__image_resize(&rgb, sizes[i][0], sizes[i][1], (gr__filter)f, true, &out));
            same(&out, name, 0, 0); /* Pillow's, bit for bit */
        }
        snprintf(name, sizeof name, "gray_%s_20x11", names[f]);
        assert_ok(gr__image_resize(&gray, 20, 11, (gr__filter)f, true, &out));
        same(&out, name, 0, 0);
        assert_ok(gr__image_resize(&rgb, 29, 21, (gr__filter)f, true, &out)); /* the same size: a copy */
        same(&out, "rgb", 0, 0);
        assert_ok(gr__image_resize(&rgb, 60, 99, (gr__filter)f, true, &out)); /* antialiasing is about shrinking */
        assert_ok(gr__image_resize(&rgb, 60, 99, (gr__filter)f, false, &plain));
        assert_memory_equal(out.pixels, plain.pixels, size_of(&out));
        gr__image_release(&out);
        gr__image_release(&plain);
    }
    assert_ok(gr__image_resize(&rgb, 20, 11, GR__BILINEAR, false, &out));
    same(&out, "plain_bilinear_20x11", 1, 0.2);
    assert_ok(gr__image_resize(&rgb, 40, 40, GR__BILINEAR, false, &out));
    same(&out, "plain_bilinear_40x40", 1, 0.2);
    assert_fails(gr__image_resize(&rgb, 0, 5, GR__BILINEAR, true, &out), GR_ERR_ARGUMENT, "0 x 5 pixels");
    assert_fails(gr__image_resize(&rgb, 1 << 20, 1 << 20, GR__BICUBIC, true, &out), GR_ERR_LIMIT, "at most 67108864");
    gr__image_release(&rgb);
    gr__image_release(&gray);
}

static void geometry(void **state)
{
    (void)state;
    static const char *const angles[] = {"0", "17", "90", "180", "-33.5", "270"};
    gr__image rgb = load("rgb"), out, back;
    char name[64];
    for (size_t i = 0; i < GR__COUNT(angles); i++) {
        assert_ok(gr__image_rotate(&rgb, atof(angles[i]), GR__NEAREST, 0, &out));
        snprintf(name, sizeof name, "rotate_nearest_%s", angles[i]);
        same(&out, name, 255, 0.005); /* Pillow counts in 1/65536 of a pixel: another neighbour once in a while */
        assert_ok(gr__image_rotate(&rgb, atof(angles[i]), GR__BILINEAR, 0, &out));
        snprintf(name, sizeof name, "rotate_bilinear_%s", angles[i]);
        same(&out, name, 1, 0.01);
    }
    assert_ok(gr__image_crop(&rgb, -5, 14, 20, 10, 9, &out)); /* beyond two edges */
    const uint8_t *p = out.pixels, *q = rgb.pixels;
    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 20; x++) {
            bool inside = x >= 5 && y < 7;
            for (int c = 0; c < 3; c++)
                assert_int_equal(p[(y * 20 + x) * 3 + c], inside ? q[((y + 14) * 29 + x - 5) * 3 + c] : 9);
        }
    gr__image_release(&out);
    assert_ok(gr__image_crop(&rgb, 100, 100, 3, 2, 7, &out)); /* nowhere near */
    for (int i = 0; i < 18; i++) assert_int_equal(((uint8_t *)out.pixels)[i], 7);
    gr__image_release(&out);
    assert_fails(gr__image_crop(&rgb, 0, 0, 3, 0, 0, &out), GR_ERR_ARGUMENT, "3 x 0 pixels");
    assert_ok(gr__image_rotate(&rgb, 180, GR__NEAREST, 0, &out));
    assert_ok(gr__image_crop(&rgb, 0, 0, 29, 21, 0, &back));
    gr__image_flip_x(&back);
    gr__image_flip_y(&back);
    assert_memory_equal(out.pixels, back.pixels, size_of(&out));
    gr__image_flip_x(&back);
    gr__image_flip_y(&back);
    assert_memory_equal(rgb.pixels, back.pixels, size_of(&back));
    gr__image_erase(&back, 26, -2, 10, 5, 1);
    p = back.pixels;
    for (int y = 0; y < 21; y++)
        for (int x = 0; x < 29; x++) assert_int_equal(p[(y * 29 + x) * 3], x >= 26 && y < 3 ? 1 : q[(y * 29 + x) * 3]);
    gr__image_release(&out);
    gr__image_release(&back);
    gr__image_release(&rgb);
}

static void colour(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*change)(gr__image *, double);
        const char *value[4];
    } rows[] = {{"brightness", gr__image_brightness, {"0.0", "0.4", "1.0", "1.7"}},
                {"contrast", gr__image_contrast, {"0.0", "0.4", "1.0", "1.7"}},
                {"saturation", gr__image_saturation, {"0.0", "0.4", "1.0", "1.7"}},
                {"hue", gr__image_hue, {"-0.5", "-0.2", "0.1", "0.37"}}};
    for (size_t i = 0; i < GR__COUNT(rows); i++)
        for (int k = 0; k < 4; k++) {
            char name[64];
            gr__image rgb = load("rgb");
            rows[i].change(&rgb, atof(rows[i].value[k]));
            snprintf(name, sizeof name, "%s_%s", rows[i].name, rows[i].value[k]);
            same(&rgb, name, 1, 0.02);
        }
    gr__image gray = load("gray");
    gr__image_hue(&gray, 0.3);
    gr__image_saturation(&gray, 0.1);
    same(&gray, "gray", 0, 0);
}

static void floats(void **state)
{
    (void)state;
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    gr__image rgb = load("rgb");
    size_t n = size_of(&rgb);
    float *hwc = malloc(n * sizeof *hwc), *chw = malloc(n * sizeof *chw);
    gr__image_to_floats(&rgb, mean, std, false, hwc);
    gr__image_to_floats(&rgb, mean, std, true, chw);
    for (size_t i = 0; i < n; i++) {
        double wanted = (((uint8_t *)rgb.pixels)[i] / 255.0 - mean[i % 3]) / std[i % 3];
        assert_true(fabs(hwc[i] - wanted) < 1e-6);
        assert_true(hwc[i] == chw[i % 3 * (n / 3) + i / 3]);
    }
    gr__image_to_floats(&rgb, NULL, NULL, false, hwc);
    assert_true(hwc[0] == ((uint8_t *)rgb.pixels)[0] / 255.0f);
    free(hwc);
    free(chw);
    gr__image_release(&rgb);
}

static void augment(void **state)
{
    (void)state;
    gr__image rgb = load("rgb"), a, b;
    gr__augment_options none = {0}, all = {.area_least = 0.2,
                                           .area_most = 1,
                                           .width = 32,
                                           .height = 24,
                                           .filter = GR__BILINEAR,
                                           .padding = 4,
                                           .flip_x = 0.5,
                                           .flip_y = 0.1,
                                           .degrees = 15,
                                           .brightness = 0.4,
                                           .contrast = 0.4,
                                           .saturation = 0.4,
                                           .hue = 0.1,
                                           .cutout = 8};
    assert_ok(gr__image_augment(&rgb, &none, 1, 2, 3, NULL, &a));
    same(&a, "rgb", 0, 0);
    size_t equal = 0;
    for (uint64_t i = 0; i < 50; i++) {
        assert_ok(gr__image_augment(&rgb, &all, 1, 2, i, NULL, &a));
        assert_true(a.width == 32 && a.height == 24);
        assert_ok(gr__image_augment(&rgb, &all, 1, 2, i, NULL, &b)); /* again: the same */
        assert_memory_equal(a.pixels, b.pixels, size_of(&a));
        gr__image_release(&b);
        assert_ok(gr__image_augment(&rgb, &all, i % 2 ? 1 : 5, i % 2 ? 7 : 2, i, NULL,
                                    &b)); /* another seed, another stream */
        equal += memcmp(a.pixels, b.pixels, size_of(&a)) == 0;
        gr__image_release(&a);
        gr__image_release(&b);
    }
    assert_int_equal(equal, 0);
    enum { N = 512 };
    static uint64_t crop[2][N]; /* of two epochs */
    static const gr__augment_options cut = {.scale_least = 1, .scale_most = 2};
    for (uint64_t i = 0; i < 2 * N; i++) {
        gr__moved m;
        assert_ok(gr__image_augment(&rgb, &cut, 1, 1 + i / N, i % N, &m, &a));
        crop[i / N][i % N] = (uint64_t)a.width << 40 | (uint64_t)(-m.shift_x) << 20 | (uint64_t)(-m.shift_y);
        gr__image_release(&a);
    }
    assert_true(test_in_both(crop[0], crop[1], N) < N / 2);
    gr__augment_options flip = {.flip_x = 0.3};
    size_t flipped = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        assert_ok(gr__image_augment(&rgb, &flip, 9, 0, i, NULL, &a));
        flipped += memcmp(a.pixels, rgb.pixels, size_of(&a)) != 0;
        gr__image_release(&a);
    }
    assert_true(flipped > 540 && flipped < 660); /* 600, three standard deviations are 61 */
    gr__image_release(&rgb);
}

static gr_status augment_all(void *user)
{
    static const gr__augment_options all = {.area_least = 0.2,
                                            .area_most = 1,
                                            .width = 12,
                                            .height = 9,
                                            .filter = GR__BICUBIC,
                                            .padding = 2,
                                            .degrees = 15};
    gr__image out;
    GR_TRY(gr__image_augment(user, &all, 1, 2, 3, NULL, &out));
    gr__image_release(&out);
    return GR_OK;
}

static void allocations(void **state)
{
    (void)state;
    gr__image rgb = load("rgb"), copy = rgb;
    copy.pixels = malloc(size_of(&rgb)); /* the allocator changes while the library owns nothing */
    memcpy(copy.pixels, rgb.pixels, size_of(&rgb));
    gr__image_release(&rgb);
    hostile_allocations(augment_all, &copy);
    free(copy.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize), cmocka_unit_test(geometry), cmocka_unit_test(colour),
        cmocka_unit_test(floats), cmocka_unit_test(augment),  cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
