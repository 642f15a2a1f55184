/* What a network hears of a sound: the logarithms of mel bands, a row for each step of time, each band with the mean and
 * deviation that it had in training. The same code makes them for training and for predicting. */
#ifndef GR__FEATURES_H
#define GR__FEATURES_H

#include "conf/schema.h"

typedef struct gr__features {
    int64_t rate;               /* Hz; 0: nothing is heard */
    int64_t window, hop;        /* samples; the transform has the next power of two */
    int64_t mels;               /* bands */
    double low, high;           /* Hz; high 0: half the rate */
    gr__conf_doubles mean, std; /* (mels); none: 0 and 1 */
} gr__features;

/* One channel of floats; release with gr__free. */
typedef struct gr__wave {
    float *samples; /* (n) */
    int64_t n;
} gr__wave;

/* The file, one channel at that rate (0: its own, *found; found may be NULL). GR_ERR_DATA: there is no sample in it. Other
 * status: as gr__sound_read(). */
gr_status gr__wave_read(const char *path, int64_t rate, gr__wave *out, int64_t *found);
/* The middle of a longer one, or the whole with silence on both sides: to (n). */
void gr__wave_fit(const gr__wave *wave, float *to, int64_t n);

/* GR_ERR_CONFIG: what does not fit together. */
gr_status gr__features_check(const gr__features *f);
/* Rows that n samples give. */
int64_t gr__features_frames(const gr__features *f, int64_t n);
/* The bands' filters (mels, bins); free with gr__free. */
gr_status gr__features_filters(const gr__features *f, float **out);
/* samples (n >= 1) -> out (gr__features_frames(n), mels). */
gr_status gr__features_make(const gr__features *f, const float *filters, const float *samples, int64_t n, float *out);

#endif
