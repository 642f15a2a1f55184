/* The pictures of gradus/metric.h: each fills in the plain chart or table that plot.h draws. */
#include "gradus/metric.h"

#include "metric/plot_int.h"

#include <math.h>
#include <stdio.h>

enum { SQUARE = 560, MOST_CLASSES = 64, MOST_POINTS = 2000, MOST_BINS = 200, MOST_LINES = 8, NAME_WIDTH = 150 };

static const gr__range unit = {-0.01, 1.01};
static const double ends[2] = {0, 1};
static const gr__series diagonal = {.x = ends, .y = ends, .n = 2, .colour = "#8b94a5", .dashed = true};

static const char *either(const char *wish, const char *standard) { return wish ? wish : standard; }

/* Labels of a chart: the caller's, else those given here. */
static gr__chart chart_of(const gr_plot_options *o, const char *title, const char *x, const char *y)
{
    return (gr__chart){.title = either(o ? o->title : NULL, title),
                       .x_label = either(o ? o->x_label : NULL, x),
                       .y_label = either(o ? o->y_label : NULL, y)};
}

/* "area 0.9312", whatever the locale. */
static void name_value(char out[64], const char *name, double value)
{
    snprintf(out, 64, "%s %.4f", name, value);
    for (char *p = out; *p; p++)
        if (*p == ',') *p = '.';
}

static gr_status finish(gr__str *out, char **svg)
{
    gr_status status = gr__str_check(out);
    if (status == GR_OK)
        *svg = out->text;
    else
        gr__str_release(out);
    return status;
}

static gr_status draw(gr__chart *c, const gr__series *series, size_t n, char **svg)
{
    gr__str out = {0};
    c->series = series;
    c->series_count = n;
    gr__svg_chart(&out, c);
    return finish(&out, svg);
}

/* ---- curves ---- */

/* x, y of n + 1 points: (0, 0) and then one for each threshold, or the precision over recall. */
static void fill_curve(const gr_curve_point *p, size_t n, const gr_curve_scores *s, bool roc, double *x, double *y)
{
    double positives = (double)s->positives, negatives = (double)s->n - positives;
    for (size_t i = 0; i < n; i++) {
        double hits = (double)p[i].true_positive, wrong = (double)p[i].false_positive;
        x[i + 1] = roc ? wrong / negatives : hits / positives; /* NaN, a gap, where a class is absent */
        y[i + 1] = roc ? hits / positives : hits / (hits + wrong);
    }
    x[0] = 0;
    y[0] = roc ? 0 : n ? y[1] : NAN;
    if (n == 0 || isnan(x[n]) || isnan(y[n])) y[0] = NAN;
}

/* Its points, for the caller to free *x (y lies in it too), and a label with the area; n 0: there is no curve. */
static gr_status make_line(gr_curve *curve, bool roc, gr_curve_scores *s, double **x, gr__series *out)
{
    const gr_curve_point *points;
    size_t n;
    GR_TRY(gr_curve_result(curve, s));
    GR_TRY(gr_curve_points(curve, &points, &n));
    *x = gr__calloc(2 * (n + 1), sizeof **x);
    if (!*x) return gr__fail_memory("a picture", 2 * (n + 1) * sizeof **x);
    double *y = *x + n + 1;
    fill_curve(points, n, s, roc, *x, y);
    *out = (gr__series){.x = *x, .y = y, .n = isnan(y[0]) ? 0 : n + 1};
    return GR_OK;
}

static gr__chart curve_chart(const gr_plot_options *o, bool roc, const char *title)
{
    gr__chart c = roc ? chart_of(o, title, "false positive rate", "true positive rate")
                      : chart_of(o, title, "recall", "precision");
    c.x_range = c.y_range = unit;
    c.height = SQUARE;
    return c;
}

static gr_status draw_curve(gr_curve *curve, const gr_plot_options *o, bool roc, char **svg)
{
    gr_curve_scores s;
    double *x = NULL;
    char label[64];
    gr__series series[2] = {diagonal};
    if (svg) *svg = NULL;
    GR_FAIL_IF(!curve || !svg, GR_ERR_ARGUMENT, "%s: an argument is NULL",
               roc ? "gr_plot_roc" : "gr_plot_precision_recall");
    GR_TRY(make_line(curve, roc, &s, &x, &series[1]));
    name_value(label, roc ? "area" : "average precision", roc ? s.auc : s.average_precision);
    double share = s.n ? (double)s.positives / (double)s.n : NAN, base[2] = {share, share};
    if (!roc) series[0].y = base; /* what guessing gives */
    series[1].colour = "#3b82d6";
    if (series[1].n)
        series[1].label = label;
    else
        series[0].n = 0;
    gr__chart c = curve_chart(o, roc, roc ? "ROC" : "Precision and recall");
    gr_status status = draw(&c, series, GR__COUNT(series), svg);
    gr__free(x);
    return status;
}

gr_status gr_plot_roc(gr_curve *c, const gr_plot_options *options, char **svg)
{
    return draw_curve(c, options, true, svg);
}

gr_status gr_plot_precision_recall(gr_curve *c, const gr_plot_options *options, char **svg)
{
    return draw_curve(c, options, false, svg);
}

/* The classes that have a curve, the most frequent first, up to MOST_LINES. *all: how many classes there are. */
static gr_status find_frequent(gr_curve_set *set, bool roc, int32_t *class, int32_t *n, int32_t *all)
{
    int64_t often[MOST_LINES];
    gr_curve *curve;
    *n = *all = 0;
    for (; (curve = gr_curve_set_get(set, *all)); ++*all) {
        gr_curve_scores s;
        GR_TRY(gr_curve_result(curve, &s));
        if (s.positives == 0 || (roc && s.positives == s.n)) continue;
        int32_t at = *n;
        while (at > 0 && often[at - 1] < s.positives) at--;
        if (at == MOST_LINES) continue;
        *n = GR__MIN(*n + 1, (int32_t)MOST_LINES);
        for (int32_t k = *n - 1; k > at; k--) often[k] = often[k - 1], class[k] = class[k - 1];
        often[at] = s.positives;
        class[at] = *all;
    }
    return GR_OK;
}

/* "cat 0.9312" */
static void name_line(gr__str *out, const gr_plot_options *o, int32_t k, double value)
{
    char number[24], text[96];
    gr__str name = {0};
    snprintf(number, sizeof number, "%d", (int)k);
    gr__svg_cut(&name, o && o->class_names ? o->class_names[k] : number, NAME_WIDTH);
    name_value(text, "", value);
    gr__str_add(out, gr__str_get(&name));
    gr__str_add(out, text);
    out->failed |= name.failed;
    gr__str_release(&name);
}

static gr_status draw_set(gr_curve_set *set, const gr_plot_options *o, bool roc, char **svg)
{
    int32_t class[MOST_LINES], n, all;
    double *x[MOST_LINES] = {0};
    gr__str label[MOST_LINES] = {0};
    gr__series series[MOST_LINES + 1];
    gr_status status = GR_OK;
    char title[96];
    if (svg) *svg = NULL;
    GR_FAIL_IF(!set || !svg, GR_ERR_ARGUMENT, "%s: an argument is NULL",
               roc ? "gr_plot_roc_set" : "gr_plot_precision_recall_set");
    GR_TRY(find_frequent(set, roc, class, &n, &all));
    for (int32_t i = 0; i < n; i++) {
        gr_curve_scores s;
        GR_TRY_DONE(make_line(gr_curve_set_get(set, class[i]), roc, &s, &x[i], &series[i]));
        name_line(&label[i], o, class[i], roc ? s.auc : s.average_precision);
        GR_TRY_DONE(gr__str_check(&label[i]));
        series[i].label = gr__str_get(&label[i]);
    }
    series[n] = diagonal; /* after the classes, so that one has the same colour in both pictures */
    int used = snprintf(title, sizeof title, "%s, each against the rest", roc ? "ROC" : "Precision and recall");
    if (n < all) snprintf(title + used, sizeof title - (size_t)used, "; %d not shown", (int)(all - n));
    gr__chart c = curve_chart(o, roc, title);
    status = draw(&c, series, (size_t)n + (roc && n), svg); /* of precision, guessing gives another line each */
done:
    for (int32_t i = 0; i < n; i++) {
        gr__free(x[i]);
        gr__str_release(&label[i]);
    }
    return status;
}

gr_status gr_plot_roc_set(gr_curve_set *s, const gr_plot_options *options, char **svg)
{
    return draw_set(s, options, true, svg);
}

gr_status gr_plot_precision_recall_set(gr_curve_set *s, const gr_plot_options *options, char **svg)
{
    return draw_set(s, options, false, svg);
}

gr_status gr_plot_threshold(gr_curve *curve, double used, const gr_plot_options *options, char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF(!curve || !svg, GR_ERR_ARGUMENT, "gr_plot_threshold: an argument is NULL");
    gr_curve_scores s;
    const gr_curve_point *p;
    size_t n;
    char label[64];
    GR_TRY(gr_curve_result(curve, &s));
    GR_TRY(gr_curve_points(curve, &p, &n));
    double *x = gr__calloc(4 * n + 1, sizeof *x), *precision = x + n, *recall = precision + n, *f1 = recall + n;
    if (!x) return gr__fail_memory("a picture", 4 * n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        double hits = (double)p[i].true_positive, said = hits + (double)p[i].false_positive, is = (double)s.positives;
        x[i] = p[i].threshold;
        precision[i] = hits / said;
        recall[i] = hits / is; /* NaN, a gap, without positives */
        f1[i] = 2 * hits / (said + is);
    }
    const double at[2] = {used, used};
    name_value(label, "used", used);
    gr__series series[] = {{.x = x, .y = precision, .n = n, .label = "precision"},
                           {.x = x, .y = recall, .n = n, .label = "recall"},
                           {.x = x, .y = f1, .n = n, .label = "F1"},
                           {.x = at, .y = ends, .n = 2, .colour = "#8b94a5", .dashed = true, .label = label}};
    gr__chart c = chart_of(options, "Precision, recall and F1 by threshold", "threshold", NULL);
    c.x_range = c.y_range = unit;
    gr_status status = draw(&c, series, GR__COUNT(series) - (isnan(used) ? 1 : 0), svg);
    gr__free(x);
    return status;
}

gr_status gr_plot_reliability(const gr_probability *p, const gr_plot_options *options, char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF(!p || !svg, GR_ERR_ARGUMENT, "gr_plot_reliability: an argument is NULL");
    gr_probability_scores s;
    gr_reliability r;
    char label[64];
    size_t bins = 0, n = 0;
    gr_probability_result(p, &s);
    while (gr_probability_bin(p, (int32_t)bins, &r)) bins++;
    double *x = gr__calloc(bins, sizeof *x), *y = gr__calloc(bins, sizeof *y);
    double *edge = gr__calloc(bins + 1, sizeof *edge), *share = gr__calloc(bins, sizeof *share);
    gr_status status = x && y && edge && share ? GR_OK : gr__fail_memory("a picture", 4 * bins * sizeof *x);
    for (size_t i = 0; status == GR_OK && gr_probability_bin(p, (int32_t)i, &r); i++) {
        edge[i] = r.low;
        edge[i + 1] = r.high;
        share[i] = s.n ? (double)r.n / (double)s.n : NAN;
        if (r.n == 0) continue;
        x[n] = r.confidence;
        y[n++] = r.right;
    }
    if (status == GR_OK) {
        name_value(label, "calibration error", s.calibration_error);
        gr__series series[] = {
            {.x = edge, .y = share, .n = bins, .bars = true, .colour = "#9aa7bd", .label = "share of samples"},
            diagonal,
            {.x = x, .y = y, .n = n, .points = true, .colour = "#3b82d6", .label = label}};
        if (n == 0) {
            series[0].label = series[2].label = NULL;
            series[1].n = 0;
        }
        gr__chart c = chart_of(options, "Reliability", "confidence", "share that is right");
        c.x_range = c.y_range = unit;
        c.height = SQUARE;
        status = draw(&c, series, GR__COUNT(series), svg);
    }
    gr__free(x);
    gr__free(y);
    gr__free(edge);
    gr__free(share);
    return status;
}

/* ---- the table ---- */

gr_status gr_plot_confusion(const gr_confusion *c, const gr_plot_options *o, char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF(!c || !svg, GR_ERR_ARGUMENT, "gr_plot_confusion: an argument is NULL");
    int32_t k = gr_confusion_classes(c);
    size_t cells = (size_t)k * (size_t)k;
    GR_FAIL_IF(k > MOST_CLASSES, GR_ERR_LIMIT, "a picture of %d classes would be too small; at most %d", (int)k,
               MOST_CLASSES);
    int64_t *count = gr__calloc(cells, sizeof *count);
    double *share = gr__calloc(cells, sizeof *share);
    gr_status status = count && share ? GR_OK : gr__fail_memory("a picture", 2 * cells * sizeof *share);
    for (int32_t i = 0; status == GR_OK && i < k; i++)
        for (int32_t j = 0, row = i * k; j < k; j++) {
            int64_t all = gr_confusion_class(c, i).support;
            count[row + j] = gr_confusion_count(c, i, j);
            share[row + j] = all ? (double)count[row + j] / (double)all : 0;
        }
    if (status == GR_OK) {
        gr__heatmap map = {.title = either(o ? o->title : NULL, "Confusion"),
                           .x_label = either(o ? o->x_label : NULL, "predicted"),
                           .y_label = either(o ? o->y_label : NULL, "actual"),
                           .names = o ? o->class_names : NULL,
                           .count = count,
                           .share = share,
                           .k = (size_t)k};
        gr__str out = {0};
        gr__svg_heatmap(&out, &map);
        status = finish(&out, svg);
    }
    gr__free(count);
    gr__free(share);
    return status;
}

/* ---- numbers ---- */

gr_status gr_plot_scatter(const double *actual, const double *predicted, size_t n, const gr_plot_options *options,
                          char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF((n && (!actual || !predicted)) || !svg, GR_ERR_ARGUMENT, "gr_plot_scatter: an argument is NULL");
    double x[MOST_POINTS], y[MOST_POINTS], low = INFINITY, high = -INFINITY;
    size_t points = 0, step = (n + MOST_POINTS - 1) / MOST_POINTS;
    for (size_t i = 0; i < n; i += step) {
        x[points] = actual[i];
        y[points++] = predicted[i];
        if (!isfinite(actual[i]) || !isfinite(predicted[i])) continue;
        low = fmin(low, fmin(actual[i], predicted[i]));
        high = fmax(high, fmax(actual[i], predicted[i]));
    }
    const double line[2] = {low, high};
    gr__series series[] = {diagonal,
                           {.x = x, .y = y, .n = points, .points = true, .no_line = true, .colour = "#3b82d6"}};
    series[0].x = series[0].y = line;
    gr__chart c = chart_of(options, "Predicted and actual", "actual", "predicted");
    double margin = (high - low) * 0.03;
    if (high > low && isfinite(margin)) c.x_range = c.y_range = (gr__range){low - margin, high + margin};
    c.height = SQUARE;
    return draw(&c, series, GR__COUNT(series), svg);
}

gr_status gr_plot_forecast(const gr_forecast *f, const gr_plot_options *options, char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF(!f || (f->n && !f->actual) || (f->n_forecast && !f->forecast) || !svg, GR_ERR_ARGUMENT,
               "gr_plot_forecast: an argument is NULL");
    GR_FAIL_IF(!f->low != !f->high, GR_ERR_ARGUMENT, "a band needs both of low and high");
    double *x = gr__calloc(f->n_forecast, sizeof *x);
    if (!x) return gr__fail_memory("a picture", f->n_forecast * sizeof *x);
    for (size_t i = 0; i < f->n_forecast; i++) x[i] = (double)(f->first + i);
    gr__series series[] = {{.x = x, .y = f->high, .low = f->low, .n = f->low ? f->n_forecast : 0, .colour = "#e0762f"},
                           {.y = f->actual, .n = f->n, .label = "actual", .colour = "#3b82d6"},
                           {.x = x, .y = f->forecast, .n = f->n_forecast, .label = "forecast", .colour = "#e0762f"}};
    if (f->low) series[2].label = "forecast and interval";
    gr__chart c = chart_of(options, "Series and forecast", "time", NULL);
    gr_status status = draw(&c, f->low ? series : series + 1, f->low ? 3 : 2, svg);
    gr__free(x);
    return status;
}

gr_status gr_plot_histogram(const double *value, size_t n, const gr_plot_options *options, char **svg)
{
    if (svg) *svg = NULL;
    GR_FAIL_IF((n && !value) || !svg, GR_ERR_ARGUMENT, "gr_plot_histogram: an argument is NULL");
    double low = INFINITY, high = -INFINITY, edge[MOST_BINS + 1], count[MOST_BINS] = {0};
    size_t finite = 0;
    int wish = options ? options->bins : 0;
    GR_FAIL_IF(wish < 0 || wish > MOST_BINS, GR_ERR_ARGUMENT, "%d bins; 1 to %d are possible", wish, MOST_BINS);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i])) continue;
        finite++;
        low = fmin(low, value[i]);
        high = fmax(high, value[i]);
    }
    int bins = wish ? wish : (int)fmin(fmax(sqrt((double)finite), 5), 60);
    if (!(high > low)) { /* one value: one bar around it */
        bins = finite > 0;
        double half = fmax(fabs(low) * 0.05, 0.5);
        low -= half;
        high += half;
    }
    double width = high / bins - low / bins; /* halves first: no overflow */
    for (int i = 0; i <= bins; i++) edge[i] = i == bins ? high : low + i * width;
    for (size_t i = 0; i < n; i++)
        if (isfinite(value[i])) count[GR__MIN((int)fmax((value[i] / bins - low / bins) / width * bins, 0), bins - 1)]++;
    gr__series bar = {.x = edge, .y = count, .n = (size_t)bins, .bars = true, .colour = "#3b82d6"};
    gr__chart c = chart_of(options, "Histogram", "value", "count");
    c.from_zero = true;
    return draw(&c, &bar, 1, svg);
}
