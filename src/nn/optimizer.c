/* The table of optimisers, their defaults, and which parameter takes which. */
#include "nn/optimizer.h"

#include "nn/name.h"

/* ---- the table ---- */

static const struct {
    gr__step_fn *fn;
    gr_optimizer standard;
    bool coupled, matrices;
} row[GR_OPTIMIZER_COUNT] = {
#define GR_X(name, function, rate, mu, b1, b2, e, decay, is_coupled, wants_matrices) \
    [GR_OPTIMIZER_##name] = {.fn = (function),                                       \
                             .standard = {.kind = GR_OPTIMIZER_##name,               \
                                          .learning_rate = (rate),                   \
                                          .momentum = (mu),                          \
                                          .beta1 = (b1),                             \
                                          .beta2 = (b2),                             \
                                          .eps = (e),                                \
                                          .weight_decay = (decay)},                  \
                             .coupled = (is_coupled),                                \
                             .matrices = (wants_matrices)},
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
    if (none)
        *field = 0;
    else if (*field == 0)
        *field = standard;
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

gr__step_fn *gr__optimizer_fn(gr_optimizer_kind kind, bool *coupled)
{
    *coupled = row[kind].coupled;
    return row[kind].fn;
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
    gr_optimizer given = group ? inherit_all(group->optimizer, &options->base) : options->base, o;
    gr_status status = gr_optimizer_resolve(&given, &o);
    if (status != GR_OK) return group ? gr__fail_prefix(status, "parameter group '%s'", group->pattern) : status;
    if (row[o.kind].matrices && rank != 2) {
        given.kind = GR_OPTIMIZER_ADAMW; /* with its own defaults for what is not given */
        given.learning_rate = o.learning_rate;
        GR_TRY(gr_optimizer_resolve(&given, &o));
    }
    *out = o;
    if (frozen) *frozen = group && group->frozen;
    return GR_OK;
}
