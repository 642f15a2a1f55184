#include "nn/loss.h"

#include "nn/name.h"

gr_value gr__loss_wide(gr_graph *g, gr_value x)
{
    return x && gr_value_dtype(g, x) == GR_BF16 ? gr_cast(g, x, GR_F32) : x;
}

bool gr__loss_fits(gr_graph *g, const char *name, gr_value prediction, gr_value target, const gr_loss_options *o)
{
    char a[96], b[96];
    if (!gr__require(g, name, prediction) || !gr__require(g, name, target)) return false;
    const gr__value *p = gr__value_get(g, prediction), *t = gr__value_get(g, target);
    if (o->broadcast || gr__same_shape(p, t)) return true;
    gr__graph_fail(g, GR_ERR_SHAPE, "%s: the prediction has shape %s, the target %s; reshape one or allow broadcasting",
                   name, gr__shape_text(a, p->rank, p->dim), gr__shape_text(b, t->rank, t->dim));
    return false;
}

gr_value gr__loss_align(gr_graph *g, const char *name, gr_value weights, gr_value each)
{
    char a[96], b[96];
    if (!gr__require(g, name, weights) || !gr__require(g, name, each)) return 0;
    gr__value w = *gr__value_get(g, weights), e = *gr__value_get(g, each);
    bool fits = w.rank <= e.rank;
    for (int i = 0; fits && i < w.rank; i++) fits = w.dim[i] == e.dim[i] || w.dim[i] == 1;
    if (!fits)
        return gr__graph_fail(g, GR_ERR_SHAPE, "%s: weights of shape %s do not fit a loss of shape %s", name,
                              gr__shape_text(a, w.rank, w.dim), gr__shape_text(b, e.rank, e.dim));
    weights = gr_stop_gradient(g, gr_cast(g, weights, e.dtype));
    if (w.rank == e.rank) return weights;
    for (int i = w.rank; i < e.rank; i++) w.dim[i] = 1;
    return gr_reshape(g, weights, e.rank, w.dim);
}

gr_loss gr__loss_total(gr_graph *g, const char *name, gr_value each, gr_value weights, double factor)
{
    if (!gr__require(g, name, each)) return (gr_loss){0};
    double n = (double)gr__value_count(gr__value_get(g, each));
    gr_loss loss;
    if (weights) {
        weights = gr__loss_align(g, name, weights, each);
        if (!weights) return (gr_loss){0};
        double repeats = n / (double)gr__value_count(gr__value_get(g, weights));
        loss.weight = gr_affine(g, gr_sum(g, weights, 0, false), repeats, 0);
        each = gr_mul(g, each, weights);
    } else {
        loss.weight = gr_scalar(g, gr_value_dtype(g, each), n);
    }
    loss.sum = gr_sum(g, each, 0, false);
    if (factor != 1) loss.sum = gr_affine(g, loss.sum, factor, 0);
    return loss.sum && loss.weight ? loss : (gr_loss){0};
}

/* ---- by name ---- */

static gr_loss (*const build[])(gr_graph *, gr_value, gr_value, const gr_loss_options *) = {
    [GR_LOSS_MSE] = gr_loss_mse,
    [GR_LOSS_MAE] = gr_loss_mae,
    [GR_LOSS_HUBER] = gr_loss_huber,
    [GR_LOSS_BCE_WITH_LOGITS] = gr_loss_bce_with_logits,
    [GR_LOSS_CROSS_ENTROPY] = gr_loss_cross_entropy,
};
_Static_assert(GR__COUNT(build) == GR_LOSS_KIND_COUNT, "a loss without a builder");

static const char *const names[] = {
#define GR_X(code, name) name,
    GR_LOSS_MAP(GR_X)
#undef GR_X
};

gr_loss gr_loss_of_kind(gr_graph *g, gr_loss_kind kind, gr_value prediction, gr_value target,
                        const gr_loss_options *options)
{
    if ((unsigned)kind < GR_LOSS_KIND_COUNT) return build[kind](g, prediction, target, options);
    gr__graph_fail(g, GR_ERR_ARGUMENT, "%d is not a kind of loss", (int)kind);
    return (gr_loss){0};
}

const char *gr_loss_name(gr_loss_kind kind) { return (unsigned)kind < GR_LOSS_KIND_COUNT ? names[kind] : ""; }

gr_status gr_loss_from_name(const char *name, gr_loss_kind *out)
{
    int kind;
    GR_TRY(gr__kind_from_name("a loss", names, GR_LOSS_KIND_COUNT, name, &kind));
    *out = (gr_loss_kind)kind;
    return GR_OK;
}
