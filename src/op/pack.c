#include "op/pack.h"

#include "op/op.h"

/* (bytes) of an order that only the kernel knows */
static gr_status infer(gr__infer *c)
{
    const gr__pack_attr *a = c->attr;
    GR_TRY(gr__want_given(c, 0));
    c->out[0].dtype = GR_U8;
    c->out[0].rank = 1;
    c->out[0].dim[0] = (int64_t)a->bytes;
    return GR_OK;
}

static gr_status reference(const gr__args *a)
{
    (void)a;
    return gr__fail(GR_ERR_UNSUPPORTED, "pack: the order is the kernel's own");
}

const gr__op gr__op_pack = {
    .name = "pack",
    .min_in = 1,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__pack_attr),
    .flags = GR__OP_OPAQUE,
    .infer = infer,
    .no_grad = "packing comes after gradients",
    .reference = reference,
};
