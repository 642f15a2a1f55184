/* Objects in pictures, as annotation files say them. */
#ifndef GR__BOXES_H
#define GR__BOXES_H

#include "base/arena.h"
#include "base/status.h"

typedef struct gr__box {
    float x0, y0, x1, y1; /* pixels from the upper left corner; x0 < x1, y0 < y1 */
    int32_t class_index;  /* of the set's class names, or -1 until they are known */
    int32_t line;         /* VOC: of its file, where the object begins; COCO: number of the annotation, from 0 */
    bool difficult;       /* VOC: hard to see; COCO: a crowd. Nothing is wrong there for training */
    bool crowd;           /* COCO: one box around many */
    const char *class_name;
} gr__box;

typedef struct gr__annotation {
    const char *file;      /* base name of the picture */
    int64_t width, height; /* 0: not said */
    gr__box *box;
    size_t count;
    gr__box
        *empty; /* without_area of them: left out because nothing lies in them; their edges may be equal or swapped */
    size_t without_area;
} gr__annotation;

/* A Pascal VOC file (XML). What it says lives in 'arena'. 'name' stands in messages, with line and column.
 * GR_ERR_CORRUPT, GR_ERR_UNSUPPORTED (a document type), GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__voc_parse(const char *text, size_t n, const char *name, gr__arena *arena, gr__annotation *out);

#endif
