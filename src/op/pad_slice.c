/* Zeros with x in the middle of one axis: the gradient of slice. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__slice_attr *a = c->attr;
    const gr__value *x = c->in[0];
    char s[96];
    GR_FAIL_IF(a->axis < 0 || a->axis >= x->rank, GR_ERR_ARGUMENT, "pad_slice: axis %d of shape %s", a->axis,
               gr__shape_text(s, x->rank, x->dim));
    GR_TRY(gr__want_float(c, 0));
    int64_t n = x->dim[a->axis];
    GR_FAIL_IF(a->start < 0 || a->size < n || a->start > a->size - n || a->size > (int64_t)1 << 46, GR_ERR_SHAPE,
               "pad_slice: shape %s from %lld on does not lie in size %lld", gr__shape_text(s, x->rank, x->dim),
               (long long)a->start, (long long)a->size);
    c->out[0] = *x;
    c->out[0].dim[a->axis] = a->size;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    const gr__slice_attr *a = c->node->attr;
    int64_t size = gr_value_dim(c->g, c->node->in[0], a->axis);
    c->in_grad[0] = gr_slice(c->g, c->out_grad[0], a->axis, a->start, size);
}

static gr_status reference(const gr__args *x)
{
    const gr__slice_attr *a = x->attr;
    const gr__arg *in = &x->in[0], *out = &x->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do {
        int64_t k = index[a->axis] - a->start;
        bool inside = k >= 0 && k < in->dim[a->axis];
        int64_t from = inside ? gr__offset(in, index) - a->start * in->stride[a->axis] : 0;
        gr__store(out, gr__offset(out, index), inside ? gr__load(in, from) : 0);
    } while (gr__next_index(out->rank, out->dim, index));
    return GR_OK;
}

static const gr__case cases[] = {
    {.name = "rows", .n_in = 1, .in = {{2, {3, 5}}}, .attr = &(gr__slice_attr){.axis = 0, .start = 2, .size = 7}},
    {.name = "columns", .n_in = 1, .in = {{3, {2, 3, 3}}}, .attr = &(gr__slice_attr){.axis = 2, .start = 3, .size = 9}},
    {.name = "one", .n_in = 1, .in = {{1, {1}}}, .attr = &(gr__slice_attr){.axis = 0, .start = 4, .size = 5}},
    {.name = "transposed",
     .n_in = 1,
     .in = {{2, {7, 5}, .swap_b = 1}},
     .attr = &(gr__slice_attr){.axis = 1, .start = 0, .size = 6}},
    {.name = "too small",
     .n_in = 1,
     .in = {{1, {5}}},
     .attr = &(gr__slice_attr){.axis = 0, .start = 1, .size = 5},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_pad_slice = {
    .name = "pad_slice",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__slice_attr),
    .flags = GR__OP_CHEAP,
    .infer = infer,
    .grad = grad,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_pad_slice(gr_graph *g, gr_value x, int axis, int64_t start, int64_t size)
{
    gr__slice_attr a = {.axis = gr__axis(axis, gr_value_rank(g, x)), .start = start, .size = size};
    if (x && start == 0 && a.axis >= 0 && a.axis < gr_value_rank(g, x) && size == gr_value_dim(g, x, a.axis)) return x;
    return gr__node_add(g, &gr__op_pad_slice, &x, 1, &a, NULL);
}
