/* What tasks on pictures share: samples of a set, decoded once when the data are opened, so that a bad one is known before
 * training; kept in memory where they fit; sums for mean and deviation; and into a batch, changed at random or not. */
#ifndef GR__PICTURES_H
#define GR__PICTURES_H

#include "data/image_set.h"
#include "model/family.h"
#include "conf/schema.h"
#include "image/augment.h"

/* All pictures have this size once they are read. */
typedef struct gr__picture_shape {
    int64_t height, width, channels;
    bool letterbox; /* keeps the shape of what is in it; default: stretched */
    uint8_t fill;   /* letterbox: around it */
} gr__picture_shape;

/* One part: samples of a set, by number. */
typedef struct gr__pictures {
    const gr__image_set *set;
    gr__picture_shape shape;
    int32_t *index;
    int64_t n;
    uint8_t *pixels;  /* of all, in order; NULL: decoded when needed */
    int64_t *decoded; /* (n, 2): width and height as the file has them */
    uint64_t *hash;   /* n: of the decoded pixels */
} gr__pictures;

/* Integers, so that the order of adding up does not matter. */
typedef struct gr__picture_sums {
    uint64_t sum[4], square[4];
} gr__picture_sums;

/* Random changes as a configuration says them: rows of 'data.augment', which a task may add to. */
typedef struct gr__picture_augment {
    gr__augment_options o;
    int64_t fill;
} gr__picture_augment;
#define GR__AUGMENT_AT(field) offsetof(gr__picture_augment, field)
#define GR__PICTURE_AUGMENT_ROWS                                                                                         \
    {"flip",                                                                                                             \
     GR__CONF_DOUBLE,                                                                                                    \
     GR__AUGMENT_AT(o.flip_x),                                                                                           \
     0,                                                                                                                  \
     1,                                                                                                                  \
     NULL,                                                                                                               \
     "0",                                                                                                                \
     "probability that left and right change places",                                                                    \
     0},                                                                                                                 \
        {"flip_y", GR__CONF_DOUBLE, GR__AUGMENT_AT(o.flip_y), 0, 1, NULL, "0", "that top and bottom do", 0},             \
        {"shift",                                                                                                        \
         GR__CONF_INT,                                                                                                   \
         GR__AUGMENT_AT(o.padding),                                                                                      \
         0,                                                                                                              \
         4096,                                                                                                           \
         NULL,                                                                                                           \
         "0",                                                                                                            \
         "pixels of padding from which the picture is cut again at random",                                              \
         0},                                                                                                             \
        {"scale_min",                                                                                                    \
         GR__CONF_DOUBLE,                                                                                                \
         GR__AUGMENT_AT(o.scale_least),                                                                                  \
         0,                                                                                                              \
         100,                                                                                                            \
         NULL,                                                                                                           \
         "1",                                                                                                            \
         "a cut-out (above 1) or a frame (below 1) of the picture's shape: the least",                                   \
         GR__CONF_ABOVE_MIN},                                                                                            \
        {"scale_max", GR__CONF_DOUBLE, GR__AUGMENT_AT(o.scale_most), 0, 100, NULL, "1", "the most", GR__CONF_ABOVE_MIN}, \
        {"brightness",                                                                                                   \
         GR__CONF_DOUBLE,                                                                                                \
         GR__AUGMENT_AT(o.brightness),                                                                                   \
         0,                                                                                                              \
         10,                                                                                                             \
         NULL,                                                                                                           \
         "0",                                                                                                            \
         "a factor in [1 - v, 1 + v]",                                                                                   \
         0},                                                                                                             \
        {"contrast", GR__CONF_DOUBLE, GR__AUGMENT_AT(o.contrast), 0, 10, NULL, "0", "the same", 0},                      \
        {"saturation", GR__CONF_DOUBLE, GR__AUGMENT_AT(o.saturation), 0, 10, NULL, "0", "the same", 0},                  \
        {"hue", GR__CONF_DOUBLE, GR__AUGMENT_AT(o.hue), 0, 0.5, NULL, "0", "a turn of the circle of colours in [-v, v]", \
         0},                                                                                                             \
    {                                                                                                                    \
        "fill", GR__CONF_INT, GR__AUGMENT_AT(fill), 0, 255, NULL, "0", "what is outside of a picture", 0                 \
    }
/* After the section 'augment' was read. */
gr_status gr__picture_augment_finish(gr__picture_augment *a, const gr__conf *augment);

/* Room for all samples of the set, n = 0. */
gr_status gr__pictures_new(gr__pictures *p, const gr__image_set *set);
void gr__pictures_release(gr__pictures *p);
int64_t gr__pictures_each(const gr__pictures *p); /* numbers of one picture */

/* Decodes all of 'index' into p->shape; bad ones are dropped (said in the log) or GR_ERR_..., as 'skip_bad' says; keep:
 * stays in memory. */
gr_status gr__pictures_read(gr__pictures *p, bool keep, bool skip_bad, gr__picture_sums *sums);
/* A line about pictures of part[1] that are those of part[0], pixel by pixel; *note = NULL: there is none. */
gr_status gr__pictures_leak(const gr__pictures part[2], gr__arena *arena, const char **note);
/* What 'mean' and 'std' leave open (n = 0): what is kept, else from the sums over p, in [0, 1]; GR_ERR_CONFIG for another
 * number of them than channels. */
gr_status gr__pictures_fit(const gr__pictures *p, const gr__picture_sums *sums, const gr__facts *kept, gr__arena *arena,
                           gr__conf_doubles *mean, gr__conf_doubles *std);
/* Normalised, into (H, W, C). change: NULL or what is drawn for (seed, epoch, row); moved (may be NULL): where points of the
 * picture of p->shape are then. False, and zeros, when the picture has gone since, or memory is short. Any thread. */
bool gr__pictures_put(const gr__pictures *p, int64_t row, const gr__augment_options *change, uint64_t seed,
                      uint64_t epoch, const float *mean, const float *std, gr__moved *moved, float *out);
/* The height, width and channels that are still 0, from the first picture that can be read. GR_ERR_LIMIT: larger than most. */
gr_status gr__pictures_find_shape(const gr__image_set *set, bool skip_bad, int64_t most, gr__picture_shape *shape);

/* n pictures v (n, H, W, C) of numbers in [0, 1], side by side in so many columns, as one PNG in the page; nothing in a build
 * without PNG. */
gr_status gr__pictures_sheet(const gr__picture_shape *shape, const float *v, int64_t n, int64_t columns,
                             const char *text, gr__str *page);
/* A picture of 8 bits as a small one in the page, whatever its size; nothing in a build without PNG. */
gr_status gr__picture_thumbnail(const gr__image *image, const char *text, gr__str *page);
/* The same of one of a part; nothing where it has gone since. */
gr_status gr__pictures_thumbnail(const gr__pictures *p, int64_t row, gr__str *page);

#endif
