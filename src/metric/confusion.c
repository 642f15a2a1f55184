/* Counts of actual against predicted classes, and everything that follows from them. */
#include "gradus/metric.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <math.h>

struct gr_confusion {
    int32_t k;
    int64_t *count;           /* (K, K), a row for each actual class */
    int64_t *is, *said, *hit; /* (K): sums of rows, of columns, and the diagonal */
};

gr_status gr_confusion_new(int32_t n_classes, gr_confusion **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_confusion_new: an argument is NULL");
    *out = NULL;
    GR_FAIL_IF(n_classes < 2, GR_ERR_ARGUMENT, "a confusion matrix needs 2 classes or more, not %d", (int)n_classes);
    GR_FAIL_IF(n_classes > GR__LIMIT_CLASSES, GR_ERR_LIMIT, "a confusion matrix has at most %d classes, not %d",
               GR__LIMIT_CLASSES, (int)n_classes);
    gr_confusion *c = gr__calloc(1, sizeof *c);
    size_t cells = (size_t)n_classes * (size_t)n_classes;
    if (c) c->count = gr__calloc(cells, sizeof *c->count);
    if (c) c->is = gr__calloc(3 * (size_t)n_classes, sizeof *c->is);
    if (!c || !c->count || !c->is) {
        gr_confusion_free(&c);
        return gr__fail_memory("a confusion matrix", cells * sizeof(int64_t));
    }
    c->k = n_classes;
    c->said = c->is + n_classes;
    c->hit = c->said + n_classes;
    *out = c;
    return GR_OK;
}

void gr_confusion_free(gr_confusion **c)
{
    if (!c || !*c) return;
    gr__free((*c)->count);
    gr__free((*c)->is);
    gr__free(*c);
    *c = NULL;
}

gr_status gr_confusion_update(gr_confusion *c, const int32_t *actual, const int32_t *predicted, size_t n)
{
    GR_FAIL_IF(!c || (n && (!actual || !predicted)), GR_ERR_ARGUMENT, "gr_confusion_update: an argument is NULL");
    for (size_t i = 0; i < n; i++)
        GR_FAIL_IF(actual[i] < 0 || actual[i] >= c->k || predicted[i] < 0 || predicted[i] >= c->k, GR_ERR_DATA,
                   "sample %zu: class %d predicted as %d, but classes are 0 to %d", i, (int)actual[i],
                   (int)predicted[i], (int)c->k - 1);
    for (size_t i = 0; i < n; i++) {
        c->count[(size_t)actual[i] * (size_t)c->k + (size_t)predicted[i]]++;
        c->is[actual[i]]++;
        c->said[predicted[i]]++;
        c->hit[actual[i]] += actual[i] == predicted[i];
    }
    return GR_OK;
}

void gr_confusion_clear(gr_confusion *c)
{
    for (size_t i = 0; i < (size_t)c->k * (size_t)c->k; i++) c->count[i] = 0;
    for (int32_t i = 0; i < 3 * c->k; i++) c->is[i] = 0;
}

gr_status gr_confusion_merge(gr_confusion *c, const gr_confusion *other)
{
    GR_FAIL_IF(!c || !other, GR_ERR_ARGUMENT, "gr_confusion_merge: an argument is NULL");
    GR_FAIL_IF(c->k != other->k, GR_ERR_SHAPE, "confusion matrices of %d and %d classes do not add up", (int)c->k,
               (int)other->k);
    for (size_t i = 0; i < (size_t)c->k * (size_t)c->k; i++) c->count[i] += other->count[i];
    for (int32_t i = 0; i < 3 * c->k; i++) c->is[i] += other->is[i];
    return GR_OK;
}

int32_t gr_confusion_classes(const gr_confusion *c) { return c->k; }

int64_t gr_confusion_count(const gr_confusion *c, int32_t actual, int32_t predicted)
{
    if (actual < 0 || actual >= c->k || predicted < 0 || predicted >= c->k) return 0;
    return c->count[(size_t)actual * (size_t)c->k + (size_t)predicted];
}

static double ratio(int64_t part, int64_t whole) { return whole ? (double)part / (double)whole : 0; }

gr_precision_recall gr_confusion_class(const gr_confusion *c, int32_t k)
{
    if (k < 0 || k >= c->k) return (gr_precision_recall){.support = 0};
    int64_t is = c->is[k], said = c->said[k], hit = c->hit[k];
    return (gr_precision_recall){ratio(hit, said), ratio(hit, is), ratio(2 * hit, is + said), is};
}

static void add_weighted(gr_precision_recall *sum, const gr_precision_recall *one, double weight)
{
    sum->precision += weight * one->precision;
    sum->recall += weight * one->recall;
    sum->f1 += weight * one->f1;
}

static void divide(gr_precision_recall *sum, double by)
{
    sum->precision /= by;
    sum->recall /= by;
    sum->f1 /= by;
}

void gr_confusion_result(const gr_confusion *c, gr_confusion_scores *out)
{
    gr_confusion_scores s = {.n = 0};
    int64_t hits = 0;
    double present = 0, occurring = 0, is_said = 0, is_is = 0, said_said = 0;
    for (int32_t k = 0; k < c->k; k++) {
        int64_t is = c->is[k], said = c->said[k];
        gr_precision_recall one = gr_confusion_class(c, k);
        s.n += is;
        hits += c->hit[k];
        is_said += (double)is * (double)said;
        is_is += (double)is * (double)is;
        said_said += (double)said * (double)said;
        occurring += is > 0;
        s.balanced_accuracy += one.recall;
        present += is > 0 || said > 0;
        add_weighted(&s.macro, &one, 1);
        add_weighted(&s.weighted, &one, (double)is);
    }
    double n = (double)s.n;
    if (s.n == 0) {
        const gr_precision_recall none = {NAN, NAN, NAN, 0};
        *out = (gr_confusion_scores){0, NAN, NAN, NAN, none, none, none, "there are no samples"};
        return;
    }
    s.accuracy = (double)hits / n;
    s.balanced_accuracy /= occurring;
    divide(&s.macro, present);
    divide(&s.weighted, n);
    s.micro = (gr_precision_recall){s.accuracy, s.accuracy, s.accuracy, s.n};
    s.macro.support = s.weighted.support = s.n;
    double spread = (n * n - said_said) * (n * n - is_is);
    s.mcc = spread > 0 ? ((double)hits * n - is_said) / sqrt(spread) : 0;
    *out = s;
}
