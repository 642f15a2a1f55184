/* The registry and what element-wise ops share. */
#include "op/op.h"

#include <string.h>

const gr__op *const gr__ops[] = {
#define GR_X(name) &gr__op_##name,
#include "op/ops.def"
#undef GR_X
};
const int gr__n_ops = (int)GR__COUNT(gr__ops);

const gr__op *gr__op_find(const char *name)
{
    for (int i = 0; i < gr__n_ops; i++)
        if (strcmp(gr__ops[i]->name, name) == 0) return gr__ops[i];
    return NULL;
}

/* ---- shape rules ---- */

gr_dtype gr__wider(gr_dtype a, gr_dtype b)
{
    if (a == GR_F64 || b == GR_F64) return GR_F64;
    return a == GR_F32 || b == GR_F32 ? GR_F32 : a;
}

gr_status gr__broadcast(const char *op, const gr__value *a, const gr__value *b, int *rank, int64_t *dim)
{
    char sa[96], sb[96];
    int r = GR__MAX(a->rank, b->rank);
    for (int i = 0; i < r; i++) {
        int64_t x = i < r - a->rank ? 1 : a->dim[i - (r - a->rank)];
        int64_t y = i < r - b->rank ? 1 : b->dim[i - (r - b->rank)];
        GR_FAIL_IF(x != y && x != 1 && y != 1, GR_ERR_SHAPE, "%s: shapes %s and %s do not fit in axis %d", op,
                   gr__shape_text(sa, a->rank, a->dim), gr__shape_text(sb, b->rank, b->dim), i);
        dim[i] = x == 1 ? y : x;
    }
    *rank = r;
    return GR_OK;
}

gr_status gr__want_given(const gr__infer *c, int i)
{
    GR_FAIL_IF(!gr__given(c, i), GR_ERR_ARGUMENT, "%s: operand %d is missing", c->op, i);
    return GR_OK;
}

gr_status gr__want_float(const gr__infer *c, int i)
{
    GR_TRY(gr__want_given(c, i));
    GR_FAIL_IF(!gr__is_float(c->in[i]->dtype), GR_ERR_DTYPE, "%s: operand %d is %s, not f64, f32 or bf16", c->op, i,
               gr_dtype_name(c->in[i]->dtype));
    return GR_OK;
}

gr_status gr__want_dtype(const gr__infer *c, int i, gr_dtype want)
{
    GR_TRY(gr__want_given(c, i));
    GR_FAIL_IF(c->in[i]->dtype != want, GR_ERR_DTYPE, "%s: operand %d is %s, not %s", c->op, i,
               gr_dtype_name(c->in[i]->dtype), gr_dtype_name(want));
    return GR_OK;
}

gr_status gr__want_rank(const gr__infer *c, int i, int rank)
{
    char s[96];
    GR_TRY(gr__want_given(c, i));
    GR_FAIL_IF(c->in[i]->rank != rank, GR_ERR_SHAPE, "%s: operand %d has shape %s, not %d axes", c->op, i,
               gr__shape_text(s, c->in[i]->rank, c->in[i]->dim), rank);
    return GR_OK;
}

bool gr__same_shape(const gr__value *a, const gr__value *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

gr_status gr__want_out_dtype(const gr__infer *c, gr_dtype x, gr_dtype out)
{
    GR_FAIL_IF(!gr__is_float(out) || (out == GR_F64) != (x == GR_F64), GR_ERR_DTYPE, "%s: %s operands cannot give %s",
               c->op, gr_dtype_name(x), gr_dtype_name(out));
    return GR_OK;
}

gr_status gr__want_shape(const gr__infer *c, int i, int rank, const int64_t *dim, const char *what)
{
    char got[96], want[96];
    GR_TRY(gr__want_given(c, i));
    const gr__value *v = c->in[i];
    bool same = v->rank == rank;
    for (int k = 0; same && k < rank; k++) same = v->dim[k] == dim[k];
    GR_FAIL_IF(!same, GR_ERR_SHAPE, "%s: operand %d (%s) has shape %s, not %s", c->op, i, what,
               gr__shape_text(got, v->rank, v->dim), gr__shape_text(want, rank, dim));
    return GR_OK;
}

/* ---- element-wise ---- */

gr_status gr__infer_map(gr__infer *c)
{
    gr__value *out = &c->out[0];
    *out = *c->in[0];
    for (int i = 0; i < c->n_in; i++) {
        GR_TRY(gr__want_float(c, i));
        if (i == 0) continue;
        gr__value so_far = *out;
        GR_TRY(gr__broadcast(c->op, &so_far, c->in[i], &out->rank, out->dim));
        out->dtype = gr__wider(so_far.dtype, c->in[i]->dtype);
    }
    return GR_OK;
}

gr_status gr__reference_map(const gr__args *a)
{
    const gr__map_attr *attr = a->attr;
    const gr__arg *out = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do {
        double x[3] = {0};
        for (int i = 0; i < a->n_in; i++) x[i] = gr__load(&a->in[i], gr__broadcast_offset(&a->in[i], out->rank, index));
        gr__store(out, gr__offset(out, index),
                  gr__map_scalar((gr__map_op)attr->op->map_op, x[0], x[1], x[2], attr->p0, attr->p1));
    } while (gr__next_index(out->rank, out->dim, index));
    return GR_OK;
}

gr__arg gr__arg_at(const gr__arg *a, int64_t offset)
{
    gr__arg moved = *a;
    moved.data = (char *)a->data + offset * (int64_t)gr_dtype_size_bytes(a->dtype);
    return moved;
}

void gr__copy_element(const gr__arg *to, int64_t to_offset, const gr__arg *from, int64_t from_offset)
{
    gr__arg t = gr__arg_at(to, to_offset), f = gr__arg_at(from, from_offset);
    memcpy(t.data, f.data, gr_dtype_size_bytes(to->dtype));
}

gr_status gr__reference_copy(const gr__args *a)
{
    const gr__arg *in = &a->in[0], *out = &a->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do gr__copy_element(out, gr__offset(out, index), in, gr__broadcast_offset(in, out->rank, index));
    while (gr__next_index(out->rank, out->dim, index));
    return GR_OK;
}

gr_value gr__map1(gr_graph *g, const gr__op *op, gr_value x, double p0, double p1)
{
    return gr__node_add(g, op, &x, 1, &(gr__map_attr){op, p0, p1}, NULL);
}

gr_value gr__map2(gr_graph *g, const gr__op *op, gr_value a, gr_value b)
{
    return gr__node_add(g, op, (gr_value[]){a, b}, 2, &(gr__map_attr){op, 0, 0}, NULL);
}

gr_value gr__map3(gr_graph *g, const gr__op *op, gr_value a, gr_value b, gr_value c)
{
    return gr__node_add(g, op, (gr_value[]){a, b, c}, 3, &(gr__map_attr){op, 0, 0}, NULL);
}

gr_value gr__map_grad(gr_graph *g, const gr__op *op, gr_value a, gr_value dy, const gr__map_attr *forward)
{
    return gr__node_add(g, op, (gr_value[]){a, dy}, 2, &(gr__map_attr){op, forward->p0, forward->p1}, NULL);
}

void gr__map_grad_again(gr__grad *c)
{
    const gr__node *n = c->node;
    if (c->need[1])
        c->in_grad[1] = gr__unbroadcast(c->g, gr__map_grad(c->g, n->op, n->in[0], c->out_grad[0], n->attr), n->in[1]);
}

bool gr__op_is_map(const gr__op *op) { return op->map_op != 0 || op == &gr__op_cast; }

int gr__axis(int axis, int rank) { return axis < 0 && axis >= -rank ? axis + rank : axis; }

bool gr__copy_dims(gr_graph *g, const char *builder, int rank, const int64_t *dim, int64_t *out)
{
    if (rank < 1 || rank > GR_MAX_RANK) return true;
    if (!dim) return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: %d axes without sizes", builder, rank);
    memcpy(out, dim, (size_t)rank * sizeof *dim);
    return true;
}

/* ---- for gradients ---- */

gr_value gr__unbroadcast(gr_graph *g, gr_value d, gr_value like)
{
    if (!d || !like) return 0;
    gr__value from = *gr__value_get(g, d), to = *gr__value_get(g, like);
    uint32_t axes = 0;
    int lead = from.rank - to.rank;
    for (int i = 0; i < from.rank; i++)
        if (i < lead || (to.dim[i - lead] == 1 && from.dim[i] != 1)) axes |= 1u << i;
    if (axes) d = gr_sum(g, d, axes, true);
    d = gr_reshape(g, d, to.rank, to.dim);
    return gr_cast(g, d, to.dtype);
}

gr_value gr__fill_like(gr_graph *g, gr_value like, double value)
{
    if (!like) return 0;
    gr__value v = *gr__value_get(g, like);
    return gr_fill(g, v.dtype, v.rank, v.dim, value);
}

gr_value gr__reshape_like(gr_graph *g, gr_value x, gr_value like)
{
    if (!like) return 0;
    gr__value v = *gr__value_get(g, like);
    return gr_reshape(g, x, v.rank, v.dim);
}

gr_value gr__expand(gr_graph *g, gr_value d, gr_value like, uint32_t axes)
{
    if (!d || !like) return 0;
    gr__value v = *gr__value_get(g, like), kept = v;
    for (int i = 0; i < v.rank; i++)
        if (axes >> i & 1u) kept.dim[i] = 1;
    return gr_broadcast_to(g, gr_reshape(g, d, kept.rank, kept.dim), v.rank, v.dim);
}

bool gr__grad_only_first(gr__grad *c, uint32_t harmless)
{
    for (int i = 1; i < c->node->n_out; i++)
        if (c->out_grad[i] && !(harmless >> i & 1u)) {
            gr__graph_fail(c->g, GR_ERR_UNSUPPORTED, "second derivatives of %s are not provided", c->node->op->name);
            return false;
        }
    return c->out_grad[0] != 0;
}

void gr__grad_zero(gr__grad *c) { (void)c; }
