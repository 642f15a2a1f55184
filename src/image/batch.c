#include "image/transform.h"

void gr__image_to_floats(const gr__image *image, const float *mean, const float *std, bool planes, float *out)
{
    float map[4][256]; /* 256 possible values a channel */
    size_t channels = (size_t)image->channels, count = (size_t)image->width * (size_t)image->height;
    GR_ASSERT(image->depth == 8);
    for (size_t c = 0; c < channels; c++)
        for (int v = 0; v < 256; v++) map[c][v] = ((float)v / 255 - (mean ? mean[c] : 0)) / (std ? std[c] : 1);
    const uint8_t *p = image->pixels;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < channels; c++)
            out[planes ? c * count + i : i * channels + c] = map[c][p[i * channels + c]];
}
