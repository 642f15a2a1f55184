/* Rows of a CSV file to a number or a class. Rows are encoded once (data/table.h); the training order is a permutation
 * for each epoch. A row's weight is that of its class, in training only: validation says what a plain row costs. */
#include "task/task.h"

#include "base/rng.h"
#include "data/table.h"
#include "task/table_score.h"

#include <string.h>

enum { LOSS_AUTO, LOSS_MSE, LOSS_MAE, LOSS_HUBER, LOSS_CROSS_ENTROPY };

typedef struct gr__table_loss {
    int type;
    bool balanced;
    gr__conf_doubles weights;
    double delta;
} gr__table_loss;

typedef struct gr__table_task {
    gr__task base;
    gr__table_data table;
    gr__table_loss loss;
    double *weight; /* of each class; NULL: ones */
    uint64_t seed;
    int64_t classes, outputs;
    float *said; /* samples[1], outputs: of the validation that goes on */
    int64_t n_said;
    const char *path; /* of the rows that validations look at */
} gr__table_task;

static const char *const losses[] = {"auto", "mse", "mae", "huber", "cross_entropy", NULL};

#define AT(field) offsetof(gr__table_loss, field)
static const gr__conf_row loss_rows[] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, losses, "auto", "auto: mse for numbers, cross_entropy for classes",
     GR__CONF_MAIN},
    {"delta", GR__CONF_DOUBLE, AT(delta), 0, 1e9, NULL, "1", "huber: where the square ends, in deviations",
     GR__CONF_ABOVE_MIN},
    {"balanced", GR__CONF_BOOL, AT(balanced), 0, 0, NULL, "false",
     "rare classes weigh more: rows/(classes*rows of the class)", 0},
    {"weights", GR__CONF_DOUBLE_LIST, AT(weights), 0, 1e9, NULL, NULL, "of the classes, in the order of their names",
     GR__CONF_ABOVE_MIN},
};

/* ---- opening ---- */

static gr_status check_loss(const gr__table_task *t, const gr__conf *section)
{
    const gr__table_loss *l = &t->loss;
    bool number = l->type == LOSS_MSE || l->type == LOSS_MAE || l->type == LOSS_HUBER;
    if (t->classes && number)
        return gr__conf_fail(section,
                             "'%s' is for numbers, but the target is a class; loss: cross_entropy, or "
                             "data.predict: number",
                             losses[l->type]);
    if (!t->classes && l->type == LOSS_CROSS_ENTROPY)
        return gr__conf_fail(section, "cross_entropy is for classes, but the target is a number; data.predict: class?");
    if (!t->classes && (l->balanced || l->weights.n))
        return gr__conf_fail(section, "weights of classes are for classes, but the target is a number");
    if (l->balanced && l->weights.n) return gr__conf_fail(section, "loss: 'balanced' and 'weights' exclude each other");
    if (l->weights.n && (int64_t)l->weights.n != t->classes)
        return gr__conf_fail(section, "loss.weights has %zu numbers, but there are %lld classes", l->weights.n,
                             (long long)t->classes);
    return GR_OK;
}

static int64_t count_class(const gr__table_task *t, int64_t class)
{
    const gr__table_part *p = &t->table.part[0];
    int64_t n = 0;
    for (int64_t i = 0; i < p->n; i++) n += p->class[i] == class;
    return n;
}

static gr_status set_weights(gr__table_task *t)
{
    const gr__table_loss *l = &t->loss;
    if (!l->balanced && l->weights.n == 0) return GR_OK;
    t->weight = gr__arena_alloc(&t->base.arena, (size_t)t->classes * sizeof *t->weight);
    if (!t->weight) return gr__fail_memory("weights", (size_t)t->classes * sizeof *t->weight);
    for (int64_t k = 0; k < t->classes; k++) {
        int64_t n = count_class(t, k);
        t->weight[k] = l->weights.n ? l->weights.item[k]
                       : n          ? (double)t->table.part[0].n / ((double)t->classes * (double)n)
                                    : 1;
    }
    return GR_OK;
}

static gr_status make_model(gr__table_task *t, const gr__task_in *in)
{
    GR_TRY(gr__model_default(in->root, "tabular", &t->base.arena));
    gr__facts facts = {.columns = &t->table.columns};
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &t->base.model));
    if (gr_model_kind_of(t->base.model) != GR_MODEL_TABLE)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not take cells of a table; use 'tabular', 'linear' or 'fm'",
                             t->base.model->family->name);
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__table_task *t = (gr__table_task *)base;
    const gr__conf *section = gr__conf_get(in->root, "data"), *loss = gr__conf_get(in->root, "loss");
    gr__table_options o = {0};
    GR_TRY(gr__conf_read(section, "data", gr__table_rows, gr__n_table_rows, &o, &base->arena));
    GR_TRY(gr__conf_read(loss, "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, &base->arena));
    t->seed = in->seed;
    GR_TRY(gr__table_open(&o, section, in->seed, in->kept.columns, &base->arena, &t->table));
    base->report = t->table.report;
    t->path = o.test_source ? o.test_source : o.source;
    t->classes = gr__columns_classes(&t->table.columns);
    t->outputs = gr__columns_outputs(&t->table.columns);
    base->samples[0] = base->units[0] = t->table.part[0].n;
    base->samples[1] = base->units[1] = t->table.part[1].n;
    base->units_per_sample = 1;
    GR_TRY(check_loss(t, loss));
    GR_TRY(set_weights(t));
    t->said = gr__calloc((size_t)(base->samples[1] * t->outputs), sizeof *t->said);
    if (!t->said) return gr__fail_memory("predictions", (size_t)(base->samples[1] * t->outputs) * sizeof *t->said);
    return make_model(t, in);
}

static void close(gr__task *base)
{
    gr__table_task *t = (gr__table_task *)base;
    gr__table_close(&t->table);
    gr__free(t->said);
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    static const gr_loss_kind kinds[] = {GR_LOSS_MSE, GR_LOSS_MSE, GR_LOSS_MAE, GR_LOSS_HUBER};
    gr__table_task *t = (gr__table_task *)base;
    gr_value p = gr__model_build_table(base->model, g, batch, train);
    gr_value weight = gr_input(g, "weight", GR_F32, 1, &batch);
    gr_loss_options o = {.weight = weight, .delta = t->loss.delta};
    if (t->classes > 2) {
        *out = gr_loss_cross_entropy(g, p, gr_input(g, "class", GR_I32, 1, &batch), &o);
    } else {
        gr_value y = gr_input(g, "y", GR_F32, 2, (int64_t[]){batch, 1});
        *out = gr_loss_of_kind(g, t->classes ? GR_LOSS_BCE_WITH_LOGITS : kinds[t->loss.type], p, y, &o);
    }
    if (!train) gr_output(g, program, "prediction", p);
    return gr_graph_status(g);
}

static int64_t training_row(const gr__table_task *t, int64_t sample)
{
    return gr__rng_row(t->seed, 0x7461626c00000000u, t->base.samples[0], sample);
}

static void copy_row(const gr_tensor *to, int64_t b, const void *from, int64_t row)
{
    size_t bytes = (size_t)to->dim[1] * 4; /* f32 and i32 alike */
    memcpy((char *)to->data + (size_t)b * bytes, (const char *)from + (size_t)row * bytes, bytes);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__table_task *t = (gr__table_task *)base;
    bool train = split == GR__SPLIT_TRAIN;
    const gr__table_part *p = &t->table.part[train ? 0 : 1];
    gr_tensor numbers, codes, target, weight;
    bool has_numbers = gr__inputs_find(to, "numbers", &numbers), has_codes = gr__inputs_find(to, "codes", &codes);
    if (!gr__inputs_find(to, t->classes > 2 ? "class" : "y", &target) || !gr__inputs_find(to, "weight", &weight))
        return;
    for (int64_t b = 0; b < batch; b++) {
        int64_t row = train ? training_row(t, first + b) : GR__MIN(first + b, p->n - 1);
        int32_t class = p->class[row];
        if (has_numbers) copy_row(&numbers, b, p->numbers, row);
        if (has_codes) copy_row(&codes, b, p->codes, row);
        if (t->classes > 2)
            ((int32_t *)target.data)[b] = class;
        else
            ((float *)target.data)[b] = t->classes ? (float)class : (float)p->number[row];
        ((float *)weight.data)[b] = !train && first + b >= p->n ? 0.0f
                                    : train && t->weight        ? (float)t->weight[class]
                                                                : 1.0f;
    }
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__table_task *t = (gr__table_task *)base;
    int64_t n = GR__MIN(batch, base->samples[1] - first);
    gr_tensor p;
    if (gr_session_output(session, "prediction", &p) != GR_OK || p.dtype != GR_F32) return;
    memcpy(t->said + first * t->outputs, p.data, (size_t)(n * t->outputs) * sizeof *t->said);
    t->n_said = first + n;
}

static gr_status tune(gr__task *base, const gr__tuning *how)
{
    const gr__table_task *t = (const gr__table_task *)base;
    if (t->classes != 2) return GR_OK;
    return gr__table_tune(&t->table.columns, &t->table.part[1], t->said, t->n_said, how, base->model);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    const gr__table_task *t = (const gr__table_task *)base;
    int n = 0;
    /* what is not finite has no metrics; the loss says so already */
    if (gr__table_score(&t->table.columns, &t->table.part[1], t->said, t->n_said, gr_model_threshold(base->model), out,
                        capacity, &n) != GR_OK)
        return 0;
    return n;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    const gr__table_task *t = (const gr__table_task *)base;
    return gr__table_panels(&t->table.columns, &t->table.part[1], t->said, t->n_said, gr_model_threshold(base->model),
                            t->path, page);
}

/* The rows of 'data' are the table's own, whose number no initialiser knows. */
static const gr__conf_section sections[] = {{"loss", loss_rows, GR__COUNT(loss_rows), "a name alone is the type"}};

static const char *const defaults[] = {"train.batch=256", "train.optimizer.type=adamw",
                                       "train.lr={peak: 2e-3, schedule: cosine, warmup: 0.05}", NULL};

const gr__task_kind gr__task_table = {
    .name = "table",
    .summary = "rows of a CSV file to a number or a class",
    .unit = "row",
    .plain = true,
    .epochs = 20,
    .defaults = defaults,
    .folds = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__table_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .tune = tune,
    .finish = finish,
    .panels = panels,
};
