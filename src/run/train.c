/* The training loop, or the task's own algorithm in its place. Everything that decides what happens is a function of the
 * step, the configuration and the store, so that a run that stopped anywhere goes on bit for bit. */
#include "run/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "run/loader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SKIPS_IN_A_ROW = 100 };

typedef struct gr__trainer {
    gr_run *run;
    const gr_train_hooks *hooks;
    gr__loader *loader;
    gr__appender *log;
    gr__str line;
    gr_progress progress;
    double started, last_time, rate; /* seconds; units per second */
    double filling, stepping;        /* seconds of waiting for inputs; of all steps */
    int64_t skips_in_a_row;
    bool deaf; /* to 'stop', within the next validation */
} gr__trainer;

static void tell(gr__trainer *t, gr_run_event event, const char *text)
{
    if (t->hooks && t->hooks->event) t->hooks->event(t->hooks->user, event, &t->progress, text);
}

/* ---- metrics.jsonl ---- */

static void add_number(gr__str *s, const char *key, double value)
{
    gr__str_add(s, ", ");
    gr__json_add_string(s, key, strlen(key)); /* it may hold the name of a class */
    gr__str_add(s, ": ");
    gr__json_add_double(s, value);
}

static gr_status flush_line(gr__trainer *t)
{
    gr__str_add(&t->line, "}\n");
    GR_TRY(gr__str_check(&t->line));
    return t->log ? gr__appender_write(t->log, t->line.text, t->line.n) : GR_OK;
}

/* Only the last two numbers differ from run to run. */
static gr_status log_step(gr__trainer *t, double units)
{
    const gr_progress *p = &t->progress;
    gr__str_clear(&t->line);
    gr__str_printf(&t->line, "{\"step\": %lld", (long long)p->step);
    add_number(&t->line, "loss", p->loss);
    add_number(&t->line, "lr", p->learning_rate);
    add_number(&t->line, "grad_norm", p->grad_norm);
    add_number(&t->line, "units", units);
    add_number(&t->line, "seconds", p->seconds);
    add_number(&t->line, "units_per_second", p->units_per_second);
    return flush_line(t);
}

static gr_status log_metrics(gr__trainer *t, const gr_metric *m, int n)
{
    gr__str_clear(&t->line);
    gr__str_printf(&t->line, "{\"step\": %lld", (long long)t->progress.step);
    for (int i = 0; i < n; i++) {
        char key[6 + sizeof m->name] = "valid_";
        memcpy(key + 6, m[i].name, sizeof m->name);
        add_number(&t->line, key, m[i].value);
    }
    return flush_line(t);
}

/* ---- one step ---- */

static double output(gr_session *s, const char *name)
{
    gr_tensor t;
    return gr_session_output(s, name, &t) == GR_OK ? gr_tensor_get(&t, 0) : NAN;
}

static gr_status run_program(gr__trainer *t, gr_session *s, int64_t micro, bool fill)
{
    gr_run *run = t->run;
    gr_run_control c = gr__run_control(run, micro);
    double begin = gr__now();
    if (fill) gr__loader_take(t->loader, micro);
    t->filling += gr__now() - begin;
    gr_session_set_control(s, &c);
    t->progress.learning_rate = c.learning_rate;
    return gr_session_run(s);
}

/* 0 of a step in which nothing counts. */
static double mean_loss(double sum, double weight) { return weight == 0 && sum == 0 ? 0 : sum / weight; }

/* GR_ERR_NUMERIC when a guard held the update back. */
static gr_status one_step(gr__trainer *t)
{
    gr_run *run = t->run;
    gr_progress *p = &t->progress;
    int64_t k = run->set.accumulate, first = run->at.step * k;
    if (run->step) {
        gr_status s = run_program(t, run->step, first, true);
        p->loss = mean_loss(output(run->step, "loss_sum"), output(run->step, "weight"));
        p->grad_norm = output(run->step, "grad_norm");
        return s;
    }
    double sum = 0, weight = 0;
    gr_status status = GR_OK;
    for (int64_t i = 0; i < k && status == GR_OK; i++) {
        status = run_program(t, run->micro, first + i, true);
        sum += output(run->micro, "loss_sum");
        weight += output(run->micro, "weight");
    }
    p->loss = mean_loss(sum, weight);
    if (status == GR_OK) {
        status = run_program(t, run->apply, first, false);
        p->grad_norm = output(run->apply, "grad_norm");
    }
    if (status == GR_ERR_NUMERIC) GR_TRY(gr_session_run(run->clear));
    return status;
}

/* The name of what is not finite: an op of the forward or backward part, else the parameter whose gradient is. */
static gr_status explain(gr__trainer *t)
{
    gr_run *run = t->run;
    gr_session *s = run->step ? run->step : run->micro;
    gr_status status = gr_session_find_nonfinite(s);
    if (status == GR_OK) {
        gr_tensor squares;
        gr__fail(GR_ERR_NUMERIC, "the gradient is not finite");
        if (gr_session_output(run->step ? run->step : run->apply, "sum_squares", &squares) == GR_OK)
            for (int i = 0; i < run->n_params; i++)
                if (!isfinite(gr_tensor_get(&squares, i))) {
                    gr__fail(GR_ERR_NUMERIC, "the gradient of '%s' is not finite",
                             gr_value_path(run->graph, run->params[i]));
                    break;
                }
    } else if (status != GR_ERR_NUMERIC) {
        return status;
    }
    return gr__fail_prefix(GR_ERR_NUMERIC, "step %lld", (long long)run->at.step + 1);
}

static gr_status handle_nonfinite(gr__trainer *t)
{
    gr_run *run = t->run;
    if (run->set.nonfinite == GR__NONFINITE_SKIP && ++t->skips_in_a_row < MOST_SKIPS_IN_A_ROW) {
        run->at.skipped++;
        t->progress.skipped = run->at.skipped;
        return GR_OK;
    }
    gr_status s = explain(t);
    if (s != GR_ERR_NUMERIC) return s;
    char *text = gr__strdup(gr_message());
    gr__fail(GR_ERR_NUMERIC, "%s; a lower learning rate helps mostly, or train.nonfinite=skip%s", text ? text : "",
             run->out ? "; the last checkpoint is intact" : "");
    gr__free(text);
    return GR_ERR_NUMERIC;
}

static gr_status step(gr__trainer *t)
{
    gr_run *run = t->run;
    gr_progress *p = &t->progress;
    gr_status s = one_step(t);
    bool bad = s == GR_ERR_NUMERIC || (s == GR_OK && (!isfinite(p->loss) || isinf(p->grad_norm)));
    if (s != GR_OK && s != GR_ERR_NUMERIC) return s;
    if (bad)
        GR_TRY(handle_nonfinite(t));
    else {
        t->skips_in_a_row = 0;
        run->at.update++;
        run->at.loss_average = isnan(run->at.loss_average) ? p->loss : run->at.loss_average * 0.98 + p->loss * 0.02;
    }
    run->at.step++;
    double now = gr__now(), took = now - t->last_time,
           units = run->task->units_per_sample * (double)(run->set.batch * run->set.accumulate);
    t->last_time = now;
    run->at.seconds += took;
    t->stepping += took;
    t->rate = t->rate > 0 ? 0.9 * t->rate + 0.1 * units / took : units / took;
    p->step = run->at.step;
    p->epoch = (double)run->at.step * (double)(run->set.batch * run->set.accumulate) /
               (double)GR__MAX(run->task->samples[0], 1);
    p->loss_average = run->at.loss_average;
    p->seconds = run->at.seconds;
    p->units_per_second = t->rate;
    p->waiting = t->filling / t->stepping;
    p->seconds_left = (double)(run->set.steps - run->at.step) * units / t->rate;
    p->memory_bytes = gr__rss_bytes();
    GR_TRY(log_step(t, units * (double)run->at.step));
    tell(t, GR_EVENT_STEP, NULL);
    return GR_OK;
}

/* ---- between steps ---- */

static gr_status validate(gr__trainer *t, bool last, bool *best, bool *stop)
{
    gr_run *run = t->run;
    gr_metric m[16];
    int n;
    int64_t samples = last ? 0 : run->set.eval_samples ? run->set.eval_samples : 4096;
    gr_train_hooks hooks = t->hooks ? *t->hooks : (gr_train_hooks){.user = NULL};
    if (t->deaf) hooks.stop = NULL;
    t->deaf = false;
    gr__loader_rest(t->loader);
    GR_TRY(gr__run_validate(run, &hooks, &t->progress, samples, &run->valid_loss, m, 16, &n));
    if (n == 0) return GR_OK;
    t->progress.valid_loss = run->valid_loss;
    if (last) {
        memcpy(run->last, m, sizeof m);
        run->n_last = n;
        run->last_step = run->at.step;
    }
    GR_TRY(log_metrics(t, m, n));
    run->at.plateau.scale = run->set.schedule.kind == GR_SCHEDULE_REDUCE_ON_PLATEAU
                                ? gr_plateau_feed(&run->at.plateau, &run->set.schedule, run->valid_loss)
                                : 1;
    if (run->valid_loss < run->at.best_loss - run->set.min_delta) {
        run->at.best_loss = run->valid_loss;
        run->at.bad_validations = 0;
        *best = true;
    } else if (run->set.patience && ++run->at.bad_validations >= run->set.patience) {
        *stop = true;
    }
    tell(t, GR_EVENT_VALID, NULL);
    t->last_time = gr__now();
    return GR_OK;
}

static gr_status checkpoint(gr__trainer *t, bool best)
{
    gr_run *run = t->run;
    if (!run->out) return GR_OK;
    GR_TRY(gr__appender_sync(t->log));
    run->at.metrics_bytes = gr__appender_size(t->log);
    GR_TRY(gr__checkpoint_write(run, best));
    tell(t, GR_EVENT_CHECKPOINT, run->out);
    t->last_time = gr__now();
    return GR_OK;
}

static bool asked_to_stop(gr__trainer *t)
{
    const gr_train_hooks *h = t->hooks;
    if (!h) return false;
    if (h->stop && h->stop(h->user)) return true;
    return h->time_limit_seconds > 0 && gr__now() - t->started >= h->time_limit_seconds;
}

static gr_status stopped(const gr__trainer *t)
{
    const gr_run *run = t->run;
    if (!run->out)
        return gr__fail(GR_ERR_STOPPED, "stopped after step %lld of %lld; nothing was kept", (long long)run->at.step,
                        (long long)run->set.steps);
    return gr__fail(GR_ERR_STOPPED,
                    "stopped after step %lld of %lld with a checkpoint in '%s'; the same command goes on",
                    (long long)run->at.step, (long long)run->set.steps, run->out);
}

/* The validation of a step, where one is due. A stopped one begins anew when the run goes on. */
static gr_status validate_when_due(gr__trainer *t, bool last, bool *best, bool *early)
{
    gr_run *run = t->run;
    run->at.unvalidated = false;
    if (!last && run->at.step % run->set.eval_every) return GR_OK;
    gr_status s = validate(t, last, best, early);
    if (s != GR_ERR_STOPPED) return s;
    run->at.unvalidated = true;
    GR_TRY(checkpoint(t, false));
    return stopped(t);
}

static gr_status loop(gr__trainer *t)
{
    gr_run *run = t->run;
    gr__settings *s = &run->set;
    if (s->patience && run->at.bad_validations >= s->patience) s->steps = run->at.step; /* it had stopped early */
    GR_TRY(gr__loader_new(run->task, run->step ? run->step : run->micro, s->batch, run->at.step * s->accumulate,
                          s->steps * s->accumulate, s->loaders > 0, &t->loader));
    t->deaf = run->at.unvalidated; /* once is enough: a validation longer than the time of each call would never end */
    while (run->at.step < s->steps || run->at.unvalidated) {
        bool best = false, early = false;
        if (!run->at.unvalidated) GR_TRY(step(t));
        bool last = run->at.step >= s->steps;
        GR_TRY(validate_when_due(t, last, &best, &early));
        bool asked = !last && asked_to_stop(t);
        if (early) {
            tell(t, GR_EVENT_NOTE, "stopped early: the validation loss no longer falls");
            s->steps = run->at.step;
        }
        if (last || asked || early || best || run->at.step % s->checkpoint_every == 0) GR_TRY(checkpoint(t, best));
        if (asked) return stopped(t);
    }
    return GR_OK;
}

/* What the folder holds then is the best one in every file, and going on begins there. */
static gr_status bring_best_back(gr__trainer *t)
{
    gr_run *run = t->run;
    int64_t step = run->at.best_step;
    bool best = false, stop = false;
    char note[160];
    if (!run->set.best || !run->out || step == 0 || step == run->at.step) return GR_OK;
    gr_status s = gr__checkpoint_load(run, step);
    if (s == GR_ERR_CORRUPT || s == GR_ERR_NOT_FOUND) {
        gr__log(GR_LOG_WARNING, "the weights of step %lld, the best validation, cannot come back: %s", (long long)step,
                gr_message());
        return GR_OK;
    }
    GR_TRY(s);
    snprintf(note, sizeof note, "the weights of step %lld are back: the best validation", (long long)step);
    tell(t, GR_EVENT_NOTE, note);
    t->deaf = true;
    GR_TRY(validate(t, true, &best, &stop));
    return checkpoint(t, true);
}

/* ---- a fit in place of steps ---- */

typedef struct gr__fit_user {
    gr__trainer *t;
    gr_status status; /* of the log */
} gr__fit_user;

static bool after_pass(void *user, int64_t done, int64_t of, double loss)
{
    gr__fit_user *u = user;
    gr__trainer *t = u->t;
    gr_progress *p = &t->progress;
    double now = gr__now(), took = now - t->last_time,
           units = t->run->task->units_per_sample * (double)t->run->task->samples[0];
    t->last_time = now;
    t->run->at.seconds += took;
    *p = (gr_progress){.step = done,
                       .steps = of,
                       .epoch = (double)done,
                       .loss = loss,
                       .loss_average = loss,
                       .learning_rate = NAN,
                       .grad_norm = NAN,
                       .valid_loss = NAN,
                       .seconds = t->run->at.seconds,
                       .seconds_left = (double)(of - done) * took,
                       .units_per_second = units / took,
                       .memory_bytes = gr__rss_bytes()};
    u->status = log_step(t, units * (double)done);
    tell(t, GR_EVENT_STEP, NULL);
    return u->status != GR_OK || asked_to_stop(t);
}

/* All or nothing: what was stopped begins anew, and what is done stays. */
static gr_status fit(gr__trainer *t)
{
    gr_run *run = t->run;
    gr__fit_user user = {.t = t};
    const gr__watch watch = {after_pass, &user};
    bool best = false, early = false;
    if (run->at.step == 0) {
        gr_status s = run->task->kind->fit(run->task, run->set.steps, &watch);
        GR_TRY(user.status);
        if (s == GR_ERR_STOPPED)
            return gr__fail(GR_ERR_STOPPED,
                            "stopped after %lld passes, of which nothing is kept; the same command begins anew",
                            (long long)t->progress.step);
        GR_TRY(s);
        run->at.step = run->at.update = GR__MAX(t->progress.step, 1);
        run->at.loss_average = t->progress.loss;
        run->set.steps = run->at.step;
        t->deaf = true;
        GR_TRY(validate(t, true, &best, &early));
        GR_TRY(checkpoint(t, best));
    }
    run->set.steps = run->at.step;
    return GR_OK;
}

/* ---- the ends ---- */

static gr_status write_config(gr_run *run)
{
    char *text, *path = gr__path_join(run->out, "config.yaml");
    if (!path) return gr__fail_memory("a path", 64);
    gr_status s = gr_run_config(run, &text);
    if (s == GR_OK) {
        s = gr__file_write(path, text, strlen(text));
        gr_text_free(text);
    }
    gr__free(path);
    return s;
}

static gr_status open_log(gr__trainer *t)
{
    char *path = gr__path_join(t->run->out, "metrics.jsonl");
    if (!path) return gr__fail_memory("a path", 64);
    gr_status s = gr__appender_open(path, (size_t)t->run->at.metrics_bytes, &t->log);
    gr__free(path);
    return s;
}

/* The model that is saved has the threshold of its own last weights, over all samples. */
static gr_status tune(gr_run *run)
{
    double loss;
    if (!run->tuning.kind || (run->n_last && run->last_step == run->at.step)) return GR_OK;
    GR_TRY(gr__run_validate(run, NULL, NULL, 0, &loss, NULL, 0, NULL));
    return run->out ? gr__checkpoint_write(run, false) : GR_OK;
}

gr_status gr_run_train(gr_run *run, const gr_train_hooks *hooks)
{
    GR_FAIL_IF(!run, GR_ERR_ARGUMENT, "gr_run_train: an argument is NULL");
    gr_status status = GR_OK;
    gr__trainer t = {.run = run, .hooks = hooks};
    GR_TRY(gr__run_lock(run));
    GR_TRY(gr__run_begin(run));
    run->trains = true;
    run->same_threshold = false; /* what trains is tuned anew */
    if (run->out) {
        GR_TRY_DONE(write_config(run));
        GR_TRY_DONE(open_log(&t));
    }
    t.started = t.last_time = gr__now();
    t.progress = (gr_progress){
        .step = run->at.step, .steps = run->set.steps, .valid_loss = NAN, .grad_norm = NAN, .skipped = run->at.skipped};
    GR_TRY_DONE(run->task->kind->fit ? fit(&t) : loop(&t));
    gr__loader_free(&t.loader); /* which may be ahead of a run that stopped early */
    GR_TRY_DONE(bring_best_back(&t));
    GR_TRY_DONE(tune(run));
    if (run->out) {
        GR_TRY_DONE(gr__run_swap_averages(run));
        status = gr_model_save(run->task->model, run->out);
        gr_status back = gr__run_swap_averages(run);
        if (status == GR_OK) status = back;
    }
done:
    gr__loader_free(&t.loader);
    gr__appender_close(&t.log);
    gr__str_release(&t.line);
    return status;
}
