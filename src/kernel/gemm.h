/* Own matrix product C = A*B (+ C) (+ bias): the fallback without oneDNN, the strict mode, and small products.
 * Every element of C is summed over k in an order that is fixed by k and constants, so results depend neither on the
 * number of threads, nor on m, n, or which rows are computed together. */
#ifndef GR__GEMM_H
#define GR__GEMM_H

#include "gradus/tensor.h"

/* a[i*a_row + l*a_col], b[l*b_row + j*b_col], c[i*c_row + j] for i < m, j < n, l < k; strides in elements, any of
 * a_row/a_col and b_row/b_col may be 1 (transposed or not). Combinations: f32*f32, bf16*bf16, f64*f64; C is f32 or
 * bf16 (f64 for f64). */
/* A finished block of C: rows row .., columns column ..; sums lie ld apart. */
typedef struct gr__gemm_block {
    int64_t row, column, rows, columns;
    float *sums;
    int64_t ld;
} gr__gemm_block;
typedef void gr__gemm_finish(void *context, const gr__gemm_block *block);

/* What every element of C goes through at the end, in the register that it was summed in: round to bf16, times or plus a row's or C's
 * element of 'with', max(x, 0). */
typedef enum gr__gemm_step_op {
    GR__STEP_ROUND,
    GR__STEP_RELU,
    GR__STEP_MUL_ROW,
    GR__STEP_ADD_ROW,
    GR__STEP_ADD
} gr__gemm_step_op;
typedef struct gr__gemm_step {
    gr__gemm_step_op op;
    const void *with; /* (n), or (m, n) */
    gr_dtype dtype;   /* of 'with': GR_F32 or GR_BF16 */
    int64_t row;      /* elements from row to row */
} gr__gemm_step;
enum { GR__GEMM_MOST_STEPS = 8 };

struct gr__window_rows;

typedef struct gr__gemm {
    int64_t batch; /* 0 means 1 */
    int64_t m, n, k;
    gr_dtype dtype;   /* of a and b: GR_F32, GR_BF16 or GR_F64 */
    gr_dtype c_dtype; /* GR_F32, GR_BF16 or GR_F64 */
    const void *a;
    int64_t a_row, a_col, a_batch;
    const void *b;
    int64_t b_row, b_col, b_batch;
    /* Instead of A (m rows of k elements) or B (k rows of n): what a window sees (window.h); only where gr__gemm_can_see(). */
    const struct gr__window_rows *a_window, *b_window;
    int64_t b_first; /* row of b_window that is row 0 of B */
    void *c;
    int64_t c_row, c_batch;
    const float *bias; /* (n), added once; NULL: none; not with f64 */
    bool accumulate;   /* C += */
    /* The steps: only by dot products, one batch, neither accumulate nor finish nor few rows. */
    const gr__gemm_step *step;
    int n_steps;
    bool a_even; /* rows of A (bf16, a_col = 1) go on with a zero where k is odd */
    bool split;  /* f32 may go to tiles of bf16 in three parts each, as exact as f32: not in strict mode */
    /* Takes the blocks, each once, from any thread, while they are in cache, instead of C; only where
     * gr__gemm_can_finish(); without bias and accumulate. NULL: C is written. */
    gr__gemm_finish *finish;
    void *finish_context;
    int64_t first_row;      /* what blocks call row 0 of C */
    int64_t finish_columns; /* of a block on tiles, a multiple of 32 up to 256, but for a row's last one; 0: any */
    const void *packed_b;   /* instead of B: what gr__gemm_pack_b() made; only where gr__gemm_can_pack() */
    bool turned;            /* with packed_b: threads read it from the end, see gr__parallel_home(); 'near' too */
    bool near;              /* packed B is read again and again, from cache: see gr__gemm_run_columns() */
    void *scratch;          /* gr__gemm_scratch_bytes(), 64-byte aligned */
} gr__gemm;

void gr__gemm_run(const gr__gemm *g);
/* On tiles; 'finish_columns' wide blocks by dot products of bf16; else few rows, where a 'packed_b' (there or not) is named. */
bool gr__gemm_can_finish(const gr__gemm *g);
/* bf16 on vectors that multiply pairs, where there are no tiles. */
bool gr__gemm_by_dots(gr_dtype dtype);
bool gr__gemm_can_step(const gr__gemm *g);
/* Operands that the window sees: on tiles any, by dot products those whose channels come in whole steps of 32. */
bool gr__gemm_can_see(const gr__gemm *g, const struct gr__window_rows *window);

/* B in the order that the kernel reads it, for many products with it: n, k, B's pointer and strides count, whether there
 * is a 'finish', and whether gr__gemm_is_few(). gr__gemm_pack_b() uses the scratch of a product of few rows. */
enum { GR__GEMM_FEW_ROWS = 4, GR__GEMM_FEW_ROWS_BESIDE_TILES = 1, GR__GEMM_FEW_ROWS_F32 = 64 };
bool gr__gemm_is_few(const gr__gemm *g);
bool gr__gemm_can_pack(const gr__gemm *g);
size_t gr__gemm_packed_bytes(const gr__gemm *g);
void gr__gemm_pack_b(const gr__gemm *g, void *to);

/* Some columns of a product with packed B, on the calling thread of the pool, for work that is shared out otherwise: 'near', C in f32,
 * no bias, nothing to finish. 'first' is a multiple of 64. Rows of A (a_col = 1) can be read up to a multiple of 32
 * elements, zeros beyond k. */
void gr__gemm_run_columns(const gr__gemm *g, int64_t first, int64_t columns, int thread);

/* Depends on shapes, strides, dtypes, whether there are a 'finish' and a 'packed_b', and the number of threads (ask again after
 * gr_set_threads). */
size_t gr__gemm_scratch_bytes(const gr__gemm *g);

#endif
