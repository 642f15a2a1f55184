/* Between gemm.c (plan, scratch) and simd/gemm.c (packing and register tiles).
 *
 * C is cut into blocks of mc rows and 'group' panels of nr columns; a task computes one block, kc elements of k after
 * kc elements of k. It packs B, and A where that cannot be read in place, into 4-byte units (an f32, or a pair of bf16
 * that follow each other in k):
 *
 *     b panel: [unit of k][nr]          a block: panels of mr rows, each [unit of k][mr]
 *
 * Scratch of a thread: | b panel | a block | sums of a bf16 C, or of one that is given away | */
#ifndef GR__GEMM_INT_H
#define GR__GEMM_INT_H

#include "kernel/gemm.h"

enum {
    GR__GEMM_F64_ROWS = 8, /* of a tile of doubles */
    GR__GEMM_UNITS = 512,  /* units of k in a packed panel: fixes the order of summation */
    GR__GEMM_MOST_NR = 64,
    GR__GEMM_MOST_ROWS = 1024 /* of a block */
};

typedef struct gr__gemm_plan {
    gr__gemm g;
    int64_t kc;        /* elements of k in a packed panel */
    int64_t mc, group; /* rows, panels of a task */
    int64_t row_blocks, column_blocks;
    bool pack_a;
    float *pack_to; /* NULL, or: B's panels are packed there, all of k of a panel together; nothing else */
    bool thin;      /* few rows and B by rows: B streams past without packing */
    size_t b_bytes, a_bytes, c_bytes; /* of one thread's scratch */
} gr__gemm_plan;

#endif
