/* ROUGE-1, -2 and -L (Lin 2004) on runs of letters and digits. */
#include "gradus/metric.h"

#include "base/str.h"
#include "metric/words.h"

#include <math.h>
#include <string.h>

/* Small letter or digit of the character at p, 0 where it is none. The Kelvin sign and the capital I with a dot are the
 * two characters beyond ASCII whose small form begins with an ASCII letter. */
static char letter_of(const char *p, size_t step)
{
    if (step == 1) {
        if (*p >= 'A' && *p <= 'Z') return (char)(*p + 32);
        return (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ? *p : 0;
    }
    if (step == 3 && memcmp(p, "\xE2\x84\xAA", 3) == 0) return 'k';
    return step == 2 && memcmp(p, "\xC4\xB0", 2) == 0 ? 'i' : 0;
}

static gr_status split(gr__words *w, gr__map *ids, const char *text, const char *what)
{
    GR_TRY(gr__words_check(text, what));
    size_t n = strlen(text), letters = 0;
    char *word = gr__alloc(n + 1);
    if (!word) return gr__fail_memory("a word", n + 1);
    gr_status status = GR_OK;
    for (size_t at = 0; at <= n && status == GR_OK;) {
        size_t step = GR__MAX(gr__utf8_step(text + at, n - at), 1);
        char c = at < n ? letter_of(text + at, step) : 0;
        if (c) word[letters++] = c;
        bool ends = !c || step == 2; /* the dot of the capital I stays behind as a mark of its own */
        if (ends && letters) {
            status = gr__words_add(w, ids, word, letters);
            letters = 0;
        }
        at += step;
    }
    gr__free(word);
    return status;
}

static gr_rouge_score score_of(double shared, double reference, double prediction)
{
    gr_rouge_score s = {shared / fmax(prediction, 1), shared / fmax(reference, 1), 0};
    if (s.precision + s.recall > 0) s.f = 2 * s.precision * s.recall / (s.precision + s.recall);
    return s;
}

static gr_status by_ngrams(const gr__words *a, const gr__words *b, size_t n, gr_rouge_score *out)
{
    gr__map in_a = {0}, in_b = {0};
    gr_status status = GR_OK;
    int64_t shared = 0;
    GR_TRY_DONE(gr__words_count(a, n, &in_a));
    GR_TRY_DONE(gr__words_count(b, n, &in_b));
    for (size_t i = 0; i < in_a.count; i++) {
        const int64_t *there = gr__map_get(&in_b, in_a.entry[i].key, in_a.entry[i].n);
        if (there) shared += GR__MIN(*there, in_a.entry[i].value);
    }
    *out = score_of((double)shared, a->n >= n ? (double)(a->n - n + 1) : 0, b->n >= n ? (double)(b->n - n + 1) : 0);
done:
    gr__map_release(&in_a);
    gr__map_release(&in_b);
    return status;
}

/* Length of the longest common subsequence: one row of the table at a time. */
static gr_status by_sequence(const gr__words *a, const gr__words *b, gr_rouge_score *out)
{
    size_t *row = gr__calloc(b->n + 1, sizeof *row);
    if (!row) return gr__fail_memory("a common subsequence", (b->n + 1) * sizeof *row);
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0, diagonal = 0; j < b->n; j++) {
            size_t up = row[j + 1];
            row[j + 1] = a->id[i] == b->id[j] ? diagonal + 1 : GR__MAX(up, row[j]);
            diagonal = up;
        }
    *out = score_of((double)row[b->n], (double)a->n, (double)b->n);
    gr__free(row);
    return GR_OK;
}

static void add(gr_rouge_score *sum, const gr_rouge_score *one)
{
    sum->precision += one->precision;
    sum->recall += one->recall;
    sum->f += one->f;
}

gr_status gr_rouge_update(gr_rouge *r, const char *reference, const char *prediction)
{
    GR_FAIL_IF(!r || !reference || !prediction, GR_ERR_ARGUMENT, "gr_rouge_update: an argument is NULL");
    gr__map ids = {0};
    gr__words a = {0}, b = {0};
    gr_rouge_score one[3];
    gr_status status = GR_OK;
    GR_TRY_DONE(split(&a, &ids, reference, "the reference"));
    GR_TRY_DONE(split(&b, &ids, prediction, "the prediction"));
    GR_TRY_DONE(by_ngrams(&a, &b, 1, &one[0]));
    GR_TRY_DONE(by_ngrams(&a, &b, 2, &one[1]));
    GR_TRY_DONE(by_sequence(&a, &b, &one[2]));
    for (int i = 0; i < 3; i++) add(&r->sum[i], &one[i]);
    r->n++;
done:
    gr__map_release(&ids);
    gr__words_release(&a);
    gr__words_release(&b);
    return status;
}

void gr_rouge_merge(gr_rouge *r, const gr_rouge *other)
{
    for (int i = 0; i < 3; i++) add(&r->sum[i], &other->sum[i]);
    r->n += other->n;
}

void gr_rouge_result(const gr_rouge *r, gr_rouge_score out[3])
{
    double n = r->n ? (double)r->n : NAN;
    for (int i = 0; i < 3; i++)
        out[i] = (gr_rouge_score){r->sum[i].precision / n, r->sum[i].recall / n, r->sum[i].f / n};
}
