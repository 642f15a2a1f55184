#include "backend/cpu/product.h"

#include "gradus/ops.h"
#include "kernel/copy.h"

#include <stdio.h>

/* Stride of an operand along axis i of the result's batch axes. */
static int64_t batch_stride(const gr__arg *x, int batch_rank, int i)
{
    int axis = i - (batch_rank - (x->rank - 2));
    return axis < 0 || x->dim[axis] == 1 ? 0 : x->stride[axis];
}

bool gr__product_of(const gr__args *args, gr__product *p, char *why)
{
    const gr_matmul_options *o = args->attr;
    const gr__arg *a = &args->in[0], *b = &args->in[1], *c = &args->out[0];
    int ra = a->rank, rb = b->rank, rc = c->rank, axes = rc - 2;
    *p = (gr__product){.batch = 1,
                       .m = c->dim[rc - 2],
                       .n = c->dim[rc - 1],
                       .k = a->dim[ra - (o->transpose_a ? 2 : 1)],
                       .a_row = a->stride[ra - (o->transpose_a ? 1 : 2)],
                       .a_col = a->stride[ra - (o->transpose_a ? 2 : 1)],
                       .b_row = b->stride[rb - (o->transpose_b ? 1 : 2)],
                       .b_col = b->stride[rb - (o->transpose_b ? 2 : 1)],
                       .c_row = c->stride[rc - 2],
                       .c_col = c->stride[rc - 1]};
    for (int i = axes - 1; i >= 0; i--) {
        int64_t size = c->dim[i];
        if (size == 1) continue;
        int64_t sa = batch_stride(a, axes, i), sb = batch_stride(b, axes, i), sc = c->stride[i];
        if (p->batch == 1 && sb == 0 && p->m == 1 && sa > 0 && sc > 0) {
            p->m = size, p->a_row = sa, p->c_row = sc; /* single rows: what lay between them meant nothing */
        } else if (p->batch == 1 && sb == 0 && sa == p->m * p->a_row && sc == p->m * p->c_row) {
            p->m *= size; /* rows of one taller matrix */
        } else if (p->batch == 1) {
            p->batch = size;
            p->a_batch = sa, p->b_batch = sb, p->c_batch = sc;
        } else if (sa == p->a_batch * p->batch && sb == p->b_batch * p->batch && sc == p->c_batch * p->batch) {
            p->batch *= size;
        } else {
            snprintf(why, GR__WHY_BYTES, "batch axes have no common stride");
            return false;
        }
    }
    return true;
}

void gr__product_seed(const gr__args *a)
{
    if (a->n_in < 3 || !gr__arg_there(&a->in[2]) || a->in[2].data == a->out[0].data) return;
    gr__copy_strided(a->out[0].data, a->out[0].stride, a->in[2].data, a->in[2].stride, a->out[0].dim, a->out[0].rank,
                     gr_dtype_size_bytes(a->out[0].dtype));
}
