/* Products of doubles: a tile of C in registers, each element summed in the order of k by products and sums apart: the same
 * bits as plain loops, on every ISA. */
#include "kernel/gemm_int.h"
#include "kernel/simd/vec.h"
#include "kernel/simd_int.h"

#include <string.h>

enum { ROWS = GR__GEMM_F64_ROWS, COLUMNS = GR__W / 2 };

typedef double columns_of GR__VECTOR(4 * GR__W); /* COLUMNS of a row */

/* Rows and columns past the end of C are the last ones again. whole: there are all columns, beside each other in B. */
GR__INLINE void tile(const gr__gemm *g, bool whole, int64_t rows, int64_t columns, const double *a, const double *b,
                     double *c)
{
    const double *x[ROWS], *y[COLUMNS];
    columns_of sum[ROWS] = {0};
    for (int64_t i = 0; i < ROWS; i++) x[i] = a + GR__MIN(i, rows - 1) * g->a_row;
    for (int64_t q = 0; q < COLUMNS; q++) y[q] = b + GR__MIN(q, columns - 1) * g->b_col;
    for (int64_t i = 0; i < rows && g->accumulate; i++) memcpy(&sum[i], c + i * g->c_row, (size_t)columns * sizeof *c);
    columns_of s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3], s4 = sum[4], s5 = sum[5], s6 = sum[6], s7 = sum[7];
    for (int64_t l = 0; l < g->k; l++) {
        int64_t at = l * g->a_col, from = l * g->b_row;
        columns_of row;
        if (whole)
            memcpy(&row, b + from, sizeof row);
        else
            for (int q = 0; q < COLUMNS; q++) row[q] = y[q][from];
        s0 += row * x[0][at];
        s1 += row * x[1][at];
        s2 += row * x[2][at];
        s3 += row * x[3][at];
        s4 += row * x[4][at];
        s5 += row * x[5][at];
        s6 += row * x[6][at];
        s7 += row * x[7][at];
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3, sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
    for (int64_t i = 0; i < rows; i++) memcpy(c + i * g->c_row, &sum[i], (size_t)columns * sizeof *c);
}

void GR__KERNEL(gemm_f64)(const void *args, int64_t first, int64_t last)
{
    const gr__gemm *g = args;
    int64_t groups = (g->m + ROWS - 1) / ROWS;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t batch = unit / groups, i = unit % groups * ROWS;
        const double *a = (const double *)g->a + batch * g->a_batch + i * g->a_row,
                     *b = (const double *)g->b + batch * g->b_batch;
        double *c = (double *)g->c + batch * g->c_batch + i * g->c_row;
        int64_t rows = GR__MIN(g->m - i, (int64_t)ROWS), j = 0;
        for (; g->b_col == 1 && j + COLUMNS <= g->n; j += COLUMNS) tile(g, true, rows, COLUMNS, a, b + j, c + j);
        for (; j < g->n; j += COLUMNS)
            tile(g, false, rows, GR__MIN(g->n - j, (int64_t)COLUMNS), a, b + j * g->b_col, c + j);
    }
}
