/* Eight floats: AVX2 with FMA and F16C. */
#ifndef GR__VEC_AVX2_H
#define GR__VEC_AVX2_H

#include <immintrin.h>

enum { GR__W = 8, GR__MR = 6, GR__NV = 2 }; /* GR__MR x GR__NV vectors: the register tile of matrix products */

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm; /* all bits of a lane */

GR__INLINE vf vset(float x) { return _mm256_set1_ps(x); }
GR__INLINE vi iset(int32_t x) { return _mm256_set1_epi32(x); }
GR__INLINE vf vload(const float *p) { return _mm256_loadu_ps(p); }
GR__INLINE void vstore(float *p, vf v) { _mm256_storeu_ps(p, v); }
GR__INLINE void vstream(float *p, vf v) { _mm256_stream_ps(p, v); }
GR__INLINE void vprefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
GR__INLINE void vprefetch_far(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }
GR__INLINE void vstream_end(void) { _mm_sfence(); }
GR__INLINE vi vbits(vf v) { return _mm256_castps_si256(v); }
GR__INLINE vf vfrombits(vi v) { return _mm256_castsi256_ps(v); }
GR__INLINE vi iadd(vi a, vi b) { return _mm256_add_epi32(a, b); }
GR__INLINE vi isub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
GR__INLINE vi iand(vi a, vi b) { return _mm256_and_si256(a, b); }
GR__INLINE vi ior(vi a, vi b) { return _mm256_or_si256(a, b); }
GR__INLINE vi ishl(vi a, int n) { return _mm256_slli_epi32(a, n); }
GR__INLINE vi isar(vi a, int n) { return _mm256_srai_epi32(a, n); }
GR__INLINE vi ixor(vi a, vi b) { return _mm256_xor_si256(a, b); }
/* The 64-bit products a*k of unsigned lanes, low and high words. */
GR__INLINE void imul_wide(vi a, uint32_t k, vi *low, vi *high)
{
    vi even = _mm256_mul_epu32(a, iset((int32_t)k)), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), iset((int32_t)k));
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
GR__INLINE vf vfromint(vi a) { return _mm256_cvtepi32_ps(a); }
GR__INLINE vm vgt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
GR__INLINE vm vge(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
GR__INLINE vm veq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
GR__INLINE vm vunordered(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
GR__INLINE vf vselect(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
GR__INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
GR__INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
GR__INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
GR__INLINE vf vwhole(vf a) { return _mm256_round_ps(a, 8); } /* nearest whole number */
/* p*2^n for whole n >= -160 and p in (0.5, 2): 0 where that is too small */
GR__INLINE vf vscale(vf p, vf n)
{
    vf y = vfrombits(iadd(vbits(p), ishl(_mm256_cvtps_epi32(n), 23)));
    return vselect(vgt(vset(-125.0f), n), vset(0), y);
}

GR__INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
GR__INLINE vi iload(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

GR__INLINE vf vload_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
GR__INLINE vf vload_bf16(const uint16_t *p)
{
    return vfrombits(ishl(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}

GR__INLINE __m128i high_halves(vf v)
{
    vi packed = _mm256_packus_epi32(_mm256_srli_epi32(vbits(v), 16), _mm256_setzero_si256());
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}
GR__INLINE void vstore_high16(uint16_t *p, vf v) { _mm_storeu_si128((__m128i *)p, high_halves(v)); }
GR__INLINE void vstream_high16(uint16_t *p, vf v) { _mm_stream_si128((__m128i *)p, high_halves(v)); }

/* Pairs of bf16: of each element of two rows. */
GR__INLINE vi iload_pairs(const uint16_t *low, const uint16_t *high)
{
    vi a = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)low));
    return ior(a, ishl(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)high)), 16));
}

/* acc + a.lo*b.lo + a.hi*b.hi, operands are pairs of bf16 in 32 bits. */
GR__INLINE vf vdot_bf16(vf acc, vi a, vi b)
{
    vi high = iset((int32_t)0xffff0000u);
    acc = vfma(vfrombits(ishl(a, 16)), vfrombits(ishl(b, 16)), acc);
    return vfma(vfrombits(iand(a, high)), vfrombits(iand(b, high)), acc);
}

GR__INLINE vf vload_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
GR__INLINE void vstore_f16(uint16_t *p, vf v) { _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v, 0)); }

/* 8 x 8 words: row j of dst (ld words apart) is column j of src (rows 'step' bytes apart). */
GR__INLINE void transpose_words(float *dst, int64_t ld, const char *src, int64_t step)
{
    vf r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(const void *)(src + i * step));
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        vstore(dst + i * ld, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        vstore(dst + (i + 4) * ld, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* Two numbers to bf16 each, the first in the low half; the caller has no use for exact NaNs. */
GR__INLINE vi vround_low(vf v)
{
    vi bits = vbits(v);
    return iadd(bits, iadd(iand(isar(bits, 16), iset(1)), iset(0x7fff)));
}
GR__INLINE vi vpair_bf16(vf low, vf high)
{
    return ior(iand(isar(vround_low(low), 16), iset(0xffff)), iand(vround_low(high), iset((int32_t)0xffff0000u)));
}

#endif
