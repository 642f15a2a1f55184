/* Windows bitmaps: 1, 4, 8 (palette), 24 and 32 bits, and run-length coded 8 bits. Rows are stored from the bottom unless
 * the height is negative, each padded to four bytes.
 *
 *   | "BM", size, 0, offset of the pixels | header: size, width, height, ... | palette | pixels | */
#include "format/image_int.h"

#include <string.h>

#define FILE_HEADER ((size_t)14)

typedef struct bitmap {
    const unsigned char *p;
    size_t n, offset;
    const char *name;
    uint32_t header, bits, packing, colours;
    bool top_down, alpha;
    const unsigned char *palette;
    size_t palette_each;
} bitmap;

static uint32_t u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }

static gr_status bad(const bitmap *b, const char *what)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': its bitmap has %s", b->name, what);
}

static gr_status cut_off(const bitmap *b)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': it ends early, after %zu bytes; download it again", b->name,
                    b->n);
}

/* Colour masks as everybody writes them: blue, green, red, alpha or nothing. */
static gr_status take_masks(bitmap *b)
{
    const unsigned char *m = b->p + FILE_HEADER + 40;
    if (b->n < FILE_HEADER + 56) return cut_off(b);
    bool usual = u32(m) == 0xff0000 && u32(m + 4) == 0xff00 && u32(m + 8) == 0xff && b->bits == 32;
    b->alpha = b->header >= 56 && u32(m + 12) == 0xff000000;
    GR_FAIL_IF(!usual, GR_ERR_UNSUPPORTED, "cannot load '%s': its colour masks are unusual; convert it to PNG",
               b->name);
    return GR_OK;
}

static gr_status take_header(bitmap *b, gr__decoded *d)
{
    if (b->n < FILE_HEADER + 12) return cut_off(b);
    const unsigned char *h = b->p + FILE_HEADER;
    b->offset = u32(b->p + 10);
    b->header = u32(h);
    bool old = b->header == 12;
    if (!old && (b->header < 40 || b->header > 124)) return bad(b, "an unknown header");
    if (b->header > b->n - FILE_HEADER) return cut_off(b);
    if (b->offset > b->n) return cut_off(b);
    d->width = old ? (int64_t)u16(h + 4) : (int32_t)u32(h + 4);
    d->height = old ? (int64_t)u16(h + 6) : (int32_t)u32(h + 8);
    b->top_down = d->height < 0;
    if (b->top_down) d->height = -d->height;
    b->bits = u16(h + (old ? 10 : 14));
    b->packing = old ? 0 : u32(h + 16);
    b->colours = old ? 0 : u32(h + 32);
    bool known = b->packing == 0 || (b->packing == 1 && b->bits == 8) || b->packing == 3;
    bool depth = b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 24 || b->bits == 32;
    GR_FAIL_IF(!known || !depth, GR_ERR_UNSUPPORTED,
               "cannot load '%s': a bitmap of %u bits with compression %u is not read; convert it to PNG", b->name,
               b->bits, b->packing);
    if (b->packing == 3) GR_TRY(take_masks(b));
    if (b->bits > 8) return GR_OK;
    b->palette_each = old ? 3 : 4;
    b->palette = h + b->header;
    if (b->colours == 0) b->colours = 1u << b->bits;
    if (b->colours > 256) return bad(b, "more than 256 colours");
    if (b->offset < FILE_HEADER + b->header || b->colours * b->palette_each > b->offset - FILE_HEADER - b->header)
        return bad(b, "a palette that runs into its pixels");
    return GR_OK;
}

static gr_status put_colour(const bitmap *b, uint32_t index, uint8_t *to)
{
    if (index >= b->colours) return bad(b, "a colour that is not in its palette");
    const unsigned char *c = b->palette + index * b->palette_each;
    to[0] = c[2], to[1] = c[1], to[2] = c[0];
    return GR_OK;
}

static uint8_t *row_of(const bitmap *b, const gr__decoded *d, int64_t y)
{
    int64_t row = b->top_down ? y : d->height - 1 - y;
    return (uint8_t *)d->pixels + (size_t)row * (size_t)d->width * (size_t)d->channels;
}

static gr_status read_plain(const bitmap *b, gr__decoded *d)
{
    size_t width = (size_t)d->width, stride = (width * b->bits + 31) / 32 * 4, channels = (size_t)d->channels;
    /* the padding of the last row may be missing */
    size_t whole = (size_t)(d->height - 1) * stride + (width * b->bits + 7) / 8;
    if (whole > b->n - b->offset) return cut_off(b);
    for (int64_t y = 0; y < d->height; y++) {
        const unsigned char *p = b->p + b->offset + (size_t)y * stride;
        uint8_t *to = row_of(b, d, y);
        for (size_t x = 0; x < width; x++, to += channels) {
            if (b->bits <= 8) {
                size_t per_byte = 8 / b->bits, shift = (per_byte - 1 - x % per_byte) * b->bits;
                GR_TRY(put_colour(b, p[x / per_byte] >> shift & ((1u << b->bits) - 1), to));
                continue;
            }
            const unsigned char *c = p + x * (b->bits / 8);
            to[0] = c[2], to[1] = c[1], to[2] = c[0];
            if (channels == 4) to[3] = c[3];
        }
    }
    return GR_OK;
}

/* Runs of COUNT, INDEX; or 0 and: 0 end of row, 1 end of picture, 2 and a step right and up, K >= 3 plain indices. */
static gr_status read_runs(const bitmap *b, gr__decoded *d)
{
    size_t at = b->offset;
    int64_t x = 0, y = 0;
    for (int64_t i = 0; i < d->width * d->height; i++) GR_TRY(put_colour(b, 0, (uint8_t *)d->pixels + 3 * i));
    for (;;) {
        if (b->n - at < 2) return cut_off(b);
        uint32_t count = b->p[at], value = b->p[at + 1];
        at += 2;
        if (count == 0 && value == 1) return GR_OK;
        if (count == 0 && value == 0) {
            x = 0;
            y++;
            continue;
        }
        if (count == 0 && value == 2) {
            if (b->n - at < 2) return cut_off(b);
            x += b->p[at];
            y += b->p[at + 1];
            at += 2;
            continue;
        }
        const unsigned char *plain = count == 0 ? b->p + at : NULL;
        if (plain) count = value;
        if (y >= d->height || x > d->width || count > (uint64_t)(d->width - x)) return bad(b, "a run outside of it");
        if (plain && b->n - at < count + count % 2) return cut_off(b);
        for (uint32_t k = 0; k < count; k++, x++)
            GR_TRY(put_colour(b, plain ? plain[k] : value, row_of(b, d, y) + 3 * x));
        if (plain) at += count + count % 2;
    }
}

gr_status gr__bmp_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels, gr__decoded *out)
{
    bitmap b = {.p = bytes, .n = n, .name = name};
    GR_TRY(take_header(&b, out));
    out->channels = b.alpha ? 4 : 3;
    out->depth = 8;
    GR_TRY(gr__decoded_room(out, name, most_pixels, n, b.packing == 1 ? 256 : 8));
    return b.packing == 1 ? read_runs(&b, out) : read_plain(&b, out);
}
