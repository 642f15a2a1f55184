/* Rotary position embedding: pair i of position t is turned by t*theta^(-2i/D) (Su et al. 2021). The gradient turns
 * back. */
#include "op/attr.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 4));
    const gr__value *x = c->in[0];
    double theta = ((const gr__rotary_attr *)c->attr)->theta;
    GR_FAIL_IF(x->dim[3] % 2 != 0, GR_ERR_SHAPE, "rotary: the head size %lld is odd", (long long)x->dim[3]);
    GR_FAIL_IF(!(theta > 0 && theta < (double)INFINITY), GR_ERR_ARGUMENT, "rotary: theta is %g", theta);
    if (gr__given(c, 1)) {
        GR_TRY(gr__want_dtype(c, 1, GR_I32));
        GR_TRY(gr__want_shape(c, 1, 1, x->dim, "start, one of each row of the batch"));
    }
    c->out[0] = *x;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr__rotary_attr a = *(const gr__rotary_attr *)c->node->attr;
    a.inverse = !a.inverse;
    gr_value in[] = {c->out_grad[0], c->node->n_in > 1 ? c->node->in[1] : 0};
    c->in_grad[0] = gr__node_add(c->g, &gr__op_rotary, in, 2, &a, NULL);
}

static gr_status reference(const gr__args *x)
{
    const gr__rotary_attr *a = x->attr;
    const gr__arg *in = &x->in[0], *out = &x->out[0], *start = gr__has(x, 1) ? &x->in[1] : NULL;
    int64_t half = in->dim[3] / 2, pairs[] = {in->dim[0], in->dim[1], in->dim[2], half}, index[4] = {0};
    do {
        int64_t i = index[3], first = a->interleaved ? 2 * i : i, second = a->interleaved ? first + 1 : first + half;
        int64_t at = (start ? gr__load_int(start, index[0] * start->stride[0]) : 0) + index[1];
        double angle = (double)at * pow(a->theta, -(double)i / (double)half) * (a->inverse ? -1 : 1);
        double u = gr__load(in, gr__row(in, index) + first * in->stride[3]);
        double v = gr__load(in, gr__row(in, index) + second * in->stride[3]);
        gr__store(out, gr__row(out, index) + first * out->stride[3], u * cos(angle) - v * sin(angle));
        gr__store(out, gr__row(out, index) + second * out->stride[3], u * sin(angle) + v * cos(angle));
    } while (gr__next_index(4, pairs, index));
    return GR_OK;
}

static double flops(const gr__args *x) { return 3.0 * (double)gr__arg_count(&x->in[0]); }

static const gr__rotary_attr plain = {.theta = 10000}, pairs2 = {.theta = 100, .interleaved = true},
                             back = {.theta = 10000, .inverse = true};
static const gr__case cases[] = {
    {.name = "halves", .n_in = 1, .in = {{4, {2, 5, 3, 8}}}, .attr = &plain},
    {.name = "interleaved", .n_in = 1, .in = {{4, {2, 5, 1, 6}}}, .attr = &pairs2},
    {.name = "inverse", .n_in = 1, .in = {{4, {1, 7, 2, 4}}}, .attr = &back},
    {.name = "start",
     .n_in = 2,
     .in = {{4, {3, 2, 2, 4}}, {1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 90}},
     .attr = &plain},
    {.name = "transposed", .n_in = 1, .in = {{4, {2, 3, 5, 4}, .swap_a = 1, .swap_b = 2}}, .attr = &plain},
    {.name = "odd", .n_in = 1, .in = {{4, {2, 5, 3, 7}}}, .attr = &plain, .expect = GR_ERR_SHAPE},
    {.name = "start size",
     .n_in = 2,
     .in = {{4, {2, 5, 3, 4}}, {1, {3}, .dtype = GR_I32}},
     .attr = &plain,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_rotary = {
    .name = "rotary",
    .min_in = 1,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__rotary_attr),
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 2,
    .reference = reference,
    .flops = flops,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_rotary(gr_graph *g, gr_value x, const gr_rotary_options *options)
{
    gr_rotary_options o = options ? *options : (gr_rotary_options){0};
    gr__rotary_attr a = {.theta = o.theta != 0 ? o.theta : 10000, .interleaved = o.interleaved};
    return gr__node_add(g, &gr__op_rotary, (gr_value[]){x, o.start}, 2, &a, NULL);
}
