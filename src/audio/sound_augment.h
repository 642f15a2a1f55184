/* Random changes of samples and of features, drawn from (seed, stream, sample) as pictures' are (image/augment.h). */
#ifndef GR__SOUND_AUGMENT_H
#define GR__SOUND_AUGMENT_H

#include "base/status.h"

typedef struct gr__sound_augment_options {
    double shift;               /* of the whole length, both ways; zeros come in; [0, 1]; default 0 */
    double gain_db;             /* louder or softer by up to so much; default 0 */
    double noise_share;         /* probability of noise; default 0 */
    double snr_least, snr_most; /* dB of signal over the noise */
} gr__sound_augment_options;

/* One channel, in place. */
void gr__sound_augment(float *samples, int64_t n, const gr__sound_augment_options *options, uint64_t seed,
                       uint64_t stream, uint64_t sample);

/* SpecAugment (Park et al. 2019): 'n' bands of 0 to 'most' neighbours each become 'fill'. */
typedef struct gr__mask_options {
    int64_t n_time, most_time;
    int64_t n_bands, most_bands;
    float fill;
} gr__mask_options;

/* features (frames, bands), in place. */
void gr__feature_mask(float *features, int64_t frames, int64_t bands, const gr__mask_options *options, uint64_t seed,
                      uint64_t stream, uint64_t sample);

#endif
