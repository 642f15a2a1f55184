/* Overlap of boxes. */
#include "gradus/metric.h"

#include <math.h>
#include <stdlib.h>

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

static int by_score(const void *a, const void *b)
{
    const gr_detection *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    if (x->category != y->category) return x->category < y->category ? -1 : 1;
    if (x->box.y != y->box.y) return x->box.y < y->box.y ? -1 : 1; /* qsort keeps no order among equals */
    return x->box.x < y->box.x ? -1 : x->box.x > y->box.x;
}

size_t gr_box_suppress(gr_detection *found, size_t n, double overlap, size_t most)
{
    size_t kept = 0;
    if (n) qsort(found, n, sizeof *found, by_score);
    for (size_t i = 0; i < n && (most == 0 || kept < most); i++) {
        bool free = true;
        for (size_t k = 0; k < kept && free; k++)
            free = found[k].category != found[i].category || !(iou(&found[k].box, &found[i].box, false) > overlap);
        if (free) found[kept++] = found[i];
    }
    return kept;
}
