/* a (..., M, K) times b (..., K, N), batch axes broadcast; sums in f32 (f64 for f64). */
#include "op/op.h"

#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr_matmul_options *o = c->attr;
    const gr__value *a = c->in[0], *b = c->in[1];
    char sa[96], sb[96];
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_dtype(c, 1, a->dtype));
    GR_FAIL_IF(a->rank < 2 || b->rank < 2, GR_ERR_SHAPE, "matmul: shapes %s and %s need two axes or more",
               gr__shape_text(sa, a->rank, a->dim), gr__shape_text(sb, b->rank, b->dim));
    int64_t m = a->dim[a->rank - (o->transpose_a ? 1 : 2)], ka = a->dim[a->rank - (o->transpose_a ? 2 : 1)];
    int64_t n = b->dim[b->rank - (o->transpose_b ? 2 : 1)], kb = b->dim[b->rank - (o->transpose_b ? 1 : 2)];
    GR_FAIL_IF(ka != kb, GR_ERR_SHAPE, "matmul: %s%s and %s%s differ in the summed size (%lld, %lld)",
               gr__shape_text(sa, a->rank, a->dim), o->transpose_a ? "^T" : "", gr__shape_text(sb, b->rank, b->dim),
               o->transpose_b ? "^T" : "", (long long)ka, (long long)kb);
    gr__value batch_a = *a, batch_b = *b;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    gr__value *out = &c->out[0];
    GR_TRY(gr__broadcast("matmul", &batch_a, &batch_b, &out->rank, out->dim));
    GR_FAIL_IF(out->rank + 2 > GR_MAX_RANK, GR_ERR_SHAPE, "matmul: more than %d axes", GR_MAX_RANK);
    out->dim[out->rank++] = m;
    out->dim[out->rank++] = n;
    out->dtype = o->out_dtype ? o->out_dtype : a->dtype;
    GR_FAIL_IF(!gr__is_float(out->dtype) || (out->dtype == GR_F64) != (a->dtype == GR_F64) ||
                   (out->dtype == GR_BF16 && a->dtype == GR_F32),
               GR_ERR_DTYPE, "matmul: %s operands cannot give %s", gr_dtype_name(a->dtype), gr_dtype_name(out->dtype));
    if (c->n_in == 3 && c->in[2])
        GR_FAIL_IF(!gr__same_shape(c->in[2], out) || c->in[2]->dtype != out->dtype, GR_ERR_SHAPE,
                   "matmul: the operand to add to has another shape or dtype than the product");
    return GR_OK;
}

/* (..., R, C) seen as one matrix of all rows; x must not be transposed. */
static gr_value flat(gr_graph *g, gr_value x)
{
    return gr_value_rank(g, x) == 2 ? x : gr_reshape(g, x, 2, (int64_t[]){-1, gr_value_dim(g, x, -1)});
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    const gr_matmul_options *o = c->node->attr;
    gr_value a = c->node->in[0], b = c->node->in[1];
    gr_dtype dtype = gr_value_dtype(g, a);
    gr_value d = gr_cast(g, c->out_grad[0], dtype);
    if (c->need[0]) {
        gr_value da = o->transpose_a
                          ? gr_matmul(g, b, d, &(gr_matmul_options){.transpose_a = o->transpose_b, .transpose_b = true})
                          : gr_matmul(g, d, b, &(gr_matmul_options){.transpose_b = !o->transpose_b});
        c->in_grad[0] = gr__unbroadcast(g, da, a);
    }
    if (c->need[1]) {
        gr_value db;
        if (gr_value_rank(g, b) == 2 && !o->transpose_a) { /* a weight: one product over all rows */
            gr_value fa = flat(g, a), fd = flat(g, d);
            db = o->transpose_b ? gr_matmul(g, fd, fa, &(gr_matmul_options){.transpose_a = true})
                                : gr_matmul(g, fa, fd, &(gr_matmul_options){.transpose_a = true});
        } else {
            db = o->transpose_b
                     ? gr_matmul(g, d, a, &(gr_matmul_options){.transpose_a = true, .transpose_b = o->transpose_a})
                     : gr_matmul(g, a, d, &(gr_matmul_options){.transpose_a = !o->transpose_a});
        }
        c->in_grad[1] = gr__unbroadcast(g, db, b);
    }
    if (c->node->n_in == 3 && c->need[2]) c->in_grad[2] = c->out_grad[0];
}

static gr_status reference(const gr__args *x)
{
    const gr_matmul_options *o = x->attr;
    const gr__arg *a = &x->in[0], *b = &x->in[1], *out = &x->out[0];
    bool add = x->n_in == 3 && gr__arg_there(&x->in[2]);
    int ra = a->rank, rb = b->rank, ro = out->rank;
    int64_t k = a->dim[ra - (o->transpose_a ? 2 : 1)];
    int64_t a_row = a->stride[ra - (o->transpose_a ? 1 : 2)], a_k = a->stride[ra - (o->transpose_a ? 2 : 1)];
    int64_t b_col = b->stride[rb - (o->transpose_b ? 2 : 1)], b_k = b->stride[rb - (o->transpose_b ? 1 : 2)];
    gr__arg batch_a = *a, batch_b = *b;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    int64_t index[GR_MAX_RANK] = {0};
    do {
        int64_t pa = gr__broadcast_offset(&batch_a, ro - 2, index) + index[ro - 2] * a_row;
        int64_t pb = gr__broadcast_offset(&batch_b, ro - 2, index) + index[ro - 1] * b_col;
        double sum = add ? gr__load(&x->in[2], gr__offset(&x->in[2], index)) : 0;
        for (int64_t i = 0; i < k; i++) sum += gr__load(a, pa + i * a_k) * gr__load(b, pb + i * b_k);
        gr__store(out, gr__offset(out, index), sum);
    } while (gr__next_index(ro, out->dim, index));
    return GR_OK;
}

static double flops(const gr__args *x)
{
    const gr_matmul_options *o = x->attr;
    return 2.0 * (double)gr__arg_count(&x->out[0]) * (double)x->in[0].dim[x->in[0].rank - (o->transpose_a ? 2 : 1)];
}

static const gr__case cases[] = {
    {.name = "plain", .n_in = 2, .in = {{2, {5, 7}}, {2, {7, 3}}}, .attr = &(gr_matmul_options){0}},
    {.name = "a^T", .n_in = 2, .in = {{2, {7, 5}}, {2, {7, 3}}}, .attr = &(gr_matmul_options){.transpose_a = true}},
    {.name = "b^T", .n_in = 2, .in = {{2, {5, 7}}, {2, {3, 7}}}, .attr = &(gr_matmul_options){.transpose_b = true}},
    {.name = "both",
     .n_in = 2,
     .in = {{2, {7, 5}}, {2, {3, 7}}},
     .attr = &(gr_matmul_options){.transpose_a = true, .transpose_b = true}},
    {.name = "batch", .n_in = 2, .in = {{3, {2, 5, 7}}, {3, {2, 7, 3}}}, .attr = &(gr_matmul_options){0}},
    {.name = "weight",
     .n_in = 2,
     .in = {{3, {2, 5, 7}}, {2, {3, 7}}},
     .attr = &(gr_matmul_options){.transpose_b = true}},
    {.name = "broadcast", .n_in = 2, .in = {{4, {2, 1, 4, 3}}, {3, {3, 3, 5}}}, .attr = &(gr_matmul_options){0}},
    {.name = "add", .n_in = 3, .in = {{2, {33, 17}}, {2, {17, 18}}, {2, {33, 18}}}, .attr = &(gr_matmul_options){0}},
    {.name = "larger",
     .n_in = 2,
     .in = {{2, {65, 130}}, {2, {130, 70}}},
     .attr = &(gr_matmul_options){0},
     .slow_grad = true},
    {.name = "one row",
     .n_in = 2,
     .in = {{2, {1, 64}}, {2, {50, 64}}},
     .attr = &(gr_matmul_options){.transpose_b = true}},
    {.name = "view", .n_in = 2, .in = {{3, {4, 3, 5}, .swap_b = 1}, {2, {5, 6}}}, .attr = &(gr_matmul_options){0}},
    {.name = "misfit",
     .n_in = 2,
     .in = {{2, {5, 7}}, {2, {6, 3}}},
     .attr = &(gr_matmul_options){0},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_matmul = {
    .name = "matmul",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .attr_bytes = sizeof(gr_matmul_options),
    .flags = GR__OP_OUT_DTYPE | GR__OP_ACCUMULATE,
    .autocast = GR__CAST_LOW,
    .float_in = 3,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 3,
    .reference = reference,
    .flops = flops,
    .alias = {3},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

/* Member by member: the padding of the caller's options is nobody's (op/attr.h). */
static gr_value product(gr_graph *g, const gr_value *in, int n_in, const gr_matmul_options *options)
{
    gr_matmul_options o;
    memset(&o, 0, sizeof o);
    if (options) {
        o.out_dtype = options->out_dtype;
        o.transpose_a = options->transpose_a;
        o.transpose_b = options->transpose_b;
    }
    return gr__node_add(g, &gr__op_matmul, in, n_in, &o, NULL);
}

gr_value gr_matmul(gr_graph *g, gr_value a, gr_value b, const gr_matmul_options *options)
{
    return product(g, (gr_value[]){a, b}, 2, options);
}

gr_value gr_matmul_add(gr_graph *g, gr_value a, gr_value b, gr_value accumulate, const gr_matmul_options *options)
{
    return product(g, (gr_value[]){a, b, accumulate}, 3, options);
}
