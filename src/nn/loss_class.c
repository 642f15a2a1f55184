/* Losses of classifiers, all from logits. */
#include "nn/loss.h"

gr_loss gr_loss_bce_with_logits(gr_graph *g, gr_value logits, gr_value target, const gr_loss_options *options)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    double positive = o.positive_weight == 0 ? 1 : o.positive_weight;
    if (!(positive > 0)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "bce_with_logits: the weight of ones must be above 0, not %g", positive);
        return (gr_loss){0};
    }
    if (!gr__loss_fits(g, "bce_with_logits", logits, target, &o)) return (gr_loss){0};
    gr_value x = gr__loss_wide(g, logits), y = gr__loss_wide(g, target), each;
    if (positive == 1) { /* -y*log s(x) - (1 - y)*log(1 - s(x)) = softplus(x) - x*y */
        each = gr_sub(g, gr_softplus(g, x), gr_mul(g, x, y));
    } else {
        gr_value ones = gr_mul(g, gr_affine(g, y, positive, 0), gr_softplus(g, gr_neg(g, x)));
        each = gr_add(g, ones, gr_mul(g, gr_affine(g, y, -1, 1), gr_softplus(g, x)));
    }
    return gr__loss_total(g, "bce_with_logits", each, o.weight, o.half ? 0.5 : 1);
}

/* (..., K) seen as rows (N, K). */
static gr_value rows(gr_graph *g, gr_value x)
{
    return gr_value_rank(g, x) == 2 ? x : gr_reshape(g, x, 2, (int64_t[]){-1, gr_value_dim(g, x, -1)});
}

/* The targets are one for each row of x. */
static bool targets_fit(gr_graph *g, const char *name, gr_value x, gr_value targets)
{
    char a[96], b[96];
    if (!gr__require(g, name, x) || !gr__require(g, name, targets)) return false;
    gr__value v = *gr__value_get(g, x);
    const gr__value *t = gr__value_get(g, targets);
    int rank = v.rank--;
    if (rank >= 1 && gr__same_shape(&v, t)) return true;
    gr__graph_fail(g, GR_ERR_SHAPE, "%s: operand of shape %s needs one target for each row, not %s", name,
                   gr__shape_text(a, rank, v.dim), gr__shape_text(b, t->rank, t->dim));
    return false;
}

/* (S): the weight of each target's class, 0 for a target that does not count: an id outside the table gives zeros. */
static gr_value class_weights(gr_graph *g, gr_value weights, gr_value targets, int64_t v)
{
    gr_value table =
        weights ? gr_reshape(g, weights, 2, (int64_t[]){v, 1}) : gr_fill(g, GR_F32, 2, (int64_t[]){v, 1}, 1);
    return gr_stop_gradient(g, gr__reshape_like(g, gr_embedding(g, table, targets), targets));
}

bool gr__loss_rows(gr_graph *g, const char *name, gr_value logits, gr_value targets, gr_value *each, gr_value *counts)
{
    if (!targets_fit(g, name, logits, targets)) return false;
    int64_t n = gr__value_count(gr__value_get(g, targets));
    *each = gr_cross_entropy(g, rows(g, logits), gr_reshape(g, targets, 1, &n));
    if (*each) *each = gr__reshape_like(g, *each, targets);
    *counts = class_weights(g, 0, targets, gr_value_dim(g, logits, -1));
    return *each && *counts;
}

gr_loss gr_loss_cross_entropy(gr_graph *g, gr_value logits, gr_value targets, const gr_loss_options *options)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    if (!targets_fit(g, "cross_entropy", logits, targets)) return (gr_loss){0};
    if (!(o.label_smoothing >= 0 && o.label_smoothing < 1) || (o.label_smoothing > 0 && o.class_weight)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT,
                       o.class_weight ? "cross_entropy: label smoothing together with class weights"
                                      : "cross_entropy: label_smoothing is not in [0, 1)");
        return (gr_loss){0};
    }
    int64_t v = gr_value_dim(g, logits, -1), n = gr__value_count(gr__value_get(g, targets));
    gr_value flat = gr_reshape(g, targets, 1, &n), x = rows(g, logits);
    gr_value each = gr_cross_entropy(g, x, flat); /* 0 for a target that does not count */
    if (o.label_smoothing > 0) { /* (1-e)*(lse - x[t]) + e*(lse - mean x) = (lse - x[t]) + e*(x[t] - mean x) */
        gr_value wide = gr__loss_wide(g, x);
        gr_value gap = gr_sub(g, gr_pick(g, wide, flat), gr_mean(g, wide, 1u << 1, false));
        each = gr_add(g, each, gr_affine(g, gap, o.label_smoothing, 0));
    }
    gr_value counts = class_weights(g, o.class_weight, targets, v);
    if (o.weight && counts) counts = gr_mul(g, counts, gr__loss_align(g, "cross_entropy", o.weight, counts));
    if (!counts || !each) return (gr_loss){0};
    each = gr__reshape_like(g, each, targets);
    return gr__loss_total(g, "cross_entropy", each, counts, o.half ? 0.5 : 1);
}

gr_loss gr_loss_linear_cross_entropy(gr_graph *g, gr_value x, gr_value weight, gr_value targets,
                                     const gr_loss_options *options)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    if (!targets_fit(g, "linear_cross_entropy", x, targets)) return (gr_loss){0};
    if (o.weight || o.class_weight || o.label_smoothing != 0) {
        gr__graph_fail(g, GR_ERR_UNSUPPORTED,
                       "linear_cross_entropy takes no weights and no label smoothing; use cross_entropy");
        return (gr_loss){0};
    }
    int64_t n = gr__value_count(gr__value_get(g, targets));
    gr_loss loss;
    loss.sum = gr_linear_cross_entropy(g, rows(g, x), weight, gr_reshape(g, targets, 1, &n), &loss.weight);
    if (!loss.sum) return (gr_loss){0};
    if (o.half) loss.sum = gr_affine(g, loss.sum, 0.5, 0);
    loss.weight = gr_stop_gradient(g, loss.weight);
    return loss;
}

gr_loss gr_loss_ctc(gr_graph *g, gr_value logits, gr_value targets, gr_value input_lengths, gr_value target_lengths,
                    gr_value weight, const gr_ctc_options *options)
{
    gr_value each = gr_ctc_loss(g, logits, targets, input_lengths, target_lengths, options);
    return gr__loss_total(g, "ctc", each, weight, 1);
}
