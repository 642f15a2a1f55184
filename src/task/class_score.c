#include "task/class_score.h"

#include "base/alloc.h"
#include "gradus/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void gr__metrics_add(gr__metrics *l, const char *name, double value)
{
    if (isnan(value)) return;
    if (l->n < l->capacity) {
        l->item[l->n] = (gr_metric){.value = value};
        snprintf(l->item[l->n].name, sizeof l->item[l->n].name, "%s", name);
    }
    l->n++;
}

void gr__class_probabilities(int64_t classes, int64_t outputs, const float *output, double *probability)
{
    if (outputs == 1) {
        probability[1] = 1 / (1 + exp(-(double)output[0]));
        probability[0] = 1 - probability[1];
        return;
    }
    double most = (double)output[0], sum = 0;
    for (int64_t i = 1; i < classes; i++) most = fmax(most, (double)output[i]);
    for (int64_t i = 0; i < classes; i++) sum += probability[i] = exp((double)output[i] - most);
    for (int64_t i = 0; i < classes; i++) probability[i] /= sum;
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

/* Of two classes, the one that is rarer here. */
static void add_f1_of_rare(const gr_confusion *c, gr__metrics *l)
{
    gr_precision_recall a = gr_confusion_class(c, 0), b = gr_confusion_class(c, 1);
    gr__metrics_add(l, "f1", b.support <= a.support ? b.f1 : a.f1);
}

static gr_status results(scorers *s, gr__metrics *l)
{
    gr_confusion_scores c;
    gr_probability_scores p;
    gr_confusion_result(s->confusion, &c);
    gr_probability_result(s->probability, &p);
    gr__metrics_add(l, "accuracy", c.accuracy);
    gr__metrics_add(l, "macro_f1", c.macro.f1);
    gr__metrics_add(l, "log_loss", p.log_loss);
    if (s->curve) {
        gr_curve_scores u;
        add_f1_of_rare(s->confusion, l);
        GR_TRY(gr_curve_result(s->curve, &u));
        gr__metrics_add(l, "auc", u.auc);
        gr__metrics_add(l, "average_precision", u.average_precision);
    } else {
        gr_curve_set_scores u;
        GR_TRY(gr_curve_set_result(s->set, &u));
        gr__metrics_add(l, "auc", u.auc_macro);
        gr__metrics_add(l, "average_precision", u.average_precision_macro);
    }
    return GR_OK;
}

gr_status gr__class_score(int32_t classes, int64_t outputs, const int32_t *actual, const float *output, int64_t n,
                          gr__metrics *out)
{
    scorers s = {0};
    gr_status status = make(&s, classes);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        gr__class_probabilities(classes, outputs, output + i * outputs, s.row);
        status = update(&s, classes, actual[i]);
    }
    if (status == GR_OK) status = results(&s, out);
    release(&s);
    return status;
}
