/* The gradient of lstm from what it saved, from the last step to the first:
 *   do = dh*tanh(c'),   dc += dh*o*(1 - tanh(c')^2);   di = dc*g, df = dc*c, dg = dc*i;   dc = dc*f
 * each times the slope of its function; dh = those times weight_hh. */
#include "op/recurrent.h"

#include <math.h>

static gr_status infer(gr__infer *c) { return gr__recurrent_infer_grad(c, &gr__cell_lstm); }

static void cell(const gr__recurrent_view *v, gr__step_back *s)
{
    int64_t n = v->hidden;
    const double *i = s->saved, *f = i + n, *g = f + n, *o = g + n, *c = o + n;
    for (int64_t k = 0; k < n; k++) {
        double bent = tanh(c[k]), dc = s->dc[k] + s->dh[k] * o[k] * (1 - bent * bent);
        s->from_x[k] = dc * g[k] * i[k] * (1 - i[k]);
        s->from_x[n + k] = dc * s->c[k] * f[k] * (1 - f[k]);
        s->from_x[2 * n + k] = dc * i[k] * (1 - g[k] * g[k]);
        s->from_x[3 * n + k] = s->dh[k] * bent * o[k] * (1 - o[k]);
        s->dc[k] = dc * f[k];
    }
    for (int64_t j = 0; j < 4 * n; j++) s->from_h[j] = s->from_x[j];
    for (int64_t k = 0; k < n; k++) {
        s->dh[k] = 0;
        for (int gate = 0; gate < 4; gate++) s->dh[k] += gr__recurrent_back(v, s->from_h, gate, k);
    }
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference_grad(a, &gr__cell_lstm, cell); }

#define LENGTHS(B)                                                        \
    {                                                                     \
        1, {B}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = 0, .hi = 6 \
    }
#define STATE(...)                           \
    {                                        \
        2, {__VA_ARGS__}, .dtype = GR__STATS \
    }
#define SAVED(...)                                                 \
    {                                                              \
        3, {__VA_ARGS__}, .dtype = GR__STATS, .lo = 0.1, .hi = 0.9 \
    }
static const gr__recurrent_attr reverse = {.reverse = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {20, 3}}, {2, {20, 5}}, {3, {2, 4, 5}}, SAVED(2, 4, 25), {3, {2, 4, 5}}},
     .tolerance = 8},
    {.name = "all",
     .n_in = 11,
     .in = {{3, {3, 5, 2}},
            {2, {16, 2}},
            {2, {16, 4}},
            {3, {3, 5, 4}},
            SAVED(3, 5, 20),
            {3, {3, 5, 4}},
            STATE(3, 4),
            LENGTHS(3),
            STATE(3, 4),
            STATE(3, 4),
            STATE(3, 4)},
     .tolerance = 8},
    {.name = "reverse",
     .n_in = 10,
     .in = {{3, {3, 5, 2}},
            {2, {16, 2}},
            {2, {16, 4}},
            {3, {3, 5, 4}},
            SAVED(3, 5, 20),
            {3, {3, 5, 4}},
            {-1},
            LENGTHS(3),
            {-1},
            STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 8},
    {.name = "last state only",
     .n_in = 11,
     .in = {{3, {1, 3, 2}},
            {2, {4, 2}},
            {2, {4, 1}},
            {3, {1, 3, 1}},
            SAVED(1, 3, 5),
            {-1},
            STATE(1, 1),
            {-1},
            STATE(1, 1),
            {-1},
            STATE(1, 1)},
     .tolerance = 8},
    {.name = "wide",
     .n_in = 9,
     .in = {{3, {2, 3, 5}},
            {2, {148, 5}},
            {2, {148, 37}, .lo = -0.3, .hi = 0.3},
            {3, {2, 3, 37}},
            SAVED(2, 3, 185),
            {3, {2, 3, 37}},
            {-1},
            LENGTHS(2),
            STATE(2, 37)},
     .tolerance = 8},
    {.name = "saved",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {20, 3}}, {2, {20, 5}}, {3, {2, 4, 5}}, SAVED(2, 4, 20), {3, {2, 4, 5}}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_lstm_grad = {
    .name = "lstm_grad",
    .min_in = 5,
    .max_in = 11,
    .n_out = 6,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .infer = infer,
    .no_grad = "second derivatives of lstm are not provided; build it step by step from gr_matmul and gr_sigmoid",
    .reference = reference,
    .flops = gr__recurrent_flops_grad,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
