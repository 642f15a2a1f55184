/* 1, 0 or -1; the gradient is 0 (also at 0, where there is none). */
#include "op/op.h"

static const gr__case cases[] = {
    {.name = "matrix", .n_in = 1, .in = {{2, {3, 19}, .fill = GR__FILL_AWAY}}},
    {.name = "transposed", .n_in = 1, .in = {{3, {2, 5, 7}, .fill = GR__FILL_AWAY, .swap_a = 1, .swap_b = 2}}},
    {.name = "one", .n_in = 1, .in = {{0, {0}, .fill = GR__FILL_AWAY}}},
    {.name = "integer",
     .n_in = 1,
     .in = {{1, {3}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .hi = 3}},
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_sign = {
    .name = "sign",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_SIGN,
    .infer = gr__infer_map,
    .grad = gr__grad_zero,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_sign(gr_graph *g, gr_value x) { return gr__map1(g, &gr__op_sign, x, 0, 0); }
