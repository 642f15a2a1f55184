#include "op/map.h"

#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr__fused_attr *a = c->attr;
    c->n_out = a->n_out;
    for (int i = 0; i < a->n_out; i++) {
        gr__value *out = &c->out[i];
        out->dtype = a->out_dtype[i];
        out->rank = a->rank;
        memcpy(out->dim, a->dim, sizeof out->dim);
        for (int k = 0; k < c->n_in; k++) {
            gr__value joint = *out;
            GR_TRY(gr__want_given(c, k));
            GR_TRY(gr__broadcast("map", out, c->in[k], &joint.rank, joint.dim));
            GR_FAIL_IF(!gr__same_shape(&joint, out), GR_ERR_SHAPE, "map: operand %d is larger than the result", k);
        }
    }
    return GR_OK;
}

static gr_status reference(const gr__args *x)
{
    const gr__fused_attr *a = x->attr;
    int64_t index[GR_MAX_RANK] = {0};
    do {
        double r[GR__MAP_REGISTERS] = {0};
        for (int i = 0; i < x->n_in; i++) r[i] = gr__load(&x->in[i], gr__broadcast_offset(&x->in[i], a->rank, index));
        for (int i = 0; i < a->n_code; i++) {
            const gr__map_code *k = &a->code[i];
            r[k->dst] = gr__map_scalar((gr__map_op)k->op, r[k->a], r[k->b], r[k->c], k->p0, k->p1);
        }
        for (int i = 0; i < a->n_out; i++)
            gr__store(&x->out[i], gr__offset(&x->out[i], index), r[a->output_register[i]]);
    } while (gr__next_index(a->rank, a->dim, index));
    return GR_OK;
}

static double flops(const gr__args *x)
{
    const gr__fused_attr *a = x->attr;
    return (double)a->n_code * (double)gr__arg_count(&x->out[0]);
}

/* exp(a)*b + 0.5, and of it the square */
static const gr__fused_attr chain = {
    .n_code = 4,
    .n_out = 2,
    .code = {{GR__MAP_EXP, 2, 0, 0, 0, 0, 0},
             {GR__MAP_MUL, 2, 2, 1, 0, 0, 0},
             {GR__MAP_ADD_C, 2, 2, 0, 0, 0.5F, 0},
             {GR__MAP_SQUARE, 3, 2, 0, 0, 0, 0}},
    .output_register = {2, 3},
    .out_dtype = {GR_F32, GR_F32},
    .rank = 2,
    .dim = {3, 17},
};
/* The same on rows that fill vectors. */
static const gr__fused_attr wide = {
    .n_code = 4,
    .n_out = 2,
    .code = {{GR__MAP_EXP, 2, 0, 0, 0, 0, 0},
             {GR__MAP_MUL, 2, 2, 1, 0, 0, 0},
             {GR__MAP_ADD_C, 2, 2, 0, 0, 0.5F, 0},
             {GR__MAP_SQUARE, 3, 2, 0, 0, 0, 0}},
    .output_register = {2, 3},
    .out_dtype = {GR_F32, GR_BF16},
    .rank = 2,
    .dim = {19, 64},
};
static const gr__fused_attr number = {
    .n_code = 1,
    .n_out = 1,
    .code = {{GR__MAP_CONST, 0, 0, 0, 0, 0.25F, 0}},
    .out_dtype = {GR_F32},
    .rank = 1,
    .dim = {5},
};
static const gr__case cases[] = {
    {.name = "chain", .n_in = 2, .in = {{2, {3, 17}, .dtype = GR_F32}, {2, {3, 17}, .dtype = GR_F32}}, .attr = &chain},
    {.name = "broadcast", .n_in = 2, .in = {{2, {3, 1}, .dtype = GR_F32}, {1, {17}, .dtype = GR_BF16}}, .attr = &chain},
    {.name = "transposed",
     .n_in = 2,
     .in = {{2, {3, 17}, .dtype = GR_F32, .swap_b = 1}, {0, {0}, .dtype = GR_F32}},
     .attr = &chain},
    {.name = "what every row repeats",
     .n_in = 2,
     .in = {{2, {19, 64}, .dtype = GR_BF16}, {1, {64}, .dtype = GR_F32}},
     .attr = &wide},
    {.name = "number", .attr = &number},
    {.name = "misfit",
     .n_in = 2,
     .in = {{2, {3, 17}, .dtype = GR_F32}, {2, {3, 16}, .dtype = GR_F32}},
     .attr = &chain,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_map = {
    .name = "map",
    .min_in = 0,
    .max_in = GR__MAP_MOST_INPUTS,
    .n_out = 1,
    .attr_bytes = sizeof(gr__fused_attr),
    .infer = infer,
    .no_grad = "fusion comes after gradients",
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
