/* What a decoder hands to image.c: pixels as the file has them. */
#ifndef GR__IMAGE_INT_H
#define GR__IMAGE_INT_H

#include "format/image.h"

typedef struct gr__decoded {
    int64_t width, height;
    int channels;    /* 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA */
    int depth;       /* 8 or 16 */
    int orientation; /* of EXIF, 1 to 8 */
    void *pixels;    /* (height, width, channels), owned */
} gr__decoded;

typedef gr_status (*gr__decode_fn)(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                                   gr__decoded *out);

gr_status gr__png_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                         gr__decoded *out);
gr_status gr__jpeg_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                          gr__decoded *out);
gr_status gr__bmp_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                         gr__decoded *out);
gr_status gr__pnm_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                         gr__decoded *out);

/* Checks the size (from 1, at most 'most' pixels, at least a byte of file for 'pixels_per_byte' pixels) and makes room for
 * out->width, height, channels, depth; the room is cleared. */
gr_status gr__decoded_room(gr__decoded *out, const char *name, uint64_t most, size_t n, uint64_t pixels_per_byte);

/* From a TIFF header on; 1 where it says nothing that makes sense. */
int gr__exif_orientation(const unsigned char *tiff, size_t n);

#endif
