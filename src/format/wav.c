/* RIFF: "RIFF" size "WAVE", then chunks: name, size, data, a 0 byte behind odd sizes. "fmt " says what "data" holds; all
 * other chunks are passed over. A program that writes into a pipe leaves the sizes 0 or all ones. */
#include "base/file.h"
#include "format/sound_int.h"

#include <math.h>
#include <string.h>

#define PCM 1
#define FLOATS 3
#define EXTENSIBLE 0xFFFE
#define UNKNOWN 0xFFFFFFFFu

typedef struct layout {
    uint32_t format, channels, rate, block, bits;
    bool known;
} layout;

static uint32_t u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }

static const struct {
    uint32_t format;
    const char *name;
} codecs[] = {{2, "Microsoft ADPCM"}, {6, "A-law"}, {7, "mu-law"}, {0x11, "IMA ADPCM"}, {0x31, "GSM"}, {0x55, "MP3"}};

static gr_status take_format(const unsigned char *p, size_t n, const char *name, layout *l)
{
    static const unsigned char guid[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
    GR_FAIL_IF(l->known || n < 16, GR_ERR_CORRUPT, "cannot load '%s': its format chunk is broken", name);
    *l = (layout){u16(p), u16(p + 2), u32(p + 4), u16(p + 12), u16(p + 14), true};
    if (l->format == EXTENSIBLE) {
        GR_FAIL_IF(n < 40 || memcmp(p + 26, guid, sizeof guid) != 0, GR_ERR_UNSUPPORTED,
                   "cannot load '%s': its extended format is unknown; convert it to PCM", name);
        l->format = u16(p + 24);
    }
    for (size_t i = 0; i < GR__COUNT(codecs); i++)
        GR_FAIL_IF(l->format == codecs[i].format, GR_ERR_UNSUPPORTED,
                   "cannot load '%s': it holds %s; convert it to PCM", name, codecs[i].name);
    bool pcm = l->format == PCM && (l->bits == 8 || l->bits == 16 || l->bits == 24 || l->bits == 32);
    bool floats = l->format == FLOATS && (l->bits == 32 || l->bits == 64);
    GR_FAIL_IF(!pcm && !floats, GR_ERR_UNSUPPORTED,
               "cannot load '%s': format %u with %u bits is not read; convert it to PCM of 16 bits", name, l->format,
               l->bits);
    GR_FAIL_IF(l->channels == 0 || l->block != l->channels * (l->bits / 8), GR_ERR_CORRUPT,
               "cannot load '%s': %u channels of %u bits do not make frames of %u bytes", name, l->channels, l->bits,
               l->block);
    return GR_OK;
}

static float sample(const layout *l, const unsigned char *p)
{
    if (l->format == FLOATS && l->bits == 32) {
        uint32_t v = u32(p);
        float f;
        memcpy(&f, &v, sizeof f);
        return f;
    }
    if (l->format == FLOATS) {
        uint64_t v = u32(p) | (uint64_t)u32(p + 4) << 32;
        double d;
        memcpy(&d, &v, sizeof d);
        return (float)d;
    }
    if (l->bits == 8) return (float)(p[0] - 128) / 128;
    uint32_t v = 0; /* the top bytes of 32 bits */
    for (uint32_t i = 0; i < l->bits / 8; i++) v |= (uint32_t)p[i] << (32 - l->bits + 8 * i);
    return (float)((double)(int32_t)v / 2147483648.0);
}

gr_status gr__wav_decode(const unsigned char *p, size_t n, const char *name, gr__sound *out)
{
    layout l = {0};
    GR_FAIL_IF(n == 0, GR_ERR_CORRUPT, "cannot load '%s': it is empty", name);
    GR_FAIL_IF(n >= 4 && (memcmp(p, "RF64", 4) == 0 || memcmp(p, "RIFX", 4) == 0), GR_ERR_UNSUPPORTED,
               "cannot load '%s': it is an %.4s file; convert it to WAV", name, (const char *)p);
    GR_FAIL_IF(n < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0, GR_ERR_CORRUPT,
               "cannot load '%s': it is not a sound (WAV; FLAC, Ogg, MP3 with libsndfile)", name);
    bool streamed = u32(p + 4) == 0 || u32(p + 4) == UNKNOWN;
    for (size_t at = 12; n - at >= 8;) {
        const unsigned char *chunk = p + at;
        size_t size = u32(chunk + 4), left = n - at - 8;
        bool data = memcmp(chunk, "data", 4) == 0;
        if (data && (size == UNKNOWN || (size == 0 && streamed))) size = left;
        if (size > left) break;
        if (memcmp(chunk, "fmt ", 4) == 0) GR_TRY(take_format(chunk + 8, size, name, &l));
        if (data) {
            GR_FAIL_IF(!l.known, GR_ERR_CORRUPT, "cannot load '%s': its data come before their format", name);
            GR_FAIL_IF(l.rate > INT32_MAX, GR_ERR_CORRUPT, "cannot load '%s': it claims %u Hz", name, l.rate);
            gr__sound s = {(int64_t)(size / l.block), (int)l.channels, (int)l.rate, NULL};
            GR_TRY(gr__sound_room(&s, name));
            for (size_t i = 0; i < (size_t)s.frames * l.channels; i++)
                s.samples[i] = sample(&l, chunk + 8 + i * (l.bits / 8));
            *out = s;
            return GR_OK;
        }
        at += 8 + size;
        at += size % 2 && at < n;
    }
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': it ends early, after %zu bytes; download it again", name, n);
}

/* ---- writing ---- */

static void put(unsigned char *p, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static uint32_t to_bits(float f, bool floats)
{
    uint32_t v;
    memcpy(&v, &f, sizeof v);
    if (floats) return v;
    float scaled = f * 32768;
    return (uint32_t)(int32_t)(scaled >= 32767 ? 32767 : scaled > -32768 ? lrintf(scaled) : -32768);
}

gr_status gr__wav_write(const char *path, const gr__sound *s, bool floats)
{
    unsigned char head[44];
    size_t each = floats ? 4 : 2, count = (size_t)s->frames * (size_t)s->channels;
    GR_FAIL_IF(count > (UNKNOWN - 64) / each, GR_ERR_LIMIT, "cannot write '%s': WAV holds at most 4 GB", path);
    uint32_t bytes = (uint32_t)(count * each), block = (uint32_t)((size_t)s->channels * each);
    memcpy(head, "RIFF....WAVEfmt ", 16);
    memcpy(head + 36, "data", 4);
    put(head + 4, 36 + bytes, 4), put(head + 16, 16, 4), put(head + 20, floats ? FLOATS : PCM, 2);
    put(head + 22, (uint32_t)s->channels, 2), put(head + 24, (uint32_t)s->rate, 4);
    put(head + 28, (uint32_t)s->rate * block, 4), put(head + 32, block, 2), put(head + 34, (uint32_t)each * 8, 2);
    put(head + 40, bytes, 4);
    gr__writer *w;
    GR_TRY(gr__writer_open(path, 0, &w));
    gr_status status = gr__writer_write(w, head, sizeof head);
    for (size_t i = 0; i < count && status == GR_OK; i++) {
        unsigned char v[4];
        put(v, to_bits(s->samples[i], floats), 4);
        status = gr__writer_write(w, v, each);
    }
    if (status == GR_OK) return gr__writer_commit(&w);
    gr__writer_drop(&w);
    return status;
}
