/* One class against the rest: K curves over the same samples. */
#include "gradus/metric.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <math.h>

struct gr_curve_set {
    int32_t k;
    gr_curve **curve; /* (K) */
};

gr_status gr_curve_set_new(int32_t n_classes, gr_curve_set **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_curve_set_new: an argument is NULL");
    *out = NULL;
    GR_FAIL_IF(n_classes < 2, GR_ERR_ARGUMENT, "one class against the rest needs 2 classes or more, not %d",
               (int)n_classes);
    GR_FAIL_IF(n_classes > GR__LIMIT_CLASSES, GR_ERR_LIMIT, "a set of curves has at most %d classes, not %d",
               GR__LIMIT_CLASSES, (int)n_classes);
    gr_status status = GR_OK;
    gr_curve_set *s = gr__calloc(1, sizeof *s);
    if (s) s->curve = gr__calloc((size_t)n_classes, sizeof *s->curve);
    if (!s || !s->curve) status = gr__fail_memory("a set of curves", (size_t)n_classes * sizeof(gr_curve *));
    for (int32_t k = 0; status == GR_OK && k < n_classes; k++) {
        status = gr_curve_new(&s->curve[k]);
        s->k = k + 1;
    }
    if (status != GR_OK) gr_curve_set_free(&s);
    *out = s;
    return status;
}

void gr_curve_set_free(gr_curve_set **s)
{
    if (!s || !*s) return;
    for (int32_t k = 0; k < (*s)->k; k++) gr_curve_free(&(*s)->curve[k]);
    gr__free((*s)->curve);
    gr__free(*s);
    *s = NULL;
}

gr_status gr_curve_set_update(gr_curve_set *s, const double *score, const int32_t *actual, size_t n)
{
    GR_FAIL_IF(!s || (n && (!score || !actual)), GR_ERR_ARGUMENT, "gr_curve_set_update: an argument is NULL");
    size_t classes = (size_t)s->k;
    for (size_t i = 0; i < n; i++) {
        GR_FAIL_IF(actual[i] < 0 || actual[i] >= s->k, GR_ERR_DATA, "sample %zu: class %d, but classes are 0 to %d", i,
                   (int)actual[i], (int)s->k - 1);
        for (size_t k = 0; k < classes; k++)
            GR_FAIL_IF(!isfinite(score[i * classes + k]), GR_ERR_DATA, "sample %zu: the score of class %zu is %g", i, k,
                       score[i * classes + k]);
    }
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < n; i++) {
            int32_t is = actual[i] == (int32_t)k;
            GR_TRY(gr_curve_update(s->curve[k], &score[i * classes + k], &is, 1));
        }
    return GR_OK;
}

gr_status gr_curve_set_merge(gr_curve_set *s, const gr_curve_set *other)
{
    GR_FAIL_IF(!s || !other, GR_ERR_ARGUMENT, "gr_curve_set_merge: an argument is NULL");
    GR_FAIL_IF(s->k != other->k, GR_ERR_SHAPE, "curves of %d and %d classes do not add up", (int)s->k, (int)other->k);
    for (int32_t k = 0; k < s->k; k++) GR_TRY(gr_curve_merge(s->curve[k], other->curve[k]));
    return GR_OK;
}

gr_curve *gr_curve_set_get(gr_curve_set *s, int32_t k) { return k >= 0 && k < s->k ? s->curve[k] : NULL; }

gr_status gr_curve_set_result(gr_curve_set *s, gr_curve_set_scores *out)
{
    GR_FAIL_IF(!s || !out, GR_ERR_ARGUMENT, "gr_curve_set_result: an argument is NULL");
    gr_curve_set_scores sum = {0};
    double weight = 0;
    for (int32_t k = 0; k < s->k; k++) {
        gr_curve_scores one;
        GR_TRY(gr_curve_result(s->curve[k], &one));
        double samples = (double)one.positives;
        sum.auc_macro += one.auc / s->k;
        sum.average_precision_macro += one.average_precision / s->k;
        if (one.positives > 0) sum.auc_weighted += one.auc * samples; /* an absent class has no say, not NaN */
        sum.average_precision_weighted += one.average_precision * samples;
        weight += samples;
    }
    sum.auc_weighted /= weight;
    sum.average_precision_weighted /= weight;
    if (!(weight > 0)) sum.auc_weighted = NAN;
    if (weight > 0 && isnan(sum.auc_macro)) sum.undefined = "a class is absent, or alone";
    if (!(weight > 0)) sum.undefined = "there are no samples";
    *out = sum;
    return GR_OK;
}
