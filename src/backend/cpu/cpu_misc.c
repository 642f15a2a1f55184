/* Rotary embedding, dropout, cache writes, padded slices. */
#include "backend/cpu/table.h"

#include "kernel/copy.h"
#include "kernel/dropout.h"
#include "kernel/rotary.h"
#include "op/dropout.h"

#include <string.h>

/* ---- rotary ---- */

static bool fill_rotary(const gr__args *a, gr__rotary *r)
{
    const gr__rotary_attr *o = a->attr;
    const gr__arg *x = &a->in[0];
    *r = (gr__rotary){.batch = x->dim[0],
                      .t = x->dim[1],
                      .heads = x->dim[2],
                      .d = x->dim[3],
                      .x = x->data,
                      .y = a->out[0].data,
                      .dtype = x->dtype,
                      .theta = o->theta,
                      .interleaved = o->interleaved,
                      .inverse = o->inverse,
                      .start = a->n_in > 1 && gr__arg_there(&a->in[1]) ? a->in[1].data : NULL};
    return gr__head_strides(x, r->x_stride) && gr__head_strides(&a->out[0], r->y_stride);
}

static bool rotary_applicable(const gr__args *a, char *why)
{
    gr__rotary r;
    if (!gr__fast_float(&a->in[0]) || a->in[0].dtype != a->out[0].dtype) return gr__refuse(why, "dtype");
    return fill_rotary(a, &r) ? true : gr__refuse(why, "the head axis is not contiguous");
}

static gr_status rotary(const gr__args *a, void *state)
{
    (void)state;
    gr__rotary r;
    fill_rotary(a, &r);
    gr__rotary_run(&r);
    return GR_OK;
}

const gr__kernel gr__cpu_rotary = {.op = &gr__op_rotary,
                                   .name = "rotary",
                                   .in_strided = 1,
                                   .out_strided = 1,
                                   .applicable = rotary_applicable,
                                   .run = rotary};

/* ---- dropout ---- */

static bool dropout_applicable(const gr__args *a, char *why)
{
    return gr__fast_float(&a->in[0]) && a->in[0].dtype == a->out[0].dtype ? true : gr__refuse(why, "dtype");
}

static gr_status dropout(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *x = &a->in[0];
    int64_t samples = gr__dropout_samples(x), each = gr__dropout_elements(x);
    if (each % 4 == 0) { /* the samples' blocks follow each other */
        each *= samples;
        samples = 1;
    }
    size_t step = (size_t)each * gr_dtype_size_bytes(x->dtype);
    for (int64_t s = 0; s < samples; s++) {
        gr__dropout d = {.count = each,
                         .x = (const char *)x->data + (size_t)s * step,
                         .y = (char *)a->out[0].data + (size_t)s * step,
                         .dtype = x->dtype,
                         .key = a->control->seed,
                         .stream = a->stream,
                         .counter = gr__dropout_counter(a->control, gr__dropout_elements(x), s),
                         .p = ((const gr__dropout_attr *)a->attr)->p};
        gr__dropout_run(&d);
    }
    return GR_OK;
}

const gr__kernel gr__cpu_dropout = {
    .op = &gr__op_dropout, .name = "dropout", .applicable = dropout_applicable, .run = dropout};

/* ---- cache_write: cache, fresh, start ---- */

static gr_status cache_write(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *out = &a->out[0], *fresh = &a->in[1];
    size_t item = gr_dtype_size_bytes(out->dtype), row = (size_t)(out->dim[2] * out->dim[3]) * item;
    if (out->data != a->in[0].data) gr__copy(out->data, a->in[0].data, (size_t)gr__arg_count(out) * item);
    for (int64_t b = 0; b < out->dim[0]; b++) {
        int64_t start = ((const int32_t *)a->in[2].data)[b];
        for (int64_t t = 0; t < fresh->dim[1]; t++) {
            if (start + t < 0 || start + t >= out->dim[1]) continue;
            memcpy((char *)out->data + (size_t)(b * out->dim[1] + start + t) * row,
                   (const char *)fresh->data + (size_t)(b * fresh->dim[1] + t) * row, row);
        }
    }
    return GR_OK;
}

static bool cache_applicable(const gr__args *a, char *why)
{
    return a->in[0].dtype == a->in[1].dtype ? true : gr__refuse(why, "the cache has another dtype");
}

const gr__kernel gr__cpu_cache_write = {
    .op = &gr__op_cache_write, .name = "cache_write", .applicable = cache_applicable, .run = cache_write};

/* ---- pad_slice ---- */

static gr_status pad_slice(const gr__args *a, void *state)
{
    (void)state;
    const gr__slice_attr *o = a->attr;
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    size_t item = gr_dtype_size_bytes(y->dtype);
    gr__fill_zero(y->data, (size_t)gr__arg_count(y) * item);
    int axis = o->axis < 0 ? o->axis + y->rank : o->axis;
    gr__copy_strided((char *)y->data + (size_t)(o->start * y->stride[axis]) * item, y->stride, x->data, x->stride,
                     x->dim, x->rank, item);
    return GR_OK;
}

const gr__kernel gr__cpu_pad_slice = {.op = &gr__op_pad_slice, .name = "pad_slice", .in_strided = 1, .run = pad_slice};
