/* Clips made of pictures: one picture goes across a dark field in one of eight directions, at a speed and from a place drawn
 * by (seed, stream, sample), never leaving it. A pure function: nothing is stored. */
#ifndef GR__MOTION_H
#define GR__MOTION_H

#include "base/status.h"

enum { GR__DIRECTIONS = 8 };
extern const char *const gr__motion_names[GR__DIRECTIONS]; /* "right", "up-right", ... against the clock */

typedef struct gr__motion {
    int64_t frames, edge;           /* of the clip */
    int64_t height, width;          /* of a picture, at most 'edge' */
    double speed_least, speed_most; /* pixels from frame to frame along each axis that moves */
} gr__motion;

/* GR_ERR_CONFIG: the path does not fit the field. */
gr_status gr__motion_check(const gr__motion *m);
/* picture (height, width) -> out (frames, edge, edge); returns the direction. */
int32_t gr__motion_draw(const gr__motion *m, const uint8_t *picture, uint64_t seed, uint64_t stream, uint64_t sample,
                        uint8_t *out);

#endif
