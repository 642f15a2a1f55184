#include "kernel/peak.h"

#include <immintrin.h>

/* More chains than latency times units, and registers for all of them. */
enum { CHAINS = 12 };

static float f32(int64_t rounds)
{
    __m256 acc[CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_set1_ps(1 + 0.01f * (float)i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_fmadd_ps(acc[i], a, b);
    for (int i = 1; i < CHAINS; i++) acc[0] = _mm256_add_ps(acc[0], acc[i]);
    return _mm256_cvtss_f32(acc[0]);
}

static float read(const float *src, int64_t n)
{
    __m256 sum[4];
    for (int k = 0; k < 4; k++) sum[k] = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += 32)
        for (int k = 0; k < 4; k++) sum[k] = _mm256_or_ps(sum[k], _mm256_load_ps(src + i + 8 * k));
    return _mm256_cvtss_f32(_mm256_or_ps(_mm256_or_ps(sum[0], sum[1]), _mm256_or_ps(sum[2], sum[3])));
}

static void copy(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += 32)
        for (int k = 0; k < 32; k += 8) _mm256_store_ps(dst + i + k, _mm256_load_ps(src + i + k));
}

static void copy_stream(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += 32)
        for (int k = 0; k < 32; k += 8) _mm256_stream_ps(dst + i + k, _mm256_load_ps(src + i + k));
    _mm_sfence();
}

const gr__peak_kernels gr__peak_avx2 = {
    .f32 = f32, .f32_flops = CHAINS * 8 * 2, .read = read, .copy = copy, .copy_stream = copy_stream};
