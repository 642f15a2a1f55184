#include "image/transform.h"

#include "base/limits.h"

#include <math.h>
#include <string.h>

static uint8_t *at(const gr__image *image, int64_t x, int64_t y)
{
    return (uint8_t *)image->pixels + (size_t)(y * image->width + x) * (size_t)image->channels;
}

static gr_status make(const gr__image *like, int64_t width, int64_t height, uint8_t fill, gr__image *out)
{
    GR_FAIL_IF(width < 1 || height < 1, GR_ERR_ARGUMENT, "cannot make an image of %lld x %lld pixels", (long long)width,
               (long long)height);
    GR_FAIL_IF(width > GR__LIMIT_IMAGE_PIXELS / height, GR_ERR_LIMIT,
               "cannot make an image of %lld x %lld pixels, at most %d are allowed", (long long)width,
               (long long)height, GR__LIMIT_IMAGE_PIXELS);
    size_t bytes = (size_t)width * (size_t)height * (size_t)like->channels;
    void *pixels = gr__alloc(bytes);
    if (!pixels) return gr__fail_memory("the pixels of an image", bytes);
    memset(pixels, fill, bytes);
    *out = (gr__image){width, height, like->channels, 8, pixels};
    return GR_OK;
}

gr_status gr__image_crop(const gr__image *in, int64_t x, int64_t y, int64_t width, int64_t height, uint8_t fill,
                         gr__image *out)
{
    GR_ASSERT(in->depth == 8);
    GR_FAIL_IF(x > INT32_MAX || x < INT32_MIN || y > INT32_MAX || y < INT32_MIN, GR_ERR_ARGUMENT,
               "cannot cut an image at (%lld, %lld)", (long long)x, (long long)y);
    GR_TRY(make(in, width, height, fill, out));
    int64_t first = GR__MAX(x, 0), last = GR__MIN(x + width, in->width);
    for (int64_t row = GR__MAX(y, 0); row < GR__MIN(y + height, in->height) && first < last; row++)
        memcpy(at(out, first - x, row - y), at(in, first, row), (size_t)(last - first) * (size_t)in->channels);
    return GR_OK;
}

/* The four neighbours of a place; those outside count as the border. */
static void blend(const gr__image *in, double x, double y, uint8_t *out)
{
    double left = floor(x - 0.5), top = floor(y - 0.5), dx = x - 0.5 - left, dy = y - 0.5 - top;
    int64_t x0 = GR__MAX((int64_t)left, 0), x1 = GR__MIN((int64_t)left + 1, in->width - 1);
    int64_t y0 = GR__MAX((int64_t)top, 0), y1 = GR__MIN((int64_t)top + 1, in->height - 1);
    const uint8_t *a = at(in, x0, y0), *b = at(in, x1, y0), *c = at(in, x0, y1), *d = at(in, x1, y1);
    for (int k = 0; k < in->channels; k++) {
        double upper = a[k] + (b[k] - a[k]) * dx, lower = c[k] + (d[k] - c[k]) * dx;
        out[k] = (uint8_t)(upper + (lower - upper) * dy); /* cut, as Pillow does */
    }
}

gr_status gr__image_rotate(const gr__image *in, double degrees, gr__filter filter, uint8_t fill, gr__image *out)
{
    GR_ASSERT(in->depth == 8 && (filter == GR__NEAREST || filter == GR__BILINEAR));
    GR_TRY(make(in, in->width, in->height, fill, out));
    double angle = -fmod(degrees, 360) * 3.14159265358979323846 / 180;
    double c = round(cos(angle) * 1e15) / 1e15, s = round(sin(angle) * 1e15) / 1e15; /* 90 degrees are exact */
    double mid_x = (double)in->width / 2, mid_y = (double)in->height / 2;
    for (int64_t y = 0; y < in->height; y++)
        for (int64_t x = 0; x < in->width; x++) {
            double u = (double)x + 0.5 - mid_x, v = (double)y + 0.5 - mid_y;
            double from_x = mid_x + c * u + s * v, from_y = mid_y - s * u + c * v;
            if (!(from_x >= 0 && from_y >= 0 && from_x < (double)in->width && from_y < (double)in->height)) continue;
            if (filter == GR__NEAREST)
                memcpy(at(out, x, y), at(in, (int64_t)from_x, (int64_t)from_y), (size_t)in->channels);
            else
                blend(in, from_x, from_y, at(out, x, y));
        }
    return GR_OK;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

void gr__image_flip_x(gr__image *image)
{
    for (int64_t y = 0; y < image->height; y++)
        for (int64_t a = 0, b = image->width - 1; a < b; a++, b--)
            swap(at(image, a, y), at(image, b, y), (size_t)image->channels);
}

void gr__image_flip_y(gr__image *image)
{
    for (int64_t a = 0, b = image->height - 1; a < b; a++, b--)
        swap(at(image, 0, a), at(image, 0, b), (size_t)image->width * (size_t)image->channels);
}

void gr__image_erase(gr__image *image, int64_t x, int64_t y, int64_t width, int64_t height, uint8_t fill)
{
    int64_t first = GR__MAX(x, 0), last = GR__MIN(x + width, image->width);
    for (int64_t row = GR__MAX(y, 0); row < GR__MIN(y + height, image->height) && first < last; row++)
        memset(at(image, first, row), fill, (size_t)(last - first) * (size_t)image->channels);
}
