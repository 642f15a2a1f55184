/* gradus/train.h: runs: a configuration or a source of data in, a trained model folder out.
 *
 *   gr_run *run;
 *   const char *set[] = {"train.steps=2000", "model.width=128"};
 *   gr_run_open("book.txt", &(gr_run_options){.overrides = set, .n_overrides = 2, .out = "runs/book"}, &run);
 *   gr_run_train(run, NULL);           // resumes where a stopped run left off
 *   gr_run_close(&run);
 *
 * What a run leaves in its folder: config.yaml (what was given, and what the task sets), metrics.jsonl, checkpoints/, and in the end the
 * model as a Hugging Face folder. A run that is killed at any moment continues bit for bit with the same call. */
#ifndef GRADUS_TRAIN_H
#define GRADUS_TRAIN_H

#include "gradus/model.h"
#include "gradus/nn.h"
#include "gradus/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_run gr_run;

typedef struct gr_run_options {
    const char *const *overrides; /* "train.lr=1e-3", "model.layers=4"; they win over the file */
    int n_overrides;
    const char *origin; /* what messages call them; default "override" */
    const char *target; /* of a table: the name of the column to predict, as it is; wins over data.target */
    const char *out;    /* the run's folder; default: 'out' of the config, else runs/NAME */
    bool skip_bad;      /* data.skip_bad=true; GR_ERR_CONFIG where the task has nothing that it may leave out */
    bool fresh;         /* begin anew: checkpoints in the folder are removed */
    bool resume;        /* go on only: GR_ERR_NOT_FOUND where the folder has no checkpoint, and nothing is written */
    bool no_write;      /* nothing is written (dry runs, checks) */
    const char *text;   /* with path NULL: the corpus itself (borrowed until gr_run_open returns) */
    size_t text_bytes;
} gr_run_options;

/* Reads the configuration (a .yaml or .yml file) or takes 'path' as data.source; loads the data, makes the model, compiles
 * the programs, looks for a checkpoint. Nothing is trained.
 * Status: GR_ERR_CONFIG (file:line:column, did-you-mean), GR_ERR_NOT_FOUND, GR_ERR_DATA, GR_ERR_CORRUPT, GR_ERR_MEMORY,
 * GR_ERR_IO. */
GR_API gr_status gr_run_open(const char *path, const gr_run_options *options, gr_run **out);
GR_API void gr_run_close(gr_run **run);

/* ---- what is known before the start ---- */

typedef struct gr_run_plan {
    const char *task, *family, *out; /* owned by the run */
    int64_t parameters, trainable;
    int64_t steps, batch, accumulate, samples, epochs;
    int64_t start_step; /* > 0: resumes there */
    const char *unit;   /* what is counted: "tok", "row" */
    double units_per_step;
    double flops_per_step;
    size_t weight_bytes, optimizer_bytes, gradient_bytes, activation_bytes, total_bytes, process_bytes; /* process: the
                                             predicted peak of the whole process */
    gr_recompute recompute;
    bool bf16;
    int64_t train_units, valid_units; /* size of the data, in units */
    int64_t vocab;                    /* 0: not a language model */
    int64_t labels;                   /* that are told apart; 0: none */
} gr_run_plan;
GR_API gr_run_plan gr_run_describe(const gr_run *run);

/* The i-th parameter array: path, shape; false past the end. */
GR_API bool gr_run_param(const gr_run *run, int i, const char **path, gr_tensor *out);
/* Values that a resumed run changes against its checkpoint ("train.lr: 1e-3 -> 5e-4"); NULL past the end. */
GR_API const char *gr_run_change(const gr_run *run, int i);
/* What the task found in its data, lines for people, borrowed: of a table the columns and what is odd. NULL: nothing. */
GR_API const char *gr_run_report(const gr_run *run);
/* The configuration that is used, as YAML; free with gr_text_free(). */
GR_API gr_status gr_run_config(const gr_run *run, char **out);
/* Seconds of one step, from two real steps whose result is thrown away. */
GR_API gr_status gr_run_time_step(gr_run *run, double *seconds);
/* The training program's plan, as text. */
GR_API gr_status gr_run_print_plan(const gr_run *run, char **out);

/* ---- training ---- */

typedef struct gr_progress {
    int64_t step, steps; /* done so far, of */
    double epoch;
    double loss, loss_average; /* of this step; exponential average */
    double learning_rate, grad_norm;
    double seconds, seconds_left;
    double units_per_second; /* of the last steps */
    double flops_per_second;
    double waiting;                    /* share of the steps' time in which inputs were made or waited for */
    double valid_loss;                 /* the last one; NaN before the first */
    size_t memory_bytes;               /* of the process, now */
    int64_t skipped;                   /* steps left out because of numbers that are not finite */
    int64_t valid_done, valid_samples; /* of the validation that runs */
    double valid_seconds_left;
} gr_progress;

typedef enum gr_run_event {
    GR_EVENT_STEP,       /* after each step */
    GR_EVENT_VALID,      /* after a validation */
    GR_EVENT_CHECKPOINT, /* one was committed; text: the folder of the run */
    GR_EVENT_NOTE,       /* text: something that people should read */
    GR_EVENT_VALIDATING  /* after each batch of a validation */
} gr_run_event;

typedef struct gr_train_hooks {
    void *user;
    void (*event)(void *user, gr_run_event event, const gr_progress *progress, const char *text);
    /* Asked after each step and each batch of a validation, which begins anew when the run goes on, and is not stopped again.
     * True: commit a checkpoint and return GR_ERR_STOPPED. */
    bool (*stop)(void *user);
    double time_limit_seconds; /* > 0: stop after it in the same way, not within a validation */
} gr_train_hooks;

/* Trains to the end and saves the model.
 * Status: GR_OK; GR_ERR_STOPPED (a checkpoint was written; the same call resumes); GR_ERR_NUMERIC (the tensor's name; the last
 * checkpoint is intact); GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_run_train(gr_run *run, const gr_train_hooks *hooks);

/* Named results on the validation part (or the test part, where the data have one). */
typedef struct gr_metric {
    char name[64]; /* UTF-8, no two the same in a list */
    double value;
} gr_metric;
/* Evaluates the current weights; fills at most 'capacity', *n gets how many there are. */
GR_API gr_status gr_run_evaluate(gr_run *run, gr_metric *out, int capacity, int *n);
/* The same with GR_EVENT_VALIDATING events; GR_ERR_STOPPED where 'stop' said so. hooks NULL: none. */
GR_API gr_status gr_run_evaluate_watched(gr_run *run, const gr_train_hooks *hooks, gr_metric *out, int capacity,
                                         int *n);

GR_API gr_model *gr_run_model(gr_run *run); /* borrowed */

/* Compares the gradients of the whole model on one batch with differences, in f64: the worst relative error of each
 * parameter, over 'samples' elements of it (0: 3). fn is called for each. GR_ERR_CHECK when one is above 1e-6. */
typedef void (*gr_gradient_fn)(void *user, const char *path, double worst);
GR_API gr_status gr_run_check_gradients(gr_run *run, int samples, gr_gradient_fn fn, void *user);

/* ---- the embedded demo ---- */

/* The report of a run folder as one self-contained HTML file (curves, samples, model card) at 'path'. */
typedef struct gr_report_options {
    const char *title;
    const char *const *sample_titles;
    const char *const *samples; /* texts */
    int n_samples;
    bool other_evaluation; /* show the last gr_run_evaluate() with overrides that the run was not trained with; default:
                            * the last one of the run as it is */
} gr_report_options;
GR_API gr_status gr_report_write(const char *run_folder, const char *path, const gr_report_options *options);

#ifdef __cplusplus
}
#endif
#endif
