/* The gradient of gru from what it saved, from the last step to the first. With q what the candidate saw:
 *   dn = dh*(1 - z)*(1 - n^2),   dz = dh*(h - n)*z*(1 - z),   dh = dh*z
 *   after:   dr = dn*q*r*(1 - r), weight_hh of the candidate sees dn*r
 *   before:  dq = dn*weight_hh,   dr = dq*h*r*(1 - r),   dh += dq*r
 * then dh += those of r and z (and the candidate's after) times weight_hh. */
#include "op/recurrent.h"

static gr_status infer(gr__infer *c) { return gr__recurrent_infer_grad(c, &gr__cell_gru); }

static void cell(const gr__recurrent_view *v, gr__step_back *s)
{
    int64_t n = v->hidden;
    const double *r = s->saved, *z = r + n, *candidate = z + n, *seen = candidate + n;
    double *dr = s->from_x, *dz = dr + n, *dn = dz + n;
    bool before = v->attr->reset_before;
    for (int64_t k = 0; k < n; k++) {
        dn[k] = s->dh[k] * (1 - z[k]) * (1 - candidate[k] * candidate[k]);
        dz[k] = s->dh[k] * (s->h[k] - candidate[k]) * z[k] * (1 - z[k]);
        s->dh[k] *= z[k];
        if (before) s->seen[k] = seen[k];
    }
    for (int64_t k = 0; k < n; k++) {
        double dq = before ? gr__recurrent_back(v, s->from_x, 2, k) : 0;
        dr[k] = (before ? dq * s->h[k] : dn[k] * seen[k]) * r[k] * (1 - r[k]);
        s->dh[k] += dq * r[k];
        s->from_h[2 * n + k] = before ? dn[k] : dn[k] * r[k];
    }
    for (int64_t k = 0; k < 2 * n; k++) s->from_h[k] = s->from_x[k];
    for (int64_t k = 0; k < n; k++)
        for (int gate = 0; gate < (before ? 2 : 3); gate++) s->dh[k] += gr__recurrent_back(v, s->from_h, gate, k);
}

static gr_status reference(const gr__args *a) { return gr__recurrent_reference_grad(a, &gr__cell_gru, cell); }

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
static const gr__recurrent_attr reverse = {.reverse = true}, before = {.reset_before = true},
                                before_reverse = {.reset_before = true, .reverse = true};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {15, 3}}, {2, {15, 5}}, {3, {2, 4, 5}}, SAVED(2, 4, 20), {3, {2, 4, 5}}},
     .tolerance = 8},
    {.name = "all, reverse",
     .n_in = 9,
     .in = {{3, {3, 5, 2}},
            {2, {12, 2}},
            {2, {12, 4}},
            {3, {3, 5, 4}},
            SAVED(3, 5, 16),
            {3, {3, 5, 4}},
            STATE(3, 4),
            LENGTHS(3),
            STATE(3, 4)},
     .attr = &reverse,
     .tolerance = 8},
    {.name = "reset before",
     .n_in = 9,
     .in = {{3, {3, 5, 2}},
            {2, {12, 2}},
            {2, {12, 4}},
            {3, {3, 5, 4}},
            SAVED(3, 5, 16),
            {3, {3, 5, 4}},
            STATE(3, 4),
            LENGTHS(3),
            STATE(3, 4)},
     .attr = &before,
     .tolerance = 8},
    {.name = "last state only",
     .n_in = 9,
     .in = {{3, {1, 3, 2}},
            {2, {3, 2}},
            {2, {3, 1}},
            {3, {1, 3, 1}},
            SAVED(1, 3, 4),
            {-1},
            STATE(1, 1),
            {-1},
            STATE(1, 1)},
     .attr = &before_reverse,
     .tolerance = 8},
    {.name = "wide",
     .n_in = 8,
     .in = {{3, {2, 3, 5}},
            {2, {111, 5}},
            {2, {111, 37}, .lo = -0.3, .hi = 0.3},
            {3, {2, 3, 37}},
            SAVED(2, 3, 148),
            {3, {2, 3, 37}},
            {-1},
            LENGTHS(2)},
     .tolerance = 8},
    {.name = "saved",
     .n_in = 6,
     .in = {{3, {2, 4, 3}}, {2, {15, 3}}, {2, {15, 5}}, {3, {2, 4, 5}}, SAVED(2, 4, 15), {3, {2, 4, 5}}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_gru_grad = {
    .name = "gru_grad",
    .min_in = 5,
    .max_in = 9,
    .n_out = 6,
    .attr_bytes = sizeof(gr__recurrent_attr),
    .infer = infer,
    .no_grad = "second derivatives of gru are not provided; build it step by step from gr_matmul and gr_sigmoid",
    .reference = reference,
    .flops = gr__recurrent_flops_grad,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
