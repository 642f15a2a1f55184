/* Pictures from numbers. What is learned depends on the family: an autoencoder gives back the picture that it was shown; a
 * variational one does so from a noisy code that is held near the normal distribution; a generator plays against a judge,
 * two losses with parameters of their own in one step. Labels of the data do not count. */
#include "task/task.h"

#include "base/parallel.h"
#include "base/rng.h"
#include "metric/html.h"
#include "model/picture.h"
#include "task/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_EDGE = 1 << 12, GRID = 10, NEAREST = 20 };

typedef struct gr__maker_options {
    const char *source, *labels;
    const gr__conf *augment;
    double valid;
    gr__conf_ints size;
    int64_t channels, cache_mib;
    bool skip_bad;
} gr__maker_options;

typedef struct gr__maker_task {
    gr__task base;
    gr__image_set *set;
    gr__pictures part[2];
    gr__maker_options o;
    gr__picture_augment change;
    bool changes;
    double kl, smoothing, penalty;
    gr__picture_shape shape;
    uint64_t seed;
} gr__maker_task;

#define AT(field) offsetof(gr__maker_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "pictures: a folder, .tar(.gz), IDX, or CIFAR's .bin(.gz); labels do not count",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"labels", GR__CONF_STRING, AT(labels), 0, 0, NULL, NULL, "IDX: the file of labels", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0.05", "share for validation, drawn by the seed", 0},
    {"size", GR__CONF_INT_LIST, AT(size), 1, MOST_EDGE, NULL, NULL,
     "edge, or height and width, to which pictures are resized; default: of the first one", 0},
    {"channels", GR__CONF_INT, AT(channels), 0, 3, NULL, "0", "1 gray, 3 colours; 0: as the first picture", 0},
    {"augment", GR__CONF_SECTION, AT(augment), 0, 0, NULL, NULL, "random changes of training pictures", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false", "leave pictures out that cannot be read", 0},
    {"cache_mib", GR__CONF_INT, AT(cache_mib), 0, 1 << 24, NULL, "1024",
     "decoded pictures stay in memory where they take no more", 0},
};
#undef AT
static const gr__conf_row augment_rows[] = {GR__PICTURE_AUGMENT_ROWS};
static const gr__conf_row loss_rows[] = {
    {"kl", GR__CONF_DOUBLE, offsetof(gr__maker_task, kl), 0, 1000, NULL, "1",
     "vae: weight of the code's distance from the normal distribution", 0},
    {"smoothing", GR__CONF_DOUBLE, offsetof(gr__maker_task, smoothing), 0, 1, NULL, "0.1",
     "dcgan: real pictures are to be judged 1 less so much", GR__CONF_BELOW_MAX},
    {"penalty", GR__CONF_DOUBLE, offsetof(gr__maker_task, penalty), 0, 1e6, NULL, "0",
     "dcgan without norm, against a judge that runs away from the generator: weight of half the square of its "
     "slope at real pictures (R1, Mescheder et al. 2018); the example does not need it",
     0},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"data.augment", augment_rows, GR__COUNT(augment_rows), "random changes of training pictures"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "as the family says"},
};

/* ---- opening ---- */

static gr_status read_options(gr__maker_task *t, const gr__task_in *in)
{
    gr__arena *arena = &t->base.arena;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), &t->o, arena));
    GR_TRY(gr__conf_read(t->o.augment, "data.augment", augment_rows, GR__COUNT(augment_rows), &t->change, arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), t, arena));
    if (t->o.size.n > 2)
        return gr__conf_fail(gr__conf_find(in->root, "data.size"), "'data.size' is an edge, or height and width");
    if (t->o.channels == 2) return gr__conf_fail(gr__conf_find(in->root, "data.channels"), "'data.channels' is 1 or 3");
    GR_TRY(gr__picture_augment_finish(&t->change, t->o.augment));
    t->changes = !gr__conf_is_null(t->o.augment);
    t->seed = in->seed;
    return GR_OK;
}

static gr_status read_pictures(gr__maker_task *t)
{
    const gr__maker_options *o = &t->o;
    gr__picture_sums sums = {0};
    GR_TRY(gr__image_set_open(o->source, &(gr__image_set_options){.labels = o->labels}, &t->set));
    t->shape = (gr__picture_shape){.height = o->size.n ? o->size.item[0] : 0,
                                   .width = o->size.n ? o->size.item[o->size.n - 1] : 0,
                                   .channels = o->channels};
    GR_TRY(gr__pictures_find_shape(t->set, o->skip_bad, MOST_EDGE, &t->shape));
    int64_t n = gr__image_set_count(t->set), held = llround(o->valid * (double)n);
    uint64_t key = gr__rng_key(t->seed, 0x6d616b6572000000u);
    for (int i = 0; i < 2; i++) {
        GR_TRY(gr__pictures_new(&t->part[i], t->set));
        t->part[i].shape = t->shape;
    }
    for (int64_t i = 0; i < n; i++) {
        gr__pictures *p = &t->part[(int64_t)gr__permute(key, (uint64_t)n, (uint64_t)i) < held];
        p->index[p->n++] = (int32_t)i;
    }
    bool keep = (double)n * (double)gr__pictures_each(&t->part[0]) <= (double)o->cache_mib * 1048576;
    for (int i = 0; i < 2; i++) GR_TRY(gr__pictures_read(&t->part[i], keep, o->skip_bad, &sums));
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__maker_task *t = (gr__maker_task *)base;
    GR_TRY(read_options(t, in));
    GR_TRY(read_pictures(t));
    gr__facts facts = {.height = t->shape.height, .width = t->shape.width, .channels = t->shape.channels};
    const gr__family *family;
    GR_TRY(gr__model_default(in->root, "vae", &base->arena));
    if (gr__family_find(gr__model_type(in->root, "vae"), &family) == GR_OK && family->kind != GR_MODEL_GENERATOR)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' makes no pictures; use 'vae', 'dcgan' or 'autoencoder'", family->name);
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &base->model));
    for (int i = 0; i < 2; i++) base->samples[i] = base->units[i] = t->part[i].n;
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__maker_task *t = (gr__maker_task *)base;
    for (int i = 0; i < 2; i++) gr__pictures_release(&t->part[i]);
    gr__image_set_close(&t->set);
}

/* ---- losses ---- */

/* The sum of the cross-entropies between each pixel and what was made of it; rows that do not count weigh nothing. */
static gr_value back(gr_graph *g, gr_value logits, gr_value x, gr_value counts)
{
    return gr_loss_bce_with_logits(g, logits, x, &(gr_loss_options){.weight = counts}).sum;
}

/* KL(N(mean, exp(spread)) || N(0, 1)) of each row, weighed and added up. */
static gr_value divergence(gr_graph *g, gr_value mean, gr_value spread, gr_value counts)
{
    gr_value each = gr_sub(g, gr_add(g, gr_square(g, mean), gr_exp(g, spread)), gr_affine(g, spread, 1, 1));
    return gr_affine(g, gr_sum(g, gr_mul(g, gr_sum(g, each, 1u << 1, false), counts), 0, false), 0.5, 0);
}

static gr_value judged(gr_graph *g, gr_value logits, double real, gr_value counts)
{
    gr_value target = gr_fill(g, GR_F32, 2, (int64_t[]){gr_value_dim(g, logits, 0), 1}, real);
    return gr_loss_bce_with_logits(g, logits, target, &(gr_loss_options){.weight = counts}).sum;
}

/* R1 of Mescheder et al. 2018: half the square of d said/d x of each picture, weighed and added up. */
static gr_value steepness(gr_graph *g, gr_value said, gr_value x, gr_value counts)
{
    gr_value slope = 0;
    if (gr_grad(g, gr_sum(g, said, 0, false), &x, 1, &slope) != GR_OK) return 0;
    gr_value each = gr_sum(g, gr_square(g, slope), 1u << 1 | 1u << 2 | 1u << 3, false);
    return gr_affine(g, gr_sum(g, gr_mul(g, each, counts), 0, false), 0.5, 0);
}

/* The judge looks at real and at made pictures; each side moves its own parameters only. Two passes, for the generator's
 * gradient goes through the one over made pictures alone. */
static gr_value play(gr__maker_task *t, gr_graph *g, const gr__picture_in *in, gr_value noise, gr_value counts)
{
    const gr__family *f = t->base.model->family;
    const void *config = t->base.model->config;
    gr__picture_in from_noise = *in;
    from_noise.x = gr_sigmoid(g, f->build_decode(g, config, noise, in));
    gr_value real = f->build_judge(g, config, in), made = f->build_judge(g, config, &from_noise);
    gr_value sum = gr_add(g, judged(g, real, 1 - t->smoothing, counts), judged(g, made, 0, counts));
    if (in->train && t->penalty > 0)
        sum = gr_add(g, sum, gr_affine(g, steepness(g, real, in->x, counts), t->penalty, 0));
    t->base.rival = (gr__rival){.sum = sum, .pattern = "judge.*"};
    return judged(g, made, 1, counts);
}

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__maker_task *t = (gr__maker_task *)base;
    const gr__family *f = base->model->family;
    const void *config = base->model->config;
    const gr__picture_shape *s = &t->shape;
    gr__picture_in in = {.train = train, .program = program};
    in.x = gr_input(g, "pictures", GR_F32, 4, (int64_t[]){batch, s->height, s->width, s->channels});
    gr_value counts = gr_input(g, "counts", GR_F32, 1, &batch);
    gr_value noise = gr_input(g, "noise", GR_F32, 2, (int64_t[]){batch, f->latent(config)});
    gr_value mean, spread;
    if (f->build_code) {
        f->build_code(g, config, &in, &mean, &spread);
        gr_value z = spread ? gr_add(g, mean, gr_mul(g, gr_exp(g, gr_affine(g, spread, 0.5, 0)), noise)) : mean;
        out->sum = back(g, f->build_decode(g, config, z, &in), in.x, counts);
        if (spread) out->sum = gr_add(g, out->sum, gr_affine(g, divergence(g, mean, spread, counts), t->kl, 0));
        if (!spread) gr_output(g, program, "noise", noise); /* an input that nothing reads is none */
    } else {
        out->sum = play(t, g, &in, noise, counts);
        gr_output(g, program, "pictures", in.x); /* a frozen judge reads none */
    }
    out->weight = gr_sum(g, counts, 0, false);
    return gr_graph_status(g);
}

/* ---- batches ---- */

typedef struct batch_fill {
    gr__maker_task *t;
    gr__split split;
    int64_t first, latent;
    float *pictures, *counts, *noise;
} batch_fill;

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    batch_fill *f = context;
    gr__maker_task *t = f->t;
    const gr__pictures *p = &t->part[f->split];
    int64_t sample = f->first + b;
    bool train = f->split == GR__SPLIT_TRAIN, real = train || sample < p->n;
    int64_t row = train ? gr__rng_row(t->seed, 0x6d616b6573000000u, p->n, sample) : real ? sample : p->n - 1;
    gr__rng r = gr__rng_sample(t->seed, 0x6e6f697365000000u + train, (uint64_t)sample);
    real &= gr__pictures_put(p, row, train && t->changes ? &t->change.o : NULL, t->seed, (uint64_t)(sample / p->n),
                             NULL, NULL, NULL, f->pictures + b * gr__pictures_each(p));
    f->counts[b] = real;
    for (int64_t k = 0; k < f->latent; k++) f->noise[b * f->latent + k] = (float)gr__rng_normal(&r);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr_tensor in[3];
    static const char *const names[] = {"pictures", "counts", "noise"};
    for (int i = 0; i < 3; i++)
        if (!gr__inputs_find(to, names[i], &in[i])) return;
    batch_fill f = {(gr__maker_task *)base, split, first, in[2].dim[1], in[0].data, in[1].data, in[2].data};
    gr__parallel(batch, fill_one, &f);
}

/* ---- report ---- */

/* The training pictures that are nearest (squares of differences) to each of n made ones. */
static gr_status find_nearest(const gr__maker_task *t, const float *made, int64_t n, float *out)
{
    const gr__pictures *p = &t->part[0];
    int64_t each = gr__pictures_each(p);
    double best[NEAREST];
    float *own = gr__alloc((size_t)each * sizeof *own);
    if (!own) return gr__fail_memory("a picture", (size_t)each * sizeof *own);
    for (int64_t i = 0; i < n; i++) best[i] = INFINITY;
    for (int64_t row = 0; row < p->n; row++) {
        if (!gr__pictures_put(p, row, NULL, 0, 0, NULL, NULL, NULL, own)) continue;
        for (int64_t i = 0; i < n; i++) {
            float sum = 0;
            for (int64_t k = 0; k < each; k++) sum += (own[k] - made[i * each + k]) * (own[k] - made[i * each + k]);
            if ((double)sum >= best[i]) continue;
            best[i] = (double)sum;
            memcpy(out + i * each, own, (size_t)each * sizeof *own);
        }
    }
    gr__free(own);
    return GR_OK;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    gr__maker_task *t = (gr__maker_task *)base;
    int64_t each = gr__pictures_each(&t->part[0]);
    float *made = gr__alloc((size_t)(GRID * GRID * each) * sizeof *made),
          *near = gr__calloc((size_t)(NEAREST * each), sizeof *near);
    gr_status status = made && near ? GR_OK : gr__fail_memory("pictures", (size_t)(GRID * GRID * each) * 4);
    if (status == GR_OK) status = gr_generate_pictures(base->model, GRID * GRID, t->seed, made);
    if (status == GR_OK) {
        gr__html_section(page, "Made from noise");
        status = gr__pictures_sheet(&t->shape, made, GRID * GRID, GRID, "pictures made from noise", page);
    }
    if (status == GR_OK) status = find_nearest(t, made, NEAREST, near);
    if (status == GR_OK) {
        gr__html_section(page, "Nearest training pictures");
        gr__html_paragraph(page, "The first twenty of them, and below each the training picture that is nearest.");
        status = gr__pictures_sheet(&t->shape, made, NEAREST, NEAREST, "made", page);
    }
    if (status == GR_OK) status = gr__pictures_sheet(&t->shape, near, NEAREST, NEAREST, "nearest", page);
    gr__free(made);
    gr__free(near);
    return status;
}

const gr__task_kind gr__task_image_generation = {
    .name = "image-generation",
    .summary = "pictures from noise",
    .unit = "picture",
    .epochs = 10,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__maker_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .panels = panels,
};
