#include "format/y4m.h"

#include "base/limits.h"

#include <string.h>

enum { LINE = 1024 }; /* bytes of a header, at most */

static const struct {
    const char *name;
    int across, down; /* how many pixels share a colour; 0: gray */
} kinds[] = {{"420jpeg", 2, 2}, {"420mpeg2", 2, 2}, {"420paldv", 2, 2}, {"420", 2, 2},
             {"422", 2, 1},     {"444", 1, 1},      {"mono", 0, 0}};

static bool take_size(const char *p, size_t n, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || i >= 9) return false;
        v = v * 10 + (p[i] - '0');
    }
    *out = v;
    return v > 0;
}

static gr_status take_header(const char *p, size_t n, const char *name, gr__y4m *v)
{
    int kind = 0;
    for (size_t at = 9; at < n;) {
        size_t end = at + 1;
        while (end < n && p[end] != ' ') end++;
        const char *word = p + at + 1; /* behind the blank */
        size_t length = end - at - 1;
        at = end;
        if (length == 0) continue;
        bool ok = word[0] == 'W'   ? take_size(word + 1, length - 1, &v->width)
                  : word[0] == 'H' ? take_size(word + 1, length - 1, &v->height)
                                   : true;
        GR_FAIL_IF(!ok, GR_ERR_CORRUPT, "cannot load '%s': its header has a broken size", name);
        if (word[0] != 'C') continue;
        for (kind = 0; kind < (int)GR__COUNT(kinds); kind++)
            if (strlen(kinds[kind].name) == length - 1 && memcmp(kinds[kind].name, word + 1, length - 1) == 0) break;
        GR_FAIL_IF(kind == (int)GR__COUNT(kinds), GR_ERR_UNSUPPORTED,
                   "cannot load '%s': only 4:2:0, 4:2:2, 4:4:4 and mono video of 8 bits are read", name);
    }
    GR_FAIL_IF(v->width == 0 || v->height == 0, GR_ERR_CORRUPT, "cannot load '%s': its header says no size", name);
    GR_FAIL_IF(v->width > GR__LIMIT_IMAGE_PIXELS / v->height, GR_ERR_LIMIT,
               "cannot load '%s': it has %lld x %lld pixels, at most %d are allowed", name, (long long)v->width,
               (long long)v->height, GR__LIMIT_IMAGE_PIXELS);
    int across = kinds[kind].across, down = kinds[kind].down;
    v->chroma_width = across ? (v->width + across - 1) / across : 0;
    v->chroma_height = across ? (v->height + down - 1) / down : 0;
    return GR_OK;
}

/* From the end of the header; lines of frames differ in length. */
static gr_status find_frames(gr__y4m *v, size_t from, const char *name)
{
    size_t each = (size_t)(v->width * v->height + 2 * v->chroma_width * v->chroma_height), at = from;
    do {
        const unsigned char *p = v->bytes + at, *newline = memchr(p, '\n', GR__MIN(v->n - at, LINE));
        GR_FAIL_IF(v->n - at >= 6 && (memcmp(p, "FRAME", 5) != 0 || (p[5] != '\n' && p[5] != ' ')), GR_ERR_CORRUPT,
                   "cannot load '%s': frame %lld does not begin where it should", name, (long long)v->frames);
        size_t left = newline ? v->n - at - (size_t)(newline + 1 - p) : 0;
        GR_FAIL_IF(v->n - at < 6 || left < each, GR_ERR_CORRUPT,
                   "cannot load '%s': frame %lld has %zu of %zu bytes; is it cut off?", name, (long long)v->frames,
                   left, each);
        GR_TRY(gr__grow(&v->at, sizeof *v->at, (size_t)v->frames + 1, &v->capacity));
        v->at[v->frames++] = v->n - left;
        at = v->n - left + each;
    } while (at < v->n);
    return GR_OK;
}

gr_status gr__y4m_open(const unsigned char *bytes, size_t n, const char *name, gr__y4m *out)
{
    gr__y4m v = {.bytes = bytes, .n = n};
    GR_FAIL_IF(n < 10 || memcmp(bytes, "YUV4MPEG2 ", 10) != 0, GR_ERR_CORRUPT,
               "cannot load '%s': it is not a YUV4MPEG2 video", name);
    const unsigned char *newline = memchr(bytes, '\n', GR__MIN(n, LINE));
    GR_FAIL_IF(!newline, GR_ERR_CORRUPT, "cannot load '%s': its header does not end", name);
    size_t header = (size_t)(newline - bytes);
    GR_TRY(take_header((const char *)bytes, header, name, &v));
    gr_status status = find_frames(&v, header + 1, name);
    if (status == GR_OK)
        *out = v;
    else
        gr__y4m_release(&v);
    return status;
}

void gr__y4m_release(gr__y4m *v)
{
    gr__free(v->at);
    *v = (gr__y4m){0};
}

static uint8_t clip(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

gr_status gr__y4m_frame(const gr__y4m *v, int64_t i, gr__image *out)
{
    const unsigned char *luma = v->bytes + v->at[i];
    const unsigned char *u = luma + v->width * v->height, *w = u + v->chroma_width * v->chroma_height;
    int channels = v->chroma_width ? 3 : 1;
    size_t bytes = (size_t)(v->width * v->height * channels);
    uint8_t *to = gr__alloc(bytes);
    if (!to) return gr__fail_memory("the pixels of a frame", bytes);
    *out = (gr__image){v->width, v->height, channels, 8, to};
    for (int64_t y = 0; y < v->height; y++)
        for (int64_t x = 0; x < v->width; x++, to += channels) {
            int light = 298 * (luma[y * v->width + x] - 16) + 128; /* in 1/256 */
            if (channels == 1) {
                to[0] = clip(light >> 8);
                continue;
            }
            int64_t at = y * v->chroma_height / v->height * v->chroma_width + x * v->chroma_width / v->width;
            int cb = u[at] - 128, cr = w[at] - 128;
            to[0] = clip((light + 409 * cr) >> 8);
            to[1] = clip((light - 100 * cb - 208 * cr) >> 8);
            to[2] = clip((light + 516 * cb) >> 8);
        }
    return GR_OK;
}
