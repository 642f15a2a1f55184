/* The report of a run as one HTML file: facts, curves from metrics.jsonl, what the last evaluation left (panels.c),
 * samples, the configuration. It reads the folder
 * only, so a run that was stopped, or trained elsewhere, has its report too. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "format/weights.h"
#include "metric/html.h"
#include "metric/plot.h"
#include "run/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CONFIG = 8 << 20, MOST_EVALUATION = 256 << 20 };
#define MOST_METRICS_BYTES ((size_t)2 << 30)

typedef struct gr__curve {
    double *x, *y;
    size_t n, x_capacity, y_capacity;
} gr__curve;

typedef enum gr__curve_name { LOSS, VALID, RATE, NORM, SPEED, N_CURVES } gr__curve_name;
static const char *const keys[N_CURVES] = {"loss", "valid_loss", "lr", "grad_norm", "units_per_second"};

typedef struct gr__report {
    gr__curve curve[N_CURVES];
    gr__curve average; /* of the loss */
    double seconds, units, last_step;
    gr__str page;
} gr__report;

/* ---- metrics.jsonl ---- */

static gr_status add_point(gr__curve *c, double x, double y)
{
    GR_TRY(gr__grow(&c->x, sizeof *c->x, c->n + 1, &c->x_capacity));
    GR_TRY(gr__grow(&c->y, sizeof *c->y, c->n + 1, &c->y_capacity));
    c->x[c->n] = x;
    c->y[c->n++] = y;
    return GR_OK;
}

static void curve_release(gr__curve *c)
{
    gr__free(c->x);
    gr__free(c->y);
}

static gr_status take_line(gr__report *r, gr__json o)
{
    double step, value;
    if (!gr__json_double(gr__json_get(o, "step"), &step)) return GR_OK;
    for (int i = 0; i < N_CURVES; i++) {
        gr__json v = gr__json_get(o, keys[i]);
        if (!v) continue;
        if (!gr__json_double(v, &value)) value = NAN; /* null */
        GR_TRY(add_point(&r->curve[i], step, value));
    }
    r->last_step = fmax(r->last_step, step);
    if (gr__json_double(gr__json_get(o, "seconds"), &value)) r->seconds = value;
    if (gr__json_double(gr__json_get(o, "units"), &value)) r->units = value;
    return GR_OK;
}

/* A line that cannot be read is left out, and told unless it is the last one, cut off in a run that was killed. */
static gr_status read_metrics(gr__report *r, const char *folder)
{
    char *path = gr__path_join(folder, "metrics.jsonl"), *text = NULL;
    size_t n, line = 1, first_bad = 0, n_bad = 0;
    gr_status status = path ? GR_OK : gr__fail_memory("a path", strlen(folder));
    if (status == GR_OK) status = gr__file_read(path, MOST_METRICS_BYTES, &text, &n);
    for (size_t at = 0; status == GR_OK && at < n; line++) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - (text + at)) : n - at;
        gr__json_doc *doc = NULL;
        gr_status s = gr__json_parse(text + at, length, "metrics.jsonl", &doc);
        if (s == GR_OK)
            status = take_line(r, gr__json_root(doc));
        else if (s == GR_ERR_MEMORY)
            status = s;
        else if (end && n_bad++ == 0)
            first_bad = line;
        gr__json_free(&doc);
        at += length + 1;
    }
    if (status == GR_OK && n_bad)
        gr__log(GR_LOG_WARNING, "the report lacks %zu line%s of '%s' that cannot be read, the first is line %zu", n_bad,
                n_bad == 1 ? "" : "s", path, first_bad);
    gr__free(text);
    gr__free(path);
    return status;
}

/* The mean of the first 20 steps, an exponential average from then on; none where a step has no finite loss. */
static gr_status smooth(gr__report *r)
{
    const gr__curve *c = &r->curve[LOSS];
    double average = 0, seen = 0;
    for (size_t i = 0; i < c->n; i++) {
        bool finite = isfinite(c->y[i]);
        if (finite) average += fmax(1 / ++seen, 0.05) * (c->y[i] - average);
        GR_TRY(add_point(&r->average, c->x[i], finite ? average : NAN));
    }
    return GR_OK;
}

/* ---- parts of the page ---- */

static gr__series series_of(const gr__curve *c, const char *label)
{
    return (gr__series){.x = c->x, .y = c->y, .n = c->n, .label = label};
}

static void add_chart(gr__report *r, const char *title, const char *y_label, bool from_zero, const gr__series *s,
                      size_t n)
{
    gr__chart chart = {.title = title,
                       .x_label = "step",
                       .y_label = y_label,
                       .from_zero = from_zero,
                       .whole_x = true,
                       .series = s,
                       .series_count = n};
    gr__svg_chart(&r->page, &chart);
}

static double last_finite(const gr__curve *c)
{
    for (size_t i = c->n; i-- > 0;)
        if (isfinite(c->y[i])) return c->y[i];
    return NAN;
}

static void add_curves(gr__report *r)
{
    gr__series loss[] = {series_of(&r->curve[LOSS], "of a step"), series_of(&r->average, "average"),
                         series_of(&r->curve[VALID], "validation")};
    loss[0].colour = "#9aa7bd";
    loss[2].points = true;
    gr__html_section(&r->page, "Curves");
    gr__html_charts_begin(&r->page);
    add_chart(r, "Loss", NULL, false, loss, r->curve[VALID].n ? 3 : 2);
    const struct {
        int curve;
        const char *title;
        bool from_zero;
    } rest[] = {
        {RATE, "Learning rate", true}, {NORM, "Gradient norm", true}, {SPEED, "Throughput, units a second", true}};
    for (size_t i = 0; i < GR__COUNT(rest); i++) {
        gr__series one = series_of(&r->curve[rest[i].curve], NULL);
        if (isfinite(last_finite(&r->curve[rest[i].curve])))
            add_chart(r, rest[i].title, NULL, rest[i].from_zero, &one, 1);
    }
    gr__html_charts_end(&r->page);
}

/* Numbers too large or too small for four decimals: "1.018e+31". */
static void add_fact(gr__report *r, const char *name, double value)
{
    char text[32];
    double size = fabs(value);
    if (!isfinite(value)) return;
    snprintf(text, sizeof text, size != 0 && (size < 1e-3 || size >= 1e6) ? "%.4g" : "%.4f", value);
    gr__html_fact(&r->page, name, text);
}

/* A run that ended so has no better news than this. */
static void add_loss(gr__report *r)
{
    const gr__curve *c = &r->curve[LOSS];
    add_fact(r, "loss, average", last_finite(&r->average));
    if (c->n && !isfinite(c->y[c->n - 1])) gr__html_fact(&r->page, "loss at the end", "not finite");
}

static double least(const gr__curve *c)
{
    double v = NAN;
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i]) && !(c->y[i] >= v)) v = c->y[i];
    return v;
}

static double parameters_of(const char *folder)
{
    gr__weights *w = NULL;
    double n = 0;
    if (gr__weights_open(folder, &w) != GR_OK) return NAN; /* not finished yet */
    for (size_t i = 0; i < gr__weights_count(w); i++) n += (double)gr_tensor_count(&gr__weights_at(w, i)->tensor);
    gr__weights_close(&w);
    return n;
}

static void add_facts(gr__report *r, const char *folder)
{
    char text[32];
    double parameters = parameters_of(folder);
    gr__html_facts_begin(&r->page);
    if (isfinite(parameters)) {
        gr__format_count(text, parameters);
        gr__html_fact(&r->page, "parameters", text);
    }
    snprintf(text, sizeof text, "%.0f", r->last_step);
    gr__html_fact(&r->page, "steps", text);
    gr__format_seconds(text, r->seconds);
    gr__html_fact(&r->page, "training time", text);
    add_loss(r);
    add_fact(r, "validation loss", last_finite(&r->curve[VALID]));
    add_fact(r, "best validation", least(&r->curve[VALID]));
    gr__format_count(text, r->seconds > 0 ? r->units / r->seconds : 0);
    gr__html_fact(&r->page, "units a second", text);
    gr__html_facts_end(&r->page);
}

/* What the last evaluation left; none: nothing. */
static gr_status add_evaluation(gr__report *r, const char *folder, bool other)
{
    char *path = gr__path_join(folder, other ? GR__OTHER_EVALUATION_FILE : GR__EVALUATION_FILE), *text = NULL;
    size_t n;
    if (!path) return gr__fail_memory("a path", strlen(folder));
    if (gr__file_exists(path) && gr__file_read(path, MOST_EVALUATION, &text, &n) == GR_OK)
        gr__str_add_n(&r->page, text, n);
    gr__free(text);
    gr__free(path);
    return GR_OK;
}

static void add_samples(gr__report *r, const gr_report_options *o)
{
    if (o->n_samples < 1) return;
    gr__html_section(&r->page, "Samples");
    for (int i = 0; i < o->n_samples; i++) {
        if (o->sample_titles && o->sample_titles[i]) gr__html_paragraph(&r->page, o->sample_titles[i]);
        gr__html_code(&r->page, o->samples[i]);
    }
}

/* Scalars of config.json, as a table. */
static void add_model_card(gr__report *r, const char *path)
{
    static const char *const head[] = {"key", "value"};
    gr__json_doc *doc = NULL;
    if (gr__json_read(path, MOST_CONFIG, &doc) != GR_OK) return;
    gr__json root = gr__json_root(doc);
    gr__html_section(&r->page, "Model");
    gr__html_table_begin(&r->page, head, 2);
    for (void *it = gr__json_first(root); it; it = gr__json_next(root, it)) {
        const char *text;
        size_t n;
        double number;
        bool flag;
        char value[64];
        gr__json v = gr__json_value(it);
        if (gr__json_string(v, &text, &n))
            snprintf(value, sizeof value, "%.60s", text);
        else if (gr__json_double(v, &number))
            gr__format_double(value, number);
        else if (gr__json_bool(v, &flag))
            snprintf(value, sizeof value, "%s", flag ? "true" : "false");
        else
            continue;
        const char *cells[] = {gr__json_key(it), value};
        gr__html_table_row(&r->page, cells, 2);
    }
    gr__html_table_end(&r->page);
    gr__json_free(&doc);
}

static void add_config(gr__report *r, const char *path)
{
    char *text = NULL;
    size_t n;
    if (gr__file_read(path, MOST_CONFIG, &text, &n) != GR_OK) return;
    gr__html_section(&r->page, "Configuration");
    gr__html_code(&r->page, text);
    gr__free(text);
}

static gr_status add_files(gr__report *r, const char *folder)
{
    char *model = gr__path_join(folder, "config.json"), *config = gr__path_join(folder, "config.yaml");
    gr_status status = model && config ? GR_OK : gr__fail_memory("a path", strlen(folder));
    if (status == GR_OK) {
        add_model_card(r, model);
        add_config(r, config);
    }
    gr__free(model);
    gr__free(config);
    return status;
}

gr_status gr_report_write(const char *run_folder, const char *path, const gr_report_options *options)
{
    gr_report_options o = options ? *options : (gr_report_options){0};
    gr__report r = {.last_step = 0};
    gr_status status = GR_OK;
    GR_FAIL_IF(!run_folder || !path || (o.n_samples > 0 && !o.samples), GR_ERR_ARGUMENT,
               "gr_report_write: an argument is NULL");
    for (int i = 0; i < o.n_samples; i++) GR_FAIL_IF(!o.samples[i], GR_ERR_ARGUMENT, "sample %d is NULL", i);
    GR_TRY_DONE(read_metrics(&r, run_folder));
    GR_TRY_DONE(smooth(&r));
    gr__html_begin(&r.page, o.title ? o.title : run_folder);
    add_facts(&r, run_folder);
    add_curves(&r);
    GR_TRY_DONE(add_evaluation(&r, run_folder, o.other_evaluation));
    add_samples(&r, &o);
    GR_TRY_DONE(add_files(&r, run_folder));
    gr__html_paragraph(&r.page, "Made by Gradus " GR_VERSION ".");
    gr__html_end(&r.page);
    GR_TRY_DONE(gr__str_check(&r.page));
    status = gr__file_write(path, r.page.text, r.page.n);
done:
    for (int i = 0; i < N_CURVES; i++) curve_release(&r.curve[i]);
    curve_release(&r.average);
    gr__str_release(&r.page);
    return status;
}
