/* Four floats through the compiler's portable vectors: any processor. */
#ifndef GR__VEC_GENERIC_H
#define GR__VEC_GENERIC_H

#include "tensor/convert.h"

enum { GR__W = 4, GR__MR = 3, GR__NV = 2 }; /* GR__MR x GR__NV vectors: the register tile of matrix products */

typedef float vf GR__VECTOR(16);
typedef int32_t vi GR__VECTOR(16);
typedef uint32_t vu GR__VECTOR(16); /* wraps around where vi would overflow */
typedef vi vm;                      /* 0 or -1 in each lane */

GR__INLINE vf vset(float x) { return (vf){x, x, x, x}; }
GR__INLINE vi iset(int32_t x) { return (vi){x, x, x, x}; }

GR__INLINE vf vload(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
GR__INLINE void vstore(float *p, vf v) { memcpy(p, &v, sizeof v); }
GR__INLINE void vstream(float *p, vf v) { vstore(p, v); }
GR__INLINE void vprefetch(const void *p) { (void)p; }
GR__INLINE void vprefetch_far(const void *p) { (void)p; }
GR__INLINE void vstream_end(void) {}

GR__INLINE vi vbits(vf v) { return (vi)v; }
GR__INLINE vf vfrombits(vi v) { return (vf)v; }

GR__INLINE vi iadd(vi a, vi b) { return (vi)((vu)a + (vu)b); }
GR__INLINE vi isub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
GR__INLINE vi iand(vi a, vi b) { return a & b; }
GR__INLINE vi ior(vi a, vi b) { return a | b; }
GR__INLINE vi ishl(vi a, int n) { return (vi)((vu)a << n); }
GR__INLINE vi isar(vi a, int n) { return a >> n; }

GR__INLINE vi ixor(vi a, vi b) { return a ^ b; }
/* The 64-bit products a*k of unsigned lanes, low and high words. */
GR__INLINE void imul_wide(vi a, uint32_t k, vi *low, vi *high)
{
    for (int i = 0; i < GR__W; i++) {
        uint64_t product = (uint64_t)k * (uint32_t)a[i];
        (*low)[i] = (int32_t)(uint32_t)product;
        (*high)[i] = (int32_t)(product >> 32);
    }
}
GR__INLINE vf vfromint(vi a)
{
    vf v;
    for (int i = 0; i < GR__W; i++) v[i] = (float)a[i];
    return v;
}

GR__INLINE vm vgt(vf a, vf b) { return a > b; }
GR__INLINE vm vge(vf a, vf b) { return a >= b; }
GR__INLINE vm veq(vf a, vf b) { return a == b; }
GR__INLINE vm vunordered(vf a) { return a != a; }
GR__INLINE vf vselect(vm m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
GR__INLINE vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
GR__INLINE vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
#if GR__ISA_LEVEL == GR__LEVEL_exact /* one rounding, as the instruction of the other ISAs */
GR__INLINE vf vfma(vf a, vf b, vf c)
{
    vf v;
    for (int i = 0; i < GR__W; i++) v[i] = fmaf(a[i], b[i], c[i]);
    return v;
}
#else
GR__INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
#endif

GR__INLINE vf vwhole(vf a) { return (a + vset(12582912.0f)) - vset(12582912.0f); } /* nearest, |a| < 2^22 */
/* p*2^n for whole n >= -160 and p in (0.5, 2): 0 where that is too small */
GR__INLINE vf vscale(vf p, vf n)
{
    vi y = iadd((vi)p, ishl((vi)(n + vset(12582912.0f)), 23));
    return vselect(vgt(vset(-125.0f), n), vset(0), (vf)y);
}

GR__INLINE vf vsqrt(vf a)
{
    vf v;
    for (int i = 0; i < GR__W; i++) v[i] = sqrtf(a[i]);
    return v;
}

GR__INLINE vi iload(const int32_t *p)
{
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}
GR__INLINE vf vload_u8(const uint8_t *p) { return (vf){p[0], p[1], p[2], p[3]}; }

GR__INLINE vf vload_bf16(const uint16_t *p)
{
    return (vf)(vi){(int32_t)((uint32_t)p[0] << 16), (int32_t)((uint32_t)p[1] << 16), (int32_t)((uint32_t)p[2] << 16),
                    (int32_t)((uint32_t)p[3] << 16)};
}

/* The low 16 bits of each lane. */
GR__INLINE void vstore_high16(uint16_t *p, vf v)
{
    vi bits = vbits(v);
    for (int i = 0; i < GR__W; i++) p[i] = (uint16_t)((uint32_t)bits[i] >> 16);
}
GR__INLINE void vstream_high16(uint16_t *p, vf v) { vstore_high16(p, v); }

/* Pairs of bf16: of each element of two rows. */
GR__INLINE vi iload_pairs(const uint16_t *low, const uint16_t *high)
{
    vi v;
    for (int i = 0; i < GR__W; i++) v[i] = (int32_t)(low[i] | (uint32_t)high[i] << 16);
    return v;
}

/* acc + a.lo*b.lo + a.hi*b.hi, operands are pairs of bf16 in 32 bits. */
GR__INLINE vf vdot_bf16(vf acc, vi a, vi b)
{
    vi high = iset((int32_t)0xffff0000u);
    acc = vfma((vf)ishl(a, 16), (vf)ishl(b, 16), acc);
    return vfma((vf)(a & high), (vf)(b & high), acc);
}

GR__INLINE vf vload_f16(const uint16_t *p)
{
    return (vf){gr__f16_to_f32(p[0]), gr__f16_to_f32(p[1]), gr__f16_to_f32(p[2]), gr__f16_to_f32(p[3])};
}
GR__INLINE void vstore_f16(uint16_t *p, vf v)
{
    for (int i = 0; i < GR__W; i++) p[i] = gr__f32_to_f16(v[i]);
}

/* 4 x 4 words: row j of dst (ld words apart) is column j of src (rows 'step' bytes apart). */
GR__INLINE void transpose_words(float *dst, int64_t ld, const char *src, int64_t step)
{
    for (int i = 0; i < GR__W; i++)
        for (int j = 0; j < GR__W; j++) memcpy(dst + j * ld + i, src + i * step + 4 * j, 4);
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
