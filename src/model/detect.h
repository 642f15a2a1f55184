/* From what a detector says of its places to boxes in the picture as it was. */
#ifndef GR__DETECT_H
#define GR__DETECT_H

#include "image/transform.h"
#include "model/picture.h"

enum { GR__LETTERBOX_FILL = 114 }; /* around pictures of another shape, in training as afterwards */

/* score (L, K) in [0, 1], boxes (L, 4) of one picture: those of at least o->least, the worse ones of those that overlap
 * dropped, moved back by 'box' and held inside width x height. *found grows as it must; *n gets how many. o is resolved. */
gr_status gr__detect_boxes(const float *score, const float *boxes, int64_t places, int64_t labels,
                           const gr_detect_options *o, const gr__letterbox *box, int64_t width, int64_t height,
                           gr_detection **found, size_t *n, size_t *capacity);
/* Defaults filled in. */
gr_detect_options gr__detect_resolve(const gr_detect_options *o);
int64_t gr__detect_thickness(const gr__image *image); /* of a frame, in pixels */
/* Of the frames of a label; more labels than colours share them. */
const uint8_t *gr__detect_colour(int32_t label);
/* Frames of 'found' on the picture (3 channels), a colour a label. */
void gr__detect_draw(gr__image *image, const gr_detection *found, size_t n);

#endif
