/* The section 'train' of a configuration. */
#ifndef GR__SETTINGS_H
#define GR__SETTINGS_H

#include "conf/schema.h"
#include "gradus/nn.h"
#include "gradus/plan.h"

typedef enum gr__nonfinite { GR__NONFINITE_STOP, GR__NONFINITE_SKIP } gr__nonfinite;

typedef struct gr__settings {
    int64_t steps, epochs; /* one of them may be 0 */
    int64_t batch;         /* INT64_MIN 'auto': chosen */
    bool full_batch;
    int64_t accumulate;
    int64_t loaders; /* threads that make batches beside the step: 0 or 1 */
    int64_t seed;
    int dtype; /* 0 f32, 1 bf16 */
    int64_t checkpoint_every, keep, eval_every, eval_samples;
    double memory_mib; /* of the arena; 0: no limit */
    int recompute, nonfinite;
    int strict; /* 1: results depend on nothing but the configuration */
    double clip, clip_value, ema;
    gr_optimizer optimizer;
    bool decay_all; /* weight decay on vectors too */
    gr_schedule schedule;
    double warmup;          /* steps; below 1: share of the steps */
    gr_param_group *groups; /* in the arena */
    int n_groups;
    int64_t patience; /* of early stopping, in validations; 0: off */
    double min_delta;
    bool best; /* the weights of the best validation come back at the end */
} gr__settings;

/* train and what is below it. */
extern const gr__conf_section gr__settings_sections[];
extern const size_t gr__n_settings_sections;

/* language: the defaults of language models. */
gr_status gr__settings_read(const gr__conf *root, bool language, gr__settings *out, gr__arena *arena);
/* Steps, batch and schedule for this many samples an epoch; passes: a step is a pass over all of them; epochs: where nothing is
 * given, 0: as language or not. */
void gr__settings_resolve(gr__settings *s, int64_t samples, bool language, bool passes, int64_t epochs);

#endif
