/* Bags of rows of a table, and the gradient that adds into it. */
#include "backend/cpu/table.h"

#include "kernel/bag.h"
#include "kernel/copy.h"
#include "op/attr.h"

_Static_assert((int)GR__BAG_SUM == GR_BAG_SUM && (int)GR__BAG_MEAN == GR_BAG_MEAN && (int)GR__BAG_MAX == GR_BAG_MAX,
               "one enum shows the other");

static bool applicable(const gr__args *a, char *why)
{
    bool fast = gr__fast_float(&a->in[0]) && (!gr__wanted(a, 0) || gr__fast_float(&a->out[0]));
    if (!fast || (gr__arg_there(&a->in[2]) && a->n_in > 2 && a->in[2].dtype != GR_F32)) return gr__refuse(why, "dtype");
    return true;
}

static bool grad_applicable(const gr__args *a, char *why)
{
    if (a->out[0].dtype != GR_F32 || !gr__fast_float(&a->in[0])) return gr__refuse(why, "adds into f32 only");
    if (a->n_in > 2 && gr__arg_there(&a->in[2]) && a->in[2].dtype != GR_F32) return gr__refuse(why, "dtype");
    return true;
}

/* What both directions share; c: columns of the table. */
static gr__bag bag_of(const gr__args *a, int64_t v, int64_t c)
{
    const gr__bag_attr *o = a->attr;
    const gr__arg *ids = &a->in[1];
    int64_t t = ids->dim[ids->rank - 1];
    return (gr__bag){.how = (gr__bag_how)o->kind,
                     .bags = gr__arg_count(ids) / t,
                     .t = t,
                     .v = v,
                     .c = c,
                     .ids = ids->data,
                     .weight = a->n_in > 2 && gr__arg_there(&a->in[2]) ? a->in[2].data : NULL};
}

static gr_status forward(const gr__args *a, void *state)
{
    (void)state;
    gr__bag b = bag_of(a, a->in[0].dim[0], a->in[0].dim[1]);
    b.table = gr__rows_of(&a->in[0]);
    if (gr__wanted(a, 0)) b.y = gr__rows_of(&a->out[0]);
    if (gr__wanted(a, 1)) b.place = a->out[1].data;
    gr__bag_forward(&b);
    return GR_OK;
}

static gr_status backward(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *out = &a->out[0];
    gr__bag b = bag_of(a, out->dim[0], out->dim[1]);
    b.dy = gr__rows_of(&a->in[0]);
    b.places = a->n_in > 3 ? a->in[3].data : NULL;
    b.dtable = gr__rows_of(out);
    gr__fill_zero(out->data, (size_t)gr__arg_count(out) * sizeof(float));
    gr__bag_backward(&b);
    return GR_OK;
}

const gr__kernel gr__cpu_embedding_bag = {
    .op = &gr__op_embedding_bag, .name = "bag", .applicable = applicable, .run = forward};
const gr__kernel gr__cpu_embedding_bag_grad = {
    .op = &gr__op_embedding_bag_grad, .name = "bag_grad", .applicable = grad_applicable, .run = backward};
