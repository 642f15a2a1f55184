/* Convolutions whose window is one place are products of matrices: channels are the last axis, so that nothing moves, and
 * the kernels of products (tiles, packed blocks, sums that are split among threads without waiting) do their work. */
#include "op/conv.h"
#include "pass/pass.h"

static bool is_pointwise(const gr__conv_attr *a, const gr__value *x, const gr__value *w, const gr__value *y)
{
    bool one = a->groups == 1;
    for (int i = 0; i < a->window.axes; i++)
        one = one && w->dim[2 + i] == 1 && x->dim[1 + i] == y->dim[1 + i] && a->window.before[i] == 0 &&
              a->window.after[i] == 0 && a->window.stride[i] <= 1;
    return one;
}

/* (..., C) as (all the rest, C); a weight (Cout, Cin, 1...) as (Cout, Cin). */
static gr_value rows(gr_graph *g, gr_value x) { return gr_reshape(g, x, 2, (int64_t[]){-1, gr_value_dim(g, x, -1)}); }
static gr_value matrix(gr_graph *g, gr_value w)
{
    return gr_reshape(g, w, 2, (int64_t[]){gr_value_dim(g, w, 0), gr_value_dim(g, w, 1)});
}

gr_value gr__pointwise(gr_graph *g, const gr__node *n)
{
    bool forward = n->op == &gr__op_conv, backward = n->op == &gr__op_conv_transpose,
         weight = n->op == &gr__op_conv_grad_weight;
    if ((!forward && !backward && !weight) || (n->n_in > 2 && n->in[2])) return 0;
    const gr__conv_attr *a = n->attr;
    const gr__value *first = gr__value_get(g, n->in[0]), *second = gr__value_get(g, n->in[1]),
                    *out = gr__value_get(g, n->out[0]);
    const gr__value *x = backward ? out : first, *w = weight ? out : second,
                    *y = backward ? first
                         : weight ? second
                                  : out;
    if (!is_pointwise(a, x, w, y)) return 0;
    gr__value shape = *out; /* values move when nodes are added */
    gr_matmul_options o = {.out_dtype = shape.dtype, .transpose_a = weight, .transpose_b = forward};
    gr_value p = weight ? gr_matmul(g, rows(g, n->in[1]), rows(g, n->in[0]), &o)
                        : gr_matmul(g, rows(g, n->in[0]), matrix(g, n->in[1]), &o);
    return gr_reshape(g, p, shape.rank, shape.dim);
}
