/* The same elements in row-major order under another shape: a view of anything contiguous. */
#include "op/attr.h"

#include <string.h>

static gr_status infer(gr__infer *c)
{
    const gr__shape_attr *a = c->attr;
    char from[96], to[96];
    gr__value *out = &c->out[0];
    out->dtype = c->in[0]->dtype;
    int64_t n = gr__value_count(c->in[0]), known = 1;
    int free_axis = -1;
    GR_FAIL_IF(a->rank < 0 || a->rank > GR_MAX_RANK, GR_ERR_SHAPE, "reshape: rank %d is not in 0..%d", a->rank,
               GR_MAX_RANK);
    out->rank = a->rank;
    for (int i = 0; i < a->rank; i++) {
        out->dim[i] = a->dim[i];
        if (a->dim[i] == -1 && free_axis < 0)
            free_axis = i;
        else
            GR_FAIL_IF(a->dim[i] < 1, GR_ERR_SHAPE, "reshape: size %lld in axis %d", (long long)a->dim[i], i);
        if (a->dim[i] > 0) known = known > n / a->dim[i] ? n + 1 : known * a->dim[i]; /* n + 1: too many */
    }
    if (free_axis >= 0) {
        out->dim[free_axis] = n / known;
        known *= out->dim[free_axis];
    }
    GR_FAIL_IF(known != n, GR_ERR_SHAPE, "reshape: %s cannot become %s",
               gr__shape_text(from, c->in[0]->rank, c->in[0]->dim), gr__shape_text(to, a->rank, a->dim));
    return GR_OK;
}

/* Axes of the output are matched with groups of input axes that are contiguous among themselves. */
static bool view(const gr__arg *in, const void *attr, const gr__arg *out, int64_t *offset, int64_t *stride)
{
    (void)attr;
    *offset = 0;
    int i = 0, o = 0;
    while (o < out->rank) {
        int64_t have = 1, want = out->dim[o];
        int first_o = o++, first_i = i;
        while (have != want) {
            if (have < want) {
                if (i == in->rank) return false;
                have *= in->dim[i++];
            } else {
                if (o == out->rank) return false;
                want *= out->dim[o++];
            }
        }
        int64_t step = 1;
        int last = -1; /* the last axis of the group that is not 1 */
        for (int k = i - 1; k >= first_i; k--) {
            if (in->dim[k] == 1) continue;
            if (last < 0)
                step = in->stride[k];
            else if (in->stride[k] != in->stride[last] * in->dim[last])
                return false;
            last = k;
        }
        for (int k = o - 1; k >= first_o; k--) {
            stride[k] = step;
            step *= out->dim[k];
        }
    }
    return true;
}

static void grad(gr__grad *c) { c->in_grad[0] = gr__reshape_like(c->g, c->out_grad[0], c->node->in[0]); }

static gr_status reference(const gr__args *a)
{
    int64_t from[GR_MAX_RANK] = {0}, to[GR_MAX_RANK] = {0};
    do {
        gr__copy_element(&a->out[0], gr__offset(&a->out[0], to), &a->in[0], gr__offset(&a->in[0], from));
        gr__next_index(a->in[0].rank, a->in[0].dim, from);
    } while (gr__next_index(a->out[0].rank, a->out[0].dim, to));
    return GR_OK;
}

static const gr__case cases[] = {
    {.name = "flat", .n_in = 1, .in = {{3, {2, 3, 4}}}, .attr = &(gr__shape_attr){.rank = 1, .dim = {24}}},
    {.name = "split", .n_in = 1, .in = {{2, {6, 4}}}, .attr = &(gr__shape_attr){.rank = 3, .dim = {2, -1, 4}}},
    {.name = "to scalar", .n_in = 1, .in = {{2, {1, 1}}}, .attr = &(gr__shape_attr){0}},
    {.name = "transposed",
     .n_in = 1,
     .in = {{2, {6, 4}, .swap_b = 1}},
     .attr = &(gr__shape_attr){.rank = 1, .dim = {24}}},
    {.name = "misfit",
     .n_in = 1,
     .in = {{1, {5}}},
     .attr = &(gr__shape_attr){.rank = 2, .dim = {2, 3}},
     .expect = GR_ERR_SHAPE},
};

const gr__op gr__op_reshape = {
    .name = "reshape",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_bytes = sizeof(gr__shape_attr),
    .flags = GR__OP_VIEW,
    .infer = infer,
    .view = view,
    .grad = grad,
    .reference = reference,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_reshape(gr_graph *g, gr_value x, int rank, const int64_t *dim)
{
    gr__shape_attr a = {.rank = rank};
    if (!gr__copy_dims(g, "reshape", rank, dim, a.dim)) return 0;
    if (gr__is_value(g, x) && rank == gr_value_rank(g, x)) { /* already so */
        bool same = true;
        for (int i = 0; i < rank; i++) same = same && dim[i] == gr_value_dim(g, x, i);
        if (same) return x;
    }
    return gr__node_add(g, &gr__op_reshape, &x, 1, &a, NULL);
}
