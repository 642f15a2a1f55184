/* Opening a run: configuration, data, model, programs, checkpoint. */
#include "run/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "op/op.h"
#include "plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct gr__root_rows {
    const char *task, *from, *threshold, *out;
    const gr__conf *data, *tokenizer, *model, *train, *loss;
} gr__root_rows;

#define AT(field) offsetof(gr__root_rows, field)
static const gr__conf_row root_rows[] = {
    {"task", GR__CONF_STRING, AT(task), 0, 0, NULL, NULL,
     "what is learnt: text-classification, table, object-detection, ... (a wrong name lists all); default: what the model and the data say",
     0},
    {"from", GR__CONF_STRING, AT(from), 0, 0, NULL, NULL,
     "text-classification: a model's folder to begin with, in place of 'model'", 0},
    {"data", GR__CONF_SECTION, AT(data), 0, 0, NULL, NULL, "where the data come from", 0},
    {"tokenizer", GR__CONF_SECTION, AT(tokenizer), 0, 0, NULL, NULL, "text to numbers", 0},
    {"model", GR__CONF_SECTION, AT(model), 0, 0, NULL, NULL, "type and sizes", 0},
    {"loss", GR__CONF_SECTION, AT(loss), 0, 0, NULL, NULL,
     "vector, table: what is made small; classification, table: weights of the labels; classification: label smoothing",
     0},
    {"threshold", GR__CONF_STRING, AT(threshold), 0, 0, NULL, NULL,
     "two labels: the second is said from this probability on; f1, youden: the one that is best for it on the validation part, whose "
     "measures are then a little too good; default: the likelier label is said",
     0},
    {"train", GR__CONF_SECTION, AT(train), 0, 0, NULL, NULL, "steps, batch, rate, optimiser, checkpoints", 0},
    {"out", GR__CONF_STRING, AT(out), 0, 0, NULL, NULL, "the run's folder; default runs/NAME", 0},
};

const gr__conf_section gr__root_section = {"", root_rows, GR__COUNT(root_rows), "the file itself"};

static bool is_config(const char *path) { return gr__str_ends(path, ".yaml") || gr__str_ends(path, ".yml"); }

/* "texts/book.txt" -> "book" */
static char *stem_of(gr__arena *arena, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/' && path[from - 1] != ':') from--;
    const char *dot = memchr(path + from, '.', n - from);
    size_t end = dot && dot > path + from ? (size_t)(dot - path) : n;
    return gr__arena_strndup(arena, path + from, end - from);
}

/* data.skip_bad, of tasks that have it; an override wins. */
static gr_status take_skip_bad(gr_run *run)
{
    const gr__task_kind *kind = NULL;
    GR_TRY(gr__task_find(run->root, &kind));
    GR_FAIL_IF(!gr__task_has_key(kind, "data", "skip_bad"), GR_ERR_CONFIG,
               "--skip-bad: the task '%s' has nothing that it may leave out", kind->name);
    if (gr__conf_find(run->root, "data.skip_bad")) return GR_OK;
    return gr__conf_override(run->root, "data.skip_bad=true", "command line", &run->arena);
}

static gr_status read_root(gr_run *run, const char *path, const gr_run_options *o)
{
    GR_FAIL_IF(!path && !o->text, GR_ERR_ARGUMENT, "a run begins with a path or a text; neither is given");
    GR_FAIL_IF(o->n_overrides < 0 || (o->n_overrides && !o->overrides), GR_ERR_ARGUMENT,
               "there is no list of %d overrides", o->n_overrides);
    if (path && is_config(path)) {
        GR_TRY(gr__conf_load(path, &run->arena, &run->root));
    } else {
        bool made = path && strncmp(path, "builtin:", 8) == 0;
        if (path && !made)
            GR_FAIL_IF(!gr__file_exists(path), GR_ERR_NOT_FOUND,
                       "'%s' does not exist; give a text file, a folder, or a .yaml "
                       "configuration",
                       path);
        run->root = gr__conf_new(GR__CONF_MAP, &run->arena);
        if (!run->root) return gr__fail_memory("a configuration", 64);
        if (path) GR_TRY(gr__conf_set(run->root, "data.source", path, &run->arena));
    }
    for (int i = 0; i < o->n_overrides; i++) {
        GR_FAIL_IF(!o->overrides[i], GR_ERR_ARGUMENT, "override %d is NULL", i);
        GR_TRY(gr__conf_override(run->root, o->overrides[i], o->origin ? o->origin : "override", &run->arena));
        run->said = gr__arena_printf(&run->arena, "%s%s%s", i ? run->said : "", i ? ", " : "", o->overrides[i]);
        if (!run->said) return gr__fail_memory("a list of overrides", 64);
    }
    if (o->target) GR_TRY(gr__conf_set(run->root, "data.target", o->target, &run->arena));
    return o->skip_bad ? take_skip_bad(run) : GR_OK;
}

gr_status gr__run_find_task(const char *path, const gr_run_options *o, const gr__task_kind **kind)
{
    gr_run *run = gr__calloc(1, sizeof *run);
    if (!run) return gr__fail_memory("a run", sizeof *run);
    gr_status s = read_root(run, path, o);
    if (s == GR_OK) s = gr__task_find(run->root, kind);
    gr_run_close(&run);
    return s;
}

static gr_status choose_folder(gr_run *run, const char *path, const char *from_config, const gr_run_options *o)
{
    if (o->no_write) return GR_OK;
    if (o->out || from_config)
        run->out = gr__arena_strdup(&run->arena, o->out ? o->out : from_config);
    else {
        char *stem = stem_of(&run->arena, path ? path : "text");
        run->out = stem ? gr__arena_printf(&run->arena, "runs/%s", stem) : NULL;
    }
    if (!run->out) return gr__fail_memory("a path", 64);
    if (o->resume) {
        bool any;
        GR_TRY(gr__checkpoint_look(run->out, &any));
        GR_FAIL_IF(!any, GR_ERR_NOT_FOUND, "there is no checkpoint in '%s' to go on from", run->out);
    }
    run->made = !gr__file_exists(run->out);
    GR_TRY(gr__dir_make(run->out));
    if (!o->fresh) return GR_OK;
    GR_TRY(gr__run_lock(run));
    return gr__checkpoint_remove_all(run->out);
}

gr_status gr__run_lock(gr_run *run)
{
    if (!run->out || run->lock) return GR_OK;
    GR_TRY(gr__dir_lock(run->out, &run->lock));
    return gr__checkpoint_sweep(run->out);
}

/* What the task has for keys that nobody gave. */
static gr_status take_defaults(gr_run *run, const gr__task_kind *kind)
{
    for (const char *const *d = kind->defaults; d && *d; d++) {
        char *section = gr__arena_strndup(&run->arena, *d, strcspn(*d, "="));
        if (!section) return gr__fail_memory("a configuration", 64);
        char *key = strrchr(section, '.');
        *key++ = 0;
        if (gr__conf_is_null(gr__conf_main(gr__conf_find(run->root, section), key)))
            GR_TRY(gr__conf_override(run->root, *d, "default", &run->arena));
    }
    return GR_OK;
}

/* The key 'threshold', for tasks that tell labels apart, of which there must be two. */
static gr_status read_threshold(gr_run *run, const char *text)
{
    static const char *const words[] = {"none", "f1", "youden"};
    static const gr__tuning_kind kinds[] = {GR__TUNING_NONE, GR__TUNING_F1, GR__TUNING_YOUDEN};
    const gr__conf *node = gr__conf_find(run->root, "threshold");
    gr__tuning *t = &run->tuning;
    if (!text) return GR_OK;
    for (size_t i = 0; i < GR__COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *t = (gr__tuning){kinds[i], NAN};
            return GR_OK;
        }
    if (gr__parse_double(text, &t->number) && t->number >= 0 && t->number <= 1) {
        t->kind = GR__TUNING_FIXED;
        return GR_OK;
    }
    const char *near = gr__str_nearest(text, words, GR__COUNT(words));
    return gr__conf_fail(node, "'threshold' is a number from 0 to 1, f1 or youden, not '%.100s'%s%s%s", text,
                         near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static gr_status check_threshold(gr_run *run)
{
    const gr__conf *node = gr__conf_find(run->root, "threshold");
    GR_TRY(gr_model_set_threshold(run->task->model, NAN)); /* that of what it began with goes */
    if (!run->tuning.kind) return GR_OK;
    if (!run->task->kind->tune) return gr__conf_fail(node, "the task '%s' knows no threshold", run->task->kind->name);
    if (gr_model_set_threshold(run->task->model, 0.5) != GR_OK)
        return gr__conf_fail(node, "a threshold is for two labels; this model does not tell two apart");
    return gr_model_set_threshold(run->task->model, run->tuning.kind == GR__TUNING_FIXED ? run->tuning.number : NAN);
}

static gr_status open_run(gr_run *run, const char *path, const gr_run_options *o)
{
    gr__root_rows rows = {.task = NULL};
    bool goes_on = false, resumed = false;
    run->said = "";
    GR_TRY(read_root(run, path, o));
    GR_TRY(gr__conf_read(run->root, "", root_rows, GR__COUNT(root_rows), &rows, &run->arena));
    GR_TRY(choose_folder(run, path, rows.out, o));
    if (run->out) GR_TRY(gr__checkpoint_look(run->out, &goes_on));
    const gr__task_kind *kind = NULL;
    GR_TRY(gr__task_find(run->root, &kind));
    GR_TRY(take_defaults(run, kind));
    GR_TRY(gr__settings_read(run->root, !kind->plain, &run->set, &run->arena));
    if (kind->fit && run->set.dtype == 1) /* it would measure in bf16 what was fitted otherwise */
        return gr__conf_fail(gr__conf_find(run->root, "train.dtype"),
                             "the task '%s' fits in f64 and measures in f32; leave out 'train.dtype'", kind->name);
    GR_TRY(read_threshold(run, rows.threshold));
    if (goes_on) GR_TRY(gr__checkpoint_model(run, &run->kept));
    gr__facts kept = run->kept ? gr__model_facts(run->kept) : (gr__facts){0};
    gr__task_in in = {.root = run->root,
                      .run_folder = run->out,
                      .fresh = !goes_on,
                      .kept = kept,
                      .seed = (uint64_t)run->set.seed,
                      .text = path ? NULL : o->text,
                      .text_bytes = o->text_bytes};
    GR_TRY(gr__task_open(&in, &run->task));
    GR_TRY(check_threshold(run));
    if (run->set.patience && run->task->samples[1] == 0)
        return gr__conf_fail(
            gr__conf_find(run->root, "train.early_stop"),
            "'train.early_stop' looks at validations, but nothing is left for them; set data.valid, or "
            "name other data");
    gr__settings_resolve(&run->set, run->task->samples[0], kind->language, kind->fit != NULL, kind->epochs);
    GR_TRY(gr_schedule_check(&run->set.schedule));
    run->store = gr_model_store(run->task->model);
    run->base_bytes = gr__rss_bytes();
    GR_TRY(gr__run_compile(run));
    run->at = (gr__position){.loss_average = NAN, .best_loss = INFINITY};
    gr_plateau_init(&run->at.plateau);
    run->valid_loss = NAN;
    GR_TRY(gr__checkpoint_find(run, &resumed));
    run->opening_bytes = gr__peak_rss_bytes();
    return GR_OK;
}

/* A start that failed leaves no folder behind that it made: what opening writes goes, anything else keeps the folder. The
 * message stays. */
static void discard_folder(const gr_run *run)
{
    static const char *const trained[] = {"config.yaml", "checkpoints"}, *const names[] = {"data/train.tokens",
                                                                                           "data/valid.tokens",
                                                                                           "data",
                                                                                           "tokenizer.json",
                                                                                           "tokenizer_config.json",
                                                                                           ""};
    char path[4096];
    if (!run->made || strlen(run->out) > sizeof path - 64) return;
    for (size_t i = 0; i < GR__COUNT(trained); i++) {
        snprintf(path, sizeof path, "%s/%s", run->out, trained[i]);
        if (gr__file_exists(path)) return; /* of another start since */
    }
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", run->out, names[i]);
        gr__file_discard(path);
    }
}

gr_status gr_run_open(const char *path, const gr_run_options *options, gr_run **out)
{
    gr_run_options o = options ? *options : (gr_run_options){0};
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_run_open: an argument is NULL");
    gr_run *run = gr__calloc(1, sizeof *run);
    if (!run) return gr__fail_memory("a run", sizeof *run);
    gr_status s = open_run(run, path, &o);
    if (s == GR_OK) {
        *out = run;
        return GR_OK;
    }
    gr__task_close(&run->task); /* which maps files of the folder */
    discard_folder(run);
    gr_run_close(&run);
    return s;
}

void gr_run_close(gr_run **run)
{
    if (!run || !*run) return;
    gr_run *r = *run;
    gr__run_release_programs(r);
    gr__task_close(&r->task);
    gr_model_free(&r->kept);
    gr__dir_unlock(&r->lock);
    gr__arena_release(&r->arena);
    gr__free(r);
    *run = NULL;
}

/* ---- what is known ---- */

static size_t arena_of(const gr_plan *plan) { return plan ? gr_plan_memory_of(plan).arena_bytes : 0; }

static void state_sizes(const gr_graph *g, gr_run_plan *p)
{
    for (size_t i = 0; i < g->n_values; i++) {
        const gr__value *v = &g->value[i];
        if (v->role != GR__ROLE_STATE || v->per_session) continue;
        int64_t n = 1;
        for (int d = 0; d < v->rank; d++) n *= v->dim[d];
        size_t bytes = (size_t)n * gr_dtype_size_bytes(v->dtype);
        if (v->trainable)
            p->parameters += n, p->weight_bytes += bytes;
        else if (strncmp(v->name, "grad", 4) == 0)
            p->gradient_bytes += bytes;
        else
            p->optimizer_bytes += bytes;
    }
}

static size_t input_bytes(const gr_graph *g)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n_values; i++)
        if (g->value[i].role == GR__ROLE_INPUT)
            sum += (size_t)gr__value_count(&g->value[i]) * gr_dtype_size_bytes(g->value[i].dtype);
    return sum;
}

/* Forward passes of a step. */
static double batches_of_step(const gr_run *run)
{
    if (!run->task->kind->fit) return (double)run->set.accumulate;
    return ceil((double)run->task->samples[0] / (double)run->set.batch);
}

static double samples_of_step(const gr_run *run)
{
    return run->task->kind->fit ? (double)run->task->samples[0] : (double)(run->set.batch * run->set.accumulate);
}

gr_run_plan gr_run_describe(const gr_run *run)
{
    const gr__settings *s = &run->set;
    const gr__task *t = run->task;
    gr_run_plan p = {.task = t->kind->name,
                     .family = gr_model_family(t->model),
                     .out = run->out,
                     .steps = s->steps,
                     .batch = s->batch,
                     .accumulate = s->accumulate,
                     .samples = t->samples[0],
                     .start_step = run->at.step,
                     .unit = t->kind->unit,
                     .bf16 = s->dtype == 1,
                     .units_per_step = t->units_per_sample * samples_of_step(run),
                     .train_units = t->units[0],
                     .valid_units = t->units[1]};
    state_sizes(run->graph, &p);
    const gr_plan *forward = run->step_plan ? run->step_plan : run->micro_plan;
    p.recompute = gr_plan_recompute(forward);
    p.epochs = (int64_t)ceil((double)s->steps * samples_of_step(run) / (double)GR__MAX(t->samples[0], 1));
    p.flops_per_step =
        gr_plan_flops(forward) * batches_of_step(run) + (run->apply_plan ? gr_plan_flops(run->apply_plan) : 0);
    p.activation_bytes = arena_of(run->step_plan) + arena_of(run->micro_plan) + arena_of(run->apply_plan) +
                         arena_of(run->clear_plan) + arena_of(run->eval_plan);
    p.total_bytes = p.weight_bytes + p.optimizer_bytes + p.gradient_bytes + p.activation_bytes;
    /* bound programs hold their weights and oneDNN's code already; the rest is touched by the first step */
    p.process_bytes =
        run->bound_bytes ? run->bound_bytes + p.total_bytes - p.weight_bytes : run->base_bytes + p.total_bytes;
    if (s->loaders) p.process_bytes += input_bytes(run->graph);
    p.process_bytes = GR__MAX(p.process_bytes, run->opening_bytes);
    gr_model_info info = gr_model_describe(t->model);
    p.vocab = t->model->family->kind == GR_MODEL_LM ? info.vocab : 0;
    p.labels = t->kind->fit ? 0 : info.labels; /* clusters are no labels */
    p.trainable = p.parameters;
    return p;
}

bool gr_run_param(const gr_run *run, int i, const char **path, gr_tensor *out)
{
    if (i < 0 || i >= run->n_params) return false;
    const gr__value *v = gr__value_get(run->graph, run->params[i]);
    *path = v->name;
    *out = (gr_tensor){.dtype = v->dtype, .rank = v->rank};
    memcpy(out->dim, v->dim, sizeof out->dim);
    return true;
}

const char *gr_run_change(const gr_run *run, int i) { return i >= 0 && i < run->n_changes ? run->change[i] : NULL; }

const char *gr_run_report(const gr_run *run) { return run->task->report; }

gr_status gr_run_config(const gr_run *run, char **out)
{
    GR_FAIL_IF(!run || !out, GR_ERR_ARGUMENT, "gr_run_config: an argument is NULL");
    gr__str s = {0};
    gr__conf_write_yaml(run->root, &s);
    gr_status status = gr__str_check(&s);
    if (status == GR_OK && !(*out = gr__strdup(gr__str_get(&s)))) status = gr__fail_memory("a configuration", s.n);
    gr__str_release(&s);
    return status;
}

gr_status gr_run_print_plan(const gr_run *run, char **out)
{
    GR_FAIL_IF(!run || !out, GR_ERR_ARGUMENT, "gr_run_print_plan: an argument is NULL");
    return gr_plan_print(run->step_plan ? run->step_plan : run->micro_plan, out);
}

gr_model *gr_run_model(gr_run *run) { return run->task->model; }

gr_run_control gr__run_control(const gr_run *run, int64_t micro)
{
    return (gr_run_control){.seed = (uint64_t)run->set.seed,
                            .micro_step = micro,
                            .sample = micro * run->set.batch,
                            .update = run->at.update,
                            .learning_rate = gr_schedule_at(&run->set.schedule, run->at.step) * run->at.plateau.scale};
}

/* After a first run: what the products' code and the threads take is known, and is no part of any plan. */
static void measure_bound(gr_run *run)
{
    gr_run_plan p = gr_run_describe(run);
    size_t touched = arena_of(run->step_plan ? run->step_plan : run->micro_plan), rss = gr__rss_bytes();
    if (run->at.step > 0) touched += p.optimizer_bytes + p.gradient_bytes; /* a checkpoint filled them */
    if (rss > touched) run->bound_bytes = rss - touched;
}

gr_status gr_run_time_step(gr_run *run, double *seconds)
{
    GR_FAIL_IF(!run || !seconds, GR_ERR_ARGUMENT, "gr_run_time_step: an argument is NULL");
    bool fresh = !run->step && !run->micro;
    if (fresh) GR_TRY(gr__run_begin(run));
    gr_session *s = run->step ? run->step : run->micro;
    *seconds = INFINITY;
    for (int i = 0; i < 3; i++) {
        gr_run_control c = gr__run_control(run, 0);
        GR_TRY(gr__task_fill(run->task, GR__SPLIT_TRAIN, 0, run->set.batch, s));
        gr_session_set_control(s, &c);
        double start = gr__now();
        GR_TRY(gr__session_run_dry(s));
        *seconds = fmin(*seconds, gr__now() - start);
    }
    if (fresh) measure_bound(run);
    if (run->clear) GR_TRY(gr_session_run(run->clear));
    /* the update, which a dry run leaves out, passes over weights, gradients and moments */
    gr_run_plan p = gr_run_describe(run);
    *seconds = *seconds * batches_of_step(run) + (double)(3 * p.weight_bytes + 2 * p.optimizer_bytes) / 30e9;
    return GR_OK;
}
