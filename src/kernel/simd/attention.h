/* Shared by the attention files of this folder: operands of one (b, h), masks, packing of a block of queries. */
#ifndef GR__SIMD_ATTENTION_H
#define GR__SIMD_ATTENTION_H

#include "kernel/attention_int.h"
#include "kernel/simd/vec.h"
#if GR__ISA_LEVEL == 3 /* amx */
#include "kernel/simd/block_amx.h"
#else
#include "kernel/simd/block_vectors.h"
#endif
#include "kernel/simd/vmath.h"

/* One block of queries of one head. */
typedef struct head {
    const gr__attention_plan *p;
    const gr__attention *a;
    int64_t b, h, hkv;
    int64_t q0, rows;           /* queries q0 .. q0+rows-1 */
    int64_t columns;            /* rows rounded up to 16 */
    int64_t k_first, k_end;     /* keys that some query of the block sees */
    int64_t all_from, all_to;   /* keys that every query sees (but for key_mask) */
    float *first_key, *end_key; /* (GR__BQ) what each query sees */
} head;

GR__INLINE size_t size_of(gr_dtype dtype) { return dtype == GR_F32 ? 4 : 2; }

GR__INLINE const char *at_const(const void *base, const int64_t stride[3], gr_dtype dtype, int64_t b, int64_t t,
                                int64_t h)
{
    return (const char *)base + (b * stride[0] + t * stride[1] + h * stride[2]) * (int64_t)size_of(dtype);
}

GR__INLINE void head_set_queries(head *x, int64_t q0, int64_t rows)
{
    const gr__attention *a = x->a;
    int64_t keys = a->kv_len ? GR__MIN(GR__MAX(a->kv_len[x->b], 0), a->tk) : a->tk;
    int64_t start = a->q_start ? a->q_start[x->b] : 0;
    x->q0 = q0;
    x->rows = rows;
    x->columns = round16(rows);
    x->k_first = a->tk;
    x->k_end = x->all_from = 0;
    x->all_to = a->tk;
    for (int64_t i = 0; i < x->columns; i++) {
        int64_t position = start + q0 + GR__MIN(i, rows - 1);
        int64_t end = a->causal ? GR__MIN(keys, position + 1) : keys;
        int64_t first = a->causal && a->window > 0 ? GR__MAX(position + 1 - a->window, 0) : 0;
        end = GR__MAX(end, 0);
        x->first_key[i] = (float)first;
        x->end_key[i] = (float)end;
        x->k_first = GR__MIN(x->k_first, first);
        x->k_end = GR__MAX(x->k_end, end);
        x->all_from = GR__MAX(x->all_from, first);
        x->all_to = GR__MIN(x->all_to, end);
    }
    x->k_first = x->k_first / GR__BK * GR__BK;
}

/* -inf where query i must not see key k0+j; s (n, GR__BQ) */
GR__INLINE void mask_scores(const head *x, float *s, int64_t k0, int64_t n)
{
    const uint8_t *shown = x->a->key_mask ? x->a->key_mask + x->b * x->a->tk + k0 : NULL;
    bool edge = k0 < x->all_from || k0 + n > x->all_to;
    vf hidden = vset(-INFINITY);
    if (!edge && !shown) return;
    for (int64_t j = 0; j < n; j++) {
        bool drop = shown && !shown[j];
        if (!drop && k0 + j >= x->all_from && k0 + j < x->all_to) continue;
        vf key = vset((float)(k0 + j));
        for (int64_t i = 0; i < x->columns; i += GR__W) {
            float *at = s + j * GR__BQ + i;
            vf v = vload(at);
            v = vselect(vgt(vload(x->end_key + i), key), v, hidden);
            v = vselect(vge(key, vload(x->first_key + i)), v, hidden);
            if (drop) v = hidden;
            vstore(at, v);
        }
    }
}

/* d elements as floats, zeros up to dp */
GR__INLINE void load_row(float *dst, const char *src, gr_dtype dtype, int64_t d, int64_t dp)
{
    if (dtype == GR_F32)
        memcpy(dst, src, (size_t)d * 4);
    else
        widen_bf16(dst, (const uint16_t *)(const void *)src, d);
    for (int64_t i = d; i < dp; i++) dst[i] = 0;
}

GR__INLINE void store_row(char *dst, gr_dtype dtype, const float *src, int64_t d)
{
    if (dtype == GR_F32)
        memcpy(dst, src, (size_t)d * 4);
    else
        narrow_bf16((uint16_t *)(void *)dst, src, d);
}

/* Rows of floats, ld apart. */
typedef struct float_rows {
    float *at;
    int64_t ld;
} float_rows;

/* dst (words, GR__BQ) = transpose of src (GR__BQ, words); words is a multiple of 16 */
GR__INLINE void transpose_block(float *dst, float_rows src, int64_t columns, int64_t words)
{
    for (int64_t w = 0; w < words; w += GR__W)
        for (int64_t i = 0; i < columns; i += GR__W)
            transpose_words(dst + w * GR__BQ + i, GR__BQ, (const char *)(src.at + i * src.ld + w), src.ld * 4);
}

/* src (words, GR__BQ) -> dst (GR__BQ, words) */
GR__INLINE void transpose_back(float_rows dst, const float *src, int64_t columns, int64_t words)
{
    for (int64_t w = 0; w < words; w += GR__W)
        for (int64_t i = 0; i < columns; i += GR__W)
            transpose_words(dst.at + i * dst.ld + w, dst.ld, (const char *)(src + w * GR__BQ + i), GR__BQ * 4);
}

/* A block of queries (of q, o, dout or dq) where it lies, if it is made of whole vectors of floats; else 'tile' (GR__BQ, dp). */
GR__INLINE float_rows query_rows(const head *x, float *tile, const void *base, const int64_t stride[3])
{
    const gr__attention *a = x->a;
    if (a->dtype != GR_F32 || a->d != x->p->dp || x->rows != x->columns) return (float_rows){tile, x->p->dp};
    return (float_rows){(float *)(uintptr_t)at_const(base, stride, GR_F32, x->b, x->q0, x->h), stride[1]};
}

/* The rows to read; in the tile they have zeros where there is no query. */
GR__INLINE float_rows gather_rows(const head *x, float *tile, const void *base, const int64_t stride[3])
{
    float_rows r = query_rows(x, tile, base, stride);
    int64_t d = x->a->d, dp = x->p->dp;
    for (int64_t i = 0; i < x->columns && r.at == tile; i++) {
        if (i < x->rows)
            load_row(tile + i * dp, at_const(base, stride, x->a->dtype, x->b, x->q0 + i, x->h), x->a->dtype, d, dp);
        else
            memset(tile + i * dp, 0, (size_t)dp * 4);
    }
    return r;
}

/* What was made in the tile goes to where it belongs. */
GR__INLINE void scatter_rows(const head *x, float_rows r, const float *tile, void *base, const int64_t stride[3])
{
    for (int64_t i = 0; i < x->rows && r.at == tile; i++)
        store_row((char *)(uintptr_t)at_const(base, stride, x->a->dtype, x->b, x->q0 + i, x->h), x->a->dtype,
                  tile + i * x->p->dp, x->a->d);
}

/* The same as pairs of bf16: dst (GR__BQ, dp/2 words rounded up to 16). */
GR__INLINE int64_t pair_words(int64_t d) { return round16((d + 1) / 2); }
GR__INLINE void gather_pairs(const head *x, float *dst, const void *base, const int64_t stride[3])
{
    int64_t words = pair_words(x->a->d);
    memset(dst, 0, (size_t)(x->columns * words) * 4);
    for (int64_t i = 0; i < x->rows; i++)
        memcpy(dst + i * words, at_const(base, stride, GR_BF16, x->b, x->q0 + i, x->h), (size_t)x->a->d * 2);
}

/* Rows k0 .. k0+n-1 of k or v for broadcasting. */
typedef struct keys {
    const char *base;
    int64_t step; /* bytes from key to key */
} keys;

/* Rows that are fetched two by two beside other work: those of one head lie too far apart for the machine to see them coming. */
typedef struct rows_ahead {
    int n; /* of what follows */
    const char *at[3];
    int64_t step[3], rows, bytes;
} rows_ahead;

GR__INLINE void fetch_rows(const rows_ahead *w, int64_t j, int64_t n)
{
    for (; n > 0 && j < w->rows; j++, n--)
        for (int i = 0; i < w->n; i++)
            for (int64_t l = 0; l < w->bytes; l += 64) vprefetch_far(w->at[i] + j * w->step[i] + l);
}

/* Keys and values of the block that begins at k0, before 'end'. */
GR__INLINE rows_ahead keys_ahead(const head *x, int64_t k0, int64_t end)
{
    const gr__attention *a = x->a;
    int64_t size = (int64_t)size_of(a->kv_dtype);
    return (rows_ahead){.n = 2,
                        .at = {at_const(a->k, a->k_stride, a->kv_dtype, x->b, k0, x->hkv),
                               at_const(a->v, a->v_stride, a->kv_dtype, x->b, k0, x->hkv)},
                        .step = {a->k_stride[1] * size, a->v_stride[1] * size},
                        .rows = GR__MIN(GR__BK, end - k0),
                        .bytes = a->d * size};
}

/* In place, or converted into tile (GR__BK, dp). 'pairs': bf16 in place. */
GR__INLINE keys load_keys(const head *x, const void *base, const int64_t stride[3], int64_t k0, int64_t n, bool pairs,
                          float *tile)
{
    const gr__attention *a = x->a;
    keys k = {at_const(base, stride, a->kv_dtype, x->b, k0, x->hkv), stride[1] * (int64_t)size_of(a->kv_dtype)};
    if (pairs || a->kv_dtype == GR_F32) return k;
    for (int64_t j = 0; j < n; j++) load_row(tile + j * x->p->dp, k.base + j * k.step, GR_BF16, a->d, x->p->dp);
    return (keys){(const char *)tile, x->p->dp * 4};
}

/* Rows of bf16 two by two: dst (n/2 rounded up, dp) words (row 2l, row 2l+1), zero beyond n and d. */
GR__INLINE void interleave_rows(float *dst, const char *src, int64_t step, int64_t n, int64_t d, int64_t dp)
{
    for (int64_t j = 0; j < n; j += 2, dst += dp) {
        const uint16_t *low = (const uint16_t *)(const void *)(src + j * step), *high = NULL;
        if (j + 1 < n) high = (const uint16_t *)(const void *)(src + (j + 1) * step);
        int64_t i = 0;
        for (; i + GR__W <= d; i += GR__W) {
            vi word = iand(isar(vbits(vload_bf16(low + i)), 16), iset(0xffff));
            if (high) word = ior(word, vbits(vload_bf16(high + i)));
            vstore(dst + i, vfrombits(word));
        }
        for (; i < dp; i++) {
            uint32_t word = i < d ? low[i] | (high ? (uint32_t)high[i] << 16 : 0) : 0;
            memcpy(dst + i, &word, 4);
        }
    }
}

/* Tiles want the units of A side by side: pairs of keys (n/2, dp) turned around, (dp, GR__BK/2). */
GR__INLINE void turn_pairs(float *turned, const float *pairs, int64_t n, int64_t dp)
{
    for (int64_t l = 0; l < (n + 1) / 2; l += 16)
        for (int64_t i = 0; i < dp; i += 16)
            for (int64_t half = 0; half < 16; half += GR__W)
                transpose_words(turned + (i + half) * (GR__BK / 2) + l, GR__BK / 2,
                                (const char *)(pairs + l * dp + i + half), dp * 4);
}

/* Products whose A is k or v transposed, from pairs as they are or turned around. */
GR__INLINE void set_pairs(block_job *j, const float *pairs, int64_t n, int64_t dp)
{
    j->k = (n + 1) / 2;
    j->a = pairs;
    j->row = 4;
    j->unit = dp * 4;
}
GR__INLINE void set_turned(block_job *j, const float *turned, int64_t n)
{
    j->k = (n + 1) / 2;
    j->a = turned;
    j->row = GR__BK / 2 * 4;
    j->unit = 4;
}

/* (keys, queries) from key k0 on, as far as causality goes: query i sees key k0+j where i >= j + diagonal. */
typedef struct triangle {
    bool upper;
    int64_t diagonal;
} triangle;

GR__INLINE triangle triangle_of(const head *x, int64_t k0, int64_t n, bool pairs)
{
    int64_t start = x->a->q_start ? x->a->q_start[x->b] : 0, diagonal = k0 - start - x->q0;
    return (triangle){x->a->causal && !pairs && diagonal + n > 1, diagonal};
}

GR__INLINE void set_upper(block_job *j, const triangle *t, block_upper which)
{
    j->upper = t->upper ? which : BLOCK_NONE;
    j->diagonal = t->diagonal;
}

GR__INLINE void multiply(const block_job *j, bool pairs)
{
    if (!pairs)
        block_multiply_f32(j);
    else
        multiply_pairs(j);
}

#endif
