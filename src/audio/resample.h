/* Another sampling rate, by a sinc under a Kaiser window: 64 zero crossings, 100 dB of suppression, the upper 5 % of the
 * band given up. */
#ifndef GR__RESAMPLE_H
#define GR__RESAMPLE_H

#include "base/status.h"

/* One channel; *n_out = ceil(n * to / from). Free *out with gr__free. The same rate gives a copy.
 * GR_ERR_ARGUMENT (rates from 1 to 768000 Hz), GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__resample(const float *samples, int64_t n, int from, int to, float **out, int64_t *n_out);

#endif
