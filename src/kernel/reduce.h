/* Sums, maxima and norms. The order is a function of the shape alone: element i of a row goes to virtual lane i % 16,
 * lanes are combined by a fixed tree, chunks of rows in their order. */
#ifndef GR__REDUCE_H
#define GR__REDUCE_H

#include "kernel/rows.h"

typedef enum gr__reduce_kind {
    GR__REDUCE_SUM,
    GR__REDUCE_MEAN,
    GR__REDUCE_MAX,
    GR__REDUCE_MIN,
    GR__REDUCE_SUM_SQUARES,
    GR__REDUCE_KIND_COUNT
} gr__reduce_kind;

/* x (outer, n, inner) contiguous -> y (outer, inner), reduced over n. n = 0 gives 0 (max: -inf, min: +inf). */
typedef struct gr__reduce {
    gr__reduce_kind kind;
    int64_t outer, n, inner;
    const void *x;
    gr_dtype x_dtype; /* GR_F32 or GR_BF16 */
    void *y;
    gr_dtype y_dtype; /* GR_F32 or GR_BF16 */
    int32_t *arg;     /* max and min: out, optional (outer, inner), position of the first extremum */
    bool accumulate;  /* y += (sum, mean and sum of squares only) */
    void *scratch;    /* gr__reduce_scratch_bytes() */
} gr__reduce;

void gr__reduce_run(const gr__reduce *r);
size_t gr__reduce_scratch_bytes(int64_t outer, int64_t n, int64_t inner);

/* Bias gradient: y[j] (+)= sum over r of x[r][j]. The same scratch with (1, rows, c). */
void gr__sum_rows(int64_t rows, int64_t c, gr__rows x, float *y, bool accumulate, void *scratch);

/* Sum of squares of a whole tensor in double (NaN and Inf come through). dtype GR_F32 or GR_BF16. */
double gr__sum_squares(const void *x, gr_dtype dtype, int64_t count);
bool gr__all_finite(const void *x, gr_dtype dtype, int64_t count);

#endif
