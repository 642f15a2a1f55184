/* The nodes that all optimisers share:
 *
 *   gradients --(1/weight, penalties)--> norm --> clip scale --> one function per kind --> new parameter --> average */
#include "nn/optimizer.h"

#include "op/optim.h"

/* ---- one step ---- */

gr_value gr__step_moment(const gr__param_step *s, const char *name)
{
    return gr__absolute_state(s->g, name, s->path, s->p, NULL);
}

gr_value gr__step_gradient(const gr__param_step *s)
{
    gr_value d = gr_cast(s->g, s->gradient, GR_F32);
    return s->gscale ? gr_mul(s->g, d, s->gscale) : d;
}

gr_value gr__step_rate(const gr__param_step *s) { return gr_affine(s->g, s->lr, s->lr_scale, 0); }

gr_value gr__step_fused(const gr__param_step *s, gr__optim_kind kind, gr_value m, gr_value v, double beta1,
                        double beta2)
{
    gr_graph *g = s->g;
    gr__optim_operands in = {.p = s->p, .g = s->gradient, .gscale = s->gscale, .lr = s->lr, .m = m, .v = v};
    if (kind == GR__OPTIM_ADAMW) {
        in.correction1 = gr_control(g, GR_CONTROL_BIAS_CORRECTION, beta1);
        in.correction2 = gr_control(g, GR_CONTROL_BIAS_CORRECTION, beta2);
    }
    gr__optim_attr attr = {.kind = kind,
                           .beta1 = beta1,
                           .beta2 = beta2,
                           .eps = s->o.eps,
                           .weight_decay = s->o.weight_decay,
                           .lr_scale = s->lr_scale,
                           .coupled = s->coupled,
                           .nesterov = s->o.nesterov};
    gr_value fresh[4] = {0};
    gr__optim_add(g, &in, &attr, fresh);
    if (m) gr_update(g, s->program, m, fresh[1]);
    if (v) gr_update(g, s->program, v, fresh[2]);
    return fresh[0];
}

/* ---- all of them ---- */

typedef struct gr__apply {
    gr_graph *g;
    const char *program;
    const gr_value *params;
    int n;
    const gr_optimizer_options *options;
    gr_optimizer base;  /* resolved */
    gr_value *gradient; /* (n) 0: no update */
    gr_value gscale;    /* what is still to be multiplied: 1/weight, clipping; 0: nothing */
    gr_value lr;
    gr_optimizer_result result;
} gr__apply;

static gr_status of_param(const gr__apply *a, int i, gr_optimizer *out, bool *frozen)
{
    return gr_optimizer_of_param(a->options, gr_value_path(a->g, a->params[i]), gr_value_rank(a->g, a->params[i]), out,
                                 frozen);
}

/* gradient/weight + l1*sign(p) + l2*p */
static gr_value penalized(gr_graph *g, gr_value d, gr_value gscale, gr_value p, const gr_optimizer *o)
{
    d = gr_cast(g, d, GR_F32);
    if (gscale) d = gr_mul(g, d, gscale);
    if (o->l2 > 0) d = gr_add(g, d, gr_affine(g, p, o->l2, 0));
    if (o->l1 > 0) d = gr_add(g, d, gr_affine(g, gr_sign(g, p), o->l1, 0));
    return d;
}

/* Leaves out what is frozen; penalties need gradients that are divided already. */
static gr_status collect(gr__apply *a, const gr_value *grads)
{
    gr_graph *g = a->g;
    bool penalties = false, frozen;
    gr_optimizer o;
    if (a->options->weight) a->gscale = gr__inverse_weight(g, a->options->weight);
    for (int i = 0; i < a->n; i++) {
        GR_TRY(of_param(a, i, &o, &frozen));
        a->gradient[i] = frozen ? 0 : grads[i];
        penalties = penalties || (a->gradient[i] && (o.l1 > 0 || o.l2 > 0));
    }
    for (int i = 0; penalties && i < a->n; i++) {
        if (!a->gradient[i]) continue;
        GR_TRY(of_param(a, i, &o, NULL));
        a->gradient[i] = penalized(g, a->gradient[i], a->gscale, a->params[i], &o);
    }
    if (penalties) a->gscale = 0;
    return gr_graph_status(g);
}

/* The norm and its consequences. These nodes run whether or not the step is taken: they are no part of the update. */
static void measure(gr__apply *a)
{
    gr_graph *g = a->g;
    const gr_optimizer_options *o = a->options;
    gr_value squares = gr__sums_of_squares(g, a->gradient, a->n);
    gr_value norm = gr_sqrt(g, gr_sum(g, squares, 0, false));
    if (a->gscale) norm = gr_mul(g, norm, a->gscale);
    a->result = (gr_optimizer_result){.grad_norm = norm, .sum_squares = squares};
    if (o->clip_norm > 0) { /* min(1, clip/(norm + 1e-6)), as PyTorch's clip_grad_norm_ */
        gr_value ratio = gr_affine(g, gr_reciprocal(g, gr_affine(g, norm, 1, 1e-6)), o->clip_norm, 0);
        a->result.clip_scale = gr_clamp(g, ratio, 0, 1);
        a->gscale = a->gscale ? gr_mul(g, a->gscale, a->result.clip_scale) : a->result.clip_scale;
    }
    if (o->guard == GR_GUARD_ON || (o->guard == GR_GUARD_AUTO && o->clip_norm > 0)) gr_guard(g, a->program, norm);
}

/* average += (new - average)*(1 - decay)/(1 - decay^t): at t = 1 it is the weight itself, and later exactly what a zero
 * average divided by its bias correction would be. */
static void average(gr__apply *a, const char *path, gr_value p, gr_value fresh)
{
    gr_graph *g = a->g;
    double decay = a->options->ema_decay;
    gr_value ema = gr__absolute_state(g, "ema", path, p, NULL);
    gr_value share = gr_affine(g, gr_reciprocal(g, gr_control(g, GR_CONTROL_BIAS_CORRECTION, decay)), 1 - decay, 0);
    gr_update(g, a->program, ema, gr_add(g, ema, gr_mul(g, gr_sub(g, fresh, ema), share)));
}

static gr_status update(gr__apply *a, int i)
{
    gr_graph *g = a->g;
    gr__param_step s = {.g = g,
                        .program = a->program,
                        .lr = a->lr,
                        .p = a->params[i],
                        .path = gr_value_path(g, a->params[i]),
                        .gradient = a->gradient[i],
                        .gscale = a->gscale};
    GR_TRY(of_param(a, i, &s.o, NULL));
    gr__step_fn *fn = gr__optimizer_fn(s.o.kind, &s.coupled);
    s.lr_scale = s.o.learning_rate / a->base.learning_rate;
    gr_scope_push(g, "update.%s", s.path);
    if (a->options->clip_value > 0) {
        s.gradient = gr_clamp(g, gr__step_gradient(&s), -a->options->clip_value, a->options->clip_value);
        s.gscale = 0;
    }
    gr_value fresh = fn(&s);
    gr_update(g, a->program, s.p, fresh);
    if (a->options->ema_decay > 0) average(a, s.path, s.p, fresh);
    gr_scope_pop(g);
    return gr_graph_status(g);
}

/* A pattern that matches nothing is a misspelling unless it says otherwise. */
static gr_status check_groups(const gr_graph *g, const gr_value *params, int n, const gr_optimizer_options *options)
{
    GR_FAIL_IF(options->n_groups < 0 || (options->n_groups > 0 && !options->groups), GR_ERR_ARGUMENT,
               "%d parameter groups, or their array is NULL", options->n_groups);
    for (int k = 0; k < options->n_groups; k++) {
        const gr_param_group *group = &options->groups[k];
        GR_FAIL_IF(!group->pattern, GR_ERR_ARGUMENT, "parameter group %d has no pattern", k);
        bool matched = group->optional;
        for (int i = 0; i < n && !matched; i++) matched = gr__str_glob(group->pattern, gr_value_path(g, params[i]));
        GR_FAIL_IF(!matched, GR_ERR_CONFIG,
                   "parameter group '%s' matches none of the %d parameters (the first is '%s'); correct the pattern or "
                   "make the group optional",
                   group->pattern, n, gr_value_path(g, params[0]));
    }
    return GR_OK;
}

static gr_status check_call(const gr_graph *g, const gr_value *params, const gr_value *grads, int n,
                            const gr_optimizer_options *o)
{
    GR_TRY(gr__check_params(g, params, grads, n));
    GR_FAIL_IF(n < 1, GR_ERR_ARGUMENT, "an optimizer without parameters");
    for (int i = 0; i < n; i++) {
        GR_FAIL_IF(grads[i] && !gr__is_value(g, grads[i]), GR_ERR_ARGUMENT,
                   "the gradient of '%s' is not a value of this graph", gr_value_path(g, params[i]));
        GR_FAIL_IF(grads[i] && !gr__same_shape(gr__value_get(g, params[i]), gr__value_get(g, grads[i])), GR_ERR_SHAPE,
                   "the gradient of '%s' has another shape", gr_value_path(g, params[i]));
    }
    GR_FAIL_IF(!(o->clip_norm >= 0), GR_ERR_CONFIG, "'clip_norm' is %g, not 0 or more", o->clip_norm);
    GR_FAIL_IF(!(o->clip_value >= 0), GR_ERR_CONFIG, "'clip_value' is %g, not 0 or more", o->clip_value);
    GR_FAIL_IF(!(o->ema_decay >= 0 && o->ema_decay < 1), GR_ERR_CONFIG, "'ema_decay' is %g, not in [0, 1)",
               o->ema_decay);
    GR_FAIL_IF((unsigned)o->guard >= GR_GUARD_COUNT, GR_ERR_ARGUMENT, "%d is not a guard policy", (int)o->guard);
    return check_groups(g, params, n, o);
}

gr_status gr_optimizer_apply(gr_graph *g, const char *program, const gr_value *params, const gr_value *grads, int n,
                             const gr_optimizer_options *options, gr_optimizer_result *out)
{
    static const gr_optimizer_options standard = {0};
    gr_status status = GR_OK;
    if (!options) options = &standard;
    GR_TRY(check_call(g, params, grads, n, options));
    gr__apply a = {.g = g, .program = program, .params = params, .n = n, .options = options};
    uint32_t flags = g->node_flags;
    a.gradient = gr__calloc((size_t)n, sizeof *a.gradient);
    if (!a.gradient) return gr__fail_memory("an optimizer", (size_t)n * sizeof *a.gradient);
    GR_TRY_DONE(gr_optimizer_resolve(&options->base, &a.base));
    GR_TRY_DONE(collect(&a, grads));
    measure(&a);
    g->node_flags |= GR__NODE_UPDATE;
    a.lr = gr_control(g, GR_CONTROL_LR, 0);
    for (int i = 0; i < n; i++)
        if (a.gradient[i]) GR_TRY_DONE(update(&a, i));
    status = gr_graph_status(g);
    if (status == GR_OK && out) *out = a.result;
done:
    g->node_flags = flags;
    gr__free(a.gradient);
    return status;
}
