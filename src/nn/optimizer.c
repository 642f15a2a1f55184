/* The table of optimisers, their defaults and groups, and the nodes that all of them share:
 *
 *   gradients --(1/weight, penalties)--> norm --> clip scale --> one function per kind --> new parameter --> average */
#include "nn/optimizer.h"

#include "nn/name.h"
#include "op/optim.h"

#include <string.h>

/* ---- the table ---- */

typedef struct gr__optimizer_row {
    gr__step_fn *fn;
    gr_optimizer standard;
    bool coupled, matrices;
} gr__optimizer_row;

static const gr__optimizer_row row[GR_OPTIMIZER_COUNT] = {
#define GR_X(name, function, rate, mu, b1, b2, e, decay, is_coupled, wants_matrices)                             \
    [GR_OPTIMIZER_##name] = {.fn = (function),                                                                   \
                             .standard = {.kind = GR_OPTIMIZER_##name, .learning_rate = (rate), .momentum = (mu), \
                                          .beta1 = (b1), .beta2 = (b2), .eps = (e), .weight_decay = (decay)},    \
                             .coupled = (is_coupled), .matrices = (wants_matrices)},
#include "nn/optimizers.def"
#undef GR_X
};

static const char *const names[] = {
#define GR_X(code, name) name,
    GR_OPTIMIZER_MAP(GR_X)
#undef GR_X
};

const char *gr_optimizer_name(gr_optimizer_kind kind) { return (unsigned)kind < GR_OPTIMIZER_COUNT ? names[kind] : ""; }

gr_status gr_optimizer_from_name(const char *name, gr_optimizer_kind *out)
{
    int kind;
    GR_TRY(gr__kind_from_name("an optimizer", names, GR_OPTIMIZER_COUNT, name, &kind));
    *out = (gr_optimizer_kind)kind;
    return GR_OK;
}

/* ---- defaults ---- */

static gr_status in_range(const gr_optimizer *o, const char *field, double x, bool ok, const char *range)
{
    GR_FAIL_IF(!ok, GR_ERR_CONFIG, "optimizer '%s': '%s' is %g, not %s", gr_optimizer_name(o->kind), field, x, range);
    return GR_OK;
}

static gr_status check(const gr_optimizer *o)
{
    const double most = 1e30;
    GR_TRY(in_range(o, "learning_rate", o->learning_rate, o->learning_rate > 0 && o->learning_rate < most, "above 0"));
    GR_TRY(in_range(o, "momentum", o->momentum, o->momentum >= 0 && o->momentum < 1, "in [0, 1)"));
    GR_TRY(in_range(o, "beta1", o->beta1, o->beta1 >= 0 && o->beta1 < 1, "in [0, 1)"));
    GR_TRY(in_range(o, "beta2", o->beta2, o->beta2 >= 0 && o->beta2 < 1, "in [0, 1)"));
    GR_TRY(in_range(o, "alpha", o->alpha, o->alpha > 0 && o->alpha < 1, "in (0, 1)"));
    GR_TRY(in_range(o, "eps", o->eps, o->eps >= 0 && o->eps < most, "above 0"));
    GR_TRY(in_range(o, "weight_decay", o->weight_decay, o->weight_decay >= 0 && o->weight_decay < most, "0 or more"));
    GR_TRY(in_range(o, "l1", o->l1, o->l1 >= 0 && o->l1 < most, "0 or more"));
    GR_TRY(in_range(o, "l2", o->l2, o->l2 >= 0 && o->l2 < most, "0 or more"));
    GR_TRY(in_range(o, "initial_accumulator", o->initial_accumulator,
                    o->initial_accumulator >= 0 && o->initial_accumulator < most, "0 or more"));
    GR_TRY(in_range(o, "muon_scale", o->muon_scale, (unsigned)o->muon_scale < GR_MUON_SCALE_COUNT, "a scale"));
    GR_FAIL_IF(o->nesterov && o->momentum == 0 && o->kind == GR_OPTIMIZER_SGD, GR_ERR_CONFIG,
               "optimizer 'sgd': 'nesterov' needs 'momentum'");
    return GR_OK;
}

static void fill(double *field, double standard, bool none)
{
    if (none) *field = 0;
    else if (*field == 0) *field = standard;
}

gr_status gr_optimizer_resolve(const gr_optimizer *optimizer, gr_optimizer *out)
{
    gr_optimizer o = *optimizer;
    GR_FAIL_IF((unsigned)o.kind >= GR_OPTIMIZER_COUNT, GR_ERR_CONFIG, "%d is not a kind of optimizer", (int)o.kind);
    if (o.kind == GR_OPTIMIZER_DEFAULT) o.kind = GR_OPTIMIZER_SGD;
    const gr_optimizer *standard = &row[o.kind].standard;
    fill(&o.learning_rate, standard->learning_rate, false);
    fill(&o.momentum, standard->momentum, o.no_momentum);
    fill(&o.beta1, standard->beta1, o.no_beta1);
    fill(&o.beta2, standard->beta2, false);
    fill(&o.alpha, 0.99, false);
    fill(&o.eps, standard->eps, false);
    fill(&o.weight_decay, standard->weight_decay, o.no_weight_decay);
    fill(&o.l1, 0, o.no_penalty);
    fill(&o.l2, 0, o.no_penalty);
    o.nesterov = (o.nesterov || o.kind == GR_OPTIMIZER_MUON) && !o.no_nesterov;
    GR_TRY(check(&o));
    *out = o;
    return GR_OK;
}

/* ---- groups ---- */

static void inherit(double *field, bool *none, double base, bool base_none)
{
    if (*field != 0 || (none && *none)) return;
    *field = base;
    if (none) *none = base_none;
}

/* The fields that the group leaves open, from the base of the same kind. */
static gr_optimizer inherit_all(gr_optimizer o, const gr_optimizer *base)
{
    gr_optimizer_kind kind = base->kind == GR_OPTIMIZER_DEFAULT ? GR_OPTIMIZER_SGD : base->kind;
    if (o.kind == GR_OPTIMIZER_DEFAULT) o.kind = kind;
    if (o.kind != kind) return o;
    inherit(&o.learning_rate, NULL, base->learning_rate, false);
    inherit(&o.momentum, &o.no_momentum, base->momentum, base->no_momentum);
    inherit(&o.beta1, &o.no_beta1, base->beta1, base->no_beta1);
    inherit(&o.beta2, NULL, base->beta2, false);
    inherit(&o.alpha, NULL, base->alpha, false);
    inherit(&o.eps, NULL, base->eps, false);
    inherit(&o.weight_decay, &o.no_weight_decay, base->weight_decay, base->no_weight_decay);
    if (!o.no_penalty) {
        inherit(&o.l1, NULL, base->l1, false);
        inherit(&o.l2, NULL, base->l2, false);
        o.no_penalty = o.l1 == 0 && o.l2 == 0 && base->no_penalty;
    }
    inherit(&o.initial_accumulator, NULL, base->initial_accumulator, false);
    if (o.muon_scale == 0) o.muon_scale = base->muon_scale;
    if (!o.nesterov && !o.no_nesterov) {
        o.nesterov = base->nesterov;
        o.no_nesterov = base->no_nesterov;
    }
    return o;
}

static const gr_param_group *find_group(const gr_optimizer_options *options, const char *path)
{
    for (int i = 0; i < options->n_groups; i++)
        if (gr__str_glob(options->groups[i].pattern, path)) return &options->groups[i];
    return NULL;
}

gr_status gr_optimizer_of_param(const gr_optimizer_options *options, const char *path, int rank, gr_optimizer *out,
                                bool *frozen)
{
    const gr_param_group *group = find_group(options, path);
    gr_optimizer o = group ? inherit_all(group->optimizer, &options->base) : options->base;
    gr_status status = gr_optimizer_resolve(&o, &o);
    if (status != GR_OK) return group ? gr__fail_prefix(status, "parameter group '%s'", group->pattern) : status;
    if (row[o.kind].matrices && rank != 2) {
        gr_optimizer other = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = o.learning_rate, .l1 = o.l1, .l2 = o.l2};
        GR_TRY(gr_optimizer_resolve(&other, &o));
    }
    *out = o;
    if (frozen) *frozen = group && group->frozen;
    return GR_OK;
}

/* A pattern that matches nothing is a misspelling unless it says otherwise. */
static gr_status check_groups(const gr_graph *g, const gr_value *params, int n, const gr_optimizer_options *options)
{
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

gr_value gr__step_fused(const gr__param_step *s, gr__optim_kind kind, gr_value m, gr_value v, double beta1, double beta2)
{
    gr_graph *g = s->g;
    gr__optim_operands in = {.p = s->p, .g = s->gradient, .gscale = s->gscale, .lr = s->lr, .m = m, .v = v};
    if (kind == GR__OPTIM_ADAMW) {
        in.correction1 = gr_control(g, GR_CONTROL_BIAS_CORRECTION, beta1);
        in.correction2 = gr_control(g, GR_CONTROL_BIAS_CORRECTION, beta2);
    }
    gr__optim_attr attr = {.kind = kind, .beta1 = beta1, .beta2 = beta2, .eps = s->o.eps,
                           .weight_decay = s->o.weight_decay, .lr_scale = s->lr_scale, .coupled = s->coupled,
                           .nesterov = s->o.nesterov};
    gr_value fresh[3] = {0};
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
        GR_TRY(gr_optimizer_of_param(a->options, gr_value_path(g, a->params[i]), gr_value_rank(g, a->params[i]), &o,
                                     &frozen));
        a->gradient[i] = frozen ? 0 : grads[i];
        penalties = penalties || (a->gradient[i] && (o.l1 > 0 || o.l2 > 0));
    }
    for (int i = 0; penalties && i < a->n; i++) {
        if (!a->gradient[i]) continue;
        GR_TRY(gr_optimizer_of_param(a->options, gr_value_path(g, a->params[i]), gr_value_rank(g, a->params[i]), &o, NULL));
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
    gr__param_step s = {.g = g, .program = a->program, .lr = a->lr, .p = a->params[i], .path = gr_value_path(g, a->params[i]),
                  .gradient = a->gradient[i], .gscale = a->gscale};
    GR_TRY(gr_optimizer_of_param(a->options, s.path, gr_value_rank(g, s.p), &s.o, NULL));
    s.coupled = row[s.o.kind].coupled;
    s.lr_scale = s.o.learning_rate / a->base.learning_rate;
    gr_scope_push(g, "update.%s", s.path);
    if (a->options->clip_value > 0) {
        s.gradient = gr_clamp(g, gr__step_gradient(&s), -a->options->clip_value, a->options->clip_value);
        s.gscale = 0;
    }
    gr_value fresh = row[s.o.kind].fn(&s);
    gr_update(g, a->program, s.p, fresh);
    if (a->options->ema_decay > 0) average(a, s.path, s.p, fresh);
    gr_scope_pop(g);
    return gr_graph_status(g);
}

static gr_status check_call(const gr_graph *g, const gr_value *params, const gr_value *grads, int n,
                            const gr_optimizer_options *o)
{
    GR_TRY(gr_graph_status(g));
    GR_FAIL_IF(n < 1, GR_ERR_ARGUMENT, "an optimizer without parameters");
    for (int i = 0; i < n; i++) {
        GR_FAIL_IF(params[i] < 1 || (size_t)params[i] > g->n_values || !*gr_value_path(g, params[i]), GR_ERR_ARGUMENT,
                   "parameter %d is not a state of this graph", i);
        GR_FAIL_IF(grads[i] < 0 || (size_t)grads[i] > g->n_values, GR_ERR_ARGUMENT,
                   "the gradient of '%s' is not a value of this graph", gr_value_path(g, params[i]));
        GR_FAIL_IF(grads[i] && !gr__same_shape(gr__value_get(g, params[i]), gr__value_get(g, grads[i])), GR_ERR_SHAPE,
                   "the gradient of '%s' has another shape", gr_value_path(g, params[i]));
    }
    GR_FAIL_IF(!(o->clip_norm >= 0), GR_ERR_CONFIG, "'clip_norm' is %g, not 0 or more", o->clip_norm);
    GR_FAIL_IF(!(o->clip_value >= 0), GR_ERR_CONFIG, "'clip_value' is %g, not 0 or more", o->clip_value);
    GR_FAIL_IF(!(o->ema_decay >= 0 && o->ema_decay < 1), GR_ERR_CONFIG, "'ema_decay' is %g, not in [0, 1)", o->ema_decay);
    GR_FAIL_IF((unsigned)o->guard >= GR_GUARD_COUNT, GR_ERR_ARGUMENT, "%d is not a guard policy", (int)o->guard);
    return check_groups(g, params, n, o);
}

gr_status gr_optimizer_apply(gr_graph *g, const char *program, const gr_value *params, const gr_value *grads, int n,
                             const gr_optimizer_options *options, gr_optimizer_result *out)
{
    gr_status status = GR_OK;
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
