/* A layer of plain recurrent cells over time (operands and results: op/recurrent.h): h' = f(W x + b + W h + b) with tanh or
 * relu for f. */
#include "op/recurrent.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__recurrent_infer(c, &gr__cell_rnn); }

static void grad(gr__grad *c) { gr__recurrent_grad(c, &gr__op_rnn_grad, &gr__cell_rnn); }

static void cell(const gr__recurrent_view *v, int64_t b, int64_t t, const double *h, double *next, double *c,
                 double *saved)
{
    (void)c, (void)saved;
    for (int64_t k = 0; k < v->hidden; k++) {
        double sum = gr__recurrent_from_x(v, b, t, k) + gr__recurrent_from_h(v, h, k);
        next[k] = !v->attr->relu ? tanh(sum) : sum > 0 ? sum : 0;
    }
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference(a, &gr__cell_rnn, cell); }

static void nodes(const gr__unroll *u, gr_value from_x, gr_value *h, gr_value *c, gr_value *saved)
{
    (void)c, (void)saved;
    gr_value sum = gr_add(u->g, from_x, gr__unroll_product(u, *h, 0, 1));
    *h = u->attr->relu ? gr_relu(u->g, sum) : gr_tanh(u->g, sum);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr__recurrent_decompose(g, n, out, &gr__cell_rnn, nodes);
}

#define LENGTHS(B)                                                        \
    {                                                                     \
        1, {B}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = 1, .hi = 6 \
    }
#define STATE(...)                           \
    {                                        \
        2, {__VA_ARGS__}, .dtype = GR__STATS \
    }
#define BIAS(N)                    \
    {                              \
        1, {N}, .dtype = GR__STATS \
    }
static const gr__recurrent_attr reverse = {.reverse = true}, relu = {.relu = true, .reverse = true};
static const gr__case cases[] = {
    {.name = "plain", .n_in = 5, .in = {{3, {2, 4, 3}}, {2, {5, 3}}, {2, {5, 5}}, BIAS(5), BIAS(5)}, .tolerance = 8},
    {.name = "no bias", .n_in = 3, .in = {{3, {3, 3, 4}}, {2, {3, 4}}, {2, {3, 3}}}, .tolerance = 8},
    {.name = "state, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {4, 2}}, {2, {4, 4}}, BIAS(4), BIAS(4), LENGTHS(3), STATE(3, 4)},
     .tolerance = 8},
    {.name = "reverse, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {4, 2}}, {2, {4, 4}}, BIAS(4), {-1}, LENGTHS(3), STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 8},
    {.name = "relu, reverse",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {5, 3}}, {2, {5, 5}, .lo = -0.5, .hi = 0.5}, {-1}, {-1}, LENGTHS(2)},
     .attr = &relu,
     .tolerance = 8},
    {.name = "one step", .n_in = 3, .in = {{3, {1, 1, 3}}, {2, {1, 3}}, {2, {1, 1}}}, .tolerance = 8},
    {.name = "wide",
     .n_in = 7,
     .in = {{3, {2, 3, 5}},
            {2, {37, 5}},
            {2, {37, 37}, .lo = -0.3, .hi = 0.3},
            BIAS(37),
            BIAS(37),
            LENGTHS(2),
            STATE(2, 37)},
     .tolerance = 8,
     .slow_grad = true},
    {.name = "many rows",
     .n_in = 6,
     .in = {{3, {18, 3, 5}}, {2, {9, 5}}, {2, {9, 9}}, {-1}, BIAS(9), LENGTHS(18)},
     .attr = &reverse,
     .tolerance = 8,
     .slow_grad = true},
    {.name = "square", .n_in = 3, .in = {{3, {2, 4, 3}}, {2, {5, 3}}, {2, {5, 4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_rnn = {
    .name = "rnn",
    .min_in = 3,
    .max_in = 8,
    .n_out = 2,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .autocast = GR__CAST_LOW,
    .float_in = 7,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1 << GR__RNN_X | 1 << GR__RNN_W_IH | 1 << GR__RNN_W_HH | 1 << GR__RNN_LENGTHS | 1 << GR__RNN_H0,
    .grad_reads_out = 1 << GR__RNN_Y,
    .decompose = decompose,
    .reference = reference,
    .flops = gr__recurrent_flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_rnn_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh, const gr_scan_options *options,
                     gr_value *h_n)
{
    gr_value out[GR__MAX_OUT] = {0};
    gr__recurrent_node(g, &gr__op_rnn, (gr_value[]){x, weight_ih, weight_hh}, options, out);
    if (h_n) *h_n = out[GR__RNN_H_N];
    return out[GR__RNN_Y];
}
