#include "task/assign.h"

#include <math.h>
#include <string.h>

static float area(const gr__box *b) { return (b->x1 - b->x0) * (b->y1 - b->y0); }

/* Places first .. last-1 on one axis: centres (i + 0.5)*stride in low .. high. */
static void span(double low, double high, int64_t stride, int64_t n, int64_t *first, int64_t *last)
{
    *first = (int64_t)fmin(fmax(ceil(low / (double)stride - 0.5), 0), (double)n);
    *last = (int64_t)fmin(fmax(floor(high / (double)stride - 0.5) + 1, 0), (double)n);
}

static void claim(const gr__box *b, int64_t place, float *size, const gr__assigned *out)
{
    if (b->difficult) { /* right or wrong is not known there, unless an object that counts is there too */
        if (out->label[place] < 0) out->counts[place] = 0;
        return;
    }
    if (out->label[place] >= 0 && size[place] <= area(b)) return;
    const float edge[] = {b->x0, b->y0, b->x1, b->y1};
    memcpy(out->box + 4 * place, edge, sizeof edge);
    out->label[place] = b->class_index;
    out->counts[place] = 1;
    size[place] = area(b);
}

void gr__assign(const gr__box *box, size_t n, int64_t height, int64_t width, int64_t stride, double radius,
                const gr__assigned *out)
{
    int64_t places = height * width;
    float *size = gr__alloc((size_t)places * sizeof *size);
    memset(out->box, 0, (size_t)(4 * places) * sizeof *out->box);
    for (int64_t i = 0; i < places; i++) out->label[i] = -1, out->counts[i] = size ? 1 : 0;
    for (size_t k = 0; k < n && size; k++) {
        const gr__box *b = &box[k];
        double x = ((double)b->x0 + (double)b->x1) / 2, y = ((double)b->y0 + (double)b->y1) / 2,
               reach = b->difficult ? INFINITY : radius * (double)stride;
        int64_t x0, x1, y0, y1;
        span(fmax(b->x0, x - reach), fmin(b->x1, x + reach), stride, width, &x0, &x1);
        span(fmax(b->y0, y - reach), fmin(b->y1, y + reach), stride, height, &y0, &y1);
        for (int64_t i = y0; i < y1; i++)
            for (int64_t j = x0; j < x1; j++) claim(b, i * width + j, size, out);
        int64_t i = (int64_t)(y / (double)stride), j = (int64_t)(x / (double)stride);
        if (i >= 0 && i < height && j >= 0 && j < width) claim(b, i * width + j, size, out);
    }
    gr__free(size);
}
