/* Stochastic gradient descent; momentum (Polyak 1964), Nesterov's form as Sutskever et al. 2013. */
#include "nn/optimizer.h"

gr_value gr__optim_sgd(const gr__param_step *s)
{
    gr_value m = s->o.momentum > 0 ? gr__step_moment(s, "sgd.m") : 0;
    return gr__step_fused(s, GR__OPTIM_SGD, m, 0, s->o.momentum, 0);
}
