#include "task/label_score.h"

#include "metric/html.h"
#include "task/metric_list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP = 5, WORST = 12, MOST_CURVES = 64, MOST_SHOWN = 64 };

/* A mistake: what was said, how surely. */
typedef struct gr__mistake {
    double surely;
    int64_t sample;
    int32_t actual, said;
} gr__mistake;

/* Of each sample, for intervals and thresholds. */
typedef struct gr__verdict {
    int32_t actual, said;
    double surely; /* of 'said'; of two labels the probability of the second, and 'said' hangs on the threshold */
    int64_t sample;
} gr__verdict;

/* How samples are shown. */
typedef struct gr__shown {
    gr__sample_name_fn name;
    gr__sample_picture_fn picture;
    void *user;
} gr__shown;

struct gr__label_score {
    const gr__conf_strings *names;
    int32_t labels;
    gr_confusion *confusion;
    gr_probability *probability;
    gr_curve *curve;   /* two labels */
    gr_curve_set *set; /* more, up to MOST_CURVES */
    double *row;       /* (labels) */
    int64_t *tally;    /* (3, labels): room for counts of a resample */
    gr__verdict *verdict;
    size_t n, capacity;
    gr__mistake worst[WORST]; /* the surest first */
    int n_worst;
    double threshold; /* of two labels; NaN: the likelier one is said */
    bool lost;        /* an accumulator could not be made anew: there are no metrics */
};

/* ---- taking ---- */

static gr_status make(gr__label_score *s)
{
    GR_TRY(gr_confusion_new(s->labels, &s->confusion));
    GR_TRY(gr_probability_new(s->labels, &(gr_probability_options){.top_k = TOP}, &s->probability));
    if (s->labels > MOST_CURVES) return GR_OK;
    return s->labels == 2 ? gr_curve_new(&s->curve) : gr_curve_set_new(s->labels, &s->set);
}

static void unmake(gr__label_score *s)
{
    gr_confusion_free(&s->confusion);
    gr_probability_free(&s->probability);
    gr_curve_free(&s->curve);
    gr_curve_set_free(&s->set);
}

gr_status gr__label_score_new(const gr__conf_strings *names, gr__label_score **out)
{
    gr__label_score *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("scores", sizeof *s);
    s->names = names;
    s->labels = (int32_t)names->n;
    s->row = gr__calloc(names->n, sizeof *s->row);
    s->tally = gr__calloc(3 * names->n, sizeof *s->tally);
    s->threshold = NAN;
    gr_status status = s->row && s->tally ? make(s) : gr__fail_memory("scores", 4 * names->n * sizeof *s->row);
    if (status != GR_OK)
        gr__label_score_free(&s);
    else
        *out = s;
    return status;
}

void gr__label_score_free(gr__label_score **s)
{
    if (!*s) return;
    unmake(*s);
    gr__free((*s)->row);
    gr__free((*s)->tally);
    gr__free((*s)->verdict);
    gr__free(*s);
    *s = NULL;
}

void gr__label_score_clear(gr__label_score *s)
{
    unmake(s);
    s->n = 0;
    s->n_worst = 0;
    s->lost = make(s) != GR_OK;
}

static void note_mistake(gr__label_score *s, gr__mistake m)
{
    int at = s->n_worst;
    while (at > 0 && s->worst[at - 1].surely < m.surely) at--;
    if (at == WORST) return;
    s->n_worst = GR__MIN(s->n_worst + 1, (int)WORST);
    memmove(s->worst + at + 1, s->worst + at, (size_t)(s->n_worst - 1 - at) * sizeof m);
    s->worst[at] = m;
}

static gr_status count(gr__label_score *s, const gr__verdict *v, double surely)
{
    GR_TRY(gr_confusion_update(s->confusion, &v->actual, &v->said, 1));
    if (v->said != v->actual) note_mistake(s, (gr__mistake){surely, v->sample, v->actual, v->said});
    return GR_OK;
}

/* What is said of two labels, once all are seen: the threshold may come last. */
static gr_status decide(gr__label_score *s)
{
    if (s->labels != 2) return GR_OK;
    gr_confusion_clear(s->confusion);
    s->n_worst = 0;
    for (size_t i = 0; i < s->n; i++) {
        gr__verdict *v = &s->verdict[i];
        v->said = isnan(s->threshold) ? v->surely > 1 - v->surely : v->surely >= s->threshold;
        GR_TRY(count(s, v, v->said ? v->surely : 1 - v->surely));
    }
    return GR_OK;
}

gr_status gr__label_score_add(gr__label_score *s, const double *probability, int32_t actual, int64_t sample)
{
    int32_t said = 0;
    GR_FAIL_IF(s->lost, GR_ERR_MEMORY, "no memory for scores");
    for (int32_t k = 1; k < s->labels; k++)
        if (probability[k] > probability[said]) said = k;
    GR_TRY(gr__grow(&s->verdict, sizeof *s->verdict, s->n + 1, &s->capacity));
    GR_TRY(gr_probability_update(s->probability, probability, &actual, 1));
    if (s->curve) GR_TRY(gr_curve_update(s->curve, &probability[1], &actual, 1));
    if (s->set) GR_TRY(gr_curve_set_update(s->set, probability, &actual, 1));
    s->verdict[s->n] = (gr__verdict){actual, said, probability[s->labels == 2 ? 1 : said], sample};
    return s->labels == 2 ? s->n++, GR_OK : count(s, &s->verdict[s->n++], probability[said]);
}

gr_status gr__label_score_add_rows(gr__label_score *s, const float *probability, const int32_t *actual, int64_t first,
                                   int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < s->labels; k++) s->row[k] = (double)probability[i * s->labels + k];
        GR_TRY(gr__label_score_add(s, s->row, actual[i], first + i));
    }
    return GR_OK;
}

/* ---- the threshold ---- */

void gr__label_score_set_threshold(gr__label_score *s, double threshold) { s->threshold = threshold; }

/* Between the threshold of a curve and the next lower one. */
static gr_status tune(gr__label_score *s, gr_threshold_goal goal, double *out)
{
    gr_threshold best;
    const gr_curve_point *p;
    size_t n, i = 0;
    GR_TRY(gr_curve_threshold(s->curve, goal, 0, &best));
    GR_TRY(gr_curve_points(s->curve, &p, &n));
    *out = NAN;
    if (isnan(best.threshold)) return GR_OK;
    while (i + 1 < n && p[i].threshold != best.threshold) i++;
    *out = (best.threshold + (i + 1 < n ? p[i + 1].threshold : 0)) / 2;
    return GR_OK;
}

gr_status gr__label_score_tune(gr__label_score *s, const gr__tuning *how, gr_model *model)
{
    GR_FAIL_IF(s->lost, GR_ERR_MEMORY, "no memory for scores");
    s->threshold = how->number;
    if (how->kind == GR__TUNING_NONE || !s->curve)
        s->threshold = NAN;
    else if (how->kind != GR__TUNING_FIXED)
        GR_TRY(tune(s, how->kind == GR__TUNING_F1 ? GR_THRESHOLD_F1 : GR_THRESHOLD_YOUDEN, &s->threshold));
    return model && s->curve ? gr_model_set_threshold(model, s->threshold) : GR_OK;
}

/* ---- metrics ---- */

/* Where a label is not there, both would be means of other things than where it is: neither is told. */
static void add_areas(gr__metric_list *l, double auc, double average_precision)
{
    gr__metric_add(l, "auc", auc);
    gr__metric_add(l, "average_precision", isnan(auc) ? auc : average_precision);
}

static gr_status add_two(gr__label_score *s, gr__metric_list *l)
{
    gr_curve_scores u;
    gr_precision_recall r = gr_confusion_class(s->confusion, 1);
    gr_threshold best;
    GR_TRY(gr_curve_result(s->curve, &u));
    GR_TRY(gr_curve_threshold(s->curve, GR_THRESHOLD_F1, 0, &best));
    add_areas(l, u.auc, u.average_precision);
    gr__metric_add(l, "precision", r.precision);
    gr__metric_add(l, "recall", r.recall);
    gr__metric_add(l, "f1", r.f1);
    gr__metric_add(l, "best_f1", best.f1);
    gr__metric_add(l, "best_threshold", best.threshold);
    gr__metric_add(l, "threshold", s->threshold);
    return GR_OK;
}

/* gr_curve_set_result() gives a label that is not there 0, as scikit-learn does. */
static gr_status add_more(gr__label_score *s, gr__metric_list *l)
{
    gr_curve_set_scores u;
    GR_TRY(gr_curve_set_result(s->set, &u));
    add_areas(l, u.auc_macro, u.average_precision_macro);
    return GR_OK;
}

gr_status gr__label_score_metrics(gr__label_score *s, gr_metric *out, int capacity, int *n)
{
    gr__metric_list l = {out, capacity, 0};
    gr_confusion_scores c;
    gr_probability_scores p;
    *n = 0;
    GR_FAIL_IF(s->lost, GR_ERR_MEMORY, "no memory for scores");
    GR_TRY(decide(s));
    gr_confusion_result(s->confusion, &c);
    gr_probability_result(s->probability, &p);
    gr__metric_add(&l, "accuracy", c.accuracy);
    gr__metric_add(&l, "macro_f1", c.macro.f1);
    gr__metric_add(&l, "log_loss", p.log_loss);
    if (s->curve) {
        GR_TRY(add_two(s, &l));
    } else if (s->set) {
        GR_TRY(add_more(s, &l));
    }
    if (s->labels > TOP) gr__metric_add(&l, "top5", p.top_k);
    gr__metric_add(&l, "calibration_error", p.calibration_error);
    *n = l.n;
    return GR_OK;
}

/* ---- panels ---- */

static gr_status accuracy_of(void *user, const size_t *index, size_t n, double *out)
{
    const gr__label_score *s = user;
    size_t right = 0;
    for (size_t i = 0; i < n; i++) right += s->verdict[index[i]].actual == s->verdict[index[i]].said;
    *out = n ? (double)right / (double)n : NAN;
    return GR_OK;
}

/* Three counts a label are enough: a matrix for each resample would be minutes of zeros with thousands of labels. */
gr_status gr__label_score_f1(void *user, const size_t *index, size_t n, double *out)
{
    gr__label_score *s = user;
    int64_t *is = s->tally, *said = is + s->labels, *hit = said + s->labels;
    double sum = 0, present = 0;
    memset(is, 0, 3 * (size_t)s->labels * sizeof *is);
    for (size_t i = 0; i < n; i++) {
        const gr__verdict *v = &s->verdict[index[i]];
        is[v->actual]++;
        said[v->said]++;
        hit[v->actual] += v->actual == v->said;
    }
    for (int32_t k = s->labels == 2; k < s->labels; k++) {
        int64_t either = is[k] + said[k];
        if (either) sum += (double)(2 * hit[k]) / (double)either;
        present += either > 0;
    }
    *out = s->labels == 2 ? sum : sum / present;
    return GR_OK;
}

static gr_status add_intervals(gr__label_score *s, gr__str *page)
{
    static const char *const head[] = {"measure", "value", "from", "to"};
    const struct {
        const char *name;
        gr_metric_fn fn;
    } row[] = {{"accuracy", accuracy_of}, {s->labels == 2 ? "F1" : "macro F1", gr__label_score_f1}};
    gr__html_paragraph(page, "With the interval that holds 95 % of 300 samples drawn anew from these (bootstrap):");
    gr__html_table_begin(page, head, GR__COUNT(head));
    for (size_t i = 0; i < GR__COUNT(row); i++) {
        gr_interval v;
        char text[3][32];
        GR_TRY(gr_bootstrap(s->n, row[i].fn, s, &(gr_bootstrap_options){.resamples = 300}, &v));
        snprintf(text[0], 32, "%.4f", v.value);
        snprintf(text[1], 32, "%.4f", v.low);
        snprintf(text[2], 32, "%.4f", v.high);
        gr__html_table_row(page, (const char *[]){row[i].name, text[0], text[1], text[2]}, GR__COUNT(head));
    }
    gr__html_table_end(page);
    return GR_OK;
}

/* Of each label against all others where there are more than two: one line a label. */
static gr_status add_labels(gr__label_score *s, gr__str *page)
{
    static const char *const head[] = {"label", "samples", "precision", "recall", "F1", "AUC"};
    gr__html_table_begin(page, head, GR__COUNT(head));
    for (int32_t k = 0; k < GR__MIN(s->labels, MOST_SHOWN); k++) {
        gr_precision_recall r = gr_confusion_class(s->confusion, k);
        gr_curve_scores u = {.auc = NAN};
        gr_curve *curve = s->set ? gr_curve_set_get(s->set, k) : s->curve;
        char text[5][32];
        if (curve) GR_TRY(gr_curve_result(curve, &u));
        snprintf(text[0], 32, "%lld", (long long)r.support);
        snprintf(text[1], 32, "%.4f", r.precision);
        snprintf(text[2], 32, "%.4f", r.recall);
        snprintf(text[3], 32, "%.4f", r.f1);
        snprintf(text[4], 32, "%.4f", u.auc);
        gr__html_table_row(
            page, (const char *[]){s->names->item[k], text[0], text[1], text[2], text[3], isnan(u.auc) ? "" : text[4]},
            GR__COUNT(head));
    }
    gr__html_table_end(page);
    if (s->labels > MOST_SHOWN) {
        char text[128];
        snprintf(text, sizeof text, "%d more labels are not shown; confusion and curves are drawn of up to %d labels.",
                 (int)s->labels - MOST_SHOWN, (int)MOST_SHOWN);
        gr__html_paragraph(page, text);
    }
    return GR_OK;
}

static gr_status add_figures(gr__label_score *s, gr__str *page)
{
    gr_plot_options names = {.class_names = (const char *const *)s->names->item};
    char *svg = NULL;
    gr__html_charts_begin(page);
    if (s->labels <= MOST_SHOWN) GR_TRY(gr__html_figure(page, gr_plot_confusion(s->confusion, &names, &svg), &svg));
    if (s->curve) {
        GR_TRY(gr__html_figure(page, gr_plot_roc(s->curve, NULL, &svg), &svg));
        GR_TRY(gr__html_figure(page, gr_plot_precision_recall(s->curve, NULL, &svg), &svg));
        GR_TRY(gr__html_figure(page, gr_plot_threshold(s->curve, s->threshold, NULL, &svg), &svg));
    }
    if (s->set) {
        GR_TRY(gr__html_figure(page, gr_plot_roc_set(s->set, &names, &svg), &svg));
        GR_TRY(gr__html_figure(page, gr_plot_precision_recall_set(s->set, &names, &svg), &svg));
    }
    GR_TRY(gr__html_figure(page, gr_plot_reliability(s->probability, NULL, &svg), &svg));
    gr__html_charts_end(page);
    return GR_OK;
}

/* 'seen' is room for a picture. */
static gr_status add_mistake(const gr__label_score *s, const gr__mistake *m, const gr__shown *by, gr__str *seen,
                             gr__str *page)
{
    char room[256], text[32];
    snprintf(room, sizeof room, "%lld", (long long)m->sample);
    snprintf(text, sizeof text, "%.4f", m->surely);
    const char *what = by->name ? by->name(by->user, m->sample, room) : room,
               *cell[] = {what, s->names->item[m->actual], s->names->item[m->said], text};
    if (!by->picture) {
        gr__html_table_row(page, cell, GR__COUNT(cell));
        return GR_OK;
    }
    gr__str_clear(seen);
    GR_TRY(by->picture(by->user, m->sample, seen));
    GR_TRY(gr__str_check(seen));
    gr__html_table_row_with(page, gr__str_get(seen), cell, GR__COUNT(cell));
    return GR_OK;
}

static gr_status add_mistakes(const gr__label_score *s, const gr__shown *by, gr__str *page)
{
    static const char *const head[] = {"", "sample", "is", "was called", "probability"};
    gr__str seen = {0};
    gr_status status = GR_OK;
    if (s->n_worst == 0) return GR_OK;
    gr__html_section(page, "The surest mistakes");
    gr__html_table_begin(page, by->picture ? head : head + 1, GR__COUNT(head) - (by->picture ? 0 : 1));
    for (int i = 0; i < s->n_worst && status == GR_OK; i++) status = add_mistake(s, &s->worst[i], by, &seen, page);
    gr__html_table_end(page);
    gr__str_release(&seen);
    return status;
}

gr_status gr__label_score_panels(gr__label_score *s, gr__sample_name_fn name, gr__sample_picture_fn picture, void *user,
                                 gr__str *page)
{
    if (s->lost || s->n == 0) return GR_OK;
    GR_TRY(decide(s));
    gr__html_section(page, "Labels");
    GR_TRY(add_intervals(s, page));
    GR_TRY(add_labels(s, page));
    GR_TRY(add_figures(s, page));
    return add_mistakes(s, &(gr__shown){name, picture, user}, page);
}
