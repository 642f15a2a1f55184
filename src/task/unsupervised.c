/* Structure of rows that nobody has labelled: clusters, principal components. The model's family has an algorithm of its own
 * that takes the place of the steps of an optimiser; all around it is as for any task. Labels, where the data have some, are only
 * compared with. */
#include "task/point_score.h"

#include <string.h>

typedef struct gr__unsupervised {
    gr__task base;
    gr__point_data data;
    uint64_t seed;
    int64_t inputs, outputs;
    int scored;         /* the part that validations look at */
    float *said, *rest; /* (samples[1], outputs), (samples[1]): of the validation that goes on */
    int64_t n_said;
} gr__unsupervised;

/* ---- opening ---- */

static gr_status make_model(gr__unsupervised *t, const gr__task_in *in)
{
    const gr__picture_shape *p = &t->data.shape;
    gr__facts facts = {.columns = p->height ? NULL : &t->data.table.columns,
                       .height = p->height,
                       .width = p->width,
                       .channels = p->channels};
    GR_TRY(gr__model_default(in->root, "kmeans", &t->base.arena));
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &t->base.model));
    if (gr_model_kind_of(t->base.model) != GR_MODEL_FITTED)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' learns from labels; without them use 'kmeans' or 'pca'",
                             t->base.model->family->name);
    const gr__fitted_config *c = t->base.model->config;
    t->inputs = c->inputs;
    t->outputs = (int64_t)c->names.n;
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__unsupervised *t = (gr__unsupervised *)base;
    t->seed = in->seed;
    GR_TRY(gr__point_data_open(in, &base->arena, &t->data));
    base->report = t->data.report;
    t->scored = t->data.part[1].points.n > 0;
    base->samples[0] = base->units[0] = t->data.part[0].points.n;
    base->samples[1] = base->units[1] = t->data.part[t->scored].points.n;
    base->units_per_sample = 1;
    GR_TRY(make_model(t, in));
    size_t n = (size_t)base->samples[1];
    t->said = gr__calloc(n * (size_t)t->outputs + 1, sizeof *t->said);
    t->rest = gr__calloc(n + 1, sizeof *t->rest);
    return t->said && t->rest ? GR_OK : gr__fail_memory("what is said of rows", n * (size_t)t->outputs * sizeof(float));
}

static void close(gr__task *base)
{
    gr__unsupervised *t = (gr__unsupervised *)base;
    gr__point_data_close(&t->data);
    gr__free(t->said);
    gr__free(t->rest);
}

/* ---- batches ---- */

/* The loss of a row is its squared distance from what stands for it. */
static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__fitted_out v;
    gr__model_build_fitted(base->model, g, batch, &v);
    gr_value weight = gr_input(g, "weight", GR_F32, 1, &batch);
    *out = (gr_loss){.sum = gr_sum(g, gr_mul(g, v.rest, weight), 1, false), .weight = gr_sum(g, weight, 1, false)};
    if (!train) {
        gr_output(g, program, "said", v.said);
        gr_output(g, program, "rest", v.rest);
    }
    return gr_graph_status(g);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__unsupervised *t = (gr__unsupervised *)base;
    const gr__points *p = &t->data.part[split == GR__SPLIT_TRAIN ? 0 : t->scored].points;
    gr_tensor x, weight;
    if (!gr__inputs_find(to, "numbers", &x) || !gr__inputs_find(to, "weight", &weight)) return;
    for (int64_t b = 0; b < batch; b++) {
        int64_t row = GR__MIN(first + b, p->n - 1);
        memcpy((float *)x.data + b * p->width, p->x + row * p->width, (size_t)p->width * sizeof(float));
        ((float *)weight.data)[b] = first + b < p->n ? 1.0f : 0.0f;
    }
}

static gr_status fit(gr__task *base, int64_t passes, const gr__watch *watch)
{
    gr__unsupervised *t = (gr__unsupervised *)base;
    const gr__fitting how = {.points = t->data.part[0].points, .passes = passes, .seed = t->seed, .watch = watch};
    return base->model->family->fit(base->model, &how);
}

/* ---- measures ---- */

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__unsupervised *t = (gr__unsupervised *)base;
    int64_t n = GR__MIN(batch, base->samples[1] - first);
    gr_tensor said, rest;
    if (gr_session_output(session, "said", &said) != GR_OK || gr_session_output(session, "rest", &rest) != GR_OK)
        return;
    for (int64_t i = 0; i < n * t->outputs; i++) t->said[first * t->outputs + i] = (float)gr_tensor_get(&said, i);
    for (int64_t i = 0; i < n; i++) t->rest[first + i] = (float)gr_tensor_get(&rest, i);
    t->n_said = first + n;
}

static gr__point_said said_of(const gr__unsupervised *t)
{
    return (gr__point_said){.model = t->base.model,
                            .part = &t->data.part[t->scored],
                            .classes = &t->data.classes,
                            .said = t->said,
                            .rest = t->rest,
                            .n = t->n_said};
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    gr__point_said s = said_of((const gr__unsupervised *)base);
    int n = 0;
    return gr__point_score(&s, out, capacity, &n) == GR_OK ? n : 0;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    gr__point_said s = said_of((const gr__unsupervised *)base);
    return gr__point_panels(&s, page);
}

/* The rows of 'data' are the table's own, or those of pictures (points.h). */
static const char *const defaults[] = {"train.batch=1024", NULL};

const gr__task_kind gr__task_unsupervised = {
    .name = "unsupervised",
    .summary = "clusters or principal components of rows, or of pictures",
    .unit = "row",
    .plain = true,
    .epochs = 300,
    .defaults = defaults,
    .folds = true,
    .bytes = sizeof(gr__unsupervised),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .fit = fit,
    .score = score,
    .finish = finish,
    .panels = panels,
};
