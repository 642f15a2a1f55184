/* Sixteen floats: AVX-512 F, BW, DQ, VL; vdot_bf16() needs BF16 too (see gr__simd_get_bf16). */
#ifndef GR__VEC_AVX512_H
#define GR__VEC_AVX512_H

#include <immintrin.h>

enum { GR__W = 16, GR__MR = 6, GR__NV = 4 }; /* GR__MR x GR__NV vectors: the register tile of matrix products */

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

GR__INLINE vf vset(float x) { return _mm512_set1_ps(x); }
GR__INLINE vi iset(int32_t x) { return _mm512_set1_epi32(x); }
GR__INLINE vf vload(const float *p) { return _mm512_loadu_ps(p); }
GR__INLINE void vstore(float *p, vf v) { _mm512_storeu_ps(p, v); }
GR__INLINE void vstream(float *p, vf v) { _mm512_stream_ps(p, v); }
GR__INLINE void vprefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
GR__INLINE void vprefetch_far(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }
GR__INLINE void vstream_end(void) { _mm_sfence(); }
GR__INLINE vi vbits(vf v) { return _mm512_castps_si512(v); }
GR__INLINE vf vfrombits(vi v) { return _mm512_castsi512_ps(v); }
GR__INLINE vi iadd(vi a, vi b) { return _mm512_add_epi32(a, b); }
GR__INLINE vi isub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
GR__INLINE vi iand(vi a, vi b) { return _mm512_and_si512(a, b); }
GR__INLINE vi ior(vi a, vi b) { return _mm512_or_si512(a, b); }
GR__INLINE vi ishl(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
GR__INLINE vi isar(vi a, int n) { return _mm512_srai_epi32(a, (unsigned)n); }
GR__INLINE vi ixor(vi a, vi b) { return _mm512_xor_si512(a, b); }
/* The 64-bit products a*k of unsigned lanes, low and high words. */
GR__INLINE void imul_wide(vi a, uint32_t k, vi *low, vi *high)
{
    vi even = _mm512_mul_epu32(a, iset((int32_t)k)), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), iset((int32_t)k));
    *low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
GR__INLINE vf vfromint(vi a) { return _mm512_cvtepi32_ps(a); }
GR__INLINE vm vgt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
GR__INLINE vm vge(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
GR__INLINE vm veq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
GR__INLINE vm vunordered(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
GR__INLINE vf vselect(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
GR__INLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
GR__INLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
GR__INLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
GR__INLINE vf vwhole(vf a) { return _mm512_roundscale_ps(a, 8); } /* nearest whole number */
/* p*2^n for whole n >= -160 and p in (0.5, 2): 0 where that is too small */
GR__INLINE vf vscale(vf p, vf n)
{
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(n, vset(-125), _CMP_NLT_UQ), p, n);
}

GR__INLINE vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
GR__INLINE vi iload(const int32_t *p) { return _mm512_loadu_si512(p); }

GR__INLINE vf vload_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
GR__INLINE vf vload_bf16(const uint16_t *p)
{
    return vfrombits(ishl(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
/* Pairs of bf16: of each element of two rows. */
GR__INLINE vi iload_pairs(const uint16_t *low, const uint16_t *high)
{
    vi a = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)low));
    return ior(a, ishl(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)high)), 16));
}
GR__INLINE __m256i high_halves(vf v)
{
    __m512i order = _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 31, 29, 27, 25, 23, 21, 19, 17, 15,
                                     13, 11, 9, 7, 5, 3, 1);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi16(order, vbits(v)));
}
GR__INLINE void vstore_high16(uint16_t *p, vf v) { _mm256_storeu_si256((__m256i *)p, high_halves(v)); }
GR__INLINE void vstream_high16(uint16_t *p, vf v) { _mm256_stream_si256((__m256i *)p, high_halves(v)); }

/* Masks spare the shifts of the form that all have (tile.h). */
#define GR__OWN_ROUND_BF16
GR__INLINE vf vround_high16(vf v)
{
    __m512i bits = vbits(v), up = iadd(bits, iset(0x7fff));
    up = _mm512_mask_add_epi32(up, _mm512_test_epi32_mask(bits, iset(0x10000)), up, iset(1));
    return vfrombits(_mm512_mask_or_epi32(up, vunordered(v), bits, iset(0x400000)));
}

/* acc + a.lo*b.lo + a.hi*b.hi, operands are pairs of bf16 in 32 bits. */
GR__INLINE vf vdot_bf16(vf acc, vi a, vi b) { return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b); }

/* Two numbers to bf16 each, the first in the low half; needs BF16. Numbers too small for bf16's normal range become 0. */
GR__INLINE vi vpair_bf16(vf low, vf high)
{
    __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                     20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* As in tile.h; needs BF16. Numbers too small for bf16's normal range become 0. */
#define GR__OWN_TWO_BF16
GR__INLINE vf vround_quickly_bf16(vf v)
{
    return vfrombits(ishl(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v)), 16));
}
GR__INLINE void vstore_two_bf16(uint16_t *p, vf first, vf second)
{
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

GR__INLINE vf vload_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
GR__INLINE void vstore_f16(uint16_t *p, vf v) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, 0)); }

/* 16 x 16 words: row j of dst (ld words apart) is column j of src (rows 'step' bytes apart). */
GR__INLINE void transpose_words(float *dst, int64_t ld, const char *src, int64_t step)
{
    vf r[16], t[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(src + i * step);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        vstore(dst + i * ld, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
        vstore(dst + (i + 8) * ld, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    }
}

#endif
