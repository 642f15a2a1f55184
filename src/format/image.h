/* Pictures from files: PNG (libpng), JPEG (TurboJPEG), BMP and PNM of our own, told apart by their first bytes.
 * Pixels are exactly what Pillow gives: alpha is dropped, not blended; colour profiles and gamma are not applied; gray is
 * (19595 R + 38470 G + 7471 B) / 65536; 16 bits become 8 by their high byte; CMYK follows Adobe's (inverted) convention.
 * EXIF's orientation is applied. The size is held against the limits and the bytes there are before anything is decoded,
 * and no sentence of a decoder gets into a message. */
#ifndef GR__IMAGE_H
#define GR__IMAGE_H

#include "base/str.h"

typedef struct gr__image {
    int64_t width, height;
    int channels; /* 1 gray, 3 RGB, 4 RGBA */
    int depth;    /* 8 or 16 bits */
    void *pixels; /* (height, width, channels) u8, or u16 in the machine's byte order */
} gr__image;

typedef struct gr__image_options {
    int channels;         /* 1, 3, 4; default 0: 1 or 3 as the file is */
    bool deep;            /* default: 8 bits. Set: 16, a value v of 8 bits becomes 257 v */
    bool no_orientation;  /* default: turned as EXIF says */
    uint64_t most_pixels; /* default 0: GR__LIMIT_IMAGE_PIXELS */
} gr__image_options;

/* options NULL: all defaults. 'name' stands in messages. Failure: *out untouched. GR_ERR_CORRUPT, GR_ERR_LIMIT (pixels),
 * GR_ERR_UNSUPPORTED (a format or variant that is not read, named; or a decoder that was not built in), GR_ERR_MEMORY. */
gr_status gr__image_decode(const unsigned char *bytes, size_t n, const char *name, const gr__image_options *options,
                           gr__image *out);
gr_status gr__image_read(const char *path, const gr__image_options *options, gr__image *out);
void gr__image_release(gr__image *image);

/* Whether a file of this name may be a picture (.png .jpg .jpeg .bmp .ppm .pgm .pbm .pnm, any case). */
bool gr__image_is_named(const char *name);

/* PNG, written atomically. Gray, RGB or RGBA of 8 or 16 bits. The same pixels give the same bytes. */
gr_status gr__png_write(const char *path, const gr__image *image);
gr_status gr__png_encode(const gr__image *image, const char *name, gr__str *out);

#endif
