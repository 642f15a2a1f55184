/* Element-wise programs, and single element-wise ops as programs of one instruction, on the machine of kernel/map.h. */
#include "backend/cpu/table.h"

#include "op/map.h"

#include <stdio.h>
#include <string.h>

/* Axes of the result with the strides of all operands, neighbours joined where every operand allows. */
typedef struct gr__space {
    int rank;
    int64_t dim[GR_MAX_RANK];
    int64_t stride[GR__MAX_IN + GR__MAX_OUT][GR_MAX_RANK];
} gr__space;

static int64_t stride_at(const gr__arg *x, int rank, int axis)
{
    int i = axis - (rank - x->rank);
    return i < 0 || x->dim[i] == 1 ? 0 : x->stride[i];
}

static void join_axes(const gr__args *a, gr__space *s)
{
    const gr__arg *out = &a->out[0];
    int n = a->n_in + a->n_out;
    s->rank = 0;
    for (int axis = 0; axis < out->rank; axis++) {
        if (out->dim[axis] == 1) continue;
        bool join = s->rank > 0;
        int last = s->rank - 1;
        int64_t stride[GR__MAX_IN + GR__MAX_OUT];
        for (int k = 0; k < n; k++) {
            stride[k] = stride_at(k < a->n_in ? &a->in[k] : &a->out[k - a->n_in], out->rank, axis);
            join = join && s->stride[k][last] == stride[k] * out->dim[axis];
        }
        if (join)
            s->dim[last] *= out->dim[axis];
        else
            s->dim[last = s->rank++] = out->dim[axis];
        for (int k = 0; k < n; k++) s->stride[k][last] = stride[k];
    }
}

/* What the machine loads, and what it stores. */
static bool moves(gr_dtype t, bool is_input)
{
    return t == GR_F32 || t == GR_BF16 || t == GR_I32 || t == GR_U8 || t == GR_BOOL || (is_input && t == GR_F16);
}

static bool fill_job(const gr__args *a, gr__map_job *job, char *why)
{
    gr__space s = {0};
    if (a->n_in > GR__MAP_MOST_INPUTS || a->n_out > GR__MAP_MOST_OUTPUTS) return gr__refuse(why, "too many operands");
    join_axes(a, &s);
    if (s.rank > GR__MAP_RANK) return gr__refuse(why, "more than 4 axes that cannot be joined");
    job->rank = s.rank;
    job->n_inputs = a->n_in;
    job->n_outputs = a->n_out;
    memcpy(job->dim, s.dim, (size_t)s.rank * sizeof *s.dim);
    for (int k = 0; k < a->n_in + a->n_out; k++) {
        const gr__arg *x = k < a->n_in ? &a->in[k] : &a->out[k - a->n_in];
        gr__map_operand *o = k < a->n_in ? &job->input[k] : &job->output[k - a->n_in];
        int64_t inner = s.rank ? s.stride[k][s.rank - 1] : 0;
        if (!moves(x->dtype, k < a->n_in)) return gr__refuse(why, "dtype");
        if (inner != 1 && !(inner == 0 && k < a->n_in) && s.rank)
            return gr__refuse(why, "the last axis is not contiguous");
        o->data = x->data;
        o->dtype = x->dtype;
        memcpy(o->stride, s.stride[k], sizeof o->stride);
    }
    return true;
}

static bool fill_fused(const gr__args *a, gr__map_job *job, char *why)
{
    const gr__fused_attr *f = a->attr;
    memset(job, 0, sizeof *job);
    job->n_code = f->n_code;
    memcpy(job->code, f->code, sizeof job->code);
    memcpy(job->output_register, f->output_register, sizeof job->output_register);
    return fill_job(a, job, why);
}

static bool fill_single(const gr__args *a, gr__map_job *job, char *why)
{
    memset(job, 0, sizeof *job);
    static const gr__map_attr none;
    const gr__map_attr *m = a->op->attr_bytes >= sizeof(gr__map_attr) ? a->attr : &none; /* a cast has none */
    if (a->n_out != 1) return gr__refuse(why, "more than one result");
    job->n_code = 1;
    job->code[0] = (gr__map_code){
        .op = (uint8_t)a->op->map_op, .dst = 3, .a = 0, .b = 1, .c = 2, .p0 = (float)m->p0, .p1 = (float)m->p1};
    job->output_register[0] = 3;
    return fill_job(a, job, why);
}

static bool fused_applicable(const gr__args *a, char *why)
{
    gr__map_job job;
    return fill_fused(a, &job, why);
}

static bool single_applicable(const gr__args *a, char *why)
{
    gr__map_job job;
    return fill_single(a, &job, why);
}

static gr_status keep(const gr__args *a, bool (*fill)(const gr__args *, gr__map_job *, char *), void **state)
{
    char why[GR__WHY_BYTES];
    gr__map_job *job = gr__alloc(sizeof *job);
    if (!job) return gr__fail_memory("an element-wise program", sizeof *job);
    if (!fill(a, job, why)) {
        gr__free(job);
        return gr__fail(GR_ERR_INTERNAL, "map: %s", why);
    }
    *state = job;
    return GR_OK;
}

static gr_status fused_prepare(const gr__args *a, void **state) { return keep(a, fill_fused, state); }
static gr_status single_prepare(const gr__args *a, void **state) { return keep(a, fill_single, state); }

static gr_status run(const gr__args *a, void *state)
{
    (void)a;
    gr__map_run(state);
    return GR_OK;
}

const gr__kernel gr__cpu_map = {
    .op = &gr__op_map,
    .name = "map",
    .in_strided = 0xffffff,
    .out_strided = 0xff,
    .applicable = fused_applicable,
    .prepare = fused_prepare,
    .release = gr__free,
    .run = run,
};

const gr__kernel gr__cpu_element_wise = {
    .op = NULL,
    .name = "element_wise",
    .in_strided = 7,
    .out_strided = 1,
    .applicable = single_applicable,
    .prepare = single_prepare,
    .release = gr__free,
    .run = run,
};
