/* Pictures to boxes with labels. The annotations are looked through when the data are opened: a box without area or one that
 * reaches out of its picture is named with file and line, and refused unless 'skip_bad' says to drop or cut it. Pictures
 * are fitted into the model's size with their own shape; boxes move with what augmentation does to a picture. */
#include "task/task.h"

#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/str.h"
#include "gradus/metric.h"
#include "metric/html.h"
#include "model/detect.h"
#include "task/assign.h"
#include "task/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_EDGE = 1 << 13, MOST_BOXES = 1 << 12, MOST_SAID = 20, MOST_NAMED = 8, SHOWN = 6, SHOWN_WIDTH = 420 };
#define LEAST_SEEN 0.3f /* of a box that augmentation cuts: what is less is no object any more */

typedef struct gr__boxes_options {
    const char *source, *split, *pictures, *valid_source, *valid_split, *valid_pictures;
    const gr__conf *augment;
    double valid;
    gr__conf_ints size;
    int64_t channels, cache_mib;
    gr__conf_doubles mean, std;
    bool skip_bad;
} gr__boxes_options;

typedef struct gr__boxes_loss {
    int overlap;
    double box, gamma, radius;
} gr__boxes_loss;

typedef struct gr__boxes_task {
    gr__task base;
    gr__image_set *set[2]; /* the second: validation of its own */
    gr__pictures part[2];
    gr__boxes_options o;
    gr__boxes_loss loss;
    gr__picture_augment change;
    bool changes;
    gr__picture_shape shape;
    int64_t grid_height, grid_width, stride, cut, dropped, usable;
    int32_t classes;
    uint64_t seed;
    float mean[4], std[4];
    gr_detections *detections;
    gr_detection *found; /* of one picture */
    size_t found_capacity;
    gr_detection *shown[SHOWN]; /* of the first pictures for validation */
    size_t n_shown[SHOWN];
} gr__boxes_task;

#define AT(field) offsetof(gr__boxes_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "a Pascal VOC folder (Annotations, JPEGImages), or a COCO .json", GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"split", GR__CONF_STRING, AT(split), 0, 0, NULL, NULL, "VOC: ImageSets/Main/SPLIT.txt names the pictures", 0},
    {"pictures", GR__CONF_STRING, AT(pictures), 0, 0, NULL, NULL, "COCO: folder of the pictures; default: of the .json",
     0},
    {"valid_source", GR__CONF_STRING, AT(valid_source), 0, 0, NULL, NULL,
     "the same for validation; default: 'source' where 'valid_split' is given", 0},
    {"valid_split", GR__CONF_STRING, AT(valid_split), 0, 0, NULL, NULL, "VOC: the split for validation", 0},
    {"valid_pictures", GR__CONF_STRING, AT(valid_pictures), 0, 0, NULL, NULL, "COCO: as 'pictures'", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0.2",
     "share of the pictures for validation, drawn by the seed, where none is named", 0},
    {"size", GR__CONF_INT_LIST, AT(size), 1, MOST_EDGE, NULL, NULL,
     "edge, or height and width, into which pictures are fitted; default: of the first one", 0},
    {"channels", GR__CONF_INT, AT(channels), 0, 3, NULL, "0", "1 gray, 3 colours; 0: as the first picture", 0},
    {"mean", GR__CONF_DOUBLE_LIST, AT(mean), 0, 1, NULL, NULL,
     "of each channel, in [0, 1]; default: of the training part", 0},
    {"std", GR__CONF_DOUBLE_LIST, AT(std), 0, 1, NULL, NULL, "deviation of each channel; default: of the training part",
     GR__CONF_ABOVE_MIN},
    {"augment", GR__CONF_SECTION, AT(augment), 0, 0, NULL, NULL, "random changes of training pictures", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false",
     "leave out pictures that cannot be read and boxes without area, cut boxes that reach outside", 0},
    {"cache_mib", GR__CONF_INT, AT(cache_mib), 0, 1 << 24, NULL, "1024",
     "decoded pictures stay in memory where they take no more", 0},
};
#undef AT
static const gr__conf_row augment_rows[] = {GR__PICTURE_AUGMENT_ROWS};
/* ORDER OVERLAP: gr_overlap_kind */
static const char *const overlaps[] = {"iou", "giou", "ciou", NULL};
#define AT(field) offsetof(gr__boxes_loss, field)
static const gr__conf_row loss_rows[] = {
    {"overlap", GR__CONF_ENUM, AT(overlap), 0, 0, overlaps, "giou", "how far predicted and true box are one", 0},
    {"box", GR__CONF_DOUBLE, AT(box), 0, 1000, NULL, "2", "weight of the boxes' loss beside that of the scores", 0},
    {"gamma", GR__CONF_DOUBLE, AT(gamma), 0, 10, NULL, "2", "of the focal loss of the scores", 0},
    {"radius", GR__CONF_DOUBLE, AT(radius), 0, 100, NULL, "1.5",
     "places so many strides around the middle of a box are to say it", 0},
};
#undef AT
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"data.augment", augment_rows, GR__COUNT(augment_rows), "random changes of training pictures and their boxes"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "focal loss towards the overlap that is reached, and overlap of boxes"},
};

/* ---- opening ---- */

static gr_status read_options(gr__boxes_task *t, const gr__task_in *in)
{
    gr__arena *arena = &t->base.arena;
    gr__boxes_options *o = &t->o;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), o, arena));
    GR_TRY(gr__conf_read(o->augment, "data.augment", augment_rows, GR__COUNT(augment_rows), &t->change, arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, arena));
    if (o->size.n > 2)
        return gr__conf_fail(gr__conf_find(in->root, "data.size"), "'data.size' is an edge, or height and width");
    if (o->channels == 2) return gr__conf_fail(gr__conf_find(in->root, "data.channels"), "'data.channels' is 1 or 3");
    GR_TRY(gr__picture_augment_finish(&t->change, o->augment));
    t->changes = !gr__conf_is_null(o->augment);
    t->change.o.fill = GR__LETTERBOX_FILL;
    t->seed = in->seed;
    return GR_OK;
}

static gr_status open_set(const gr__boxes_options *o, const char *path, const char *split, const char *pictures,
                          const gr__image_set *like, gr__image_set **out)
{
    GR_FAIL_IF(!gr__file_exists(path), GR_ERR_NOT_FOUND, "'%s' does not exist", path);
    gr__image_set_options io = {.split = split, .pictures = pictures, .like = like, .skip_bad = o->skip_bad};
    return gr__image_set_open(path, &io, out);
}

static gr_status open_sets(gr__boxes_task *t)
{
    const gr__boxes_options *o = &t->o;
    GR_TRY(open_set(o, o->source, o->split, o->pictures, NULL, &t->set[0]));
    const char *other = o->valid_source ? o->valid_source : o->valid_split ? o->source : NULL;
    if (other) GR_TRY(open_set(o, other, o->valid_split, o->valid_pictures, t->set[0], &t->set[1]));
    t->classes = (int32_t)gr__image_set_classes(t->set[0]);
    GR_FAIL_IF(t->classes < 1, GR_ERR_DATA, "'%s' has no boxes", o->source);
    t->shape = (gr__picture_shape){.height = o->size.n ? o->size.item[0] : 0,
                                   .width = o->size.n ? o->size.item[o->size.n - 1] : 0,
                                   .channels = o->channels,
                                   .letterbox = true,
                                   .fill = GR__LETTERBOX_FILL};
    return gr__pictures_find_shape(t->set[0], o->skip_bad, MOST_EDGE, &t->shape);
}

static gr_status split(gr__boxes_task *t)
{
    int64_t n = gr__image_set_count(t->set[0]), held = t->set[1] ? 0 : llround(t->o.valid * (double)n);
    uint64_t key = gr__rng_key(t->seed, 0x626f786573000000u);
    for (int i = 0; i < 2; i++) GR_TRY(gr__pictures_new(&t->part[i], t->set[i] ? t->set[i] : t->set[0]));
    for (int64_t i = 0; i < n; i++) {
        gr__pictures *p = &t->part[(int64_t)gr__permute(key, (uint64_t)n, (uint64_t)i) < held];
        p->index[p->n++] = (int32_t)i;
    }
    for (int64_t i = 0; t->set[1] && i < gr__image_set_count(t->set[1]); i++)
        t->part[1].index[t->part[1].n++] = (int32_t)i;
    return GR_OK;
}

/* A box that cannot be used as it is: refused, or said with what becomes of it. */
static gr_status odd_box(gr__boxes_task *t, const char *notes, const gr__box *b, const char *what, bool is_cut)
{
    const char *place = strstr(notes, ".json") ? "annotation " : "";
    gr__str text = {0};
    gr__str_printf(&text, "%s:%s%d: the box (%g, %g) to (%g, %g) of '%.60s' %s", notes, place, (int)b->line,
                   (double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1,
                   b->class_name ? b->class_name : gr__image_set_class(t->set[0], (size_t)b->class_index), what);
    gr_status status = gr__str_check(&text);
    if (status == GR_OK && !t->o.skip_bad)
        status = gr__fail(GR_ERR_DATA, "%s; correct it, or set data.skip_bad", gr__str_get(&text));
    if (status == GR_OK && t->cut + t->dropped < MOST_SAID)
        gr__log(GR_LOG_WARNING, "%s: %s", is_cut ? "cut" : "left out", gr__str_get(&text));
    ++*(is_cut ? &t->cut : &t->dropped);
    gr__str_release(&text);
    return status;
}

static gr_status check_boxes(gr__boxes_task *t, const gr__pictures *p)
{
    for (int64_t i = 0; i < p->n; i++) {
        const gr__image_sample *s = gr__image_set_sample(p->set, p->index[i]);
        float w = (float)p->decoded[2 * i], h = (float)p->decoded[2 * i + 1];
        GR_FAIL_IF(s->n_boxes > MOST_BOXES, GR_ERR_LIMIT, "'%s' has %zu boxes; %d are possible", s->name, s->n_boxes,
                   MOST_BOXES);
        for (size_t k = 0; k < s->n_boxes; k++) {
            const gr__box *b = &s->box[k];
            bool some = b->x0 < w && b->y0 < h && b->x1 > 0 && b->y1 > 0;
            t->usable += p == &t->part[0] && some && !b->crowd;
            if (b->x0 >= 0 && b->y0 >= 0 && b->x1 <= w && b->y1 <= h) continue;
            GR_TRY(odd_box(t, s->notes ? s->notes : s->name, b,
                           some ? "reaches out of its picture" : "lies outside of its picture", some));
        }
    }
    return GR_OK;
}

static gr_status check_sets(gr__boxes_task *t)
{
    for (int i = 0; i < 2 && t->set[i]; i++)
        for (size_t k = 0; k < gr__image_set_empty_boxes(t->set[i]); k++) {
            const char *notes;
            const gr__box *b = gr__image_set_empty_box(t->set[i], k, &notes);
            GR_TRY(odd_box(t, notes, b, "has no area", false));
        }
    return GR_OK;
}

static gr_status read_pictures(gr__boxes_task *t, const gr__task_in *in)
{
    gr__picture_sums sums[2] = {0};
    for (int i = 0; i < 2; i++) t->part[i].shape = t->shape;
    double bytes = (double)(t->part[0].n + t->part[1].n) * (double)gr__pictures_each(&t->part[0]);
    bool keep = bytes <= (double)t->o.cache_mib * 1048576;
    for (int i = 0; i < 2; i++) {
        GR_TRY(gr__pictures_read(&t->part[i], keep, t->o.skip_bad, &sums[i]));
        GR_TRY(check_boxes(t, &t->part[i]));
    }
    if (t->dropped) gr__log(GR_LOG_WARNING, "boxes that were left out: %lld", (long long)t->dropped);
    if (t->cut) gr__log(GR_LOG_WARNING, "boxes that were cut at the edges of their pictures: %lld", (long long)t->cut);
    GR_FAIL_IF(t->usable == 0, GR_ERR_DATA, "'%s' has no boxes to learn from in the %lld pictures for training",
               t->o.source, (long long)t->part[0].n);
    GR_TRY(gr__pictures_leak(t->part, &t->base.arena, &t->base.report));
    GR_TRY(gr__pictures_fit(&t->part[0], &sums[0], &in->kept, &t->base.arena, &t->o.mean, &t->o.std));
    for (size_t i = 0; i < t->o.mean.n; i++) t->mean[i] = (float)t->o.mean.item[i], t->std[i] = (float)t->o.std.item[i];
    return GR_OK;
}

static gr_status make_model(gr__boxes_task *t, const gr__task_in *in)
{
    gr__facts facts = {.height = t->shape.height,
                       .width = t->shape.width,
                       .channels = t->shape.channels,
                       .mean = t->o.mean,
                       .std = t->o.std};
    GR_TRY(gr__image_set_labels(t->set[0], &t->base.arena, &facts.labels));
    GR_TRY(gr__model_default(in->root, "detector", &t->base.arena));
    const gr__family *family;
    if (gr__family_find(gr__model_type(in->root, "detector"), &family) == GR_OK && family->kind != GR_MODEL_DETECTOR)
        return gr__conf_fail(gr__conf_find(in->root, "model"), "model '%s' finds no boxes; use 'detector'",
                             family->name);
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &t->base.model));
    t->base.model->family->places(t->base.model->config, &t->grid_height, &t->grid_width, &t->stride);
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__boxes_task *t = (gr__boxes_task *)base;
    GR_TRY(read_options(t, in));
    GR_TRY(open_sets(t));
    GR_TRY(check_sets(t));
    GR_TRY(split(t));
    GR_TRY(read_pictures(t, in));
    GR_TRY(make_model(t, in));
    GR_TRY(gr_detections_new(t->classes, &t->detections));
    for (int i = 0; i < 2; i++) base->samples[i] = base->units[i] = t->part[i].n;
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__boxes_task *t = (gr__boxes_task *)base;
    gr_detections_free(&t->detections);
    gr__free(t->found);
    for (int i = 0; i < SHOWN; i++) gr__free(t->shown[i]);
    for (int i = 0; i < 2; i++) {
        gr__pictures_release(&t->part[i]);
        gr__image_set_close(&t->set[i]);
    }
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__boxes_task *t = (gr__boxes_task *)base;
    gr_detector_values v;
    GR_TRY(gr_model_build_detector(base->model, g, batch, train, program, &v));
    const int64_t dim[] = {batch, t->grid_height * t->grid_width, 4};
    gr_value labels = gr_input(g, "labels", GR_I32, 2, dim), targets = gr_input(g, "targets", GR_F32, 3, dim),
             counts = gr_input(g, "counts", GR_F32, 2, dim);
    gr_value ones = gr_one_hot(g, labels, t->classes, GR_F32), there = gr_sum(g, ones, 1u << 2, true);
    /* A score is to be the overlap that the place reaches: Li et al. 2020. */
    gr_value reached = gr_mul(g, gr_box_overlap(g, GR_OVERLAP_IOU, v.boxes, targets), gr_reshape(g, there, 2, dim));
    gr_value wanted = gr_mul(g, ones, gr_reshape(g, reached, 3, (int64_t[]){dim[0], dim[1], 1}));
    gr_focal_options focal = {.weight = counts, .gamma = t->loss.gamma, .no_gamma = t->loss.gamma == 0};
    gr_loss scores = gr_loss_focal(g, v.logits, gr_stop_gradient(g, wanted), &focal);
    gr_value place = gr_reshape(g, there, 2, dim);
    gr_loss boxes =
        gr_loss_box(g, (gr_overlap_kind)t->loss.overlap, v.boxes, targets, &(gr_loss_options){.weight = place});
    out->sum = gr_add(g, scores.sum, gr_affine(g, boxes.sum, t->loss.box, 0));
    out->weight =
        gr_stop_gradient(g, gr_clamp(g, boxes.weight, 1, 1e30)); /* of objects' places; a batch may have none */
    if (!train) {
        gr_output(g, program, "scores", gr_sigmoid(g, v.logits));
        gr_output(g, program, "boxes", v.boxes);
    }
    return gr_graph_status(g);
}

/* The letterbox that made the picture of p->shape out of sample 'row'. */
static gr__letterbox letterbox_of(const gr__pictures *p, int64_t row)
{
    return gr__image_letterbox_of(p->decoded[2 * row], p->decoded[2 * row + 1], p->shape.width, p->shape.height);
}

/* Inside width x height as far as it goes; the share that is left. */
static float cut(gr__box *b, float width, float height)
{
    float was = (b->x1 - b->x0) * (b->y1 - b->y0);
    b->x0 = fmaxf(b->x0, 0), b->y0 = fmaxf(b->y0, 0);
    b->x1 = fminf(b->x1, width), b->y1 = fminf(b->y1, height);
    return b->x1 > b->x0 && b->y1 > b->y0 ? (b->x1 - b->x0) * (b->y1 - b->y0) / was : 0;
}

static void move(double scale, double shift, float *low, float *high)
{
    float a = (float)((double)*low * scale + shift), b = (float)((double)*high * scale + shift);
    *low = fminf(a, b);
    *high = fmaxf(a, b);
}

/* The boxes of a sample where augmentation has put them; returns how many. */
static size_t place_boxes(const gr__pictures *p, int64_t row, const gr__moved *m, gr__box *out)
{
    const gr__image_sample *s = gr__image_set_sample(p->set, p->index[row]);
    gr__letterbox l = letterbox_of(p, row);
    size_t n = 0;
    for (size_t k = 0; k < s->n_boxes; k++) {
        gr__box b = s->box[k];
        if (cut(&b, (float)p->decoded[2 * row], (float)p->decoded[2 * row + 1]) <= 0) continue;
        move(l.scale, (double)l.x0, &b.x0, &b.x1);
        move(l.scale, (double)l.y0, &b.y0, &b.y1);
        move(m->scale_x, m->shift_x, &b.x0, &b.x1);
        move(m->scale_y, m->shift_y, &b.y0, &b.y1);
        if (cut(&b, (float)p->shape.width, (float)p->shape.height) >= LEAST_SEEN) out[n++] = b;
    }
    return n;
}

typedef struct batch_fill {
    gr__boxes_task *t;
    gr__split split;
    int64_t first;
    float *pictures, *targets, *counts;
    int32_t *labels;
} batch_fill;

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    batch_fill *f = context;
    gr__boxes_task *t = f->t;
    const gr__pictures *p = &t->part[f->split];
    int64_t sample = f->first + b, places = t->grid_height * t->grid_width;
    bool train = f->split == GR__SPLIT_TRAIN, real = train || sample < p->n;
    int64_t row = train ? gr__rng_row(t->seed, 0x626f787300000000u, p->n, sample) : real ? sample : p->n - 1;
    gr__moved moved;
    gr__box box[MOST_BOXES];
    real &= gr__pictures_put(p, row, train && t->changes ? &t->change.o : NULL, t->seed, (uint64_t)(sample / p->n),
                             t->mean, t->std, &moved, f->pictures + b * gr__pictures_each(p));
    gr__assigned to = {f->labels + b * places, f->targets + b * places * 4, f->counts + b * places};
    gr__assign(box, real ? place_boxes(p, row, &moved, box) : 0, t->grid_height, t->grid_width, t->stride,
               t->loss.radius, &to);
    if (!real) memset(to.counts, 0, (size_t)places * sizeof *to.counts);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    static const char *const names[] = {"pictures", "targets", "counts", "labels"};
    gr_tensor in[GR__COUNT(names)];
    for (size_t i = 0; i < GR__COUNT(names); i++)
        if (!gr__inputs_find(to, names[i], &in[i])) return;
    batch_fill f = {(gr__boxes_task *)base, split, first, in[0].data, in[1].data, in[2].data, in[3].data};
    gr__parallel(batch, fill_one, &f);
}

/* ---- scores ---- */

/* What 'predict' would show. */
static gr_status keep_shown(gr__boxes_task *t, int64_t row, size_t n)
{
    double least = gr__detect_resolve(NULL).least;
    while (n && t->found[n - 1].score < least) n--;
    gr__free(t->shown[row]);
    t->n_shown[row] = n;
    t->shown[row] = gr__alloc((n + 1) * sizeof *t->shown[row]);
    if (!t->shown[row]) return gr__fail_memory("boxes", n * sizeof *t->shown[row]);
    if (n) memcpy(t->shown[row], t->found, n * sizeof *t->shown[row]);
    return GR_OK;
}

static gr_status judge(gr__boxes_task *t, const gr__pictures *p, int64_t row, const float *score, const float *boxes)
{
    gr_detect_options o = gr__detect_resolve(&(gr_detect_options){.least = 0.01});
    gr__letterbox l = letterbox_of(p, row);
    const gr__image_sample *s = gr__image_set_sample(p->set, p->index[row]);
    int64_t w = p->decoded[2 * row], h = p->decoded[2 * row + 1];
    gr_truth truth[MOST_BOXES];
    size_t n, n_truth = 0;
    for (size_t k = 0; k < s->n_boxes; k++) {
        gr__box b = s->box[k];
        if (cut(&b, (float)w, (float)h) <= 0) continue;
        truth[n_truth++] = (gr_truth){.box = {(double)b.x0, (double)b.y0, (double)(b.x1 - b.x0), (double)(b.y1 - b.y0)},
                                      .category = b.class_index,
                                      .crowd = b.crowd,
                                      .difficult = b.difficult};
    }
    GR_TRY(gr__detect_boxes(score, boxes, t->grid_height * t->grid_width, t->classes, &o, &l, w, h, &t->found, &n,
                            &t->found_capacity));
    if (row < SHOWN) GR_TRY(keep_shown(t, row, n));
    return gr_detections_update(t->detections, truth, n_truth, t->found, n);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__boxes_task *t = (gr__boxes_task *)base;
    const gr__pictures *p = &t->part[1];
    gr_tensor scores, boxes;
    int64_t places = t->grid_height * t->grid_width;
    if (gr_session_output(session, "scores", &scores) != GR_OK || gr_session_output(session, "boxes", &boxes) != GR_OK)
        return;
    if (first == 0) {
        gr_detections_free(&t->detections);
        if (gr_detections_new(t->classes, &t->detections) != GR_OK) return;
    }
    for (int64_t i = 0; i < batch && first + i < p->n && t->detections; i++)
        if (judge(t, p, first + i, (float *)scores.data + i * places * t->classes,
                  (float *)boxes.data + i * places * 4) != GR_OK)
            return;
}

/* "ap50_", as many whole characters of the name as there is room for, and the text behind. */
static void write_key(char *key, size_t room, const char *name, const char *behind)
{
    static const char unreadable[] = "\xEF\xBF\xBD"; /* U+FFFD */
    size_t n = (size_t)snprintf(key, room, "ap50_"), left = strlen(name);
    room -= strlen(behind) + 1;
    while (left > 0) {
        size_t step = gr__utf8_step(name, left), bytes = step ? step : sizeof unreadable - 1;
        if (n + bytes > room) break;
        memcpy(key + n, step ? name : unreadable, bytes);
        n += bytes;
        step = GR__MAX(step, 1);
        name += step, left -= step;
    }
    strcpy(key + n, behind);
}

/* Names that are the same as far as there is room are numbered: a key that stands twice is no JSON. */
static void name_metric(gr_metric *m, int n, const char *class)
{
    char number[16] = "";
    for (int twin = 2;; twin++) {
        int k = 0;
        write_key(m[n].name, sizeof m[n].name, class, number);
        while (k < n && strcmp(m[k].name, m[n].name) != 0) k++;
        if (k == n) return;
        snprintf(number, sizeof number, "_%d", twin);
    }
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    const gr__boxes_task *t = (const gr__boxes_task *)base;
    gr_detection_scores s;
    int n = 0;
    if (!t->detections || gr_detections_result(t->detections, -1, &s) != GR_OK) return 0;
    const gr_metric all[] = {{"map50", s.ap50}, {"map", s.ap}, {"map75", s.ap75}, {"recall", s.recall}};
    for (size_t i = 0; i < GR__COUNT(all) && n < capacity; i++) out[n++] = all[i];
    for (int32_t k = 0; k < t->classes && t->classes <= MOST_NAMED && n < capacity; k++) {
        if (gr_detections_result(t->detections, k, &s) != GR_OK) return n;
        name_metric(out, n, gr__image_set_class(t->set[0], (size_t)k));
        out[n++].value = s.ap50;
    }
    return n;
}

/* ---- report ---- */

static gr_status show(gr__boxes_task *t, int64_t row, gr__str *page)
{
    static const uint8_t white[] = {255, 255, 255};
    const gr__pictures *p = &t->part[1];
    const gr__image_sample *s = gr__image_set_sample(p->set, p->index[row]);
    gr__image image;
    gr__str png = {0};
    GR_TRY(gr__image_set_decode(p->set, p->index[row], &(gr__image_options){.channels = 3}, &image));
    for (size_t k = 0; k < s->n_boxes; k++) {
        const gr__box *b = &s->box[k];
        gr__image_frame(&image, (double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1,
                        2 * gr__detect_thickness(&image), white);
    }
    gr__detect_draw(&image, t->shown[row], t->n_shown[row]);
    gr_status status = gr__png_encode(&image, s->name, &png);
    if (status == GR_OK) gr__html_picture(page, png.text, png.n, SHOWN_WIDTH, s->name);
    gr__str_release(&png);
    gr__image_release(&image);
    return status;
}

static gr_status show_scores(gr__boxes_task *t, gr__str *page)
{
    static const char *const head[] = {"colour", "label", "AP .50", "AP .50 to .95", "recall"};
    gr__str swatch = {0};
    gr_status status = GR_OK;
    gr__html_table_begin(page, head, GR__COUNT(head));
    for (int32_t k = 0; k < t->classes; k++) {
        gr_detection_scores s;
        char text[3][32];
        GR_TRY_DONE(gr_detections_result(t->detections, k, &s));
        const double v[] = {s.ap50, s.ap, s.recall};
        for (int i = 0; i < 3; i++) snprintf(text[i], sizeof text[i], "%.4f", v[i]);
        const char *cells[] = {gr__image_set_class(t->set[0], (size_t)k), text[0], text[1], text[2]};
        gr__str_clear(&swatch);
        gr__html_swatch(&swatch, gr__detect_colour(k));
        gr__html_table_row_with(page, gr__str_get(&swatch), cells, GR__COUNT(cells));
        page->failed |= swatch.failed;
    }
    gr__html_table_end(page);
done:
    gr__str_release(&swatch);
    return status;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    gr__boxes_task *t = (gr__boxes_task *)base;
    gr__html_section(page, "Boxes");
    GR_TRY(show_scores(t, page));
    gr__html_paragraph(page, "White: as annotated; in the colour of the label: as found, scores of at least 0.3.");
    for (int64_t i = 0; i < SHOWN && i < t->part[1].n && t->shown[i]; i++)
        if (show(t, i, page) == GR_ERR_MEMORY) return GR_ERR_MEMORY; /* a build without PNG shows none */
    return GR_OK;
}

const gr__task_kind gr__task_object_detection = {
    .name = "object-detection",
    .summary = "pictures to boxes with labels",
    .unit = "picture",
    .epochs = 100,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__boxes_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
