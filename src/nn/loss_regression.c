/* Losses on the difference between prediction and target. */
#include "nn/loss.h"

typedef gr_value each_fn(gr_graph *g, gr_value d, const gr_loss_options *o);

static gr_loss of_difference(gr_graph *g, const char *name, gr_value prediction, gr_value target,
                             const gr_loss_options *options, each_fn *each)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    if (!gr__loss_fits(g, name, prediction, target, &o)) return (gr_loss){0};
    gr_value d = gr_sub(g, gr__loss_wide(g, prediction), gr__loss_wide(g, target));
    return gr__loss_total(g, name, each(g, d, &o), o.weight, o.half ? 0.5 : 1);
}

static gr_value squared(gr_graph *g, gr_value d, const gr_loss_options *o)
{
    (void)o;
    return gr_square(g, d);
}

gr_loss gr_loss_mse(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options)
{
    return of_difference(g, "mse", prediction, target, options, squared);
}

static gr_value absolute(gr_graph *g, gr_value d, const gr_loss_options *o)
{
    (void)o;
    return gr_abs(g, d);
}

gr_loss gr_loss_mae(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options)
{
    return of_difference(g, "mae", prediction, target, options, absolute);
}

/* With c = |d| held to delta: c²/2 + delta*(|d| - c), smooth at the joint and free of conditions. */
static gr_value huber(gr_graph *g, gr_value d, const gr_loss_options *o)
{
    double delta = o->delta == 0 ? 1 : o->delta;
    if (!(delta > 0)) return gr__graph_fail(g, GR_ERR_ARGUMENT, "huber: delta must be above 0, not %g", delta);
    gr_value a = gr_abs(g, d), c = gr_clamp(g, a, 0, delta);
    return gr_add(g, gr_affine(g, gr_square(g, c), 0.5, 0), gr_affine(g, gr_sub(g, a, c), delta, 0));
}

gr_loss gr_loss_huber(gr_graph *g, gr_value prediction, gr_value target, const gr_loss_options *options)
{
    return of_difference(g, "huber", prediction, target, options, huber);
}
