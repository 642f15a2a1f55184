#include "image/clip.h"

#include "base/file.h"
#include "format/y4m.h"
#include "image/ffmpeg.h"
#include "image/transform.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool gr__clip_is_named(const char *name)
{
    static const char *const ends[] = {".y4m", ".mp4", ".m4v", ".avi",  ".mkv", ".mov", ".webm",
                                       ".mpg", ".ogv", ".wmv", ".mpeg", ".3gp", ".flv", ".gif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < GR__COUNT(ends); i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

/* ---- where the pictures are ---- */

typedef struct source {
    const char *path;
    char **names; /* of a folder's pictures */
    size_t n;
    gr__mapping map;
    gr__y4m video;
} source;

static void release(source *s)
{
    gr__names_free(s->names, s->n);
    gr__y4m_release(&s->video);
    gr__file_unmap(&s->map);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Numbers in names by their value, so that frame 2 comes before frame 10; all else by bytes. */
static int by_number(const void *x, const void *y)
{
    const char *a = *(char *const *)x, *b = *(char *const *)y;
    while (*a && *b) {
        if (!is_digit(*a) || !is_digit(*b)) {
            if (*a != *b) break;
            a++, b++;
            continue;
        }
        while (*a == '0') a++;
        while (*b == '0') b++;
        size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
        int order = n != m ? (n > m) - (n < m) : memcmp(a, b, n);
        if (order) return order;
        a += n, b += m;
    }
    int order = strcmp(a, b);
    return order ? order : strcmp(*(char *const *)x, *(char *const *)y);
}

static gr_status open_folder(source *s)
{
    size_t keep = 0;
    GR_TRY(gr__dir_list(s->path, false, &s->names, &s->n));
    for (size_t i = 0; i < s->n; i++) { /* others go to the end */
        if (!gr__image_is_named(s->names[i])) continue;
        char *name = s->names[i];
        s->names[i] = s->names[keep];
        s->names[keep++] = name;
    }
    if (keep) qsort(s->names, keep, sizeof *s->names, by_number);
    s->video.frames = (int64_t)keep;
    return GR_OK;
}

/* wanted: what ffmpeg makes of a video; NULL: its first frame as it is */
static gr_status open_source(const char *path, const gr__clip_size *wanted, source *s)
{
    const char *dot = strrchr(path, '.');
    *s = (source){.path = path};
    s->map.data = (const unsigned char *)"";
    if (gr__file_is_dir(path)) return open_folder(s);
    GR_FAIL_IF(!gr__file_exists(path), GR_ERR_NOT_FOUND, "'%s' does not exist", path);
    if (dot && strcasecmp(dot, ".y4m") == 0)
        GR_TRY(gr__file_map(path, &s->map));
    else
        GR_TRY(gr__ffmpeg_frames(path, wanted ? wanted->width : 0, wanted ? wanted->height : 0, &s->map));
    return gr__y4m_open(s->map.data, s->map.n, path, &s->video);
}

/* ---- pictures ---- */

/* In place: one channel to three or the other way, as image.h has gray. */
static gr_status set_channels(gr__image *image, int channels)
{
    if (!channels || image->channels == channels) return GR_OK;
    size_t n = (size_t)(image->width * image->height);
    uint8_t *to = gr__alloc(n * (size_t)channels), *from = image->pixels;
    if (!to) return gr__fail_memory("the pixels of an image", n * (size_t)channels);
    for (size_t i = 0; i < n; i++) {
        if (channels == 3)
            to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
        else
            to[i] =
                (uint8_t)((19595u * from[3 * i] + 38470u * from[3 * i + 1] + 7471u * from[3 * i + 2] + 0x8000u) >> 16);
    }
    gr__free(image->pixels);
    image->pixels = to;
    image->channels = channels;
    return GR_OK;
}

static gr_status picture(const source *s, int64_t i, int channels, gr__image *out)
{
    gr_status status;
    if (s->names) {
        char *path = gr__path_join(s->path, s->names[i]);
        if (!path) return gr__fail_memory("a file name", strlen(s->names[i]));
        status = gr__image_read(path, &(gr__image_options){.channels = channels}, out);
        gr__free(path);
        return status;
    }
    GR_TRY(gr__y4m_frame(&s->video, i, out));
    status = set_channels(out, channels);
    if (status != GR_OK) gr__image_release(out);
    return status;
}

static gr_status none_of(const source *s)
{
    GR_FAIL_IF(s->video.frames == 0, GR_ERR_DATA, "'%s' holds no pictures", s->path);
    return GR_OK;
}

gr_status gr__clip_look(const char *path, gr__clip_size *out)
{
    source s;
    gr__image image;
    gr_status status = open_source(path, NULL, &s);
    if (status == GR_OK) status = none_of(&s);
    if (status == GR_OK) status = picture(&s, 0, 0, &image);
    if (status == GR_OK) {
        *out = (gr__clip_size){0, image.height, image.width, image.channels == 1 ? 1 : 3};
        gr__image_release(&image);
    }
    release(&s);
    return status;
}

gr_status gr__clip_read(const char *path, const gr__clip_size *size, uint8_t *out)
{
    source s;
    gr_status status = open_source(path, size, &s);
    if (status == GR_OK) status = none_of(&s);
    size_t each = (size_t)(size->height * size->width * size->channels);
    for (int64_t f = 0; f < size->frames && status == GR_OK; f++) {
        gr__image image, sized;
        status = picture(&s, (2 * f + 1) * s.video.frames / (2 * size->frames), size->channels, &image);
        if (status != GR_OK) break;
        if (image.width != size->width || image.height != size->height) {
            status = gr__image_resize(&image, size->width, size->height, GR__BILINEAR, true, &sized);
            gr__image_release(&image);
            if (status != GR_OK) break;
            image = sized;
        }
        memcpy(out + (size_t)f * each, image.pixels, each);
        gr__image_release(&image);
    }
    release(&s);
    return status;
}
