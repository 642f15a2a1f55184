/* Bootstrap intervals by percentiles (Efron 1979). Resample i draws from its own stream of random numbers, so that it
 * does not depend on how many there are. */
#include "gradus/metric.h"

#include "base/rng.h"
#include "metric/order.h"

#include <math.h>

typedef struct metric {
    gr_metric_fn fn;
    void *a, *b;
    bool paired; /* the metric of a minus that of b */
} metric;

static gr_status measure(const metric *m, const size_t *index, size_t n, double *out)
{
    double b = 0;
    GR_TRY(m->fn(m->a, index, n, out));
    if (m->paired) GR_TRY(m->fn(m->b, index, n, &b));
    *out -= b;
    return GR_OK;
}

static gr_status resample(const metric *m, const gr_bootstrap_options *o, size_t n, size_t *index, double *value,
                          gr_interval *out)
{
    size_t defined = 0, above = 0;
    double v;
    for (size_t i = 0; i < n; i++) index[i] = i;
    GR_TRY(measure(m, index, n, &out->value));
    for (int64_t r = 0; r < o->resamples; r++) {
        gr__rng rng = gr__rng_make(o->seed, 0x626f6f7400000000u + (uint64_t)r);
        for (size_t i = 0; i < n; i++) index[i] = (size_t)gr__rng_below(&rng, n);
        GR_TRY(measure(m, index, n, &v));
        if (isnan(v)) continue;
        above += v > 0;
        value[defined++] = v;
    }
    out->left_out = o->resamples - (int64_t)defined;
    out->undefined = "the metric is not defined for any resample";
    if (defined == 0) return GR_OK;
    GR_TRY(gr__sort(value, defined));
    out->low = gr__percentile(value, defined, (1 - o->level) / 2);
    out->high = gr__percentile(value, defined, (1 + o->level) / 2);
    out->above_zero = (double)above / (double)defined;
    out->undefined = isnan(out->value) ? "the metric is not defined for these samples" : NULL;
    return GR_OK;
}

static gr_status bootstrap(size_t n, const metric *m, const gr_bootstrap_options *options, gr_interval *out)
{
    enum { RESAMPLES = 1000, MOST = 10000000 };
    gr_bootstrap_options o = options ? *options : (gr_bootstrap_options){0};
    *out = (gr_interval){NAN, NAN, NAN, NAN, 0, "there are no samples"};
    if (!o.resamples) o.resamples = RESAMPLES;
    if (o.level == 0) o.level = 0.95;
    GR_FAIL_IF(o.resamples < 2 || o.resamples > MOST, GR_ERR_ARGUMENT, "%lld resamples; 2 to %d are possible",
               (long long)o.resamples, MOST);
    GR_FAIL_IF(!(o.level > 0 && o.level < 1), GR_ERR_ARGUMENT,
               "the level of an interval is %g, but must be within 0 and 1", o.level);
    GR_FAIL_IF(n > SIZE_MAX / 16, GR_ERR_LIMIT, "%zu samples are more than memory can hold", n);
    if (n == 0) return GR_OK;
    gr_status status = GR_OK;
    size_t *index = gr__calloc(n, sizeof *index);
    double *value = gr__calloc((size_t)o.resamples, sizeof *value);
    if (index && value)
        status = resample(m, &o, n, index, value, out);
    else
        status = gr__fail_memory("resamples", n * sizeof *index + (size_t)o.resamples * sizeof *value);
    gr__free(index);
    gr__free(value);
    return status;
}

gr_status gr_bootstrap(size_t n, gr_metric_fn fn, void *user, const gr_bootstrap_options *options, gr_interval *out)
{
    GR_FAIL_IF(!fn || !out, GR_ERR_ARGUMENT, "gr_bootstrap: an argument is NULL");
    return bootstrap(n, &(metric){fn, user, NULL, false}, options, out);
}

gr_status gr_bootstrap_difference(size_t n, gr_metric_fn fn, void *user_a, void *user_b,
                                  const gr_bootstrap_options *options, gr_interval *out)
{
    GR_FAIL_IF(!fn || !out, GR_ERR_ARGUMENT, "gr_bootstrap_difference: an argument is NULL");
    return bootstrap(n, &(metric){fn, user_a, user_b, true}, options, out);
}
