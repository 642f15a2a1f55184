/* Symbols out of what a CTC model says at each step: merge repeats, leave blanks out. Symbol 0 is the blank. */
#ifndef GR__CTC_DECODE_H
#define GR__CTC_DECODE_H

#include "base/status.h"

/* The likeliest symbol of each step: logits (T, V) -> out (T), *n of them. */
void gr__ctc_greedy(const float *logits, int64_t steps, int64_t symbols, int32_t *out, int64_t *n);
/* The likeliest text among 'width' that are kept at each step, over all ways to say it (prefix beam search; Graves 2012,
 * Hannun et al. 2014). GR_ERR_MEMORY. */
gr_status gr__ctc_beam(const float *logits, int64_t steps, int64_t symbols, int64_t width, int32_t *out, int64_t *n);

#endif
