/* The part of sound.h that rests on libsndfile. */
#ifndef GR__SOUND_INT_H
#define GR__SOUND_INT_H

#include "format/sound.h"

gr_status gr__sndfile_read(const char *path, gr__sound *out);
/* Makes room for out->frames and channels, after a look at the limit. */
gr_status gr__sound_room(gr__sound *out, const char *name);

#endif
