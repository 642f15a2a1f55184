/* Clips of video: as many pictures as are wanted, spread evenly over a folder of frames (numbers in their names count by
 * value: 2.png, 10.png), a YUV4MPEG2 file, or anything that the program 'ffmpeg' reads where the user has it. */
#ifndef GR__CLIP_H
#define GR__CLIP_H

#include "format/image.h"

typedef struct gr__clip_size {
    int64_t frames, height, width;
    int channels; /* 1 or 3 */
} gr__clip_size;

/* Whether a file of this name is a video by itself (.y4m, and what ffmpeg is asked to read). */
bool gr__clip_is_named(const char *name);
/* out (frames, height, width, channels), pictures resized where they must be. A clip with fewer pictures shows some twice.
 * GR_ERR_DATA: there is none; GR_ERR_UNSUPPORTED: ffmpeg is needed; other status: as pictures. */
gr_status gr__clip_read(const char *path, const gr__clip_size *size, uint8_t *out);
/* Height, width and channels of its first picture; frames are not counted. */
gr_status gr__clip_look(const char *path, gr__clip_size *out);

#endif
