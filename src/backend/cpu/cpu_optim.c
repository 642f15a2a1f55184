#include "backend/cpu/table.h"

#include "kernel/copy.h"
#include "op/optim.h"

static const gr__arg *operand(const gr__args *a, int i)
{
    return i < a->n_in && gr__arg_there(&a->in[i]) ? &a->in[i] : NULL;
}

static double number(const gr__args *a, int i, double otherwise)
{
    const gr__arg *x = operand(a, i);
    return x ? gr__load(x, 0) : otherwise;
}

static bool applicable(const gr__args *a, char *why)
{
    for (int i = 0; i < 3; i++)
        if (gr__arg_there(&a->out[i]) && a->out[i].dtype != GR_F32) return gr__refuse(why, "dtype");
    if (!gr__fast_float(&a->in[GR__OPTIM_G])) return gr__refuse(why, "dtype of the gradient");
    if (!gr__arg_there(&a->out[0])) return gr__refuse(why, "the parameter is not wanted");
    return true;
}

/* The kernel works in place: results that are not over their operand begin as a copy of it. */
static float *seeded(const gr__args *a, int out, int in)
{
    const gr__arg *x = operand(a, in), *y = &a->out[out];
    if (!x) return NULL;
    if (!gr__arg_there(y)) return x->data;
    if (y->data != x->data) gr__copy(y->data, x->data, (size_t)gr__arg_count(x) * sizeof(float));
    return y->data;
}

static gr_status run(const gr__args *a, void *state)
{
    (void)state;
    const gr__optim_attr *o = a->attr;
    gr__optim job = {.kind = o->kind,
                     .count = gr__arg_count(&a->in[GR__OPTIM_P]),
                     .g = a->in[GR__OPTIM_G].data,
                     .g_dtype = a->in[GR__OPTIM_G].dtype,
                     .copy = a->out[GR__OPTIM_OUT_COPY].data,
                     .gscale = number(a, GR__OPTIM_GSCALE, 1),
                     .lr = number(a, GR__OPTIM_LR, 0) * o->lr_scale,
                     .beta1 = o->beta1,
                     .beta2 = o->beta2,
                     .eps = o->eps,
                     .weight_decay = o->weight_decay,
                     .correction1 = number(a, GR__OPTIM_C1, 1),
                     .correction2 = number(a, GR__OPTIM_C2, 1),
                     .coupled = o->coupled,
                     .nesterov = o->nesterov,
                     .p = seeded(a, 0, GR__OPTIM_P),
                     .m = seeded(a, 1, GR__OPTIM_M),
                     .v = seeded(a, 2, GR__OPTIM_V)};
    gr__optim_run(&job);
    return GR_OK;
}

const gr__kernel gr__cpu_optim = {.op = &gr__op_optim, .name = "optim", .applicable = applicable, .run = run};
