/* Bags of rows of a table, added up, averaged or their largest, and the gradient of that in the table: neither holds the rows of
 * all bags. A bag is padded with ids outside the table, which do not count; an empty one gives zeros. */
#include "op/attr.h"

#include <math.h>

/* (..., C) of bags ids (..., T). */
static void row_of(const gr__value *ids, int64_t c, gr_dtype dtype, gr__value *out)
{
    *out = *ids;
    out->dim[out->rank - 1] = c;
    out->dtype = dtype;
}

/* ids and weights (optional) as operands 1 and 2. */
static gr_status want_bags(gr__infer *c, gr_bag_kind kind)
{
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    GR_FAIL_IF(c->in[1]->rank < 1, GR_ERR_SHAPE, "%s: ids need an axis that is the bag's", c->op);
    if (!gr__given(c, 2)) return GR_OK;
    GR_FAIL_IF(kind != GR_BAG_SUM, GR_ERR_ARGUMENT, "%s: weights are for sums", c->op);
    GR_TRY(gr__want_dtype(c, 2, gr__stats_dtype(c->in[0]->dtype)));
    return gr__want_shape(c, 2, c->in[1]->rank, c->in[1]->dim, "a factor of each row");
}

static gr_status infer(gr__infer *c)
{
    const gr__bag_attr *a = c->attr;
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 2));
    GR_TRY(want_bags(c, a->kind));
    const gr__value *table = c->in[0];
    row_of(c->in[1], table->dim[1], a->out_dtype ? a->out_dtype : table->dtype, &c->out[0]);
    row_of(c->in[1], table->dim[1], GR_I32, &c->out[1]);
    return gr__want_out_dtype(c, table->dtype, c->out[0].dtype);
}

/* ---- pieces of gradients and decompositions ---- */

/* (..., T) -> (..., T, 1) */
static gr_value column(gr_graph *g, gr_value x)
{
    gr__value v = *gr__value_get(g, x);
    v.dim[v.rank] = 1;
    return gr_reshape(g, x, v.rank + 1, v.dim);
}

/* d (..., C) -> (..., 1, C) */
static gr_value over_bag(gr_graph *g, gr_value d)
{
    gr__value v = *gr__value_get(g, d);
    v.dim[v.rank] = v.dim[v.rank - 1];
    v.dim[v.rank - 1] = 1;
    return gr_reshape(g, d, v.rank + 1, v.dim);
}

/* (..., T): 1 where the id is a row of the table. */
static gr_value counts_of(gr_graph *g, gr_value ids, int64_t rows, gr_dtype dtype)
{
    gr_value x = gr_cast(g, ids, dtype);
    gr_value high = gr_sub(g, gr_scalar(g, dtype, (double)rows), x),
             low = gr_greater_equal(g, x, gr_scalar(g, dtype, 0));
    return gr_mul(g, low, gr_greater(g, high, gr_scalar(g, dtype, 0)));
}

/* (...): how many count, one at least. */
static gr_value size_of(gr_graph *g, gr_value there)
{
    return gr_clamp(g, gr_sum(g, there, 1u << (gr_value_rank(g, there) - 1), false), 1, (double)INFINITY);
}

/* The gradient in weights: row times d, (..., T). */
static gr_value weight_grad(gr_graph *g, gr_value table, gr_value ids, gr_value d, gr_value weights)
{
    gr_value x = gr_mul(g, gr_embedding(g, table, ids), over_bag(g, d));
    return gr_cast(g, gr_sum(g, x, 1u << (gr_value_rank(g, x) - 1), false), gr_value_dtype(g, weights));
}

static gr_value bag_node(gr_graph *g, const gr_value in[3], gr_bag_kind kind, gr_dtype dtype, gr_value out[2])
{
    return gr__node_add(g, &gr__op_embedding_bag, in, 3, &(gr__bag_attr){dtype, kind, 0}, out);
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    const gr__bag_attr *a = c->node->attr;
    const gr_value *in = c->node->in;
    gr_value weights = c->node->n_in > 2 ? in[2] : 0, arg = a->kind == GR_BAG_MAX ? c->node->out[1] : 0;
    gr__bag_attr b = {gr_value_dtype(g, in[0]), a->kind, gr_value_dim(g, in[0], 0)};
    if (c->need[0])
        c->in_grad[0] =
            gr__node_add(g, &gr__op_embedding_bag_grad, (gr_value[]){c->out_grad[0], in[1], weights, arg}, 4, &b, NULL);
    if (weights && c->need[2]) c->in_grad[2] = weight_grad(g, in[0], in[1], c->out_grad[0], weights);
}

/* Without NaN: the largest is NaN where one is in the bag. */
static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__bag_attr *a = n->attr;
    gr_value table = n->in[0], ids = n->in[1], x = gr_embedding(g, table, ids);
    int axis = gr_value_rank(g, ids) - 1;
    gr_dtype wide = gr__stats_dtype(gr_value_dtype(g, table));
    x = gr_cast(g, x, wide);
    if (n->n_in > 2 && n->in[2]) x = gr_mul(g, x, column(g, n->in[2]));
    gr_value there = counts_of(g, ids, gr_value_dim(g, table, 0), wide), y = gr_sum(g, x, 1u << axis, false);
    out[1] = gr_cast(g, gr__fill_like(g, y, 0), GR_I32);
    if (a->kind == GR_BAG_MEAN) y = gr_div(g, y, column(g, size_of(g, there)));
    if (a->kind == GR_BAG_MAX) {
        x = gr_where(g, column(g, there), x, gr_scalar(g, wide, -(double)INFINITY));
        y = gr_where(g, column(g, gr_max(g, there, 1u << axis, false)), gr_max(g, x, 1u << axis, false),
                     gr_scalar(g, wide, 0));
        out[1] = gr_argmax(g, gr_transpose(g, x, -1, -2));
    }
    out[0] = gr_cast(g, y, a->out_dtype ? a->out_dtype : gr_value_dtype(g, table));
}

/* ---- references ---- */

static bool counts(const gr__arg *ids, int64_t bag, int64_t t, int64_t rows, int64_t *id)
{
    *id = gr__load_int(ids, bag + t * gr__step(ids));
    return *id >= 0 && *id < rows;
}

static gr_status reference(const gr__args *x)
{
    const gr__bag_attr *a = x->attr;
    const gr__arg *table = &x->in[0], *ids = &x->in[1], *like = gr__wanted(x, 0) ? &x->out[0] : &x->out[1];
    int64_t index[GR_MAX_RANK] = {0}, t_end = ids->dim[ids->rank - 1], id;
    do {
        if (index[ids->rank - 1] > 0) continue; /* of each bag once */
        for (int64_t j = 0; j < table->dim[1]; j++) {
            double sum = 0, most = 0;
            int64_t n = 0, at = 0, bag = gr__row(ids, index);
            for (int64_t t = 0; t < t_end; t++) {
                if (!counts(ids, bag, t, table->dim[0], &id)) continue;
                double v = gr__load(table, id * table->stride[0] + j * table->stride[1]);
                if (n++ == 0 || v > most || isnan(v)) most = v, at = t;
                sum += gr__has(x, 2) ? v * gr__load(&x->in[2], gr__row(&x->in[2], index) + t * gr__step(&x->in[2])) : v;
            }
            double y = a->kind == GR_BAG_MAX ? most : a->kind == GR_BAG_MEAN && n ? sum / (double)n : sum;
            int64_t to = gr__row(like, index) + j * gr__step(like);
            if (gr__wanted(x, 0)) gr__store(&x->out[0], to, y);
            if (gr__wanted(x, 1)) gr__store(&x->out[1], to, a->kind == GR_BAG_MAX ? (double)at : 0);
        }
    } while (gr__next_index(ids->rank, ids->dim, index));
    return GR_OK;
}

static double flops(const gr__args *x) { return (double)gr__arg_count(&x->in[1]) * (double)x->in[0].dim[1]; }

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
#define WEIGHTS .dtype = GR__STATS
static const gr__bag_attr sums = {GR_DTYPE_NONE, GR_BAG_SUM, 0}, means = {GR_DTYPE_NONE, GR_BAG_MEAN, 0},
                          largest = {GR_DTYPE_NONE, GR_BAG_MAX, 0};
#define TABLE(v, c)                                             \
    {                                                           \
        2, {v, c}, .fill = GR__FILL_DISTINCT, .lo = -1, .hi = 1 \
    }
static const gr__case cases[] = {
    {.name = "sum", .n_in = 2, .in = {TABLE(11, 5), {2, {3, 4}, IDS, .lo = -2, .hi = 13}}, .attr = &sums},
    {.name = "weighted",
     .n_in = 3,
     .in = {TABLE(7, 17), {3, {2, 3, 5}, IDS, .lo = -1, .hi = 8}, {3, {2, 3, 5}, WEIGHTS}},
     .attr = &sums},
    {.name = "mean", .n_in = 2, .in = {TABLE(7, 33), {2, {5, 6}, IDS, .lo = -3, .hi = 8}}, .attr = &means},
    {.name = "max", .n_in = 2, .in = {TABLE(9, 3), {2, {5, 4}, IDS, .lo = -3, .hi = 10}}, .attr = &largest},
    {.name = "empty, mean", .n_in = 2, .in = {TABLE(3, 4), {2, {2, 3}, IDS, .lo = 3, .hi = 9}}, .attr = &means},
    {.name = "empty, max", .n_in = 2, .in = {TABLE(3, 4), {2, {2, 3}, IDS, .lo = -9, .hi = -1}}, .attr = &largest},
    {.name = "one bag", .n_in = 2, .in = {TABLE(5, 1), {1, {7}, IDS, .hi = 5}}, .attr = &sums},
    {.name = "transposed",
     .n_in = 3,
     .in = {{2, {6, 5}, .swap_b = 1}, {2, {3, 4}, IDS, .hi = 6, .swap_b = 1}, {2, {3, 4}, WEIGHTS, .swap_b = 1}},
     .attr = &sums},
    {.name = "weighted mean",
     .n_in = 3,
     .in = {{2, {6, 5}}, {2, {3, 4}, IDS, .hi = 6}, {2, {3, 4}, WEIGHTS}},
     .attr = &means,
     .expect = GR_ERR_ARGUMENT},
    {.name = "misfit",
     .n_in = 3,
     .in = {{2, {6, 5}}, {2, {3, 4}, IDS, .hi = 6}, {2, {3, 3}, WEIGHTS}},
     .attr = &sums,
     .expect = GR_ERR_SHAPE},
    {.name = "scalar", .n_in = 2, .in = {{2, {6, 5}}, {0, {0}, IDS}}, .attr = &sums, .expect = GR_ERR_SHAPE},
    {.name = "vector", .n_in = 2, .in = {{1, {6}}, {1, {3}, IDS}}, .attr = &sums, .expect = GR_ERR_SHAPE},
    {.name = "float ids", .n_in = 2, .in = {{2, {6, 5}}, {1, {3}}}, .attr = &sums, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_embedding_bag = {
    .name = "embedding_bag",
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .attr_bytes = sizeof(gr__bag_attr),
    .flags = GR__OP_OUT_DTYPE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 7,
    .grad_reads_out = 2,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_embedding_bag(gr_graph *g, gr_value table, gr_value ids, const gr_bag_options *options)
{
    gr_bag_options o = options ? *options : (gr_bag_options){0};
    gr_value out[2] = {0};
    if ((unsigned)o.kind > GR_BAG_MAX)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "embedding_bag: there is no kind %d", (int)o.kind);
    gr_value weights = o.weights ? gr_cast(g, o.weights, gr__stats_dtype(gr_value_dtype(g, table))) : 0;
    bag_node(g, (gr_value[]){table, ids, weights}, o.kind, GR_DTYPE_NONE, out);
    return out[0];
}

/* ---- embedding_bag_grad(dy, ids, weights, arg) ---- */

static gr_status grad_infer(gr__infer *c)
{
    const gr__bag_attr *a = c->attr;
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(want_bags(c, a->kind));
    const gr__value *dy = c->in[0], *ids = c->in[1];
    gr__value like;
    GR_FAIL_IF(dy->rank < 1, GR_ERR_SHAPE, "%s: a scalar has no rows", c->op);
    row_of(ids, dy->dim[dy->rank - 1], dy->dtype, &like);
    GR_TRY(gr__want_shape(c, 0, like.rank, like.dim, "a row of each bag"));
    GR_FAIL_IF(a->v < 1 || a->v > (int64_t)1 << 40, GR_ERR_SHAPE, "%s: %lld rows", c->op, (long long)a->v);
    if (a->kind == GR_BAG_MAX) {
        GR_TRY(gr__want_dtype(c, 3, GR_I32));
        GR_TRY(gr__want_shape(c, 3, dy->rank, dy->dim, "where the largest are"));
    }
    c->out[0] = (gr__value){.rank = 2, .dim = {a->v, dy->dim[dy->rank - 1]}};
    c->out[0].dtype = a->out_dtype ? a->out_dtype : dy->dtype;
    return gr__want_out_dtype(c, dy->dtype, c->out[0].dtype);
}

/* (..., C) of d (V, C): d at the row that was the largest, in each column. */
static gr_value at_largest(gr_graph *g, gr_value d, gr_value ids, gr_value arg)
{
    gr_dtype dtype = gr_value_dtype(g, d);
    int rank = gr_value_rank(g, ids);
    gr_value rows = gr_transpose(g, gr_embedding(g, d, ids), -1, -2); /* (..., C, T) */
    gr_value here = gr_one_hot(g, arg, gr_value_dim(g, ids, rank - 1), dtype);
    return gr_sum(g, gr_mul(g, rows, here), 1u << rank, false);
}

static void grad_grad(gr__grad *c)
{
    gr_graph *g = c->g;
    const gr__bag_attr *a = c->node->attr;
    const gr_value *in = c->node->in;
    gr_value weights = c->node->n_in > 2 ? in[2] : 0, d = c->out_grad[0], out[2] = {0};
    if (c->need[0] && a->kind == GR_BAG_MAX)
        out[0] = gr_cast(g, at_largest(g, d, in[1], in[3]), gr_value_dtype(g, in[0]));
    else if (c->need[0])
        bag_node(g, (gr_value[]){d, in[1], weights}, a->kind, gr_value_dtype(g, in[0]), out);
    c->in_grad[0] = out[0];
    if (weights && c->need[2]) c->in_grad[2] = weight_grad(g, d, in[1], in[0], weights);
}

static void grad_decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    const gr__bag_attr *a = n->attr;
    gr_value ids = n->in[1], weights = n->n_in > 2 ? n->in[2] : 0;
    gr_dtype wide = gr__stats_dtype(gr_value_dtype(g, n->in[0]));
    gr_value there = counts_of(g, ids, a->v, wide), d = over_bag(g, gr_cast(g, n->in[0], wide)); /* (..., 1, C) */
    if (a->kind == GR_BAG_MEAN) d = gr_div(g, d, column(g, column(g, size_of(g, there))));
    if (a->kind == GR_BAG_MAX) {
        gr_value here = gr_one_hot(g, n->in[3], gr_value_dim(g, ids, gr_value_rank(g, ids) - 1), wide);
        d = gr_mul(g, d, gr_transpose(g, here, -1, -2));
    } else {
        d = gr_mul(g, d, column(g, weights ? weights : gr__fill_like(g, there, 1)));
    }
    d = gr_scatter_add(g, d, ids, a->v, 0);
    out[0] = gr_cast(g, d, a->out_dtype ? a->out_dtype : gr_value_dtype(g, n->in[0]));
}

/* What element j of the row of bag 'index' adds to row 'id' of the table. */
static double share(const gr__args *x, const int64_t *index, int64_t id, int64_t rows, int64_t j)
{
    const gr__bag_attr *a = x->attr;
    const gr__arg *dy = &x->in[0], *ids = &x->in[1];
    int64_t n = 0, bag = gr__row(ids, index), here;
    double factor = 0;
    for (int64_t t = 0; t < ids->dim[ids->rank - 1]; t++) {
        if (!counts(ids, bag, t, rows, &here)) continue;
        n++;
        if (here != id) continue;
        if (a->kind == GR_BAG_MAX)
            factor += gr__load_int(&x->in[3], gr__row(&x->in[3], index) + j * gr__step(&x->in[3])) == t;
        else
            factor += gr__has(x, 2) ? gr__load(&x->in[2], gr__row(&x->in[2], index) + t * gr__step(&x->in[2])) : 1;
    }
    if (factor == 0) return 0;
    return factor * gr__load(dy, gr__row(dy, index) + j * gr__step(dy)) / (a->kind == GR_BAG_MEAN ? (double)n : 1);
}

/* Row by row of the table: slow, and no sum is ever rounded. */
static gr_status grad_reference(const gr__args *x)
{
    const gr__arg *ids = &x->in[1], *out = &x->out[0];
    for (int64_t id = 0; id < out->dim[0]; id++)
        for (int64_t j = 0; j < out->dim[1]; j++) {
            int64_t index[GR_MAX_RANK] = {0};
            double sum = 0;
            do
                if (index[ids->rank - 1] == 0) sum += share(x, index, id, out->dim[0], j);
            while (gr__next_index(ids->rank, ids->dim, index));
            gr__store(out, id * out->stride[0] + j * out->stride[1], sum);
        }
    return GR_OK;
}

static double grad_flops(const gr__args *x) { return (double)gr__arg_count(&x->in[1]) * (double)x->out[0].dim[1]; }

static const gr__bag_attr sums7 = {GR_DTYPE_NONE, GR_BAG_SUM, 7}, means5 = {GR_DTYPE_NONE, GR_BAG_MEAN, 5},
                          largest9 = {GR_DTYPE_NONE, GR_BAG_MAX, 9}, none = {GR_DTYPE_NONE, GR_BAG_SUM, 0};
static const gr__case grad_cases[] = {
    {.name = "sum", .n_in = 2, .in = {{2, {3, 5}}, {2, {3, 4}, IDS, .lo = -2, .hi = 9}}, .attr = &sums7},
    {.name = "weighted",
     .n_in = 3,
     .in = {{3, {2, 3, 17}}, {3, {2, 3, 5}, IDS, .lo = -1, .hi = 8}, {3, {2, 3, 5}, WEIGHTS}},
     .attr = &sums7},
    {.name = "mean", .n_in = 2, .in = {{2, {5, 33}}, {2, {5, 6}, IDS, .lo = -3, .hi = 7}}, .attr = &means5},
    {.name = "max",
     .n_in = 4,
     .in = {{2, {5, 3}}, {2, {5, 4}, IDS, .lo = -3, .hi = 10}, {-1}, {2, {5, 3}, IDS, .hi = 4}},
     .attr = &largest9},
    {.name = "one bag", .n_in = 2, .in = {{1, {1}}, {1, {6}, IDS, .hi = 5}}, .attr = &means5},
    {.name = "transposed",
     .n_in = 2,
     .in = {{2, {3, 6}, .swap_b = 1}, {2, {3, 4}, IDS, .hi = 7, .swap_b = 1}},
     .attr = &sums7},
    {.name = "misfit", .n_in = 2, .in = {{2, {4, 5}}, {2, {3, 4}, IDS}}, .attr = &sums7, .expect = GR_ERR_SHAPE},
    {.name = "no places",
     .n_in = 2,
     .in = {{2, {3, 5}}, {2, {3, 4}, IDS}},
     .attr = &largest9,
     .expect = GR_ERR_ARGUMENT},
    {.name = "no rows", .n_in = 2, .in = {{2, {3, 5}}, {2, {3, 4}, IDS}}, .attr = &none, .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_embedding_bag_grad = {
    .name = "embedding_bag_grad",
    .min_in = 2,
    .max_in = 4,
    .n_out = 1,
    .attr_bytes = sizeof(gr__bag_attr),
    .flags = GR__OP_OUT_DTYPE,
    .infer = grad_infer,
    .grad = grad_grad,
    .grad_reads_in = 15,
    .decompose = grad_decompose,
    .reference = grad_reference,
    .flops = grad_flops,
    .cases = grad_cases,
    .n_cases = GR__COUNT(grad_cases),
};
