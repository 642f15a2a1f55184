#include "kernel/peak.h"

#include <immintrin.h>

/* More chains than latency times units (the dot product of bf16 takes longer than a multiply-add). */
enum { CHAINS = 16 };

static float f32(int64_t rounds)
{
    __m512 acc[CHAINS], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_set1_ps(1 + 0.01f * (float)i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_fmadd_ps(acc[i], a, b);
    for (int i = 1; i < CHAINS; i++) acc[0] = _mm512_add_ps(acc[0], acc[i]);
    return _mm512_reduce_add_ps(acc[0]);
}

static float bf16(int64_t rounds)
{
    __m512 acc[CHAINS], one = _mm512_set1_ps(0.001f);
    __m512bh a = _mm512_cvtne2ps_pbh(one, one), b = _mm512_cvtne2ps_pbh(one, one);
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_set1_ps(1 + 0.01f * (float)i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_dpbf16_ps(acc[i], a, b);
    for (int i = 1; i < CHAINS; i++) acc[0] = _mm512_add_ps(acc[0], acc[i]);
    return _mm512_reduce_add_ps(acc[0]);
}

static float read(const float *src, int64_t n)
{
    __m512i sum[4];
    for (int k = 0; k < 4; k++) sum[k] = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 64)
        for (int k = 0; k < 4; k++) sum[k] = _mm512_or_si512(sum[k], _mm512_load_si512(src + i + 16 * k));
    return (float)_mm512_reduce_or_epi32(
        _mm512_or_si512(_mm512_or_si512(sum[0], sum[1]), _mm512_or_si512(sum[2], sum[3])));
}

static void copy(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64)
        for (int k = 0; k < 64; k += 16) _mm512_store_ps(dst + i + k, _mm512_load_ps(src + i + k));
}

static void copy_stream(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64)
        for (int k = 0; k < 64; k += 16) _mm512_stream_ps(dst + i + k, _mm512_load_ps(src + i + k));
    _mm_sfence();
}

const gr__peak_kernels gr__peak_avx512 = {.f32 = f32,
                                          .bf16 = bf16,
                                          .f32_flops = CHAINS * 16 * 2,
                                          .bf16_flops = CHAINS * 32 * 2,
                                          .read = read,
                                          .copy = copy,
                                          .copy_stream = copy_stream};
