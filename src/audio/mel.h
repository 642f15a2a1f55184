/* Mel filters and what is made of them. Slaney's scale is linear to 1 kHz and logarithmic above (librosa's default), HTK's
 * is 2595 log10(1 + f / 700) (torchaudio's default). */
#ifndef GR__MEL_H
#define GR__MEL_H

#include "base/status.h"

typedef struct gr__mel_options {
    int64_t n_mels;   /* default 128 */
    double low, high; /* Hz; default 0 and half the rate */
    bool htk;         /* default: Slaney's scale */
    bool no_norm;     /* default: each filter has area 1 (Slaney's norm) */
} gr__mel_options;

/* weights (n_mels, bins), bins = n_fft / 2 + 1; free with gr__free. GR_ERR_ARGUMENT, GR_ERR_MEMORY. */
gr_status gr__mel_filters(int64_t n_fft, int rate, const gr__mel_options *options, float **out, int64_t *n_mels);

/* (frames, bins) times the filters: mel (frames, n_mels). */
void gr__mel_apply(const float *power, int64_t frames, int64_t bins, const float *filters, int64_t n_mels, float *mel);

/* 10 log10(max(x, least)), not more than 'range' dB below the largest (range 0: no such limit). In place. */
void gr__mel_to_db(float *mel, int64_t count, double least, double range);
/* ln(max(x, least)), in place. */
void gr__mel_to_log(float *mel, int64_t count, double least);

/* The first n_out coefficients of the orthonormal cosine transform (type II) of each row: (frames, n_out). */
void gr__mel_cepstra(const float *log_mel, int64_t frames, int64_t n_mels, int64_t n_out, float *out);

#endif
