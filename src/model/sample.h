/* Choosing the next token from logits, on the host. */
#ifndef GR__SAMPLE_H
#define GR__SAMPLE_H

#include "base/rng.h"
#include "gradus/model.h"

typedef struct gr__sampler gr__sampler;

/* GR_ERR_ARGUMENT: the option and its range. The options' defaults are filled in. */
gr_status gr__sampler_new(const gr_generate_options *options, int64_t vocab, gr__sampler **out);
void gr__sampler_free(gr__sampler **sampler);
/* The token stands in the text: it is what repetition_penalty is for. */
void gr__sampler_see(gr__sampler *sampler, int32_t id);
/* The next token of logits (V). GR_ERR_NUMERIC when one is NaN or all are -infinity. */
gr_status gr__sampler_next(gr__sampler *sampler, const float *logits, int32_t *id);

#endif
