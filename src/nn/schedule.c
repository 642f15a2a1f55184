/* The learning rate as a pure function of the step. */
#include "gradus/nn.h"

#include "nn/name.h"

#include <math.h>

#define PI 3.14159265358979323846

static double or_default(double x, double standard) { return x == 0 ? standard : x; }

/* Progress of t through 'whole' steps, 0 to 1. */
static double part(double t, double whole) { return whole <= 0 ? 1 : fmin(fmax(t / whole, 0), 1); }

static double cosine_between(double from, double to, double progress)
{
    return to + (from - to) * (1 + cos(PI * progress)) / 2;
}

static double constant(const gr_schedule *s, double r, double t)
{
    (void)s, (void)t;
    return r;
}

static double step_wise(const gr_schedule *s, double r, double t)
{
    return r * pow(or_default(s->factor, 0.1), floor(t / or_default((double)s->period, 1)));
}

static double exponential(const gr_schedule *s, double r, double t)
{
    return r * pow(or_default(s->factor, 0.95), t / or_default((double)s->period, 1));
}

static double inverse_time(const gr_schedule *s, double r, double t) { return r / (1 + s->decay * t); }

static double linear_decay(const gr_schedule *s, double r, double t) { return r * (1 - s->decay * t); }

static double cosine(const gr_schedule *s, double r, double t)
{
    return cosine_between(r, s->min_learning_rate, part(t, (double)(s->steps - s->warmup)));
}

static double linear(const gr_schedule *s, double r, double t)
{
    return r + (s->min_learning_rate - r) * part(t, (double)(s->steps - s->warmup));
}

/* Warm-up, stable, decay (Hu et al. 2024). */
static double wsd(const gr_schedule *s, double r, double t)
{
    double whole = (double)(s->steps - s->warmup), last = whole * or_default(s->decay_fraction, 0.2);
    return r + (s->min_learning_rate - r) * part(t - (whole - last), last);
}

/* Smith and Topin 2018, with the cosine ramps and the turning points of PyTorch's OneCycleLR. */
static double one_cycle(const gr_schedule *s, double r, double t)
{
    double start = r / or_default(s->start_divisor, 25), end = start / or_default(s->end_divisor, 1e4);
    double top = or_default(s->rise_fraction, 0.3) * (double)s->steps - 1, last = (double)s->steps - 1;
    return t <= top ? cosine_between(start, r, part(t, top)) : cosine_between(r, end, part(t - top, last - top));
}

static const struct {
    double (*at)(const gr_schedule *s, double r, double t);
    bool needs_steps, needs_decay;
} row[] = {
    [GR_SCHEDULE_CONSTANT] = {constant, false, false},
    [GR_SCHEDULE_STEP] = {step_wise, false, false},
    [GR_SCHEDULE_EXPONENTIAL] = {exponential, false, false},
    [GR_SCHEDULE_INVERSE_TIME] = {inverse_time, false, true},
    [GR_SCHEDULE_LINEAR_DECAY] = {linear_decay, false, true},
    [GR_SCHEDULE_COSINE] = {cosine, true, false},
    [GR_SCHEDULE_LINEAR] = {linear, true, false},
    [GR_SCHEDULE_WSD] = {wsd, true, false},
    [GR_SCHEDULE_ONE_CYCLE] = {one_cycle, true, false},
    [GR_SCHEDULE_REDUCE_ON_PLATEAU] = {constant, false, false},
};
_Static_assert(GR__COUNT(row) == GR_SCHEDULE_COUNT, "a schedule without a row");

static const char *const names[] = {
#define GR_X(code, name) name,
    GR_SCHEDULE_MAP(GR_X)
#undef GR_X
};

double gr_schedule_at(const gr_schedule *s, int64_t step)
{
    if ((unsigned)s->kind >= GR_SCHEDULE_COUNT) return NAN;
    double r = or_default(s->learning_rate, 1e-3);
    if (step < 0) step = 0;
    if (s->kind == GR_SCHEDULE_ONE_CYCLE) return one_cycle(s, r, (double)step);
    if (step < s->warmup) return r * (double)(step + 1) / (double)s->warmup;
    double rate = row[s->kind].at(s, r, (double)(step - s->warmup));
    return fmax(rate, s->min_learning_rate);
}

/* ---- checking ---- */

static gr_status in_range(const char *field, double x, double low, double high, const char *range)
{
    GR_FAIL_IF(!(x >= low && x <= high), GR_ERR_CONFIG, "schedule: '%s' is %g, not %s", field, x, range);
    return GR_OK;
}

gr_status gr_schedule_check(const gr_schedule *s)
{
    const double tiny = 0x1p-1000, large = 1e300;
    GR_FAIL_IF((unsigned)s->kind >= GR_SCHEDULE_COUNT, GR_ERR_CONFIG, "schedule: %d is not a kind", (int)s->kind);
    double r = or_default(s->learning_rate, 1e-3);
    GR_TRY(in_range("learning_rate", r, tiny, large, "above 0"));
    GR_TRY(in_range("min_learning_rate", s->min_learning_rate, 0, r, "between 0 and the learning rate"));
    GR_TRY(in_range("warmup", (double)s->warmup, 0, large, "0 or more"));
    GR_TRY(in_range("steps", (double)s->steps, 0, large, "0 or more"));
    GR_TRY(in_range("factor", or_default(s->factor, 0.1), tiny, 1 - 0x1p-52, "in (0, 1)"));
    GR_TRY(in_range("period", (double)s->period, 0, large, "1 or more"));
    GR_TRY(in_range("decay", s->decay, 0, large, "above 0"));
    GR_TRY(in_range("decay_fraction", s->decay_fraction, 0, 1, "in (0, 1]"));
    GR_TRY(in_range("rise_fraction", s->rise_fraction, 0, 1 - 0x1p-52, "in (0, 1)"));
    GR_TRY(in_range("start_divisor", or_default(s->start_divisor, 25), 1, large, "1 or more"));
    GR_TRY(in_range("end_divisor", or_default(s->end_divisor, 1e4), 1, large, "1 or more"));
    GR_TRY(in_range("patience", (double)s->patience, 0, large, "0 or more"));
    GR_TRY(in_range("threshold", s->threshold, 0, 1, "in [0, 1]"));
    GR_TRY(in_range("cooldown", (double)s->cooldown, 0, large, "0 or more"));
    GR_FAIL_IF(row[s->kind].needs_steps && s->steps < 1, GR_ERR_CONFIG, "schedule '%s' needs 'steps'", names[s->kind]);
    GR_FAIL_IF(row[s->kind].needs_decay && !(s->decay > 0), GR_ERR_CONFIG, "schedule '%s' needs 'decay' above 0",
               names[s->kind]);
    GR_FAIL_IF(row[s->kind].needs_steps && s->warmup > s->steps, GR_ERR_CONFIG,
               "schedule: 'warmup' (%lld) is longer than 'steps' (%lld)", (long long)s->warmup, (long long)s->steps);
    GR_FAIL_IF(s->kind == GR_SCHEDULE_ONE_CYCLE && s->warmup > 0, GR_ERR_CONFIG,
               "schedule 'one_cycle' warms up by itself: use 'rise_fraction', not 'warmup'");
    return GR_OK;
}

const char *gr_schedule_name(gr_schedule_kind kind) { return (unsigned)kind < GR_SCHEDULE_COUNT ? names[kind] : ""; }

gr_status gr_schedule_from_name(const char *name, gr_schedule_kind *out)
{
    int kind;
    GR_TRY(gr__kind_from_name("a schedule", names, GR_SCHEDULE_COUNT, name, &kind));
    *out = (gr_schedule_kind)kind;
    return GR_OK;
}

/* ---- reduce on plateau ---- */

void gr_plateau_init(gr_plateau *p) { *p = (gr_plateau){.scale = 1}; }

static bool improves(const gr_plateau *p, const gr_schedule *s, double metric)
{
    if (isnan(metric)) return false;
    if (p->feeds == 0) return true;
    /* by |best|, so that a negative metric must improve too; PyTorch's rule for best >= 0 */
    double threshold = s->no_threshold ? 0 : or_default(s->threshold, 1e-4), margin = fabs(p->best) * threshold;
    return s->larger_is_better ? metric > p->best + margin : metric < p->best - margin;
}

double gr_plateau_feed(gr_plateau *p, const gr_schedule *s, double metric)
{
    int64_t patience = s->no_patience ? 0 : s->patience == 0 ? 10 : s->patience;
    if (improves(p, s, metric)) {
        p->best = metric;
        p->bad = 0;
    } else {
        p->bad++;
    }
    if (!isnan(metric)) p->feeds++;
    if (p->cooldown > 0) {
        p->cooldown--;
        p->bad = 0;
    }
    if (p->bad > patience) {
        double least = s->min_learning_rate / or_default(s->learning_rate, 1e-3);
        p->scale = fmax(p->scale * or_default(s->factor, 0.1), least);
        p->cooldown = s->cooldown;
        p->bad = 0;
    }
    return p->scale;
}
