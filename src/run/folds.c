/* Cross-validation: one run after another, each with another part of the data held out. */
#include "gradus/table.h"
#include "run/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_METRICS = 16 };

typedef struct fold_sums {
    double sum[MOST_METRICS], squares[MOST_METRICS]; /* squares: of distances to the mean (Welford) */
    char name[MOST_METRICS][sizeof((gr_metric *)NULL)->name];
    int n, folds;
} fold_sums;

static gr_status one_fold(const char *path, const gr_run_options *o, const char *const *set, int n_set,
                          const gr_train_hooks *hooks, gr_metric *out, int *n)
{
    gr_run *run;
    gr_run_options ro = {.overrides = set,
                         .n_overrides = n_set,
                         .origin = o->origin,
                         .target = o->target,
                         .skip_bad = o->skip_bad,
                         .no_write = true,
                         .text = o->text,
                         .text_bytes = o->text_bytes};
    GR_TRY(gr_run_open(path, &ro, &run));
    gr_status s = gr_run_train(run, hooks);
    if (s == GR_OK) s = gr_run_evaluate(run, out, MOST_METRICS, n);
    gr_run_close(&run);
    return s;
}

/* A metric that one fold has not (a class is missing there) would be a mean of other rows: it is left out. */
static void add(fold_sums *f, const gr_metric *m, int n)
{
    if (f->folds++ == 0)
        for (f->n = 0; f->n < n; f->n++) memcpy(f->name[f->n], m[f->n].name, sizeof f->name[0]);
    for (int i = 0, kept = 0; i < f->n; i++) {
        int k = 0;
        while (k < n && strcmp(f->name[i], m[k].name) != 0) k++;
        if (k < n) {
            double before = m[k].value - f->sum[i];
            f->sum[kept] = f->sum[i] + before / f->folds;
            f->squares[kept] = f->squares[i] + before * (m[k].value - f->sum[kept]);
            memmove(f->name[kept++], f->name[i], sizeof f->name[0]);
        }
        if (i == f->n - 1) {
            f->n = kept;
            break;
        }
    }
}

gr_status gr_run_folds(const char *path, const gr_run_options *options, int folds, const gr_train_hooks *hooks,
                       gr_fold_fn fn, void *user, gr_metric *mean, gr_metric *deviation, int capacity, int *n)
{
    gr_run_options o = options ? *options : (gr_run_options){0};
    const gr__task_kind *kind = NULL;
    GR_FAIL_IF(!n || (capacity > 0 && (!mean || !deviation)), GR_ERR_ARGUMENT, "gr_run_folds: an argument is NULL");
    GR_FAIL_IF(capacity < 0, GR_ERR_ARGUMENT, "there is no room for %d metrics", capacity);
    GR_FAIL_IF(folds < 2, GR_ERR_ARGUMENT, "%d folds are not possible; 2 are the least", folds);
    GR_TRY(gr__run_find_task(path, &o, &kind));
    GR_FAIL_IF(!kind->folds, GR_ERR_UNSUPPORTED,
               "the task '%s' cannot be cut in folds; 'table', 'text-classification', 'recommendation' and "
               "'unsupervised' can",
               kind->name);
    const char **set = gr__calloc((size_t)o.n_overrides + 2, sizeof *set);
    if (!set) return gr__fail_memory("overrides", (size_t)o.n_overrides * sizeof *set);
    fold_sums f = {.n = 0};
    gr_metric m[MOST_METRICS];
    gr_status status = GR_OK;
    for (int i = 0; i < o.n_overrides; i++) set[i] = o.overrides[i];
    for (int k = 0; k < folds && status == GR_OK; k++) {
        char cut[32], which[32];
        int found = 0;
        snprintf(cut, sizeof cut, "data.folds=%d", folds);
        snprintf(which, sizeof which, "data.fold=%d", k);
        set[o.n_overrides] = cut;
        set[o.n_overrides + 1] = which;
        status = one_fold(path, &o, set, o.n_overrides + 2, hooks, m, &found);
        if (status != GR_OK) break;
        add(&f, m, found);
        if (fn) fn(user, k, m, found);
        if (k + 1 < folds && hooks && hooks->stop && hooks->stop(hooks->user))
            status = gr__fail(GR_ERR_STOPPED, "stopped after fold %d of %d; nothing was kept", k + 1, folds);
    }
    gr__free(set);
    GR_TRY(status);
    *n = GR__MIN(f.n, capacity);
    for (int i = 0; i < *n; i++) {
        memcpy(mean[i].name, f.name[i], sizeof mean[i].name);
        memcpy(deviation[i].name, f.name[i], sizeof deviation[i].name);
        mean[i].value = f.sum[i];
        deviation[i].value = sqrt(f.squares[i] / (folds - 1));
    }
    return GR_OK;
}
