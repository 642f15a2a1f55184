/* The order of the steps is that of Transformers: repetition penalty, temperature, top-k, top-p, min-p. Candidates are
 * ordered by logit and, where equal, by id, so that a draw depends on logits and seed alone. */
#include "model/sample.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STREAM 0x73616d706c65ull /* "sample" */

typedef struct candidate {
    float logit;
    int32_t id;
    double p; /* exp(logit - the highest), not divided by their sum */
} candidate;

struct gr__sampler {
    gr_generate_options o;
    int64_t vocab;
    gr__rng rng;
    bool *seen;      /* (V) */
    candidate *item; /* (V) */
};

static gr_status check(const gr_generate_options *o)
{
    GR_FAIL_IF(!(o->temperature >= 0) || isinf(o->temperature), GR_ERR_ARGUMENT,
               "temperature %g is not possible; it is 0 or above", o->temperature);
    GR_FAIL_IF(o->top_k < 0, GR_ERR_ARGUMENT, "top_k %lld is below 0", (long long)o->top_k);
    GR_FAIL_IF(!(o->top_p >= 0 && o->top_p <= 1), GR_ERR_ARGUMENT, "top_p %g is not from 0 to 1", o->top_p);
    GR_FAIL_IF(!(o->min_p >= 0 && o->min_p <= 1), GR_ERR_ARGUMENT, "min_p %g is not from 0 to 1", o->min_p);
    GR_FAIL_IF(!(o->repetition_penalty >= 0) || isinf(o->repetition_penalty), GR_ERR_ARGUMENT,
               "repetition_penalty %g is not possible; it is above 0", o->repetition_penalty);
    return GR_OK;
}

gr_status gr__sampler_new(const gr_generate_options *options, int64_t vocab, gr__sampler **out)
{
    GR_TRY(check(options));
    gr__sampler *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a sampler", sizeof *s);
    s->o = *options;
    if (s->o.temperature == 0) s->o.temperature = 1;
    if (s->o.top_p == 0) s->o.top_p = 1;
    if (s->o.repetition_penalty == 0) s->o.repetition_penalty = 1;
    s->vocab = vocab;
    s->rng = gr__rng_make(options->seed, STREAM);
    s->seen = gr__calloc((size_t)vocab, sizeof *s->seen);
    s->item = gr__calloc((size_t)vocab, sizeof *s->item);
    if (!s->seen || !s->item) {
        gr__sampler_free(&s);
        return gr__fail_memory("a sampler", (size_t)vocab * sizeof *s->item);
    }
    *out = s;
    return GR_OK;
}

void gr__sampler_free(gr__sampler **sampler)
{
    if (!sampler || !*sampler) return;
    gr__free((*sampler)->seen);
    gr__free((*sampler)->item);
    gr__free(*sampler);
    *sampler = NULL;
}

void gr__sampler_see(gr__sampler *s, int32_t id) { s->seen[id] = true; }

static int by_logit(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* All tokens with penalty and temperature; *best is the first of the likeliest ones. */
static gr_status collect(gr__sampler *s, const float *logits, int64_t *best)
{
    double penalty = s->o.repetition_penalty;
    *best = 0;
    for (int64_t i = 0; i < s->vocab; i++) {
        double x = (double)logits[i];
        GR_FAIL_IF(isnan(x) || x == (double)INFINITY, GR_ERR_NUMERIC, "the model's logit of token %lld is not finite",
                   (long long)i);
        if (s->seen[i] && penalty != 1) x = x > 0 ? x / penalty : x * penalty;
        s->item[i] = (candidate){.logit = (float)x, .id = (int32_t)i};
        if (s->item[i].logit > s->item[*best].logit) *best = i;
    }
    GR_FAIL_IF(isinf(s->item[*best].logit), GR_ERR_NUMERIC, "the model's logits are all infinite");
    return GR_OK;
}

/* Keeps what may still be drawn, the likeliest first; returns how many. */
static int64_t narrow(gr__sampler *s, float best)
{
    const gr_generate_options *o = &s->o;
    candidate *item = s->item;
    int64_t n = 0;
    double sum = 0, most = 0;
    for (int64_t i = 0; i < s->vocab; i++) {
        item[i].p = exp(((double)item[i].logit - (double)best) / o->temperature);
        if (o->top_k == 0) sum += item[i].p;
    }
    /* Without top_k most tokens can be left out before the sort: fewer than V of them, each below (1-top_p)/V, cannot
     * be needed to reach top_p; nor what min_p drops. */
    double least = o->top_k == 0 ? fmax((1 - o->top_p) * sum / (double)s->vocab, o->top_p == 1 ? o->min_p : 0) : 0;
    for (int64_t i = 0; i < s->vocab; i++)
        if (item[i].p >= least && (item[i].p > 0 || o->top_k)) item[n++] = item[i];
    if (o->top_k > 0 || o->top_p < 1) qsort(item, (size_t)n, sizeof *item, by_logit);
    if (o->top_k > 0) {
        n = GR__MIN(n, o->top_k);
        for (int64_t i = 0; i < n; i++) sum += item[i].p;
    }
    if (o->top_p < 1) {
        int64_t kept = 0;
        for (double reached = 0; kept < n && (kept == 0 || reached < o->top_p * sum); kept++) reached += item[kept].p;
        n = kept;
    }
    for (int64_t i = 0; i < n; i++) most = fmax(most, item[i].p);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (item[i].p >= o->min_p * most) item[kept++] = item[i];
    return kept;
}

gr_status gr__sampler_next(gr__sampler *s, const float *logits, int32_t *id)
{
    int64_t best;
    GR_TRY(collect(s, logits, &best));
    *id = (int32_t)best;
    if (s->o.greedy) return GR_OK;
    int64_t n = narrow(s, s->item[best].logit);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += s->item[i].p;
    double at = gr__rng_uniform(&s->rng) * sum;
    for (int64_t i = 0; i < n; i++) {
        *id = s->item[i].id;
        at -= s->item[i].p;
        if (at < 0) break;
    }
    return GR_OK;
}
