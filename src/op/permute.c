/* The axes in another order: a view. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__permute_attr *a = c->attr;
    const gr__value *x = c->in[0];
    gr__value *out = &c->out[0];
    uint32_t seen = 0;
    out->dtype = x->dtype;
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        int k = a->order[i];
        GR_FAIL_IF(k < 0 || k >= x->rank || seen >> k & 1u, GR_ERR_ARGUMENT,
                   "permute: axis %d in place %d; the order must name each of %d axes once", k, i, x->rank);
        seen |= 1u << k;
        out->dim[i] = x->dim[k];
    }
    return GR_OK;
}

static bool view(const gr__arg *in, const void *attr, const gr__arg *out, int64_t *offset, int64_t *stride)
{
    const gr__permute_attr *a = attr;
    *offset = 0;
    for (int i = 0; i < out->rank; i++) stride[i] = in->stride[a->order[i]];
    return true;
}

static void grad(gr__grad *c)
{
    const gr__permute_attr *a = c->node->attr;
    int back[GR_MAX_RANK] = {0};
    for (int i = 0; i < gr_value_rank(c->g, c->out_grad[0]); i++) back[a->order[i]] = i;
    c->in_grad[0] = gr_permute(c->g, c->out_grad[0], back);
}

static gr_status reference(const gr__args *x)
{
    const gr__permute_attr *a = x->attr;
    gr__arg in = x->in[0];
    for (int i = 0; i < in.rank; i++) {
        in.dim[i] = x->in[0].dim[a->order[i]];
        in.stride[i] = x->in[0].stride[a->order[i]];
    }
    return gr__reference_copy(&(gr__args){.in = &in, .out = x->out, .n_in = 1, .n_out = 1});
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 5}}}, .attr = &(gr__permute_attr){{1, 0}}},
    {.name = "heads", .n_in = 1, .in = {{4, {2, 5, 3, 4}}}, .attr = &(gr__permute_attr){{0, 2, 1, 3}}},
    {.name = "cycle", .n_in = 1, .in = {{3, {2, 1, 7}}}, .attr = &(gr__permute_attr){{2, 0, 1}}},
    {.name = "of a view", .n_in = 1, .in = {{3, {4, 3, 5}, .swap_b = 1}}, .attr = &(gr__permute_attr){{0, 2, 1}}},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &(gr__permute_attr){{0}}},
    {.name = "twice", .n_in = 1, .in = {{2, {3, 5}}}, .attr = &(gr__permute_attr){{1, 1}}, .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_permute = {
    .name = "permute",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__permute_attr),
    .flags = GR__OP_VIEW,
    .infer = infer,
    .view = view,
    .grad = grad,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_permute(gr_graph *g, gr_value x, const int *order)
{
    gr__permute_attr a = {{0}};
    bool identity = true;
    if (!order && gr_value_rank(g, x)) return gr__graph_fail(g, GR_ERR_ARGUMENT, "permute: the order is NULL");
    for (int i = 0; i < gr_value_rank(g, x); i++) {
        a.order[i] = order[i];
        identity = identity && order[i] == i;
    }
    return identity && gr__is_value(g, x) ? x : gr__node_add(g, &gr__op_permute, &x, 1, &a, NULL);
}

gr_value gr_transpose(gr_graph *g, gr_value x, int axis_a, int axis_b)
{
    int rank = gr_value_rank(g, x), order[GR_MAX_RANK];
    int a = gr__axis(axis_a, rank), b = gr__axis(axis_b, rank);
    if (!gr__require(g, "transpose", x)) return 0;
    if (a < 0 || a >= rank || b < 0 || b >= rank)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "transpose: axes %d and %d of a value with %d axes", axis_a, axis_b,
                              rank);
    for (int i = 0; i < rank; i++) order[i] = i == a ? b : i == b ? a : i;
    return gr_permute(g, x, order);
}
