/* Functions of the map instructions that vmath.h does not have. */
#ifndef GR__MAP_FN_H
#define GR__MAP_FN_H

#include "kernel/simd/tile.h"
#include "kernel/simd/trig.h"
#include "kernel/simd/vmath.h"

GR__INLINE vf truth(vm m) { return vselect(m, vset(1), vzero()); }

GR__INLINE vf map_max(vf a, vf b) { return vselect(vunordered(a), a, vmax(a, b)); }
GR__INLINE vf map_min(vf a, vf b) { return vselect(vunordered(a), a, vmin(a, b)); }

GR__INLINE vf map_sign(vf a) { return truth(vgt(a, vzero())) - truth(vgt(vzero(), a)); }

/* Above 2^23 every float is whole. */
GR__INLINE vf map_round(vf a)
{
    vf m = vabs(a), big = vset(8388608.0f);
    return vselect(vgt(big, m), vcopysign((m + big) - big, a), a);
}

GR__INLINE vf map_floor(vf a)
{
    vf r = map_round(a);
    return vcopysign(vabs(r - truth(vgt(r, a))), vselect(veq(a, vzero()), a, r - truth(vgt(r, a))));
}

GR__INLINE vf map_softplus(vf a)
{
    vf e = vexp_negative(vzero() - vabs(a));
    return vselect(vunordered(a), a, vmax(a, vzero()) + vlog1p(e));
}

GR__INLINE vf map_elu(vf a, vf p0)
{
    vf r = vmax(vset(-0.35f), a), p = vset(1.395297141e-03f); /* exp(r) - 1 without cancellation, see exp_small() */
    p = p * r + vset(8.370321441e-03f);
    p = p * r + vset(4.166616797e-02f);
    p = p * r + vset(1.666650670e-01f);
    p = p * r + vset(5.000000107e-01f);
    vf small = p * (r * r) + r;
    vf below = vselect(vgt(vset(-0.35f), a), vexp_negative(a) - vset(1), small);
    return vselect(vgt(a, vzero()), a, p0 * below);
}

GR__INLINE vf map_gelu(vf a) { return a * vset(0.5f) * (vset(1) + verf(a * vset(0.70710678f))); }

GR__INLINE vf map_gelu_grad(vf a, vf dy)
{
    vf cdf = vset(0.5f) * (vset(1) + verf(a * vset(0.70710678f)));
    vf phi = vset(0.39894228f) * vexp_negative(a * a * vset(-0.5f));
    vf tail = vselect(vgt(vset(30.0f), vabs(a)), a * phi, vzero());
    return dy * (cdf + tail);
}

/* (1 + tanh(u))/2 = sigmoid(2u) */
GR__INLINE vf gelu_gate(vf a) { return vsigmoid(vset(1.5957691f) * (a + vset(0.044715f) * (a * a * a))); }

GR__INLINE vf map_gelu_tanh(vf a) { return a * gelu_gate(a); }

GR__INLINE vf map_gelu_tanh_grad(vf a, vf dy)
{
    vf s = gelu_gate(a), slope = vset(1.5957691f) * (vset(1) + vset(0.134145f) * (a * a));
    vf flat = s * (vset(1) - s);
    return dy * (s + vselect(veq(flat, vzero()), vzero(), a * flat * slope));
}

GR__INLINE vf map_silu_grad(vf a, vf dy)
{
    vf s = vsigmoid(a);
    return dy * (s * (vset(1) + a * (vset(1) - s)));
}

GR__INLINE uint64_t double_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

GR__INLINE double double_from_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* b*log(x), x > 0 and finite */
GR__INLINE double scaled_log(double x, double b)
{
    uint64_t bits = double_bits(x) - UINT64_C(0x3fe6a09e667f3bcd); /* exponent steps at 1/sqrt(2) */
    double e = (double)((int64_t)bits >> 52);
    double m = double_from_bits((bits & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd));
    double s = (m - 1) / (m + 1), z = s * s, p = 1.68201973658610865e-01;
    p = p * z + 1.81236154661150728e-01;
    p = p * z + 2.22233723955332030e-01;
    p = p * z + 2.85714171213332091e-01;
    p = p * z + 4.00000000523210386e-01;
    p = p * z + 6.66666666665870933e-01;
    return b * (e * 0.69314718055994530942 + (2 * s + s * z * p));
}

/* exp(t) to about 1e-15, |t| <= 200 */
GR__INLINE double exp_double(double t)
{
    double n = (t * 1.44269504088896340736 + 6755399441055744.0) - 6755399441055744.0,
           r = t - n * 0.69314718055994530942;
    double p = 2.54263861235755122e-08;
    p = p * r + 2.76421088987224483e-07;
    p = p * r + 2.75562035235041378e-06;
    p = p * r + 2.48014559419230666e-05;
    p = p * r + 1.98412711546695585e-04;
    p = p * r + 1.38888889834367616e-03;
    p = p * r + 8.33333333263254830e-03;
    p = p * r + 4.16666666663643923e-02;
    p = p * r + 1.66666666666680868e-01;
    p = p * r + 5.00000000000003109e-01;
    return (1 + r + p * r * r) * double_from_bits((uint64_t)((int64_t)n + 1023) << 52);
}

GR__INLINE float pow_one(float a, float b)
{
    double x = fabs((double)a), y = (double)b, t;
    bool whole = floorf(b) == b, odd = whole && fabsf(b) < 16777216.0f && floorf(b * 0.5f) * 2 != b;
    if (b == 0 || a == 1) return 1;
    if (a != a || b != b) return NAN;
    if (x == 0 || x == (double)INFINITY)
        t = (x == 0) == (y > 0) ? -200 : 200;
    else
        t = scaled_log(x, y);
    if (x == 1) t = 0;
    float r = (float)exp_double(t > 200 ? 200 : t < -200 ? -200 : t);
    return a >= 0 ? r : !whole ? NAN : odd ? -r : r;
}

#endif
