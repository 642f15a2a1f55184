/* Log loss, Brier score, top-k accuracy and calibration: sums over samples, and three numbers for each bin. */
#include "gradus/metric.h"

#include "base/alloc.h"
#include "metric/sum.h"

#include <float.h>

typedef struct bin {
    int64_t n, right;
    gr__sum confidence;
} bin;

struct gr_probability {
    int32_t k, top_k, bins;
    int64_t n, hits;
    gr__sum log_loss, brier;
    bin *bin;
};

gr_status gr_probability_new(int32_t n_classes, const gr_probability_options *options, gr_probability **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_probability_new: an argument is NULL");
    enum { TOP_K = 5, BINS = 10, MOST_BINS = 10000 };
    gr_probability_options o = options ? *options : (gr_probability_options){0};
    *out = NULL;
    if (!o.top_k) o.top_k = TOP_K;
    if (!o.bins) o.bins = BINS;
    GR_FAIL_IF(n_classes < 1, GR_ERR_ARGUMENT, "probabilities of %d classes", (int)n_classes);
    GR_FAIL_IF(o.top_k < 1, GR_ERR_ARGUMENT, "top_k is %d, but must be 1 or more", (int)o.top_k);
    GR_FAIL_IF(o.bins < 1 || o.bins > MOST_BINS, GR_ERR_ARGUMENT, "%d bins; 1 to %d are possible", (int)o.bins,
               MOST_BINS);
    gr_probability *p = gr__calloc(1, sizeof *p);
    if (p) p->bin = gr__calloc((size_t)o.bins, sizeof *p->bin);
    if (!p || !p->bin) {
        gr_probability_free(&p);
        return gr__fail_memory("scores of probabilities", (size_t)o.bins * sizeof(bin));
    }
    p->k = n_classes;
    p->top_k = o.top_k;
    p->bins = o.bins;
    *out = p;
    return GR_OK;
}

void gr_probability_free(gr_probability **p)
{
    if (!p || !*p) return;
    gr__free((*p)->bin);
    gr__free(*p);
    *p = NULL;
}

static gr_status check_row(const gr_probability *p, const double *row, int32_t actual, size_t i)
{
    double sum = 0;
    int32_t last = p->k > 1 ? p->k - 1 : 1;
    GR_FAIL_IF(actual < 0 || actual > last, GR_ERR_DATA, "sample %zu: class %d, but classes are 0 to %d", i,
               (int)actual, (int)last);
    for (int32_t k = 0; k < p->k; k++) {
        GR_FAIL_IF(!(row[k] >= 0 && row[k] <= 1), GR_ERR_DATA, "sample %zu: %g is no probability (class %d)", i, row[k],
                   (int)k);
        sum += row[k];
    }
    GR_FAIL_IF(p->k > 1 && fabs(sum - 1) > 1e-3, GR_ERR_DATA,
               "sample %zu: the probabilities sum to %g; are these logits without a softmax?", i, sum);
    return GR_OK;
}

/* Edge i of the bins: the same bits as i steps of 1/bins. */
static double edge(const gr_probability *p, int32_t i) { return i == p->bins ? 1 : i * (1.0 / p->bins); }

static int32_t bin_of(const gr_probability *p, double confidence)
{
    int32_t i = GR__MIN((int32_t)(confidence * p->bins), p->bins - 1);
    while (i > 0 && confidence <= edge(p, i)) i--;
    while (i + 1 < p->bins && confidence > edge(p, i + 1)) i++;
    return i;
}

static double square(double x) { return x * x; }

static void take(gr_probability *p, const double *row, int32_t actual)
{
    int32_t best = 0, above = 0;
    double likely, brier = 0, confidence;
    bool right;
    if (p->k == 1) {
        confidence = row[0];
        likely = actual ? row[0] : 1 - row[0];
        brier = square(row[0] - actual);
        right = actual == 1;
        p->hits += (row[0] > 0.5) == right;
    } else {
        likely = row[actual];
        for (int32_t k = 0; k < p->k; k++) {
            brier += square(row[k] - (k == actual));
            if (row[k] > row[best]) best = k;
            above += row[k] > likely || (row[k] >= likely && k > actual);
        }
        if (p->k == 2) brier /= 2;
        confidence = row[best];
        right = best == actual;
        p->hits += above < p->top_k;
    }
    gr__sum_add(&p->log_loss, -log(fmin(fmax(likely, DBL_EPSILON), 1 - DBL_EPSILON)));
    gr__sum_add(&p->brier, brier);
    bin *b = &p->bin[bin_of(p, confidence)];
    gr__sum_add(&b->confidence, confidence);
    b->right += right;
    b->n++;
    p->n++;
}

gr_status gr_probability_update(gr_probability *p, const double *probability, const int32_t *actual, size_t n)
{
    GR_FAIL_IF(!p || (n && (!probability || !actual)), GR_ERR_ARGUMENT, "gr_probability_update: an argument is NULL");
    for (size_t i = 0; i < n; i++) GR_TRY(check_row(p, probability + i * (size_t)p->k, actual[i], i));
    for (size_t i = 0; i < n; i++) take(p, probability + i * (size_t)p->k, actual[i]);
    return GR_OK;
}

gr_status gr_probability_merge(gr_probability *p, const gr_probability *other)
{
    GR_FAIL_IF(!p || !other, GR_ERR_ARGUMENT, "gr_probability_merge: an argument is NULL");
    GR_FAIL_IF(p->k != other->k || p->top_k != other->top_k || p->bins != other->bins, GR_ERR_SHAPE,
               "scores of %d classes, top %d, %d bins and %d, %d, %d do not add up", (int)p->k, (int)p->top_k,
               (int)p->bins, (int)other->k, (int)other->top_k, (int)other->bins);
    p->n += other->n;
    p->hits += other->hits;
    gr__sum_merge(&p->log_loss, &other->log_loss);
    gr__sum_merge(&p->brier, &other->brier);
    for (int32_t i = 0; i < p->bins; i++) {
        p->bin[i].n += other->bin[i].n;
        p->bin[i].right += other->bin[i].right;
        gr__sum_merge(&p->bin[i].confidence, &other->bin[i].confidence);
    }
    return GR_OK;
}

void gr_probability_result(const gr_probability *p, gr_probability_scores *out)
{
    double n = (double)p->n;
    *out = (gr_probability_scores){p->n, NAN, NAN, NAN, NAN, NAN, "there are no samples"};
    if (p->n == 0) return;
    *out = (gr_probability_scores){.n = p->n,
                                   .log_loss = gr__sum_get(&p->log_loss) / n,
                                   .brier = gr__sum_get(&p->brier) / n,
                                   .top_k = (double)p->hits / n};
    for (int32_t i = 0; i < p->bins; i++) {
        gr_reliability r;
        if (!gr_probability_bin(p, i, &r) || r.n == 0) continue;
        double gap = fabs(r.right - r.confidence);
        out->calibration_error += gap * (double)r.n / n;
        out->worst_calibration = fmax(out->worst_calibration, gap);
    }
}

bool gr_probability_bin(const gr_probability *p, int32_t i, gr_reliability *out)
{
    if (i < 0 || i >= p->bins) return false;
    const bin *b = &p->bin[i];
    double n = (double)b->n;
    *out = (gr_reliability){edge(p, i), edge(p, i + 1), b->n, NAN, NAN};
    if (b->n == 0) return true;
    out->confidence = gr__sum_get(&b->confidence) / n;
    out->right = (double)b->right / n;
    return true;
}
