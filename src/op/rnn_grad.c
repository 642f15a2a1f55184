/* The gradient of rnn from its result, from the last step to the first: d = dh*(1 - y^2) (relu: dh where y > 0), then
 * dh = d*weight_hh. */
#include "op/recurrent.h"

static gr_status infer(gr__infer *c) { return gr__recurrent_infer_grad(c, &gr__cell_rnn); }

static void cell(const gr__recurrent_view *v, gr__step_back *s)
{
    for (int64_t k = 0; k < v->hidden; k++) {
        double slope = !v->attr->relu ? 1 - s->y[k] * s->y[k] : s->y[k] > 0;
        s->from_x[k] = s->from_h[k] = s->dh[k] * slope;
    }
    for (int64_t k = 0; k < v->hidden; k++) s->dh[k] = gr__recurrent_back(v, s->from_h, 0, k);
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference_grad(a, &gr__cell_rnn, cell); }

#define LENGTHS(B)                                                        \
    {                                                                     \
        1, {B}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = 0, .hi = 6 \
    }
#define STATE(...)                           \
    {                                        \
        2, {__VA_ARGS__}, .dtype = GR__STATS \
    }
static const gr__recurrent_attr reverse = {.reverse = true}, relu = {.relu = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {5, 3}}, {2, {5, 5}}, {3, {2, 4, 5}}, {-1}, {3, {2, 4, 5}}},
     .tolerance = 8},
    {.name = "all, reverse",
     .n_in = 9,
     .in = {{3, {3, 5, 2}},
            {2, {4, 2}},
            {2, {4, 4}},
            {3, {3, 5, 4}},
            {-1},
            {3, {3, 5, 4}},
            STATE(3, 4),
            LENGTHS(3),
            STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 8},
    {.name = "relu",
     .n_in = 8,
     .in = {{3, {3, 5, 2}}, {2, {4, 2}}, {2, {4, 4}}, {3, {3, 5, 4}}, {-1}, {3, {3, 5, 4}}, {-1}, LENGTHS(3)},
     .attr = &relu,
     .tolerance = 8},
    {.name = "last state only",
     .n_in = 7,
     .in = {{3, {1, 3, 2}}, {2, {1, 2}}, {2, {1, 1}}, {3, {1, 3, 1}}, {-1}, {-1}, STATE(1, 1)},
     .tolerance = 8},
    {.name = "wide",
     .n_in = 8,
     .in = {{3, {2, 3, 5}},
            {2, {37, 5}},
            {2, {37, 37}, .lo = -0.3, .hi = 0.3},
            {3, {2, 3, 37}},
            {-1},
            {3, {2, 3, 37}},
            {-1},
            LENGTHS(2)},
     .tolerance = 8},
    {.name = "y",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {5, 3}}, {2, {5, 5}}, {3, {2, 4, 4}}, {-1}, {3, {2, 4, 5}}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_rnn_grad = {
    .name = "rnn_grad",
    .min_in = 4,
    .max_in = 9,
    .n_out = 5,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .infer = infer,
    .no_grad = "second derivatives of rnn are not provided; build it step by step from gr_matmul and gr_tanh",
    .reference = reference,
    .flops = gr__recurrent_flops_grad,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
