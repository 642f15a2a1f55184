/* x in the dtype of another value, whatever mixed precision makes of that: a cast once dtypes are settled. */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_float(c, 1));
    c->out[0] = *c->in[0];
    c->out[0].dtype = c->in[1]->dtype;
    return GR_OK;
}

static void grad(gr__grad *c) { c->in_grad[0] = gr_cast(c->g, c->out_grad[0], gr_value_dtype(c->g, c->node->in[0])); }

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do gr__store(y, gr__offset(y, index), gr__load(x, gr__offset(x, index)));
    while (gr__next_index(y->rank, y->dim, index));
    return GR_OK;
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    out[0] = gr_cast(g, n->in[0], gr_value_dtype(g, n->in[1]));
}

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 2, .in = {{2, {3, 5}}, {1, {4}}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {3, 5}, .swap_b = 1}, {0, {0}}}},
    {.name = "narrower", .n_in = 2, .in = {{1, {33}}, {1, {2}, .dtype = GR_BF16}}, .no_grad_in = 1},
    {.name = "integer",
     .n_in = 2,
     .in = {{1, {3}}, {1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 5}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_cast_like = {
    .name = "cast_like",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .flags = GR__OP_CHEAP,
    .infer = infer,
    .grad = grad,
    .decompose = decompose,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_cast_like(gr_graph *g, gr_value x, gr_value like)
{
    return gr__node_add(g, &gr__op_cast_like, (gr_value[]){x, like}, 2, NULL, NULL);
}
