/* Elements are zeroed with probability p, the others grow by 1/(1-p) (Srivastava et al. 2014). The gradient is the same
 * op with the same random stream on dy. */
#include "op/dropout.h"

static gr_status infer(gr__infer *c)
{
    double p = ((const gr__dropout_attr *)c->attr)->p;
    GR_TRY(gr__want_float(c, 0));
    GR_FAIL_IF(!(p >= 0 && p <= 1), GR_ERR_ARGUMENT, "dropout: the probability %g is not in [0, 1]", p);
    c->out[0] = *c->in[0];
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    int32_t self = gr__value_get(g, c->node->out[0])->producer;
    double order = g->order_at > 0 ? g->order_at : (double)g->n_nodes + 1;
    gr_status s = gr__node_clone(g, self, &c->out_grad[0], order, g->node_flags, &c->in_grad[0]);
    if (s != GR_OK) gr__graph_fail(g, s, "the gradient of dropout: out of memory");
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    double p = ((const gr__dropout_attr *)a->attr)->p;
    int64_t index[GR_MAX_RANK] = {0}, elements = gr__dropout_elements(x), i = 0;
    do {
        uint64_t counter = gr__dropout_counter(a->control, elements, i / elements);
        bool keep = gr__dropout_keeps(a->control->seed, a->stream, counter, i % elements, p);
        gr__store(y, gr__offset(y, index), keep ? gr__load(x, gr__offset(x, index)) / (1 - p) : 0);
        i++;
    } while (gr__next_index(x->rank, x->dim, index));
    return GR_OK;
}

static const gr__dropout_attr half = {0.5}, tenth = {0.1}, all = {1}, more = {1.5};
static const gr__case cases[] = {
    {.name = "batch", .n_in = 1, .in = {{3, {2, 3, 16}}}, .attr = &tenth},
    {.name = "odd", .n_in = 1, .in = {{2, {5, 7}}}, .attr = &half},
    {.name = "scalar", .n_in = 1, .in = {{0}}, .attr = &half},
    {.name = "all", .n_in = 1, .in = {{1, {9}}}, .attr = &all},
    {.name = "transposed", .n_in = 1, .in = {{2, {7, 8}, .swap_b = 1}}, .attr = &half},
    {.name = "no probability", .n_in = 1, .in = {{1, {3}}}, .attr = &more, .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_dropout = {
    .name = "dropout",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__dropout_attr),
    .flags = GR__OP_CHEAP,
    .random = true,
    .infer = infer,
    .grad = grad,
    .reference = reference,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_dropout(gr_graph *g, gr_value x, double p)
{
    if (p == 0) return gr__require(g, "dropout", x);
    return gr__node_add(g, &gr__op_dropout, &x, 1, &(gr__dropout_attr){p}, NULL);
}
