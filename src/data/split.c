#include "data/split.h"

#include "base/alloc.h"
#include "base/rng.h"

gr_status gr__split_check(const gr__split_options *o, const gr__conf *section, const char *other)
{
    if (o->folds == 1 || o->fold >= GR__MAX(o->folds, 1))
        return gr__conf_fail(section, "data.folds is 2 or more, and data.fold less than it");
    if (o->folds && other) return gr__conf_fail(section, "data.folds and data.%s exclude each other", other);
    return GR_OK;
}

static int64_t group_of(const int32_t *group, int64_t row) { return group ? GR__MAX(group[row], 0) : 0; }

/* In an order drawn by the seed, group by group. */
static gr_status shuffle(uint64_t seed, const int32_t *group, int64_t groups, const int64_t *row, int64_t n,
                         int64_t *order)
{
    uint64_t key = gr__rng_key(seed, 0x7461626c65u);
    int64_t *place = gr__calloc((size_t)groups + 1, sizeof *place);
    if (!place) return gr__fail_memory("the data", (size_t)groups * sizeof *place);
    for (int64_t i = 0; i < n; i++) place[group_of(group, row[i]) + 1]++;
    for (int64_t k = 1; k <= groups; k++) place[k] += place[k - 1];
    for (int64_t i = 0; i < n; i++) {
        int64_t r = row[gr__permute(key, (uint64_t)n, (uint64_t)i)];
        order[place[group_of(group, r)]++] = r;
    }
    gr__free(place);
    return GR_OK;
}

/* Every k-th of that order is held out, so that each group keeps its share. */
static bool held_out(const gr__split_options *o, int64_t i)
{
    if (o->folds) return i % o->folds == o->fold;
    return o->valid > 0 && (int64_t)((double)(i + 1) * o->valid) > (int64_t)((double)i * o->valid);
}

gr_status gr__split_rows(const gr__split_options *o, uint64_t seed, const int32_t *group, int64_t groups, int64_t *row,
                         int64_t n, int64_t *n_train)
{
    *n_train = n;
    if (o->folds == 0 && o->valid == 0) return GR_OK;
    GR_FAIL_IF(o->folds > n, GR_ERR_CONFIG, "%lld rows make no %lld folds; data.folds is at most their number",
               (long long)n, (long long)o->folds);
    int64_t *order = gr__alloc((size_t)(n + 1) * sizeof *order), train = 0, valid = 0;
    if (!order) return gr__fail_memory("the data", (size_t)n * sizeof *order);
    gr_status status = shuffle(seed, group, GR__MAX(groups, 1), row, n, order);
    for (int64_t i = 0; i < n && status == GR_OK; i++) valid += held_out(o, i);
    for (int64_t i = 0, v = n - valid; i < n && status == GR_OK; i++) row[held_out(o, i) ? v++ : train++] = order[i];
    if (status == GR_OK) *n_train = n - valid;
    gr__free(order);
    return status;
}
