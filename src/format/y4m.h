/* YUV4MPEG2: a line of header, then "FRAME" lines (their parameters are passed over), each with the planes of a picture. 4:2:0, 4:2:2, 4:4:4 and gray of 8 bits;
 * frames become RGB by BT.601 (16 to 235), colours from the nearest sample. */
#ifndef GR__Y4M_H
#define GR__Y4M_H

#include "format/image.h"

typedef struct gr__y4m {
    const unsigned char *bytes;
    size_t n;
    int64_t width, height, frames;
    int64_t chroma_width, chroma_height; /* 0: gray */
    size_t *at, capacity;                /* where the planes of each frame begin */
} gr__y4m;

/* From memory that outlives it. GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_UNSUPPORTED. */
gr_status gr__y4m_open(const unsigned char *bytes, size_t n, const char *name, gr__y4m *out);
void gr__y4m_release(gr__y4m *video); /* also one that is all 0 */
gr_status gr__y4m_frame(const gr__y4m *video, int64_t i, gr__image *out);

#endif
