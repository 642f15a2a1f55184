/* The one file that knows libpng. Its errors jump, so all that must survive a jump lies in one struct; its texts are thrown
 * away. Every chunk but those that change pixels (and eXIf) is passed over unread: no profile, text or gamma is unpacked. */
#include "format/image_int.h"

#include <png.h>
#include <string.h>

#define PIXELS_PER_BYTE 8300 /* deflate packs at most 1032 : 1, eight pixels of one bit lie in a byte */

#define WORK_BYTES ((size_t)1 << 20)

typedef struct coder {
    png_structp png;
    png_infop info;
    const char *name;
    const unsigned char *bytes;
    size_t n, used;
    size_t most_bytes; /* of a block that libpng may ask for: it takes the word of a chunk for its length */
    bool cut, no_memory;
    gr__decoded *out;
    png_bytep *row;
    gr__str *text; /* when writing */
} coder;

static void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t n)
{
    coder *c = png_get_mem_ptr(png);
    if (n > c->most_bytes) return NULL;
    void *p = gr__alloc(n);
    if (!p) c->no_memory = true;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    gr__free(p);
}

static gr_status failure(const coder *c)
{
    if (c->no_memory) return gr__fail_memory("an image", c->n);
    GR_FAIL_IF(c->cut, GR_ERR_CORRUPT, "cannot load '%s': it ends early, after %zu bytes; download it again", c->name,
               c->n);
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': its PNG data is broken near byte %zu; download it again",
                    c->name, c->used);
}

/* ---- reading ---- */

static void on_read(png_structp png, png_bytep to, size_t n)
{
    coder *c = png_get_io_ptr(png);
    if (n > c->n - c->used) {
        c->cut = true;
        png_error(png, "");
    }
    memcpy(to, c->bytes + c->used, n);
    c->used += n;
}

static void ask_for_whole_channels(const coder *c)
{
    int depth = png_get_bit_depth(c->png, c->info), type = png_get_color_type(c->png, c->info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(c->png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(c->png);
    if (png_get_valid(c->png, c->info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(c->png);
    const uint16_t one = 1;
    if (depth == 16 && *(const unsigned char *)&one) png_set_swap(c->png);
    png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
}

static int channels(const coder *c)
{
    int type = png_get_color_type(c->png, c->info);
    bool alpha = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(c->png, c->info, PNG_INFO_tRNS);
    return (type & PNG_COLOR_MASK_COLOR ? 3 : 1) + alpha;
}

static int orientation(const coder *c)
{
    png_uint_32 n = 0;
    png_bytep exif = NULL;
    return png_get_eXIf_1(c->png, c->info, &n, &exif) && exif ? gr__exif_orientation(exif, n) : 1;
}

static gr_status read_all(coder *c, uint64_t most_pixels)
{
    gr__decoded *d = c->out;
    if (setjmp(png_jmpbuf(c->png))) return failure(c);
    png_set_read_fn(c->png, c, on_read);
    png_set_user_limits(c->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours says so in words */
    png_set_keep_unknown_chunks(c->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(c->png, PNG_HANDLE_CHUNK_AS_DEFAULT, (png_const_bytep) "eXIf", 1);
    png_read_info(c->png, c->info);
    d->width = png_get_image_width(c->png, c->info);
    d->height = png_get_image_height(c->png, c->info);
    d->depth = png_get_bit_depth(c->png, c->info) == 16 ? 16 : 8;
    d->channels = channels(c);
    GR_TRY(gr__decoded_room(d, c->name, most_pixels, c->n, PIXELS_PER_BYTE)); /* before libpng makes room for rows */
    c->most_bytes += (size_t)d->width * 16;
    ask_for_whole_channels(c);
    size_t stride = (size_t)d->width * (size_t)d->channels * (size_t)(d->depth / 8);
    if (png_get_rowbytes(c->png, c->info) != stride) return failure(c);
    if (!(c->row = gr__alloc((size_t)d->height * sizeof *c->row)))
        return gr__fail_memory("an image", (size_t)d->height);
    for (int64_t y = 0; y < d->height; y++) c->row[y] = (png_bytep)d->pixels + (size_t)y * stride;
    png_read_image(c->png, c->row);
    png_read_end(c->png, c->info);
    d->orientation = orientation(c);
    return c->no_memory ? failure(c) : GR_OK; /* libpng goes on without an optional chunk */
}

gr_status gr__png_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels, gr__decoded *out)
{
    coder c = {.name = name, .bytes = bytes, .n = n, .out = out, .most_bytes = n + WORK_BYTES};
    c.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning, &c, on_malloc, on_free);
    if (c.png) c.info = png_create_info_struct(c.png);
    gr_status status = c.info ? read_all(&c, most_pixels) : gr__fail_memory("an image", n);
    png_destroy_read_struct(&c.png, &c.info, NULL);
    gr__free(c.row);
    return status;
}

/* ---- writing ---- */

static void on_write(png_structp png, png_bytep from, size_t n)
{
    coder *c = png_get_io_ptr(png);
    gr__str_add_n(c->text, (const char *)from, n);
    if (!c->text->failed) return;
    c->no_memory = true;
    png_error(png, "");
}

static void on_flush(png_structp png) { (void)png; }

static gr_status write_all(coder *c, const gr__image *image)
{
    static const int types[] = {[1] = PNG_COLOR_TYPE_GRAY, [3] = PNG_COLOR_TYPE_RGB, [4] = PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(png_jmpbuf(c->png)))
        return c->no_memory ? gr__fail_memory("a PNG file", 0)
                            : gr__fail(GR_ERR_ARGUMENT, "cannot write '%s': PNG cannot hold %lld x %lld pixels",
                                       c->name, (long long)image->width, (long long)image->height);
    png_set_write_fn(c->png, c, on_write, on_flush);
    png_set_user_limits(c->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(c->png, c->info, (png_uint_32)image->width, (png_uint_32)image->height, image->depth,
                 types[image->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(c->png, c->info);
    const uint16_t one = 1;
    if (image->depth == 16 && *(const unsigned char *)&one) png_set_swap(c->png);
    size_t stride = (size_t)image->width * (size_t)image->channels * (size_t)(image->depth / 8);
    for (int64_t y = 0; y < image->height; y++)
        png_write_row(c->png, (png_const_bytep)image->pixels + (size_t)y * stride);
    png_write_end(c->png, NULL);
    return c->no_memory ? gr__fail_memory("a PNG file", 0) : GR_OK;
}

gr_status gr__png_encode(const gr__image *image, const char *name, gr__str *out)
{
    coder c = {.name = name, .text = out, .most_bytes = SIZE_MAX};
    GR_FAIL_IF(image->width < 1 || image->height < 1 || image->width > PNG_UINT_31_MAX ||
                   image->height > PNG_UINT_31_MAX,
               GR_ERR_ARGUMENT, "cannot write '%s': PNG cannot hold %lld x %lld pixels", name, (long long)image->width,
               (long long)image->height);
    c.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning, &c, on_malloc, on_free);
    if (c.png) c.info = png_create_info_struct(c.png);
    gr_status status = c.info ? write_all(&c, image) : gr__fail_memory("a PNG file", 0);
    png_destroy_write_struct(&c.png, &c.info);
    return status == GR_OK ? gr__str_check(out) : status;
}
