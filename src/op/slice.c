/* Some elements along one axis: a view. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__slice_attr *a = c->attr;
    const gr__value *x = c->in[0];
    char s[96];
    GR_FAIL_IF(a->axis < 0 || a->axis >= x->rank, GR_ERR_ARGUMENT, "slice: axis %d of shape %s", a->axis,
               gr__shape_text(s, x->rank, x->dim));
    int64_t n = x->dim[a->axis];
    GR_FAIL_IF(a->start < 0 || a->size < 1 || a->size > n || a->start > n - a->size, GR_ERR_SHAPE,
               "slice: %lld elements from %lld on do not lie in axis %d of shape %s", (long long)a->size,
               (long long)a->start, a->axis, gr__shape_text(s, x->rank, x->dim));
    c->out[0] = *x;
    c->out[0].dim[a->axis] = a->size;
    return GR_OK;
}

static bool view(const gr__arg *in, const void *attr, const gr__arg *out, int64_t *offset, int64_t *stride)
{
    const gr__slice_attr *a = attr;
    *offset = a->start * in->stride[a->axis];
    for (int i = 0; i < out->rank; i++) stride[i] = in->stride[i];
    return true;
}

static void grad(gr__grad *c)
{
    const gr__slice_attr *a = c->node->attr;
    int64_t size = gr_value_dim(c->g, c->node->in[0], a->axis);
    c->in_grad[0] = gr_pad_slice(c->g, c->out_grad[0], a->axis, a->start, size);
}

static gr_status reference(const gr__args *x)
{
    const gr__slice_attr *a = x->attr;
    gr__arg in = gr__arg_at(&x->in[0], a->start * x->in[0].stride[a->axis]);
    in.dim[a->axis] = a->size;
    return gr__reference_copy(&(gr__args){.in = &in, .out = x->out, .n_in = 1, .n_out = 1});
}

static const gr__case cases[] = {
    {.name = "rows", .n_in = 1, .in = {{2, {7, 5}}}, .attr = &(gr__slice_attr){.axis = 0, .start = 2, .size = 3}},
    {.name = "columns", .n_in = 1, .in = {{3, {2, 3, 9}}}, .attr = &(gr__slice_attr){.axis = 2, .start = 3, .size = 3}},
    {.name = "one", .n_in = 1, .in = {{1, {5}}}, .attr = &(gr__slice_attr){.axis = 0, .start = 4, .size = 1}},
    {.name = "whole", .n_in = 1, .in = {{2, {3, 4}}}, .attr = &(gr__slice_attr){.axis = 1, .start = 0, .size = 4}},
    {.name = "of a view",
     .n_in = 1,
     .in = {{2, {7, 5}, .swap_b = 1}},
     .attr = &(gr__slice_attr){.axis = 0, .start = 1, .size = 5}},
    {.name = "past the end",
     .n_in = 1,
     .in = {{1, {5}}},
     .attr = &(gr__slice_attr){.axis = 0, .start = 3, .size = 3},
     .expect = GR_ERR_SHAPE},
    {.name = "no axis",
     .n_in = 1,
     .in = {{1, {5}}},
     .attr = &(gr__slice_attr){.axis = 1, .start = 0, .size = 1},
     .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_slice = {
    .name = "slice",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__slice_attr),
    .flags = GR__OP_VIEW,
    .infer = infer,
    .view = view,
    .grad = grad,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_slice(gr_graph *g, gr_value x, int axis, int64_t start, int64_t size)
{
    gr__slice_attr a = {.axis = gr__axis(axis, gr_value_rank(g, x)), .start = start, .size = size};
    if (x && start == 0 && a.axis >= 0 && a.axis < gr_value_rank(g, x) && size == gr_value_dim(g, x, a.axis)) return x;
    return gr__node_add(g, &gr__op_slice, &x, 1, &a, NULL);
}
