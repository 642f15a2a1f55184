/* Short-time Fourier transform: a Hann window slides over the samples, each place gives a row of magnitudes or powers. */
#ifndef GR__SPECTRUM_H
#define GR__SPECTRUM_H

#include "base/status.h"

typedef enum gr__edge {
    GR__EDGE_REFLECT, /* n_fft / 2 samples mirrored at both ends (torchaudio) */
    GR__EDGE_ZERO,    /* zeros there (librosa) */
    GR__EDGE_NONE,    /* windows lie inside */
    GR__EDGE_COUNT
} gr__edge;

typedef struct gr__spectrum_options {
    int64_t n_fft;  /* 1 to 2^20; default 400 */
    int64_t window; /* at most n_fft, in its middle; default n_fft */
    int64_t hop;    /* default window / 2 */
    gr__edge edge;
    bool magnitude; /* default: power, its square */
} gr__spectrum_options;

/* (frames, bins) with bins = n_fft / 2 + 1; free *out with gr__free. GR_ERR_ARGUMENT: options; GR_ERR_DATA: too few
 * samples for a window, or to mirror; GR_ERR_LIMIT; GR_ERR_MEMORY. */
gr_status gr__spectrum(const float *samples, int64_t n, const gr__spectrum_options *options, float **out,
                       int64_t *frames, int64_t *bins);

#endif
