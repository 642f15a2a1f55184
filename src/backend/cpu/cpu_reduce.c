/* sum, mean and max over neighbouring axes, and the sum of squares. */
#include "backend/cpu/table.h"

#include "kernel/reduce.h"
#include "op/attr.h"

/* (outer, n, inner): the reduced axes lie together; false when others are in between. */
static bool split(const gr__args *a, int64_t *outer, int64_t *n, int64_t *inner)
{
    const gr__arg *x = &a->in[0];
    uint32_t mask = gr__reduce_mask(a->attr, x->rank);
    *outer = *n = *inner = 1;
    int part = 0; /* 0 outer, 1 reduced, 2 inner */
    for (int i = 0; i < x->rank; i++) {
        if (x->dim[i] == 1) continue;
        bool reduced = mask >> i & 1;
        if (reduced && part == 2) return false;
        if (reduced)
            part = 1;
        else if (part == 1)
            part = 2;
        *(part == 0 ? outer : part == 1 ? n : inner) *= x->dim[i];
    }
    return true;
}

static bool applicable(const gr__args *a, char *why)
{
    int64_t outer, n, inner;
    if (!gr__fast_float(&a->in[0]) || !gr__fast_float(&a->out[0])) return gr__refuse(why, "dtype");
    return split(a, &outer, &n, &inner) ? true : gr__refuse(why, "the reduced axes are apart");
}

static size_t scratch(const gr__args *a)
{
    int64_t outer, n, inner;
    return split(a, &outer, &n, &inner) ? gr__reduce_scratch_bytes(outer, n, inner) : 0;
}

static gr_status reduce(const gr__args *a, gr__reduce_kind kind)
{
    gr__reduce r = {.kind = kind,
                    .x = a->in[0].data,
                    .x_dtype = a->in[0].dtype,
                    .y = a->out[0].data,
                    .y_dtype = a->out[0].dtype,
                    .scratch = a->scratch};
    split(a, &r.outer, &r.n, &r.inner);
    gr__reduce_run(&r);
    return GR_OK;
}

static gr_status sum(const gr__args *a, void *state)
{
    (void)state;
    return reduce(a, GR__REDUCE_SUM);
}

static gr_status mean(const gr__args *a, void *state)
{
    (void)state;
    return reduce(a, GR__REDUCE_MEAN);
}

static gr_status max(const gr__args *a, void *state)
{
    (void)state;
    return reduce(a, GR__REDUCE_MAX);
}

static bool squares_applicable(const gr__args *a, char *why)
{
    return gr__fast_float(&a->in[0]) && a->out[0].dtype == GR_F32 ? true : gr__refuse(why, "dtype");
}

static gr_status sum_squares(const gr__args *a, void *state)
{
    (void)state;
    *(float *)a->out[0].data = (float)gr__sum_squares(a->in[0].data, a->in[0].dtype, gr__arg_count(&a->in[0]));
    return GR_OK;
}

const gr__kernel gr__cpu_sum = {
    .op = &gr__op_sum, .name = "sum", .applicable = applicable, .scratch_bytes = scratch, .run = sum};
const gr__kernel gr__cpu_mean = {
    .op = &gr__op_mean, .name = "mean", .applicable = applicable, .scratch_bytes = scratch, .run = mean};
const gr__kernel gr__cpu_max = {
    .op = &gr__op_max, .name = "max", .applicable = applicable, .scratch_bytes = scratch, .run = max};
const gr__kernel gr__cpu_sum_squares = {
    .op = &gr__op_sum_squares, .name = "sum_squares", .applicable = squares_applicable, .run = sum_squares};
