/* Two passes, along rows and then along columns, each with a table of weights of its own; weights are integers with 22
 * bits behind the point and a pass rounds to bytes, as Pillow's does, so that the results are the same. */
#include "image/transform.h"

#include "base/limits.h"

#include <math.h>
#include <string.h>

#define BITS 22

typedef struct taps {
    int64_t *first;  /* (out): the first pixel that counts */
    int32_t *count;  /* (out) */
    int32_t *weight; /* (out, most) */
    int64_t most;
} taps;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static const struct {
    double (*value)(double);
    double support;
} filters[GR__FILTER_COUNT] = {[GR__BILINEAR] = {triangle, 1}, [GR__BICUBIC] = {cubic, 2}};

static void taps_release(taps *t)
{
    gr__free(t->first);
    gr__free(t->count);
    gr__free(t->weight);
}

static gr_status taps_make(int64_t in, int64_t out, gr__filter filter, bool antialias, taps *t)
{
    double step = (double)in / (double)out, grow = antialias && step > 1 ? step : 1;
    double support = filters[filter].support * grow;
    t->most = (int64_t)ceil(support) * 2 + 1;
    size_t weights;
    bool fits = gr__mul_size((size_t)out, (size_t)t->most, &weights);
    t->first = gr__calloc((size_t)out, sizeof *t->first);
    t->count = gr__calloc((size_t)out, sizeof *t->count);
    t->weight = fits ? gr__calloc(weights, sizeof *t->weight) : NULL;
    double *w = gr__calloc((size_t)t->most, sizeof *w);
    if (!t->first || !t->count || !t->weight || !w) {
        gr__free(w);
        return gr__fail_memory("weights of a filter", (size_t)out * (size_t)t->most * sizeof *t->weight);
    }
    for (int64_t i = 0; i < out; i++) {
        double centre = ((double)i + 0.5) * step, sum = 0;
        int64_t first = (int64_t)(centre - support + 0.5), last = (int64_t)(centre + support + 0.5);
        first = GR__MAX(first, 0);
        last = GR__MIN(last, in);
        for (int64_t k = first; k < last; k++)
            sum += w[k - first] = filters[filter].value(((double)k - centre + 0.5) / grow);
        for (int64_t k = first; k < last; k++) {
            double v = (sum != 0 ? w[k - first] / sum : w[k - first]) * (1 << BITS);
            t->weight[i * t->most + k - first] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
        }
        t->first[i] = first;
        t->count[i] = (int32_t)(last - first);
    }
    gr__free(w);
    return GR_OK;
}

static uint8_t clip(int64_t v)
{
    v >>= BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One line: 'step' is the distance of neighbours in bytes, on both sides. */
static void filter_line(const taps *t, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t *w = t->weight + i * t->most;
        const uint8_t *p = in + (size_t)t->first[i] * in_step;
        int64_t sum = (int64_t)1 << (BITS - 1);
        for (int32_t k = 0; k < t->count[i]; k++) sum += (int64_t)w[k] * p[(size_t)k * in_step];
        out[(size_t)i * out_step] = clip(sum);
    }
}

static gr_status make(const gr__image *like, int64_t width, int64_t height, gr__image *out)
{
    *out = (gr__image){width, height, like->channels, 8, NULL};
    size_t bytes = (size_t)width * (size_t)height * (size_t)like->channels;
    out->pixels = gr__alloc(bytes);
    return out->pixels ? GR_OK : gr__fail_memory("the pixels of an image", bytes);
}

static gr_status along_rows(const gr__image *in, int64_t width, gr__filter filter, bool antialias, gr__image *out)
{
    taps t = {0};
    size_t c = (size_t)in->channels;
    gr_status status = make(in, width, in->height, out);
    if (status == GR_OK) status = taps_make(in->width, width, filter, antialias, &t);
    for (int64_t y = 0; status == GR_OK && y < in->height; y++)
        for (size_t k = 0; k < c; k++)
            filter_line(&t, (uint8_t *)in->pixels + (size_t)(y * in->width) * c + k, c,
                        (uint8_t *)out->pixels + (size_t)(y * width) * c + k, c, width);
    taps_release(&t);
    return status;
}

static gr_status along_columns(const gr__image *in, int64_t height, gr__filter filter, bool antialias, gr__image *out)
{
    taps t = {0};
    size_t row = (size_t)in->width * (size_t)in->channels;
    gr_status status = make(in, in->width, height, out);
    if (status == GR_OK) status = taps_make(in->height, height, filter, antialias, &t);
    for (size_t x = 0; status == GR_OK && x < row; x++)
        filter_line(&t, (uint8_t *)in->pixels + x, row, (uint8_t *)out->pixels + x, row, height);
    taps_release(&t);
    return status;
}

static void nearest(const gr__image *in, gr__image *out)
{
    size_t c = (size_t)in->channels;
    double step_x = (double)in->width / (double)out->width, step_y = (double)in->height / (double)out->height;
    uint8_t *to = out->pixels;
    for (int64_t y = 0; y < out->height; y++) {
        int64_t from_y = GR__MIN((int64_t)(((double)y + 0.5) * step_y), in->height - 1);
        for (int64_t x = 0; x < out->width; x++, to += c) {
            int64_t from_x = GR__MIN((int64_t)(((double)x + 0.5) * step_x), in->width - 1);
            memcpy(to, (uint8_t *)in->pixels + (size_t)(from_y * in->width + from_x) * c, c);
        }
    }
}

gr_status gr__image_resize(const gr__image *in, int64_t width, int64_t height, gr__filter filter, bool antialias,
                           gr__image *out)
{
    gr__image rows = {0}, result = {0};
    GR_ASSERT(in->depth == 8);
    GR_FAIL_IF(width < 1 || height < 1, GR_ERR_ARGUMENT, "cannot make an image of %lld x %lld pixels", (long long)width,
               (long long)height);
    GR_FAIL_IF(width > GR__LIMIT_IMAGE_PIXELS / height || width > GR__LIMIT_IMAGE_PIXELS / in->height, GR_ERR_LIMIT,
               "cannot make an image of %lld x %lld pixels, at most %d are allowed", (long long)width,
               (long long)height, GR__LIMIT_IMAGE_PIXELS);
    gr_status status = GR_OK;
    bool filtered = filter != GR__NEAREST;
    if (filtered && width != in->width) {
        status = along_rows(in, width, filter, antialias, &rows);
        in = &rows;
    }
    if (status == GR_OK && filtered && height != in->height) {
        status = along_columns(in, height, filter, antialias, &result);
    } else if (status == GR_OK && in == &rows) {
        *out = rows;
        return GR_OK;
    } else if (status == GR_OK) {
        status = make(in, width, height, &result);
        if (status == GR_OK) nearest(in, &result);
    }
    gr__image_release(&rows);
    if (status == GR_OK)
        *out = result;
    else
        gr__image_release(&result);
    return status;
}
