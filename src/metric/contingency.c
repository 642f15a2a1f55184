/* Two clusterings of the same points: adjusted Rand index and normalised mutual information from the counts of pairs of
 * labels that occur. */
#include "gradus/metric.h"

#include "base/map.h"

#include <float.h>
#include <math.h>

struct gr_contingency {
    gr__map a, b, pair; /* label(s) -> count */
    int64_t n;
};

gr_status gr_contingency_new(gr_contingency **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_contingency_new: an argument is NULL");
    *out = gr__calloc(1, sizeof **out);
    return *out ? GR_OK : gr__fail_memory("counts of labels", sizeof **out);
}

void gr_contingency_free(gr_contingency **c)
{
    if (!c || !*c) return;
    gr__map_release(&(*c)->a);
    gr__map_release(&(*c)->b);
    gr__map_release(&(*c)->pair);
    gr__free(*c);
    *c = NULL;
}

static gr_status add(gr__map *map, const void *key, size_t n, int64_t count)
{
    int64_t *known = gr__map_get(map, key, n);
    if (!known) return gr__map_set(map, key, n, count, NULL);
    *known += count;
    return GR_OK;
}

gr_status gr_contingency_update(gr_contingency *c, const int32_t *a, const int32_t *b, size_t n)
{
    GR_FAIL_IF(!c || (n && (!a || !b)), GR_ERR_ARGUMENT, "gr_contingency_update: an argument is NULL");
    for (size_t i = 0; i < n; i++) {
        const int32_t pair[2] = {a[i], b[i]};
        GR_TRY(add(&c->a, &pair[0], sizeof pair[0], 1));
        GR_TRY(add(&c->b, &pair[1], sizeof pair[1], 1));
        GR_TRY(add(&c->pair, pair, sizeof pair, 1));
        c->n++;
    }
    return GR_OK;
}

static gr_status add_all(gr__map *to, const gr__map *from)
{
    for (size_t i = 0; i < from->count; i++)
        GR_TRY(add(to, from->entry[i].key, from->entry[i].n, from->entry[i].value));
    return GR_OK;
}

gr_status gr_contingency_merge(gr_contingency *c, const gr_contingency *other)
{
    GR_FAIL_IF(!c || !other, GR_ERR_ARGUMENT, "gr_contingency_merge: an argument is NULL");
    GR_TRY(add_all(&c->a, &other->a));
    GR_TRY(add_all(&c->b, &other->b));
    GR_TRY(add_all(&c->pair, &other->pair));
    c->n += other->n;
    return GR_OK;
}

static double sum_of_squares(const gr__map *map)
{
    double sum = 0;
    for (size_t i = 0; i < map->count; i++) sum += (double)map->entry[i].value * (double)map->entry[i].value;
    return sum;
}

/* Pairs of points (ordered) that are together in both, in a alone, in b alone, in neither. */
static double adjusted_rand(const gr_contingency *c)
{
    double n = (double)c->n, both = sum_of_squares(&c->pair);
    double a_only = sum_of_squares(&c->a) - both, b_only = sum_of_squares(&c->b) - both;
    double neither = n * n - a_only - b_only - both;
    both -= n;
    if (!(a_only > 0) && !(b_only > 0)) return 1;
    return 2 * (both * neither - a_only * b_only) /
           ((both + a_only) * (a_only + neither) + (both + b_only) * (b_only + neither));
}

static double entropy(const gr__map *map, double n)
{
    double sum = 0;
    for (size_t i = 0; i < map->count; i++) {
        double count = (double)map->entry[i].value;
        sum -= count / n * (log(count) - log(n));
    }
    return sum;
}

static double normalized_information(const gr_contingency *c)
{
    double n = (double)c->n, sum = 0;
    if (c->a.count == c->b.count && c->a.count < 2) return 1;
    if (c->a.count < 2 || c->b.count < 2) return 0;
    for (size_t i = 0; i < c->pair.count; i++) {
        const gr__map_entry *e = &c->pair.entry[i];
        double count = (double)e->value;
        double in_a = (double)*gr__map_get(&c->a, e->key, sizeof(int32_t));
        double in_b = (double)*gr__map_get(&c->b, e->key + sizeof(int32_t), sizeof(int32_t));
        double term = count / n * (log(count) - log(n)) + count / n * (log(n) + log(n) - log(in_a * in_b));
        sum += fabs(term) < DBL_EPSILON ? 0 : term; /* independent labels give 0, not what rounding left */
    }
    return fmax(sum, 0) / ((entropy(&c->a, n) + entropy(&c->b, n)) / 2);
}

/* NaN without memory. */
static double purity(const gr_contingency *c)
{
    if (c->n == 0) return 1;
    int64_t *most = gr__calloc(c->b.count + 1, sizeof *most), sum = 0;
    if (!most) return NAN;
    for (size_t i = 0; i < c->pair.count; i++) {
        const gr__map_entry *e = &c->pair.entry[i];
        const int64_t *in_b = gr__map_get(&c->b, e->key + sizeof(int32_t), sizeof(int32_t));
        ptrdiff_t k = ((const char *)in_b - (const char *)&c->b.entry[0].value) / (ptrdiff_t)sizeof *e;
        most[k] = GR__MAX(most[k], e->value);
    }
    for (size_t k = 0; k < c->b.count; k++) sum += most[k];
    gr__free(most);
    return (double)sum / (double)c->n;
}

void gr_contingency_result(const gr_contingency *c, gr_contingency_scores *out)
{
    *out = (gr_contingency_scores){adjusted_rand(c), normalized_information(c), purity(c)};
}
