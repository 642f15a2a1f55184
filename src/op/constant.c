/* An array that is known when the graph is built; its numbers are copied into the graph's arena. */
#include "op/attr.h"

#include <stdio.h>
#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr_tensor *t = &((const gr__constant_attr *)c->attr)->value;
    GR_FAIL_IF(!t->data, GR_ERR_ARGUMENT, "constant: there is no data");
    gr__value *out = &c->out[0];
    out->dtype = t->dtype;
    out->rank = t->rank;
    memcpy(out->dim, t->dim, sizeof out->dim);
    return GR_OK;
}

static gr_status adopt(gr__arena *arena, void *attr)
{
    gr_tensor *t = &((gr__constant_attr *)attr)->value;
    size_t bytes = gr_tensor_size_bytes(t);
    void *copy = gr__arena_alloc(arena, bytes);
    if (!copy) return gr__fail_memory("a constant", bytes);
    t->data = memcpy(copy, t->data, bytes);
    return GR_OK;
}

static gr_status reference(const gr__args *a)
{
    gr_tensor t = ((const gr__constant_attr *)a->attr)->value;
    const gr__arg *out = &a->out[0];
    gr__arg in = {.data = t.data, .dtype = t.dtype, .rank = t.rank};
    memcpy(in.dim, t.dim, sizeof in.dim);
    gr__arg_strides(&in);
    return gr__reference_copy(&(gr__args){.in = &in, .out = out, .n_in = 1, .n_out = 1});
}

static const gr__case cases[] = {
    {.name = "matrix", .attr = &(gr__constant_attr){{GR_F32, 2, {2, 3}, (float[]){1, -2, 3, 4, 5.5F, 6}}}},
    {.name = "index", .attr = &(gr__constant_attr){{GR_I32, 1, {3}, (int32_t[]){7, -8, 9}}}},
    {.name = "one", .attr = &(gr__constant_attr){{GR_F64, 0, {0}, (double[]){0.1}}}},
    {.name = "empty", .attr = &(gr__constant_attr){{.dtype = GR_F64}}, .expect = GR_ERR_ARGUMENT},
};

const gr__op gr__op_constant = {
    .name = "constant",
    .n_out = 1,
    .attr_bytes = sizeof(gr__constant_attr),
    .flags = GR__OP_LEAF | GR__OP_FIXED,
    .infer = infer,
    .adopt = adopt,
    .no_grad = "it has no operands",
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

static gr_status check(const gr_tensor *value)
{
    GR_FAIL_IF(!value || !value->data, GR_ERR_ARGUMENT, "constant: there is no data");
    size_t bytes = gr_dtype_size_bytes(value->dtype);
    GR_FAIL_IF(bytes == 0, GR_ERR_DTYPE, "constant: %d is not a dtype", (int)value->dtype);
    GR_FAIL_IF(value->rank < 0 || value->rank > GR_MAX_RANK, GR_ERR_SHAPE, "constant: rank %d; 0 to %d are possible",
               value->rank, GR_MAX_RANK);
    for (int i = 0; i < value->rank; i++)
        GR_FAIL_IF(value->dim[i] < 1 || !gr__mul_size(bytes, (size_t)value->dim[i], &bytes), GR_ERR_SHAPE,
                   "constant: size %lld in axis %d", (long long)value->dim[i], i);
    return GR_OK;
}

gr_value gr_constant(gr_graph *g, const gr_tensor *value)
{
    if (gr__graph_failed(g)) return 0;
    gr__constant_attr a = {0};
    gr_status s = check(value);
    if (s == GR_OK) {
        a.value = (gr_tensor){.dtype = value->dtype, .rank = value->rank, .data = value->data};
        memcpy(a.value.dim, value->dim, sizeof *value->dim * (size_t)value->rank);
        s = adopt(&g->arena, &a);
    }
    if (s == GR_OK) return gr__node_add(g, &gr__op_constant, NULL, 0, &a, NULL);
    char text[256];
    snprintf(text, sizeof text, "%s", gr_message());
    return gr__graph_fail(g, s, "%s", text);
}
