/* softmax, log_softmax and their gradients, and the cross-entropy of stored logits. */
#include "backend/cpu/table.h"

#include "kernel/softmax.h"
#include "op/op.h"

static bool applicable(const gr__args *a, char *why) { return gr__all_fast(a) ? true : gr__refuse(why, "dtype"); }

static gr__softmax job(const gr__args *a, bool log)
{
    int64_t c = gr__last_dim(&a->in[0]);
    return (gr__softmax){.rows = gr__arg_count(&a->in[0]) / c, .c = c, .log = log};
}

static gr_status forward(const gr__args *a, bool log)
{
    gr__softmax s = job(a, log);
    s.x = gr__rows_of(&a->in[0]);
    s.y = gr__rows_of(&a->out[0]);
    gr__softmax_forward(&s);
    return GR_OK;
}

/* operands y, dy */
static gr_status backward(const gr__args *a, bool log)
{
    gr__softmax s = job(a, log);
    s.y = gr__rows_of(&a->in[0]);
    s.dy = gr__rows_of(&a->in[1]);
    s.dx = gr__rows_of(&a->out[0]);
    gr__softmax_backward(&s);
    return GR_OK;
}

static gr_status softmax(const gr__args *a, void *state)
{
    (void)state;
    return forward(a, false);
}

static gr_status log_softmax(const gr__args *a, void *state)
{
    (void)state;
    return forward(a, true);
}

static gr_status softmax_grad(const gr__args *a, void *state)
{
    (void)state;
    return backward(a, false);
}

static gr_status log_softmax_grad(const gr__args *a, void *state)
{
    (void)state;
    return backward(a, true);
}

static gr_status cross_entropy(const gr__args *a, void *state)
{
    (void)state;
    gr__cross_entropy x = {.rows = a->in[0].dim[0],
                           .v = a->in[0].dim[1],
                           .logits = gr__rows_of(&a->in[0]),
                           .targets = a->in[1].data,
                           .loss = a->out[0].data,
                           .lse = a->out[1].data,
                           .scale = 1};
    gr__cross_entropy_run(&x);
    return GR_OK;
}

const gr__kernel gr__cpu_softmax = {.op = &gr__op_softmax, .name = "softmax", .applicable = applicable, .run = softmax};
const gr__kernel gr__cpu_log_softmax = {
    .op = &gr__op_log_softmax, .name = "log_softmax", .applicable = applicable, .run = log_softmax};
const gr__kernel gr__cpu_softmax_grad = {
    .op = &gr__op_softmax_grad, .name = "softmax_grad", .applicable = applicable, .run = softmax_grad};
const gr__kernel gr__cpu_log_softmax_grad = {
    .op = &gr__op_log_softmax_grad, .name = "log_softmax_grad", .applicable = applicable, .run = log_softmax_grad};
const gr__kernel gr__cpu_cross_entropy = {
    .op = &gr__op_cross_entropy, .name = "cross_entropy", .applicable = applicable, .run = cross_entropy};
