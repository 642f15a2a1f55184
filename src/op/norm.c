#include "op/norm.h"

#include <math.h>

static gr_status want_vector(const gr__infer *c, int i)
{
    if (!gr__given(c, i)) return GR_OK;
    const gr__value *x = c->in[0];
    GR_FAIL_IF(c->in[i]->dtype != x->dtype && (c->in[i]->dtype != GR_F32 || x->dtype == GR_F64), GR_ERR_DTYPE,
               "%s: operand %d is %s, x is %s; it must be the same or f32", c->op, i, gr_dtype_name(c->in[i]->dtype),
               gr_dtype_name(x->dtype));
    return gr__want_shape(c, i, 1, &x->dim[x->rank - 1], "one of each column");
}

static gr_status want_rows(const gr__infer *c)
{
    GR_TRY(gr__want_float(c, 0));
    GR_FAIL_IF(c->in[0]->rank < 1, GR_ERR_SHAPE, "%s: a scalar has no last axis", c->op);
    return GR_OK;
}

gr_status gr__infer_norm(gr__infer *c, int n_stats)
{
    const gr__norm_attr *a = c->attr;
    const gr__value *x = c->in[0];
    GR_TRY(want_rows(c));
    for (int i = 1; i <= n_stats; i++) GR_TRY(want_vector(c, i));
    GR_FAIL_IF(!(a->eps >= 0 && a->eps < (double)INFINITY), GR_ERR_ARGUMENT, "%s: eps is %g", c->op, a->eps);
    c->out[0] = *x;
    c->out[0].dtype = a->out_dtype ? a->out_dtype : x->dtype;
    for (int i = 1; i <= n_stats; i++) {
        c->out[i] = *x;
        c->out[i].rank--;
        c->out[i].dtype = gr__stats_dtype(x->dtype);
    }
    return gr__want_out_dtype(c, x->dtype, c->out[0].dtype);
}

gr_status gr__infer_norm_grad(gr__infer *c, int n_stats)
{
    const gr__value *x = c->in[0];
    int dy = 2 + n_stats;
    GR_TRY(want_rows(c));
    GR_TRY(want_vector(c, 1));
    for (int i = 2; i < dy; i++) {
        GR_TRY(gr__want_dtype(c, i, gr__stats_dtype(x->dtype)));
        GR_TRY(gr__want_shape(c, i, x->rank - 1, x->dim, "a statistic of each row"));
    }
    GR_TRY(gr__want_float(c, dy));
    GR_TRY(gr__want_out_dtype(c, x->dtype, c->in[dy]->dtype));
    GR_TRY(gr__want_shape(c, dy, x->rank, x->dim, "dy"));
    if (gr__given(c, dy + 1)) {
        GR_TRY(gr__want_dtype(c, dy + 1, x->dtype));
        GR_TRY(gr__want_shape(c, dy + 1, x->rank, x->dim, "to add to"));
    }
    c->out[0] = *x;
    for (int i = 1; i <= n_stats; i++) {
        c->out[i].dtype = c->in[1] ? c->in[1]->dtype : gr__stats_dtype(x->dtype);
        c->out[i].rank = 1;
        c->out[i].dim[0] = x->dim[x->rank - 1];
    }
    return GR_OK;
}

double gr__vector(const gr__args *a, int operand, int64_t i, double otherwise)
{
    return gr__has(a, operand) ? gr__load(&a->in[operand], i * a->in[operand].stride[0]) : otherwise;
}

void gr__grad_norm(gr__grad *c, const gr__op *gradient)
{
    gr_graph *g = c->g;
    const gr__node *n = c->node;
    gr_value gamma = n->n_in > 1 ? n->in[1] : 0, beta = n->n_in > 2 ? n->in[2] : 0, out[3];
    if (!gr__grad_only_first(c, 0)) return;
    gr_value in[] = {n->in[0], gamma, n->out[1], n->out[2], c->out_grad[0]};
    gr__node_add(g, gradient, in, 5, n->attr, out);
    c->in_grad[0] = out[0];
    if (gamma) c->in_grad[1] = out[1];
    if (beta) c->in_grad[2] = gr_cast(g, out[2], gr_value_dtype(g, beta));
}
