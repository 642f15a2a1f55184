/* Edit distance (Levenshtein 1966), error rates of words and characters, and perplexity. */
#include "gradus/metric.h"

#include "metric/words.h"

#include <math.h>

double gr_perplexity(double nats, int64_t tokens) { return tokens < 1 ? NAN : exp(nats / (double)tokens); }

/* One row of the table, as long as the shorter list. */
gr_status gr_edit_distance(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b, int64_t *out)
{
    GR_FAIL_IF((!a && n_a) || (!b && n_b) || !out, GR_ERR_ARGUMENT, "gr_edit_distance: an argument is NULL");
    if (n_a < n_b) {
        const int32_t *t = a;
        a = b;
        b = t;
        size_t n = n_a;
        n_a = n_b;
        n_b = n;
    }
    size_t bytes;
    int64_t *row = gr__mul_size(n_b + 1, sizeof *row, &bytes) ? gr__alloc(bytes) : NULL;
    if (!row) return gr__fail_memory("an edit distance", (n_b + 1) * sizeof *row);
    for (size_t j = 0; j <= n_b; j++) row[j] = (int64_t)j;
    for (size_t i = 0; i < n_a; i++) {
        int64_t diagonal = row[0];
        row[0] = (int64_t)i + 1;
        for (size_t j = 0; j < n_b; j++) {
            int64_t up = row[j + 1], least = GR__MIN(up, row[j]) + 1;
            row[j + 1] = GR__MIN(least, diagonal + (a[i] != b[j]));
            diagonal = up;
        }
    }
    *out = row[n_b];
    gr__free(row);
    return GR_OK;
}

static gr_status compare(gr_edits *e, const char *reference, const char *hypothesis, bool words)
{
    gr__map ids = {0};
    gr__words a = {0}, b = {0};
    gr_status status = GR_OK;
    int64_t edits;
    size_t n_a, n_b;
    GR_TRY_DONE(gr__words_check(reference, "the reference"));
    GR_TRY_DONE(gr__words_check(hypothesis, "the hypothesis"));
    reference = gr__trim(reference, &n_a);
    hypothesis = gr__trim(hypothesis, &n_b);
    GR_TRY_DONE(words ? gr__words_split(&a, &ids, reference, n_a) : gr__words_characters(&a, reference, n_a));
    GR_TRY_DONE(words ? gr__words_split(&b, &ids, hypothesis, n_b) : gr__words_characters(&b, hypothesis, n_b));
    GR_TRY_DONE(gr_edit_distance(a.id, a.n, b.id, b.n, &edits));
    e->edits += edits;
    e->length += (int64_t)a.n;
done:
    gr__map_release(&ids);
    gr__words_release(&a);
    gr__words_release(&b);
    return status;
}

gr_status gr_edits_update_words(gr_edits *e, const char *reference, const char *hypothesis)
{
    GR_FAIL_IF(!e || !reference || !hypothesis, GR_ERR_ARGUMENT, "gr_edits_update_words: an argument is NULL");
    return compare(e, reference, hypothesis, true);
}

gr_status gr_edits_update_characters(gr_edits *e, const char *reference, const char *hypothesis)
{
    GR_FAIL_IF(!e || !reference || !hypothesis, GR_ERR_ARGUMENT, "gr_edits_update_characters: an argument is NULL");
    return compare(e, reference, hypothesis, false);
}

void gr_edits_merge(gr_edits *e, const gr_edits *other)
{
    e->edits += other->edits;
    e->length += other->length;
}

/* Without a reference every edit is an insertion. */
double gr_edits_rate(const gr_edits *e) { return (double)e->edits / (e->length ? (double)e->length : 1); }
