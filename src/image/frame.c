/* Pictures in frames: fitted into a size, and rectangles drawn on them. */
#include "image/transform.h"

#include <math.h>
#include <string.h>

static void inside(int64_t in_width, int64_t in_height, double scale, int64_t width, int64_t height, int64_t *w,
                   int64_t *h)
{
    *w = GR__MIN(GR__MAX(llround(scale * (double)in_width), 1), width);
    *h = GR__MIN(GR__MAX(llround(scale * (double)in_height), 1), height);
}

gr__letterbox gr__image_letterbox_of(int64_t in_width, int64_t in_height, int64_t width, int64_t height)
{
    int64_t w, h;
    double scale = fmin((double)width / (double)in_width, (double)height / (double)in_height);
    inside(in_width, in_height, scale, width, height, &w, &h);
    return (gr__letterbox){scale, (width - w) / 2, (height - h) / 2};
}

gr_status gr__image_letterbox(const gr__image *in, int64_t width, int64_t height, uint8_t fill, gr__letterbox *box,
                              gr__image *out)
{
    gr__image sized;
    int64_t w, h;
    *box = gr__image_letterbox_of(in->width, in->height, width, height);
    inside(in->width, in->height, box->scale, width, height, &w, &h);
    GR_TRY(gr__image_resize(in, w, h, GR__BILINEAR, true, &sized));
    gr_status status = gr__image_crop(&sized, -box->x0, -box->y0, width, height, fill, out);
    gr__image_release(&sized);
    return status;
}

static void fill(gr__image *image, int64_t x0, int64_t y0, int64_t x1, int64_t y1, const uint8_t *colour)
{
    size_t c = (size_t)image->channels;
    for (int64_t y = GR__MAX(y0, 0); y < GR__MIN(y1, image->height); y++)
        for (int64_t x = GR__MAX(x0, 0); x < GR__MIN(x1, image->width); x++)
            memcpy((uint8_t *)image->pixels + (size_t)(y * image->width + x) * c, colour, c);
}

static int64_t whole(double v, int64_t most) { return llround(fmin(fmax(v, -1), (double)most + 1)); }

void gr__image_frame(gr__image *image, double x0, double y0, double x1, double y1, int64_t thick, const uint8_t *colour)
{
    int64_t l = whole(x0, image->width), t = whole(y0, image->height), r = whole(x1, image->width),
            b = whole(y1, image->height);
    fill(image, l, t, r, t + thick, colour);
    fill(image, l, b - thick, r, b, colour);
    fill(image, l, t, l + thick, b, colour);
    fill(image, r - thick, t, r, b, colour);
}
