/* x itself, through which no gradient flows. */
#include "op/op.h"

static gr_status infer(gr__infer *c)
{
    c->out[0] = *c->in[0];
    return GR_OK;
}

static bool view(const gr__arg *in, const void *attr, const gr__arg *out, int64_t *offset, int64_t *stride)
{
    (void)attr, (void)out;
    *offset = 0;
    for (int i = 0; i < in->rank; i++) stride[i] = in->stride[i];
    return true;
}

static const gr__case cases[] = {
    /* the gradient is not that of the values, on purpose */
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 5}}}, .no_grad_in = 1},
    {.name = "transposed", .n_in = 1, .in = {{2, {3, 5}, .swap_b = 1}}, .no_grad_in = 1},
    {.name = "index", .n_in = 1, .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 5}}},
};

const gr__op gr__op_stop_gradient = {
    .name = "stop_gradient",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .flags = GR__OP_VIEW,
    .infer = infer,
    .view = view,
    .grad = gr__grad_zero,
    .reference = gr__reference_copy,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_stop_gradient(gr_graph *g, gr_value x) { return gr__node_add(g, &gr__op_stop_gradient, &x, 1, NULL, NULL); }
