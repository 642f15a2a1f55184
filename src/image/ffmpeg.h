/* The program 'ffmpeg', where the user has it: any video to YUV4MPEG2. */
#ifndef GR__FFMPEG_H
#define GR__FFMPEG_H

#include "base/file.h"

/* The frames of the video stream as 4:4:4 of 8 bits (BT.601), all of them in width x height, or the first alone as it is
 * (width 0). They lie in a temporary file that has no name any more: gr__file_unmap(). A file that ffmpeg finds fault with is
 * GR_ERR_CORRUPT with what it says; GR_ERR_UNSUPPORTED: there is no ffmpeg; GR_ERR_IO. */
gr_status gr__ffmpeg_frames(const char *path, int64_t width, int64_t height, gr__mapping *out);

#endif
