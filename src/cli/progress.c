#include "cli/progress.h"

#include "cli/out.h"
#include "cli/signals.h"
#include "gradus/tools.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { MOST_POINTS = 512, SPARK_WIDTH = 16, BAR_WIDTH = 14 };
#define REDRAW_SECONDS 0.1
#define LINE_SECONDS 5.0
#define JSON_SECONDS 1.0

typedef struct progress {
    gr_run_plan plan;
    double peak_flops;
    bool live;   /* a terminal */
    bool drawn;  /* a moving line stands there */
    double last; /* time of the last output */
    double limit, started;
    double point[MOST_POINTS]; /* averages of the loss, every 'stride' steps */
    size_t n_points;
    int64_t stride, steps_seen;
    double loss; /* average of the last 20 steps or so */
} progress;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- numbers of a step ---- */

static void remember(progress *u, double loss)
{
    double share = u->steps_seen < 20 ? 1.0 / (double)(u->steps_seen + 1) : 0.05;
    if (isfinite(loss)) u->loss += share * (loss - u->loss);
    if (u->steps_seen++ % u->stride) return;
    if (u->n_points == MOST_POINTS) {
        for (size_t i = 0; i < MOST_POINTS / 2; i++) u->point[i] = u->point[2 * i];
        u->n_points = MOST_POINTS / 2;
        u->stride *= 2;
    }
    u->point[u->n_points++] = u->loss;
}

/* Every point of the run in SPARK_WIDTH columns. */
static void sparkline(const progress *u, char *out, size_t room)
{
    double column[SPARK_WIDTH];
    size_t width = u->n_points < SPARK_WIDTH ? u->n_points : SPARK_WIDTH;
    for (size_t i = 0; i < width; i++) column[i] = u->point[(i + 1) * u->n_points / width - 1];
    gr_sparkline(column, width, width, out, room);
}

static double mfu(const progress *u, const gr_progress *p)
{
    if (u->peak_flops <= 0 || u->plan.units_per_step <= 0) return NAN;
    return u->plan.flops_per_step * p->units_per_second / u->plan.units_per_step / u->peak_flops;
}

static double seconds_left(const progress *u, const gr_progress *p)
{
    double left = p->seconds_left;
    return u->limit > 0 ? fmin(left, fmax(0, u->limit - (now() - u->started))) : left;
}

/* ---- the line ---- */

typedef struct line {
    char text[1024];
    size_t n;
    int width, room; /* in columns */
} line;

/* Adds a part with two blanks before it, unless it no longer fits. */
static void add(line *l, const char *format, ...) GR_PRINTF(2, 3);
static void add(line *l, const char *format, ...)
{
    char part[256];
    va_list args;
    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    int width = out_width(part) + (l->n ? 2 : 0);
    if (l->width + width > l->room || l->n + strlen(part) + 3 > sizeof l->text) return;
    l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s", l->n ? "  " : "", part);
    l->width += width;
}

static void bar(double share, char *out, size_t room)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int eighths = (int)(fmin(fmax(share, 0), 1) * BAR_WIDTH * 8), n = 0;
    size_t at = 0;
    out[0] = 0;
    for (; n < eighths / 8; n++) at += (size_t)snprintf(out + at, room - at, "█");
    if (eighths % 8) at += (size_t)snprintf(out + at, room - at, "%s", parts[eighths % 8]), n++;
    for (; n < BAR_WIDTH; n++) at += (size_t)snprintf(out + at, room - at, "░");
}

static void compose(const progress *u, const gr_progress *p, bool moving, line *l)
{
    char text[4 * (SPARK_WIDTH + BAR_WIDTH)], number[32];
    double share = (double)p->step / (double)(p->steps > 0 ? p->steps : 1), used = mfu(u, p);
    add(l, "step %lld/%lld", (long long)p->step, (long long)p->steps);
    if (moving) {
        bar(share, text, sizeof text);
        add(l, "%s %3.0f %%", text, 100 * share);
    }
    add(l, "loss %.4g", u->loss);
    if (isfinite(p->valid_loss)) add(l, "valid %.4g", p->valid_loss);
    if (isfinite(p->learning_rate)) add(l, "lr %.2e", p->learning_rate);
    if (isfinite(p->grad_norm)) add(l, "grad %.3g", p->grad_norm);
    gr_show_count(number, p->units_per_second);
    add(l, "%s %s/s", number, u->plan.unit);
    if (isfinite(used) && isfinite(p->learning_rate)) add(l, "MFU %.0f %%", 100 * used);
    if (p->waiting >= 0.005) add(l, "inputs %.0f %%", 100 * p->waiting);
    gr_show_seconds(number, seconds_left(u, p));
    add(l, "ETA %s", number);
    gr_show_bytes(number, (double)p->memory_bytes);
    add(l, "%s", number);
    if (p->skipped) add(l, "skipped %lld", (long long)p->skipped);
    if (moving) {
        sparkline(u, text, sizeof text);
        add(l, "%s", text);
    }
}

/* Nothing of a short one. */
static bool is_time_to_say(progress *u, double seconds)
{
    double t = now();
    if (u->last == 0) u->last = t;
    if (t - u->last < seconds) return false;
    u->last = t;
    return true;
}

static void wipe(progress *u)
{
    if (u->drawn) fputs("\r\033[K", stderr);
    u->drawn = false;
}

static void show_step(progress *u, const gr_progress *p)
{
    bool last = p->step == p->steps;
    double t = now();
    if (!last && u->last > 0 && t - u->last < (u->live ? REDRAW_SECONDS : LINE_SECONDS)) return;
    line l = {.room = u->live ? out_columns(stderr) - 1 : 1000};
    compose(u, p, u->live, &l);
    fprintf(stderr, u->live ? "\r%s\033[K" : "%s\n", l.text);
    u->drawn = u->live;
    u->last = t;
}

static void show_valid(progress *u, const gr_progress *p)
{
    if (u->live) wipe(u);
    fprintf(stderr, "step %lld/%lld  validation loss %.4f\n", (long long)p->step, (long long)p->steps, p->valid_loss);
}

static void show_validating(progress *u, const gr_progress *p)
{
    char text[4 * BAR_WIDTH], left[32];
    double share = (double)p->valid_done / (double)p->valid_samples;
    if (p->valid_done == p->valid_samples) wipe(u);
    if (p->valid_done == p->valid_samples || !is_time_to_say(u, !u->live   ? LINE_SECONDS
                                                                : u->drawn ? REDRAW_SECONDS
                                                                           : 1))
        return;
    line l = {.room = u->live ? out_columns(stderr) - 1 : 1000};
    if (p->steps) add(&l, "step %lld/%lld", (long long)p->step, (long long)p->steps);
    if (u->live) {
        bar(share, text, sizeof text);
        add(&l, "%s", text);
    }
    gr_show_seconds(left, p->valid_seconds_left);
    add(&l, "validating %3.0f %%", 100 * share);
    add(&l, "%lld of %lld samples", (long long)p->valid_done, (long long)p->valid_samples);
    add(&l, "ETA %s", left);
    fprintf(stderr, u->live ? "\r%s\033[K" : "%s\n", l.text);
    u->drawn = u->live;
}

/* ---- JSON lines ---- */

static void json_validating(progress *u, const gr_progress *p)
{
    if (!is_time_to_say(u, JSON_SECONDS)) return;
    json_open('{');
    json_text("event", "validating");
    json_int("step", p->step);
    json_int("done", p->valid_done);
    json_int("samples", p->valid_samples);
    json_number("seconds_left", p->valid_seconds_left);
    json_end();
}

static void json_step(progress *u, const gr_progress *p)
{
    double t = now();
    if (p->step != p->steps && u->last > 0 && t - u->last < JSON_SECONDS) return;
    u->last = t;
    json_open('{');
    json_text("event", "step");
    json_int("step", p->step);
    json_int("steps", p->steps);
    json_number("epoch", p->epoch);
    json_number("loss", p->loss);
    json_number("loss_average", u->loss);
    json_number("lr", p->learning_rate);
    json_number("grad_norm", p->grad_norm);
    json_number("units_per_second", p->units_per_second);
    json_number("mfu", mfu(u, p));
    json_number("waiting", p->waiting);
    json_number("seconds", p->seconds);
    json_number("seconds_left", seconds_left(u, p));
    json_int("memory_bytes", (int64_t)p->memory_bytes);
    json_int("skipped", p->skipped);
    json_end();
}

static void json_event(gr_run_event event, const gr_progress *p, const char *text)
{
    static const char *const names[] = {"step", "valid", "checkpoint", "note"};
    json_open('{');
    json_text("event", names[event]);
    json_int("step", p->step);
    if (event == GR_EVENT_VALID) json_number("loss", p->valid_loss);
    if (text) json_text(event == GR_EVENT_CHECKPOINT ? "path" : "text", text);
    json_end();
}

/* ---- hooks ---- */

static void on_event(void *user, gr_run_event event, const gr_progress *p, const char *text)
{
    progress *u = user;
    if (event == GR_EVENT_STEP) remember(u, p->loss);
    if (cli.json) {
        if (event == GR_EVENT_STEP)
            json_step(u, p);
        else if (event == GR_EVENT_VALIDATING)
            json_validating(u, p);
        else
            json_event(event, p, text);
        return;
    }
    if (cli.quiet) return;
    switch (event) {
    case GR_EVENT_STEP: show_step(u, p); return;
    case GR_EVENT_VALID: show_valid(u, p); return;
    case GR_EVENT_VALIDATING: show_validating(u, p); return;
    case GR_EVENT_CHECKPOINT:
        if (!cli.verbose) return;
        wipe(u);
        fprintf(stderr, "step %lld/%lld  checkpoint in %s\n", (long long)p->step, (long long)p->steps, text);
        return;
    case GR_EVENT_NOTE: wipe(u); fprintf(stderr, "%s\n", text);
    }
}

static bool on_stop(void *user)
{
    (void)user;
    return signals_asked();
}

gr_status progress_train(gr_run *run, double time_limit_seconds)
{
    progress u = {.plan = gr_run_describe(run),
                  .live = out_is_terminal(stderr),
                  .limit = time_limit_seconds,
                  .started = now(),
                  .stride = 1};
    if (!cli.quiet) u.peak_flops = gr_peak_flops(u.plan.bf16);
    gr_train_hooks hooks = {.user = &u, .event = on_event, .stop = on_stop, .time_limit_seconds = time_limit_seconds};
    gr_status status = gr_run_train(run, &hooks);
    if (u.drawn) fputc('\n', stderr);
    return status;
}

gr_status progress_evaluate(gr_run *run, gr_metric *out, int capacity, int *n)
{
    progress u = {.live = out_is_terminal(stderr), .stride = 1};
    gr_train_hooks hooks = {.user = &u, .event = cli.json ? NULL : on_event, .stop = on_stop};
    gr_status status = gr_run_evaluate_watched(run, &hooks, out, capacity, n);
    wipe(&u);
    return status;
}
