/* The validation part, in file order; the averaged weights where there are any. */
#include "run/run.h"

#include "base/clock.h"
#include "base/log.h"
#include "gradus/store.h"

#include <math.h>
#include <string.h>

gr_status gr__run_swap_averages(gr_run *run)
{
    if (run->set.ema <= 0) return GR_OK;
    gr__str path = {0};
    gr_status status = GR_OK;
    for (int i = 0; i < run->n_params; i++) {
        const char *name = gr_value_path(run->graph, run->params[i]);
        gr_tensor p, e;
        gr__str_clear(&path);
        gr__str_printf(&path, "ema:%s", name);
        GR_TRY_DONE(gr__str_check(&path));
        if (gr_store_get(run->store, gr__str_get(&path), &e) != GR_OK) continue; /* frozen */
        GR_TRY_DONE(gr_store_get(run->store, name, &p));
        float *a = p.data, *b = e.data;
        for (int64_t k = 0, n = gr_tensor_count(&p); k < n; k++) {
            float t = a[k];
            a[k] = b[k];
            b[k] = t;
        }
    }
    gr_store_touch(run->store);
done:
    gr__str_release(&path);
    return status;
}

/* Who watches a validation. */
typedef struct watcher {
    const gr_train_hooks *hooks;
    gr_progress *progress;
    double started;
} watcher;

/* True: stop. Nobody is asked behind the last batch. */
static bool watch(const watcher *w, int64_t done, int64_t samples)
{
    gr_progress *p = w->progress;
    if (!w->hooks) return false;
    p->valid_done = GR__MIN(done, samples);
    p->valid_samples = samples;
    p->valid_seconds_left = (gr__now() - w->started) / (double)p->valid_done * (double)(samples - p->valid_done);
    if (w->hooks->event) w->hooks->event(w->hooks->user, GR_EVENT_VALIDATING, p, NULL);
    return done < samples && w->hooks->stop && w->hooks->stop(w->hooks->user);
}

static gr_status validate(gr_run *run, const watcher *who, int64_t samples, double *loss)
{
    const gr__task_kind *kind = run->task->kind;
    double sum = 0, weight = 0;
    gr_status status = GR_OK;
    gr__inputs in;
    gr_tensor s, w;
    GR_TRY(gr_session_output(run->eval, "loss_sum", &s));
    GR_TRY(gr_session_output(run->eval, "weight", &w));
    GR_TRY(gr__inputs_of(run->eval, &in));
    for (int64_t first = 0; first < samples; first += run->set.batch) {
        gr_run_control control = {.seed = (uint64_t)run->set.seed};
        kind->fill(run->task, GR__SPLIT_VALID, first, run->set.batch, &in);
        gr_session_set_control(run->eval, &control);
        GR_TRY_DONE(gr_session_run(run->eval));
        sum += gr_tensor_get(&s, 0);
        weight += gr_tensor_get(&w, 0);
        if (kind->score) kind->score(run->task, first, run->set.batch, run->eval);
        if (watch(who, first + run->set.batch, samples))
            GR_TRY_DONE(gr__fail(GR_ERR_STOPPED, "the validation was stopped after %lld of %lld samples",
                                 (long long)who->progress->valid_done, (long long)samples));
    }
    *loss = weight > 0 ? sum / weight : NAN;
done:
    gr__inputs_release(&in);
    return status;
}

/* A threshold that was tuned in training is no longer tuned to the data that are looked at. */
static gr_status tune(gr_run *run)
{
    double tuned = run->same_threshold && run->kept ? run->kept->threshold : NAN;
    if (!run->task->kind->tune || !run->tuning.kind) return GR_OK;
    return isnan(tuned) ? run->task->kind->tune(run->task, &run->tuning)
                        : gr_model_set_threshold(run->task->model, tuned);
}

gr_status gr__run_validate(gr_run *run, const gr_train_hooks *hooks, gr_progress *progress, int64_t samples,
                           double *loss, gr_metric *metrics, int capacity, int *n)
{
    if (n) *n = 0;
    *loss = NAN;
    if (!run->eval) return GR_OK;
    int64_t all = run->task->samples[1];
    samples = samples > 0 ? GR__MIN(samples, all) : all;
    GR_TRY(gr__run_swap_averages(run));
    gr_status status = validate(run, &(watcher){hooks, progress, gr__now()}, samples, loss);
    gr_status back = gr__run_swap_averages(run);
    GR_TRY(status);
    GR_TRY(back);
    GR_TRY(tune(run));
    if (!metrics || capacity < 1) return GR_OK;
    metrics[0] = (gr_metric){"loss", *loss};
    *n = 1 + (run->task->kind->finish ? run->task->kind->finish(run->task, *loss, metrics + 1, capacity - 1) : 0);
    return GR_OK;
}

gr_status gr_run_evaluate(gr_run *run, gr_metric *out, int capacity, int *n)
{
    return gr_run_evaluate_watched(run, NULL, out, capacity, n);
}

gr_status gr_run_evaluate_watched(gr_run *run, const gr_train_hooks *hooks, gr_metric *out, int capacity, int *n)
{
    double loss;
    gr_progress p = {.valid_loss = NAN, .loss = NAN};
    GR_FAIL_IF(!run || !n || (!out && capacity > 0), GR_ERR_ARGUMENT, "gr_run_evaluate: an argument is NULL");
    GR_FAIL_IF(capacity < 0, GR_ERR_ARGUMENT, "there is no room for %d metrics", capacity);
    GR_TRY(gr__run_begin(run));
    if (run->n_last == 0 || run->last_step != run->at.step) { /* else training has just done it */
        GR_TRY(gr__run_validate(run, hooks, &p, 0, &loss, run->last, (int)GR__COUNT(run->last), &run->n_last));
        run->n_last = GR__MIN(run->n_last, (int)GR__COUNT(run->last));
        run->last_step = run->at.step;
    }
    for (int i = 0; i < run->n_last && i < capacity; i++) out[i] = run->last[i];
    *n = run->n_last;
    gr_status status = gr__run_write_panels(run, run->last, run->n_last);
    if (status != GR_ERR_IO) return status;
    gr__log(GR_LOG_WARNING, "the report lacks this evaluation: %s", gr_message()); /* the folder may be read-only */
    return GR_OK;
}
