/* BLEU: counts of n-grams that hypothesis and reference share (Papineni et al. 2002; smoothing after Chen and Cherry
 * 2014). The counts of a corpus are sums of those of its sentences, so that the accumulator is plain numbers. */
#include "gradus/metric.h"

#include "metric/words.h"

#include <math.h>
#include <stdlib.h>

enum { ORDERS = 4 };

/* best[n-gram] becomes the largest count in any reference. */
static gr_status take_largest(gr__map *best, const gr__map *counts)
{
    for (size_t i = 0; i < counts->count; i++) {
        const gr__map_entry *e = &counts->entry[i];
        int64_t *known = gr__map_get(best, e->key, e->n);
        if (!known)
            GR_TRY(gr__map_set(best, e->key, e->n, e->value, NULL));
        else if (e->value > *known)
            *known = e->value;
    }
    return GR_OK;
}

static gr_status count_all(const gr__words *w, gr__map *counts)
{
    for (size_t n = 1; n <= ORDERS; n++) GR_TRY(gr__words_count(w, n, counts));
    return GR_OK;
}

typedef struct work {
    gr__map ids, counts, best;
    gr__words words;
} work;

static gr_status add_reference(work *w, gr_bleu_words kind, const char *text, int64_t wanted, int64_t *length)
{
    gr__map_release(&w->counts);
    w->words.n = 0;
    GR_TRY(gr__words_check(text, "a reference"));
    GR_TRY(gr__bleu_split(&w->words, &w->ids, kind, text));
    GR_TRY(count_all(&w->words, &w->counts));
    GR_TRY(take_largest(&w->best, &w->counts));
    int64_t n = (int64_t)w->words.n, gap = llabs(n - wanted), best = llabs(*length - wanted);
    if (*length < 0 || gap < best || (gap == best && n < *length)) *length = n;
    return GR_OK;
}

static gr_status add_sentence(work *w, gr_bleu *sum, gr_bleu_words kind, const char *hypothesis,
                              const char *const *references, size_t n_references)
{
    gr__map counts = {0};
    gr_status status = GR_OK;
    int64_t length = -1;
    GR_TRY_DONE(gr__words_check(hypothesis, "the hypothesis"));
    GR_TRY_DONE(gr__bleu_split(&w->words, &w->ids, kind, hypothesis));
    GR_TRY_DONE(count_all(&w->words, &counts));
    sum->hypothesis_words = (int64_t)w->words.n;
    for (size_t i = 0; i < n_references; i++)
        GR_TRY_DONE(add_reference(w, kind, references[i], sum->hypothesis_words, &length));
    sum->reference_words = length;
    for (size_t i = 0; i < counts.count; i++) {
        const gr__map_entry *e = &counts.entry[i];
        const int64_t *most = gr__map_get(&w->best, e->key, e->n);
        size_t order = e->n / sizeof(int32_t) - 1;
        sum->total[order] += e->value;
        if (most) sum->match[order] += GR__MIN(e->value, *most);
    }
done:
    gr__map_release(&counts);
    return status;
}

static bool are_options_good(const gr_bleu_options *o)
{
    return (unsigned)o->words < GR_BLEU_WORDS_COUNT && (unsigned)o->smoothing < GR_BLEU_SMOOTHING_COUNT &&
           o->floor >= 0 && isfinite(o->floor);
}

gr_status gr_bleu_update(gr_bleu *b, const gr_bleu_options *options, const char *hypothesis,
                         const char *const *references, size_t n_references)
{
    gr_bleu_options o = options ? *options : (gr_bleu_options){0};
    GR_FAIL_IF(!b || !hypothesis || (!references && n_references), GR_ERR_ARGUMENT,
               "gr_bleu_update: an argument is NULL");
    GR_FAIL_IF(!are_options_good(&o), GR_ERR_ARGUMENT, "BLEU has no words %d, no smoothing %d or no floor %g",
               (int)o.words, (int)o.smoothing, o.floor);
    GR_FAIL_IF(n_references < 1, GR_ERR_ARGUMENT, "BLEU needs a reference for each hypothesis");
    for (size_t i = 0; i < n_references; i++) GR_FAIL_IF(!references[i], GR_ERR_ARGUMENT, "reference %zu is NULL", i);
    work w = {0};
    gr_bleu one = {0};
    gr_status status = add_sentence(&w, &one, o.words, hypothesis, references, n_references);
    if (status == GR_OK) gr_bleu_merge(b, &one);
    gr__map_release(&w.ids);
    gr__map_release(&w.counts);
    gr__map_release(&w.best);
    gr__words_release(&w.words);
    return status;
}

void gr_bleu_merge(gr_bleu *b, const gr_bleu *other)
{
    for (int i = 0; i < ORDERS; i++) {
        b->match[i] += other->match[i];
        b->total[i] += other->total[i];
    }
    b->hypothesis_words += other->hypothesis_words;
    b->reference_words += other->reference_words;
}

double gr_bleu_result(const gr_bleu *b, const gr_bleu_options *options)
{
    gr_bleu_options o = options ? *options : (gr_bleu_options){0};
    double floor_matches = o.floor > 0 ? o.floor : 0.1, halved = 1, log_sum = 0;
    int orders = 0;
    if (!are_options_good(&o)) return NAN;
    if (b->match[0] + b->match[1] + b->match[2] + b->match[3] == 0) return 0;
    for (; orders < ORDERS && b->total[orders] > 0; orders++) {
        double match = (double)b->match[orders];
        if (b->match[orders] == 0) {
            if (o.smoothing == GR_BLEU_NO_SMOOTHING) return 0;
            halved /= 2;
            match = o.smoothing == GR_BLEU_EXP ? halved : floor_matches;
        }
        log_sum += log(100 * match / (double)b->total[orders]);
    }
    if (orders < ORDERS && !o.effective_order) return 0; /* too short for an n-gram of the highest order */
    double brevity = 1;
    if (b->hypothesis_words < b->reference_words)
        brevity = exp(1 - (double)b->reference_words / (double)b->hypothesis_words);
    return brevity * exp(log_sum / orders);
}
