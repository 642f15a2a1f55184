#include "image/augment.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

#define TRIES 10

static double between(gr__rng *r, double low, double high) { return low + (high - low) * gr__rng_uniform(r); }

/* A rectangle of the wanted area and shape; after some tries that do not fit, the largest one in the middle. */
static void draw_rectangle(const gr__image *in, const gr__augment_options *o, gr__rng *r, int64_t box[4])
{
    double w = (double)in->width, h = (double)in->height, ratio = o->ratio >= 1 ? o->ratio : 4.0 / 3;
    for (int i = 0; i < TRIES; i++) {
        double area = between(r, o->area_least, o->area_most) * w * h;
        double shape = exp(between(r, -log(ratio), log(ratio)));
        int64_t bw = llround(sqrt(area * shape)), bh = llround(sqrt(area / shape));
        if (bw < 1 || bh < 1 || bw > in->width || bh > in->height) continue;
        box[0] = (int64_t)gr__rng_below(r, (uint64_t)(in->width - bw + 1));
        box[1] = (int64_t)gr__rng_below(r, (uint64_t)(in->height - bh + 1));
        box[2] = bw, box[3] = bh;
        return;
    }
    box[2] = (int64_t)GR__MAX(GR__MIN(w, h * ratio), 1);
    box[3] = (int64_t)GR__MAX(GR__MIN(h, w * ratio), 1);
    box[0] = (in->width - box[2]) / 2, box[1] = (in->height - box[3]) / 2;
}

/* The same of the shape of the picture, 1/s of it; where it is larger than the picture it reaches outside. */
static void draw_scaled(const gr__image *in, const gr__augment_options *o, gr__rng *r, int64_t box[4])
{
    double s = exp(between(r, log(o->scale_least), log(o->scale_most)));
    box[2] = GR__MAX(llround((double)in->width / s), 1);
    box[3] = GR__MAX(llround((double)in->height / s), 1);
    double room_x = (double)(in->width - box[2]), room_y = (double)(in->height - box[3]);
    box[0] = llround(room_x * gr__rng_uniform(r));
    box[1] = llround(room_y * gr__rng_uniform(r));
}

/* Takes the place of what was there. */
static void replace(gr__image *image, gr__image fresh)
{
    gr__image_release(image);
    *image = fresh;
}

static gr_status change_shape(gr__image *image, const gr__augment_options *o, gr__rng *r, gr__moved *m)
{
    gr__image next;
    int64_t w = o->width ? o->width : image->width, h = o->height ? o->height : image->height;
    if (w != image->width || h != image->height) {
        double x = (double)w / (double)image->width, y = (double)h / (double)image->height;
        GR_TRY(gr__image_resize(image, w, h, o->filter, true, &next));
        replace(image, next);
        m->scale_x *= x, m->shift_x *= x;
        m->scale_y *= y, m->shift_y *= y;
    }
    if (o->padding > 0) {
        int64_t x = (int64_t)gr__rng_below(r, 2 * (uint64_t)o->padding + 1) - o->padding;
        int64_t y = (int64_t)gr__rng_below(r, 2 * (uint64_t)o->padding + 1) - o->padding;
        GR_TRY(gr__image_crop(image, x, y, w, h, o->fill, &next));
        replace(image, next);
        m->shift_x -= (double)x;
        m->shift_y -= (double)y;
    }
    if (gr__rng_uniform(r) < o->flip_x) {
        gr__image_flip_x(image);
        m->scale_x = -m->scale_x, m->shift_x = (double)w - m->shift_x;
    }
    if (gr__rng_uniform(r) < o->flip_y) {
        gr__image_flip_y(image);
        m->scale_y = -m->scale_y, m->shift_y = (double)h - m->shift_y;
    }
    if (o->degrees > 0) {
        gr__filter filter = o->filter == GR__NEAREST ? GR__NEAREST : GR__BILINEAR;
        GR_TRY(gr__image_rotate(image, between(r, -o->degrees, o->degrees), filter, o->fill, &next));
        replace(image, next);
    }
    return GR_OK;
}

static double factor(gr__rng *r, double by) { return between(r, fmax(0, 1 - by), 1 + by); }

/* The four changes in an order that is drawn too. */
static void change_colour(gr__image *image, const gr__augment_options *o, gr__rng *r)
{
    int order[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0; i--) {
        int k = (int)gr__rng_below(r, (uint64_t)i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (int i = 0; i < 4; i++) {
        if (order[i] == 0 && o->brightness > 0) gr__image_brightness(image, factor(r, o->brightness));
        if (order[i] == 1 && o->contrast > 0) gr__image_contrast(image, factor(r, o->contrast));
        if (order[i] == 2 && o->saturation > 0) gr__image_saturation(image, factor(r, o->saturation));
        if (order[i] == 3 && o->hue > 0) gr__image_hue(image, between(r, -o->hue, o->hue));
    }
}

gr_status gr__image_augment(const gr__image *in, const gr__augment_options *o, uint64_t seed, uint64_t stream,
                            uint64_t sample, gr__moved *moved, gr__image *out)
{
    gr__rng r = gr__rng_sample(seed, stream, sample);
    gr__image image;
    int64_t box[4] = {0, 0, in->width, in->height};
    if (o->area_most > 0)
        draw_rectangle(in, o, &r, box);
    else if (o->scale_most > 0)
        draw_scaled(in, o, &r, box);
    gr__moved m = {1, -(double)box[0], 1, -(double)box[1]};
    GR_TRY(gr__image_crop(in, box[0], box[1], box[2], box[3], o->fill, &image));
    gr_status status = change_shape(&image, o, &r, &m);
    if (status != GR_OK) {
        gr__image_release(&image);
        return status;
    }
    change_colour(&image, o, &r);
    if (o->cutout > 0) {
        int64_t x = (int64_t)gr__rng_below(&r, (uint64_t)image.width),
                y = (int64_t)gr__rng_below(&r, (uint64_t)image.height);
        gr__image_erase(&image, x - o->cutout / 2, y - o->cutout / 2, o->cutout, o->cutout, o->fill);
    }
    if (moved) *moved = m;
    *out = image;
    return GR_OK;
}
