/* Clips of video to labels: folders of frames or video files in class folders, or, with data.motion, clips made on the fly of
 * pictures that move (a pure function of the seed and the number of the sample). */
#include "task/task.h"

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "data/labelled.h"
#include "data/leak.h"
#include "data/media_folder.h"
#include "data/motion.h"
#include "format/idx.h"
#include "image/clip.h"
#include "image/transform.h"
#include "task/classes.h"
#include "task/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CLASSES = 10000, MOST_LOOK = 256, OF_PICTURE = 0, OF_DIRECTION };
static const char *const subjects[] = {"picture", "direction", NULL};

typedef struct film_options {
    const char *source, *labels, *valid_source, *valid_labels;
    double valid;
    gr__conf_ints size;
    int64_t frames, channels, cache_mib;
    bool skip_bad;
    const gr__conf *motion;
} film_options;

typedef struct motion_options {
    int label;
    double speed_least, speed_most;
    int64_t samples, valid_samples;
} motion_options;

/* One part: clips by path, or pictures that move. */
typedef struct film_part {
    gr__labelled list;
    int32_t *index, *label; /* of the rows of a list; of the pictures */
    gr_tensor pictures;     /* u8 (N, H, W) */
    uint8_t *kept;          /* (n, frames, H, W, C) of 'index'; NULL: clips are read again and again */
    uint64_t *hash;         /* n, of clips: of the frames that are looked at */
    int64_t n;
} film_part;

typedef struct gr__film_task {
    gr__task base;
    film_options o;
    motion_options m;
    gr__motion motion;
    bool moves;
    film_part part[2];
    gr__conf_strings names;
    gr__clip_size size;
    float mean[3], std[3];
    double smoothing;
    uint64_t seed;
    gr__label_score *scores;
} gr__film_task;

#define AT(field) offsetof(film_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "a folder of class folders of clips (folders of frames in the order of the numbers in their names, .y4m, what "
     "ffmpeg reads); with 'motion' IDX pictures",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"labels", GR__CONF_STRING, AT(labels), 0, 0, NULL, NULL, "IDX: the file of labels", 0},
    {"valid_source", GR__CONF_STRING, AT(valid_source), 0, 0, NULL, NULL,
     "the same for validation; default: a part of 'source'", 0},
    {"valid_labels", GR__CONF_STRING, AT(valid_labels), 0, 0, NULL, NULL, "IDX: labels of valid_source", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0.2", "share of each class for validation, drawn by the seed",
     0},
    {"size", GR__CONF_INT_LIST, AT(size), 1, 1 << 12, NULL, NULL,
     "edge, or height and width, of the frames; default: of the first one", 0},
    {"frames", GR__CONF_INT, AT(frames), 1, 1 << 12, NULL, "10", "pictures that are looked at, spread over the clip",
     0},
    {"channels", GR__CONF_INT, AT(channels), 0, 3, NULL, "0", "1 gray, 3 colours; 0: as the first picture", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false", "leave clips out that cannot be read", 0},
    {"cache_mib", GR__CONF_INT, AT(cache_mib), 0, 1 << 24, NULL, "1024",
     "frames stay in memory where they take no more; else a clip is read again for each epoch", 0},
    {"motion", GR__CONF_SECTION, AT(motion), 0, 0, NULL, NULL, "make clips of pictures that move", 0},
};
#undef AT
#define AT(field) offsetof(motion_options, field)
static const gr__conf_row motion_rows[] = {
    {"label", GR__CONF_ENUM, AT(label), 0, 0, subjects, "picture", "what is to be told: the picture's label or its way",
     0},
    {"speed_min", GR__CONF_DOUBLE, AT(speed_least), 0, 1000, NULL, "2", "pixels from frame to frame, at least", 0},
    {"speed_max", GR__CONF_DOUBLE, AT(speed_most), 0, 1000, NULL, "4", "and at most", 0},
    {"samples", GR__CONF_INT, AT(samples), 0, 1e9, NULL, "0", "clips in an epoch; 0: as many as pictures", 0},
    {"valid_samples", GR__CONF_INT, AT(valid_samples), 0, 1e9, NULL, "0", "for validation, always the same", 0},
};
#undef AT
static const gr__conf_row loss_rows[] = {
    {"label_smoothing", GR__CONF_DOUBLE, offsetof(gr__film_task, smoothing), 0, 1, NULL, "0",
     "share of each target spread over all labels", GR__CONF_BELOW_MAX},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"data.motion", motion_rows, GR__COUNT(motion_rows), "clips made on the fly"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "cross-entropy"},
};

/* ---- clips in folders ---- */

static gr_status add_clip(gr__labelled *l, const char *name, size_t n)
{
    const char *slash = strchr(name, '/');
    GR_TRY(gr__media_check_class(l->path, name, (size_t)(slash - name)));
    gr__labelled_row row = {.text = gr__arena_strndup(&l->arena, name, n),
                            .n_text = n,
                            .label = gr__arena_strndup(&l->arena, name, (size_t)(slash - name))};
    if (!row.text || !row.label) return gr__fail_memory("a name", n);
    return gr__labelled_add(l, &row);
}

/* CLASS/CLIP/0001.png ... is the clip CLASS/CLIP, CLASS/CLIP.y4m is one by itself. Names come sorted. */
static gr_status list_clips(const char *folder, gr__labelled *l)
{
    char **names;
    size_t n;
    gr_status status = GR_OK;
    if (!(l->path = gr__arena_strdup(&l->arena, folder))) return gr__fail_memory("a path", strlen(folder));
    GR_TRY(gr__dir_list(folder, true, &names, &n));
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        const char *name = names[i], *last = strrchr(name, '/'), *before = l->n ? l->row[l->n - 1].text : "";
        bool whole = gr__clip_is_named(name), deep = last && strchr(name, '/') != last;
        if (!whole && !gr__image_is_named(name)) continue;
        if (!last || (!whole && !deep)) {
            status = gr__fail(GR_ERR_DATA, "'%s/%s' is no clip in a class folder; it needs CLASS/CLIP/%s", folder, name,
                              last ? last + 1 : name);
            break;
        }
        size_t bytes = whole ? strlen(name) : (size_t)(last - name);
        if (!whole && strlen(before) == bytes && memcmp(before, name, bytes) == 0) continue;
        status = add_clip(l, name, bytes);
    }
    gr__names_free(names, n);
    if (status == GR_OK && l->n == 0) status = gr__fail(GR_ERR_DATA, "'%s' holds no clips", folder);
    return status;
}

static gr_status read_clip(const gr__film_task *t, const film_part *p, int64_t i, uint8_t *out)
{
    char *path = gr__path_join(p->list.path, p->list.row[p->index[i]].text);
    if (!path) return gr__fail_memory("a path", 64);
    gr_status status = gr__clip_read(path, &t->size, out);
    gr__free(path);
    return status;
}

static gr_status look(gr__film_task *t, const film_part *p, int64_t i)
{
    gr__clip_size first;
    char *path = gr__path_join(p->list.path, p->list.row[i].text);
    if (!path) return gr__fail_memory("a path", 64);
    gr_status status = gr__clip_look(path, &first);
    gr__free(path);
    GR_TRY(status);
    if (!t->size.height) t->size.height = first.height, t->size.width = first.width;
    if (!t->size.channels) t->size.channels = first.channels;
    return GR_OK;
}

static gr_status class_of(const gr__film_task *t, const film_part *p, int64_t row, int32_t *out)
{
    for (size_t k = 0; k < t->names.n; k++)
        if (strcmp(t->names.item[k], p->list.row[row].label) == 0) {
            *out = (int32_t)k;
            return GR_OK;
        }
    return gr__fail(GR_ERR_DATA, "'%s/%s': the class '%s' is not one of the training part", p->list.path,
                    p->list.row[row].text, p->list.row[row].label);
}

static gr_status room_for(film_part *p, size_t n)
{
    p->index = gr__calloc(n + 1, sizeof *p->index);
    p->label = gr__calloc(n + 1, sizeof *p->label);
    p->hash = gr__calloc(n + 1, sizeof *p->hash);
    return p->index && p->label && p->hash ? GR_OK : gr__fail_memory("a list of clips", n * 8);
}

static int64_t frame_bytes(const gr__film_task *t) { return t->size.height * t->size.width * t->size.channels; }

static int64_t clip_bytes(const gr__film_task *t) { return t->size.frames * frame_bytes(t); }

/* Every clip is read once: a bad one is known before training. */
static gr_status try_all(gr__film_task *t, film_part *p, bool keep)
{
    int64_t good = 0, each = clip_bytes(t);
    char first_bad[256] = "";
    gr_status status = GR_OK;
    uint8_t *pixels = gr__alloc((size_t)(each * (keep ? p->n : 1)) + 1);
    if (!pixels) return gr__fail_memory("clips", (size_t)(each * (keep ? p->n : 1)));
    for (int64_t i = 0; i < p->n; i++) {
        status = read_clip(t, p, i, pixels + (keep ? good * each : 0));
        if (status != GR_OK && (!t->o.skip_bad || status == GR_ERR_MEMORY)) break;
        if (status != GR_OK) gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
        if (status != GR_OK && !*first_bad) snprintf(first_bad, sizeof first_bad, "%s", gr_message());
        if (status == GR_OK) {
            p->hash[good] = gr__leak_hash(pixels + (keep ? good * each : 0), (size_t)each, 0);
            p->index[good] = p->index[i], p->label[good++] = p->label[i];
        }
        status = GR_OK;
    }
    if (keep)
        p->kept = pixels;
    else
        gr__free(pixels);
    GR_TRY(status);
    GR_FAIL_IF(p->n > 0 && good == 0, GR_ERR_DATA, "all %lld clips were left out; the first: %s", (long long)p->n,
               first_bad);
    if (good < p->n) gr__log(GR_LOG_WARNING, "%lld clips that cannot be read were left out", (long long)(p->n - good));
    p->n = good;
    return GR_OK;
}

static gr_status check_left(gr__film_task *t)
{
    int64_t *count = gr__arena_alloc(&t->base.arena, t->names.n * sizeof *count);
    if (!count) return gr__fail_memory("counts of classes", t->names.n * sizeof *count);
    memset(count, 0, t->names.n * sizeof *count);
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < t->part[p].n; i++) count[t->part[p].label[i]]++;
    return gr__classes_left(&t->names, count, t->o.source, "clips");
}

static const char *name_of_clip(const film_part *p, int64_t i, gr__arena *arena)
{
    return gr__arena_printf(arena, "'%s' of '%s'", p->list.row[p->index[i]].text, p->list.path);
}

static gr_status find_leak(gr__film_task *t)
{
    const film_part *p = t->part;
    gr__arena *arena = &t->base.arena;
    gr__leak leak;
    GR_TRY(gr__leak_find(p[0].hash, p[0].n, p[1].hash, p[1].n, &leak));
    if (leak.n == 0) return GR_OK;
    const char *valid = name_of_clip(&p[1], leak.valid, arena), *train = name_of_clip(&p[0], leak.train, arena);
    t->base.report = valid && train ? gr__leak_note(&leak, "clip", valid, train, arena) : NULL;
    return t->base.report ? GR_OK : gr__fail_memory("a report", 256);
}

static gr_status open_folders(gr__film_task *t)
{
    bool other = t->o.valid_source != NULL;
    film_part *p = t->part;
    GR_TRY(list_clips(t->o.source, &p[0].list));
    if (other) GR_TRY(list_clips(t->o.valid_source, &p[1].list));
    GR_TRY(gr__labelled_names(&p[0].list, MOST_CLASSES, &t->base.arena, &t->names));
    GR_FAIL_IF(t->names.n < 2, GR_ERR_DATA, "'%s' has %zu classes; there is nothing to tell apart", t->o.source,
               t->names.n);
    gr_status status = GR_ERR_DATA;
    for (int64_t i = 0; i < p[0].list.n && status != GR_OK; i++) {
        status = look(t, &p[0], i);
        if (status != GR_OK && !t->o.skip_bad) return status;
    }
    GR_TRY(status);
    size_t n = (size_t)GR__MAX(p[0].list.n, p[1].list.n);
    int32_t *label = gr__arena_alloc(&t->base.arena, (n + 1) * sizeof *label);
    uint8_t *valid = gr__arena_alloc(&t->base.arena, n + 1);
    if (!label || !valid) return gr__fail_memory("labels", n * sizeof *label);
    for (int i = 0; i < 2; i++) GR_TRY(room_for(&p[i], n));
    for (int s = 0; s < 1 + other; s++) {
        for (int64_t i = 0; i < p[s].list.n; i++) GR_TRY(class_of(t, &p[s], i, &label[i]));
        if (!other) GR_TRY(gr__classes_split(label, p[0].list.n, (int64_t)t->names.n, t->o.valid, t->seed, valid));
        for (int64_t i = 0; i < p[s].list.n; i++) {
            film_part *to = &p[other ? s : valid[i]];
            to->index[to->n] = (int32_t)i;
            to->label[to->n++] = label[i];
        }
    }
    if (!other) p[1].list = p[0].list; /* borrowed: close() frees the first alone */
    bool keep = (double)(p[0].n + p[1].n) * (double)clip_bytes(t) <= (double)t->o.cache_mib * 1048576;
    for (int i = 0; i < 2; i++) GR_TRY(try_all(t, &p[i], keep));
    if (t->o.skip_bad) GR_TRY(check_left(t));
    return find_leak(t);
}

/* ---- pictures that move ---- */

static gr_status read_pictures(film_part *p, const char *pictures, const char *labels, int64_t *classes)
{
    gr_tensor y = {0};
    GR_FAIL_IF(!labels, GR_ERR_CONFIG, "'%s' needs its file of labels (data.labels, data.valid_labels)", pictures);
    GR_TRY(gr__idx_read(pictures, &p->pictures));
    GR_TRY(gr__idx_read(labels, &y));
    bool fits = p->pictures.dtype == GR_U8 && p->pictures.rank == 3 && y.dtype == GR_U8 && y.rank == 1 &&
                y.dim[0] == p->pictures.dim[0] && y.dim[0] > 0;
    gr_status status =
        fits ? room_for(p, (size_t)y.dim[0])
             : gr__fail(GR_ERR_DATA, "'%s' and '%s' are not u8 pictures and a label for each", pictures, labels);
    p->n = fits ? y.dim[0] : 0;
    for (int64_t i = 0; i < p->n && status == GR_OK; i++) {
        p->label[i] = ((const uint8_t *)y.data)[i];
        *classes = GR__MAX(*classes, p->label[i] + 1);
    }
    gr__free(y.data);
    return status;
}

static gr_status open_motion(gr__film_task *t)
{
    int64_t classes = 2, seen;
    GR_FAIL_IF(!t->o.valid_source, GR_ERR_CONFIG,
               "data.motion needs data.valid_source: pictures that are not trained on");
    GR_FAIL_IF(t->o.size.n != 1, GR_ERR_CONFIG, "data.motion needs data.size, the edge of the field");
    GR_TRY(read_pictures(&t->part[0], t->o.source, t->o.labels, &classes));
    seen = classes;
    GR_TRY(read_pictures(&t->part[1], t->o.valid_source, t->o.valid_labels, &classes));
    GR_FAIL_IF(classes > seen, GR_ERR_DATA, "'%s' has a label that '%s' has not", t->o.valid_labels, t->o.labels);
    const gr_tensor *x = &t->part[0].pictures, *v = &t->part[1].pictures;
    GR_FAIL_IF(x->dim[1] != v->dim[1] || x->dim[2] != v->dim[2], GR_ERR_DATA,
               "'%s' and '%s' have pictures of other sizes", t->o.source, t->o.valid_source);
    t->size.channels = 1;
    t->motion = (gr__motion){t->size.frames, t->size.height, x->dim[1], x->dim[2], t->m.speed_least, t->m.speed_most};
    GR_TRY(gr__motion_check(&t->motion));
    t->names.n = t->m.label == OF_DIRECTION ? GR__DIRECTIONS : (size_t)classes;
    t->names.item = gr__arena_alloc(&t->base.arena, t->names.n * sizeof *t->names.item);
    if (!t->names.item) return gr__fail_memory("labels", t->names.n * sizeof *t->names.item);
    for (size_t k = 0; k < t->names.n; k++) {
        t->names.item[k] =
            t->m.label == OF_DIRECTION ? gr__motion_names[k] : gr__arena_printf(&t->base.arena, "%zu", k);
        if (!t->names.item[k]) return gr__fail_memory("a label", 8);
    }
    return GR_OK;
}

/* ---- samples ---- */

/* Clip number 'sample' of the stream into pixels; its label, or -1 where it could not be read. */
static int32_t make(const gr__film_task *t, int split, int64_t sample, uint8_t *pixels)
{
    const film_part *p = &t->part[split];
    uint64_t stream = 0x66696c6d00000000u + (uint64_t)split;
    bool train = split == GR__SPLIT_TRAIN;
    if (t->moves) {
        int64_t i = gr__rng_row(t->seed, stream + 0x100000, p->n, sample);
        const uint8_t *picture = (const uint8_t *)p->pictures.data + i * t->motion.height * t->motion.width;
        int32_t way = gr__motion_draw(&t->motion, picture, t->seed, stream, (uint64_t)sample, pixels);
        return t->m.label == OF_DIRECTION ? way : p->label[i];
    }
    int64_t i = train ? gr__rng_row(t->seed, stream, p->n, sample) : sample;
    if (p->kept) memcpy(pixels, p->kept + i * clip_bytes(t), (size_t)clip_bytes(t));
    return p->kept || read_clip(t, p, i, pixels) == GR_OK ? p->label[i] : -1;
}

/* Mean and deviation of each channel over the first training samples: integers, the order does not matter. */
static gr_status fit(gr__film_task *t, double mean[3], double std[3])
{
    uint64_t sum[3] = {0}, square[3] = {0}, n = 0;
    int64_t bytes = clip_bytes(t), c = t->size.channels;
    uint8_t *pixels = gr__alloc((size_t)bytes);
    if (!pixels) return gr__fail_memory("a clip", (size_t)bytes);
    for (int64_t k = 0; k < GR__MIN(MOST_LOOK, t->part[0].n); k++) {
        if (make(t, GR__SPLIT_TRAIN, k, pixels) < 0) continue;
        for (int64_t i = 0; i < bytes; i++) sum[i % c] += pixels[i], square[i % c] += (uint64_t)pixels[i] * pixels[i];
        n += (uint64_t)(bytes / c);
    }
    gr__free(pixels);
    for (int64_t k = 0; k < c; k++) {
        double m = (double)sum[k] / (double)GR__MAX(n, 1), variance = (double)square[k] / (double)GR__MAX(n, 1) - m * m;
        mean[k] = m / 255;
        std[k] = variance > 1e-6 ? sqrt(variance) / 255 : 1;
    }
    return GR_OK;
}

/* ---- the task ---- */

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__film_task *t = (gr__film_task *)base;
    gr__arena *arena = &base->arena;
    double mean[3], std[3];
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), &t->o, arena));
    GR_TRY(gr__conf_read(t->o.motion, "data.motion", motion_rows, GR__COUNT(motion_rows), &t->m, arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), t, arena));
    if (t->o.size.n > 2)
        return gr__conf_fail(gr__conf_find(in->root, "data.size"), "'data.size' is an edge, or height and width");
    if (t->o.channels == 2) return gr__conf_fail(gr__conf_find(in->root, "data.channels"), "'data.channels' is 1 or 3");
    t->moves = !gr__conf_is_null(t->o.motion);
    t->seed = in->seed;
    t->size = (gr__clip_size){.frames = t->o.frames, .channels = (int)t->o.channels};
    if (t->o.size.n) t->size.height = t->o.size.item[0], t->size.width = t->o.size.item[t->o.size.n - 1];
    const char *path[] = {t->o.source, t->o.labels, t->o.valid_source, t->o.valid_labels};
    for (size_t i = 0; i < GR__COUNT(path); i++)
        GR_FAIL_IF(path[i] && !gr__file_exists(path[i]), GR_ERR_NOT_FOUND, "'%s' does not exist", path[i]);
    GR_TRY(t->moves ? open_motion(t) : open_folders(t));
    GR_TRY(fit(t, mean, std));
    size_t c = (size_t)t->size.channels;
    gr__facts facts = {.height = t->size.height,
                       .width = t->size.width,
                       .channels = t->size.channels,
                       .frames = t->size.frames,
                       .labels = t->names,
                       .mean = in->kept.mean.n == c ? in->kept.mean : (gr__conf_doubles){mean, c},
                       .std = in->kept.std.n == c ? in->kept.std : (gr__conf_doubles){std, c}};
    for (size_t k = 0; k < c; k++) t->mean[k] = (float)facts.mean.item[k], t->std[k] = (float)facts.std.item[k];
    GR_TRY(gr__classes_model(in, &facts, "look at clips", arena, &base->model));
    GR_TRY(gr__label_score_new(&t->names, &t->scores));
    for (int i = 0; i < 2; i++) {
        int64_t wanted = !t->moves ? 0 : i ? t->m.valid_samples : t->m.samples;
        base->samples[i] = base->units[i] = wanted ? wanted : t->part[i].n;
    }
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__film_task *t = (gr__film_task *)base;
    gr__label_score_free(&t->scores);
    if (t->part[1].list.row != t->part[0].list.row) gr__labelled_release(&t->part[1].list);
    gr__labelled_release(&t->part[0].list);
    for (int i = 0; i < 2; i++) {
        gr__free(t->part[i].index);
        gr__free(t->part[i].label);
        gr__free(t->part[i].hash);
        gr__free(t->part[i].pictures.data);
        gr__free(t->part[i].kept);
    }
}

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__film_task *t = (gr__film_task *)base;
    gr_picture_values v;
    GR_TRY(gr_model_build_picture(base->model, g, batch, train, program, &v));
    return gr__classes_build(g, v.logits, batch, train, t->smoothing, program, out);
}

typedef struct batch_fill {
    const gr__film_task *t;
    gr__split split;
    int64_t first;
    float *pictures; /* (B, frames, H, W, C) */
    int32_t *targets;
} batch_fill;

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    const batch_fill *f = context;
    const gr__film_task *t = f->t;
    int64_t each = frame_bytes(t), all = t->size.frames * each, sample = f->first + b;
    bool real = f->split == GR__SPLIT_TRAIN || sample < t->base.samples[f->split];
    float *out = f->pictures + b * all;
    uint8_t *pixels = real ? gr__alloc((size_t)all) : NULL;
    f->targets[b] = pixels ? make(t, f->split, sample, pixels) : -1;
    if (f->targets[b] < 0) memset(out, 0, (size_t)all * sizeof *out);
    for (int64_t k = 0; k < t->size.frames && f->targets[b] >= 0; k++) {
        gr__image image = {t->size.width, t->size.height, t->size.channels, 8, pixels + k * each};
        gr__image_to_floats(&image, t->mean, t->std, false, out + k * each);
    }
    gr__free(pixels);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr_tensor pictures, targets;
    if (!gr__inputs_find(to, "pictures", &pictures) || !gr__inputs_find(to, "targets", &targets)) return;
    batch_fill f = {(gr__film_task *)base, split, first, pictures.data, targets.data};
    gr__parallel(batch, fill_one, &f);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__film_task *t = (gr__film_task *)base;
    gr__classes_score(t->scores, first, GR__MIN(batch, base->samples[1] - first), session);
}

static gr_status tune(gr__task *base, const gr__tuning *how)
{
    return gr__label_score_tune(((gr__film_task *)base)->scores, how, base->model);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    int n;
    gr__label_score_metrics(((gr__film_task *)base)->scores, out, capacity, &n);
    return n;
}

static const char *name_of(void *user, int64_t sample, char room[256])
{
    const gr__film_task *t = user;
    if (!t->moves) return t->part[1].list.row[t->part[1].index[sample]].text;
    snprintf(room, 256, "clip %lld", (long long)sample);
    return room;
}

/* Its first frame; nothing where it has gone since. */
static gr_status first_of(void *user, int64_t sample, gr__str *page)
{
    const gr__film_task *t = user;
    uint8_t *pixels = gr__alloc((size_t)clip_bytes(t));
    gr_status status = pixels ? GR_OK : gr__fail_memory("a clip", (size_t)clip_bytes(t));
    gr__image image = {t->size.width, t->size.height, t->size.channels, 8, pixels};
    if (pixels && make(t, GR__SPLIT_VALID, sample, pixels) >= 0)
        status = gr__picture_thumbnail(&image, "the first frame", page);
    gr__free(pixels);
    return status;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    return gr__label_score_panels(((gr__film_task *)base)->scores, name_of, first_of, base, page);
}

const gr__task_kind gr__task_clip_classification = {
    .name = "clip-classification",
    .summary = "clips of video to labels",
    .unit = "clip",
    .epochs = 10,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__film_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .tune = tune,
    .finish = finish,
    .panels = panels,
};
