/* Adam (Kingma and Ba 2014) and AdamW (Loshchilov and Hutter 2017): one function, the coupling of the decay differs. */
#include "nn/optimizer.h"

gr_value gr__optim_adam(const gr__param_step *s)
{
    return gr__step_fused(s, GR__OPTIM_ADAMW, gr__step_moment(s, "adam.m"), gr__step_moment(s, "adam.v"), s->o.beta1,
                          s->o.beta2);
}
