/* Recommendations: how far up the relevant ones stand, summed over queries. */
#include "gradus/metric.h"

#include "metric/order.h"

#include <math.h>

static double discount(size_t rank) { return 1 / log2((double)rank + 2); } /* rank from 0 */

/* Sum of gain * discount over the first k, where runs of equal key share the mean of their gains. */
static double cumulative_gain(const double *gain, const double *key, const size_t *order, size_t n, size_t k)
{
    double sum = 0;
    for (size_t i = 0, end; i < GR__MIN(n, k); i = end) {
        double gains = 0, discounts = 0;
        for (end = i; end < n && !(key[order[end]] < key[order[i]]); end++) {
            gains += gain[order[end]];
            if (end < k) discounts += discount(end);
        }
        sum += gains / (double)(end - i) * discounts;
    }
    return sum;
}

static void take(gr_ranking *r, const double *score, const double *relevance, const size_t *order, const size_t *ideal,
                 size_t n)
{
    size_t k = (size_t)r->k, relevant = 0, hits = 0;
    double precisions = 0, first = 0;
    for (size_t i = 0; i < n; i++) relevant += relevance[i] > 0;
    for (size_t i = 0; i < GR__MIN(n, k); i++) {
        if (!(relevance[order[i]] > 0)) continue;
        hits++;
        precisions += (double)hits / (double)(i + 1);
        if (hits == 1) first = 1 / (double)(i + 1);
    }
    r->queries++;
    r->empty += relevant == 0;
    if (relevant == 0) return;
    r->precision += (double)hits / (double)k;
    r->recall += (double)hits / (double)relevant;
    r->hit += hits > 0;
    r->ndcg += cumulative_gain(relevance, score, order, n, k) / cumulative_gain(relevance, relevance, ideal, n, k);
    r->reciprocal_rank += first;
    r->average_precision += precisions / (double)GR__MIN(relevant, k);
}

gr_status gr_ranking_update(gr_ranking *r, const double *score, const double *relevance, size_t n)
{
    GR_FAIL_IF(!r || (n && (!score || !relevance)), GR_ERR_ARGUMENT, "gr_ranking_update: an argument is NULL");
    GR_FAIL_IF(r->k < 1, GR_ERR_ARGUMENT, "the cut-off k of a ranking is %lld, but must be 1 or more", (long long)r->k);
    for (size_t i = 0; i < n; i++)
        GR_FAIL_IF(!isfinite(score[i]) || !isfinite(relevance[i]) || relevance[i] < 0, GR_ERR_DATA,
                   "candidate %zu: score %g, relevance %g", i, score[i], relevance[i]);
    gr_status status = GR_OK;
    size_t *order = gr__calloc(n, sizeof *order), *ideal = gr__calloc(n, sizeof *ideal);
    if (!order || !ideal) {
        status = gr__fail_memory("a ranking", 2 * n * sizeof *order);
        goto done;
    }
    GR_TRY_DONE(gr__order(score, n, true, order));
    GR_TRY_DONE(gr__order(relevance, n, true, ideal));
    take(r, score, relevance, order, ideal, n);
done:
    gr__free(order);
    gr__free(ideal);
    return status;
}

gr_status gr_ranking_merge(gr_ranking *r, const gr_ranking *other)
{
    GR_FAIL_IF(!r || !other, GR_ERR_ARGUMENT, "gr_ranking_merge: an argument is NULL");
    GR_FAIL_IF(r->k != other->k, GR_ERR_ARGUMENT, "rankings cut off at %lld and at %lld do not add up", (long long)r->k,
               (long long)other->k);
    r->queries += other->queries;
    r->empty += other->empty;
    r->precision += other->precision;
    r->recall += other->recall;
    r->hit += other->hit;
    r->ndcg += other->ndcg;
    r->reciprocal_rank += other->reciprocal_rank;
    r->average_precision += other->average_precision;
    return GR_OK;
}

void gr_ranking_result(const gr_ranking *r, gr_ranking_scores *out)
{
    double n = r->queries ? (double)r->queries : NAN;
    *out = (gr_ranking_scores){.precision = r->precision / n,
                               .recall = r->recall / n,
                               .hit_rate = r->hit / n,
                               .ndcg = r->ndcg / n,
                               .mrr = r->reciprocal_rank / n,
                               .map = r->average_precision / n,
                               .undefined = r->queries ? NULL : "there are no queries"};
}
