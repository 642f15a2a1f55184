/* Objects in pictures, as annotation files say them. */
#ifndef GR__BOXES_H
#define GR__BOXES_H

#include "base/arena.h"
#include "base/status.h"

typedef struct gr__box {
    float x0, y0, x1, y1; /* pixels from the upper left corner; x0 < x1, y0 < y1 */
    int32_t class_index;  /* of the set's class names, or -1 until they are known */
    bool difficult;       /* VOC: hard to see; COCO: a crowd */
    const char *class_name;
} gr__box;

typedef struct gr__annotation {
    const char *file;      /* base name of the picture */
    int64_t width, height; /* 0: not said */
    gr__box *box;
    size_t count;
    size_t without_area; /* boxes that were left out because nothing lies in them */
} gr__annotation;

/* A Pascal VOC file (XML). What it says lives in 'arena'. 'name' stands in messages, with line and column.
 * GR_ERR_CORRUPT, GR_ERR_UNSUPPORTED (a document type), GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__voc_parse(const char *text, size_t n, const char *name, gr__arena *arena, gr__annotation *out);

#endif
