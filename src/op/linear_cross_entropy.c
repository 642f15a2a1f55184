/* The cross-entropies of x·Wᵀ against the targets, summed: x (N, C), weight (V, C), targets (N).
 * Outputs loss and count (rank 0), dx (N, C) of the dtype of x, dweight (V, C); the first, second and last are f32
 * (f64 for f64). dx and dweight are the gradients of the sum, made in the same sweep where they are wanted: what is left
 * for the gradient is a product with one number. */
#include "op/rows.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    const gr__value *x = c->in[0], *w = c->in[1];
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 2));
    GR_TRY(gr__want_dtype(c, 1, x->dtype));
    GR_TRY(gr__want_shape(c, 1, 2, (int64_t[]){w->rank ? w->dim[0] : 0, x->dim[1]}, "weight"));
    GR_TRY(gr__want_dtype(c, 2, GR_I32));
    GR_TRY(gr__want_shape(c, 2, 1, x->dim, "targets, one of each row"));
    gr_dtype stats = gr__stats_dtype(x->dtype);
    c->out[0] = c->out[1] = (gr__value){.dtype = stats};
    c->out[2] = *x;
    c->out[3] = *w;
    c->out[3].dtype = stats;
    return GR_OK;
}

static void grad(gr__grad *c)
{
    gr_graph *g = c->g;
    if (!gr__grad_only_first(c, 1u << 1)) return; /* the count does not move */
    for (int i = 0; i < 2; i++) {
        gr_value d = c->need[i] ? gr_mul(g, c->node->out[2 + i], c->out_grad[0]) : 0;
        if (d) c->in_grad[i] = gr_cast(g, d, gr_value_dtype(g, c->node->in[i]));
    }
}

static void decompose(gr_graph *g, const gr__node *n, gr_value *out)
{
    gr_value x = n->in[0], w = n->in[1], targets = n->in[2], saved[2];
    gr_dtype dtype = gr_value_dtype(g, n->out[0]), low = gr_value_dtype(g, x);
    int64_t rows = gr_value_dim(g, x, 0), v = gr_value_dim(g, w, 0);
    gr_value logits = gr_matmul(g, x, w, &(gr_matmul_options){.out_dtype = dtype, .transpose_b = true});
    gr_value loss = gr__node_add(g, &gr__op_cross_entropy, (gr_value[]){logits, targets}, 2, NULL, saved);
    gr_value id = gr_cast(g, targets, dtype), below = gr_scalar(g, dtype, -1), above = gr_scalar(g, dtype, (double)v);
    gr_value counts = gr_mul(g, gr_greater(g, id, below), gr_greater(g, above, id));
    gr_value in[] = {logits, targets, saved[1], gr_fill(g, dtype, 1, &rows, 1)};
    gr_value d = gr_cast(g, gr__node_add(g, &gr__op_cross_entropy_grad, in, 4, NULL, NULL), low);
    out[0] = gr_sum(g, loss, 0, false);
    out[1] = gr_sum(g, counts, 0, false);
    out[2] = gr_matmul(g, d, w, NULL);
    out[3] = gr_matmul(g, d, x, &(gr_matmul_options){.out_dtype = dtype, .transpose_a = true});
}

/* The logits of row r, then, where the row counts, their gradient in place; returns its loss. */
static double one_row(const gr__args *a, int64_t r, double *logit, bool *counts)
{
    const gr__arg *x = &a->in[0], *w = &a->in[1], *targets = &a->in[2];
    int64_t t = gr__load_int(targets, r * targets->stride[0]), v = w->dim[0];
    *counts = t >= 0 && t < v;
    if (!*counts) return 0;
    for (int64_t j = 0; j < v; j++) {
        logit[j] = 0;
        for (int64_t i = 0; i < x->dim[1]; i++)
            logit[j] +=
                gr__load(x, r * x->stride[0] + i * x->stride[1]) * gr__load(w, j * w->stride[0] + i * w->stride[1]);
    }
    gr__arg row = {.data = logit, .dtype = GR_F64, .rank = 1, .dim = {v}, .stride = {1}};
    double lse = gr__row_lse(&row, NULL), loss = lse - logit[t];
    for (int64_t j = 0; j < v; j++) logit[j] = exp(logit[j] - lse) - (j == t);
    return loss;
}

static void add_gradients(const gr__args *a, int64_t r, const double *d, bool counts, double *dw)
{
    const gr__arg *x = &a->in[0], *w = &a->in[1], *dx = &a->out[2];
    for (int64_t i = 0; i < x->dim[1]; i++) {
        double sum = 0, xi = gr__load(x, r * x->stride[0] + i * x->stride[1]);
        for (int64_t j = 0; counts && j < w->dim[0]; j++) {
            sum += d[j] * gr__load(w, j * w->stride[0] + i * w->stride[1]);
            dw[j * x->dim[1] + i] += d[j] * xi;
        }
        if (gr__wanted(a, 2)) gr__store(dx, r * dx->stride[0] + i * dx->stride[1], sum);
    }
}

static gr_status reference(const gr__args *a)
{
    const gr__arg *x = &a->in[0], *w = &a->in[1];
    size_t n = (size_t)(w->dim[0] * (x->dim[1] + 1));
    double *d = gr__calloc(n, sizeof *d), *dw = d ? d + w->dim[0] : NULL, loss = 0, count = 0;
    if (!d) return gr__fail_memory("a cross-entropy", n * sizeof *d);
    for (int64_t r = 0; r < x->dim[0]; r++) {
        bool counts;
        loss += one_row(a, r, d, &counts);
        count += counts;
        add_gradients(a, r, d, counts, dw);
    }
    if (gr__wanted(a, 0)) gr__store(&a->out[0], 0, loss);
    if (gr__wanted(a, 1)) gr__store(&a->out[1], 0, count);
    for (int64_t j = 0; gr__wanted(a, 3) && j < w->dim[0]; j++)
        for (int64_t i = 0; i < x->dim[1]; i++)
            gr__store(&a->out[3], gr__offset(&a->out[3], (int64_t[]){j, i}), dw[j * x->dim[1] + i]);
    gr__free(d);
    return GR_OK;
}

static double flops(const gr__args *a)
{
    double product = 2.0 * (double)gr__arg_count(&a->in[0]) * (double)a->in[1].dim[0];
    return product * (1 + gr__wanted(a, 2) + gr__wanted(a, 3));
}

#define IDS .dtype = GR_I32, .fill = GR__FILL_INDEX
static const gr__case cases[] = {
    {.name = "rows", .n_in = 3, .in = {{2, {5, 8}}, {2, {16, 8}}, {1, {5}, IDS, .hi = 16}}},
    {.name = "odd", .n_in = 3, .in = {{2, {7, 5}}, {2, {37, 5}}, {1, {7}, IDS, .hi = 37}}},
    {.name = "outside", .n_in = 3, .in = {{2, {13, 4}}, {2, {3, 4}}, {1, {13}, IDS, .lo = -3, .hi = 6}}},
    {.name = "one", .n_in = 3, .in = {{2, {1, 1}}, {2, {1, 1}}, {1, {1}, IDS, .hi = 1}}},
    {.name = "transposed",
     .n_in = 3,
     .in = {{2, {6, 5}, .swap_b = 1}, {2, {9, 5}, .swap_b = 1}, {1, {6}, IDS, .hi = 9}}},
    {.name = "misfit", .n_in = 3, .in = {{2, {5, 8}}, {2, {16, 7}}, {1, {5}, IDS}}, .expect = GR_ERR_SHAPE},
    {.name = "float targets", .n_in = 3, .in = {{2, {5, 8}}, {2, {16, 8}}, {1, {5}}}, .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_linear_cross_entropy = {
    .name = "linear_cross_entropy",
    .min_in = 3,
    .max_in = 3,
    .n_out = 4,
    .autocast = GR__CAST_LOW,
    .float_in = 3,
    .infer = infer,
    .grad = grad,
    .grad_reads_out = 12,
    .decompose = decompose,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_linear_cross_entropy(gr_graph *g, gr_value x, gr_value weight, gr_value targets, gr_value *count)
{
    gr_value out[4] = {0};
    gr__node_add(g, &gr__op_linear_cross_entropy, (gr_value[]){x, weight, targets}, 3, NULL, out);
    if (count) *count = out[1];
    return out[0];
}
