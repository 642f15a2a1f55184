/* Overlap of boxes. */
#include "gradus/metric.h"

#include <math.h>

static double iou(const gr_box *a, const gr_box *b, bool crowd)
{
    double width = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    double height = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    if (!(width > 0) || !(height > 0)) return 0;
    double shared = width * height, own = a->width * a->height;
    return shared / (crowd ? own : own + b->width * b->height - shared);
}

void gr_box_iou(const gr_box *a, size_t n_a, const gr_box *b, size_t n_b, const bool *crowd, double *out)
{
    for (size_t i = 0; i < n_a; i++)
        for (size_t j = 0; j < n_b; j++) out[i * n_b + j] = iou(&a[i], &b[j], crowd && crowd[j]);
}
