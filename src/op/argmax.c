/* Where the largest element of the last axis is, the first one among equals; a NaN is never the largest. */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_FAIL_IF(c->in[0]->rank < 1, GR_ERR_SHAPE, "argmax: a scalar has no last axis");
    c->out[0] = *c->in[0];
    c->out[0].dtype = GR_I32;
    c->out[0].rank--;
    return GR_OK;
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0}, n = x->dim[x->rank - 1];
    do {
        int64_t row = gr__row(x, index), best = -1;
        double most = 0;
        for (int64_t i = 0; i < n; i++) {
            double v = gr__load(x, row + i * gr__step(x));
            if (v == v && (best < 0 || v > most)) {
                most = v;
                best = i;
            }
        }
        gr__store(y, gr__offset(y, index), (double)GR__MAX(best, 0));
    } while (gr__next_index(y->rank, y->dim, index));
    return GR_OK;
}

static const gr__case cases[] = {
    {.name = "rows", .n_in = 1, .in = {{3, {2, 3, 17}, .fill = GR__FILL_DISTINCT}}},
    {.name = "vector", .n_in = 1, .in = {{1, {33}, .fill = GR__FILL_DISTINCT}}},
    {.name = "one", .n_in = 1, .in = {{2, {3, 1}}}},
    {.name = "ties", .n_in = 1, .in = {{2, {5, 9}, .fill = GR__FILL_MASK}}},
    {.name = "transposed", .n_in = 1, .in = {{2, {7, 5}, .fill = GR__FILL_DISTINCT, .swap_b = 1}}},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_argmax = {
    .name = "argmax",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .no_grad = "its result is an index",
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_argmax(gr_graph *g, gr_value x) { return gr__node_add(g, &gr__op_argmax, &x, 1, NULL, NULL); }
