/* max_pool, resample (average pooling, interpolation) and group_norm with their gradients. */
#include "backend/cpu/table.h"

#include "kernel/group_norm.h"
#include "kernel/resample.h"
#include "op/pool.h"
#include "op/resample.h"

/* Rows of the channels; none where the operand is left out. */
static gr__rows rows_of(const gr__arg *a) { return gr__arg_there(a) ? gr__rows_of(a) : (gr__rows){0}; }

static bool all_fast(const gr__args *a, char *why) { return gr__all_fast(a) ? true : gr__refuse(why, "dtype"); }

/* ---- max_pool ---- */

static gr_status max_pool(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *y = gr__wanted(a, 0) ? &a->out[0] : &a->out[1];
    gr__pool p = {.shape = gr__pool_shape_of(a->attr, &a->in[0], y),
                  .x = gr__rows_of(&a->in[0]),
                  .y = rows_of(&a->out[0]),
                  .arg = a->out[1].data};
    gr__max_pool_forward(&p);
    return GR_OK;
}

static gr_status max_pool_grad(const gr__args *a, void *state)
{
    (void)state;
    gr__pool p = {.shape = gr__pool_shape_of(a->attr, &a->out[0], &a->in[0]),
                  .dy = gr__rows_of(&a->in[0]),
                  .arg = a->in[1].data,
                  .dx = gr__rows_of(&a->out[0])};
    gr__max_pool_backward(&p);
    return GR_OK;
}

/* ---- resample: the matrices are made once, by rows of what is computed ---- */

typedef struct matrices {
    gr__taps axis[GR__SPATIAL];
    int32_t *start[GR__SPATIAL], *index[GR__SPATIAL];
    float *weight[GR__SPATIAL];
} matrices;

static void release(void *state)
{
    matrices *m = state;
    for (int i = 0; i < GR__SPATIAL; i++) {
        gr__free(m->start[i]);
        gr__free(m->index[i]);
        gr__free(m->weight[i]);
    }
    gr__free(m);
}

/* Sizes of an axis of 3 in an operand; those in front are 1. */
static int64_t size_of(const gr__arg *x, int axis)
{
    int lead = GR__SPATIAL - (x->rank - 2);
    return axis < lead ? 1 : x->dim[1 + axis - lead];
}

/* Row or column by row or column of the forward matrix: each step counts, then fills. */
static gr_status make_axis(const gr__resample_attr *a, int axis, int64_t in, int64_t out, bool real, matrices *m)
{
    int k = axis - (GR__SPATIAL - a->window.axes);
    int64_t rows = a->transposed ? in : out, cols = a->transposed ? out : in, first = 0, n = 1, total = 0;
    double w[2] = {1, 1};
    for (int64_t o = 0; o < rows; o++) {
        if (real) gr__resample_row(a, k, cols, rows, o, &first, &n, w);
        total += n;
    }
    GR_FAIL_IF(total > INT32_MAX, GR_ERR_LIMIT, "resample: an axis with %lld taps", (long long)total);
    int32_t *start = m->start[axis] = gr__calloc((size_t)out + 2, sizeof *start);
    int32_t *index = m->index[axis] = gr__calloc((size_t)total + 1, sizeof *index);
    float *weight = m->weight[axis] = gr__calloc((size_t)total + 1, sizeof *weight);
    if (!start || !index || !weight) return gr__fail_memory("the taps of an axis", (size_t)total * sizeof *weight);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t o = 0; o < rows; o++) {
            if (real) gr__resample_row(a, k, cols, rows, o, &first, &n, w);
            for (int64_t i = 0; i < n; i++) {
                int64_t row = a->transposed ? first + i : o;
                if (pass == 0) {
                    start[row + 2]++; /* one further on: filling moves it to where it belongs */
                    continue;
                }
                int32_t at = start[row + 1]++;
                index[at] = (int32_t)(a->transposed ? o : first + i);
                weight[at] = (float)w[i > 0];
            }
        }
        for (int64_t o = 0; pass == 0 && o < out; o++) start[o + 2] += start[o + 1];
    }
    m->axis[axis] = (gr__taps){start, index, weight};
    return GR_OK;
}

static gr_status resample_prepare(const gr__args *a, void **state)
{
    const gr__resample_attr *r = a->attr;
    matrices *m = gr__calloc(1, sizeof *m);
    if (!m) return gr__fail_memory("the taps of a window", sizeof *m);
    gr_status status = GR_OK;
    for (int i = 0; i < GR__SPATIAL && status == GR_OK; i++)
        status = make_axis(r, i, size_of(&a->in[0], i), size_of(&a->out[0], i), i >= GR__SPATIAL - r->window.axes, m);
    if (status != GR_OK)
        release(m);
    else
        *state = m;
    return status;
}

static gr_status resample(const gr__args *a, void *state)
{
    const matrices *m = state;
    gr__resample r = {.batch = a->in[0].dim[0],
                      .c = gr__last_dim(&a->in[0]),
                      .x = gr__rows_of(&a->in[0]),
                      .y = gr__rows_of(&a->out[0])};
    for (int i = 0; i < GR__SPATIAL; i++) {
        r.in[i] = size_of(&a->in[0], i);
        r.out[i] = size_of(&a->out[0], i);
        r.axis[i] = m->axis[i];
    }
    gr__resample_run(&r);
    return GR_OK;
}

/* ---- group_norm ---- */

static gr__group_norm norm_of(const gr__args *a)
{
    const gr__group_norm_attr *o = a->attr;
    int64_t c = gr__last_dim(&a->in[0]), batch = a->in[0].dim[0];
    return (gr__group_norm){.batch = batch,
                            .rows = gr__arg_count(&a->in[0]) / c / batch,
                            .c = c,
                            .groups = o->groups,
                            .eps = o->eps,
                            .x = gr__rows_of(&a->in[0]),
                            .gamma = gr__has(a, 1) ? a->in[1].data : NULL,
                            .scratch = a->scratch};
}

static bool norm_applicable(const gr__args *a, char *why)
{
    if (!gr__all_fast(a)) return gr__refuse(why, "dtype");
    for (int i = 1; i < a->n_in; i++)
        if (a->in[i].rank == 1 && a->in[i].dtype == GR_BF16) return gr__refuse(why, "gamma in bf16");
    return true;
}

static size_t norm_scratch(const gr__args *a)
{
    gr__group_norm n = norm_of(a);
    return gr__group_norm_scratch_bytes(&n);
}

static gr_status group_norm(const gr__args *a, void *state)
{
    (void)state;
    gr__group_norm n = norm_of(a);
    n.beta = gr__has(a, 2) ? a->in[2].data : NULL;
    n.y = rows_of(&a->out[0]);
    n.mean = a->out[1].data;
    n.rstd = a->out[2].data;
    gr__group_norm_forward(&n);
    return GR_OK;
}

static gr_status group_norm_grad(const gr__args *a, void *state)
{
    (void)state;
    gr__group_norm n = norm_of(a);
    n.mean = a->in[2].data;
    n.rstd = a->in[3].data;
    n.dy = gr__rows_of(&a->in[4]);
    n.dx = rows_of(&a->out[0]);
    n.dgamma = a->out[1].data;
    n.dbeta = a->out[2].data;
    gr__group_norm_backward(&n);
    return GR_OK;
}

const gr__kernel gr__cpu_max_pool = {
    .op = &gr__op_max_pool, .name = "max_pool", .applicable = all_fast, .run = max_pool};
const gr__kernel gr__cpu_max_pool_grad = {
    .op = &gr__op_max_pool_grad, .name = "max_pool_grad", .applicable = all_fast, .run = max_pool_grad};
const gr__kernel gr__cpu_resample = {.op = &gr__op_resample,
                                     .name = "resample",
                                     .applicable = all_fast,
                                     .prepare = resample_prepare,
                                     .release = release,
                                     .run = resample};
const gr__kernel gr__cpu_group_norm = {.op = &gr__op_group_norm,
                                       .name = "group_norm",
                                       .applicable = norm_applicable,
                                       .scratch_bytes = norm_scratch,
                                       .run = group_norm};
const gr__kernel gr__cpu_group_norm_grad = {.op = &gr__op_group_norm_grad,
                                            .name = "group_norm_grad",
                                            .applicable = norm_applicable,
                                            .scratch_bytes = norm_scratch,
                                            .run = group_norm_grad};
