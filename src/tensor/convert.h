/* 16-bit floats <-> f32, rounding to nearest even, NaN stays NaN (quiet), overflow becomes infinity.
 *
 *   bf16: s eeeeeeee mmmmmmm     the upper half of an f32
 *   f16:  s eeeee mmmmmmmmmm     bias 15, subnormals down to 2^-24
 *
 * From f64 go through gr__f64_to_f32_odd(): a double rounded to f32 in the plain way and then to 16 bits can be off by
 * one, rounding to odd first cannot (Boldo and Melquiond, 2008). */
#ifndef GR__CONVERT_H
#define GR__CONVERT_H

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

GR__INLINE uint32_t gr__f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

GR__INLINE float gr__f32_from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

GR__INLINE float gr__bf16_to_f32(uint16_t h) { return gr__f32_from_bits((uint32_t)h << 16); }

GR__INLINE uint16_t gr__f32_to_bf16(float x)
{
    uint32_t u = gr__f32_bits(x);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((u >> 16) | 0x40u); /* quiet, so that it stays a NaN */
    return (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

GR__INLINE float gr__f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 0x1Fu, fraction = h & 0x3FFu;
    if (exponent == 0x1Fu) return gr__f32_from_bits(sign | 0x7F800000u | (fraction << 13));
    if (exponent != 0) return gr__f32_from_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
    float small = (float)fraction * 0x1p-24f; /* zero and subnormals, exact */
    return sign ? -small : small;
}

GR__INLINE uint16_t gr__f32_to_f16(float x)
{
    uint32_t u = gr__f32_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7FFFFFFFu;
    if (a > 0x7F800000u) return (uint16_t)(sign | 0x7E00u | ((a >> 13) & 0x3FFu));
    if (a >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u); /* 65520 and above round to infinity */
    if (a >= 0x38800000u) {                                  /* normal: 2^-14 and above */
        a += 0xFFFu + ((a >> 13) & 1u);
        return (uint16_t)(sign | ((a - 0x38000000u) >> 13));
    }
    /* Adding 0.5 (whose last place is 2^-24) lets the machine round the subnormal. */
    uint32_t rounded = gr__f32_bits(gr__f32_from_bits(a) + 0.5f);
    return (uint16_t)(sign | (rounded - 0x3F000000u));
}

GR__INLINE float gr__f64_to_f32_odd(double x)
{
    float y = (float)x;
    if (isnan(x) || (double)y == x) return y;
    if (isinf(y)) return y;
    uint32_t u = gr__f32_bits(y);
    bool away = fabs((double)y) > fabs(x);
    if (u & 1u) return y; /* inexact and odd already: sticky bit kept */
    return gr__f32_from_bits(away ? u - 1u : u + 1u);
}

#endif
