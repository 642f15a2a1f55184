/* Scaled dot-product attention in blocks (Dao et al. 2022, 2023): scores never leave the cache, the backward pass
 * recomputes them from lse. Deterministic: the split into blocks is a function of the shape, there are no atomics. */
#ifndef GR__ATTENTION_H
#define GR__ATTENTION_H

#include "gradus/tensor.h"

/* Strides are those of b, t, h in elements; d is contiguous. Query head h reads key head h / (heads/kv_heads).
 * Key j is visible to query i when j < kv_len[b], key_mask[b][j] != 0, and, when 'causal', j <= q_start[b] + i and
 * (window > 0) j > q_start[b] + i - window. A query that sees nothing gives o = 0, lse = -inf. */
typedef struct gr__attention {
    int64_t batch, heads, kv_heads, tq, tk, d;
    gr_dtype dtype;    /* of q, o, dout, dq: GR_F32 or GR_BF16 */
    gr_dtype kv_dtype; /* of k, v, dk, dv: GR_F32 or GR_BF16 */
    const void *q;     /* (B, Tq, H, D) */
    int64_t q_stride[3];
    const void *k; /* (B, Tk, Hkv, D) */
    int64_t k_stride[3];
    const void *v; /* (B, Tk, Hkv, D) */
    int64_t v_stride[3];
    void *o; /* (B, Tq, H, D): out of forward, read by backward */
    int64_t o_stride[3];
    float *lse;  /* (B, H, Tq): out of forward (NULL: not wanted), read by backward */
    float scale; /* > 0; mostly 1/sqrt(d) */
    bool causal;
    int64_t window;          /* 0: none */
    const int32_t *q_start;  /* (B); NULL: 0 */
    const int32_t *kv_len;   /* (B), 0 .. tk; NULL: tk */
    const uint8_t *key_mask; /* (B, Tk); NULL: all visible */

    const void *dout; /* backward (B, Tq, H, D): gradient of o */
    int64_t dout_stride[3];
    void *dq; /* backward, out (B, Tq, H, D) */
    int64_t dq_stride[3];
    void *dk; /* backward, out (B, Tk, Hkv, D) */
    int64_t dk_stride[3];
    void *dv; /* backward, out (B, Tk, Hkv, D) */
    int64_t dv_stride[3];

    void *scratch; /* the bytes below, 64-byte aligned */
} gr__attention;

void gr__attention_forward(const gr__attention *a);
void gr__attention_backward(const gr__attention *a);

/* Depends on shapes, dtypes and the number of threads (ask again after gr_set_threads). Pointers are not read, except
 * that backward needs them to be non-NULL where they will be. */
size_t gr__attention_forward_scratch_bytes(const gr__attention *a);
size_t gr__attention_backward_scratch_bytes(const gr__attention *a);

#endif
