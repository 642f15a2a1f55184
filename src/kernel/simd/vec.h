/* Vectors of GR__W floats, one set of names for every ISA that a file of this folder is compiled for. Kernels are
 * written once on these; arithmetic uses the operators + - * /, which are never contracted, so that every ISA gives the
 * same bits. vfma() (one or two roundings, as the ISA has it) is for matrix products and what hangs on them only.
 *
 * Reductions use GR__LANES virtual lanes (struct lanes), whatever GR__W is. */
#ifndef GR__VEC_H
#define GR__VEC_H

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define GR__LEVEL_exact (-1) /* generic with the others' vfma: strict mode */
#define GR__LEVEL_generic 0
#define GR__LEVEL_avx2 1
#define GR__LEVEL_avx512 2
#define GR__LEVEL_amx 3
#define GR__PASTE2(a, b) a##b
#define GR__PASTE(a, b) GR__PASTE2(a, b)
#define GR__ISA_LEVEL GR__PASTE(GR__LEVEL_, GR__ISA)

/* What leaves a file of this folder: gr__simd_avx512, and kernels as gr__NAME_avx512. */
#define GR__ISA_NAME(name) GR__PASTE(name##_, GR__ISA)
#define GR__KERNEL(name) GR__PASTE(gr__##name##_, GR__ISA)

#if GR__ISA_LEVEL >= 2
#include "kernel/simd/vec_avx512.h"
#elif GR__ISA_LEVEL == 1
#include "kernel/simd/vec_avx2.h"
#else
#include "kernel/simd/vec_generic.h"
#endif

enum { GR__LANES = 16, GR__PARTS = GR__LANES / GR__W };

/* Optional operands: p NULL gives 'absent' (the ?: operator wants identical vector types). */
GR__INLINE vf vload_or(const float *p, int64_t i, vf absent)
{
    if (p) return vload(p + i);
    return absent;
}

GR__INLINE vf vzero(void) { return vset(0.0f); }

/* low..high; NaN stays. vmax(a, b) is a > b ? a : b, as the instruction has it: b where either is NaN. */
GR__INLINE vf vclamp(vf x, float low, float high) { return vmin(vset(high), vmax(vset(low), x)); }

GR__INLINE vf vabs(vf x) { return vfrombits(iand(vbits(x), iset(0x7fffffff))); }

/* The sign of s on the magnitude of x >= 0. */
GR__INLINE vf vcopysign(vf x, vf s) { return vfrombits(ior(vbits(x), iand(vbits(s), iset((int32_t)0x80000000u)))); }

/* ---- reductions over 16 virtual lanes ---- */

typedef struct lanes {
    vf part[GR__PARTS];
} lanes;

GR__INLINE lanes lanes_set(float x)
{
    lanes s;
    for (int p = 0; p < GR__PARTS; p++) s.part[p] = vset(x);
    return s;
}

/* Pairs 8, 4, 2, 1 lanes apart. */
GR__INLINE float lanes_sum(const lanes *s)
{
    float a[GR__LANES];
    for (int p = 0; p < GR__PARTS; p++) vstore(a + p * GR__W, s->part[p]);
    for (int half = GR__LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) a[i] += a[i + half];
    return a[0];
}

GR__INLINE float lanes_max(const lanes *s)
{
    float a[GR__LANES];
    for (int p = 0; p < GR__PARTS; p++) vstore(a + p * GR__W, s->part[p]);
    for (int half = GR__LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) a[i] = a[i] > a[i + half] || a[i] != a[i] ? a[i] : a[i + half]; /* NaN stays */
    return a[0];
}

#endif
