/* A task binds data to a model: what a batch holds, which loss, which metrics. The trainer knows tasks, never families.
 * Adding one: src/task/NAME.c with `const gr__task_kind gr__task_NAME`, and a line in tasks.def. */
#ifndef GR__TASK_H
#define GR__TASK_H

#include "base/str.h"
#include "fit/points.h"
#include "model/family.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/train.h"
#include "task/inputs.h"

typedef enum gr__split { GR__SPLIT_TRAIN, GR__SPLIT_VALID } gr__split;

typedef struct gr__task gr__task;
typedef struct gr__tuning gr__tuning; /* task/label_score.h */

/* Where a task looks for its data and keeps what it derives from them. */
typedef struct gr__task_in {
    gr__conf *root;         /* sections 'data', 'tokenizer', 'model' */
    const char *run_folder; /* NULL: nothing may be written */
    bool fresh;             /* derived files are made anew */
    gr__facts kept;         /* with which the checkpoints were made: they stay, whatever data are read now; they outlive
                               the task. Zeros: a new run */
    uint64_t seed;
    const char *text; /* a corpus given from memory; NULL: from data.source */
    size_t text_bytes;
} gr__task_in;

typedef struct gr__task_kind {
    const char *name, *summary;
    const char *unit;
    bool language;                    /* defaults of training as for language models */
    bool plain;                       /* defaults of training as for rows of numbers: Adam, no clipping */
    bool folds;                       /* data.folds and data.fold cut its rows */
    const char *const *defaults;      /* "train.batch=256", for keys that are not given, up to NULL; NULL: none */
    bool begins;                      /* may begin with a model's folder ('from' of the configuration) */
    int64_t epochs;                   /* when neither steps nor epochs are given; 0: 100, or 2000 steps of language */
    const gr__conf_section *sections; /* of the configuration that it reads, for help */
    size_t n_sections;
    size_t bytes; /* of the struct that begins with gr__task */
    gr_status (*open)(gr__task *t, const gr__task_in *in);
    void (*close)(gr__task *t);
    /* Appends forward part and loss for a batch; inputs are declared here. Outputs for 'score' go to 'program'. */
    gr_status (*build)(gr__task *t, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out);
    /* Fills the inputs of samples first .. first+batch-1: of the endless shuffled stream for training, in file order for
     * validation, where samples past the end weigh nothing. A loader calls it beside a running step, but never beside any
     * other function of the task. */
    void (*fill)(gr__task *t, gr__split split, int64_t first, int64_t batch, const gr__inputs *to);
    /* In place of the steps of an optimiser: sets the model's values by an algorithm of its own, in so many passes over the
     * training part at most. GR_ERR_STOPPED where 'watch' said so: nothing is kept then. NULL: steps. */
    gr_status (*fit)(gr__task *t, int64_t passes, const gr__watch *watch);
    /* Of a validation batch that ran; NULL: the loss alone is scored. */
    void (*score)(gr__task *t, int64_t first, int64_t batch, gr_session *session);
    /* Before 'finish', of tasks that tell labels apart: where there are two, sets the threshold of the model from what was
     * scored. NULL: there is none. */
    gr_status (*tune)(gr__task *t, const gr__tuning *how);
    /* Adds metrics to those that follow from the mean loss; returns how many. */
    int (*finish)(gr__task *t, double loss, gr_metric *out, int capacity);
    /* Of the validation that was scored last, over all samples: sections of the report. NULL: none. */
    gr_status (*panels)(gr__task *t, gr__str *page);
} gr__task_kind;

/* A second loss of the same step, which the parameters of this pattern follow, and they only; its weight is the first
 * loss's. */
typedef struct gr__rival {
    gr_value sum; /* 0: there is none */
    const char *pattern;
} gr__rival;

struct gr__task {
    const gr__task_kind *kind;
    gr__arena arena;
    gr_model *model;
    int64_t samples[2]; /* per epoch, of each split */
    double units_per_sample;
    int64_t units[2]; /* size of the data */
    uint64_t
        fingerprint;    /* equal for the same data for training, so that going on with other data is told; 0: unknown */
    gr__rival rival;    /* of the graph that 'build' made last */
    const char *report; /* lines for people about the data, in the arena; NULL: none */
};

extern const gr__task_kind *const gr__tasks[];
extern const size_t gr__n_tasks;
#define GR_X(name) extern const gr__task_kind gr__task_##name;
#include "task/tasks.def"
#undef GR_X
/* From 'task' of the configuration; absent: from model and data. GR_ERR_CONFIG with did-you-mean. */
gr_status gr__task_find(const gr__conf *root, const gr__task_kind **out);
gr_status gr__task_open(const gr__task_in *in, gr__task **out);
void gr__task_close(gr__task **t);
/* A batch for one run of the session. */
gr_status gr__task_fill(gr__task *t, gr__split split, int64_t first, int64_t batch, gr_session *session);

#endif
