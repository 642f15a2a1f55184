/* Adagrad (Duchi et al. 2011). */
#include "nn/optimizer.h"

gr_value gr__optim_adagrad(const gr__param_step *s)
{
    gr_init init = {.kind = GR_INIT_CONSTANT, .a = s->o.initial_accumulator};
    gr_value v = gr__absolute_state(s->g, "adagrad.v", s->path, s->p, &init);
    return gr__step_fused(s, GR__OPTIM_ADAGRAD, 0, v, 0, 0);
}
