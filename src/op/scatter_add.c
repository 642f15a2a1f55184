/* dy (S, C) added to the rows ids (S) of zeros, or of the last operand, (V, C): the gradient of embedding. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__scatter_attr *a = c->attr;
    const gr__value *dy = c->in[0];
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    GR_FAIL_IF(dy->rank < 1, GR_ERR_SHAPE, "scatter_add: a scalar has no rows");
    GR_TRY(gr__want_shape(c, 1, dy->rank - 1, dy->dim, "the ids, one of each row"));
    GR_FAIL_IF(a->v < 1 || a->v > (int64_t)1 << 40, GR_ERR_SHAPE, "scatter_add: %lld rows", (long long)a->v);
    gr__value *out = &c->out[0];
    out->rank = 2;
    out->dim[0] = a->v;
    out->dim[1] = dy->dim[dy->rank - 1];
    out->dtype = a->out_dtype ? a->out_dtype : gr__given(c, 2) ? c->in[2]->dtype : dy->dtype;
    GR_TRY(gr__want_out_dtype(c, dy->dtype, out->dtype));
    if (!gr__given(c, 2)) return GR_OK;
    GR_TRY(gr__want_dtype(c, 2, out->dtype));
    return gr__want_shape(c, 2, 2, out->dim, "to add to");
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr__embedding_attr a = {gr_value_dtype(g, c->node->in[0])};
    if (c->need[0])
        c->in_grad[0] = gr__node_add(g, &gr__op_embedding, (gr_value[]){c->out_grad[0], c->node->in[1]}, 2, &a, NULL);
    if (c->need[2]) c->in_grad[2] = c->out_grad[0];
}

/* The sum of element i of all rows from 'index' on that go to row 'id'; an earlier one has done it already: false. */
static bool sum_of(const gr__args *x, const int64_t *first, int64_t id, int64_t i, double *sum)
{
    const gr__arg *dy = &x->in[0], *ids = &x->in[1];
    int64_t index[GR_MAX_RANK] = {0}, start = gr__offset(ids, first);
    bool reached = false;
    *sum = 0;
    do {
        int64_t at = gr__offset(ids, index);
        reached = reached || at == start;
        if (gr__load_int(ids, at) != id) continue;
        if (!reached) return false;
        *sum += gr__load(dy, gr__row(dy, index) + i * gr__step(dy));
    } while (gr__next_index(ids->rank, ids->dim, index));
    return true;
}

static gr_status reference(const gr__args *x)
{
    const gr__arg *ids = &x->in[1], *y = &x->out[0];
    int64_t at[2] = {0}, index[GR_MAX_RANK] = {0};
    double sum;
    do gr__store(y, gr__offset(y, at), gr__has(x, 2) ? gr__load(&x->in[2], gr__offset(&x->in[2], at)) : 0);
    while (gr__next_index(2, y->dim, at));
    do {
        int64_t id = gr__load_int(ids, gr__offset(ids, index));
        if (id < 0 || id >= y->dim[0]) continue;
        for (int64_t i = 0; i < y->dim[1] && sum_of(x, index, id, i, &sum); i++) {
            int64_t to = id * y->stride[0] + i * y->stride[1];
            gr__store(y, to, gr__load(y, to) + sum);
        }
    } while (gr__next_index(ids->rank, ids->dim, index));
    return GR_OK;
}

static double flops(const gr__args *x) { return (double)gr__arg_count(&x->in[0]); }

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__scatter_attr rows7 = {.v = 7}, rows3 = {.v = 3}, none = {.v = 0};
static const gr__case cases[] = {
    {.name = "tokens", .n_in = 2, .in = {{3, {3, 4, 5}}, {2, {3, 4}, IDS, .hi = 7}}, .attr = &rows7},
    {.name = "repeated", .n_in = 2, .in = {{2, {33, 3}}, {1, {33}, IDS, .hi = 3}}, .attr = &rows3},
    {.name = "outside", .n_in = 2, .in = {{2, {13, 3}}, {1, {13}, IDS, .lo = -3, .hi = 8}}, .attr = &rows3},
    {.name = "add", .n_in = 3, .in = {{2, {5, 17}}, {1, {5}, IDS, .hi = 7}, {2, {7, 17}}}, .attr = &rows7},
    {.name = "one", .n_in = 2, .in = {{1, {5}}, {0, {0}, IDS, .hi = 7}}, .attr = &rows7},
    {.name = "transposed", .n_in = 2, .in = {{2, {6, 5}, .swap_b = 1}, {1, {6}, IDS, .hi = 7}}, .attr = &rows7},
    {.name = "misfit", .n_in = 2, .in = {{2, {5, 3}}, {1, {4}, IDS, .hi = 7}}, .attr = &rows7, .expect = GR_ERR_SHAPE},
    {.name = "no rows", .n_in = 2, .in = {{2, {5, 3}}, {1, {5}, IDS, .hi = 7}}, .attr = &none, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_scatter_add = {
    .name = "scatter_add",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .attr_bytes = sizeof(gr__scatter_attr),
    .flags = GR__OP_OUT_DTYPE | GR__OP_ACCUMULATE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 2,
    .reference = reference,
    .flops = flops,
    .alias = {3},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_scatter_add(gr_graph *g, gr_value dy, gr_value ids, int64_t v, gr_value accumulate)
{
    gr__scatter_attr a = {.v = v};
    return gr__node_add(g, &gr__op_scatter_add, (gr_value[]){dy, ids, accumulate}, accumulate ? 3 : 2, &a, NULL);
}
