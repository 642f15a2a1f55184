/* Random changes of a picture, drawn from (seed, stream, sample): the same sample of the same epoch is changed in the same
 * way, whatever thread does it and in whatever order. The stream is the epoch, or what the caller counts. */
#ifndef GR__AUGMENT_H
#define GR__AUGMENT_H

#include "image/transform.h"

/* A zeroed struct changes nothing but the size. In this order: */
typedef struct gr__augment_options {
    double area_least, area_most; /* of the cut-out rectangle, of the whole; (0, 1]; default 0: none is cut out */
    double scale_least,
        scale_most;        /* without 'area': a rectangle of the picture's shape, 1/s as large on each side, is cut out
                                       so that it lies inside the picture, or, s < 1, the picture in it; default 0: none */
    double ratio;          /* its width / height lies in [1 / ratio, ratio]; >= 1; default 4/3 */
    int64_t width, height; /* of the result; default 0: as the picture, or as 'area' cut it */
    gr__filter filter;     /* for resizing and turning; default nearest */
    int64_t padding;       /* pixels around it, then cut at random to the size; default 0 */
    double flip_x, flip_y; /* probability; default 0 */
    double degrees;        /* turned by up to so much both ways; default 0 */
    double brightness, contrast; /* a factor in [1 - v, 1 + v], not below 0; default 0 */
    double saturation, hue;      /* the same; a turn in [-v, v], v <= 0.5 */
    int64_t cutout;              /* edge of an erased square with its centre anywhere; default 0 */
    uint8_t fill;                /* what is outside of a picture; default 0 */
} gr__augment_options;

/* Where a point of the picture is afterwards: x*scale_x + shift_x, likewise y. */
typedef struct gr__moved {
    double scale_x, shift_x, scale_y, shift_y;
} gr__moved;

/* moved: may be NULL; it knows nothing of 'degrees'. Failure: *out untouched; as gr__image_resize. */
gr_status gr__image_augment(const gr__image *in, const gr__augment_options *options, uint64_t seed, uint64_t stream,
                            uint64_t sample, gr__moved *moved, gr__image *out);

#endif
