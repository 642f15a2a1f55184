/* Between gemm.c (plan, scratch), gemm_lay.c (rows of A) and simd/ (packing and register tiles).
 *
 * C is cut into blocks of mc rows and 'group' panels of nr columns; a task computes one block, kc elements of k after
 * kc elements of k. It packs B into 4-byte units (an f32, or a pair of bf16 that follow each other in k):
 *
 *     b panel: [unit of k][nr]
 *
 * A is read in place; where that cannot be, rows of units are laid out first (gr__gemm_lay). A block that is given away
 * keeps all panels of its B, and is made in steps of a few rows. While a panel is at work the next one is packed, share by share
 * between the tiles, so that it comes from memory meanwhile.
 *
 * Scratch of a thread: | b panels: two parts, or those of a block that is given away and one more | sums of a bf16 C, or of one that is given away |, of all threads: rows of A */
#ifndef GR__GEMM_INT_H
#define GR__GEMM_INT_H

#include "kernel/gemm.h"

enum {
    GR__GEMM_F64_ROWS = 8, /* of a tile of doubles */
    GR__GEMM_UNITS = 512,  /* units of k in a packed panel: fixes the order of summation */
    GR__GEMM_MOST_NR = 64,
    GR__GEMM_MOST_ROWS = 1024, /* of a block */
    GR__GEMM_LAY_UNITS = 16,   /* a cache line */
    GR__GEMM_MOST_CHANNELS = 4096,
    GR__GEMM_MOST_TAPS = 63 /* of a window on vectors */
};

typedef struct gr__gemm_plan {
    gr__gemm g;
    int64_t kc;        /* elements of k in a packed panel */
    int64_t mc, group; /* rows, panels of a task */
    int64_t row_blocks, column_blocks;
    float *pack_to;          /* NULL, or: B's panels are packed there, all of k of a panel together; nothing else */
    bool fetch;              /* packed B that is 'near' is fetched a little ahead */
    bool thin;               /* few rows and B by rows: B streams past without packing */
    int64_t step;            /* rows of a block that are made at once: what is given away; else all */
    size_t b_bytes, c_bytes; /* of one thread's scratch */
} gr__gemm_plan;

/* What runs a task (simd.h: gemm, gemm_bf16) is told which one comes next on the thread, whose first B it packs meanwhile. */
typedef struct gr__gemm_call {
    const gr__gemm_plan *plan;
    int64_t next; /* -1: none, or not known */
    int64_t turn; /* tasks before it on this thread; 0: its B is not packed yet */
} gr__gemm_call;

/* A to be laid out: [batch][row][ld units], zeros beyond k up to a whole line. */
typedef struct gr__gemm_lay {
    const gr__gemm *g;
    int64_t batches, rows, ld;
    uint32_t *to;
} gr__gemm_lay;

bool gr__gemm_must_lay(const gr__gemm *g);
size_t gr__gemm_lay_bytes(const gr__gemm *g);
/* Lays out some rows after others in 'room', and runs the product of each. */
void gr__gemm_run_laid(const gr__gemm *g, void *room, void (*run)(const gr__gemm *some));

#endif
