/* bf16 rounding, and rows in tiles of floats: f32 rows are used in place, others are converted tile by tile.
 *
 * GR__TILE is a multiple of 16, so that element i of a row always meets virtual lane i % 16. The last tile of a row is
 * padded with a value that the caller names. */
#ifndef GR__TILE_H
#define GR__TILE_H

#include "kernel/rows.h"
#include "kernel/simd/vec.h"
#include "tensor/convert.h"

enum { GR__TILE = 1024 };

/* The high halves of the result are v in bf16, to nearest, ties to even; NaN stays NaN. The low halves are anything. */
#ifndef GR__OWN_ROUND_BF16
GR__INLINE vf vround_high16(vf v)
{
    vi bits = vbits(v), odd = iand(isar(bits, 16), iset(1));
    vi rounded = iadd(bits, iadd(odd, iset(0x7fff)));
    return vselect(vunordered(v), vfrombits(ior(bits, iset(0x400000))), vfrombits(rounded));
}
#endif
GR__INLINE vf vround_bf16(vf v) { return vfrombits(iand(vbits(vround_high16(v)), iset((int32_t)0xffff0000u))); }
GR__INLINE void vstore_bf16(uint16_t *p, vf v) { vstore_high16(p, vround_high16(v)); }

/* Numbers that follow each other, of what multiplies pairs of bf16: an instruction of its own may round them, too. */
#ifndef GR__OWN_TWO_BF16
GR__INLINE vf vround_quickly_bf16(vf v) { return vround_bf16(v); }
GR__INLINE void vstore_two_bf16(uint16_t *p, vf first, vf second)
{
    vstore_bf16(p, first);
    vstore_bf16(p + GR__W, second);
}
#endif

/* n floats that end in a whole number of 16 lanes. */
GR__INLINE int64_t round16(int64_t n) { return (n + 15) & ~(int64_t)15; }

GR__INLINE void widen_bf16(float *dst, const uint16_t *src, int64_t n)
{
    int64_t i = 0;
    for (; i + GR__W <= n; i += GR__W) vstore(dst + i, vload_bf16(src + i));
    for (; i < n; i++) dst[i] = gr__bf16_to_f32(src[i]);
}
GR__INLINE void narrow_bf16(uint16_t *dst, const float *src, int64_t n)
{
    int64_t i = 0;
    for (; i + GR__W <= n; i += GR__W) vstore_bf16(dst + i, vload(src + i));
    for (; i < n; i++) dst[i] = gr__f32_to_bf16(src[i]);
}

/* Elements [at, at+n) of row r as floats, n <= GR__TILE, readable up to round16(n); 'pad' beyond n. */
GR__INLINE const float *tile_load(const gr__rows *x, int64_t r, int64_t at, int64_t n, float pad, float *tile)
{
    int64_t first = r * x->ld + at, whole = round16(n);
    if (x->dtype == GR_F32) {
        const float *src = (const float *)x->data + first;
        if (whole == n) return src;
        memcpy(tile, src, (size_t)n * sizeof *src);
    } else {
        widen_bf16(tile, (const uint16_t *)x->data + first, n);
    }
    for (int64_t i = n; i < whole; i++) tile[i] = pad;
    return tile;
}

/* Where to compute the same elements of an output, and the end of that: tile_store() after writing round16(n). */
GR__INLINE float *tile_open(const gr__rows *y, int64_t r, int64_t at, int64_t n, float *tile)
{
    return y->dtype == GR_F32 && round16(n) == n ? (float *)y->data + r * y->ld + at : tile;
}
GR__INLINE void tile_store(const gr__rows *y, int64_t r, int64_t at, int64_t n, const float *from)
{
    int64_t first = r * y->ld + at;
    if (y->dtype == GR_BF16) {
        narrow_bf16((uint16_t *)y->data + first, from, n);
    } else if (from != (const float *)y->data + first) {
        memcpy((float *)y->data + first, from, (size_t)n * sizeof *from);
    }
}

/* The same for a float vector such as gamma: whole tiles in place, NULL a tile of 'absent'. */
GR__INLINE const float *vector_load(const float *v, int64_t at, int64_t n, float absent, float *tile)
{
    int64_t whole = round16(n);
    if (v && whole == n) return v + at;
    if (v) memcpy(tile, v + at, (size_t)n * sizeof *v);
    for (int64_t i = v ? n : 0; i < whole; i++) tile[i] = absent;
    return tile;
}

#endif
