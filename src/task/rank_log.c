#include "task/rank_log.h"

#include "base/alloc.h"
#include "metric/html.h"
#include "metric/plot.h"

#include <math.h>
#include <stdio.h>

enum { MOST_K = 50, LAST = 3 }; /* LAST: items of a history that are shown */

gr_status gr__rank_log_new(int64_t queries, gr__rank_log *out)
{
    size_t n = (size_t)queries;
    *out = (gr__rank_log){.capacity = queries, .rank = {gr__calloc(n + 1, sizeof(double))}};
    out->rank[1] = gr__calloc(n + 1, sizeof(double));
    return out->rank[0] && out->rank[1] ? GR_OK : gr__fail_memory("ranks", 2 * n * sizeof(double));
}

void gr__rank_log_release(gr__rank_log *l)
{
    gr__free(l->rank[0]);
    gr__free(l->rank[1]);
}

static bool among(const int32_t *list, int n, int32_t item)
{
    for (int i = 0; i < n; i++)
        if (list[i] == item) return true;
    return false;
}

static void keep_best(gr__rank_example *e, const double *score, int64_t n)
{
    for (int at = 0; at < GR__RANK_BEST; at++) {
        int32_t best = -1;
        for (int64_t k = 0; k < n; k++)
            if (!isnan(score[k]) && !among(e->best, at, (int32_t)k) && (best < 0 || score[k] > score[best]))
                best = (int32_t)k;
        e->best[at] = best;
    }
}

void gr__rank_log_add(gr__rank_log *l, int64_t query, const double *score, bool popular, int64_t n, int32_t right)
{
    double better = 0, equal = -1; /* itself */
    if (query >= l->capacity) return;
    if (query == 0 && !popular) l->n_examples = 0;
    for (int64_t k = 0; k < n; k++) {
        better += score[k] > score[right];
        equal += score[k] == score[right];
    }
    l->rank[popular][query] = 1 + better + equal / 2;
    l->n = query + 1;
    int64_t step = GR__MAX(l->capacity / GR__RANK_EXAMPLES, 1);
    if (popular || query % step || l->n_examples == GR__RANK_EXAMPLES) return;
    gr__rank_example *e = &l->example[l->n_examples++];
    e->query = query;
    keep_best(e, score, n);
}

/* Mean over the queries of what a rank of at most k gives, for k = 1 .. MOST_K. */
static void mean_at(const gr__rank_log *l, int which, bool ndcg, double out[MOST_K])
{
    for (int k = 0; k < MOST_K; k++) {
        double sum = 0;
        for (int64_t i = 0; i < l->n; i++) {
            double rank = l->rank[which][i];
            if (rank <= k + 1) sum += ndcg ? 1 / log2(rank + 1) : 1;
        }
        out[k] = sum / (double)l->n;
    }
}

/* Of hit rate and NDCG at the first k. */
static void add_charts(const gr__rank_log *l, gr__str *page)
{
    static const char *const titles[] = {"Hit rate at k", "NDCG at k"};
    double x[MOST_K], y[2][MOST_K];
    for (int k = 0; k < MOST_K; k++) x[k] = k + 1;
    gr__html_charts_begin(page);
    for (int ndcg = 0; ndcg < 2; ndcg++) {
        for (int which = 0; which < 2; which++) mean_at(l, which, ndcg == 1, y[which]);
        gr__series series[] = {{.x = x, .y = y[0], .n = MOST_K, .label = "the model"},
                               {.x = x, .y = y[1], .n = MOST_K, .label = "what most take", .dashed = true}};
        gr__chart chart = {.title = titles[ndcg],
                           .x_label = "k",
                           .from_zero = true,
                           .series = series,
                           .series_count = GR__COUNT(series)};
        gr__svg_chart(page, &chart);
    }
    gr__html_charts_end(page);
}

/* "a, b, c": the items that the user had last before 'at'. */
static void add_history(const gr__ratings *d, int64_t at, gr__str *out)
{
    int64_t from = GR__MAX(d->start[d->user[d->order[at]]], at - LAST);
    for (int64_t i = from; i < at; i++)
        gr__str_printf(out, "%s%.40s", i > from ? ", " : "", d->items.item[d->item[d->order[i]]]);
}

static gr_status add_examples(const gr__rank_log *l, const gr__ratings *d, const int64_t *place, gr__str *page)
{
    static const char *const head[] = {"user", "had last", "took next", "its place", "recommended"};
    gr_status status = GR_OK;
    gr__html_table_begin(page, head, GR__COUNT(head));
    for (int i = 0; i < l->n_examples && status == GR_OK; i++) {
        const gr__rank_example *e = &l->example[i];
        int64_t at = place[e->query], row = d->order[at];
        gr__str last = {0}, best = {0};
        char rank[32];
        snprintf(rank, sizeof rank, "%g", l->rank[0][e->query]);
        add_history(d, at, &last);
        for (int k = 0; k < GR__RANK_BEST && e->best[k] >= 0; k++)
            gr__str_printf(&best, "%s%.40s", k ? ", " : "", d->items.item[e->best[k]]);
        gr__html_table_row(page,
                           (const char *[]){d->users.item[d->user[row]], gr__str_get(&last),
                                            d->items.item[d->item[row]], rank, gr__str_get(&best)},
                           GR__COUNT(head));
        if (last.failed || best.failed) status = gr__fail_memory("a table", 256);
        gr__str_release(&last);
        gr__str_release(&best);
    }
    gr__html_table_end(page);
    return status;
}

gr_status gr__rank_log_panels(const gr__rank_log *l, const gr__ratings *d, const int64_t *place, gr__str *page)
{
    if (l->n == 0) return GR_OK;
    gr__html_section(page, "Rankings");
    add_charts(l, page);
    gr__html_section(page, "Some recommendations");
    return add_examples(l, d, place, page);
}
