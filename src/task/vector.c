/* Rows of numbers to numbers: regression, and two-class decisions from a logit. Rows lie in memory; the training order is
 * a permutation for each epoch, the last batch of an epoch is filled up from the next one unless it is the whole data. */
#include "task/task.h"

#include "base/rng.h"
#include "data/matrix.h"
#include "metric/html.h"
#include "task/label_score.h"
#include "task/number_panels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SHOWN = 4 }; /* outputs with panels of their own */

typedef struct gr__loss_settings {
    int kind;
    bool half, sum, broadcast;
    double delta, positive_weight;
} gr__loss_settings;

typedef struct gr__vector_task {
    gr__task base;
    gr__matrix part[2];
    gr__loss_settings loss;
    uint64_t seed;
    int64_t outputs;         /* of the model */
    bool has_valid;          /* a part of its own; else the training rows are scored */
    gr__label_score *scores; /* of all outputs together; NULL unless they are decisions */
    float *said;             /* (rows, outputs of the model) of the scored part; NULL where they are */
    int64_t n_said;          /* rows */
} gr__vector_task;

/* ORDER gr_loss_kind; cross_entropy, the last one, wants classes. */
static const char *const loss_kinds[] = {"mse", "mae", "huber", "bce_with_logits", NULL};

#define AT(field) offsetof(gr__loss_settings, field)
static const gr__conf_row loss_rows[] = {
    {"type", GR__CONF_ENUM, AT(kind), 0, 0, loss_kinds, "mse", "mse, mae, huber or bce_with_logits", GR__CONF_MAIN},
    {"half", GR__CONF_BOOL, AT(half), 0, 0, NULL, "false", "times 1/2", 0},
    {"sum", GR__CONF_BOOL, AT(sum), 0, 0, NULL, "false", "the sum over the batch instead of the mean", 0},
    {"broadcast", GR__CONF_BOOL, AT(broadcast), 0, 0, NULL, "false", "one output against several targets", 0},
    {"delta", GR__CONF_DOUBLE, AT(delta), 0, 1e9, NULL, "1", "huber: where the square ends", GR__CONF_ABOVE_MIN},
    {"positive_weight", GR__CONF_DOUBLE, AT(positive_weight), 0, 1e9, NULL, "1", "bce_with_logits: weight of the ones",
     GR__CONF_ABOVE_MIN},
};

static gr_status split_off(gr__vector_task *t, double valid)
{
    gr__matrix *all = &t->part[0], *v = &t->part[1];
    int64_t n = (int64_t)(valid * (double)all->rows);
    if (n == 0) return GR_OK;
    size_t x = (size_t)(n * all->inputs) * sizeof(float), y = (size_t)(n * all->outputs) * sizeof(float);
    *v = (gr__matrix){.rows = n, .inputs = all->inputs, .outputs = all->outputs, .x = gr__alloc(x), .y = gr__alloc(y)};
    if (!v->x || !v->y) return gr__fail_memory("the validation part", x + y);
    all->rows -= n;
    memcpy(v->x, all->x + all->rows * all->inputs, x);
    memcpy(v->y, all->y + all->rows * all->outputs, y);
    t->has_valid = true;
    return GR_OK;
}

static const char *decision_names[] = {"0", "1"};
static const gr__conf_strings decisions = {.item = decision_names, .n = 2};

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__vector_task *t = (gr__vector_task *)base;
    const gr__conf *section = gr__conf_get(in->root, "data");
    gr__matrix_options o = {0};
    GR_TRY(gr__conf_read(section, "data", gr__matrix_rows, gr__n_matrix_rows, &o, &base->arena));
    GR_TRY(
        gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, &base->arena));
    if (t->loss.kind == GR_LOSS_BCE_WITH_LOGITS) GR_TRY(gr__label_score_new(&decisions, &t->scores));
    t->seed = in->seed;
    GR_TRY(gr__matrix_load(&o, section, false, &t->part[0]));
    if (o.test_source) {
        GR_TRY(gr__matrix_load(&o, section, true, &t->part[1]));
        t->has_valid = true;
        GR_FAIL_IF(t->part[1].inputs != t->part[0].inputs, GR_ERR_DATA,
                   "the test part has %lld inputs, the training part %lld", (long long)t->part[1].inputs,
                   (long long)t->part[0].inputs);
    } else {
        GR_TRY(split_off(t, o.valid));
    }
    t->outputs = t->loss.broadcast ? 1 : t->part[0].outputs;
    size_t n_said = (size_t)(t->part[t->has_valid].rows * t->outputs);
    if (!t->scores && !(t->said = gr__calloc(n_said + 1, sizeof *t->said)))
        return gr__fail_memory("predictions", n_said * sizeof *t->said);
    gr__facts facts = {.inputs = t->part[0].inputs, .outputs = t->outputs};
    GR_TRY(gr__model_default(in->root, "mlp", &base->arena));
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &base->model));
    if (gr_model_kind_of(base->model) != GR_MODEL_VECTOR)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not take rows of numbers; use 'mlp', 'linear' or 'layers'",
                             base->model->family->name);
    base->samples[0] = base->units[0] = t->part[0].rows;
    base->samples[1] = base->units[1] = t->part[t->has_valid].rows;
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__vector_task *t = (gr__vector_task *)base;
    gr__label_score_free(&t->scores);
    gr__free(t->said);
    gr__matrix_release(&t->part[0]);
    gr__matrix_release(&t->part[1]);
}

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__vector_task *t = (gr__vector_task *)base;
    const gr_model *m = base->model;
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){batch, t->part[0].inputs});
    gr_value y = gr_input(g, "y", GR_F32, 2, (int64_t[]){batch, t->part[0].outputs});
    gr_value weight = gr_input(g, "weight", GR_F32, 1, &batch);
    gr_value p = m->family->build_vector(g, m->config, x, train, program);
    gr_loss_options o = {.half = t->loss.half,
                         .broadcast = t->loss.broadcast,
                         .delta = t->loss.delta,
                         .positive_weight = t->loss.positive_weight,
                         .weight = weight};
    *out = gr_loss_of_kind(g, (gr_loss_kind)t->loss.kind, p, y, &o);
    if (t->loss.sum) out->weight = gr_scalar(g, GR_F32, 1);
    if (!train) gr_output(g, program, "prediction", p);
    return gr_graph_status(g);
}

static int64_t training_row(const gr__vector_task *t, int64_t sample)
{
    return gr__rng_row(t->seed, 0x726f777300000000u, t->part[0].rows, sample);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__vector_task *t = (gr__vector_task *)base;
    const gr__matrix *m = &t->part[split == GR__SPLIT_VALID && t->has_valid];
    gr_tensor x, y, w;
    if (!gr__inputs_find(to, "x", &x) || !gr__inputs_find(to, "y", &y) || !gr__inputs_find(to, "weight", &w)) return;
    for (int64_t b = 0; b < batch; b++) {
        int64_t row = split == GR__SPLIT_TRAIN ? training_row(t, first + b) : GR__MIN(first + b, m->rows - 1);
        memcpy((float *)x.data + b * m->inputs, m->x + row * m->inputs, (size_t)m->inputs * sizeof(float));
        memcpy((float *)y.data + b * m->outputs, m->y + row * m->outputs, (size_t)m->outputs * sizeof(float));
        ((float *)w.data)[b] = split == GR__SPLIT_TRAIN || first + b < m->rows ? 1.0f : 0.0f;
    }
}

/* What the model says of target k of row i of the batch: one output may stand for all. */
static double said_of(const gr__vector_task *t, const gr_tensor *p, int64_t i, int64_t k)
{
    return gr_tensor_get(p, i * t->outputs + k % t->outputs);
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__vector_task *t = (gr__vector_task *)base;
    const gr__matrix *m = &t->part[t->has_valid];
    gr_tensor p;
    if (gr_session_output(session, "prediction", &p) != GR_OK) return;
    if (first == 0 && t->scores) gr__label_score_clear(t->scores);
    if (first == 0) t->n_said = 0;
    for (int64_t i = first; i < first + batch && i < m->rows; i++, t->n_said++) {
        for (int64_t k = 0; k < t->outputs && t->said; k++)
            t->said[i * t->outputs + k] = (float)gr_tensor_get(&p, (i - first) * t->outputs + k);
        for (int64_t k = 0; k < m->outputs && t->scores; k++) {
            double one = 1 / (1 + exp(-said_of(t, &p, i - first, k))), probability[] = {1 - one, one};
            int32_t actual = m->y[i * m->outputs + k] > 0.5f;
            if (gr__label_score_add(t->scores, probability, actual, i * m->outputs + k) != GR_OK) return;
        }
    }
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    gr__vector_task *t = (gr__vector_task *)base;
    int n = 0;
    if (t->scores) gr__label_score_metrics(t->scores, out, capacity, &n);
    return n;
}

/* ---- panels ---- */

static const char *name_of(void *user, int64_t sample, char room[256])
{
    const gr__vector_task *t = user;
    int64_t outputs = t->part[0].outputs;
    int n = snprintf(room, 256, "row %lld", (long long)(sample / outputs));
    if (outputs > 1) snprintf(room + n, 256 - (size_t)n, ", output %lld", (long long)(sample % outputs));
    return room;
}

static gr_status add_output(const gr__vector_task *t, int64_t k, double *actual, gr__str *page)
{
    const gr__matrix *m = &t->part[t->has_valid];
    double *predicted = actual + t->n_said;
    char name[40];
    for (int64_t i = 0; i < t->n_said; i++) {
        actual[i] = (double)m->y[i * m->outputs + k];
        predicted[i] = (double)t->said[i * t->outputs + k % t->outputs];
    }
    snprintf(name, sizeof name, "output %lld", (long long)k);
    return gr__number_panels(actual, predicted, (size_t)t->n_said, m->outputs > 1 ? name : NULL, page);
}

static gr_status panels(gr__task *base, gr__str *page)
{
    gr__vector_task *t = (gr__vector_task *)base;
    int64_t outputs = t->part[t->has_valid].outputs, shown = GR__MIN(outputs, (int64_t)MOST_SHOWN);
    if (t->scores) return gr__label_score_panels(t->scores, name_of, NULL, t, page);
    double *room = gr__calloc(2 * (size_t)t->n_said + 1, sizeof *room);
    gr_status status = room ? GR_OK : gr__fail_memory("scores", 2 * (size_t)t->n_said * sizeof *room);
    for (int64_t k = 0; k < shown && status == GR_OK && t->n_said; k++) status = add_output(t, k, room, page);
    gr__free(room);
    char rest[64];
    snprintf(rest, sizeof rest, "%lld more outputs are not shown.", (long long)(outputs - shown));
    if (outputs > shown) gr__html_paragraph(page, rest);
    return status;
}

/* The rows of 'data' are the matrix's own, whose number no initialiser knows. */
static const gr__conf_section sections[] = {{"loss", loss_rows, GR__COUNT(loss_rows), "a name alone is the type"}};

const gr__task_kind gr__task_vector = {
    .name = "vector",
    .summary = "rows of numbers to numbers: regression, two-class decisions",
    .unit = "row",
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__vector_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
