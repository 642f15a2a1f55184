#include "op/fused_product.h"

#include "base/alloc.h"
#include "op/op.h"

#include <string.h>

static gr_status product_shape(const gr__infer *c, gr__value *out)
{
    const gr__fused_product_attr *a = c->attr;
    gr__infer own = {.op = a->op->name, .attr = &a->own, .n_in = a->n_own, .n_out = 1};
    memcpy(own.in, c->in, (size_t)a->n_own * sizeof *own.in);
    if (a->packed_bytes) own.in[1] = &a->weight;
    GR_TRY(a->op->infer(&own));
    *out = own.out[0];
    return GR_OK;
}

static gr_status infer(gr__infer *c)
{
    const gr__fused_product_attr *a = c->attr;
    gr__value product;
    GR_FAIL_IF(c->n_in < a->n_own || c->n_in - a->n_own >= GR__MAP_MOST_INPUTS, GR_ERR_ARGUMENT,
               "fused_product: %d operands", c->n_in);
    GR_TRY(product_shape(c, &product));
    gr__value seen = {.dtype = GR_F32, .rank = a->map.rank};
    memcpy(seen.dim, a->map.dim, sizeof seen.dim);
    bool same = product.rank > 0 && seen.rank > 0 && gr__value_count(&product) == gr__value_count(&seen) &&
                product.dim[product.rank - 1] == seen.dim[seen.rank - 1];
    GR_FAIL_IF(!same, GR_ERR_SHAPE, "fused_product: the product and its program have other shapes");
    gr__infer map = {.op = "fused_product", .attr = &a->map, .n_in = c->n_in - a->n_own + 1};
    for (int i = 0, from = a->n_own; i < map.n_in; i++) map.in[i] = i == a->at ? &seen : c->in[from++];
    GR_TRY(gr__op_map.infer(&map));
    c->n_out = map.n_out;
    memcpy(c->out, map.out, sizeof c->out);
    return GR_OK;
}

void gr__product_args_of(const gr__args *x, gr__product_args *p)
{
    const gr__fused_product_attr *a = x->attr;
    gr__infer c = {.attr = a, .n_in = x->n_in};
    gr__value in[3], shape = {.rank = 0};
    *p = (gr__product_args){.args = *x};
    for (int i = 0; i < a->n_own; i++) {
        p->in[i] = x->in[i];
        in[i] = (gr__value){.dtype = x->in[i].dtype, .rank = x->in[i].rank};
        memcpy(in[i].dim, x->in[i].dim, sizeof in[i].dim);
        c.in[i] = gr__arg_there(&x->in[i]) ? &in[i] : NULL;
    }
    if (a->packed_bytes) {
        p->in[1] = (gr__arg){.dtype = a->weight.dtype, .rank = a->weight.rank};
        memcpy(p->in[1].dim, a->weight.dim, sizeof a->weight.dim);
        gr__arg_strides(&p->in[1]);
    }
    gr_status fits = product_shape(&c, &shape); /* it did when the node was made */
    (void)fits;
    p->out = (gr__arg){.dtype = GR_F32, .rank = shape.rank};
    memcpy(p->out.dim, shape.dim, sizeof shape.dim);
    gr__arg_strides(&p->out);
    p->args.op = a->op;
    p->args.attr = &a->own;
    p->args.in = p->in;
    p->args.n_in = a->n_own;
    p->args.out = &p->out;
    p->args.n_out = 1;
    p->args.wanted = 1;
}

static gr_status run_map(const gr__args *x, gr__arg product)
{
    const gr__fused_product_attr *a = x->attr;
    gr__arg in[GR__MAP_MOST_INPUTS];
    int n = x->n_in - a->n_own + 1;
    product.rank = a->map.rank;
    memcpy(product.dim, a->map.dim, sizeof a->map.dim);
    gr__arg_strides(&product);
    for (int i = 0, from = a->n_own; i < n; i++) in[i] = i == a->at ? product : x->in[from++];
    gr__args m = *x;
    m.op = &gr__op_map;
    m.attr = &a->map;
    m.in = in;
    m.n_in = n;
    return gr__op_map.reference(&m);
}

static gr_status reference(const gr__args *x)
{
    const gr__fused_product_attr *a = x->attr;
    gr__product_args p;
    GR_FAIL_IF(a->packed_bytes, GR_ERR_INTERNAL, "fused_product: a packed weight is read by its kernel alone");
    gr__product_args_of(x, &p);
    size_t bytes = (size_t)gr__arg_count(&p.out) * sizeof(float);
    p.out.data = gr__alloc(bytes + 1);
    if (!p.out.data) return gr__fail_memory("a product", bytes);
    gr_status status = a->op->reference(&p.args);
    if (status == GR_OK) status = run_map(x, p.out);
    gr__free(p.out.data);
    return status;
}

static double flops(const gr__args *x)
{
    const gr__fused_product_attr *a = x->attr;
    gr__product_args p;
    gr__product_args_of(x, &p);
    return (a->op->flops ? a->op->flops(&p.args) : 0) + (double)a->map.n_code * (double)gr__arg_count(&x->out[0]);
}

/* relu(x·w^T*scale + shift), and the product plus one; scale and shift are of the columns */
static const gr__fused_product_attr rows = {
    .op = &gr__op_matmul,
    .own = {.matmul = {.out_dtype = GR_F32, .transpose_b = true}},
    .n_own = 2,
    .at = 1,
    .map = {.n_code = 4,
            .n_out = 2,
            .code = {{GR__MAP_MUL, 3, 1, 0, 0, 0, 0},
                     {GR__MAP_ADD, 3, 3, 2, 0, 0, 0},
                     {GR__MAP_RELU, 3, 3, 0, 0, 0, 0},
                     {GR__MAP_ADD_C, 4, 1, 0, 0, 1.0F, 0}},
            .output_register = {3, 4},
            .out_dtype = {GR_F32, GR_BF16},
            .rank = 3,
            .dim = {2, 37, 70}},
};
/* A convolution with a bias, and what is added to it. */
static const gr__fused_product_attr window = {
    .op = &gr__op_conv,
    .own = {.conv = {.out_dtype = GR_F32,
                     .groups = 1,
                     .window = {.axes = 2, .stride = {2, 1}, .dilation = {1, 1}, .before = {1, 1}, .after = {1, 1}}}},
    .n_own = 3,
    .at = 0,
    .map = {.n_code = 1,
            .n_out = 1,
            .code = {{GR__MAP_ADD, 2, 0, 1, 0, 0, 0}},
            .output_register = {2},
            .out_dtype = {GR_BF16},
            .rank = 4,
            .dim = {2, 4, 9, 40}},
};
/* The product itself. */
static const gr__fused_product_attr plain = {
    .op = &gr__op_matmul,
    .own = {.matmul = {.out_dtype = GR_F32}},
    .n_own = 2,
    .map = {.n_out = 1, .out_dtype = {GR_F32}, .rank = 2, .dim = {3, 5}},
};
static const gr__case cases[] = {
    {.name = "plain",
     .n_in = 2,
     .in = {{2, {3, 7}, .dtype = GR_BF16}, {2, {7, 5}, .dtype = GR_BF16}},
     .tolerance = 2,
     .attr = &plain},
    {.name = "rows",
     .n_in = 4,
     .in = {{2, {74, 50}, .dtype = GR_BF16},
            {2, {70, 50}, .dtype = GR_BF16},
            {1, {70}, .dtype = GR_F32},
            {1, {70}, .dtype = GR_BF16}},
     .tolerance = 4,
     .attr = &rows},
    {.name = "window",
     .n_in = 4,
     .in = {{4, {2, 8, 9, 5}, .dtype = GR_BF16},
            {4, {40, 5, 3, 3}, .dtype = GR_BF16},
            {1, {40}, .dtype = GR_F32},
            {4, {2, 4, 9, 40}, .dtype = GR_F32}},
     .tolerance = 4,
     .attr = &window},
    {.name = "misfit",
     .n_in = 4,
     .in = {{2, {73, 50}, .dtype = GR_BF16},
            {2, {70, 50}, .dtype = GR_BF16},
            {1, {70}, .dtype = GR_F32},
            {1, {70}, .dtype = GR_F32}},
     .attr = &rows,
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_fused_product = {
    .name = "fused_product",
    .min_in = 2,
    .max_in = 2 + GR__MAP_MOST_INPUTS,
    .n_out = 1,
    .attr_bytes = sizeof(gr__fused_product_attr),
    .infer = infer,
    .no_grad = "fusion comes after gradients",
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};
