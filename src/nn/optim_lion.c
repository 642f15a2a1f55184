/* Lion: the sign of an interpolated momentum (Chen et al. 2023). */
#include "nn/optimizer.h"

gr_value gr__optim_lion(const gr__param_step *s)
{
    return gr__step_fused(s, GR__OPTIM_LION, gr__step_moment(s, "lion.m"), 0, s->o.beta1, s->o.beta2);
}
