/* Pictures to labels. Every picture is decoded once when the data are opened: a bad one is known before training, the
 * training part gives mean and deviation of each channel, and what fits into data.cache_mib stays in memory, resized. A
 * sample is changed at random ('data.augment') as its number in the endless stream says: the same for any number of
 * threads and after a resume. */
#include "task/task.h"

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "data/image_set.h"
#include "image/augment.h"
#include "model/picture.h"
#include "task/label_score.h"

#include <math.h>
#include <string.h>

enum { MOST_EDGE = 1 << 14, CHUNK = 256 };

typedef struct gr__sight_options {
    const char *source, *labels, *valid_source, *valid_labels;
    const gr__conf *augment;
    double valid;
    gr__conf_ints size;
    int64_t channels;
    gr__conf_doubles mean, std;
    bool skip_bad, hundred;
    int64_t cache_mib;
} gr__sight_options;

typedef struct gr__sight_augment {
    gr__augment_options o;
    int64_t fill;
} gr__sight_augment;

/* One part: samples of a set, by number. */
typedef struct gr__sight_part {
    const gr__image_set *set;
    int32_t *index;
    int64_t n;
    uint8_t *pixels; /* of all, in order; NULL: decoded when needed */
} gr__sight_part;

typedef struct gr__sight_task {
    gr__task base;
    gr__image_set *set[2]; /* the second: valid_source */
    gr__sight_part part[2];
    gr__sight_options o;
    gr__sight_augment change;
    bool changes;
    double smoothing;
    int64_t height, width, channels, classes;
    uint64_t seed;
    float mean[4], std[4];
    gr__conf_strings names; /* of the classes */
    gr__label_score *scores;
} gr__sight_task;

#define AT(field) offsetof(gr__sight_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "a folder of class folders, the same as .tar(.gz), IDX pictures, or CIFAR's .bin(.gz)",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"labels", GR__CONF_STRING, AT(labels), 0, 0, NULL, NULL, "IDX: the file of labels", 0},
    {"valid_source", GR__CONF_STRING, AT(valid_source), 0, 0, NULL, NULL,
     "the same for validation; default: a part of 'source'", 0},
    {"valid_labels", GR__CONF_STRING, AT(valid_labels), 0, 0, NULL, NULL, "IDX: labels of valid_source", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0.2", "share of each class for validation, drawn by the seed",
     0},
    {"size", GR__CONF_INT_LIST, AT(size), 1, MOST_EDGE, NULL, NULL,
     "edge, or height and width, to which pictures are resized; default: of the first one", 0},
    {"channels", GR__CONF_INT, AT(channels), 0, 3, NULL, "0", "1 gray, 3 colours; 0: as the first picture", 0},
    {"mean", GR__CONF_DOUBLE_LIST, AT(mean), 0, 1, NULL, NULL,
     "of each channel, in [0, 1]; default: of the training part", 0},
    {"std", GR__CONF_DOUBLE_LIST, AT(std), 0, 1, NULL, NULL, "deviation of each channel; default: of the training part",
     GR__CONF_ABOVE_MIN},
    {"augment", GR__CONF_SECTION, AT(augment), 0, 0, NULL, NULL, "random changes of training pictures", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false", "leave pictures out that cannot be read", 0},
    {"hundred", GR__CONF_BOOL, AT(hundred), 0, 0, NULL, "false", ".bin: it is CIFAR-100", 0},
    {"cache_mib", GR__CONF_INT, AT(cache_mib), 0, 1 << 24, NULL, "1024",
     "decoded pictures stay in memory where they take no more", 0},
};
#undef AT
#define AT(field) offsetof(gr__sight_augment, field)
static const gr__conf_row augment_rows[] = {
    {"flip", GR__CONF_DOUBLE, AT(o.flip_x), 0, 1, NULL, "0", "probability that left and right change places", 0},
    {"flip_y", GR__CONF_DOUBLE, AT(o.flip_y), 0, 1, NULL, "0", "that top and bottom do", 0},
    {"shift", GR__CONF_INT, AT(o.padding), 0, 4096, NULL, "0",
     "pixels of padding from which the picture is cut again at random", 0},
    {"rotate", GR__CONF_DOUBLE, AT(o.degrees), 0, 180, NULL, "0", "degrees, both ways", 0},
    {"area_min", GR__CONF_DOUBLE, AT(o.area_least), 0, 1, NULL, "0.08", "smallest cut-out with 'area_max'",
     GR__CONF_ABOVE_MIN},
    {"area_max", GR__CONF_DOUBLE, AT(o.area_most), 0, 1, NULL, "0", "largest cut-out that is resized; 0: none", 0},
    {"ratio", GR__CONF_DOUBLE, AT(o.ratio), 1, 100, NULL, "1.3333333333333333", "most of its width over its height", 0},
    {"brightness", GR__CONF_DOUBLE, AT(o.brightness), 0, 10, NULL, "0", "a factor in [1 - v, 1 + v]", 0},
    {"contrast", GR__CONF_DOUBLE, AT(o.contrast), 0, 10, NULL, "0", "the same", 0},
    {"saturation", GR__CONF_DOUBLE, AT(o.saturation), 0, 10, NULL, "0", "the same", 0},
    {"hue", GR__CONF_DOUBLE, AT(o.hue), 0, 0.5, NULL, "0", "a turn of the circle of colours in [-v, v]", 0},
    {"cutout", GR__CONF_INT, AT(o.cutout), 0, MOST_EDGE, NULL, "0", "edge of an erased square", 0},
    {"fill", GR__CONF_INT, AT(fill), 0, 255, NULL, "0", "what is outside of a picture", 0},
};
#undef AT
static const gr__conf_row loss_rows[] = {
    {"label_smoothing", GR__CONF_DOUBLE, offsetof(gr__sight_task, smoothing), 0, 1, NULL, "0",
     "share of each target spread over all labels", GR__CONF_BELOW_MAX},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"data.augment", augment_rows, GR__COUNT(augment_rows), "random changes, in this order after the cut-out"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "cross-entropy"},
};

/* ---- parts ---- */

static gr_status part_new(gr__sight_part *p, const gr__image_set *set)
{
    int64_t n = gr__image_set_count(set);
    *p = (gr__sight_part){.set = set, .index = gr__calloc((size_t)n + 1, sizeof *p->index)};
    return p->index ? GR_OK : gr__fail_memory("a list of pictures", (size_t)n * sizeof *p->index);
}

/* Of each class the seed draws as many as 'share' says, rounded; both parts stay in the order of the set. */
static gr_status split(gr__sight_task *t)
{
    const gr__image_set *set = t->set[0];
    int64_t n = gr__image_set_count(set);
    GR_TRY(part_new(&t->part[0], set));
    GR_TRY(part_new(&t->part[1], t->set[1] ? t->set[1] : set));
    if (t->set[1]) {
        for (int i = 0; i < 2; i++)
            for (int64_t k = 0; k < gr__image_set_count(t->set[i]); k++) t->part[i].index[t->part[i].n++] = (int32_t)k;
        return GR_OK;
    }
    int64_t *of_class = gr__calloc(2 * (size_t)t->classes, sizeof *of_class), *seen = of_class + t->classes;
    if (!of_class) return gr__fail_memory("a list of classes", 16 * (size_t)t->classes);
    for (int64_t i = 0; i < n; i++) of_class[gr__image_set_sample(set, i)->label]++;
    for (int64_t i = 0; i < n; i++) {
        int32_t k = gr__image_set_sample(set, i)->label;
        uint64_t key = gr__rng_key(t->seed, 0x7369676874000000u + (uint64_t)k);
        int64_t place = (int64_t)gr__permute(key, (uint64_t)of_class[k], (uint64_t)seen[k]++);
        gr__sight_part *p = &t->part[place < llround(t->o.valid * (double)of_class[k])];
        p->index[p->n++] = (int32_t)i;
    }
    gr__free(of_class);
    return GR_OK;
}

/* ---- the pass over all pictures ---- */

static int64_t size_of(const gr__sight_task *t) { return t->height * t->width * t->channels; }

static gr_status load(const gr__sight_task *t, const gr__sight_part *p, int64_t i, uint8_t *out)
{
    gr__image image, sized;
    GR_TRY(gr__image_set_decode(p->set, p->index[i], &(gr__image_options){.channels = (int)t->channels}, &image));
    if (image.width != t->width || image.height != t->height) {
        gr_status s = gr__image_resize(&image, t->width, t->height, GR__BILINEAR, true, &sized);
        gr__image_release(&image);
        GR_TRY(s);
        image = sized;
    }
    memcpy(out, image.pixels, (size_t)size_of(t));
    gr__image_release(&image);
    return GR_OK;
}

/* A run of pictures for one thread to decode. */
typedef struct pass {
    const gr__sight_task *t;
    const gr__sight_part *p;
    int64_t first;
    uint8_t *to;
    gr_status status[CHUNK];
} pass;

static void load_one(void *context, int64_t i, int thread)
{
    (void)thread;
    pass *s = context;
    s->status[i] = load(s->t, s->p, s->first + i, s->to + i * size_of(s->t));
}

/* Sums of v and v*v of each channel: integers, so that the order does not matter. */
static void add_up(const gr__sight_task *t, const uint8_t *v, uint64_t sum[4], uint64_t square[4])
{
    for (int64_t i = 0, n = t->height * t->width; i < n; i++)
        for (int64_t c = 0; c < t->channels; c++) {
            uint64_t x = v[i * t->channels + c];
            sum[c] += x, square[c] += x * x;
        }
}

/* Decodes all; bad ones are dropped or told (decoding again, for the sentence belongs to a thread). */
static gr_status read_part(gr__sight_task *t, gr__sight_part *p, bool keep, uint64_t sum[4], uint64_t square[4])
{
    int64_t each = size_of(t), bad = 0, good = 0;
    uint8_t *block = gr__alloc((size_t)(each * (keep ? p->n : GR__MIN(p->n, CHUNK))) + 1);
    gr_status status = block ? GR_OK : gr__fail_memory("pictures", (size_t)(each * p->n));
    for (int64_t first = 0; first < p->n && status == GR_OK; first += CHUNK) {
        int64_t here = GR__MIN(CHUNK, p->n - first);
        uint8_t *to = block + (keep ? good * each : 0);
        pass s = {.t = t, .p = p, .first = first, .to = to};
        gr__parallel(here, load_one, &s);
        int64_t at = 0;
        for (int64_t i = 0; i < here && status == GR_OK; i++) {
            if (s.status[i] != GR_OK) {
                status = load(t, p, first + i, to + i * each);
                if (!t->o.skip_bad || status == GR_ERR_MEMORY) break;
                gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
                status = GR_OK;
                bad++;
                continue;
            }
            if (at != i) memmove(to + at * each, to + i * each, (size_t)each);
            add_up(t, to + at * each, sum, square);
            p->index[good + at++] = p->index[first + i];
        }
        good += at;
    }
    if (status == GR_OK && p->n > 0 && good == 0) status = gr__fail(GR_ERR_DATA, "none of the pictures can be read");
    if (bad) gr__log(GR_LOG_WARNING, "%lld pictures that cannot be read were left out", (long long)bad);
    p->n = good;
    if (status == GR_OK && keep)
        p->pixels = block;
    else
        gr__free(block);
    return status;
}

static gr_status fit(gr__sight_task *t, const uint64_t sum[4], const uint64_t square[4])
{
    double n = (double)(t->part[0].n * t->height * t->width);
    size_t c = (size_t)t->channels;
    gr__arena *arena = &t->base.arena;
    if (t->o.mean.n == 0) {
        t->o.mean = (gr__conf_doubles){.item = gr__arena_alloc(arena, c * sizeof(double)), .n = c};
        if (!t->o.mean.item) return gr__fail_memory("means", c * sizeof(double));
        for (size_t i = 0; i < c; i++) t->o.mean.item[i] = (double)sum[i] / n / 255;
    }
    if (t->o.std.n == 0) {
        t->o.std = (gr__conf_doubles){.item = gr__arena_alloc(arena, c * sizeof(double)), .n = c};
        if (!t->o.std.item) return gr__fail_memory("deviations", c * sizeof(double));
        for (size_t i = 0; i < c; i++) {
            double mean = (double)sum[i] / n, variance = (double)square[i] / n - mean * mean;
            t->o.std.item[i] = variance > 1e-6 ? sqrt(variance) / 255 : 1;
        }
    }
    GR_FAIL_IF(t->o.mean.n != c || t->o.std.n != c, GR_ERR_CONFIG,
               "data.mean and data.std need %zu numbers, one for each channel", c);
    for (size_t i = 0; i < c; i++) t->mean[i] = (float)t->o.mean.item[i], t->std[i] = (float)t->o.std.item[i];
    return GR_OK;
}

static gr_status read_pictures(gr__sight_task *t)
{
    uint64_t sum[2][4] = {{0}}, square[2][4] = {{0}};
    double bytes = (double)(t->part[0].n + t->part[1].n) * (double)size_of(t);
    bool keep = bytes <= (double)t->o.cache_mib * 1048576;
    for (int i = 0; i < 2; i++) GR_TRY(read_part(t, &t->part[i], keep, sum[i], square[i]));
    return fit(t, sum[0], square[0]);
}

/* ---- opening ---- */

static gr_status read_options(gr__sight_task *t, const gr__task_in *in)
{
    gr__arena *arena = &t->base.arena;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), &t->o, arena));
    GR_TRY(gr__conf_read(t->o.augment, "data.augment", augment_rows, GR__COUNT(augment_rows), &t->change, arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), t, arena));
    if (t->o.size.n > 2)
        return gr__conf_fail(gr__conf_find(in->root, "data.size"), "'data.size' is an edge, or height and width");
    if (t->o.channels == 2) return gr__conf_fail(gr__conf_find(in->root, "data.channels"), "'data.channels' is 1 or 3");
    if (t->change.o.area_most > 0 && t->change.o.area_most < t->change.o.area_least)
        return gr__conf_fail(t->o.augment, "'area_max' is below 'area_min'");
    t->changes = !gr__conf_is_null(t->o.augment);
    t->change.o.fill = (uint8_t)t->change.fill;
    t->change.o.filter = GR__BILINEAR;
    t->seed = in->seed;
    return GR_OK;
}

/* A picture as it is says what is left open. */
static gr_status find_size(gr__sight_task *t)
{
    const gr__sight_options *o = &t->o;
    gr__image image;
    t->height = o->size.n ? o->size.item[0] : 0;
    t->width = o->size.n ? o->size.item[o->size.n - 1] : 0;
    t->channels = o->channels;
    gr_status status = GR_OK;
    for (int64_t i = 0; i < gr__image_set_count(t->set[0]) && (!t->height || !t->channels); i++) {
        status = gr__image_set_decode(t->set[0], i, NULL, &image);
        if (status != GR_OK && !o->skip_bad) return status;
        if (status != GR_OK) continue;
        if (!t->height) t->height = image.height, t->width = image.width;
        if (!t->channels) t->channels = image.channels == 1 ? 1 : 3;
        gr__image_release(&image);
    }
    GR_TRY(status);
    GR_FAIL_IF(t->height > MOST_EDGE || t->width > MOST_EDGE, GR_ERR_LIMIT,
               "pictures of %lld x %lld are too large; set data.size", (long long)t->height, (long long)t->width);
    return GR_OK;
}

static gr_status open_sets(gr__sight_task *t)
{
    const gr__sight_options *o = &t->o;
    gr__image_set_options so = {.labels = o->labels, .hundred = o->hundred};
    const char *path[] = {o->source, o->labels, o->valid_source, o->valid_labels};
    for (size_t i = 0; i < GR__COUNT(path); i++)
        GR_FAIL_IF(path[i] && !gr__file_exists(path[i]), GR_ERR_NOT_FOUND, "'%s' does not exist", path[i]);
    GR_TRY(gr__image_set_open(o->source, &so, &t->set[0]));
    so.labels = o->valid_labels;
    if (o->valid_source) GR_TRY(gr__image_set_open(o->valid_source, &so, &t->set[1]));
    t->classes = (int64_t)gr__image_set_classes(t->set[0]);
    GR_FAIL_IF(t->classes < 2, GR_ERR_DATA, "'%s' has %lld classes; there is nothing to tell apart", o->source,
               (long long)t->classes);
    for (int s = 0; s < 2 && t->set[s]; s++)
        for (int64_t i = 0; i < gr__image_set_count(t->set[s]); i++)
            GR_FAIL_IF(gr__image_set_sample(t->set[s], i)->label < 0, GR_ERR_DATA, "'%s': '%s' has no label",
                       s ? o->valid_source : o->source, gr__image_set_sample(t->set[s], i)->name);
    for (size_t k = 0; t->set[1] && k < gr__image_set_classes(t->set[1]); k++) {
        const char *name = gr__image_set_class(t->set[1], k);
        GR_FAIL_IF((int64_t)k >= t->classes || strcmp(name, gr__image_set_class(t->set[0], k)) != 0, GR_ERR_DATA,
                   "'%s' has the class '%.100s', which is not the one at this place in '%s'", o->valid_source, name,
                   o->source);
    }
    return find_size(t);
}

static gr_status make_model(gr__sight_task *t, const gr__task_in *in)
{
    const gr__conf *section = gr__conf_get(in->root, "model");
    gr__facts facts = {
        .height = t->height, .width = t->width, .channels = t->channels, .mean = t->o.mean, .std = t->o.std};
    t->names.n = (size_t)t->classes;
    t->names.item = gr__arena_alloc(&t->base.arena, t->names.n * sizeof *t->names.item);
    if (!t->names.item) return gr__fail_memory("labels", t->names.n * sizeof *t->names.item);
    for (size_t k = 0; k < t->names.n; k++) t->names.item[k] = gr__image_set_class(t->set[0], k);
    facts.labels = t->names;
    if (!section || (section->kind == GR__CONF_MAP && !gr__conf_get(section, "type")))
        GR_TRY(gr__conf_set(in->root, "model.type", "resnet", &t->base.arena));
    const gr__family *family;
    if (gr__family_find(gr__model_type(in->root, "resnet"), &family) == GR_OK && family->kind != GR__KIND_PICTURE)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not look at pictures; use 'resnet', 'lenet' or 'layers'", family->name);
    return gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &t->base.model);
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__sight_task *t = (gr__sight_task *)base;
    GR_TRY(read_options(t, in));
    GR_TRY(open_sets(t));
    GR_TRY(split(t));
    GR_TRY(read_pictures(t));
    GR_TRY(make_model(t, in));
    GR_TRY(gr__label_score_new(&t->names, &t->scores));
    for (int i = 0; i < 2; i++) base->samples[i] = base->units[i] = t->part[i].n;
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__sight_task *t = (gr__sight_task *)base;
    gr__label_score_free(&t->scores);
    for (int i = 0; i < 2; i++) {
        gr__free(t->part[i].index);
        gr__free(t->part[i].pixels);
        gr__image_set_close(&t->set[i]);
    }
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__sight_task *t = (gr__sight_task *)base;
    gr_picture_values v;
    gr_loss_options o = {.label_smoothing = train ? t->smoothing : 0};
    GR_TRY(gr_model_build_picture(base->model, g, batch, train, program, &v));
    gr_value targets = gr_input(g, "targets", GR_I32, 1, &batch);
    *out = gr_loss_cross_entropy(g, v.logits, targets, &o);
    if (!train) gr_output(g, program, "probability", gr_softmax(g, v.logits));
    return gr_graph_status(g);
}

typedef struct batch_fill {
    gr__sight_task *t;
    gr__split split;
    int64_t first;
    float *pictures;
    int32_t *targets;
} batch_fill;

static int64_t training_row(const gr__sight_task *t, int64_t sample)
{
    return gr__rng_row(t->seed, 0x7069637300000000u, t->part[0].n, sample);
}

/* Into the batch; false when the picture has gone since, or memory is short: then it does not count. */
static bool put(gr__sight_task *t, gr__split split, int64_t row, uint64_t epoch, float *out)
{
    const gr__sight_part *p = &t->part[split];
    gr__image changed, image = {.width = t->width, .height = t->height, .channels = (int)t->channels, .depth = 8};
    uint8_t *own = NULL;
    bool change = split == GR__SPLIT_TRAIN && t->changes, fine = true;
    if (p->pixels) {
        image.pixels = p->pixels + row * size_of(t);
    } else {
        image.pixels = own = gr__alloc((size_t)size_of(t));
        fine = own && load(t, p, row, own) == GR_OK;
    }
    if (fine && change) {
        gr__augment_options o = t->change.o;
        o.width = t->width, o.height = t->height;
        fine = gr__image_augment(&image, &o, t->seed, epoch, (uint64_t)row, &changed) == GR_OK;
    }
    if (fine) gr__image_to_floats(change ? &changed : &image, t->mean, t->std, false, out);
    if (fine && change) gr__image_release(&changed);
    if (!fine) memset(out, 0, (size_t)size_of(t) * sizeof *out);
    gr__free(own);
    return fine;
}

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    batch_fill *f = context;
    const gr__sight_part *p = &f->t->part[f->split];
    int64_t sample = f->first + b;
    bool train = f->split == GR__SPLIT_TRAIN, real = train || sample < p->n;
    int64_t row = train ? training_row(f->t, sample) : real ? sample : p->n - 1;
    real &= put(f->t, f->split, row, (uint64_t)(sample / p->n), f->pictures + b * size_of(f->t));
    f->targets[b] = real ? gr__image_set_sample(p->set, p->index[row])->label : -1;
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, gr_session *session)
{
    gr_tensor pictures, targets;
    if (gr_session_input(session, "pictures", &pictures) != GR_OK ||
        gr_session_input(session, "targets", &targets) != GR_OK)
        return;
    batch_fill f = {(gr__sight_task *)base, split, first, pictures.data, targets.data};
    gr__parallel(batch, fill_one, &f);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__sight_task *t = (gr__sight_task *)base;
    const gr__sight_part *p = &t->part[1];
    gr_tensor said, targets;
    if (gr_session_output(session, "probability", &said) != GR_OK ||
        gr_session_input(session, "targets", &targets) != GR_OK)
        return;
    if (first == 0) gr__label_score_clear(t->scores);
    gr__label_score_add_rows(t->scores, said.data, targets.data, first, GR__MIN(batch, p->n - first));
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    int n;
    gr__label_score_metrics(((gr__sight_task *)base)->scores, out, capacity, &n);
    return n;
}

static const char *name_of(void *user, int64_t sample, char room[256])
{
    (void)room;
    const gr__sight_part *p = &((gr__sight_task *)user)->part[1];
    return gr__image_set_sample(p->set, p->index[sample])->name;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    return gr__label_score_panels(((gr__sight_task *)base)->scores, name_of, base, page);
}

const gr__task_kind gr__task_image_classification = {
    .name = "image-classification",
    .summary = "pictures to labels",
    .unit = "picture",
    .epochs = 10,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__sight_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
