/* Branch-free exp, log, tanh, erf, atan on vectors of floats, without FMA: the same bits on every ISA, but for the last part.
 * Polynomials are minimax fits of our own; errors against libm in double, over all floats of the range (tests/test_kernels.c):
 * exp 2 ulp (denormal results 1 unit of 2^-149 more), log 2, tanh 3, erf 3, atan 3. */
#ifndef GR__VMATH_H
#define GR__VMATH_H

#include "kernel/simd/vec.h"

/* e^r for |r| <= 0.36 */
GR__INLINE vf exp_small(vf r)
{
    vf p = vset(1.395297141e-03f);
    p = p * r + vset(8.370321441e-03f);
    p = p * r + vset(4.166616797e-02f);
    p = p * r + vset(1.666650670e-01f);
    p = p * r + vset(5.000000107e-01f);
    return p * (r * r) + r + vset(1.0f);
}

/* x = n*ln2 + r; the low bits of the returned float hold n. */
GR__INLINE vf exp_reduce(vf x, vf *r)
{
    vf shifted = x * vset(1.44269504f) + vset(12582912.0f); /* 1.5*2^23: rounds to a whole number */
    vf n = shifted - vset(12582912.0f);
    *r = x - n * vset(0.693359375f) - n * vset(-2.12194440e-4f);
    return shifted;
}

/* |x| <= 87: neither denormal nor infinite. */
GR__INLINE vf exp_normal(vf x)
{
    vf r;
    vf n = exp_reduce(x, &r);
    return vfrombits(iadd(vbits(exp_small(r)), ishl(vbits(n), 23)));
}

/* For x <= 0 that may flush to zero below -87: softmax. NaN stays. */
GR__INLINE vf vexp_negative(vf x)
{
    vf low = vset(-87.0f);
    return vselect(vgt(low, x), vzero(), exp_normal(vmax(low, x)));
}

/* The whole range: infinity above 88.72, denormals and zero below -87.3, NaN stays. */
GR__INLINE vf vexp(vf x)
{
    vf r;
    vf n = exp_reduce(vmin(vset(89.0f), vmax(vset(-104.0f), x)), &r);
    vi whole = isub(vbits(n), iset(0x4b400000));
    vi half = isar(whole, 1), rest = isub(whole, half);
    vf y = exp_small(r) * vfrombits(ishl(iadd(half, iset(127)), 23)) * vfrombits(ishl(iadd(rest, iset(127)), 23));
    return vselect(vunordered(x), x, y);
}

/* log(1 + f) for 1 + f in [1/sqrt(2), sqrt(2)), plus e*ln2 */
GR__INLINE vf log_small(vf f, vf e)
{
    vf s = f * f;
    vf p = vset(6.915125454e-02f);
    p = p * f + vset(-1.178968465e-01f);
    p = p * f + vset(1.187302014e-01f);
    p = p * f + vset(-1.238437242e-01f);
    p = p * f + vset(1.421865518e-01f);
    p = p * f + vset(-1.666924933e-01f);
    p = p * f + vset(2.000222671e-01f);
    p = p * f + vset(-2.499998663e-01f);
    p = p * f + vset(3.333331044e-01f);
    vf y = p * f * s + e * vset(-2.12194440e-4f);
    y = y - s * vset(0.5f);
    return f + y + e * vset(0.693359375f);
}

GR__INLINE vf vlog(vf x)
{
    vm tiny = vgt(vset(1.17549435e-38f), x);
    vf scaled = vselect(tiny, x * vset(8388608.0f), x);
    vi bits = isub(vbits(scaled), iset(0x3f3504f3)); /* exponent steps at 1/sqrt(2) */
    vf e = vfromint(isar(bits, 23)) - vselect(tiny, vset(23.0f), vzero());
    vf m = vfrombits(iadd(iand(bits, iset(0x007fffff)), iset(0x3f3504f3)));
    vf y = log_small(m - vset(1.0f), e);
    vf inf = vset(INFINITY);
    y = vselect(vge(x, inf), inf, y);
    y = vselect(veq(x, vzero()), vset(-INFINITY), y);
    y = vselect(vgt(vzero(), x), vset(NAN), y);
    return vselect(vunordered(x), x, y);
}

/* log(1 + x): the rounding error of 1 + x is put back. */
GR__INLINE vf vlog1p(vf x)
{
    vf u = vset(1.0f) + x, one = vset(1.0f);
    vf lost = vselect(vgt(x, one), one - (u - x), x - (u - one));
    vf log_u = vlog(u), y = log_u + lost / u;
    vm plain = vge(vset(1e-4f), vabs(x)); /* and where u is 0, infinite or NaN the correction is not wanted */
    y = vselect(plain, x - x * x * vset(0.5f) + x * x * x * vset(0.333333333f), y);
    y = vselect(vgt(vset(INFINITY), vabs(u)), y, log_u);
    return vselect(veq(u, vzero()), vset(-INFINITY), y);
}

GR__INLINE vf vtanh(vf x)
{
    vf a = vabs(x), s = x * x;
    vf p = vset(-5.717044509e-03f);
    p = p * s + vset(2.065058678e-02f);
    p = p * s + vset(-5.374349792e-02f);
    p = p * s + vset(1.333149128e-01f);
    p = p * s + vset(-3.333328393e-01f);
    vf small = p * s * x + x;
    vf e = exp_normal(vmin(vset(20.0f), a) * vset(2.0f));
    vf large = vset(1.0f) - vset(2.0f) / (e + vset(1.0f));
    vf y = vselect(vgt(vset(0.625f), a), small, vcopysign(large, x));
    return vselect(vunordered(x), x, y);
}

GR__INLINE vf verf(vf x)
{
    vf a = vmin(vset(4.0f), vabs(x)), s = a * a;
    vf p = vset(7.889122824e-05f);
    p = p * s + vset(-8.020842265e-04f);
    p = p * s + vset(5.189535450e-03f);
    p = p * s + vset(-2.685444465e-02f);
    p = p * s + vset(1.128360018e-01f);
    p = p * s + vset(-3.761262714e-01f);
    p = p * s + vset(1.283791659e-01f);
    vf small = p * x + x;
    vf q = vset(-2.168675832e-05f); /* log(erfc(a)) for 0.97 <= a <= 4 */
    q = q * a + vset(4.413352353e-04f);
    q = q * a + vset(-4.204555895e-03f);
    q = q * a + vset(2.520823968e-02f);
    q = q * a + vset(-1.084185487e-01f);
    q = q * a + vset(-6.332199214e-01f);
    q = q * a + vset(-1.129578409e+00f);
    q = q * a + vset(1.880367482e-04f);
    vf large = vset(1.0f) - vexp_negative(q);
    vf y = vselect(vgt(vset(1.0f), a), small, vcopysign(large, x));
    return vselect(vunordered(x), x, y);
}

/* atan(a) = pi/4*k + atan(r) with |r| <= tan(pi/8) */
GR__INLINE vf vatan(vf x)
{
    vf a = vabs(x), one = vset(1);
    vm middle = vgt(a, vset(0.41421356f)), far = vgt(a, vset(2.41421356f));
    vf r = vselect(far, vset(-1) / a, vselect(middle, (a - one) / (a + one), a));
    vf base = vselect(far, vset(1.57079633f), vselect(middle, vset(0.785398163f), vzero()));
    vf low = vselect(far, vset(-4.37113883e-08f), vselect(middle, vset(-2.18556941e-08f), vzero()));
    vf s = r * r, p = vset(8.060184866e-02f);
    p = p * s + vset(-1.387980729e-01f);
    p = p * s + vset(1.997792125e-01f);
    p = p * s + vset(-3.333295584e-01f);
    vf y = base + (p * s * r + low + r);
    return vselect(vunordered(x), x, vcopysign(y, x));
}

GR__INLINE vf vsigmoid(vf x)
{
    vf e = vexp_negative(vzero() - vabs(x)), one = vset(1.0f);
    vf d = one + e;
    vf y = vselect(vge(x, vzero()), one, e) / d;
    return vselect(vunordered(x), x, y);
}

/* ---- with vfma(): half the instructions, for what follows a product, whose bits depend on the ISA as well ---- */

/* 2^r to 1e-7 for |r| <= 0.5 */
GR__INLINE vf exp2_small(vf r)
{
    vf p = vset(1.327640980e-03f);
    p = vfma(p, r, vset(9.675540837e-03f));
    p = vfma(p, r, vset(5.550713466e-02f));
    p = vfma(p, r, vset(2.402211974e-01f));
    p = vfma(p, r, vset(6.931469669e-01f));
    return vfma(p, r, vset(1.000000072e+00f));
}

/* 2^x to 1e-7 for x <= 127, 0 below -160; NaN stays. */
GR__INLINE vf vexp2(vf x)
{
    x = vmax(vset(-160.0f), x);
    vf n = vwhole(x);
    return vscale(exp2_small(x - n), n);
}

/* 1 / (1 + e^-x), from e^-87 to 1; 3 ulp for |x| <= 10; NaN stays. */
GR__INLINE vf vsigmoid_fused(vf x)
{
    vf t = vset(-1.44269504f), a = vclamp(x, -87, 87), n = vwhole(a * t), r = vfma(a, t, vset(0) - n);
    return vset(1) / (vset(1) + vscale(exp2_small(r), n));
}

/* d / (d + 2), d = e^2x - 1 = 2^n - 1 + 2^n (2^r - 1); 3 ulp, NaN stays. */
GR__INLINE vf vtanh_fused(vf x)
{
    vf t = vset(2.88539008f), a = vclamp(x, -10, 10), n = vwhole(a * t), r = vfma(a, t, vset(0) - n);
    vf p = vset(1.540351223e-04f);
    p = vfma(p, r, vset(1.339073526e-03f));
    p = vfma(p, r, vset(9.618237615e-03f));
    p = vfma(p, r, vset(5.550357327e-02f));
    p = vfma(p, r, vset(2.402264923e-01f));
    p = vfma(p, r, vset(6.931471825e-01f));
    vf power = vscale(vset(1), n), d = vfma(power, p * r, power - vset(1));
    return d / (d + vset(2));
}

#endif
