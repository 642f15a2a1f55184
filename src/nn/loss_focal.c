/* Focal losses: what is easy weighs little. */
#include "nn/loss.h"

static bool options_fit(gr_graph *g, gr_focal_options *o)
{
    if (o->gamma == 0 && !o->no_gamma) o->gamma = 2;
    if (o->gamma >= 0 && o->alpha >= 0 && o->alpha < 1) return true;
    gr__graph_fail(g, GR_ERR_ARGUMENT, "focal: gamma must be 0 or more and alpha in (0, 1), not %g and %g", o->gamma,
                   o->alpha);
    return false;
}

/* x^gamma of x in [0, 1]; the square has a gradient at 0. */
static gr_value raise(gr_graph *g, gr_value x, double gamma)
{
    return gamma == 1 ? x : gamma == 2 ? gr_square(g, x) : gr_power(g, gr_affine(g, x, 1, 1e-12), gamma);
}

gr_loss gr_loss_focal(gr_graph *g, gr_value logits, gr_value target, const gr_focal_options *options)
{
    gr_focal_options o = options ? *options : (gr_focal_options){0};
    if (!options_fit(g, &o) || !gr__loss_fits(g, "focal", logits, target, &(gr_loss_options){0})) return (gr_loss){0};
    gr_value x = gr__loss_wide(g, logits), t = gr__loss_wide(g, target);
    gr_value each = gr_sub(g, gr_softplus(g, x), gr_mul(g, x, t));
    if (o.gamma > 0) each = gr_mul(g, each, raise(g, gr_abs(g, gr_sub(g, gr_sigmoid(g, x), t)), o.gamma));
    if (o.alpha > 0) each = gr_mul(g, each, gr_affine(g, t, 2 * o.alpha - 1, 1 - o.alpha));
    return gr__loss_total(g, "focal", each, o.weight, 1);
}

gr_loss gr_loss_focal_softmax(gr_graph *g, gr_value logits, gr_value targets, const gr_focal_options *options)
{
    gr_focal_options o = options ? *options : (gr_focal_options){0};
    if (!options_fit(g, &o)) return (gr_loss){0};
    if (o.alpha > 0) {
        gr__graph_fail(g, GR_ERR_UNSUPPORTED, "focal_softmax takes no alpha; weigh the classes by 'weight'");
        return (gr_loss){0};
    }
    gr_value each, counts;
    if (!gr__loss_rows(g, "focal_softmax", logits, targets, &each, &counts)) return (gr_loss){0};
    if (o.gamma > 0) each = gr_mul(g, each, raise(g, gr_affine(g, gr_exp(g, gr_neg(g, each)), -1, 1), o.gamma));
    if (o.weight) counts = gr_mul(g, counts, gr__loss_align(g, "focal_softmax", o.weight, counts));
    if (!counts || !each) return (gr_loss){0};
    return gr__loss_total(g, "focal_softmax", each, counts, 1);
}
