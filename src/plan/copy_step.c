#include "kernel/copy.h"
#include "plan/plan.h"

static gr_status run(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *from = &a->in[0], *to = &a->out[0];
    gr__copy_strided(to->data, to->stride, from->data, from->stride, to->dim, to->rank, gr_dtype_size_bytes(to->dtype));
    return GR_OK;
}

const gr__kernel gr__kernel_copy = {.name = "copy", .in_strided = 1, .out_strided = 1, .run = run};
