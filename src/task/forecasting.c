/* Series to their future: windows of the training rows, each with what follows it, in an order drawn for each epoch;
 * validation is on rows that are later than all of them (their windows may reach back). The series are normalised by what
 * the training rows say, which travels in the model; errors are measured on that scale, as is the custom for ETT
 * (Zhou et al. 2021), and of a single series on the scale of the file too. */
#include "task/task.h"

#include "base/rng.h"
#include "data/series.h"
#include "gradus/metric.h"
#include "metric/html.h"
#include "model/series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CHARTS = 8 };

typedef struct gr__forecast_options {
    gr__series_options file;
    double valid;
    int64_t train_rows, skip_rows, valid_rows;
    bool log;
} gr__forecast_options;

enum { LOSS_MSE, LOSS_MAE, LOSS_HUBER };
typedef struct gr__forecast_loss {
    int type;
    double delta;
} gr__forecast_loss;

typedef struct gr__forecast_task {
    gr__task base;
    gr__series_data data;
    gr__forecast_loss loss;
    const gr__series_config *c; /* of the model */
    float *z;                   /* (rows, n): normalised */
    int64_t first[2];           /* row where the first window of each part begins */
    int64_t valid_at;           /* row where validation begins */
    uint64_t seed;
    double *said; /* (rows, n): forecasts on the scale of the file, of windows that do not overlap; NaN: none */
    double squares, absolute, own_squares; /* of the validation that goes on; own: on the scale of the file */
    int64_t n_scored;
} gr__forecast_task;

static const char *const headers[] = {"auto", "yes", "no", NULL};

#define AT(field) offsetof(gr__forecast_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(file.source), 0, 0, NULL, NULL, "a CSV file: a row a moment, in order",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"time", GR__CONF_STRING, AT(file.time), 0, 0, NULL, NULL,
     "the column of times (name, or number from 0); default: the first where it is not all numbers", 0},
    {"columns", GR__CONF_STRING_LIST, AT(file.columns), 0, 0, NULL, NULL, "the series; default: all other columns", 0},
    {"ignore", GR__CONF_STRING_LIST, AT(file.ignore), 0, 0, NULL, NULL, "columns to leave out", 0},
    {"header", GR__CONF_ENUM, AT(file.header), 0, 0, headers, "auto", "whether the first row holds names", 0},
    {"fill", GR__CONF_BOOL, AT(file.fill), 0, 0, NULL, "false",
     "a missing value repeats the one before; default: it is an error", 0},
    {"log", GR__CONF_BOOL, AT(log), 0, 0, NULL, "false", "work with the logarithms of the values, all above 0", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0.2", "share of the rows, the last ones, for validation", 0},
    {"train_rows", GR__CONF_INT, AT(train_rows), 0, 1e12, NULL, "0", "the first rows, for training; 0: what is left",
     0},
    {"skip_rows", GR__CONF_INT, AT(skip_rows), 0, 1e12, NULL, "0", "rows between training and validation", 0},
    {"valid_rows", GR__CONF_INT, AT(valid_rows), 0, 1e12, NULL, "0", "rows for validation; 0: by 'valid'", 0},
};

#undef AT
#define AT(field) offsetof(gr__forecast_loss, field)
static const char *const losses[] = {"mse", "mae", "huber", NULL};
static const gr__conf_row loss_rows[] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, losses, "mse", "mse, mae or huber, of normalised values", GR__CONF_MAIN},
    {"delta", GR__CONF_DOUBLE, AT(delta), 0, 1e9, NULL, "1", "huber: where the square ends, in deviations",
     GR__CONF_ABOVE_MIN},
};

/* ---- opening ---- */

typedef struct cut {
    int64_t train, valid_at, end; /* rows [0, train), [valid_at, end) */
} cut;

static gr_status find_cut(const gr__forecast_options *o, const gr__conf *section, int64_t rows, cut *out)
{
    int64_t valid = o->valid_rows ? o->valid_rows : (int64_t)(o->valid * (double)rows);
    int64_t train = o->train_rows ? o->train_rows : GR__MAX(rows - o->skip_rows - valid, 0);
    if (train < 2 || train + o->skip_rows + valid > rows)
        return gr__conf_fail(section,
                             "data: %lld rows for training, %lld between and %lld for validation are not in the "
                             "%lld rows of the file",
                             (long long)train, (long long)o->skip_rows, (long long)valid, (long long)rows);
    *out = (cut){train, train + o->skip_rows, train + o->skip_rows + valid};
    return GR_OK;
}

static double scaled(const gr__forecast_options *o, double v) { return o->log ? log(v) : v; }

/* Mean and deviation of each series over the training rows; a constant one keeps its distance to 1. */
static gr_status measure(gr__forecast_task *t, const gr__forecast_options *o, int64_t train, const gr__facts *kept,
                         gr__facts *facts)
{
    const gr__series_data *d = &t->data;
    double *mean = gr__arena_alloc(&t->base.arena, 2 * (size_t)d->n * sizeof *mean), *std = mean + d->n;
    if (!mean) return gr__fail_memory("series", 2 * (size_t)d->n * sizeof *mean);
    for (int64_t r = 0; r < d->rows && o->log; r++)
        for (int64_t k = 0; k < d->n; k++)
            GR_FAIL_IF(!(d->value[r * d->n + k] > 0), GR_ERR_DATA,
                       "%s:%lld: %g in '%.100s' has no logarithm; data.log=false", o->file.source,
                       (long long)d->line[r], d->value[r * d->n + k], d->names.item[k]);
    for (int64_t k = 0; k < d->n; k++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < train; r++) sum += scaled(o, d->value[r * d->n + k]);
        mean[k] = sum / (double)train;
        for (int64_t r = 0; r < train; r++) squares += pow(scaled(o, d->value[r * d->n + k]) - mean[k], 2);
        std[k] = sqrt(squares / (double)train);
        if (!(std[k] > 0)) std[k] = 1;
    }
    bool same = kept->mean.n == (size_t)d->n && kept->std.n == (size_t)d->n && kept->log == o->log;
    for (size_t k = 0; same && k < (size_t)d->n; k++) same = strcmp(kept->labels.item[k], d->names.item[k]) == 0;
    *facts = (gr__facts){.labels = d->names,
                         .mean = same ? kept->mean : (gr__conf_doubles){.item = mean, .n = (size_t)d->n},
                         .std = same ? kept->std : (gr__conf_doubles){.item = std, .n = (size_t)d->n},
                         .log = o->log};
    return GR_OK;
}

static gr_status make_model(gr__forecast_task *t, const gr__task_in *in, const gr__facts *facts)
{
    GR_TRY(gr__model_default(in->root, "dlinear", &t->base.arena));
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), facts, NULL, &t->base.model));
    if (t->base.model->family->kind != GR_MODEL_SERIES)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not continue series; use 'dlinear', 'lstm_forecast' or 'patchtst'",
                             t->base.model->family->name);
    t->c = t->base.model->config;
    return GR_OK;
}

static gr_status place_windows(gr__forecast_task *t, const cut *c, const gr__conf *section)
{
    int64_t window = t->c->window, both = window + t->c->horizon;
    if (c->train < both)
        return gr__conf_fail(
            section,
            "%lld rows for training are less than model.window and model.horizon, %lld + %lld; give more "
            "rows, or set less, as model.window=%lld model.horizon=%lld",
            (long long)c->train, (long long)window, (long long)t->c->horizon, (long long)GR__MAX(c->train / 3, 1),
            (long long)GR__MAX(c->train / 12, 1));
    t->base.samples[0] = c->train - both + 1;
    t->first[1] = GR__MAX(c->valid_at - window, 0);
    t->valid_at = t->first[1] + window;
    t->base.samples[1] = GR__MAX(c->end - t->valid_at - t->c->horizon + 1, 0);
    if (c->end > c->valid_at && t->base.samples[1] == 0)
        return gr__conf_fail(
            section, "%lld rows for validation are less than model.horizon, %lld; set less, as model.horizon=%lld",
            (long long)(c->end - c->valid_at), (long long)t->c->horizon, (long long)(c->end - c->valid_at));
    t->base.units[0] = t->base.samples[0];
    t->base.units[1] = t->base.samples[1];
    t->base.units_per_sample = 1;
    return GR_OK;
}

static gr_status normalise(gr__forecast_task *t)
{
    size_t n = (size_t)t->data.n, all = (size_t)t->data.rows * n;
    t->z = gr__alloc(all * sizeof *t->z);
    t->said = gr__alloc(all * sizeof *t->said);
    if (!t->z || !t->said) return gr__fail_memory("series", all * sizeof *t->said);
    for (size_t i = 0; i < all; i++) t->z[i] = (float)gr__series_forward(t->c, i % n, t->data.value[i]);
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__forecast_task *t = (gr__forecast_task *)base;
    const gr__conf *section = gr__conf_get(in->root, "data");
    gr__forecast_options o = {0};
    gr__facts facts;
    cut c = {0};
    GR_TRY(gr__conf_read(section, "data", data_rows, GR__COUNT(data_rows), &o, &base->arena));
    GR_TRY(
        gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, &base->arena));
    t->seed = in->seed;
    GR_TRY(gr__series_read(&o.file, &base->arena, &t->data));
    GR_TRY(find_cut(&o, section, t->data.rows, &c));
    GR_TRY(measure(t, &o, c.train, &in->kept, &facts));
    GR_TRY(make_model(t, in, &facts));
    GR_TRY(place_windows(t, &c, section));
    base->report = gr__arena_printf(
        &base->arena,
        "%lld rows%s%s%s%s: %lld for training, %lld to %lld for validation; %lld series; %lld values filled",
        (long long)t->data.rows, t->data.first ? " from " : "", t->data.first ? t->data.first : "",
        t->data.first ? " to " : "", t->data.first ? t->data.last : "", (long long)c.train, (long long)c.valid_at,
        (long long)c.end, (long long)t->data.n, (long long)t->data.filled);
    if (!base->report) return gr__fail_memory("a report", 256);
    return normalise(t);
}

static void close(gr__task *base)
{
    gr__forecast_task *t = (gr__forecast_task *)base;
    gr__series_release(&t->data);
    gr__free(t->z);
    gr__free(t->said);
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    static const gr_loss_kind kinds[] = {GR_LOSS_MSE, GR_LOSS_MAE, GR_LOSS_HUBER};
    gr__forecast_task *t = (gr__forecast_task *)base;
    int64_t n = t->data.n;
    gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){batch, t->c->window, n});
    gr_value y = gr_input(g, "y", GR_F32, 3, (int64_t[]){batch, t->c->horizon, n});
    gr_value p = base->model->family->build_series(g, t->c, x, train);
    gr_loss_options o = {.weight = gr_input(g, "weight", GR_F32, 1, &batch), .delta = t->loss.delta};
    *out = gr_loss_of_kind(g, kinds[t->loss.type], p, y, &o);
    if (!train) gr_output(g, program, "prediction", p);
    return gr_graph_status(g);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__forecast_task *t = (gr__forecast_task *)base;
    int64_t samples = base->samples[split], n = t->data.n, window = t->c->window * n, horizon = t->c->horizon * n;
    gr_tensor x, y, w;
    if (!gr__inputs_find(to, "x", &x) || !gr__inputs_find(to, "y", &y) || !gr__inputs_find(to, "weight", &w)) return;
    for (int64_t b = 0; b < batch; b++) {
        bool train = split == GR__SPLIT_TRAIN;
        int64_t i =
            train ? gr__rng_row(t->seed, 0x7365726900000000u, samples, first + b) : GR__MIN(first + b, samples - 1);
        const float *from = t->z + (t->first[split] + i) * n;
        memcpy((float *)x.data + b * window, from, (size_t)window * sizeof *from);
        memcpy((float *)y.data + b * horizon, from + window, (size_t)horizon * sizeof *from);
        ((float *)w.data)[b] = train || first + b < samples ? 1.0f : 0.0f;
    }
}

/* Errors of sample i, and its forecast where no other that is kept overlaps it. */
static void score_one(gr__forecast_task *t, int64_t i, const float *p)
{
    int64_t n = t->data.n, at = t->valid_at + i;
    for (int64_t h = 0; h < t->c->horizon; h++)
        for (int64_t k = 0; k < n; k++) {
            int64_t place = (at + h) * n + k;
            double said = (double)p[h * n + k], error = said - (double)t->z[place];
            double own = gr__series_backward(t->c, (size_t)k, said), distance = own - t->data.value[place];
            t->squares += error * error;
            t->absolute += fabs(error);
            t->own_squares += distance * distance;
            if (i % t->c->horizon == 0) t->said[place] = own;
        }
    t->n_scored += t->c->horizon * n;
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__forecast_task *t = (gr__forecast_task *)base;
    gr_tensor p;
    if (gr_session_output(session, "prediction", &p) != GR_OK || p.dtype != GR_F32) return;
    if (first == 0) {
        t->squares = t->absolute = t->own_squares = 0;
        t->n_scored = 0;
        for (int64_t i = 0; i < t->data.rows * t->data.n; i++) t->said[i] = (double)NAN;
    }
    for (int64_t b = 0; b < batch && first + b < base->samples[1]; b++)
        score_one(t, first + b, (const float *)p.data + b * t->c->horizon * t->data.n);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    const gr__forecast_task *t = (const gr__forecast_task *)base;
    double n = (double)t->n_scored;
    const gr_metric m[] = {{"mse", t->squares / n}, {"mae", t->absolute / n}, {"rmse", sqrt(t->own_squares / n)}};
    int count = GR__MIN(t->data.n == 1 ? 3 : 2, capacity);
    for (int i = 0; i < count; i++) out[i] = m[i];
    return count;
}

/* ---- panels ---- */

/* The last rows of a series with the forecasts for them, as many again before. */
static gr_status draw(const gr__forecast_task *t, int64_t k, double *actual, double *said, gr__str *page)
{
    int64_t rows = t->data.rows, n = t->data.n, last = rows;
    while (last > t->valid_at && isnan(t->said[(last - 1) * n + k])) last--;
    int64_t shown = GR__MIN(last - t->valid_at, GR__MAX(4 * t->c->horizon, 96)), from = last - shown;
    int64_t begin = GR__MAX(from - GR__MIN(shown, t->c->window), 0);
    for (int64_t r = begin; r < last; r++) {
        actual[r - begin] = t->data.value[r * n + k];
        said[r - begin] = t->said[r * n + k];
    }
    char *svg, title[128];
    snprintf(title, sizeof title, "%.100s", t->data.names.item[k]);
    const gr_forecast f = {.actual = actual,
                           .n = (size_t)(last - begin),
                           .forecast = said + (from - begin),
                           .first = (size_t)(from - begin),
                           .n_forecast = (size_t)shown};
    return gr__html_figure(page, gr_plot_forecast(&f, &(gr_plot_options){.title = title}, &svg), &svg);
}

static gr_status panels(gr__task *base, gr__str *page)
{
    const gr__forecast_task *t = (const gr__forecast_task *)base;
    double *room = gr__calloc(2 * (size_t)t->data.rows, sizeof *room);
    if (!room) return gr__fail_memory("a chart", 2 * (size_t)t->data.rows * sizeof *room);
    gr_status status = GR_OK;
    gr__html_section(page, "Series and forecast");
    gr__html_charts_begin(page);
    for (int64_t k = 0; k < t->data.n && k < MOST_CHARTS && status == GR_OK; k++)
        status = draw(t, k, room, room + t->data.rows, page);
    gr__html_charts_end(page);
    gr__free(room);
    return status;
}

static const gr__conf_section sections[] = {{"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
                                            {"loss", loss_rows, GR__COUNT(loss_rows), "a name alone is the type"}};
static const char *const defaults[] = {"train.batch=32", NULL};

const gr__task_kind gr__task_forecasting = {
    .name = "forecasting",
    .summary = "series to their future",
    .unit = "window",
    .plain = true,
    .epochs = 10,
    .defaults = defaults,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__forecast_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
