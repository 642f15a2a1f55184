/* Moving elements: conversions, transposes, strided copies, fills. */
#ifndef GR__COPY_H
#define GR__COPY_H

#include "gradus/tensor.h"

/* Between f32, bf16, f16 (round to nearest even) fast; any other pair of dtypes through double, element by element. */
void gr__cast(void *dst, gr_dtype dst_dtype, const void *src, gr_dtype src_dtype, int64_t count);
bool gr__cast_is_fast(gr_dtype a, gr_dtype b); /* two of them */

/* dst (batch, cols, rows) = transpose of src (batch, rows, cols), rows 'src_ld' and 'dst_ld' elements apart, matrices
 * 'src_batch' and 'dst_batch' elements apart. Element size 1, 2, 4 or 8 bytes. Not in place. */
typedef struct gr__transpose {
    int64_t batch, rows, cols;
    const void *src;
    int64_t src_ld, src_batch;
    void *dst;
    int64_t dst_ld, dst_batch;
    size_t size_bytes;
} gr__transpose;
void gr__transpose_run(const gr__transpose *t);

/* dst[i] = src[i] over dims[0] .. dims[rank-1] with strides in elements (0: broadcast; negative allowed in src).
 * rank <= GR_MAX_RANK; element size 1, 2, 4 or 8 bytes. */
void gr__copy_strided(void *dst, const int64_t *dst_strides, const void *src, const int64_t *src_strides,
                      const int64_t *dims, int rank, size_t size_bytes);

/* memset and memcpy over all threads. */
void gr__fill_zero(void *dst, size_t bytes);
void gr__copy(void *dst, const void *src, size_t bytes);

#endif
