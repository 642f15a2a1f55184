/* attention and its gradient on views: q, k, v and their gradients lie inside the projections' results. */
#include "backend/cpu/table.h"

#include "kernel/attention.h"
#include "op/attr.h"

static const void *optional(const gr__args *a, int i)
{
    return i < a->n_in && gr__arg_there(&a->in[i]) ? a->in[i].data : NULL;
}

/* Operands q, k, v; 'first' is that of start, lengths, key_mask. */
static bool fill(const gr__args *a, int first, gr__attention *x)
{
    const gr__attention_attr *o = a->attr;
    const gr__arg *q = &a->in[0], *k = &a->in[1], *v = &a->in[2];
    *x = (gr__attention){.batch = q->dim[0],
                         .tq = q->dim[1],
                         .heads = q->dim[2],
                         .d = q->dim[3],
                         .tk = k->dim[1],
                         .kv_heads = k->dim[2],
                         .dtype = q->dtype,
                         .kv_dtype = k->dtype,
                         .q = q->data,
                         .k = k->data,
                         .v = v->data,
                         .scale = (float)o->scale,
                         .causal = o->causal,
                         .window = o->window,
                         .q_start = optional(a, first),
                         .kv_len = optional(a, first + 1),
                         .key_mask = optional(a, first + 2),
                         .scratch = a->scratch};
    return gr__head_strides(q, x->q_stride) && gr__head_strides(k, x->k_stride) && gr__head_strides(v, x->v_stride);
}

static bool fill_forward(const gr__args *a, gr__attention *x)
{
    bool ok = fill(a, 3, x) && gr__head_strides(&a->out[0], x->o_stride);
    x->o = a->out[0].data;
    x->lse = a->wanted & 2 ? a->out[1].data : NULL;
    return ok;
}

/* q, k, v, o, lse, do, start, lengths, key_mask -> dq, dk, dv */
static bool fill_backward(const gr__args *a, gr__attention *x)
{
    bool ok = fill(a, 6, x) && gr__head_strides(&a->in[3], x->o_stride) &&
              gr__head_strides(&a->in[5], x->dout_stride) && (a->wanted & 7) == 7 &&
              gr__head_strides(&a->out[0], x->dq_stride) && gr__head_strides(&a->out[1], x->dk_stride) &&
              gr__head_strides(&a->out[2], x->dv_stride);
    x->o = a->in[3].data;
    x->lse = a->in[4].data;
    x->dout = a->in[5].data;
    x->dq = a->out[0].data;
    x->dk = a->out[1].data;
    x->dv = a->out[2].data;
    return ok;
}

static bool same_dtype(const gr__args *a)
{
    return gr__fast_float(&a->in[0]) && gr__fast_float(&a->in[1]) && a->in[2].dtype == a->in[1].dtype;
}

static bool applicable(const gr__args *a, char *why)
{
    gr__attention x;
    if (!same_dtype(a)) return gr__refuse(why, "dtype");
    return fill_forward(a, &x) ? true : gr__refuse(why, "the head axis is not contiguous");
}

static bool grad_applicable(const gr__args *a, char *why)
{
    gr__attention x;
    if (!same_dtype(a)) return gr__refuse(why, "dtype");
    if ((a->wanted & 7) != 7) return gr__refuse(why, "only some of the gradients are wanted");
    return fill_backward(a, &x) ? true : gr__refuse(why, "the head axis is not contiguous");
}

static size_t scratch(const gr__args *a)
{
    gr__attention x;
    fill_forward(a, &x);
    return gr__attention_forward_scratch_bytes(&x);
}

static size_t grad_scratch(const gr__args *a)
{
    static float there; /* pointers that will be set must look so */
    gr__attention x;
    fill_backward(a, &x);
    x.dq = x.dk = x.dv = &there;
    return gr__attention_backward_scratch_bytes(&x);
}

static gr_status attention(const gr__args *a, void *state)
{
    (void)state;
    gr__attention x;
    fill_forward(a, &x);
    gr__attention_forward(&x);
    return GR_OK;
}

static gr_status attention_grad(const gr__args *a, void *state)
{
    (void)state;
    gr__attention x;
    fill_backward(a, &x);
    gr__attention_backward(&x);
    return GR_OK;
}

const gr__kernel gr__cpu_attention = {.op = &gr__op_attention,
                                      .name = "attention",
                                      .in_strided = 7,
                                      .out_strided = 1,
                                      .applicable = applicable,
                                      .scratch_bytes = scratch,
                                      .run = attention};
const gr__kernel gr__cpu_attention_grad = {.op = &gr__op_attention_grad,
                                           .name = "attention_grad",
                                           .in_strided = 47,
                                           .out_strided = 7,
                                           .applicable = grad_applicable,
                                           .scratch_bytes = grad_scratch,
                                           .run = attention_grad};
