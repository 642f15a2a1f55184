/* Conversions and transposes. Large results bypass the cache. */
#include "kernel/copy.h"
#include "kernel/simd/tile.h"
#include "kernel/simd_int.h"

GR__INLINE vf load_any(const void *src, gr_dtype dtype, int64_t i)
{
    if (dtype == GR_F32) return vload((const float *)src + i);
    if (dtype == GR_BF16) return vload_bf16((const uint16_t *)src + i);
    return vload_f16((const uint16_t *)src + i);
}

GR__INLINE void store_any(void *dst, gr_dtype dtype, int64_t i, vf v, bool stream)
{
    if (dtype == GR_F32 && stream)
        vstream((float *)dst + i, v);
    else if (dtype == GR_F32)
        vstore((float *)dst + i, v);
    else if (dtype == GR_F16)
        vstore_f16((uint16_t *)dst + i, v);
    else if (stream)
        vstream_high16((uint16_t *)dst + i, vround_high16(v));
    else
        vstore_bf16((uint16_t *)dst + i, v);
}

/* Inlined for each pair of dtypes. */
GR__INLINE void cast_loop(const gr__cast_args *a, gr_dtype to, gr_dtype from, bool stream, int64_t first, int64_t last)
{
    int64_t i = first;
    for (; i + GR__W <= last; i += GR__W) store_any(a->dst, to, i, load_any(a->src, from, i), stream);
    if (i == last) return;
    unsigned char in[GR__W * 4] = {0}, out[GR__W * 4];
    size_t n = (size_t)(last - i), from_bytes = from == GR_F32 ? 4 : 2, to_bytes = to == GR_F32 ? 4 : 2;
    memcpy(in, (const char *)a->src + (size_t)i * from_bytes, n * from_bytes);
    store_any(out, to, 0, load_any(in, from, 0), false);
    memcpy((char *)a->dst + (size_t)i * to_bytes, out, n * to_bytes);
}

void GR__KERNEL(cast)(const void *args, int64_t first, int64_t last)
{
    const gr__cast_args *a = args;
    gr_dtype to = a->dst_dtype, from = a->src_dtype;
    if (to == GR_BF16 && from == GR_F32 && a->stream)
        cast_loop(a, GR_BF16, GR_F32, true, first, last);
    else if (to == GR_BF16 && from == GR_F32)
        cast_loop(a, GR_BF16, GR_F32, false, first, last);
    else if (to == GR_F32 && from == GR_BF16 && a->stream)
        cast_loop(a, GR_F32, GR_BF16, true, first, last);
    else if (to == GR_F32 && from == GR_BF16)
        cast_loop(a, GR_F32, GR_BF16, false, first, last);
    else
        cast_loop(a, to, from, false, first, last);
    if (a->stream) vstream_end();
}

enum { SIDE = 32 }; /* blocks of SIDE x SIDE: both sides stay in L1 */

/* One type of each size; the compiler turns the block into shuffles or keeps scalar moves that hit L1. */
#define TRANSPOSE_BLOCK(type)                                                               \
    {                                                                                       \
        const type *s = (const type *)src + r * t->src_ld + c;                              \
        type *d = (type *)dst + c * t->dst_ld + r;                                          \
        for (int64_t j = 0; j < columns; j++)                                               \
            for (int64_t i = 0; i < rows; i++) d[j * t->dst_ld + i] = s[i * t->src_ld + j]; \
    }

static void transpose_block(const gr__transpose *t, const char *src, char *dst, int64_t r, int64_t c)
{
    int64_t rows = GR__MIN(SIDE, t->rows - r), columns = GR__MIN(SIDE, t->cols - c);
    if (t->size_bytes == 4 && rows == SIDE && columns == SIDE) {
        for (int64_t j = c; j < c + SIDE; j += GR__W)
            for (int64_t i = r; i < r + SIDE; i += GR__W)
                transpose_words((float *)(void *)dst + j * t->dst_ld + i, t->dst_ld, src + (i * t->src_ld + j) * 4,
                                t->src_ld * 4);
        return;
    }
    switch (t->size_bytes) {
    case 1: TRANSPOSE_BLOCK(uint8_t) break;
    case 2: TRANSPOSE_BLOCK(uint16_t) break;
    case 4: TRANSPOSE_BLOCK(uint32_t) break;
    default: TRANSPOSE_BLOCK(uint64_t) break;
    }
}

/* A unit is a strip of SIDE columns of the source, SIDE rows of the result. */
void GR__KERNEL(transpose)(const void *args, int64_t first, int64_t last)
{
    const gr__transpose *t = args;
    int64_t strips = (t->cols + SIDE - 1) / SIDE;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t b = unit / strips, c = unit % strips * SIDE;
        const char *src = (const char *)t->src + (size_t)(b * t->src_batch) * t->size_bytes;
        char *dst = (char *)t->dst + (size_t)(b * t->dst_batch) * t->size_bytes;
        for (int64_t r = 0; r < t->rows; r += SIDE) transpose_block(t, src, dst, r, c);
    }
}
