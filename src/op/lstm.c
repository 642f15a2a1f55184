/* A layer of LSTM cells over time (operands and results: op/recurrent.h):
 *   i, f, g, o = s(..), s(..), tanh(..), s(..) of W x + b + W h + b;   c' = f*c + i*g,   h' = o*tanh(c') */
#include "op/recurrent.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__recurrent_infer(c, &gr__cell_lstm); }

static void grad(gr__grad *c) { gr__recurrent_grad(c, &gr__op_lstm_grad, &gr__cell_lstm); }

static void cell(const gr__recurrent_view *v, int64_t b, int64_t t, const double *h, double *next, double *c,
                 double *saved)
{
    int64_t n = v->hidden;
    for (int64_t j = 0; j < 4 * n; j++) {
        double sum = gr__recurrent_from_x(v, b, t, j) + gr__recurrent_from_h(v, h, j);
        saved[j] = j / n == 2 ? tanh(sum) : gr__logistic(sum);
    }
    for (int64_t k = 0; k < n; k++) {
        c[k] = saved[n + k] * c[k] + saved[k] * saved[2 * n + k];
        saved[4 * n + k] = c[k];
        next[k] = saved[3 * n + k] * tanh(c[k]);
    }
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference(a, &gr__cell_lstm, cell); }

static void nodes(const gr__unroll *u, gr_value from_x, gr_value *h, gr_value *c, gr_value *saved)
{
    gr_graph *g = u->g;
    gr_value all = gr_add(g, from_x, gr__unroll_product(u, *h, 0, 4));
    gr_value i = gr_sigmoid(g, gr__unroll_gate(u, all, 0)), f = gr_sigmoid(g, gr__unroll_gate(u, all, 1));
    gr_value z = gr_tanh(g, gr__unroll_gate(u, all, 2)), o = gr_sigmoid(g, gr__unroll_gate(u, all, 3));
    *c = gr_add(g, gr_mul(g, f, *c), gr_mul(g, i, z));
    *h = gr_mul(g, o, gr_tanh(g, *c));
    *saved = gr_concat(g, (gr_value[]){i, f, z, o, *c}, 5, 1);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr__recurrent_decompose(g, n, out, &gr__cell_lstm, nodes);
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
static const gr__recurrent_attr reverse = {.reverse = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 5,
     .in = {{3, {2, 4, 3}}, {2, {20, 3}}, {2, {20, 5}}, BIAS(20), BIAS(20)},
     .tolerance = 4},
    {.name = "no bias", .n_in = 3, .in = {{3, {3, 3, 4}}, {2, {12, 4}}, {2, {12, 3}}}, .tolerance = 4},
    {.name = "states, lengths",
     .n_in = 8,
     .in = {{3, {3, 5, 2}}, {2, {16, 2}}, {2, {16, 4}}, BIAS(16), BIAS(16), LENGTHS(3), STATE(3, 4), STATE(3, 4)},
     .tolerance = 4},
    {.name = "reverse, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {16, 2}}, {2, {16, 4}}, BIAS(16), {-1}, LENGTHS(3), STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 4},
    {.name = "one step",
     .n_in = 8,
     .in = {{3, {1, 1, 3}}, {2, {4, 3}}, {2, {4, 1}}, {-1}, BIAS(4), {-1}, {-1}, STATE(1, 1)},
     .tolerance = 4},
    {.name = "wide",
     .n_in = 6,
     .in = {{3, {2, 3, 5}}, {2, {148, 5}}, {2, {148, 37}, .lo = -0.3, .hi = 0.3}, BIAS(148), BIAS(148), LENGTHS(2)},
     .attr = &reverse,
     .tolerance = 4,
     .slow_grad = true},
    {.name = "many rows",
     .n_in = 8,
     .in = {{3, {17, 3, 5}}, {2, {36, 5}}, {2, {36, 9}}, BIAS(36), BIAS(36), LENGTHS(17), STATE(17, 9), STATE(17, 9)},
     .tolerance = 4,
     .slow_grad = true},
    {.name = "many rows, reverse",
     .n_in = 3,
     .in = {{3, {16, 4, 3}}, {2, {280, 3}}, {2, {280, 70}, .lo = -0.3, .hi = 0.3}},
     .attr = &reverse,
     .tolerance = 4,
     .slow_grad = true},
    {.name = "views",
     .n_in = 4,
     .in = {{3, {2, 4, 3}, .swap_a = 0, .swap_b = 1}, {2, {8, 3}, .swap_b = 1}, {2, {8, 2}, .swap_b = 1}, BIAS(8)},
     .tolerance = 4},
    {.name = "gates", .n_in = 3, .in = {{3, {2, 4, 3}}, {2, {10, 3}}, {2, {10, 5}}}, .expect = GR_ERR_SHAPE},
    {.name = "state",
     .n_in = 8,
     .in = {{3, {2, 4, 3}}, {2, {8, 3}}, {2, {8, 2}}, {-1}, {-1}, {-1}, {-1}, STATE(1, 2)},
     .expect = GR_ERR_SHAPE},
    {.name = "float lengths",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {8, 3}}, {2, {8, 2}}, {-1}, {-1}, {1, {2}}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_lstm = {
    .name = "lstm",
    .min_in = 3,
    .max_in = 9,
    .n_out = 4,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .autocast = GR__CAST_LOW,
    .float_in = 7,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1 << GR__RNN_X | 1 << GR__RNN_W_IH | 1 << GR__RNN_W_HH | 1 << GR__RNN_LENGTHS | 1 << GR__RNN_H0 |
                     1 << GR__RNN_C0,
    .grad_reads_out = 1 << GR__RNN_Y | 1 << GR__RNN_SAVED,
    .decompose = decompose,
    .reference = reference,
    .flops = gr__recurrent_flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_lstm_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh, const gr_scan_options *options,
                      gr_value *h_n, gr_value *c_n)
{
    gr_value out[GR__MAX_OUT] = {0};
    gr__recurrent_node(g, &gr__op_lstm, (gr_value[]){x, weight_ih, weight_hh}, options, out);
    if (h_n) *h_n = out[GR__RNN_H_N];
    if (c_n) *c_n = out[GR__RNN_C_N];
    return out[GR__RNN_Y];
}
