/* conv and its two gradients: oneDNN where it is built in and able, else as products of our own. */
#include "backend/cpu/dense.h"
#include "backend/cpu/table.h"

#include "kernel/conv.h"
#include "kernel/copy.h"
#include "kernel/onednn.h"
#include "op/conv.h"

/* The three arrays of the form, by what is made. */
typedef struct conv_operands {
    const gr__arg *x, *w, *y, *bias;
    gr__conv_result result;
} conv_operands;

static conv_operands operands_of(const gr__args *a)
{
    if (a->op == &gr__op_conv_transpose) return (conv_operands){&a->out[0], &a->in[1], &a->in[0], NULL, GR__CONV_X};
    if (a->op == &gr__op_conv_grad_weight) return (conv_operands){&a->in[0], &a->out[0], &a->in[1], NULL, GR__CONV_W};
    return (conv_operands){&a->in[0], &a->in[1], &a->out[0], gr__has(a, 2) ? &a->in[2] : NULL, GR__CONV_Y};
}

static bool fast(const gr__args *a, char *why)
{
    return gr__fast_float(&a->in[0]) && gr__fast_float(&a->out[0]) ? true : gr__refuse(why, "dtype");
}

/* A bf16 bias is widened into the front of the scratch. */
static size_t bias_bytes(const conv_operands *o)
{
    return o->bias && o->bias->dtype == GR_BF16 ? ((size_t)o->w->dim[0] * sizeof(float) + 63) / 64 * 64 : 0;
}

static const float *bias_of(const conv_operands *o, void *scratch)
{
    if (!bias_bytes(o)) return o->bias ? o->bias->data : NULL;
    gr__cast(scratch, GR_F32, o->bias->data, GR_BF16, o->w->dim[0]);
    return scratch;
}

static gr__conv own_job(const gr__args *a)
{
    conv_operands o = operands_of(a);
    return (gr__conv){.shape = gr__conv_shape_of(a->attr, o.x, o.w, o.y),
                      .result = o.result,
                      .dtype = a->in[0].dtype,
                      .out_dtype = a->out[0].dtype,
                      .x = o.x->data,
                      .w = o.w->data,
                      .y = o.y->data};
}

/* ---- oneDNN ---- */

static gr_status dnn_new(const gr__args *a, gr__dnn_conv **out)
{
    conv_operands o = operands_of(a);
    gr__dnn_conv_job j = {.shape = gr__conv_shape_of(a->attr, o.x, o.w, o.y),
                          .result = o.result,
                          .dtype = a->in[0].dtype,
                          .out_dtype = a->out[0].dtype,
                          .bias = o.bias != NULL};
    return gr__dnn_conv_new(&j, out);
}

static bool dnn_applicable(const gr__args *a, char *why)
{
    gr__dnn_conv *conv;
    if (!gr__dnn_available()) return gr__refuse(why, "built without oneDNN");
    if (!fast(a, why)) return false;
    gr__conv own = own_job(a);
    if (gr__conv_own_is_faster(&own)) return gr__refuse(why, "our own is faster");
    if (dnn_new(a, &conv) != GR_OK) return gr__refuse(why, "oneDNN has no implementation");
    gr__dnn_conv_free(conv);
    return true;
}

static size_t dnn_scratch(const gr__args *a)
{
    conv_operands o = operands_of(a);
    gr__dnn_conv *conv;
    if (dnn_new(a, &conv) != GR_OK) return 0; /* then 'prepare' fails too */
    size_t bytes = bias_bytes(&o) + gr__dnn_conv_scratch_bytes(conv);
    gr__dnn_conv_free(conv);
    return bytes;
}

static gr_status dnn_prepare(const gr__args *a, void **state)
{
    conv_operands o = operands_of(a);
    gr__dnn_conv *conv;
    GR_TRY(dnn_new(a, &conv));
    if (bias_bytes(&o) + gr__dnn_conv_scratch_bytes(conv) && !a->scratch) {
        gr__dnn_conv_free(conv);
        return gr__fail_memory("a convolution", sizeof conv);
    }
    *state = conv;
    return GR_OK;
}

static void dnn_release(void *state) { gr__dnn_conv_free(state); }

static gr_status dnn_run(const gr__args *a, void *state)
{
    conv_operands o = operands_of(a);
    return gr__dnn_conv_run(state, o.x->data, o.w->data, o.y->data, bias_of(&o, a->scratch),
                            (char *)a->scratch + bias_bytes(&o));
}

/* ---- own ---- */

static size_t own_scratch(const gr__args *a)
{
    conv_operands o = operands_of(a);
    gr__conv c = own_job(a);
    return bias_bytes(&o) + gr__conv_scratch_bytes(&c);
}

static gr_status own_run(const gr__args *a, void *state)
{
    (void)state;
    conv_operands o = operands_of(a);
    gr__conv c = own_job(a);
    c.bias = bias_of(&o, a->scratch);
    c.scratch = (char *)a->scratch + bias_bytes(&o);
    gr__conv_run(&c);
    return GR_OK;
}

#define DNN                                                                                                     \
    .applicable = dnn_applicable, .scratch_bytes = dnn_scratch, .prepare = dnn_prepare, .release = dnn_release, \
    .run = dnn_run
#define OWN .applicable = fast, .scratch_bytes = own_scratch, .run = own_run
const gr__kernel gr__cpu_conv_onednn = {.op = &gr__op_conv, .name = "conv.onednn", DNN};
const gr__kernel gr__cpu_conv_own = {.op = &gr__op_conv, .name = "conv.own", OWN};
const gr__kernel gr__cpu_conv_transpose_onednn = {.op = &gr__op_conv_transpose, .name = "conv_transpose.onednn", DNN};
const gr__kernel gr__cpu_conv_transpose_own = {.op = &gr__op_conv_transpose, .name = "conv_transpose.own", OWN};
const gr__kernel gr__cpu_conv_grad_weight_onednn = {
    .op = &gr__op_conv_grad_weight, .name = "conv_grad_weight.onednn", DNN};
const gr__kernel gr__cpu_conv_grad_weight_own = {.op = &gr__op_conv_grad_weight, .name = "conv_grad_weight.own", OWN};
