/* The gradients of a whole model against differences. The forward graph of training, without dropout, is built
 * twice: as it is, to be filled with a batch, and with every float in f64, to be computed by the reference kernels. Values
 * through which no gradient flows are computed once and held, or differences would see what the gradient may not. */
#include "run/run.h"

#include "base/rng.h"
#include "op/op.h"
#include "pass/widen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIMIT 1e-6
#define HELD "held:"
enum { MOST_BATCH = 4, MOST_UNITS = 128, DEFAULT_SAMPLES = 3, STEPS = 3 };

typedef struct gr__checked {
    gr_graph *plain, *wide;
    gr_plan *batch, *held_plan, *loss_plan, *grad_plan;
    gr_session *fill, *held, *loss, *grad;
    gr_store *store;     /* f64 copies of the parameters */
    gr_value *param, *d; /* of 'wide' */
    int n;
    gr_tensor loss_value;
} gr__checked;

static void release(gr__checked *c)
{
    gr_session_free(&c->fill);
    gr_session_free(&c->held);
    gr_session_free(&c->loss);
    gr_session_free(&c->grad);
    gr_plan_free(&c->batch);
    gr_plan_free(&c->held_plan);
    gr_plan_free(&c->loss_plan);
    gr_plan_free(&c->grad_plan);
    gr_store_free(&c->store);
    gr_graph_free(&c->plain);
    gr_graph_free(&c->wide);
    gr__free(c->param);
    gr__free(c->d);
}

/* Program "loss" with the mean loss. */
static gr_status build(gr_run *run, int64_t batch, bool widen, gr_graph **out, gr_value *mean)
{
    gr_loss loss;
    GR_TRY(gr_graph_new(out));
    GR_TRY(run->task->kind->build(run->task, *out, batch, false, "loss", &loss));
    if (widen) GR_TRY(gr__pass_widen(*out));
    *mean = gr_div(*out, loss.sum, loss.weight);
    gr_output(*out, "loss", "loss", *mean);
    return gr_graph_status(*out);
}

static gr_status differentiate(gr__checked *c, gr_value mean)
{
    gr_graph *g = c->wide;
    c->n = gr_graph_params(g, NULL, 0);
    c->param = gr__calloc((size_t)c->n + 1, sizeof *c->param);
    c->d = gr__calloc((size_t)c->n + 1, sizeof *c->d);
    if (!c->param || !c->d) return gr__fail_memory("gradients", (size_t)c->n * sizeof *c->d);
    gr_graph_params(g, c->param, c->n);
    GR_TRY(gr_grad(g, mean, c->param, c->n, c->d));
    for (int i = 0; i < c->n; i++)
        if (c->d[i]) gr_output(g, "gradients", gr_value_path(g, c->param[i]), c->d[i]);
    return gr_graph_status(g);
}

static bool is_held(const char *name) { return strncmp(name, HELD, strlen(HELD)) == 0; }

static void convert(const gr_tensor *from, gr_tensor *to)
{
    for (int64_t i = 0, n = gr_tensor_count(to); i < n; i++) gr_tensor_set(to, i, gr_tensor_get(from, i));
}

static gr_status copy_parameters(const gr_run *run, gr__checked *c)
{
    GR_TRY(gr_store_new(&c->store));
    GR_TRY(gr_store_prepare(c->store, c->wide, (uint64_t)run->set.seed));
    const char *path;
    gr_tensor to, from;
    for (size_t i = 0; gr_store_at(c->store, i, &path, &to); i++) {
        GR_TRY(gr_store_get(run->store, path, &from));
        convert(&from, &to);
    }
    return GR_OK;
}

/* Inputs of the f64 session from the one that the task filled, and held values from where they were computed. */
static gr_status copy_inputs(gr__checked *c, gr_session *to)
{
    const char *name;
    gr_tensor a, b;
    for (size_t at = 0; gr__session_next_input(to, &at, &name, &b);) {
        GR_TRY(is_held(name) ? gr_session_output(c->held, name, &a) : gr_session_input(c->fill, name, &a));
        convert(&a, &b);
    }
    return GR_OK;
}

/* What a stop_gradient of the loss reads becomes an output of the program "held", which is run, and what it gives an input
 * of that name. */
static gr_status hold_stopped(gr__checked *c, const gr_plan_options *options)
{
    gr_graph *g = c->wide;
    size_t n = g->n_nodes, held = 0;
    gr__uses uses = {0};
    gr_status status = GR_OK;
    bool *live = gr__calloc(n + 1, sizeof *live);
    if (!live) return gr__fail_memory("a graph", n);
    char name[40];
    GR_TRY_DONE(gr__graph_reach(g, gr__program_get(g, "loss", false), live));
    for (size_t i = 0; i < n; i++)
        if ((live[i] = live[i] && g->node[i].op == &gr__op_stop_gradient)) {
            snprintf(name, sizeof name, HELD "%zu", i);
            gr_output(g, "held", name, g->node[i].in[0]);
            held++;
        }
    GR_TRY_DONE(gr_graph_status(g));
    if (held == 0) goto done;
    GR_TRY_DONE(gr_plan_compile(g, "held", options, &c->held_plan));
    GR_TRY_DONE(gr_session_new(c->held_plan, c->store, &c->held));
    GR_TRY_DONE(copy_inputs(c, c->held));
    GR_TRY_DONE(gr_session_run(c->held));
    GR_TRY_DONE(gr__uses_find(&uses, g));
    for (size_t i = 0; i < n; i++) {
        if (!live[i]) continue;
        gr_value stopped = g->node[i].out[0];
        gr__value v = *gr__value_get(g, stopped);
        snprintf(name, sizeof name, HELD "%zu", i);
        gr_value input = gr_input(g, name, v.dtype, v.rank, v.dim);
        if (input) GR_TRY_DONE(gr__uses_replace(&uses, stopped, input));
    }
    status = gr_graph_status(g);
done:
    gr__free(live);
    gr__uses_release(&uses);
    return status;
}

/* A few samples, for norms and losses that compare them; one where it is as long as many. */
static int64_t batch_of(const gr_run *run)
{
    int64_t fit = (int64_t)(MOST_UNITS / fmax(run->task->units_per_sample, 1));
    return GR__MIN(run->set.batch, GR__MIN(GR__MAX(fit, 1), (int64_t)MOST_BATCH));
}

static gr_status prepare(gr_run *run, gr__checked *c)
{
    gr_value mean;
    int64_t batch = batch_of(run);
    const gr_plan_options naive = {.reference = true, .recompute = GR_RECOMPUTE_NONE};
    GR_TRY(gr__run_begin(run));
    GR_TRY(build(run, batch, false, &c->plain, &mean));
    GR_TRY(gr_plan_compile(c->plain, "loss", &naive, &c->batch));
    GR_TRY(gr_session_new(c->batch, run->store, &c->fill));
    GR_TRY(gr__task_fill(run->task, GR__SPLIT_TRAIN, 0, batch, c->fill));
    GR_TRY(build(run, batch, true, &c->wide, &mean));
    GR_TRY(copy_parameters(run, c));
    GR_TRY(hold_stopped(c, &naive));
    GR_TRY(differentiate(c, mean));
    GR_TRY(gr_plan_compile(c->wide, "loss", &naive, &c->loss_plan));
    GR_TRY(gr_plan_compile(c->wide, "gradients", &naive, &c->grad_plan));
    GR_TRY(gr_session_new(c->loss_plan, c->store, &c->loss));
    GR_TRY(gr_session_new(c->grad_plan, c->store, &c->grad));
    GR_TRY(copy_inputs(c, c->loss));
    GR_TRY(copy_inputs(c, c->grad));
    GR_TRY(gr_session_output(c->loss, "loss", &c->loss_value));
    return gr_session_run(c->grad);
}

/* ---- differences ---- */

/* The derivative by *x from five points h apart. */
static gr_status difference(gr__checked *c, double *x, double h, double *out)
{
    static const double at[] = {2, 1, -1, -2}, factor[] = {-1, 8, -8, 1};
    double old = *x, sum = 0;
    gr_status status = GR_OK;
    for (size_t i = 0; i < GR__COUNT(at) && status == GR_OK; i++) {
        *x = old + at[i] * h;
        gr_store_touch(c->store);
        status = gr_session_run(c->loss);
        sum += factor[i] * *(const double *)c->loss_value.data;
    }
    *x = old;
    gr_store_touch(c->store);
    *out = sum / (12 * h);
    return status;
}

/* Of a gradient that is zero but for rounding (a bias of keys, which soft-max does not see) nothing can be told: what a
 * difference sees ends about there. */
static double least_visible(const gr__checked *c) { return 1e-6 * fabs(*(const double *)c->loss_value.data); }

/* A kink (ReLU, |x|) between the points spoils the difference: smaller steps leave it outside. */
static gr_status error_of(gr__checked *c, double *x, double ours, double scale, double *error)
{
    *error = INFINITY;
    double h = 1e-3 * fmax(1, fabs(*x));
    for (int i = 0; i < STEPS && !(*error <= LIMIT); i++, h /= 10) {
        double theirs;
        GR_TRY(difference(c, x, h, &theirs));
        *error =
            fmin(*error, fabs(theirs - ours) / fmax(fmax(fabs(ours), 1e-3 * scale), fmax(least_visible(c), 1e-12)));
    }
    return GR_OK;
}

/* The element of the largest gradient and 'samples' - 1 others. */
static gr_status check_param(gr__checked *c, int i, int samples, uint64_t seed, double *worst)
{
    const char *path = gr_value_path(c->wide, c->param[i]);
    gr_tensor x, d = {0};
    GR_TRY(gr_store_get(c->store, path, &x));
    if (c->d[i]) GR_TRY(gr_session_output(c->grad, path, &d));
    int64_t n = gr_tensor_count(&x), largest = 0;
    const double *ours = d.data;
    for (int64_t k = 1; ours && k < n; k++)
        if (fabs(ours[k]) > fabs(ours[largest])) largest = k;
    double scale = ours ? fabs(ours[largest]) : 0;
    gr__rng rng = gr__rng_make(seed, gr__hash_stable(path, strlen(path), 0));
    *worst = 0;
    for (int64_t k = 0; k < GR__MIN((int64_t)samples, n); k++) {
        int64_t at = n <= samples ? k : k == 0 ? largest : (int64_t)gr__rng_below(&rng, (uint64_t)n);
        double error;
        GR_TRY(error_of(c, (double *)x.data + at, ours ? ours[at] : 0, scale, &error));
        if (!(error <= *worst)) *worst = error;
    }
    return GR_OK;
}

gr_status gr_run_check_gradients(gr_run *run, int samples, gr_gradient_fn fn, void *user)
{
    gr_status status = GR_OK;
    gr__checked c = {.n = 0};
    const char *path = "";
    double most = 0;
    GR_FAIL_IF(!run || samples < 0, GR_ERR_ARGUMENT, "gr_run_check_gradients: the run is NULL, or samples is negative");
    GR_FAIL_IF(run->task->kind->fit, GR_ERR_UNSUPPORTED,
               "a model '%s' is fitted by its own algorithm, without gradients", gr_model_family(run->task->model));
    GR_TRY_DONE(prepare(run, &c));
    for (int i = 0; i < c.n; i++) {
        double worst;
        GR_TRY_DONE(check_param(&c, i, samples ? samples : DEFAULT_SAMPLES, (uint64_t)run->set.seed, &worst));
        if (fn) fn(user, gr_value_path(c.wide, c.param[i]), worst);
        if (!(worst <= most)) most = worst, path = gr_value_path(c.wide, c.param[i]);
    }
    if (!(most <= LIMIT))
        status = gr__fail(GR_ERR_CHECK, "the gradient of '%s' differs from the differences by %.3g, more than %g", path,
                          most, LIMIT);
done:
    release(&c);
    return status;
}
