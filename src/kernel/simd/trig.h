/* sin and cos of floats through double, without branches: for rotary embeddings and the map VM. Plain scalar functions
 * that the compiler vectorises; about 1e-11 of absolute error before rounding to float. The reduction is good for
 * |a| <= TRIG_NEAR; an array with a number beyond it (or NaN) goes through libm, which is rare. */
#ifndef GR__TRIG_H
#define GR__TRIG_H

#include "base/compiler.h"

#include <math.h>

#define TRIG_NEAR 1e5f

/* a = n*pi/2 + r, |r| <= pi/4; returns n as a double. */
GR__INLINE double trig_reduce(double a, double *r)
{
    double n = a * 0.63661977236758134308 + 6755399441055744.0; /* 1.5*2^52: rounds */
    n -= 6755399441055744.0;
    *r = (a - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11;
    return n;
}

GR__INLINE double sin_small(double r)
{
    double z = r * r, p = -2.47555569501572474e-08;
    p = p * z + 2.75552744268167130e-06;
    p = p * z - 1.98412634351006751e-04;
    p = p * z + 8.33333332457114953e-03;
    p = p * z - 1.66666666666277330e-01;
    return r + r * z * p;
}

GR__INLINE double cos_small(double r)
{
    double z = r * r, p = 2.06427125465082251e-09;
    p = p * z - 2.75554890396952097e-07;
    p = p * z + 2.48015805421329365e-05;
    p = p * z - 1.38888888772998177e-03;
    p = p * z + 4.16666666665947635e-02;
    return 1.0 - 0.5 * z + z * z * p;
}

/* n mod 4 picks sin, cos, -sin, -cos; 'shift' 1 gives cos. */
GR__INLINE float trig_one(float a, double shift)
{
    double r, n = trig_reduce((double)a, &r) + shift;
    double s = sin_small(r), c = cos_small(r);
    double quarter = n * 0.25, turn = (quarter - 0.375 + 6755399441055744.0) - 6755399441055744.0; /* floor(n/4) */
    double q = n - 4 * turn;
    double v = (q == 0 || q == 2) ? s : c;
    return (float)(q >= 2 ? -v : v);
}

GR__INLINE float trig_any(float a, double shift)
{
    if (fabsf(a) <= TRIG_NEAR) return trig_one(a, shift);
    return (float)(shift == 1 ? cos((double)a) : sin((double)a));
}

/* d[n] from a[n], which may be d. */
GR__INLINE void trig(float *d, const float *a, int64_t n, double shift)
{
    int far = 0;
    for (int64_t i = 0; i < n; i++) far |= !(fabsf(a[i]) <= TRIG_NEAR);
    if (far)
        for (int64_t i = 0; i < n; i++) d[i] = trig_any(a[i], shift);
    else
        for (int64_t i = 0; i < n; i++) d[i] = trig_one(a[i], shift);
}

#endif
