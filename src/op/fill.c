/* An array of one number. A scalar is a fill without axes: its number is in the attributes, where passes see it. */
#include "op/attr.h"

#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr__fill_attr *a = c->attr;
    GR_FAIL_IF(a->dtype <= GR_DTYPE_NONE || a->dtype >= GR_DTYPE_COUNT, GR_ERR_DTYPE, "fill: %d is not a dtype",
               (int)a->dtype);
    GR_FAIL_IF(a->rank < 0 || a->rank > GR_MAX_RANK, GR_ERR_SHAPE, "fill: rank %d; 0 to %d are possible", a->rank,
               GR_MAX_RANK);
    gr__value *out = &c->out[0];
    out->dtype = a->dtype;
    out->rank = a->rank;
    memcpy(out->dim, a->dim, sizeof out->dim);
    return GR_OK;
}

static gr_status reference(const gr__args *x)
{
    const gr__arg *out = &x->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do gr__store(out, gr__offset(out, index), ((const gr__fill_attr *)x->attr)->map.p0);
    while (gr__next_index(out->rank, out->dim, index));
    return GR_OK;
}

static const gr__case cases[] = {
    {.name = "matrix", .attr = &(gr__fill_attr){{&gr__op_fill, 0.5, 0}, GR_F32, 2, {3, 5}}},
    {.name = "index", .attr = &(gr__fill_attr){{&gr__op_fill, -3, 0}, GR_I32, 1, {7}}},
    {.name = "scalar", .attr = &(gr__fill_attr){{&gr__op_fill, 0.1, 0}, GR_F64, 0, {0}}},
    {.name = "no elements", .attr = &(gr__fill_attr){{&gr__op_fill, 1, 0}, GR_F32, 1, {0}}, .expect = GR_ERR_SHAPE},
    {.name = "no dtype", .attr = &(gr__fill_attr){{&gr__op_fill, 1, 0}, GR_DTYPE_NONE, 1, {2}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_fill = {
    .name = "fill",
    .n_out = 1,
    .attr_bytes = sizeof(gr__fill_attr),
    .flags = GR__OP_LEAF | GR__OP_CHEAP,
    .map_op = GR__MAP_CONST,
    .infer = infer,
    .no_grad = "it has no operands",
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_fill(gr_graph *g, gr_dtype dtype, int rank, const int64_t *dim, double value)
{
    gr__fill_attr a = {.map = {&gr__op_fill, value, 0}, .dtype = dtype, .rank = rank};
    if (!gr__copy_dims(g, "fill", rank, dim, a.dim)) return 0;
    return gr__node_add(g, &gr__op_fill, NULL, 0, &a, NULL);
}

gr_value gr_scalar(gr_graph *g, gr_dtype dtype, double value) { return gr_fill(g, dtype, 0, NULL, value); }
