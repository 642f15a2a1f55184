/* The one file that knows TurboJPEG. The markers are walked here first: size, components, EXIF and whether the file is
 * whole are known before a decoder sees it. What the decoder warns about (a broken stream that goes on) is accepted as
 * Pillow accepts it; what it calls fatal, and a file without its end marker, is refused. */
#include "format/image_int.h"

#include <string.h>
#include <turbojpeg.h>

#define PIXELS_PER_BYTE 4096 /* a block of 64 pixels takes a bit at least; more when planes are thinned out */
#define MOST_SCANS 500

typedef struct markers {
    int64_t width, height;
    int components, orientation, scans;
    bool ended;
} markers;

static unsigned u16(const unsigned char *p) { return (unsigned)p[0] << 8 | p[1]; }

static gr_status take_frame(markers *m, const char *name, int marker, const unsigned char *p, size_t n)
{
    bool usual = marker <= 0xC2 || marker == 0xC9 || marker == 0xCA; /* sequential, progressive; Huffman, arithmetic */
    GR_FAIL_IF(!usual, GR_ERR_UNSUPPORTED,
               "cannot load '%s': it is a lossless or hierarchical JPEG; convert it to a usual one", name);
    GR_FAIL_IF(n < 6 || m->components != 0, GR_ERR_CORRUPT, "cannot load '%s': its JPEG frame header is broken", name);
    GR_FAIL_IF(p[0] != 8, GR_ERR_UNSUPPORTED, "cannot load '%s': it has %d bits a sample, JPEG is read with 8", name,
               p[0]);
    m->height = u16(p + 1);
    m->width = u16(p + 3);
    m->components = p[5];
    GR_FAIL_IF(m->components != 1 && m->components != 3 && m->components != 4, GR_ERR_UNSUPPORTED,
               "cannot load '%s': it has %d components; 1, 3 and 4 are read", name, m->components);
    return GR_OK;
}

/* A marker is FF and a byte that is neither 0 (data) nor FF (fill); anything else between segments is junk or data. */
static gr_status walk(const unsigned char *p, size_t n, const char *name, markers *m)
{
    for (size_t at = 2; at + 1 < n && !m->ended;) {
        const unsigned char *ff = memchr(p + at, 0xFF, n - at - 1);
        if (!ff) break;
        int marker = ff[1];
        at = (size_t)(ff - p) + (marker == 0xFF ? 1 : 2);
        if (marker == 0 || marker == 0xFF || marker == 1 || (marker >= 0xD0 && marker <= 0xD8)) continue;
        if (marker == 0xD9) {
            m->ended = true;
            break;
        }
        if (n - at < 2 || u16(p + at) < 2 || u16(p + at) > n - at) break;
        const unsigned char *body = p + at + 2;
        size_t length = u16(p + at) - 2u;
        at += length + 2;
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC)
            GR_TRY(take_frame(m, name, marker, body, length));
        else if (marker == 0xE1 && length > 6 && memcmp(body, "Exif\0\0", 6) == 0)
            m->orientation = gr__exif_orientation(body + 6, length - 6);
        else if (marker == 0xDA)
            GR_FAIL_IF(++m->scans > MOST_SCANS, GR_ERR_LIMIT, "cannot load '%s': it has more than %d scans", name,
                       MOST_SCANS);
    }
    GR_FAIL_IF(!m->ended, GR_ERR_CORRUPT, "cannot load '%s': it ends early, after %zu bytes; download it again", name,
               n);
    GR_FAIL_IF(m->components == 0 || m->scans == 0, GR_ERR_CORRUPT, "cannot load '%s': it holds no picture", name);
    return GR_OK;
}

/* a * b / 255, rounded as Pillow does. */
static unsigned scaled(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Adobe writes CMYK inverted. Four bytes become three, in place. */
static void to_rgb(uint8_t *p, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        unsigned c[3], white = p[4 * i + 3];
        for (size_t k = 0; k < 3; k++) c[k] = white - scaled(255u - p[4 * i + k], white);
        for (size_t k = 0; k < 3; k++) p[3 * i + k] = (uint8_t)c[k];
    }
}

gr_status gr__jpeg_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                          gr__decoded *out)
{
    static const int formats[] = {[1] = TJPF_GRAY, [3] = TJPF_RGB, [4] = TJPF_CMYK};
    markers m = {.orientation = 1};
    GR_TRY(walk(bytes, n, name, &m));
    out->width = m.width;
    out->height = m.height;
    out->channels = m.components;
    out->depth = 8;
    out->orientation = m.orientation;
    GR_TRY(gr__decoded_room(out, name, most_pixels, n, PIXELS_PER_BYTE));
    tjhandle handle = tjInitDecompress();
    if (!handle) return gr__fail_memory("a JPEG decoder", (size_t)1 << 10);
    int code = tjDecompress2(handle, bytes, n, out->pixels, (int)m.width, (int)m.width * m.components, (int)m.height,
                             formats[m.components], TJFLAG_LIMITSCANS);
    bool fatal = code != 0 && tjGetErrorCode(handle) == TJERR_FATAL;
    tjDestroy(handle);
    GR_FAIL_IF(fatal, GR_ERR_CORRUPT, "cannot load '%s': its JPEG data is broken; download it again", name);
    if (m.components == 4) {
        to_rgb(out->pixels, (size_t)m.width * (size_t)m.height);
        out->channels = 3;
    }
    return GR_OK;
}
