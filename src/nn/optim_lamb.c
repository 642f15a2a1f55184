/* LAMB (You et al. 2020): Adam's step, scaled for each parameter by |p| / |step|, so that large batches keep small
 * layers stable. It needs the whole step before it can move the first element. */
#include "nn/optimizer.h"

/* beta*m + (1 - beta)*x */
static gr_value blend(gr_graph *g, gr_value m, gr_value x, double beta)
{
    return gr_add(g, gr_affine(g, m, beta, 0), gr_affine(g, x, 1 - beta, 0));
}

gr_value gr__optim_lamb(const gr__param_step *s)
{
    gr_graph *g = s->g;
    gr_value d = gr__step_gradient(s), m = gr__step_moment(s, "lamb.m"), v = gr__step_moment(s, "lamb.v");
    gr_value m1 = blend(g, m, d, s->o.beta1), v1 = blend(g, v, gr_square(g, d), s->o.beta2);
    gr_value mean = gr_div(g, m1, gr_control(g, GR_CONTROL_BIAS_CORRECTION, s->o.beta1));
    gr_value square = gr_div(g, v1, gr_control(g, GR_CONTROL_BIAS_CORRECTION, s->o.beta2));
    gr_value step = gr_div(g, mean, gr_affine(g, gr_sqrt(g, square), 1, s->o.eps));
    if (s->o.weight_decay > 0) step = gr_add(g, step, gr_affine(g, s->p, s->o.weight_decay, 0));
    gr_value p_norm = gr_sqrt(g, gr_sum_squares(g, s->p)), norm = gr_sqrt(g, gr_sum_squares(g, step));
    /* a parameter that is still zero, or does not move, keeps the plain rate */
    gr_value trust = gr_where(g, gr_mul(g, p_norm, norm), gr_div(g, p_norm, norm), gr_scalar(g, GR_F32, 1));
    gr_update(g, s->program, m, m1);
    gr_update(g, s->program, v, v1);
    return gr_sub(g, s->p, gr_mul(g, step, gr_mul(g, gr__step_rate(s), trust)));
}
