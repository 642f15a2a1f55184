#include "task/pictures.h"

#include "base/log.h"
#include "base/parallel.h"
#include "data/leak.h"
#include "metric/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 256, SCALE = 2, THUMBNAIL = 96 };

gr_status gr__picture_augment_finish(gr__picture_augment *a, const gr__conf *augment)
{
    if (a->o.scale_most < a->o.scale_least) return gr__conf_fail(augment, "'scale_max' is below 'scale_min'");
    if (a->o.scale_least == 1 && a->o.scale_most == 1) a->o.scale_least = a->o.scale_most = 0;
    a->o.fill = (uint8_t)a->fill;
    a->o.filter = GR__BILINEAR;
    return GR_OK;
}

gr_status gr__pictures_new(gr__pictures *p, const gr__image_set *set)
{
    size_t n = (size_t)gr__image_set_count(set);
    *p = (gr__pictures){.set = set, .index = gr__calloc(n + 1, sizeof *p->index)};
    p->decoded = gr__calloc(2 * n + 1, sizeof *p->decoded);
    p->hash = gr__calloc(n + 1, sizeof *p->hash);
    return p->index && p->decoded && p->hash ? GR_OK : gr__fail_memory("a list of pictures", n * sizeof *p->index);
}

void gr__pictures_release(gr__pictures *p)
{
    gr__free(p->index);
    gr__free(p->decoded);
    gr__free(p->hash);
    gr__free(p->pixels);
}

int64_t gr__pictures_each(const gr__pictures *p) { return p->shape.height * p->shape.width * p->shape.channels; }

static gr_status fit_shape(const gr__image *image, const gr__picture_shape *s, gr__image *out)
{
    gr__letterbox box;
    return s->letterbox ? gr__image_letterbox(image, s->width, s->height, s->fill, &box, out)
                        : gr__image_resize(image, s->width, s->height, GR__BILINEAR, true, out);
}

/* decoded, hash: may be NULL */
static gr_status load(const gr__pictures *p, int64_t i, int64_t *decoded, uint64_t *hash, uint8_t *out)
{
    const gr__picture_shape *shape = &p->shape;
    gr__image image, sized;
    GR_TRY(gr__image_set_decode(p->set, p->index[i], &(gr__image_options){.channels = (int)shape->channels}, &image));
    if (decoded) decoded[0] = image.width, decoded[1] = image.height;
    if (hash)
        *hash =
            gr__leak_hash(image.pixels, (size_t)(image.width * image.height * image.channels), (uint64_t)image.width);
    if (image.width != shape->width || image.height != shape->height) {
        gr_status s = fit_shape(&image, shape, &sized);
        gr__image_release(&image);
        GR_TRY(s);
        image = sized;
    }
    memcpy(out, image.pixels, (size_t)gr__pictures_each(p));
    gr__image_release(&image);
    return GR_OK;
}

/* A run of pictures for one thread to decode. */
typedef struct pass {
    gr__pictures *p;
    int64_t first;
    uint8_t *to;
    gr_status status[CHUNK];
} pass;

static void load_one(void *context, int64_t i, int thread)
{
    (void)thread;
    pass *s = context;
    int64_t k = s->first + i;
    s->status[i] = load(s->p, k, s->p->decoded + 2 * k, s->p->hash + k, s->to + i * gr__pictures_each(s->p));
}

static void add_up(const gr__picture_shape *s, const uint8_t *v, gr__picture_sums *sums)
{
    for (int64_t i = 0, n = s->height * s->width; i < n; i++)
        for (int64_t c = 0; c < s->channels; c++) {
            uint64_t x = v[i * s->channels + c];
            sums->sum[c] += x, sums->square[c] += x * x;
        }
}

gr_status gr__pictures_read(gr__pictures *p, bool keep, bool skip_bad, gr__picture_sums *sums)
{
    char first_bad[256] = "";
    int64_t each = gr__pictures_each(p), bad = 0, good = 0;
    uint8_t *block = gr__alloc((size_t)(each * (keep ? p->n : GR__MIN(p->n, CHUNK))) + 1);
    gr_status status = block ? GR_OK : gr__fail_memory("pictures", (size_t)(each * p->n));
    for (int64_t first = 0; first < p->n && status == GR_OK; first += CHUNK) {
        int64_t here = GR__MIN(CHUNK, p->n - first);
        uint8_t *to = block + (keep ? good * each : 0);
        pass s = {.p = p, .first = first, .to = to};
        gr__parallel(here, load_one, &s);
        int64_t at = 0;
        for (int64_t i = 0; i < here && status == GR_OK; i++) {
            if (s.status[i] != GR_OK) { /* again, for the sentence belongs to a thread */
                status = load(p, first + i, NULL, NULL, to + i * each);
                if (!skip_bad || status == GR_ERR_MEMORY) break;
                gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
                if (bad++ == 0) snprintf(first_bad, sizeof first_bad, "%s", gr_message());
                status = GR_OK;
                continue;
            }
            if (at != i) memmove(to + at * each, to + i * each, (size_t)each);
            add_up(&p->shape, to + at * each, sums);
            p->index[good + at] = p->index[first + i];
            p->hash[good + at] = p->hash[first + i];
            memmove(p->decoded + 2 * (good + at++), p->decoded + 2 * (first + i), 2 * sizeof *p->decoded);
        }
        good += at;
    }
    if (status == GR_OK && p->n > 0 && good == 0)
        status = gr__fail(GR_ERR_DATA, "all %lld pictures were left out; the first: %s", (long long)p->n, first_bad);
    if (bad) gr__log(GR_LOG_WARNING, "%lld pictures that cannot be read were left out", (long long)bad);
    p->n = good;
    if (status == GR_OK && keep)
        p->pixels = block;
    else
        gr__free(block);
    return status;
}

static const char *name_of(const gr__pictures *p, int64_t i, gr__arena *arena)
{
    return gr__arena_printf(arena, "'%s' of '%s'", gr__image_set_sample(p->set, p->index[i])->name,
                            gr__image_set_path(p->set));
}

gr_status gr__pictures_leak(const gr__pictures part[2], gr__arena *arena, const char **note)
{
    gr__leak leak;
    *note = NULL;
    GR_TRY(gr__leak_find(part[0].hash, part[0].n, part[1].hash, part[1].n, &leak));
    if (leak.n == 0) return GR_OK;
    const char *valid = name_of(&part[1], leak.valid, arena), *train = name_of(&part[0], leak.train, arena);
    *note = valid && train ? gr__leak_note(&leak, "picture", valid, train, arena) : NULL;
    return *note ? GR_OK : gr__fail_memory("a report", 256);
}

gr_status gr__pictures_fit(const gr__pictures *p, const gr__picture_sums *sums, const gr__facts *kept, gr__arena *arena,
                           gr__conf_doubles *mean, gr__conf_doubles *std)
{
    double n = (double)(p->n * p->shape.height * p->shape.width);
    size_t c = (size_t)p->shape.channels;
    double *own = gr__arena_alloc(arena, 2 * c * sizeof *own);
    if (!own) return gr__fail_memory("means", 2 * c * sizeof *own);
    for (size_t i = 0; i < c; i++) {
        double m = (double)sums->sum[i] / n, variance = (double)sums->square[i] / n - m * m;
        own[i] = m / 255;
        own[c + i] = variance > 1e-6 ? sqrt(variance) / 255 : 1;
    }
    if (mean->n == 0 && kept->mean.n == c) *mean = kept->mean;
    if (std->n == 0 && kept->std.n == c) *std = kept->std;
    if (mean->n == 0) *mean = (gr__conf_doubles){.item = own, .n = c};
    if (std->n == 0) *std = (gr__conf_doubles){.item = own + c, .n = c};
    GR_FAIL_IF(mean->n != c || std->n != c, GR_ERR_CONFIG,
               "data.mean and data.std need %zu numbers, one for each channel", c);
    return GR_OK;
}

/* Its pixels are kept, or lie in *own, which the caller frees; NULL: it has gone since, or memory is short. */
static gr__image image_of(const gr__pictures *p, int64_t row, uint8_t **own)
{
    const gr__picture_shape *s = &p->shape;
    int64_t each = gr__pictures_each(p);
    gr__image image = {.width = s->width, .height = s->height, .channels = (int)s->channels, .depth = 8};
    *own = p->pixels ? NULL : gr__alloc((size_t)each);
    if (p->pixels)
        image.pixels = p->pixels + row * each;
    else if (*own && load(p, row, NULL, NULL, *own) == GR_OK)
        image.pixels = *own;
    return image;
}

bool gr__pictures_put(const gr__pictures *p, int64_t row, const gr__augment_options *change, uint64_t seed,
                      uint64_t epoch, const float *mean, const float *std, gr__moved *moved, float *out)
{
    const gr__picture_shape *s = &p->shape;
    uint8_t *own;
    gr__image changed, image = image_of(p, row, &own);
    bool fine = image.pixels != NULL;
    if (moved) *moved = (gr__moved){1, 0, 1, 0};
    if (fine && change) {
        gr__augment_options o = *change;
        o.width = s->width, o.height = s->height;
        fine = gr__image_augment(&image, &o, seed, epoch, (uint64_t)row, moved, &changed) == GR_OK;
    }
    if (fine) gr__image_to_floats(change ? &changed : &image, mean, std, false, out);
    if (fine && change) gr__image_release(&changed);
    if (!fine) memset(out, 0, (size_t)gr__pictures_each(p) * sizeof *out);
    gr__free(own);
    return fine;
}

gr_status gr__pictures_find_shape(const gr__image_set *set, bool skip_bad, int64_t most, gr__picture_shape *s)
{
    gr__image image;
    char first_bad[256] = "";
    gr_status status = GR_OK;
    for (int64_t i = 0; i < gr__image_set_count(set) && (!s->height || !s->channels); i++) {
        status = gr__image_set_decode(set, i, NULL, &image);
        if (status != GR_OK && !skip_bad) return status;
        if (status != GR_OK && !*first_bad) snprintf(first_bad, sizeof first_bad, "%s", gr_message());
        if (status != GR_OK) continue;
        if (!s->height) s->height = image.height, s->width = image.width;
        if (!s->channels) s->channels = image.channels == 1 ? 1 : 3;
        gr__image_release(&image);
    }
    GR_FAIL_IF(status != GR_OK && status != GR_ERR_MEMORY, GR_ERR_DATA,
               "all %lld pictures were left out; the first: %s", (long long)gr__image_set_count(set), first_bad);
    GR_TRY(status);
    GR_FAIL_IF(s->height > most || s->width > most, GR_ERR_LIMIT,
               "pictures of %lld x %lld are too large; set data.size", (long long)s->height, (long long)s->width);
    return GR_OK;
}

/* Nothing in a build without PNG. */
static gr_status add_picture(const gr__image *image, int64_t width, const char *text, gr__str *page)
{
    gr__str png = {0};
    gr_status status = gr__png_encode(image, text, &png);
    if (status == GR_OK) gr__html_picture(page, png.text, png.n, width, text);
    gr__str_release(&png);
    return status == GR_ERR_UNSUPPORTED ? GR_OK : status;
}

gr_status gr__pictures_sheet(const gr__picture_shape *s, const float *v, int64_t n, int64_t columns, const char *text,
                             gr__str *page)
{
    int64_t rows = (n + columns - 1) / columns, width = columns * s->width, each = s->height * s->width * s->channels;
    gr__image image = {width, rows * s->height, (int)s->channels, 8,
                       gr__calloc((size_t)(rows * columns), (size_t)each)};
    if (!image.pixels) return gr__fail_memory("a picture", (size_t)(rows * columns * each));
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = 0; y < s->height; y++)
            for (int64_t x = 0; x < s->width * s->channels; x++) {
                int64_t to = ((i / columns * s->height + y) * width + i % columns * s->width) * s->channels + x;
                float value = v[i * each + y * s->width * s->channels + x];
                ((uint8_t *)image.pixels)[to] = (uint8_t)lrintf(255 * fminf(fmaxf(value, 0), 1));
            }
    gr_status status = add_picture(&image, SCALE * width, text, page);
    gr__image_release(&image);
    return status;
}

gr_status gr__picture_thumbnail(const gr__image *image, const char *text, gr__str *page)
{
    gr__image small = {0};
    int64_t longest = GR__MAX(image->width, image->height);
    if (longest <= THUMBNAIL) return add_picture(image, image->width * (THUMBNAIL / longest), text, page);
    int64_t width = GR__MAX(image->width * THUMBNAIL / longest, 1),
            height = GR__MAX(image->height * THUMBNAIL / longest, 1);
    GR_TRY(gr__image_resize(image, width, height, GR__BILINEAR, true, &small));
    gr_status status = add_picture(&small, width, text, page);
    gr__image_release(&small);
    return status;
}

gr_status gr__pictures_thumbnail(const gr__pictures *p, int64_t row, gr__str *page)
{
    uint8_t *own;
    gr__image image = image_of(p, row, &own);
    gr_status status = GR_OK;
    if (image.pixels) status = gr__picture_thumbnail(&image, gr__image_set_sample(p->set, p->index[row])->name, page);
    gr__free(own);
    return status;
}
