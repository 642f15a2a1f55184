/* A row of zeros with a 1 at the id; zeros where the id lies outside. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__one_hot_attr *a = c->attr;
    GR_TRY(gr__want_dtype(c, 0, GR_I32));
    GR_FAIL_IF(a->dtype <= GR_DTYPE_NONE || a->dtype >= GR_DTYPE_COUNT, GR_ERR_DTYPE, "one_hot: %d is not a dtype",
               (int)a->dtype);
    GR_FAIL_IF(a->n < 1 || a->n > (int64_t)1 << 40, GR_ERR_SHAPE, "one_hot: rows of size %lld", (long long)a->n);
    GR_FAIL_IF(c->in[0]->rank >= GR_MAX_RANK, GR_ERR_SHAPE, "one_hot: ids with %d axes leave no room for the row",
               c->in[0]->rank);
    c->out[0] = *c->in[0];
    c->out[0].dtype = a->dtype;
    c->out[0].dim[c->out[0].rank++] = a->n;
    return GR_OK;
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *ids = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do gr__store(y, gr__offset(y, index), gr__load_int(ids, gr__offset(ids, index)) == index[y->rank - 1]);
    while (gr__next_index(y->rank, y->dim, index));
    return GR_OK;
}

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__one_hot_attr seven = {.dtype = GR_F32, .n = 7}, bytes = {.dtype = GR_U8, .n = 3},
                              doubles = {.dtype = GR_F64, .n = 1}, none = {.dtype = GR_F32, .n = 0};
static const gr__case cases[] = {
    {.name = "tokens", .n_in = 1, .in = {{2, {3, 4}, IDS, .hi = 7}}, .attr = &seven},
    {.name = "outside", .n_in = 1, .in = {{1, {9}, IDS, .lo = -2, .hi = 5}}, .attr = &bytes},
    {.name = "one", .n_in = 1, .in = {{0, {0}, IDS, .hi = 1}}, .attr = &doubles},
    {.name = "transposed", .n_in = 1, .in = {{2, {3, 4}, IDS, .hi = 7, .swap_b = 1}}, .attr = &seven},
    {.name = "no size", .n_in = 1, .in = {{1, {3}, IDS}}, .attr = &none, .expect = GR_ERR_SHAPE},
    {.name = "float ids", .n_in = 1, .in = {{1, {3}}}, .attr = &seven, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_one_hot = {
    .name = "one_hot",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__one_hot_attr),
    .flags = GR__OP_CHEAP,
    .infer = infer,
    .no_grad = "its operand is an index",
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_one_hot(gr_graph *g, gr_value ids, int64_t n, gr_dtype dtype)
{
    return gr__node_add(g, &gr__op_one_hot, &ids, 1, &(gr__one_hot_attr){.dtype = dtype, .n = n}, NULL);
}
