/* The largest whole number that is not larger; the gradient is 0. */
#include "op/op.h"

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .lo = 1.1, .hi = 1.9}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .lo = 1.1, .hi = 1.9, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .lo = 1.1, .hi = 1.9}}},
    {.name = "whole", .n_in = 1, .in = {{1, {37}, .fill = GR__FILL_INDEX, .lo = -20, .hi = 20}}, .no_grad_in = 1},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_floor = {
    .name = "floor",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_FLOOR,
    .infer = gr__infer_map,
    .grad = gr__grad_zero,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_floor(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_floor, x, 0, 0); }
