/* A cache with fresh rows written at start[b] .. of each row of the batch; rows outside are dropped. */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    const gr__value *cache = c->in[0];
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 4));
    GR_TRY(gr__want_float(c, 1));
    GR_TRY(gr__want_out_dtype(c, c->in[1]->dtype, cache->dtype));
    GR_TRY(gr__want_rank(c, 1, 4));
    int64_t some_rows[] = {cache->dim[0], c->in[1]->dim[1], cache->dim[2], cache->dim[3]};
    GR_TRY(gr__want_shape(c, 1, 4, some_rows, "fresh"));
    GR_TRY(gr__want_dtype(c, 2, GR_I32));
    GR_TRY(gr__want_shape(c, 2, 1, cache->dim, "start, one of each row of the batch"));
    c->out[0] = *cache;
    return GR_OK;
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *cache = &a->in[0], *fresh = &a->in[1], *start = &a->in[2], *out = &a->out[0];
    int64_t index[4] = {0};
    do {
        int64_t t = index[1] - gr__load_int(start, index[0] * start->stride[0]);
        bool here = t >= 0 && t < fresh->dim[1];
        double v = here ? gr__load(fresh, gr__offset(fresh, (int64_t[]){index[0], t, index[2], index[3]}))
                        : gr__load(cache, gr__offset(cache, index));
        gr__store(out, gr__offset(out, index), v);
    } while (gr__next_index(4, out->dim, index));
    return GR_OK;
}

#define START .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__case cases[] = {
    {.name = "one token", .n_in = 3, .in = {{4, {3, 7, 2, 4}}, {4, {3, 1, 2, 4}}, {1, {3}, START, .hi = 7}}},
    {.name = "several", .n_in = 3, .in = {{4, {2, 9, 1, 3}}, {4, {2, 4, 1, 3}}, {1, {2}, START, .hi = 5}}},
    {.name = "past the ends",
     .n_in = 3,
     .in = {{4, {5, 3, 1, 2}}, {4, {5, 2, 1, 2}}, {1, {5}, START, .lo = -3, .hi = 5}}},
    {.name = "transposed",
     .n_in = 3,
     .in = {{4, {2, 5, 3, 4}}, {4, {2, 2, 3, 4}, .swap_a = 1, .swap_b = 2}, {1, {2}, START, .hi = 4}}},
    {.name = "misfit",
     .n_in = 3,
     .in = {{4, {2, 5, 3, 4}}, {4, {2, 2, 3, 5}}, {1, {2}, START}},
     .expect = GR_ERR_SHAPE},
    {.name = "float start", .n_in = 3, .in = {{4, {2, 5, 3, 4}}, {4, {2, 2, 3, 4}}, {1, {2}}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_cache_write = {
    .name = "cache_write",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .infer = infer,
    .no_grad = "it is for decoding only",
    .reference = reference,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_cache_write(gr_graph *g, gr_value cache, gr_value fresh, gr_value start)
{
    return gr__node_add(g, &gr__op_cache_write, (gr_value[]){cache, fresh, start}, 3, NULL, NULL);
}
