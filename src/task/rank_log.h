/* Where the right items stood in rankings, query by query, for the report: one item is right in each. */
#ifndef GR__RANK_LOG_H
#define GR__RANK_LOG_H

#include "base/str.h"
#include "data/ratings.h"

enum { GR__RANK_EXAMPLES = 10, GR__RANK_BEST = 5 };

typedef struct gr__rank_example {
    int64_t query;
    int32_t best[GR__RANK_BEST]; /* items, the best first; -1: no more */
} gr__rank_example;

typedef struct gr__rank_log {
    double *rank[2]; /* (capacity): from 1, in the middle of equals; of the model, and by popularity */
    int64_t n, capacity;
    gr__rank_example example[GR__RANK_EXAMPLES];
    int n_examples;
} gr__rank_log;

gr_status gr__rank_log_new(int64_t queries, gr__rank_log *out);
void gr__rank_log_release(gr__rank_log *l);
/* Query 'query', in order from 0, which begins anew: scores (n) of all items, NaN: not asked for; by popularity the same. */
void gr__rank_log_add(gr__rank_log *l, int64_t query, const double *score, bool popular, int64_t n, int32_t right);
/* Hit rate and NDCG at the first k, and some users with what they had, took next and were recommended. place (n): of each query in
 * the ratings' order. */
gr_status gr__rank_log_panels(const gr__rank_log *l, const gr__ratings *ratings, const int64_t *place, gr__str *page);

#endif
