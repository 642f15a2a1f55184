/* Products of matrices, and rotary positions. */
#include "model/onnx_op.h"

#include <string.h>

gr_status gr__onnx_gemm(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    double alpha = gr__onnx_float(c, "alpha", 1), beta = gr__onnx_float(c, "beta", 1);
    gr_matmul_options o = {.transpose_a = gr__onnx_int(c, "transA", 0) != 0,
                           .transpose_b = gr__onnx_int(c, "transB", 0) != 0};
    if (c->in[0].rank != 2 || c->in[1].rank != 2) return gr__onnx_invalid(c, "its operands are not matrices");
    gr_value y = gr_matmul(g, c->in[0].v, c->in[1].v, &o);
    if (alpha != 1) y = gr_affine(g, y, alpha, 0);
    if (gr__onnx_has(c, 2) && beta != 0) {
        gr_value bias = beta == 1 ? c->in[2].v : gr_affine(g, c->in[2].v, beta, 0);
        y = gr_add(g, y, bias);
    }
    return gr__onnx_set(c, 0, y, c->in[0].dtype);
}

/* A vector is a row on the left, a column on the right. */
gr_status gr__onnx_matmul(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *a = &c->in[0], *b = &c->in[1];
    if (!a->rank || !b->rank) return gr__onnx_invalid(c, "an operand has no axes");
    if (a->dtype != b->dtype) return gr__onnx_invalid(c, "its operands differ in dtype");
    gr_value x = a->rank == 1 ? gr_reshape(g, a->v, 2, (int64_t[]){1, a->dim[0]}) : a->v;
    gr_value y = b->rank == 1 ? gr_reshape(g, b->v, 2, (int64_t[]){b->dim[0], 1}) : b->v;
    gr_value z = gr_matmul(g, x, y, NULL);
    GR_TRY(gr_graph_status(g));
    gr__value shape = *gr__value_get(g, z);
    if (a->rank == 1) {
        shape.dim[shape.rank - 2] = shape.dim[shape.rank - 1];
        shape.rank--;
    }
    if (b->rank == 1) shape.rank--;
    return gr__onnx_set(c, 0, gr_reshape(g, z, shape.rank, shape.dim), a->dtype);
}

/* cos and sin (B, T, D/2), or (P, D/2) read at the positions (B, T). */
static gr_status table_at(gr__onnx_call *c, int i, int64_t batch, int64_t time, gr_value *out)
{
    gr_graph *g = c->g;
    gr_value t = c->in[i].v;
    if (gr__onnx_has(c, 3)) {
        if (c->in[i].rank != 2) return gr__onnx_invalid(c, "a table with %d axes, not 2", c->in[i].rank);
        t = gr_embedding(g, t, gr_cast(g, c->in[3].v, GR_I32));
    }
    GR_TRY(gr_graph_status(g));
    if (gr_value_rank(g, t) != 3) return gr__onnx_invalid(c, "cosines with %d axes, not 3", gr_value_rank(g, t));
    *out = gr_reshape(g, t, 4, (int64_t[]){batch, time, 1, gr_value_dim(g, t, 2)});
    return gr_graph_status(g);
}

/* x (B, H, T, D) or (B, T, H*D). */
gr_status gr__onnx_rotary(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    int64_t heads = gr__onnx_int(c, "num_heads", 0), part = gr__onnx_int(c, "rotary_embedding_dim", 0);
    bool pairs = gr__onnx_int(c, "interleaved", 0) != 0;
    gr_value y = x->v, cosine, sine;
    if (x->rank == 3) {
        if (heads < 1 || x->dim[2] % heads) return gr__onnx_invalid(c, "%lld heads", (long long)heads);
        y = gr_reshape(g, y, 4, (int64_t[]){x->dim[0], x->dim[1], heads, x->dim[2] / heads});
    } else if (x->rank == 4)
        y = gr_permute(g, y, (int[]){0, 2, 1, 3});
    else
        return gr__onnx_invalid(c, "its operand has %d axes", x->rank);
    GR_TRY(gr_graph_status(g));
    int64_t b = gr_value_dim(g, y, 0), t = gr_value_dim(g, y, 1), h = gr_value_dim(g, y, 2), d = gr_value_dim(g, y, 3);
    if (!part) part = d;
    if (part < 2 || part > d || part % 2)
        return gr__onnx_invalid(c, "%lld of %lld are turned", (long long)part, (long long)d);
    GR_TRY(table_at(c, 1, b, t, &cosine));
    GR_TRY(table_at(c, 2, b, t, &sine));
    gr_value turned = gr_slice(g, y, 3, 0, part), first, second;
    if (pairs) {
        gr_value two = gr_reshape(g, turned, 5, (int64_t[]){b, t, h, part / 2, 2});
        first = gr_reshape(g, gr_slice(g, two, 4, 0, 1), 4, (int64_t[]){b, t, h, part / 2});
        second = gr_reshape(g, gr_slice(g, two, 4, 1, 1), 4, (int64_t[]){b, t, h, part / 2});
    } else {
        first = gr_slice(g, turned, 3, 0, part / 2);
        second = gr_slice(g, turned, 3, part / 2, part / 2);
    }
    gr_value real = gr_sub(g, gr_mul(g, cosine, first), gr_mul(g, sine, second));
    gr_value imaginary = gr_add(g, gr_mul(g, sine, first), gr_mul(g, cosine, second));
    if (pairs) {
        int64_t column[] = {b, t, h, part / 2, 1};
        real = gr_reshape(g, real, 5, column);
        imaginary = gr_reshape(g, imaginary, 5, column);
    }
    gr_value z = gr_concat(g, (gr_value[]){real, imaginary}, 2, pairs ? 4 : 3);
    z = gr_reshape(g, z, 4, (int64_t[]){b, t, h, part});
    if (part < d) z = gr_concat(g, (gr_value[]){z, gr_slice(g, y, 3, part, d - part)}, 2, 3);
    z = x->rank == 3 ? gr_reshape(g, z, 3, x->dim) : gr_permute(g, z, (int[]){0, 2, 1, 3});
    return gr__onnx_set(c, 0, z, x->dtype);
}
