/* From what a decoder gives to what was asked for: depth, then channels, then orientation. */
#include "format/image.h"

#include "base/file.h"
#include "base/limits.h"
#include "format/image_int.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *magic;
    size_t n;
    size_t at;
    gr__decode_fn decode;
    const char *refused; /* name of a format that is not read */
} formats[] = {
    {"\x89PNG\r\n\x1a\n", 8, 0, gr__png_decode, NULL},
    {"\xff\xd8", 2, 0, gr__jpeg_decode, NULL},
    {"BM", 2, 0, gr__bmp_decode, NULL},
    {"P1", 2, 0, gr__pnm_decode, NULL},
    {"P2", 2, 0, gr__pnm_decode, NULL},
    {"P3", 2, 0, gr__pnm_decode, NULL},
    {"P4", 2, 0, gr__pnm_decode, NULL},
    {"P5", 2, 0, gr__pnm_decode, NULL},
    {"P6", 2, 0, gr__pnm_decode, NULL},
    {"GIF8", 4, 0, NULL, "GIF"},
    {"WEBP", 4, 8, NULL, "WebP"},
    {"II*\0", 4, 0, NULL, "TIFF"},
    {"MM\0*", 4, 0, NULL, "TIFF"},
    {"ftyp", 4, 4, NULL, "HEIF or AVIF"},
    {"jP  ", 4, 4, NULL, "JPEG 2000"},
    {"\xff\x4f\xff\x51", 4, 0, NULL, "JPEG 2000"},
    {"\xff\x0a", 2, 0, NULL, "JPEG XL"},
    {"JXL ", 4, 4, NULL, "JPEG XL"},
    {"8BPS", 4, 0, NULL, "Photoshop"},
    {"<svg", 4, 0, NULL, "SVG"},
    {"%PDF", 4, 0, NULL, "PDF"},
    {"P7", 2, 0, NULL, "PAM"},
};

gr_status gr__decoded_room(gr__decoded *out, const char *name, uint64_t most, size_t n, uint64_t pixels_per_byte)
{
    int64_t w = out->width, h = out->height;
    GR_FAIL_IF(w < 1 || h < 1, GR_ERR_CORRUPT, "cannot load '%s': it has no pixels (%lld x %lld)", name, (long long)w,
               (long long)h);
    GR_FAIL_IF((uint64_t)w > most / (uint64_t)h, GR_ERR_LIMIT,
               "cannot load '%s': it has %lld x %lld pixels, at most %llu are allowed; make it smaller", name,
               (long long)w, (long long)h, (unsigned long long)most);
    uint64_t pixels = (uint64_t)w * (uint64_t)h;
    GR_FAIL_IF(pixels > (1 << 16) && pixels / pixels_per_byte > n, GR_ERR_CORRUPT,
               "cannot load '%s': it claims %lld x %lld pixels, far more than its %zu bytes can hold", name,
               (long long)w, (long long)h, n);
    size_t each = (size_t)out->channels * (size_t)(out->depth / 8);
    out->pixels = gr__calloc((size_t)pixels, each);
    return out->pixels ? GR_OK : gr__fail_memory("the pixels of an image", (size_t)pixels * each);
}

/* ---- depth ---- */

static gr_status set_depth(gr__decoded *d, int depth)
{
    size_t count = (size_t)d->width * (size_t)d->height * (size_t)d->channels;
    if (d->depth == depth) return GR_OK;
    void *fresh = gr__alloc(count * (size_t)(depth / 8));
    if (!fresh) return gr__fail_memory("the pixels of an image", count * (size_t)(depth / 8));
    if (depth == 8)
        for (size_t i = 0; i < count; i++) ((uint8_t *)fresh)[i] = (uint8_t)(((uint16_t *)d->pixels)[i] >> 8);
    else
        for (size_t i = 0; i < count; i++) ((uint16_t *)fresh)[i] = (uint16_t)(((uint8_t *)d->pixels)[i] * 257);
    gr__free(d->pixels);
    d->pixels = fresh;
    d->depth = depth;
    return GR_OK;
}

/* ---- channels ---- */

static uint32_t get(const void *pixels, int depth, size_t i)
{
    return depth == 8 ? ((const uint8_t *)pixels)[i] : ((const uint16_t *)pixels)[i];
}

static void set(void *pixels, int depth, size_t i, uint32_t v)
{
    if (depth == 8)
        ((uint8_t *)pixels)[i] = (uint8_t)v;
    else
        ((uint16_t *)pixels)[i] = (uint16_t)v;
}

static gr_status set_channels(gr__decoded *d, int channels)
{
    size_t count = (size_t)d->width * (size_t)d->height, from = (size_t)d->channels, to = (size_t)channels;
    if (from == to) return GR_OK;
    int depth = d->depth;
    void *fresh = gr__alloc(count * to * (size_t)(depth / 8));
    if (!fresh) return gr__fail_memory("the pixels of an image", count * to * (size_t)(depth / 8));
    for (size_t i = 0; i < count; i++) {
        uint32_t c[4];
        c[0] = c[1] = c[2] = get(d->pixels, depth, i * from);
        c[3] = depth == 8 ? 255 : 65535;
        if (from >= 3) {
            c[1] = get(d->pixels, depth, i * from + 1);
            c[2] = get(d->pixels, depth, i * from + 2);
        }
        if (from % 2 == 0) c[3] = get(d->pixels, depth, i * from + from - 1);
        if (to == 1 && from >= 3) c[0] = (c[0] * 19595u + c[1] * 38470u + c[2] * 7471u + 0x8000u) >> 16;
        for (size_t k = 0; k < to; k++) set(fresh, depth, i * to + k, c[k]);
    }
    gr__free(d->pixels);
    d->pixels = fresh;
    d->channels = channels;
    return GR_OK;
}

/* ---- orientation ---- */

/* EXIF counts: 2 mirrored, 3 upside down, 4 both, 5 to 8 the same with rows and columns changed. */
static gr_status turn(gr__decoded *d)
{
    int o = d->orientation;
    if (o <= 1) return GR_OK;
    size_t each = (size_t)d->channels * (size_t)(d->depth / 8), w = (size_t)d->width, h = (size_t)d->height;
    char *fresh = gr__alloc(w * h * each);
    if (!fresh) return gr__fail_memory("the pixels of an image", w * h * each);
    bool swap = o >= 5, flip_x = o == 2 || o == 3 || o == 7 || o == 8, flip_y = o == 3 || o == 4 || o == 6 || o == 7;
    size_t new_w = swap ? h : w, new_h = swap ? w : h;
    for (size_t y = 0; y < new_h; y++)
        for (size_t x = 0; x < new_w; x++) {
            size_t sx = swap ? y : x, sy = swap ? x : y;
            if (flip_x) sx = w - 1 - sx;
            if (flip_y) sy = h - 1 - sy;
            memcpy(fresh + (y * new_w + x) * each, (char *)d->pixels + (sy * w + sx) * each, each);
        }
    gr__free(d->pixels);
    d->pixels = fresh;
    d->width = (int64_t)new_w;
    d->height = (int64_t)new_h;
    d->orientation = 1;
    return GR_OK;
}

/* ---- the interface ---- */

static gr_status decode_any(const unsigned char *p, size_t n, const char *name, uint64_t most, gr__decoded *out)
{
    GR_FAIL_IF(n == 0, GR_ERR_CORRUPT, "cannot load '%s': it is empty", name);
    for (size_t i = 0; i < GR__COUNT(formats); i++) {
        size_t at = formats[i].at, length = formats[i].n;
        if (n < at + length || memcmp(p + at, formats[i].magic, length) != 0) continue;
        GR_FAIL_IF(!formats[i].decode, GR_ERR_UNSUPPORTED,
                   "cannot load '%s': it is a %s file; convert it to PNG or JPEG", name, formats[i].refused);
        return formats[i].decode(p, n, name, most, out);
    }
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': it is not an image (PNG, JPEG, BMP, PNM are read)", name);
}

gr_status gr__image_decode(const unsigned char *bytes, size_t n, const char *name, const gr__image_options *options,
                           gr__image *out)
{
    static const gr__image_options none = {0};
    const gr__image_options *o = options ? options : &none;
    gr__decoded d = {.orientation = 1};
    GR_ASSERT(o->channels == 0 || o->channels == 1 || o->channels == 3 || o->channels == 4);
    gr_status status = decode_any(bytes, n, name, o->most_pixels ? o->most_pixels : GR__LIMIT_IMAGE_PIXELS, &d);
    if (status == GR_OK) status = set_depth(&d, o->deep ? 16 : 8);
    if (status == GR_OK) status = set_channels(&d, o->channels ? o->channels : d.channels < 3 ? 1 : 3);
    if (status == GR_OK && !o->no_orientation) status = turn(&d);
    if (status == GR_OK)
        *out = (gr__image){d.width, d.height, d.channels, d.depth, d.pixels};
    else
        gr__free(d.pixels);
    return status;
}

gr_status gr__image_read(const char *path, const gr__image_options *options, gr__image *out)
{
    char *bytes;
    size_t n;
    GR_TRY(gr__file_read(path, GR__LIMIT_IMAGE_BYTES, &bytes, &n));
    gr_status status = gr__image_decode((unsigned char *)bytes, n, path, options, out);
    gr__free(bytes);
    return status;
}

void gr__image_release(gr__image *image)
{
    gr__free(image->pixels);
    *image = (gr__image){0};
}

bool gr__image_is_named(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < GR__COUNT(ends); i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

gr_status gr__png_write(const char *path, const gr__image *image)
{
    gr__str s = {0};
    gr_status status = gr__png_encode(image, path, &s);
    if (status == GR_OK) status = gr__file_write(path, s.text, s.n);
    gr__str_release(&s);
    return status;
}
