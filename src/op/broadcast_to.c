/* x repeated to a larger shape by numpy's rule: a view with steps of 0. */
#include "op/attr.h"

#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr__shape_attr *a = c->attr;
    const gr__value *x = c->in[0];
    char from[96], to[96];
    GR_FAIL_IF(a->rank < x->rank || a->rank > GR_MAX_RANK, GR_ERR_SHAPE, "broadcast_to: from %d axes to %d", x->rank,
               a->rank);
    for (int i = 0; i < a->rank; i++) {
        int64_t have = i < a->rank - x->rank ? 1 : x->dim[i - (a->rank - x->rank)];
        GR_FAIL_IF(have != 1 && have != a->dim[i], GR_ERR_SHAPE, "broadcast_to: %s cannot become %s",
                   gr__shape_text(from, x->rank, x->dim), gr__shape_text(to, a->rank, a->dim));
    }
    c->out[0].dtype = x->dtype;
    c->out[0].rank = a->rank;
    memcpy(c->out[0].dim, a->dim, sizeof a->dim);
    return GR_OK;
}

static bool view(const gr__arg *in, const void *attr, const gr__arg *out, int64_t *offset, int64_t *stride)
{
    (void)attr;
    *offset = 0;
    int lead = out->rank - in->rank;
    for (int i = 0; i < out->rank; i++) stride[i] = i < lead || in->dim[i - lead] == 1 ? 0 : in->stride[i - lead];
    return true;
}

static void grad(gr__grad *c) { c->in_grad[0] = gr__unbroadcast(c->g, c->out_grad[0], c->node->in[0]); }

static const gr__case cases[] = {
    {.name = "row", .n_in = 1, .in = {{1, {5}}}, .attr = &(gr__shape_attr){.rank = 3, .dim = {2, 3, 5}}},
    {.name = "column", .n_in = 1, .in = {{2, {4, 1}}}, .attr = &(gr__shape_attr){.rank = 2, .dim = {4, 7}}},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &(gr__shape_attr){.rank = 2, .dim = {3, 33}}},
    {.name = "of a view",
     .n_in = 1,
     .in = {{3, {3, 1, 5}, .swap_b = 2}},
     .attr = &(gr__shape_attr){.rank = 4, .dim = {2, 3, 4, 5}}},
    {.name = "misfit",
     .n_in = 1,
     .in = {{1, {3}}},
     .attr = &(gr__shape_attr){.rank = 2, .dim = {3, 4}},
     .expect = GR_ERR_SHAPE},
    {.name = "fewer axes",
     .n_in = 1,
     .in = {{2, {1, 3}}},
     .attr = &(gr__shape_attr){.rank = 1, .dim = {3}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_broadcast_to = {
    .name = "broadcast_to",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__shape_attr),
    .flags = GR__OP_VIEW,
    .infer = infer,
    .view = view,
    .grad = grad,
    .reference = gr__reference_copy,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_broadcast_to(gr_graph *g, gr_value x, int rank, const int64_t *dim)
{
    gr__shape_attr a = {.rank = rank};
    if (!gr__copy_dims(g, "broadcast_to", rank, dim, a.dim)) return 0;
    bool same = gr__is_value(g, x) && rank == gr_value_rank(g, x);
    for (int i = 0; same && i < rank; i++) same = dim[i] == gr_value_dim(g, x, i);
    return same ? x : gr__node_add(g, &gr__op_broadcast_to, &x, 1, &a, NULL);
}
