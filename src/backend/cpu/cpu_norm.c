#include "backend/cpu/table.h"

#include "kernel/norm.h"
#include "op/attr.h"

static const float *vector(const gr__args *a, int i) { return i < a->n_in ? a->in[i].data : NULL; }

static gr__norm forward_of(const gr__args *a, int stats)
{
    const gr__norm_attr *o = a->attr;
    return (gr__norm){.c = gr__last_dim(&a->in[0]),
                      .rows = gr__arg_count(&a->in[0]) / gr__last_dim(&a->in[0]),
                      .x = gr__rows_of(&a->in[0]),
                      .gamma = vector(a, 1),
                      .beta = stats == 2 ? vector(a, 2) : NULL,
                      .eps = o->eps,
                      .y = gr__rows_of(&a->out[0]),
                      .mean = stats == 2 ? a->out[1].data : NULL,
                      .rstd = a->out[stats].data};
}

/* operands x, gamma, (mean,) rstd, dy, add; results dx, dgamma, (dbeta) */
static gr__norm backward_of(const gr__args *a, int stats)
{
    const gr__arg *dy = &a->in[2 + stats];
    bool has_add = a->n_in > 3 + stats && gr__arg_there(&a->in[3 + stats]);
    gr__norm n = {.c = gr__last_dim(&a->in[0]),
                  .rows = gr__arg_count(&a->in[0]) / gr__last_dim(&a->in[0]),
                  .x = gr__rows_of(&a->in[0]),
                  .gamma = vector(a, 1),
                  .mean = stats == 2 ? a->in[2].data : NULL,
                  .rstd = a->in[1 + stats].data,
                  .dy = gr__rows_of(dy),
                  .dgamma = a->out[1].data,
                  .dbeta = stats == 2 ? a->out[2].data : NULL,
                  .scratch = a->scratch};
    if (gr__arg_there(&a->out[0])) n.dx = gr__rows_of(&a->out[0]);
    if (has_add) n.add = gr__rows_of(&a->in[3 + stats]);
    return n;
}

static bool applicable(const gr__args *a, char *why)
{
    if (!gr__all_fast(a)) return gr__refuse(why, "dtype");
    for (int i = 1; i < a->n_in; i++)
        if (a->in[i].rank == 1 && a->in[i].dtype == GR_BF16) return gr__refuse(why, "gamma in bf16");
    return true;
}

static size_t scratch(const gr__args *a)
{
    int64_t c = gr__last_dim(&a->in[0]);
    return gr__norm_scratch_bytes(gr__arg_count(&a->in[0]) / c, c);
}

static gr_status layer_norm(const gr__args *a, void *state)
{
    (void)state;
    gr__norm n = forward_of(a, 2);
    gr__layer_norm_forward(&n);
    return GR_OK;
}

static gr_status rms_norm(const gr__args *a, void *state)
{
    (void)state;
    gr__norm n = forward_of(a, 1);
    gr__rms_norm_forward(&n);
    return GR_OK;
}

static gr_status layer_norm_grad(const gr__args *a, void *state)
{
    (void)state;
    gr__norm n = backward_of(a, 2);
    gr__layer_norm_backward(&n);
    return GR_OK;
}

static gr_status rms_norm_grad(const gr__args *a, void *state)
{
    (void)state;
    gr__norm n = backward_of(a, 1);
    gr__rms_norm_backward(&n);
    return GR_OK;
}

const gr__kernel gr__cpu_layer_norm = {
    .op = &gr__op_layer_norm, .name = "layer_norm", .applicable = applicable, .run = layer_norm};
const gr__kernel gr__cpu_rms_norm = {
    .op = &gr__op_rms_norm, .name = "rms_norm", .applicable = applicable, .run = rms_norm};
const gr__kernel gr__cpu_layer_norm_grad = {.op = &gr__op_layer_norm_grad,
                                            .name = "layer_norm_grad",
                                            .applicable = applicable,
                                            .scratch_bytes = scratch,
                                            .run = layer_norm_grad};
const gr__kernel gr__cpu_rms_norm_grad = {.op = &gr__op_rms_norm_grad,
                                          .name = "rms_norm_grad",
                                          .applicable = applicable,
                                          .scratch_bytes = scratch,
                                          .run = rms_norm_grad};
