/* Between attention.c (plan, scratch) and simd/attention_*.c.
 *
 * Everything is computed transposed: with Q^T (D, GR__BQ) of a block of queries in vectors over queries,
 *     S^T = K*Q^T,  P^T = softmax over rows,  O^T += V^T*P^T,
 * keys and values are only ever broadcast, so they are read where they lie, and the softmax needs no sums across a
 * vector. A block of queries is GR__BQ rows of one head; keys go in blocks of GR__BK. */
#ifndef GR__ATTENTION_INT_H
#define GR__ATTENTION_INT_H

#include "kernel/attention.h"

enum { GR__BQ = 64, GR__BK = 128, GR__FEW_QUERIES = 4 };

typedef enum gr__attention_pass {
    GR__PASS_FORWARD,
    GR__PASS_FEW,  /* forward, few queries: task (b, h) */
    GR__PASS_TURN, /* on tiles, before FORWARD: v of block (b, hkv, block of keys) is turned around */
    GR__PASS_ALL,  /* backward, task (b, hkv): dq, dk, dv in one sweep */
    GR__PASS_DQ,   /* backward, task (b, h, block of queries) */
    GR__PASS_DKV   /* backward, task (b, hkv, block of keys) */
} gr__attention_pass;

typedef struct gr__attention_plan {
    gr__attention a;
    gr__attention_pass pass;
    int64_t q_blocks, k_blocks, dp; /* dp: d rounded up to 16 */
    size_t thread_bytes;            /* scratch of a thread */
    float *
        turned; /* on tiles, forward: (b, hkv, block of keys) of (dp, GR__BK/2) pairs of keys; behind the threads' scratch */
} gr__attention_plan;

#endif
