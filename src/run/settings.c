#include "run/settings.h"

#include <math.h>
#include <string.h>

static const char *const dtypes[] = {"f32", "bf16", NULL};
static const char *const determinisms[] = {"default", "strict", NULL};
static const char *const recomputes[] = {"auto", "none", "cheap", "blocks", NULL};
static const char *const policies[] = {"stop", "skip", NULL};
static const char *const bests[] = {"auto", "yes", "no", NULL};

#define GR_X(code, name) name,
static const char *const optimizers[] = {
#define GR_Y(code, name) name,
    GR_OPTIMIZER_MAP(GR_Y)
#undef GR_Y
        NULL};
static const char *const schedules[] = {GR_SCHEDULE_MAP(GR_X) NULL};
#undef GR_X

/* What rows point at; gr__settings is made from it. */
typedef struct gr__train_rows {
    gr__settings s;
    const gr__conf *lr, *optimizer, *groups, *early_stop;
    const char *batch;
    int best;
} gr__train_rows;

#define AT(field) offsetof(gr__train_rows, field)
static const gr__conf_row train_rows[] = {
    {"steps", GR__CONF_INT, AT(s.steps), 0, 1e12, NULL, "0", "optimiser steps; 0: from epochs", 0},
    {"epochs", GR__CONF_INT, AT(s.epochs), 0, 1e9, NULL, "0", "passes over the data, where 'steps' is 0", 0},
    {"batch", GR__CONF_STRING, AT(batch), 0, 0, NULL, "auto", "samples of one forward pass; 'full': all rows", 0},
    {"accumulate", GR__CONF_INT, AT(s.accumulate), 1, 1e6, NULL, "1",
     "forward passes of one step; equals a larger batch", 0},
    {"loaders", GR__CONF_INT, AT(s.loaders), 0, 1, NULL, "0",
     "threads that make the next batch while a step computes; 0: all threads make it between steps", 0},
    {"lr", GR__CONF_SECTION, AT(lr), 0, 0, NULL, NULL, "peak, schedule, warmup, min, ...", 0},
    {"optimizer", GR__CONF_SECTION, AT(optimizer), 0, 0, NULL, NULL, "type and its numbers", 0},
    {"groups", GR__CONF_SECTION, AT(groups), 0, 0, NULL, NULL,
     "parameters by path pattern, with their own lr, weight_decay, type", 0},
    {"early_stop", GR__CONF_SECTION, AT(early_stop), 0, 0, NULL, NULL, "patience (validations), min_delta", 0},
    {"best", GR__CONF_ENUM, AT(best), 0, 0, bests, "auto",
     "whether the weights of the best validation come back at the end; auto: where early_stop is given", 0},
    {"clip", GR__CONF_DOUBLE, AT(s.clip), 0, 1e9, NULL, "auto",
     "norm to which gradients are scaled down; 0: off; auto: 1 for language models, else off", GR__CONF_AUTO},
    {"clip_value", GR__CONF_DOUBLE, AT(s.clip_value), 0, 1e9, NULL, "0", "bound of each gradient element; 0: off", 0},
    {"ema", GR__CONF_DOUBLE, AT(s.ema), 0, 1, NULL, "0",
     "decay of the weights' average, corrected for its start, that is evaluated and saved; 0: off", GR__CONF_BELOW_MAX},
    {"seed", GR__CONF_INT, AT(s.seed), 0, 9e18, NULL, "0", "of weights, order and dropout", 0},
    {"dtype", GR__CONF_ENUM, AT(s.dtype), 0, 0, dtypes, "f32", "f32, or bf16 products with f32 weights", 0},
    {"checkpoint_every", GR__CONF_INT, AT(s.checkpoint_every), 0, 1e12, NULL, "0", "steps; 0: at validations", 0},
    {"keep", GR__CONF_INT, AT(s.keep), 2, 1e6, NULL, "3", "checkpoints to keep, beside the best", 0},
    {"eval_every", GR__CONF_INT, AT(s.eval_every), 0, 1e12, NULL, "0", "steps between validations; 0: ten in a run", 0},
    {"eval_samples", GR__CONF_INT, AT(s.eval_samples), 0, 1e12, NULL, "0",
     "samples of a validation on the way; 0: all, at most 4096", 0},
    {"memory_mib", GR__CONF_DOUBLE, AT(s.memory_mib), 0, 1e9, NULL, "0",
     "budget for activations; more is computed twice to keep it", 0},
    {"recompute", GR__CONF_ENUM, AT(s.recompute), 0, 0, recomputes, "auto", "what is computed twice to save memory", 0},
    {"deterministic", GR__CONF_ENUM, AT(s.strict), 0, 0, determinisms, "default",
     "default: the same bits from run to run; strict: for any number of threads too, and in f32 on any processor", 0},
    {"nonfinite", GR__CONF_ENUM, AT(s.nonfinite), 0, 0, policies, "stop",
     "at infinite or NaN numbers: stop, or skip the step", 0},
};

typedef struct gr__lr_rows {
    double peak, min, warmup, factor, decay, decay_fraction, rise_fraction, start_divisor;
    int64_t period, patience;
    int schedule;
} gr__lr_rows;

#undef AT
#define AT(field) offsetof(gr__lr_rows, field)
static const gr__conf_row lr_rows[] = {
    {"peak", GR__CONF_DOUBLE, AT(peak), 0, 1e6, NULL, "0", "the highest rate; 0: the optimiser's default",
     GR__CONF_MAIN},
    {"schedule", GR__CONF_ENUM, AT(schedule), 0, 0, schedules, NULL,
     "how it changes; default: cosine for language models, else constant", 0},
    {"min", GR__CONF_DOUBLE, AT(min), 0, 1e6, NULL, "auto",
     "never below; auto: a tenth of the peak for language models where no schedule is given, else 0", GR__CONF_AUTO},
    {"warmup", GR__CONF_DOUBLE, AT(warmup), 0, 1e12, NULL, "auto",
     "steps of a linear rise; below 1: share of all steps; auto: 0.05 for language models where no schedule is given, else 0",
     GR__CONF_AUTO},
    {"factor", GR__CONF_DOUBLE, AT(factor), 0, 1, NULL, "auto",
     "step, exponential, reduce_on_plateau: multiplies the rate; auto: 0.1, exponential 0.95",
     GR__CONF_ABOVE_MIN | GR__CONF_BELOW_MAX | GR__CONF_AUTO},
    {"period", GR__CONF_INT, AT(period), 1, 1e12, NULL, "1", "step, exponential: steps; 'step' needs it", 0},
    {"decay", GR__CONF_DOUBLE, AT(decay), 0, 1e6, NULL, "0", "inverse_time and linear_decay, which need it: per step",
     0},
    {"decay_fraction", GR__CONF_DOUBLE, AT(decay_fraction), 0, 1, NULL, "0.2", "wsd: share of the end that falls",
     GR__CONF_ABOVE_MIN},
    {"rise_fraction", GR__CONF_DOUBLE, AT(rise_fraction), 0, 1, NULL, "0.3",
     "one_cycle: share of the beginning that rises", GR__CONF_ABOVE_MIN | GR__CONF_BELOW_MAX},
    {"start_divisor", GR__CONF_DOUBLE, AT(start_divisor), 1, 1e9, NULL, "25", "one_cycle: begins at peak divided by it",
     0},
    {"patience", GR__CONF_INT, AT(patience), 0, 1e9, NULL, "10", "reduce_on_plateau: validations without progress", 0},
};

typedef struct gr__optimizer_rows {
    gr_optimizer o;
    int kind;
    double lr, momentum, beta1, beta2, weight_decay;
    bool nesterov, decay_all, frozen, optional;
    const char *match;
} gr__optimizer_rows;

#undef AT
#define AT(field) offsetof(gr__optimizer_rows, field)
#define OPTIMIZER_ROWS                                                                                                     \
    {"type",                                                                                                               \
     GR__CONF_ENUM,                                                                                                        \
     AT(kind),                                                                                                             \
     0,                                                                                                                    \
     0,                                                                                                                    \
     optimizers,                                                                                                           \
     "default",                                                                                                            \
     "sgd, adam, adamw, rmsprop, adagrad, lion, lamb, muon",                                                               \
     GR__CONF_MAIN},                                                                                                       \
        {"momentum",                                                                                                       \
         GR__CONF_DOUBLE,                                                                                                  \
         AT(momentum),                                                                                                     \
         0,                                                                                                                \
         1,                                                                                                                \
         NULL,                                                                                                             \
         "auto",                                                                                                           \
         "sgd, rmsprop, muon; auto: muon 0.95, else 0",                                                                    \
         GR__CONF_BELOW_MAX | GR__CONF_AUTO},                                                                              \
        {"nesterov", GR__CONF_BOOL, AT(nesterov), 0, 0, NULL, "false", "sgd with momentum", 0},                            \
        {"beta1",                                                                                                          \
         GR__CONF_DOUBLE,                                                                                                  \
         AT(beta1),                                                                                                        \
         0,                                                                                                                \
         1,                                                                                                                \
         NULL,                                                                                                             \
         "auto",                                                                                                           \
         "adam, adamw, lion, lamb; auto: 0.9",                                                                             \
         GR__CONF_BELOW_MAX | GR__CONF_AUTO},                                                                              \
        {"beta2",                                                                                                          \
         GR__CONF_DOUBLE,                                                                                                  \
         AT(beta2),                                                                                                        \
         0,                                                                                                                \
         1,                                                                                                                \
         NULL,                                                                                                             \
         "auto",                                                                                                           \
         "adam, adamw, lion, lamb; auto: 0.999; lion, and adamw of language models, 0.99",                                 \
         GR__CONF_BELOW_MAX | GR__CONF_AUTO},                                                                              \
        {"alpha", GR__CONF_DOUBLE, AT(o.alpha), 0, 1, NULL, "0", "rmsprop; 0: 0.99", GR__CONF_BELOW_MAX},                  \
        {"eps", GR__CONF_DOUBLE, AT(o.eps), 0, 1, NULL, "0", "0: the optimiser's default", 0},                             \
        {"weight_decay",                                                                                                   \
         GR__CONF_DOUBLE,                                                                                                  \
         AT(weight_decay),                                                                                                 \
         0,                                                                                                                \
         1e6,                                                                                                              \
         NULL,                                                                                                             \
         "auto",                                                                                                           \
         "decoupled for adamw, lion, lamb, muon; auto: adamw, lamb 0.01 (adamw of language models 0.1), muon 0.1, else 0", \
         GR__CONF_AUTO},                                                                                                   \
        {"l1", GR__CONF_DOUBLE, AT(o.l1), 0, 1e6, NULL, "0", "penalty l1*|w|", 0},                                         \
    {                                                                                                                      \
        "l2", GR__CONF_DOUBLE, AT(o.l2), 0, 1e6, NULL, "0",                                                                \
            "penalty l2/2*w^2: a part of the gradient, so of grad_norm and clipping too, which weight_decay is not", 0     \
    }
static const gr__conf_row optimizer_rows[] = {
    OPTIMIZER_ROWS,
    {"decay_all", GR__CONF_BOOL, AT(decay_all), 0, 0, NULL, "false",
     "weight decay on biases and norms too; tasks that are not on text always do it", 0},
};
static const gr__conf_row group_rows[] = {
    OPTIMIZER_ROWS,
    {"match", GR__CONF_STRING, AT(match), 0, 0, NULL, NULL, "path pattern, '*' for any characters", GR__CONF_REQUIRED},
    {"lr", GR__CONF_DOUBLE, AT(lr), 0, 1e6, NULL, "0", "peak rate of the group", 0},
    {"frozen", GR__CONF_BOOL, AT(frozen), 0, 0, NULL, "false", "not trained", 0},
    {"optional", GR__CONF_BOOL, AT(optional), 0, 0, NULL, "false", "may match nothing, which else is a mistake", 0},
};

typedef struct gr__early_rows {
    int64_t patience;
    double min_delta;
} gr__early_rows;
static const gr__conf_row early_rows[] = {
    {"patience", GR__CONF_INT, offsetof(gr__early_rows, patience), 1, 1e9, NULL, "5", "validations without progress",
     GR__CONF_MAIN},
    {"min_delta", GR__CONF_DOUBLE, offsetof(gr__early_rows, min_delta), 0, 1e9, NULL, "0", "what counts as progress",
     0},
};

const gr__conf_section gr__settings_sections[] = {
    {"train", train_rows, GR__COUNT(train_rows), "steps, batch, checkpoints"},
    {"train.lr", lr_rows, GR__COUNT(lr_rows), "the learning rate; a number alone is the peak"},
    {"train.optimizer", optimizer_rows, GR__COUNT(optimizer_rows), "a name alone is the type"},
    {"train.groups", group_rows, GR__COUNT(group_rows), "a list of maps; the first that matches counts"},
    {"train.early_stop", early_rows, GR__COUNT(early_rows), "stops when validations get no better; off by default"},
};
const size_t gr__n_settings_sections = GR__COUNT(gr__settings_sections);

static gr_optimizer optimizer_of(const gr__optimizer_rows *r)
{
    gr_optimizer o = r->o;
    o.kind = (gr_optimizer_kind)r->kind;
    o.nesterov = r->nesterov;
    o.learning_rate = r->lr;
    if (r->momentum >= 0) o.momentum = r->momentum, o.no_momentum = r->momentum == 0;
    if (r->beta1 >= 0) o.beta1 = r->beta1, o.no_beta1 = r->beta1 == 0;
    if (r->beta2 >= 0) o.beta2 = r->beta2;
    if (r->weight_decay >= 0) o.weight_decay = r->weight_decay, o.no_weight_decay = r->weight_decay == 0;
    return o;
}

/* ---- keys that say something to some kinds only ---- */

#define OPTIM(kind) (1u << GR_OPTIMIZER_##kind)
#define MOMENTS (OPTIM(ADAM) | OPTIM(ADAMW) | OPTIM(LION) | OPTIM(LAMB))
static const gr__conf_use optimizer_uses[] = {{"momentum", OPTIM(SGD) | OPTIM(RMSPROP) | OPTIM(MUON)},
                                              {"nesterov", OPTIM(SGD) | OPTIM(MUON)},
                                              {"beta1", MOMENTS | OPTIM(MUON)},
                                              {"beta2", MOMENTS | OPTIM(MUON)},
                                              {"alpha", OPTIM(RMSPROP)},
                                              {"eps", ~(OPTIM(SGD) | OPTIM(LION))}};
#define LR(kind) (1u << GR_SCHEDULE_##kind)
static const gr__conf_use lr_uses[] = {{"factor", LR(STEP) | LR(EXPONENTIAL) | LR(REDUCE_ON_PLATEAU)},
                                       {"period", LR(STEP) | LR(EXPONENTIAL)},
                                       {"decay", LR(INVERSE_TIME) | LR(LINEAR_DECAY)},
                                       {"decay_fraction", LR(WSD)},
                                       {"rise_fraction", LR(ONE_CYCLE)},
                                       {"start_divisor", LR(ONE_CYCLE)},
                                       {"patience", LR(REDUCE_ON_PLATEAU)}};

static gr_status read_optimizer(const gr__conf *node, bool language, gr__settings *s, gr__arena *arena)
{
    gr__optimizer_rows r = {.o = {0}};
    GR_TRY(gr__conf_read(node, "train.optimizer", optimizer_rows, GR__COUNT(optimizer_rows), &r, arena));
    s->optimizer = optimizer_of(&r);
    s->decay_all = r.decay_all || !language;
    if (s->optimizer.kind == GR_OPTIMIZER_DEFAULT)
        s->optimizer.kind = language ? GR_OPTIMIZER_ADAMW : GR_OPTIMIZER_ADAM;
    if (language && s->optimizer.kind == GR_OPTIMIZER_ADAMW) {
        if (isnan(r.beta2)) s->optimizer.beta2 = 0.99;
        if (isnan(r.weight_decay)) s->optimizer.weight_decay = 0.1;
    }
    return gr__conf_check_uses(node, optimizer_uses, GR__COUNT(optimizer_uses), s->optimizer.kind, "optimiser",
                               gr_optimizer_name(s->optimizer.kind));
}

static gr_status read_groups(const gr__conf *list, gr__settings *s, gr__arena *arena)
{
    if (!list || gr__conf_is_null(list)) return GR_OK;
    if (list->kind != GR__CONF_SEQ)
        return gr__conf_fail(list, "train.groups is a list of maps: - {match: \"*.bias\", weight_decay: 0}");
    s->groups = gr__arena_alloc(arena, (list->count + 1) * sizeof *s->groups);
    if (!s->groups) return gr__fail_memory("parameter groups", list->count * sizeof *s->groups);
    for (const gr__conf *c = list->first; c; c = c->next) {
        gr__optimizer_rows r = {.o = {0}};
        GR_TRY(gr__conf_read(c, "train.groups", group_rows, GR__COUNT(group_rows), &r, arena));
        s->groups[s->n_groups++] = (gr_param_group){
            .pattern = r.match, .optimizer = optimizer_of(&r), .frozen = r.frozen, .optional = r.optional};
    }
    return GR_OK;
}

static gr_status read_lr(const gr__conf *node, bool language, gr__settings *s, gr__arena *arena)
{
    gr__lr_rows r = {0};
    GR_TRY(gr__conf_read(node, "train.lr", lr_rows, GR__COUNT(lr_rows), &r, arena));
    bool given = r.schedule >= 0;
    if (given && r.schedule == GR_SCHEDULE_STEP && !gr__conf_get(node, "period"))
        return gr__conf_fail_at_key(gr__conf_get(node, "schedule"),
                                    "schedule 'step' needs 'period', the steps between its reductions");
    s->schedule = (gr_schedule){.kind = given      ? (gr_schedule_kind)r.schedule
                                        : language ? GR_SCHEDULE_COSINE
                                                   : GR_SCHEDULE_CONSTANT,
                                .learning_rate = r.peak,
                                .min_learning_rate = isnan(r.min) ? 0 : r.min,
                                .factor = isnan(r.factor) ? 0 : r.factor,
                                .period = r.period,
                                .decay = r.decay,
                                .decay_fraction = r.decay_fraction,
                                .rise_fraction = r.rise_fraction,
                                .start_divisor = r.start_divisor,
                                .patience = r.patience,
                                .no_patience = r.patience == 0};
    GR_TRY(gr__conf_check_uses(node, lr_uses, GR__COUNT(lr_uses), s->schedule.kind, "schedule",
                               schedules[s->schedule.kind]));
    bool own = language && !given;
    s->warmup = !isnan(r.warmup) ? r.warmup : own ? 0.05 : 0;
    if (s->schedule.learning_rate == 0) {
        gr_optimizer o;
        GR_TRY(gr_optimizer_resolve(&s->optimizer, &o));
        s->schedule.learning_rate = o.learning_rate;
    }
    s->optimizer.learning_rate = s->schedule.learning_rate;
    if (isnan(r.min) && own) s->schedule.min_learning_rate = s->schedule.learning_rate / 10;
    if (s->schedule.min_learning_rate > s->schedule.learning_rate)
        return gr__conf_fail(gr__conf_get(node, "min"), "train.lr.min is %g, above the peak, %g",
                             s->schedule.min_learning_rate, s->schedule.learning_rate);
    return GR_OK;
}

gr_status gr__settings_read(const gr__conf *root, bool language, gr__settings *out, gr__arena *arena)
{
    const gr__conf *section = gr__conf_get(root, "train");
    gr__train_rows r = {.batch = NULL};
    GR_TRY(gr__conf_read(section, "train", train_rows, GR__COUNT(train_rows), &r, arena));
    gr__settings *s = &r.s;
    if (strcmp(r.batch, "full") == 0)
        s->full_batch = true;
    else if (strcmp(r.batch, "auto") == 0)
        s->batch = 0;
    else if (!gr__parse_int(r.batch, &s->batch) || s->batch < 1 || s->batch > 1000000)
        return gr__conf_fail(gr__conf_find(root, "train.batch"),
                             "train.batch is a number from 1 to 1000000, 'full' or 'auto', not '%s'", r.batch);
    GR_TRY(read_optimizer(r.optimizer, language, s, arena));
    GR_TRY(read_lr(r.lr, language, s, arena));
    GR_TRY(read_groups(r.groups, s, arena));
    if (r.early_stop && !gr__conf_is_null(r.early_stop)) {
        gr__early_rows e;
        GR_TRY(gr__conf_read(r.early_stop, "train.early_stop", early_rows, GR__COUNT(early_rows), &e, arena));
        s->patience = e.patience;
        s->min_delta = e.min_delta;
    }
    s->best = r.best == 0 ? s->patience > 0 : r.best == 1;
    if (isnan(s->clip)) s->clip = language ? 1 : 0;
    *out = *s;
    return GR_OK;
}

void gr__settings_resolve(gr__settings *s, int64_t samples, bool language, bool passes, int64_t epochs)
{
    if (s->full_batch) s->batch = samples;
    if (s->batch == 0) s->batch = language ? 12 : 32;
    if (s->batch > samples && !language) s->batch = samples;
    if (passes) s->accumulate = 1;
    double per_epoch = passes ? 1 : (double)samples / (double)(s->batch * s->accumulate);
    if (s->steps == 0 && s->epochs == 0) {
        if (language && !epochs)
            s->steps = 2000;
        else
            s->epochs = epochs ? epochs : 100;
    }
    if (s->steps == 0) s->steps = GR__MAX(1, (int64_t)floor((double)s->epochs * per_epoch + 1e-9));
    if (s->eval_every == 0) s->eval_every = GR__MAX(1, s->steps / 10);
    if (s->checkpoint_every == 0) s->checkpoint_every = s->eval_every;
    s->schedule.steps = s->steps;
    s->schedule.warmup = s->warmup < 1 ? (int64_t)(s->warmup * (double)s->steps) : (int64_t)s->warmup;
}
