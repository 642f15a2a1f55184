/* The inside of a run. */
#ifndef GR__RUN_H
#define GR__RUN_H

#include "gradus/train.h"
#include "run/settings.h"
#include "task/label_score.h"
#include "task/task.h"

/* Everything that changes while a run goes on, beside the store: what a checkpoint's manifest holds. */
typedef struct gr__position {
    int64_t step;   /* updates done, or skipped */
    int64_t update; /* updates done */
    int64_t skipped;
    double loss_average;
    double best_loss; /* of validations; INFINITY before the first */
    int64_t best_step;
    int64_t bad_validations;
    gr_plateau plateau;
    uint64_t metrics_bytes;
    double seconds;   /* of training so far */
    bool unvalidated; /* the validation of this step was stopped: it is still to come */
} gr__position;

/* One graph's compiled programs. */
typedef struct gr__compiled {
    gr_graph *graph;
    gr_plan *plan;
    gr_session *session;
} gr__compiled;

struct gr_run {
    gr__arena arena;
    gr__conf *root;
    const char *out;  /* NULL: nothing is written */
    const char *said; /* the overrides, as a list for people; "": none */
    bool trains;      /* its settings are those of the folder, overrides too */
    int lock;         /* of that folder */
    bool made;        /* it is new */
    gr__settings set;
    gr__tuning tuning;
    gr__task *task;
    gr_model *kept;      /* what the checkpoints say of their model, without weights; NULL: a new run */
    bool same_threshold; /* the key 'threshold' was the same when the checkpoint was written */
    gr_store *store;     /* the model's */
    gr_graph *graph;     /* of training */
    gr_plan *step_plan, *micro_plan, *apply_plan, *clear_plan; /* step, or the other three */
    gr_session *step, *micro, *apply, *clear;
    gr_graph *eval_graph;
    gr_plan *eval_plan;
    gr_session *eval;
    gr_value *params; /* of 'graph' */
    int n_params;
    gr__position at;
    char **change; /* lines for people */
    int n_changes;
    size_t base_bytes;    /* of the process before the run's memory was touched */
    size_t opening_bytes; /* the most that the process held when the data had been read */
    size_t bound_bytes;   /* and when the programs were bound; 0: they are not yet */
    double valid_loss;
    gr_metric last[16]; /* of the validation over all samples after step last_step */
    int n_last;
    int64_t last_step;
    bool begun;    /* weights are those of run->at */
    bool finished; /* the folder holds the final model of this configuration */
};

extern const gr__conf_section gr__root_section; /* run.c */

/* programs.c: graphs and plans of training and validation; states are declared, nothing is allocated. */
gr_status gr__run_compile(gr_run *run);
void gr__run_release_programs(gr_run *run);
/* States made and initialised, sessions bound. */
gr_status gr__run_allocate(gr_run *run);
/* The same, once, and the checkpoint loaded where there is one. */
gr_status gr__run_begin(gr_run *run);

/* validate.c */
/* Mean loss over at most 'samples' validation samples (0: all); metrics may be NULL. hooks (NULL: none) are told of each batch;
 * GR_ERR_STOPPED where they say so. */
gr_status gr__run_validate(gr_run *run, const gr_train_hooks *hooks, gr_progress *progress, int64_t samples,
                           double *loss, gr_metric *metrics, int capacity, int *n);

/* panels.c: what the task shows of the validation that has just been scored, as a part of a page in the run's folder. */
#define GR__EVALUATION_FILE "evaluation.html"
#define GR__OTHER_EVALUATION_FILE "evaluation_other.html" /* of overrides that the run was not trained with */
gr_status gr__run_write_panels(gr_run *run, const gr_metric *metrics, int n);

/* Parameters and their averages (train.ema) change places; twice is nothing. */
gr_status gr__run_swap_averages(gr_run *run);

/* checkpoint.c */
gr_status gr__checkpoint_write(gr_run *run, bool best);
/* Reads the newest valid checkpoint's manifest into run->at (loading tensors needs the states: gr__checkpoint_load).
 * *found = false: there is none. */
gr_status gr__checkpoint_find(gr_run *run, bool *found);
/* The tensors of that step's checkpoint. */
gr_status gr__checkpoint_load(gr_run *run, int64_t step);
/* What the checkpoints say of their model; *out stays as it is where they say nothing. */
gr_status gr__checkpoint_model(gr_run *run, gr_model **out);
gr_status gr__checkpoint_remove_all(const char *out);
/* Whether there is one, whole or not. */
gr_status gr__checkpoint_look(const char *out, bool *any);
/* Removes what writers that were killed left. */
gr_status gr__checkpoint_sweep(const char *out);

/* run.c: who trains owns the folder; who only looks need not. Once is enough. */
gr_status gr__run_lock(gr_run *run);

/* run.c */
/* The task of a configuration, before anything is opened; looks at the options too. */
gr_status gr__run_find_task(const char *path, const gr_run_options *o, const gr__task_kind **kind);
gr_run_control gr__run_control(const gr_run *run, int64_t micro);

/* Whether the task's configuration has this key. */
bool gr__task_has_key(const gr__task_kind *kind, const char *section, const char *key);

#endif
