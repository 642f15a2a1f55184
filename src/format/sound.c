#include "format/sound.h"

#include "base/file.h"
#include "base/limits.h"
#include "format/sound_int.h"

#include <math.h>
#include <string.h>

#define MOST_CHANNELS 64
#define MOST_RATE 768000
#define LOUDEST 2147483648.0f /* floats that hold integers of 32 bits as they are */

gr_status gr__sound_room(gr__sound *out, const char *name)
{
    GR_FAIL_IF(out->channels < 1 || out->channels > MOST_CHANNELS || out->rate < 1 || out->rate > MOST_RATE,
               GR_ERR_CORRUPT, "cannot load '%s': it claims %d channels at %d Hz", name, out->channels, out->rate);
    GR_FAIL_IF(out->frames < 0 || out->frames > GR__LIMIT_AUDIO_SAMPLES / out->channels, GR_ERR_LIMIT,
               "cannot load '%s': it has more than %d samples; cut it into parts", name, GR__LIMIT_AUDIO_SAMPLES);
    size_t bytes = (size_t)out->frames * (size_t)out->channels * sizeof *out->samples;
    out->samples = gr__alloc(bytes);
    return out->samples ? GR_OK : gr__fail_memory("the samples of a sound", bytes);
}

/* One of them would make features of a whole set NaN. */
static gr_status check_samples(const gr__sound *s, const char *path)
{
    for (int64_t i = 0; i < s->frames * s->channels; i++) {
        float x = s->samples[i];
        GR_FAIL_IF(!isfinite(x), GR_ERR_DATA, "'%s': sample %lld is not finite; export the sound again", path,
                   (long long)(i / s->channels));
        GR_FAIL_IF(fabsf(x) > LOUDEST, GR_ERR_DATA, "'%s': sample %lld is %g, louder than any sound; export it again",
                   path, (long long)(i / s->channels), (double)x);
    }
    return GR_OK;
}

gr_status gr__sound_read(const char *path, gr__sound *out)
{
    gr__mapping map;
    GR_TRY(gr__file_map(path, &map));
    const unsigned char *p = map.data;
    bool packed = map.n >= 4 && (memcmp(p, "fLaC", 4) == 0 || memcmp(p, "OggS", 4) == 0 || memcmp(p, "ID3", 3) == 0 ||
                                 (p[0] == 0xFF && (p[1] & 0xE6) == 0xE2)); /* the last two are MP3 */
    gr_status status = packed ? GR_OK : gr__wav_decode(p, map.n, path, out);
    gr__file_unmap(&map);
    if (packed) status = gr__sndfile_read(path, out);
    GR_TRY(status);
    status = check_samples(out, path);
    if (status != GR_OK) gr__sound_release(out);
    return status;
}

void gr__sound_release(gr__sound *sound)
{
    gr__free(sound->samples);
    *sound = (gr__sound){0};
}

gr_status gr__sound_to_mono(gr__sound *sound)
{
    size_t channels = (size_t)sound->channels;
    if (channels <= 1) return GR_OK;
    float *mono = gr__alloc((size_t)sound->frames * sizeof *mono);
    if (!mono) return gr__fail_memory("the samples of a sound", (size_t)sound->frames * sizeof *mono);
    for (int64_t i = 0; i < sound->frames; i++) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++) sum += (double)sound->samples[(size_t)i * channels + c];
        mono[i] = (float)(sum / (double)channels);
    }
    gr__free(sound->samples);
    sound->samples = mono;
    sound->channels = 1;
    return GR_OK;
}
