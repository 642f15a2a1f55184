/* A number that the session's control block gives at each run. */
#include "op/attr.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    const gr__control_attr *a = c->attr;
    GR_FAIL_IF((unsigned)a->kind >= GR_CONTROL_KIND_COUNT, GR_ERR_ARGUMENT, "control: %d is not a kind", (int)a->kind);
    c->out[0].dtype = GR_F32;
    c->out[0].rank = 0;
    return GR_OK;
}

static gr_status reference(const gr__args *x)
{
    const gr__control_attr *a = x->attr;
    const gr__control *control = x->control;
    double value =
        a->kind == GR_CONTROL_LR ? control->learning_rate : 1 - pow(a->parameter, (double)(control->update + 1));
    gr__store(&x->out[0], 0, value);
    return GR_OK;
}

static const gr__case cases[] = {
    {.name = "learning rate", .attr = &(gr__control_attr){.kind = GR_CONTROL_LR, .parameter = 0}},
    {.name = "beta 0.9", .attr = &(gr__control_attr){.kind = GR_CONTROL_BIAS_CORRECTION, .parameter = 0.9}},
    {.name = "beta 0", .attr = &(gr__control_attr){.kind = GR_CONTROL_BIAS_CORRECTION, .parameter = 0}},
    {.name = "unknown",
     .attr = &(gr__control_attr){.kind = GR_CONTROL_KIND_COUNT, .parameter = 0},
     .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_control = {
    .name = "control",
    .n_out = 1,
    .attr_bytes = sizeof(gr__control_attr),
    .flags = GR__OP_LEAF,
    .infer = infer,
    .no_grad = "it has no operands",
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_control(gr_graph *g, gr_control_kind kind, double parameter)
{
    return gr__node_add(g, &gr__op_control, NULL, 0, &(gr__control_attr){.kind = kind, .parameter = parameter}, NULL);
}
