/* RMSprop (Hinton, lecture 6e, 2012), with momentum behind the division as PyTorch has it. */
#include "nn/optimizer.h"

gr_value gr__optim_rmsprop(const gr__param_step *s)
{
    gr_value m = s->o.momentum > 0 ? gr__step_moment(s, "rmsprop.m") : 0;
    return gr__step_fused(s, GR__OPTIM_RMSPROP, m, gr__step_moment(s, "rmsprop.v"), s->o.momentum, s->o.alpha);
}
