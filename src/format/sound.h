/* Sound from files: WAV of our own (PCM of 8, 16, 24, 32 bits, floats of 32 and 64, also in the extensible form); FLAC, Ogg
 * and MP3 through libsndfile, which is looked for when the first such file is read. Samples are f32, full scale is 1. The
 * number of samples is held against GR__LIMIT_AUDIO_SAMPLES before anything is decoded. */
#ifndef GR__SOUND_H
#define GR__SOUND_H

#include "base/status.h"

typedef struct gr__sound {
    int64_t frames; /* samples of one channel */
    int channels;
    int rate;       /* frames in a second */
    float *samples; /* (frames, channels) */
} gr__sound;

/* Failure: *out untouched. GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_UNSUPPORTED (a codec that is not read, named, or
 * libsndfile that is not there), GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_MEMORY. */
gr_status gr__sound_read(const char *path, gr__sound *out);
void gr__sound_release(gr__sound *sound);

/* WAV from memory; 'name' stands in messages. */
gr_status gr__wav_decode(const unsigned char *bytes, size_t n, const char *name, gr__sound *out);
/* PCM of 16 bits (rounded, cut at full scale) or floats of 32; written atomically. */
gr_status gr__wav_write(const char *path, const gr__sound *sound, bool floats);

/* The mean of the channels, as one. */
gr_status gr__sound_to_mono(gr__sound *sound);

#endif
