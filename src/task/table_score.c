#include "task/table_score.h"

#include "gradus/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct list {
    gr_metric *item;
    int capacity, n;
} list;

static void add(list *l, const char *name, double value)
{
    if (isnan(value)) return;
    if (l->n < l->capacity) {
        l->item[l->n] = (gr_metric){.value = value};
        snprintf(l->item[l->n].name, sizeof l->item[l->n].name, "%s", name);
    }
    l->n++;
}

void gr__table_probabilities(const gr__columns *c, const float *output, double *probability)
{
    int64_t k = gr__columns_classes(c);
    if (k == 2) {
        probability[1] = 1 / (1 + exp(-(double)output[0]));
        probability[0] = 1 - probability[1];
        return;
    }
    double most = (double)output[0], sum = 0;
    for (int64_t i = 1; i < k; i++) most = fmax(most, (double)output[i]);
    for (int64_t i = 0; i < k; i++) sum += probability[i] = exp((double)output[i] - most);
    for (int64_t i = 0; i < k; i++) probability[i] /= sum;
}

static gr_status score_numbers(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               list *l)
{
    gr_regression *r;
    gr_regression_scores s;
    GR_TRY(gr_regression_new(&r));
    gr_status status = GR_OK;
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        double actual = gr__column_backward(&c->target, part->number[i]),
               predicted = gr__column_backward(&c->target, (double)output[i]);
        status = gr_regression_update(r, &actual, &predicted, 1);
    }
    if (status == GR_OK) status = gr_regression_result(r, &s);
    gr_regression_free(&r);
    GR_TRY(status);
    add(l, "rmse", s.rmse);
    add(l, "mae", s.mae);
    add(l, "r2", s.r2);
    return GR_OK;
}

typedef struct scorers {
    gr_confusion *confusion;
    gr_probability *probability;
    gr_curve *curve;   /* two classes */
    gr_curve_set *set; /* more */
    double *row;       /* classes */
} scorers;

static gr_status make(scorers *s, int32_t classes)
{
    s->row = gr__calloc((size_t)classes, sizeof *s->row);
    if (!s->row) return gr__fail_memory("scores", (size_t)classes * sizeof *s->row);
    GR_TRY(gr_confusion_new(classes, &s->confusion));
    GR_TRY(gr_probability_new(classes, NULL, &s->probability));
    return classes == 2 ? gr_curve_new(&s->curve) : gr_curve_set_new(classes, &s->set);
}

static void release(scorers *s)
{
    gr_confusion_free(&s->confusion);
    gr_probability_free(&s->probability);
    gr_curve_free(&s->curve);
    gr_curve_set_free(&s->set);
    gr__free(s->row);
}

static gr_status update(scorers *s, int32_t classes, int32_t actual)
{
    int32_t best = 0;
    for (int32_t k = 1; k < classes; k++)
        if (s->row[k] > s->row[best]) best = k;
    GR_TRY(gr_confusion_update(s->confusion, &actual, &best, 1));
    GR_TRY(gr_probability_update(s->probability, s->row, &actual, 1));
    return s->curve ? gr_curve_update(s->curve, &s->row[1], &actual, 1)
                    : gr_curve_set_update(s->set, s->row, &actual, 1);
}

static gr_status results(scorers *s, list *l)
{
    gr_confusion_scores c;
    gr_probability_scores p;
    gr_confusion_result(s->confusion, &c);
    gr_probability_result(s->probability, &p);
    add(l, "accuracy", c.accuracy);
    add(l, "macro_f1", c.macro.f1);
    add(l, "log_loss", p.log_loss);
    if (s->curve) {
        gr_curve_scores u;
        GR_TRY(gr_curve_result(s->curve, &u));
        add(l, "auc", u.auc);
        add(l, "average_precision", u.average_precision);
    } else {
        gr_curve_set_scores u;
        GR_TRY(gr_curve_set_result(s->set, &u));
        add(l, "auc", u.auc_macro);
        add(l, "average_precision", u.average_precision_macro);
    }
    return GR_OK;
}

static gr_status score_classes(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               list *l)
{
    int32_t classes = (int32_t)gr__columns_classes(c);
    int64_t outputs = gr__columns_outputs(c);
    scorers s = {0};
    gr_status status = make(&s, classes);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        gr__table_probabilities(c, output + i * outputs, s.row);
        status = update(&s, classes, part->class[i]);
    }
    if (status == GR_OK) status = results(&s, l);
    release(&s);
    return status;
}

gr_status gr__table_score(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                          gr_metric *out, int capacity, int *n_out)
{
    list l = {out, capacity, 0};
    gr_status status =
        gr__columns_classes(c) ? score_classes(c, part, output, n, &l) : score_numbers(c, part, output, n, &l);
    *n_out = GR__MIN(l.n, capacity);
    return status;
}
