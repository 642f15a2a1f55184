/* ROC and precision-recall of one score. All scores are kept; the first question after an update sorts them and makes
 * one point for each distinct score, from which everything else follows. */
#include "gradus/metric.h"

#include "metric/order.h"

#include <math.h>
#include <string.h>

struct gr_curve {
    double *score;
    int32_t *actual;
    size_t n, score_capacity, actual_capacity;
    gr_curve_point *point; /* NULL: to be made */
    size_t n_points;
    int64_t positives;
};

gr_status gr_curve_new(gr_curve **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_curve_new: an argument is NULL");
    *out = gr__calloc(1, sizeof **out);
    return *out ? GR_OK : gr__fail_memory("a curve", sizeof **out);
}

void gr_curve_free(gr_curve **c)
{
    if (!c || !*c) return;
    gr__free((*c)->score);
    gr__free((*c)->actual);
    gr__free((*c)->point);
    gr__free(*c);
    *c = NULL;
}

static gr_status append(gr_curve *c, const double *score, const int32_t *actual, size_t n)
{
    GR_TRY(gr__grow(&c->score, sizeof *c->score, c->n + n, &c->score_capacity));
    GR_TRY(gr__grow(&c->actual, sizeof *c->actual, c->n + n, &c->actual_capacity));
    if (n == 0) return GR_OK;
    memcpy(c->score + c->n, score, n * sizeof *score);
    memcpy(c->actual + c->n, actual, n * sizeof *actual);
    for (size_t i = 0; i < n; i++) c->positives += actual[i];
    c->n += n;
    gr__free(c->point);
    c->point = NULL;
    return GR_OK;
}

gr_status gr_curve_update(gr_curve *c, const double *score, const int32_t *actual, size_t n)
{
    GR_FAIL_IF(!c || (n && (!score || !actual)), GR_ERR_ARGUMENT, "gr_curve_update: an argument is NULL");
    for (size_t i = 0; i < n; i++) {
        GR_FAIL_IF(!isfinite(score[i]), GR_ERR_DATA, "sample %zu: the score is %g", i, score[i]);
        GR_FAIL_IF(actual[i] != 0 && actual[i] != 1, GR_ERR_DATA, "sample %zu: class %d, but classes are 0 and 1", i,
                   (int)actual[i]);
    }
    return append(c, score, actual, n);
}

gr_status gr_curve_merge(gr_curve *c, const gr_curve *other)
{
    GR_FAIL_IF(!c || !other, GR_ERR_ARGUMENT, "gr_curve_merge: an argument is NULL");
    return append(c, other->score, other->actual, other->n);
}

static gr_status make_points(gr_curve *c)
{
    if (c->point) return GR_OK;
    gr_status status = GR_OK;
    size_t *order = gr__calloc(c->n, sizeof *order);
    gr_curve_point *point = gr__calloc(c->n, sizeof *point), sum = {0};
    size_t n = 0;
    if (!order || !point) {
        status = gr__fail_memory("the points of a curve", c->n * (sizeof *order + sizeof *point));
        goto done;
    }
    GR_TRY_DONE(gr__order(c->score, c->n, true, order));
    for (size_t i = 0; i < c->n; i++) {
        size_t at = order[i];
        sum.threshold = c->score[at];
        *(c->actual[at] ? &sum.true_positive : &sum.false_positive) += 1;
        if (i + 1 < c->n && !(c->score[order[i + 1]] < sum.threshold)) continue; /* the same score goes on */
        point[n++] = sum;
    }
    c->point = point;
    c->n_points = n;
    point = NULL;
done:
    gr__free(order);
    gr__free(point);
    return status;
}

gr_status gr_curve_points(gr_curve *c, const gr_curve_point **points, size_t *n)
{
    GR_FAIL_IF(!c || !points || !n, GR_ERR_ARGUMENT, "gr_curve_points: an argument is NULL");
    *points = NULL;
    *n = 0;
    GR_TRY(make_points(c));
    *points = c->point;
    *n = c->n_points;
    return GR_OK;
}

static double precision_at(const gr_curve_point *p)
{
    return (double)p->true_positive / (double)(p->true_positive + p->false_positive);
}

gr_status gr_curve_result(gr_curve *c, gr_curve_scores *out)
{
    GR_FAIL_IF(!c || !out, GR_ERR_ARGUMENT, "gr_curve_result: an argument is NULL");
    *out = (gr_curve_scores){(int64_t)c->n, c->positives, NAN, NAN, "there are no samples"};
    GR_TRY(make_points(c));
    if (c->n == 0) return GR_OK;
    double area = 0, ap = 0, positives = (double)c->positives, negatives = (double)c->n - positives;
    gr_curve_point last = {0};
    for (size_t i = 0; i < c->n_points; i++) {
        const gr_curve_point *p = &c->point[i];
        area += (double)(p->false_positive - last.false_positive) * (double)(p->true_positive + last.true_positive) / 2;
        ap += (double)(p->true_positive - last.true_positive) * precision_at(p);
        last = *p;
    }
    out->average_precision = c->positives ? ap / positives : 0;
    bool both = c->positives > 0 && negatives > 0;
    out->undefined = both ? NULL : "all samples are of one class, so that there is no ROC curve";
    if (both) out->auc = area / positives / negatives;
    return GR_OK;
}

/* What is to be as large as possible, or -1 where the wish is not met. */
static double merit(gr_threshold_goal goal, double at_least, const gr_threshold *t, double false_rate)
{
    switch (goal) {
    case GR_THRESHOLD_YOUDEN: return t->recall - false_rate;
    case GR_THRESHOLD_PRECISION: return t->precision >= at_least ? t->recall : -1;
    case GR_THRESHOLD_RECALL: return t->recall >= at_least ? t->precision : -1;
    default: return t->f1;
    }
}

gr_status gr_curve_threshold(gr_curve *c, gr_threshold_goal goal, double at_least, gr_threshold *out)
{
    GR_FAIL_IF(!c || !out, GR_ERR_ARGUMENT, "gr_curve_threshold: an argument is NULL");
    *out = (gr_threshold){NAN, NAN, NAN, NAN, "there are no positives"};
    GR_FAIL_IF((unsigned)goal >= GR_THRESHOLD_COUNT, GR_ERR_ARGUMENT, "there is no goal %d of a threshold", (int)goal);
    bool wish = goal == GR_THRESHOLD_PRECISION || goal == GR_THRESHOLD_RECALL;
    GR_FAIL_IF(wish && !(at_least >= 0 && at_least <= 1), GR_ERR_ARGUMENT, "at_least is %g, but must be 0 to 1",
               at_least);
    GR_TRY(make_points(c));
    double negatives = (double)c->n - (double)c->positives;
    if (c->positives == 0) return GR_OK;
    out->undefined = "there are no negatives";
    if (goal == GR_THRESHOLD_YOUDEN && negatives == 0) return GR_OK;
    out->undefined = "no threshold meets the wish";
    double best = -1;
    for (size_t i = 0; i < c->n_points; i++) {
        const gr_curve_point *p = &c->point[i];
        double hits = (double)p->true_positive, said = hits + (double)p->false_positive, is = (double)c->positives;
        gr_threshold t = {p->threshold, hits / said, hits / is, 2 * hits / (said + is), NULL};
        double m = merit(goal, at_least, &t, (double)p->false_positive / negatives);
        if (m <= best) continue;
        best = m;
        *out = t;
    }
    return GR_OK;
}
