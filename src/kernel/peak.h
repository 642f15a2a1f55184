/* What this machine can do at best, measured by loops that do nothing else: the ceilings beside which the speed of real
 * work is shown. Rates are the best of some short trials.
 * threads: 1, or more for all that kernels use (gr_threads()). */
#ifndef GR__PEAK_H
#define GR__PEAK_H

#include "base/status.h"

typedef enum gr__peak_memory {
    GR__PEAK_READ,
    GR__PEAK_COPY,
    GR__PEAK_COPY_STREAM,
    GR__PEAK_MEMORY_COUNT
} gr__peak_memory;

/* Floating-point operations a second of multiply-add chains in registers, at the ISA level in use. bf16: of its dot
 * product; 0 where the processor has none. */
double gr__peak_flops(bool bf16, int threads);

/* Bytes a second to and from memory far beyond the caches (a copy counts both ways); out (GR__PEAK_MEMORY_COUNT).
 * STREAM: with stores that pass the caches by. GR_ERR_MEMORY: the two buffers of 192 MiB do not fit. */
gr_status gr__peak_memory_rates(int threads, double *out);

/* ---- between peak.c and the files of x86/ ---- */

typedef struct gr__peak_kernels {
    /* 'rounds' rounds of so many operations each; the result only keeps the work alive. bf16 NULL: none. */
    float (*f32)(int64_t rounds);
    float (*bf16)(int64_t rounds);
    double f32_flops, bf16_flops;
    /* src, dst: n floats, 64-byte aligned, n a multiple of 128 */
    float (*read)(const float *src, int64_t n);
    void (*copy)(float *dst, const float *src, int64_t n);
    void (*copy_stream)(float *dst, const float *src, int64_t n);
} gr__peak_kernels;

extern const gr__peak_kernels gr__peak_avx2, gr__peak_avx512;

#endif
