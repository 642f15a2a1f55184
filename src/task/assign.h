/* Which object each place of a detector's grid is to say (after FCOS, Tian et al. 2019): the places around the middle of a
 * box, within it, are told to say that box. */
#ifndef GR__ASSIGN_H
#define GR__ASSIGN_H

#include "format/boxes.h"

/* What is written: of each place. */
typedef struct gr__assigned {
    int32_t *label; /* (L): -1: nothing is there */
    float *box;     /* (L, 4): x0, y0, x1, y1; zeros where nothing is */
    float *counts;  /* (L): 0 where no answer is wrong (difficult objects), else 1 */
} gr__assigned;

/* Boxes in pixels of the model's picture; radius in strides: places no further than that from the centre on both axes. Of
 * boxes that claim a place the smallest has it; each box has one place at least, the nearest to its centre, unless a
 * smaller one has that. */
void gr__assign(const gr__box *box, size_t n, int64_t height, int64_t width, int64_t stride, double radius,
                const gr__assigned *out);

#endif
