/* 1 where a >= b, else 0; the gradient is 0. */
#include "op/op.h"

static const gr__case cases[] = {
    {.name = "same", .n_in = 2, .in = {{2, {3, 5}}, {2, {3, 5}, .fill = GR__FILL_AWAY}}},
    {.name = "row", .n_in = 2, .in = {{3, {2, 3, 17}}, {1, {17}, .fill = GR__FILL_AWAY}}},
    {.name = "column", .n_in = 2, .in = {{2, {4, 1}}, {2, {1, 6}, .fill = GR__FILL_AWAY}}},
    {.name = "scalar", .n_in = 2, .in = {{0}, {2, {2, 33}, .fill = GR__FILL_AWAY}}},
    {.name = "transposed", .n_in = 2, .in = {{2, {7, 5}, .swap_b = 1}, {2, {7, 5}, .fill = GR__FILL_AWAY}}},
    {.name = "misfit", .n_in = 2, .in = {{1, {3}}, {1, {4}}}, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_greater_equal = {
    .name = "greater_equal",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__map_attr),
    .flags = GR__OP_CHEAP,
    .map_op = GR__MAP_GE,
    .infer = gr__infer_map,
    .grad = gr__grad_zero,
    .reference = gr__reference_map,
    .alias = {1},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_greater_equal(gr_graph *g, gr_value a, gr_value b) { return gr__map2(g, &gr__op_greater_equal, a, b); }
