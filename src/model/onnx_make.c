/* Operators that make arrays, and those that pick elements by index. */
#include "model/onnx_op.h"

#include "base/limits.h"
#include "graph/op_row.h"

#include <math.h>
#include <string.h>

gr_status gr__onnx_identity(gr__onnx_call *c) { return gr__onnx_same(c, 0, &c->in[0]); }

gr_status gr__onnx_constant(gr__onnx_call *c)
{
    const gr__onnx_node *n = c->node;
    if (n->n_attributes != 1) return gr__onnx_invalid(c, "it has %zu attributes, not 1", n->n_attributes);
    const gr__onnx_attribute *a = &n->attribute[0];
    gr_tensor t = {.rank = a->kind == GR__ONNX_FLOATS || a->kind == GR__ONNX_INTS, .dim = {(int64_t)a->n}};
    const void *data = NULL;
    switch (a->kind) {
    case GR__ONNX_TENSOR:
        if (a->t->why) return gr__onnx_refuse(c, "its numbers cannot be read: %s", a->t->why);
        return gr__onnx_import(c->b, &a->t->tensor, &c->out[0]);
    case GR__ONNX_FLOAT: t.dtype = GR_F32, data = &a->f; break;
    case GR__ONNX_FLOATS: t.dtype = GR_F32, data = a->floats; break;
    case GR__ONNX_INT: t.dtype = GR_I64, data = &a->i; break;
    case GR__ONNX_INTS: t.dtype = GR_I64, data = a->ints; break;
    default: return gr__onnx_refuse(c, "'%s' is of a kind that is not supported", a->name);
    }
    memcpy(&t.data, &data, sizeof data);
    return gr__onnx_import(c->b, &t, &c->out[0]);
}

gr_status gr__onnx_constant_of_shape(gr__onnx_call *c)
{
    int64_t dim[GR_MAX_RANK];
    int rank;
    bool there, empty = false;
    const gr__onnx_attribute *a = gr__onnx_attr(c, "value");
    gr_dtype t = GR_F32;
    double number = 0;
    GR_TRY(gr__onnx_list(c, 0, NULL, dim, GR_MAX_RANK, &rank, &there));
    if (a && a->kind == GR__ONNX_TENSOR) {
        if (a->t->why) return gr__onnx_refuse(c, "its number cannot be read: %s", a->t->why);
        if (gr_tensor_count(&a->t->tensor) != 1) return gr__onnx_invalid(c, "'value' has not 1 element");
        t = a->t->tensor.dtype;
        number = gr_tensor_get(&a->t->tensor, 0);
    }
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0) return gr__onnx_invalid(c, "size %lld", (long long)dim[i]);
        empty = empty || dim[i] == 0;
    }
    if (empty) return gr__onnx_set_empty(c, 0, t, rank, dim);
    return gr__onnx_set(c, 0, gr_fill(c->g, gr__onnx_stored(t), rank, dim, number), t);
}

gr_status gr__onnx_range(gr__onnx_call *c)
{
    double start, limit, step;
    GR_TRY(gr__onnx_number(c, 0, &start));
    GR_TRY(gr__onnx_number(c, 1, &limit));
    GR_TRY(gr__onnx_number(c, 2, &step));
    double count = ceil((limit - start) / step);
    if (!(step != 0) || isnan(count) || count > GR__LIMIT_ONNX_BAKED)
        return gr__onnx_refuse(c, "from %g to %g by %g", start, limit, step);
    int64_t n = count > 0 ? (int64_t)count : 0;
    double *x = gr__arena_alloc(&c->b->arena, (size_t)(n + 1) * sizeof *x);
    if (!x) return gr__fail_memory("a range", (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = start + (double)i * step;
    return gr__onnx_set_numbers(c, 0, c->in[0].dtype, 1, &n, x);
}

/* i32 indices, negative ones counted from the end of 'size'. */
static gr_value indices(gr_graph *g, gr_value ids, int64_t size)
{
    gr_value zero = gr_scalar(g, GR_F64, 0);
    ids = gr_where(g, gr_greater(g, zero, ids), gr_affine(g, ids, 1, (double)size), ids);
    return gr_cast(g, ids, GR_I32);
}

/* Indices that are known now must lie in the axis; those that are not give zeros where they do not. */
static gr_status check_indices(const gr__onnx_call *c, int i, int64_t size)
{
    const double *x;
    int64_t n;
    const gr__node *made = gr__producer(c->g, c->in[i].v);
    if (!made || strcmp(made->op->name, "constant") != 0) return GR_OK;
    GR_TRY(gr__onnx_known(c, i, &x, &n));
    for (int64_t k = 0; k < n; k++)
        if (x[k] < -(double)size || x[k] >= (double)size)
            return gr__onnx_invalid(c, "index %g of an axis of size %lld", x[k], (long long)size);
    return GR_OK;
}

gr_status gr__onnx_gather(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0], *ids = &c->in[1];
    int axis, order[GR_MAX_RANK], k = 1, rank = x->rank - 1 + ids->rank;
    int64_t dim[2 * GR_MAX_RANK], rest = 1;
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", 0), x->rank, &axis));
    if (!gr__onnx_is_int(ids->dtype)) return gr__onnx_invalid(c, "its indices are %s", gr_dtype_name(ids->dtype));
    if (rank > GR_MAX_RANK || ids->rank + 1 > GR_MAX_RANK) return gr__onnx_refuse(c, "a result with %d axes", rank);
    if (!ids->v) {
        for (int i = 0; i < rank; i++)
            dim[i] = i < axis ? x->dim[i] : i < axis + ids->rank ? ids->dim[i - axis] : x->dim[i - ids->rank + 1];
        return gr__onnx_set_empty(c, 0, x->dtype, rank, dim);
    }
    if (!x->v) return gr__onnx_refuse(c, "operand 0 has no elements");
    GR_TRY(check_indices(c, 1, x->dim[axis]));
    order[0] = axis;
    for (int i = 0; i < ids->rank; i++) dim[i] = ids->dim[i];
    for (int i = 0; i < x->rank; i++) {
        if (i == axis) continue;
        rest *= x->dim[i];
        dim[ids->rank + k - 1] = x->dim[i];
        order[k++] = i;
    }
    gr_value table = gr_reshape(g, gr_permute(g, x->v, order), 2, (int64_t[]){x->dim[axis], rest});
    gr_value y = gr_reshape(g, gr_embedding(g, table, indices(g, ids->v, x->dim[axis])), rank, dim);
    /* (ids, before, behind) -> (before, ids, behind) */
    for (int i = 0; i < rank; i++) order[i] = i < axis ? ids->rank + i : i < axis + ids->rank ? i - axis : i;
    return gr__onnx_set(c, 0, gr_permute(g, y, order), x->dtype);
}

gr_status gr__onnx_gather_elements(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0], *ids = &c->in[1];
    int axis, rank = x->rank;
    gr_value table = x->v;
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", 0), rank, &axis));
    if (ids->rank != rank || rank + 1 > GR_MAX_RANK) return gr__onnx_refuse(c, "indices with %d axes", ids->rank);
    for (int i = 0; i < rank; i++) {
        if (i == axis || ids->dim[i] == x->dim[i]) continue;
        if (ids->dim[i] > x->dim[i]) return gr__onnx_invalid(c, "more indices than elements in axis %d", i);
        table = gr_slice(g, table, i, 0, ids->dim[i]);
    }
    GR_TRY(check_indices(c, 1, x->dim[axis]));
    gr_value at = gr__onnx_to_end(g, indices(g, ids->v, x->dim[axis]), axis);
    table = gr__onnx_to_end(g, table, axis);
    GR_TRY(gr_graph_status(g));
    gr__value shape = *gr__value_get(g, table);
    shape.dim[rank] = shape.dim[rank - 1];
    shape.dim[rank - 1] = 1;
    table = gr_reshape(g, table, rank + 1, shape.dim);
    shape.dim[rank - 1] = ids->dim[axis];
    gr_value y = gr_pick(g, gr_broadcast_to(g, table, rank + 1, shape.dim), at);
    return gr__onnx_set(c, 0, gr__onnx_from_end(g, y, axis), x->dtype);
}

gr_status gr__onnx_trilu(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    const gr__onnx_value *x = &c->in[0];
    double k = 0;
    bool upper = gr__onnx_int(c, "upper", 1) != 0;
    if (x->rank < 2) return gr__onnx_invalid(c, "its operand has %d axes", x->rank);
    if (!x->v) return gr__onnx_same(c, 0, x);
    if (gr__onnx_has(c, 1)) GR_TRY(gr__onnx_number(c, 1, &k));
    int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    if (rows > (int64_t)1 << 24 || columns > (int64_t)1 << 24) return gr__onnx_refuse(c, "a matrix of that size");
    int64_t n = rows > columns ? rows : columns;
    double *line = gr__arena_alloc(&c->b->arena, (size_t)n * sizeof *line);
    if (!line) return gr__fail_memory("a line", (size_t)n * sizeof *line);
    for (int64_t i = 0; i < n; i++) line[i] = (double)i;
    gr_value row = gr_constant(g, &(gr_tensor){.dtype = GR_F64, .rank = 2, .dim = {rows, 1}, .data = line});
    gr_value column = gr_constant(g, &(gr_tensor){.dtype = GR_F64, .rank = 1, .dim = {columns}, .data = line});
    gr_value edge = gr_affine(g, row, 1, k);
    gr_value keep = upper ? gr_greater_equal(g, column, edge) : gr_greater_equal(g, edge, column);
    gr_dtype stored = gr__onnx_stored(x->dtype);
    return gr__onnx_set(c, 0, gr_where(g, gr_cast(g, keep, GR_F32), x->v, gr_scalar(g, stored, 0)), x->dtype);
}

gr_status gr__onnx_one_hot(gr__onnx_call *c)
{
    gr_graph *g = c->g;
    double depth;
    gr_dtype t = c->in[2].dtype, stored = gr__onnx_stored(t);
    int axis, rank = c->in[0].rank + 1;
    GR_TRY(gr__onnx_number(c, 1, &depth));
    if (!(depth >= 1) || depth > GR__LIMIT_ONNX_BAKED || rank > GR_MAX_RANK)
        return gr__onnx_refuse(c, "a depth of %g", depth);
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", -1), rank, &axis));
    if (gr__onnx_count(&c->in[2]) != 2) return gr__onnx_invalid(c, "its values are not two");
    gr_value off = gr_reshape(g, gr_slice(g, c->in[2].v, 0, 0, 1), 0, NULL);
    gr_value on = gr_reshape(g, gr_slice(g, c->in[2].v, 0, 1, 1), 0, NULL);
    gr_value ids = indices(g, gr_cast(g, c->in[0].v, GR_F64), (int64_t)depth);
    gr_value hot = gr_one_hot(g, ids, (int64_t)depth, stored);
    return gr__onnx_set(c, 0, gr__onnx_from_end(g, gr_where(g, hot, on, off), axis), t);
}
