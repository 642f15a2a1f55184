/* Arrays put behind each other along one axis; the gradient cuts them apart again. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__concat_attr *a = c->attr;
    const gr__value *first = c->in[0];
    char sa[96], sb[96];
    GR_FAIL_IF(a->axis < 0 || a->axis >= first->rank, GR_ERR_ARGUMENT, "concat: axis %d of shape %s", a->axis,
               gr__shape_text(sa, first->rank, first->dim));
    c->out[0] = *first;
    for (int i = 1; i < c->n_in; i++) {
        GR_FAIL_IF(!c->in[i], GR_ERR_ARGUMENT, "concat: operand %d is missing", i);
        gr__value x = *c->in[i];
        GR_TRY(gr__want_dtype(c, i, first->dtype));
        int64_t size = x.rank == first->rank ? x.dim[a->axis] : 0;
        if (size) x.dim[a->axis] = first->dim[a->axis];
        GR_FAIL_IF(!gr__same_shape(&x, first), GR_ERR_SHAPE, "concat: shapes %s and %s differ outside axis %d",
                   gr__shape_text(sa, first->rank, first->dim), gr__shape_text(sb, c->in[i]->rank, c->in[i]->dim),
                   a->axis);
        c->out[0].dim[a->axis] += size;
    }
    return GR_OK;
}

static void grad(gr__grad *c)
{
    int axis = ((const gr__concat_attr *)c->node->attr)->axis;
    int64_t start = 0;
    for (int i = 0; i < c->node->n_in; i++) {
        int64_t size = gr_value_dim(c->g, c->node->in[i], axis);
        if (c->need[i]) c->in_grad[i] = gr_slice(c->g, c->out_grad[0], axis, start, size);
        start += size;
    }
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    int axis = ((const gr__concat_attr *)n->attr)->axis;
    int64_t start = 0, size = gr_value_dim(g, n->out[0], axis);
    gr_value sum = 0;
    for (int i = 0; i < n->n_in; i++) {
        gr_value part = gr_pad_slice(g, n->in[i], axis, start, size);
        sum = i ? gr_add(g, sum, part) : part;
        start += gr_value_dim(g, n->in[i], axis);
    }
    *out = sum;
}

static gr_status reference(const gr__args *x)
{
    int axis = ((const gr__concat_attr *)x->attr)->axis;
    int64_t start = 0;
    for (int i = 0; i < x->n_in; i++) {
        gr__arg part = gr__arg_at(&x->out[0], start * x->out[0].stride[axis]);
        part.dim[axis] = x->in[i].dim[axis];
        gr__reference_copy(&(gr__args){.in = &x->in[i], .out = &part, .n_in = 1, .n_out = 1});
        start += part.dim[axis];
    }
    return GR_OK;
}

static const gr__concat_attr axis0 = {0}, axis1 = {1}, axis2 = {2};
static const gr__case cases[] = {
    {.name = "rows", .n_in = 2, .in = {{2, {3, 5}}, {2, {1, 5}}}, .attr = &axis0},
    {.name = "columns", .n_in = 3, .in = {{3, {2, 3, 4}}, {3, {2, 3, 1}}, {3, {2, 3, 7}}}, .attr = &axis2},
    {.name = "one", .n_in = 1, .in = {{1, {5}}}, .attr = &axis0},
    {.name = "views", .n_in = 2, .in = {{2, {3, 5}, .swap_b = 1}, {2, {3, 4}, .swap_b = 1}}, .attr = &axis1},
    {.name = "misfit", .n_in = 2, .in = {{2, {3, 5}}, {2, {2, 4}}}, .attr = &axis0, .expect = GR_ERR_SHAPE},
    {.name = "dtypes", .n_in = 2, .in = {{1, {3}}, {1, {3}, .dtype = GR_I32}}, .attr = &axis0, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_concat = {
    .name = "concat",
    .min_in = 1,
    .max_in = 16,
    .n_out = 1,
    .attr_bytes = sizeof(gr__concat_attr),
    .infer = infer,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_concat(gr_graph *g, const gr_value *x, int n, int axis)
{
    if (n < 1 || n > 16) return gr__graph_fail(g, GR_ERR_ARGUMENT, "concat takes 1 to 16 operands, not %d", n);
    if (!x) return gr__graph_fail(g, GR_ERR_ARGUMENT, "concat: the operands are NULL");
    int rank = gr_value_rank(g, x[0]);
    gr__concat_attr a = {gr__axis(axis, rank)};
    if (n == 1 && a.axis >= 0 && a.axis < rank) return x[0];
    return gr__node_add(g, &gr__op_concat, x, n, &a, NULL);
}
