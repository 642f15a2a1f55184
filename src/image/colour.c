/* Jitter as torchvision defines it for uint8 tensors: a blend with black, with the mean gray, or with the pixel's own gray,
 * cut (not rounded) to bytes; hue by way of HSV in f32. */
#include "image/transform.h"

#include <math.h>

static uint8_t cut(float v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

static int colours(const gr__image *image) { return image->channels >= 3 ? 3 : 1; }

static float gray(const uint8_t *p) { return floorf(0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2]); }

/* factor * pixel + (1 - factor) * other, the other being the same everywhere. */
static void blend_with(gr__image *image, double factor, float other)
{
    uint8_t map[256], *p = image->pixels;
    for (int v = 0; v < 256; v++) map[v] = cut((float)factor * (float)v + (float)(1 - factor) * other);
    int n = colours(image);
    for (int64_t i = 0; i < image->width * image->height; i++, p += image->channels)
        for (int k = 0; k < n; k++) p[k] = map[p[k]];
}

void gr__image_brightness(gr__image *image, double factor) { blend_with(image, factor, 0); }

void gr__image_contrast(gr__image *image, double factor)
{
    const uint8_t *p = image->pixels;
    double sum = 0, count = (double)image->width * (double)image->height;
    for (int64_t i = 0; i < image->width * image->height; i++, p += image->channels)
        sum += image->channels >= 3 ? (double)gray(p) : p[0];
    blend_with(image, factor, (float)(sum / count));
}

void gr__image_saturation(gr__image *image, double factor)
{
    uint8_t *p = image->pixels;
    if (image->channels < 3) return;
    for (int64_t i = 0; i < image->width * image->height; i++, p += image->channels) {
        float g = gray(p);
        for (int k = 0; k < 3; k++) p[k] = cut((float)factor * (float)p[k] + (float)(1 - factor) * g);
    }
}

/* The largest value, the distance to the smallest, and the place on the circle of six. */
static void turn_pixel(uint8_t *p, float turn)
{
    float c[3] = {(float)p[0] / 255, (float)p[1] / 255, (float)p[2] / 255};
    float most = fmaxf(fmaxf(c[0], c[1]), c[2]), span = most - fminf(fminf(c[0], c[1]), c[2]), h = 0;
    if (span == 0) return;
    if (most == c[0])
        h = (c[1] - c[2]) / span;
    else if (most == c[1])
        h = 2 + (c[2] - c[0]) / span;
    else
        h = 4 + (c[0] - c[1]) / span;
    h = h / 6 + turn;
    h = (h - floorf(h)) * 6;
    float f = h - floorf(h), s = span / most, low = most * (1 - s), down = most * (1 - s * f),
          up = most * (1 - s * (1 - f));
    const float rows[6][3] = {{most, up, low},   {down, most, low}, {low, most, up},
                              {low, down, most}, {up, low, most},   {most, low, down}};
    int row = (int)floorf(h) % 6;
    for (int k = 0; k < 3; k++) p[k] = cut(rows[row][k] * 255.999f);
}

void gr__image_hue(gr__image *image, double turn)
{
    uint8_t *p = image->pixels;
    if (image->channels < 3 || turn == 0) return;
    for (int64_t i = 0; i < image->width * image->height; i++, p += image->channels) turn_pixel(p, (float)turn);
}
