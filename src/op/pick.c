/* One element of each row, by id; 0 where the id lies outside. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    GR_FAIL_IF(c->in[0]->rank < 1, GR_ERR_SHAPE, "pick: a scalar has no last axis");
    GR_TRY(gr__want_shape(c, 1, c->in[0]->rank - 1, c->in[0]->dim, "ids, one of each row"));
    c->out[0] = *c->in[0];
    c->out[0].rank--;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value x = c->node->in[0];
    int last = gr_value_rank(g, x) - 1;
    gr_value here = gr_one_hot(g, c->node->in[1], gr_value_dim(g, x, last), gr_value_dtype(g, x));
    c->in_grad[0] = gr_mul(g, here, gr__expand(g, c->out_grad[0], x, 1u << last));
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0];
    int last = gr_value_rank(g, x) - 1;
    gr_value here = gr_one_hot(g, n->in[1], gr_value_dim(g, x, last), gr_value_dtype(g, x));
    *out = gr_sum(g, gr_where(g, here, x, gr_scalar(g, gr_value_dtype(g, x), 0)), 1u << last, false);
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *ids = &a->in[1], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = x->dim[x->rank - 1];
    do {
        int64_t id = gr__load_int(ids, gr__offset(ids, index));
        bool there = id >= 0 && id < n;
        gr__store(y, gr__offset(y, index), there ? gr__load(x, gr__row(x, index) + id * gr__step(x)) : 0);
    } while (gr__next_index(y->rank, y->dim, index));
    return GR_OK;
}

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__case cases[] = {
    {.name = "rows", .n_in = 2, .in = {{2, {5, 7}}, {1, {5}, IDS, .hi = 7}}},
    {.name = "batch", .n_in = 2, .in = {{3, {2, 3, 17}}, {2, {2, 3}, IDS, .hi = 17}}},
    {.name = "outside", .n_in = 2, .in = {{2, {9, 3}}, {1, {9}, IDS, .lo = -2, .hi = 5}}},
    {.name = "vector", .n_in = 2, .in = {{1, {5}}, {0, {0}, IDS, .hi = 5}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, .swap_b = 1}, {1, {7}, IDS, .hi = 5}}},
    {.name = "misfit", .n_in = 2, .in = {{2, {5, 7}}, {1, {7}, IDS}}, .expect = GR_ERR_SHAPE},
    {.name = "float ids", .n_in = 2, .in = {{2, {5, 7}}, {1, {5}}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_pick = {
    .name = "pick",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 2,
    .decompose = decompose,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_pick(gr_graph *g, gr_value x, gr_value ids)
{
    return gr__node_add(g, &gr__op_pick, (gr_value[]){x, ids}, 2, NULL, NULL);
}
