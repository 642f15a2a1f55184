/* A layer of GRU cells over time (operands and results: op/recurrent.h):
 *   r, z = s(W x + b + W h + b);   n = tanh(W x + b + r*(W h + b)), with 'reset_before' tanh(W x + b + W (r*h) + b);
 *   h' = (1 - z)*n + z*h */
#include "op/recurrent.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__recurrent_infer(c, &gr__cell_gru); }

static void grad(gr__grad *c) { gr__recurrent_grad(c, &gr__op_gru_grad, &gr__cell_gru); }

static void cell(const gr__recurrent_view *v, int64_t b, int64_t t, const double *h, double *next, double *c,
                 double *saved)
{
    (void)c;
    int64_t n = v->hidden;
    double *r = saved, *z = r + n, *candidate = z + n, *seen = candidate + n;
    for (int64_t j = 0; j < 2 * n; j++)
        saved[j] = gr__logistic(gr__recurrent_from_x(v, b, t, j) + gr__recurrent_from_h(v, h, j));
    for (int64_t k = 0; k < n; k++)
        seen[k] = v->attr->reset_before ? r[k] * h[k] : gr__recurrent_from_h(v, h, 2 * n + k);
    for (int64_t k = 0; k < n; k++) {
        double from_h = v->attr->reset_before ? gr__recurrent_from_h(v, seen, 2 * n + k) : r[k] * seen[k];
        candidate[k] = tanh(gr__recurrent_from_x(v, b, t, 2 * n + k) + from_h);
        next[k] = (1 - z[k]) * candidate[k] + z[k] * h[k];
    }
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference(a, &gr__cell_gru, cell); }

static void nodes(const gr__unroll *u, gr_value from_x, gr_value *h, gr_value *c, gr_value *saved)
{
    (void)c;
    gr_graph *g = u->g;
    gr_value both = gr_add(g, gr_slice(g, from_x, 1, 0, 2 * u->hidden), gr__unroll_product(u, *h, 0, 2));
    gr_value r = gr_sigmoid(g, gr__unroll_gate(u, both, 0)), z = gr_sigmoid(g, gr__unroll_gate(u, both, 1));
    gr_value seen = u->attr->reset_before ? gr_mul(g, r, *h) : gr__unroll_product(u, *h, 2, 1);
    gr_value from_h = u->attr->reset_before ? gr__unroll_product(u, seen, 2, 1) : gr_mul(g, r, seen);
    gr_value n = gr_tanh(g, gr_add(g, gr__unroll_gate(u, from_x, 2), from_h));
    *h = gr_add(g, gr_mul(g, gr_affine(g, z, -1, 1), n), gr_mul(g, z, *h));
    *saved = gr_concat(g, (gr_value[]){r, z, n, seen}, 4, 1);
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr__recurrent_decompose(g, n, out, &gr__cell_gru, nodes);
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
static const gr__recurrent_attr reverse = {.reverse = true}, before = {.reset_before = true},
                                before_reverse = {.reset_before = true, .reverse = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 5,
     .in = {{3, {2, 4, 3}}, {2, {15, 3}}, {2, {15, 5}}, BIAS(15), BIAS(15)},
     .tolerance = 4},
    {.name = "no bias", .n_in = 3, .in = {{3, {3, 3, 4}}, {2, {9, 4}}, {2, {9, 3}}}, .tolerance = 4},
    {.name = "state, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {12, 2}}, {2, {12, 4}}, BIAS(12), BIAS(12), LENGTHS(3), STATE(3, 4)},
     .tolerance = 4},
    {.name = "reverse, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {12, 2}}, {2, {12, 4}}, {-1}, BIAS(12), LENGTHS(3), STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 4},
    {.name = "reset before",
     .n_in = 5,
     .in = {{3, {2, 4, 3}}, {2, {15, 3}}, {2, {15, 5}}, BIAS(15), BIAS(15)},
     .attr = &before,
     .tolerance = 4},
    {.name = "reset before, reverse, lengths",
     .n_in = 7,
     .in = {{3, {3, 5, 2}}, {2, {12, 2}}, {2, {12, 4}}, BIAS(12), {-1}, LENGTHS(3), STATE(3, 4)},
     .attr = &before_reverse,
     .tolerance = 4},
    {.name = "one step", .n_in = 3, .in = {{3, {1, 1, 3}}, {2, {3, 3}}, {2, {3, 1}}}, .tolerance = 4},
    {.name = "wide",
     .n_in = 7,
     .in = {{3, {2, 3, 5}},
            {2, {111, 5}},
            {2, {111, 37}, .lo = -0.3, .hi = 0.3},
            BIAS(111),
            BIAS(111),
            LENGTHS(2),
            STATE(2, 37)},
     .tolerance = 4,
     .slow_grad = true},
    {.name = "gates", .n_in = 3, .in = {{3, {2, 4, 3}}, {2, {10, 3}}, {2, {10, 5}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_gru = {
    .name = "gru",
    .min_in = 3,
    .max_in = 8,
    .n_out = 3,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .autocast = GR__CAST_LOW,
    .float_in = 7,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 1 << GR__RNN_X | 1 << GR__RNN_W_IH | 1 << GR__RNN_W_HH | 1 << GR__RNN_LENGTHS | 1 << GR__RNN_H0,
    .grad_reads_out = 1 << GR__RNN_Y | 1 << GR__RNN_SAVED,
    .decompose = decompose,
    .reference = reference,
    .flops = gr__recurrent_flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_gru_scan(gr_graph *g, gr_value x, gr_value weight_ih, gr_value weight_hh, const gr_scan_options *options,
                     gr_value *h_n)
{
    gr_value out[GR__MAX_OUT] = {0};
    gr__recurrent_node(g, &gr__op_gru, (gr_value[]){x, weight_ih, weight_hh}, options, out);
    if (h_n) *h_n = out[GR__RNN_H_N];
    return out[GR__RNN_Y];
}
