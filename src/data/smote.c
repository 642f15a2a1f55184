#include "data/smote.h"

#include "base/alloc.h"
#include "metric/order.h"

#include <math.h>
#include <string.h>

static double deviation(const gr__smote *s, int64_t column)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < s->n; i++) mean += s->number[i * s->numbers + column] / (double)s->n;
    for (int64_t i = 0; i < s->n; i++) {
        double d = s->number[i * s->numbers + column] - mean;
        square += d * d / (double)s->n;
    }
    return sqrt(square);
}

gr_status gr__smote_prepare(gr__smote *s)
{
    double *sorted = gr__calloc((size_t)s->numbers + 1, sizeof *sorted);
    if (!sorted) return gr__fail_memory("deviations", (size_t)s->numbers * sizeof *sorted);
    for (int64_t k = 0; k < s->numbers; k++) sorted[k] = deviation(s, k);
    gr_status status = gr__sort(sorted, (size_t)s->numbers);
    double median = gr__percentile(sorted, (size_t)s->numbers, 0.5);
    s->apart = median * median;
    gr__free(sorted);
    return status;
}

static double distance(const gr__smote *s, int64_t a, int64_t b)
{
    double sum = 0;
    for (int64_t k = 0; k < s->numbers; k++) {
        double d = s->number[a * s->numbers + k] - s->number[b * s->numbers + k];
        sum += d * d;
    }
    for (int64_t k = 0; k < s->words; k++)
        if (s->word[a * s->words + k] != s->word[b * s->words + k]) sum += s->apart;
    return sum;
}

/* The nearest others, the nearest first; returns how many, at most 'wanted'. */
static int64_t find_near(const gr__smote *s, const int64_t *row, int64_t n_rows, int64_t from, int64_t wanted,
                         int64_t near[GR__SMOTE_MOST])
{
    double far[GR__SMOTE_MOST];
    int64_t n = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        if (row[i] == from) continue;
        double d = distance(s, from, row[i]);
        int64_t at = n;
        while (at > 0 && far[at - 1] > d) at--;
        if (at == wanted) continue;
        n = GR__MIN(n + 1, wanted);
        memmove(near + at + 1, near + at, (size_t)(n - 1 - at) * sizeof *near);
        memmove(far + at + 1, far + at, (size_t)(n - 1 - at) * sizeof *far);
        near[at] = row[i], far[at] = d;
    }
    return n;
}

/* Of equally frequent ones the nearest row's. */
static int32_t most_common(const gr__smote *s, int64_t column, const int64_t *near, int64_t n)
{
    int32_t best = 0;
    int64_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t word = s->word[near[i] * s->words + column];
        int64_t same = 0;
        for (int64_t j = 0; j < n; j++) same += s->word[near[j] * s->words + column] == word;
        if (same > most) most = same, best = word;
    }
    return best;
}

void gr__smote_row(const gr__smote *s, const int64_t *row, int64_t n_rows, int64_t at, int64_t neighbours, gr__rng *rng,
                   double *number, int32_t *word)
{
    int64_t near[GR__SMOTE_MOST], from = row[at];
    int64_t n = find_near(s, row, n_rows, from, GR__MIN(neighbours, GR__SMOTE_MOST), near);
    int64_t other = near[gr__rng_below(rng, (uint64_t)n)];
    double share = gr__rng_uniform(rng);
    for (int64_t k = 0; k < s->numbers; k++) {
        double a = s->number[from * s->numbers + k], b = s->number[other * s->numbers + k];
        number[k] = a + share * (b - a);
    }
    for (int64_t k = 0; k < s->words; k++) word[k] = most_common(s, k, near, n);
}
