/* Products of bf16 on AMX tiles: what x86/tiles_amx.c offers to gemm_amx.c and to attention. Only where
 * gr__cpu_has_tiles(); between gr__tiles_begin() and gr__tiles_end() of the same thread.
 *
 * An operand is packed into panels of 32 lines (rows of A, columns of B), steps of 32 elements of k, two tiles of 1 KiB
 * a step, zeros beyond the edges:
 *
 *     A tile: [16 rows][32 k]          B tile: [16 pairs of k][16 columns][2]                                        */
#ifndef GR__TILES_H
#define GR__TILES_H

#include "base/compiler.h"
#include "gradus/tensor.h"

enum { GR__TILES_LINES = 32, GR__TILES_STEP = 32, GR__TILES_STEP_BYTES = 2048 };

/* Element (i, l) lies at at[i*line + l*k]; 'lines' of the 32 and 'depth' elements of k exist. */
typedef struct gr__tiles_source {
    const uint16_t *at;
    int64_t line, k;
    int64_t lines, depth;
} gr__tiles_source;

/* C (32, 32) [+]= A*B over 'steps' steps. With 16 lines or fewer in a panel one of its tiles is enough. */
typedef struct gr__tiles_job {
    const void *a, *b; /* panels */
    int64_t steps;
    float *c;
    int64_t ldc;
    bool add;
    int a_tiles, b_tiles; /* 1 or 2 */
    /* What is fetched beside each step, for it comes from memory: so many lines of 64 bytes from 'ahead' on, which moves by
     * 'ahead_step' bytes a step. */
    const char *ahead;
    int64_t ahead_step;
    int ahead_lines;
} gr__tiles_job;

/* C (rows, columns) [+]= A*B, as many as 32 by 64, between gr__tiles_begin_rows(rows) and gr__tiles_end(): rows of A as they lie, elements
 * of k up to a whole step, panels of B that follow each other. */
typedef struct gr__tiles_rows_job {
    int64_t rows, columns;
    const uint16_t *a;
    int64_t a_row; /* elements from row to row */
    const char *b;
    int64_t b_panel; /* bytes from panel to panel */
    int64_t steps;
    float *c;
    int64_t ldc;
    bool add;
} gr__tiles_rows_job;

/* C (32, 32) = A*B with 16 rows of A from each 'tile' on, a_row bytes apart, as they lie. A run is some steps of k that follow each
 * other in both: of A 32 elements of a row each, of B panels. */
typedef struct gr__tiles_run {
    int64_t a, b; /* where it begins: bytes */
    int64_t steps;
} gr__tiles_run;

typedef struct gr__tiles_seen_job {
    const char *tile[2], *b;
    int64_t a_row;
    const gr__tiles_run *run;
    int64_t runs;
    float *c;
    int64_t ldc;
    int b_tiles;       /* 1 or 2 */
    const char *ahead; /* fetched beside each step, as above */
    int64_t ahead_step;
    int ahead_lines;
} gr__tiles_seen_job;

/* A block of sums on its way to C. */
typedef struct gr__tiles_block {
    int64_t rows, columns;
    float *sums;
    int64_t ld;
    void *c;
    gr_dtype c_dtype; /* GR_F32 or GR_BF16 */
    int64_t c_row;
    const float *bias; /* (columns) or NULL */
} gr__tiles_block;

/* ---- f32 as the sum of three bf16: steps of three times the bytes, the two tiles of the largest parts first (x86/split_amx.c) ---- */

enum { GR__TILES_PLANES = 3, GR__TILES_SPLIT_BYTES = GR__TILES_PLANES * GR__TILES_STEP_BYTES };

typedef struct gr__tiles_split_source {
    const float *at;
    int64_t line, k;
    int64_t lines, depth;
} gr__tiles_split_source;

/* false: an infinity is among the numbers; such a panel is for gr__tiles_multiply_whole(). */
bool gr__tiles_split_a(const gr__tiles_split_source *s, void *panel);
bool gr__tiles_split_b(const gr__tiles_split_source *s, void *panel);
void gr__tiles_multiply_split(const gr__tiles_job *j);
/* The same without tiles, slowly: parts of an infinity are zeros, which tiles would multiply with other infinities. */
void gr__tiles_multiply_whole(const gr__tiles_job *j);

/* ---- */

void gr__tiles_begin(void);
void gr__tiles_begin_rows(int64_t rows);
void gr__tiles_end(void);
void gr__tiles_pack_a(const gr__tiles_source *s, void *panel);
void gr__tiles_pack_b(const gr__tiles_source *s, void *panel);
void gr__tiles_multiply(const gr__tiles_job *j);
void gr__tiles_multiply_rows(const gr__tiles_rows_job *j);
void gr__tiles_multiply_seen(const gr__tiles_seen_job *j);
void gr__tiles_load_sums(const gr__tiles_block *b);  /* sums = C */
void gr__tiles_store_sums(const gr__tiles_block *b); /* C = sums + bias */

GR__INLINE int64_t gr__tiles_steps(int64_t depth) { return (depth + GR__TILES_STEP - 1) / GR__TILES_STEP; }

/* peak: 'rounds' rounds of 4 products of tiles each. */
float gr__tiles_peak(int64_t rounds);
#define GR__TILES_PEAK_FLOPS (4.0 * 2 * 16 * 16 * 32)

#endif
