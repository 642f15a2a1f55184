/* Sounds to labels: the bands of a sound are a picture of one channel, time downwards, and every family that looks at
 * pictures can be trained on it. */
#include "task/task.h"

#include "base/parallel.h"
#include "base/rng.h"
#include "task/classes.h"
#include "task/hearing.h"

#include <math.h>
#include <string.h>

typedef struct gr__ear_task {
    gr__task base;
    gr__hearing_options o;
    gr__hearing hear;
    gr__label_score *scores;
    double smoothing;
    int64_t length; /* samples that are heard */
    int64_t frames;
    int32_t *class_of[2];
} gr__ear_task;

static const gr__conf_row data_rows[] = {GR__HEARING_ROWS("label", "what is heard of a sound, from its middle")};
static const gr__conf_row loss_rows[] = {
    {"label_smoothing", GR__CONF_DOUBLE, offsetof(gr__ear_task, smoothing), 0, 1, NULL, "0",
     "share of each target spread over all labels", GR__CONF_BELOW_MAX},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    GR__HEARING_SECTIONS,
    {"loss", loss_rows, GR__COUNT(loss_rows), "cross-entropy"},
};

static int32_t class_of(const gr__hearing *h, const char *label)
{
    size_t k = 0;
    while (strcmp(h->names.item[k], label) != 0) k++; /* gr__hearing_open() has looked */
    return (int32_t)k;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__ear_task *t = (gr__ear_task *)base;
    gr__hearing *h = &t->hear;
    gr__arena *arena = &base->arena;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), t, arena));
    GR_TRY(gr__hearing_open(h, in, data_rows, GR__COUNT(data_rows), &t->o, true, arena));
    t->base.report = h->report;
    double wanted = t->o.seconds > 0 ? t->o.seconds * (double)h->features.rate : (double)h->longest;
    int64_t hops = GR__MAX((int64_t)ceil(wanted / (double)h->features.hop), 1);
    if (t->o.seconds == 0 && in->kept.features && in->kept.height > 1) hops = in->kept.height - 1;
    t->length = hops * h->features.hop;
    t->frames = gr__features_frames(&h->features, t->length);
    if (t->frames > 1 << 14) return gr__hearing_too_long(h, t->frames);
    gr__facts facts = {
        .height = t->frames, .width = h->features.mels, .channels = 1, .labels = h->names, .features = &h->features};
    GR_TRY(gr__classes_model(in, &facts, "look at the bands of sounds", arena, &base->model));
    GR_TRY(gr__label_score_new(&h->names, &t->scores));
    for (int i = 0; i < 2; i++) {
        size_t n = (size_t)h->part[i].n;
        t->class_of[i] = gr__arena_alloc(arena, (n + 1) * sizeof(int32_t));
        if (!t->class_of[i]) return gr__fail_memory("labels", n * sizeof(int32_t));
        for (size_t k = 0; k < n; k++) t->class_of[i][k] = class_of(h, gr__hearing_row(&h->part[i], (int64_t)k)->label);
        base->samples[i] = base->units[i] = h->part[i].n;
    }
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__ear_task *t = (gr__ear_task *)base;
    gr__label_score_free(&t->scores);
    gr__hearing_close(&t->hear);
}

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__ear_task *t = (gr__ear_task *)base;
    gr_picture_values v;
    GR_TRY(gr_model_build_picture(base->model, g, batch, train, program, &v));
    return gr__classes_build(g, v.logits, batch, train, t->smoothing, program, out);
}

typedef struct batch_fill {
    const gr__ear_task *t;
    gr__split split;
    int64_t first;
    float *pictures; /* (B, frames, mels) */
    int32_t *targets;
} batch_fill;

/* False when the sound has gone since, or memory is short: then it does not count. */
static bool put(const gr__ear_task *t, gr__split split, int64_t row, uint64_t epoch, float *out)
{
    const gr__hearing *h = &t->hear;
    gr__wave wave;
    float *own = NULL, *samples = gr__alloc((size_t)t->length * sizeof *samples);
    bool fine = samples && gr__hearing_wave(h, &h->part[split], row, &wave, &own) == GR_OK;
    if (fine) {
        gr__wave_fit(&wave, samples, t->length);
        fine = gr__hearing_features(h, samples, t->length, split == GR__SPLIT_TRAIN, 2 * epoch, (uint64_t)row, out) ==
               GR_OK;
    }
    if (!fine) memset(out, 0, (size_t)(t->frames * h->features.mels) * sizeof *out);
    gr__free(own);
    gr__free(samples);
    return fine;
}

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    const batch_fill *f = context;
    const gr__hearing *h = &f->t->hear;
    int64_t sample = f->first + b, n = h->part[f->split].n;
    bool train = f->split == GR__SPLIT_TRAIN, real = train || sample < n;
    int64_t row = train ? gr__rng_row(h->seed, 0x736f756e00000000u, n, sample) : real ? sample : n - 1;
    real &= put(f->t, f->split, row, (uint64_t)(sample / n), f->pictures + b * f->t->frames * h->features.mels);
    f->targets[b] = real ? f->t->class_of[f->split][row] : -1;
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr_tensor pictures, targets;
    if (!gr__inputs_find(to, "pictures", &pictures) || !gr__inputs_find(to, "targets", &targets)) return;
    batch_fill f = {(gr__ear_task *)base, split, first, pictures.data, targets.data};
    gr__parallel(batch, fill_one, &f);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__ear_task *t = (gr__ear_task *)base;
    gr__classes_score(t->scores, first, GR__MIN(batch, t->hear.part[1].n - first), session);
}

static gr_status tune(gr__task *base, const gr__tuning *how)
{
    return gr__label_score_tune(((gr__ear_task *)base)->scores, how, base->model);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    int n;
    gr__label_score_metrics(((gr__ear_task *)base)->scores, out, capacity, &n);
    return n;
}

static const char *name_of(void *user, int64_t sample, char room[256])
{
    (void)room;
    return gr__hearing_row(&((gr__ear_task *)user)->hear.part[1], sample)->text;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    return gr__label_score_panels(((gr__ear_task *)base)->scores, name_of, NULL, base, page);
}

const gr__task_kind gr__task_sound_classification = {
    .name = "sound-classification",
    .summary = "sounds to labels",
    .unit = "sound",
    .epochs = 30,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__ear_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .tune = tune,
    .finish = finish,
    .panels = panels,
};
