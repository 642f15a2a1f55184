/* Pictures to labels. Every picture is decoded once when the data are opened: a bad one is known before training, the
 * training part gives mean and deviation of each channel, and what fits into data.cache_mib stays in memory, resized. A
 * sample is changed at random ('data.augment') as its number in the endless stream says: the same for any number of
 * threads and after a resume. */
#include "task/classes.h"

#include "base/file.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "image/mix.h"
#include "model/picture.h"
#include "task/pictures.h"

#include <math.h>
#include <string.h>

enum { MOST_EDGE = 1 << 14 };

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
    gr__picture_augment p; /* first */
    double mixup, cutmix;
} gr__sight_augment;

typedef struct gr__sight_task {
    gr__task base;
    gr__image_set *set[2]; /* the second: valid_source */
    gr__pictures part[2];
    gr__sight_options o;
    gr__sight_augment change;
    bool changes;
    double smoothing;
    gr__picture_shape shape;
    int64_t classes;
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
    GR__PICTURE_AUGMENT_ROWS,
    {"rotate", GR__CONF_DOUBLE, AT(p.o.degrees), 0, 180, NULL, "0", "degrees, both ways", 0},
    {"area_min", GR__CONF_DOUBLE, AT(p.o.area_least), 0, 1, NULL, "0.08", "smallest cut-out with 'area_max'",
     GR__CONF_ABOVE_MIN},
    {"area_max", GR__CONF_DOUBLE, AT(p.o.area_most), 0, 1, NULL, "0", "largest cut-out that is resized; 0: none", 0},
    {"ratio", GR__CONF_DOUBLE, AT(p.o.ratio), 1, 100, NULL, "1.3333333333333333", "most of its width over its height",
     0},
    {"mixup", GR__CONF_DOUBLE, AT(mixup), 0, 100, NULL, "0",
     "of Beta(v, v) are the shares of two pictures in their mixture; 0: off", 0},
    {"cutmix", GR__CONF_DOUBLE, AT(cutmix), 0, 100, NULL, "0", "the same of a rectangle that changes places", 0},
    {"cutout", GR__CONF_INT, AT(p.o.cutout), 0, MOST_EDGE, NULL, "0", "edge of an erased square", 0},
};
#undef AT
static const gr__conf_row loss_rows[] = {
    {"label_smoothing", GR__CONF_DOUBLE, offsetof(gr__sight_task, smoothing), 0, 1, NULL, "0",
     "share of each target spread over all labels", GR__CONF_BELOW_MAX},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"data.augment", augment_rows, GR__COUNT(augment_rows), "random changes of training pictures"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "cross-entropy"},
};

/* ---- parts ---- */

/* Both parts stay in the order of the set. */
static gr_status split(gr__sight_task *t)
{
    const gr__image_set *set = t->set[0];
    int64_t n = gr__image_set_count(set);
    GR_TRY(gr__pictures_new(&t->part[0], set));
    GR_TRY(gr__pictures_new(&t->part[1], t->set[1] ? t->set[1] : set));
    if (t->set[1]) {
        for (int i = 0; i < 2; i++)
            for (int64_t k = 0; k < gr__image_set_count(t->set[i]); k++) t->part[i].index[t->part[i].n++] = (int32_t)k;
        return GR_OK;
    }
    gr_status status = GR_OK;
    int32_t *label = gr__calloc((size_t)n + 1, sizeof *label);
    uint8_t *valid = gr__calloc((size_t)n + 1, 1);
    if (!label || !valid) GR_TRY_DONE(gr__fail_memory("labels", (size_t)n * sizeof *label));
    for (int64_t i = 0; i < n; i++) label[i] = gr__image_set_sample(set, i)->label;
    GR_TRY_DONE(gr__classes_split(label, n, t->classes, t->o.valid, t->seed, valid));
    for (int64_t i = 0; i < n; i++) {
        gr__pictures *p = &t->part[valid[i]];
        p->index[p->n++] = (int32_t)i;
    }
done:
    gr__free(label);
    gr__free(valid);
    return status;
}

static gr_status read_pictures(gr__sight_task *t, const gr__task_in *in)
{
    gr__picture_sums sums[2] = {0};
    for (int i = 0; i < 2; i++) t->part[i].shape = t->shape;
    double bytes = (double)(t->part[0].n + t->part[1].n) * (double)gr__pictures_each(&t->part[0]);
    bool keep = bytes <= (double)t->o.cache_mib * 1048576;
    for (int i = 0; i < 2; i++) GR_TRY(gr__pictures_read(&t->part[i], keep, t->o.skip_bad, &sums[i]));
    GR_TRY(gr__pictures_leak(t->part, &t->base.arena, &t->base.report));
    GR_TRY(gr__pictures_fit(&t->part[0], &sums[0], &in->kept, &t->base.arena, &t->o.mean, &t->o.std));
    for (size_t i = 0; i < t->o.mean.n; i++) t->mean[i] = (float)t->o.mean.item[i], t->std[i] = (float)t->o.std.item[i];
    return GR_OK;
}

static gr_status check_left(gr__sight_task *t)
{
    int64_t *count = gr__arena_alloc(&t->base.arena, (size_t)t->classes * sizeof *count);
    if (!count) return gr__fail_memory("counts of classes", (size_t)t->classes * sizeof *count);
    memset(count, 0, (size_t)t->classes * sizeof *count);
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0; k < t->part[i].n; k++)
            count[gr__image_set_sample(t->part[i].set, t->part[i].index[k])->label]++;
    return gr__classes_left(&t->names, count, t->o.source, "pictures");
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
    if (t->change.p.o.area_most > 0 && t->change.p.o.area_most < t->change.p.o.area_least)
        return gr__conf_fail(t->o.augment, "'area_max' is below 'area_min'");
    GR_TRY(gr__picture_augment_finish(&t->change.p, t->o.augment));
    t->changes = !gr__conf_is_null(t->o.augment);
    t->seed = in->seed;
    return GR_OK;
}

static gr_status open_sets(gr__sight_task *t)
{
    const gr__sight_options *o = &t->o;
    gr__image_set_options so = {.labels = o->labels, .hundred = o->hundred, .skip_bad = o->skip_bad};
    const char *path[] = {o->source, o->labels, o->valid_source, o->valid_labels};
    for (size_t i = 0; i < GR__COUNT(path); i++)
        GR_FAIL_IF(path[i] && !gr__file_exists(path[i]), GR_ERR_NOT_FOUND, "'%s' does not exist", path[i]);
    GR_TRY(gr__image_set_open(o->source, &so, &t->set[0]));
    so.labels = o->valid_labels, so.like = t->set[0];
    if (o->valid_source) GR_TRY(gr__image_set_open(o->valid_source, &so, &t->set[1]));
    t->classes = (int64_t)gr__image_set_classes(t->set[0]);
    GR_FAIL_IF(t->classes < 2, GR_ERR_DATA, "'%s' has %lld classes; there is nothing to tell apart", o->source,
               (long long)t->classes);
    for (int s = 0; s < 2 && t->set[s]; s++)
        for (int64_t i = 0; i < gr__image_set_count(t->set[s]); i++)
            GR_FAIL_IF(gr__image_set_sample(t->set[s], i)->label < 0, GR_ERR_DATA, "'%s': '%s' has no label",
                       s ? o->valid_source : o->source, gr__image_set_sample(t->set[s], i)->name);
    t->shape = (gr__picture_shape){.height = o->size.n ? o->size.item[0] : 0,
                                   .width = o->size.n ? o->size.item[o->size.n - 1] : 0,
                                   .channels = o->channels};
    return gr__pictures_find_shape(t->set[0], o->skip_bad, MOST_EDGE, &t->shape);
}

static gr_status make_model(gr__sight_task *t, const gr__task_in *in)
{
    gr__facts facts = {.height = t->shape.height,
                       .width = t->shape.width,
                       .channels = t->shape.channels,
                       .mean = t->o.mean,
                       .std = t->o.std};
    facts.labels = t->names;
    return gr__classes_model(in, &facts, "look at pictures", &t->base.arena, &t->base.model);
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__sight_task *t = (gr__sight_task *)base;
    GR_TRY(read_options(t, in));
    GR_TRY(open_sets(t));
    GR_TRY(split(t));
    GR_TRY(read_pictures(t, in));
    GR_TRY(gr__image_set_labels(t->set[0], &t->base.arena, &t->names));
    if (t->o.skip_bad) GR_TRY(check_left(t));
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
        gr__pictures_release(&t->part[i]);
        gr__image_set_close(&t->set[i]);
    }
}

/* ---- batches ---- */

static bool mixes(const gr__sight_task *t) { return t->change.mixup > 0 || t->change.cutmix > 0; }

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__sight_task *t = (gr__sight_task *)base;
    gr_picture_values v;
    GR_TRY(gr_model_build_picture(base->model, g, batch, train, program, &v));
    if (!train || !mixes(t)) return gr__classes_build(g, v.logits, batch, train, t->smoothing, program, out);
    /* of each label its share: the same as soft targets */
    gr_value targets = gr_input(g, "targets", GR_I32, 1, &batch), others = gr_input(g, "others", GR_I32, 1, &batch),
             share = gr_input(g, "share", GR_F32, 1, &batch);
    gr_loss_options o = {.label_smoothing = t->smoothing, .weight = share}, rest = o;
    rest.weight = gr_affine(g, share, -1, 1);
    gr_loss own = gr_loss_cross_entropy(g, v.logits, targets, &o),
            other = gr_loss_cross_entropy(g, v.logits, others, &rest);
    *out = (gr_loss){gr_add(g, own.sum, other.sum), gr_add(g, own.weight, other.weight)};
    return gr_graph_status(g);
}

typedef struct batch_fill {
    gr__sight_task *t;
    gr__split split;
    int64_t first;
    float *pictures;
    int32_t *targets;
    int64_t batch;
    int32_t *others; /* labels of what is mixed in, and the share of a picture's own */
    float *share;
} batch_fill;

static int64_t training_row(const gr__sight_task *t, int64_t sample)
{
    return gr__rng_row(t->seed, 0x7069637300000000u, t->part[0].n, sample);
}

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    batch_fill *f = context;
    const gr__pictures *p = &f->t->part[f->split];
    int64_t sample = f->first + b;
    bool train = f->split == GR__SPLIT_TRAIN, real = train || sample < p->n;
    int64_t row = train ? training_row(f->t, sample) : real ? sample : p->n - 1;
    const gr__augment_options *change = train && f->t->changes ? &f->t->change.p.o : NULL;
    real &= gr__pictures_put(p, row, change, f->t->seed, (uint64_t)(sample / p->n), f->t->mean, f->t->std, NULL,
                             f->pictures + b * gr__pictures_each(p));
    f->targets[b] = real ? gr__image_set_sample(p->set, p->index[row])->label : -1;
}

/* Pictures of a batch in pairs, the first with the last: both become mixtures. */
static void mix_one(void *context, int64_t b, int thread)
{
    (void)thread;
    batch_fill *f = context;
    const gr__sight_task *t = f->t;
    int64_t pair = f->batch - 1 - b, each = gr__pictures_each(&t->part[0]);
    gr__rng r = gr__rng_sample(t->seed, 0x6d69780000000000u, (uint64_t)(f->first + b));
    double share = pair == b ? 1
                             : gr__mix_pair(&r, t->change.mixup, t->change.cutmix, t->shape.height, t->shape.width,
                                            t->shape.channels, f->pictures + b * each, f->pictures + pair * each);
    f->share[b] = f->share[pair] = (float)share;
    f->others[b] = f->targets[pair], f->others[pair] = f->targets[b];
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr_tensor pictures, targets;
    if (!gr__inputs_find(to, "pictures", &pictures) || !gr__inputs_find(to, "targets", &targets)) return;
    batch_fill f = {(gr__sight_task *)base, split, first, pictures.data, targets.data};
    gr__parallel(batch, fill_one, &f);
    gr_tensor others, share;
    if (split != GR__SPLIT_TRAIN || !mixes(f.t)) return;
    if (!gr__inputs_find(to, "others", &others) || !gr__inputs_find(to, "share", &share)) return;
    f.batch = batch, f.others = others.data, f.share = share.data;
    gr__parallel((batch + 1) / 2, mix_one, &f);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__sight_task *t = (gr__sight_task *)base;
    gr__classes_score(t->scores, first, GR__MIN(batch, t->part[1].n - first), session);
}

static gr_status tune(gr__task *base, const gr__tuning *how)
{
    return gr__label_score_tune(((gr__sight_task *)base)->scores, how, base->model);
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
    const gr__pictures *p = &((gr__sight_task *)user)->part[1];
    return gr__image_set_sample(p->set, p->index[sample])->name;
}

static gr_status picture_of(void *user, int64_t sample, gr__str *page)
{
    return gr__pictures_thumbnail(&((gr__sight_task *)user)->part[1], sample, page);
}

static gr_status panels(gr__task *base, gr__str *page)
{
    return gr__label_score_panels(((gr__sight_task *)base)->scores, name_of, picture_of, base, page);
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
    .tune = tune,
    .finish = finish,
    .panels = panels,
};
