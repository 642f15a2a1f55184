/* Operations on pictures of 8 bits with 1, 3 or 4 channels. Those with 'out' make a fresh picture (free it with
 * gr__image_release) and leave it untouched on failure; the others work in place and cannot fail. */
#ifndef GR__TRANSFORM_H
#define GR__TRANSFORM_H

#include "format/image.h"

/* ---- size ---- */

typedef enum gr__filter { GR__NEAREST, GR__BILINEAR, GR__BICUBIC, GR__FILTER_COUNT } gr__filter;

/* As Pillow's Image.resize. Antialiased: when a picture shrinks, the filter grows with the step; without, it keeps its size
 * (as in torch.nn.functional.interpolate). Bicubic has a = -0.5. GR_ERR_ARGUMENT for an empty size, GR_ERR_LIMIT,
 * GR_ERR_MEMORY. */
gr_status gr__image_resize(const gr__image *in, int64_t width, int64_t height, gr__filter filter, bool antialias,
                           gr__image *out);

/* ---- place ---- */

/* The rectangle at (x, y), which may reach outside: there every channel is 'fill'. */
gr_status gr__image_crop(const gr__image *in, int64_t x, int64_t y, int64_t width, int64_t height, uint8_t fill,
                         gr__image *out);
/* Around the centre, counter-clockwise, same size; as Pillow's Image.rotate with NEAREST or BILINEAR. */
gr_status gr__image_rotate(const gr__image *in, double degrees, gr__filter filter, uint8_t fill, gr__image *out);
void gr__image_flip_x(gr__image *image); /* left and right change places */
void gr__image_flip_y(gr__image *image);
/* Every channel of the rectangle, as far as it lies inside, becomes 'fill' (cutout). */
void gr__image_erase(gr__image *image, int64_t x, int64_t y, int64_t width, int64_t height, uint8_t fill);

/* As large as it fits into width x height with its own shape, in the middle; around it every channel is 'fill'. A point x
 * of 'in' is x*scale + x0 afterwards, likewise y. */
typedef struct gr__letterbox {
    double scale;
    int64_t x0, y0;
} gr__letterbox;
gr__letterbox gr__image_letterbox_of(int64_t in_width, int64_t in_height, int64_t width, int64_t height);
gr_status gr__image_letterbox(const gr__image *in, int64_t width, int64_t height, uint8_t fill, gr__letterbox *box,
                              gr__image *out);

/* The border of a rectangle, 'thick' pixels inwards, as far as it lies inside; colour: one byte a channel. */
void gr__image_frame(gr__image *image, double x0, double y0, double x1, double y1, int64_t thick,
                     const uint8_t *colour);

/* ---- colour (as torchvision's functions on uint8 tensors; alpha stays; gray pictures have no saturation or hue) ---- */

void gr__image_brightness(gr__image *image, double factor); /* >= 0; 1 changes nothing */
void gr__image_contrast(gr__image *image, double factor);
void gr__image_saturation(gr__image *image, double factor);
void gr__image_hue(gr__image *image, double turn); /* [-0.5, 0.5] of the circle */

/* ---- into a batch ---- */

/* (v / 255 - mean[c]) / std[c] for each channel, into (H, W, C), or (C, H, W) when 'planes' is set. mean and std may be
 * NULL: 0 and 1. */
void gr__image_to_floats(const gr__image *image, const float *mean, const float *std, bool planes, float *out);

#endif
