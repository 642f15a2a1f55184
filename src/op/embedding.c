/* Rows of a table by id; an id outside the table gives zeros. */
#include "op/attr.h"

static gr_status infer(gr__infer *c)
{
    const gr__embedding_attr *a = c->attr;
    const gr__value *table = c->in[0], *ids = c->in[1];
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 2));
    GR_TRY(gr__want_dtype(c, 1, GR_I32));
    GR_FAIL_IF(ids->rank >= GR_MAX_RANK, GR_ERR_SHAPE, "embedding: ids with %d axes leave no room for the row",
               ids->rank);
    gr__value *out = &c->out[0];
    *out = *ids;
    out->dtype = a->out_dtype ? a->out_dtype : table->dtype;
    out->dim[out->rank++] = table->dim[1];
    return gr__want_out_dtype(c, table->dtype, out->dtype);
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    gr_value table = c->node->in[0];
    gr__scatter_attr a = {.out_dtype = gr_value_dtype(g, table), .v = gr_value_dim(g, table, 0)};
    c->in_grad[0] = gr__node_add(g, &gr__op_scatter_add, (gr_value[]){c->out_grad[0], c->node->in[1]}, 2, &a, NULL);
}

static gr_status reference(const gr__args *x)
{
    const gr__arg *table = &x->in[0], *ids = &x->in[1], *y = &x->out[0];
    int64_t index[GR_MAX_RANK] = {0};
    do {
        int64_t id = gr__load_int(ids, gr__offset(ids, index)), row = gr__row(y, index);
        for (int64_t i = 0; i < table->dim[1]; i++) {
            bool there = id >= 0 && id < table->dim[0];
            double v = there ? gr__load(table, id * table->stride[0] + i * table->stride[1]) : 0;
            gr__store(y, row + i * gr__step(y), v);
        }
    } while (gr__next_index(ids->rank, ids->dim, index));
    return GR_OK;
}

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__embedding_attr follow = {GR_DTYPE_NONE};
static const gr__case cases[] = {
    {.name = "tokens", .n_in = 2, .in = {{2, {11, 5}}, {2, {3, 4}, IDS, .hi = 11}}, .attr = &follow},
    {.name = "repeated", .n_in = 2, .in = {{2, {3, 17}}, {1, {9}, IDS, .hi = 3}}, .attr = &follow},
    {.name = "outside", .n_in = 2, .in = {{2, {5, 3}}, {1, {13}, IDS, .lo = -3, .hi = 8}}, .attr = &follow},
    {.name = "one", .n_in = 2, .in = {{2, {1, 1}}, {0, {0}, IDS, .hi = 1}}, .attr = &follow},
    {.name = "transposed",
     .n_in = 2,
     .in = {{2, {7, 5}, .swap_b = 1}, {2, {3, 4}, IDS, .hi = 7, .swap_b = 1}},
     .attr = &follow},
    {.name = "vector", .n_in = 2, .in = {{1, {7}}, {1, {3}, IDS, .hi = 7}}, .attr = &follow, .expect = GR_ERR_SHAPE},
    {.name = "float ids", .n_in = 2, .in = {{2, {7, 5}}, {1, {3}}}, .attr = &follow, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_embedding = {
    .name = "embedding",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attr_bytes = sizeof(gr__embedding_attr),
    .flags = GR__OP_OUT_DTYPE,
    .infer = infer,
    .grad = grad,
    .grad_reads_in = 2,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_embedding(gr_graph *g, gr_value table, gr_value ids)
{
    return gr__node_add(g, &gr__op_embedding, (gr_value[]){table, ids}, 2, &(gr__embedding_attr){GR_DTYPE_NONE}, NULL);
}
