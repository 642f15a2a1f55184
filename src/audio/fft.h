/* Discrete Fourier transform of any length in f64: radix 2 where n is a power of two, else by Bluestein's way (a convolution
 * of a power of two). A plan is made once and read by any number of threads. */
#ifndef GR__FFT_H
#define GR__FFT_H

#include "base/status.h"

typedef struct gr__fft gr__fft;

gr_status gr__fft_new(int64_t n, gr__fft **out); /* n from 1 to 2^20 */
void gr__fft_free(gr__fft **fft);
/* Doubles of scratch that a run needs. */
size_t gr__fft_scratch(const gr__fft *fft);
/* re, im (n) in place: sum over x[t] exp(-2 pi i k t / n). */
void gr__fft_run(const gr__fft *fft, double *re, double *im, double *scratch);

#endif
