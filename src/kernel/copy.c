#include "kernel/copy.h"

#include "base/parallel.h"
#include "kernel/simd_int.h"

#include <string.h>

enum { STREAM_BYTES = 8 << 20, LEAST_BYTES = 64 << 10 };

static bool is_float(gr_dtype d) { return d == GR_F32 || d == GR_BF16 || d == GR_F16; }

bool gr__cast_is_fast(gr_dtype a, gr_dtype b) { return a != b && is_float(a) && is_float(b); }

/* ---- casts ---- */

typedef struct slow_cast {
    gr_tensor dst, src;
} slow_cast;

static void slow_range(const void *args, int64_t first, int64_t last)
{
    slow_cast c = *(const slow_cast *)args;
    for (int64_t i = first; i < last; i++) gr_tensor_set(&c.dst, i, gr_tensor_get(&c.src, i));
}

void gr__cast(void *dst, gr_dtype dst_dtype, const void *src, gr_dtype src_dtype, int64_t count)
{
    size_t bytes = gr_dtype_size_bytes(dst_dtype);
    if (dst_dtype == src_dtype) {
        gr__copy(dst, src, (size_t)count * bytes);
    } else if (gr__cast_is_fast(dst_dtype, src_dtype)) {
        gr__cast_args a = {dst, src, dst_dtype, src_dtype, false};
        a.stream = (size_t)count * bytes >= STREAM_BYTES && (uintptr_t)dst % GR__ALIGN == 0;
        gr__run_range(gr__simd_get()->cast, &a, count, 32768, GR__ALIGN);
    } else {
        slow_cast c = {{dst_dtype, 1, {count}, dst}, {src_dtype, 1, {count}, (void *)(uintptr_t)src}};
        gr__run_range(slow_range, &c, count, 8192, GR__ALIGN);
    }
}

/* ---- transposes and strided copies ---- */

void gr__transpose_run(const gr__transpose *t)
{
    int64_t strips = (t->cols + 31) / 32;
    if (t->rows <= 0) return;
    gr__run_range(gr__simd_get()->transpose, t, t->batch * strips, GR__MAX(1024 / GR__MAX(t->rows, 1), 1), 1);
}

typedef struct strided {
    char *dst;
    const char *src;
    int rank;                                                   /* without the innermost dimension */
    int64_t dim[GR_MAX_RANK], ds[GR_MAX_RANK], ss[GR_MAX_RANK]; /* bytes */
    int64_t n, inner_ds, inner_ss;                              /* innermost dimension */
    size_t size;
} strided;

GR__INLINE void copy_items(char *d, const char *s, const strided *a, size_t size)
{
    for (int64_t i = 0; i < a->n; i++) memcpy(d + i * a->inner_ds, s + i * a->inner_ss, size);
}

static void copy_row(const strided *a, char *d, const char *s)
{
    if (a->inner_ds == (int64_t)a->size && a->inner_ss == (int64_t)a->size)
        memcpy(d, s, (size_t)a->n * a->size);
    else if (a->size == 4)
        copy_items(d, s, a, 4);
    else if (a->size == 2)
        copy_items(d, s, a, 2);
    else if (a->size == 8)
        copy_items(d, s, a, 8);
    else
        copy_items(d, s, a, 1);
}

static void strided_range(const void *args, int64_t first, int64_t last)
{
    const strided *a = args;
    for (int64_t row = first; row < last; row++) {
        int64_t rest = row, d = 0, s = 0;
        for (int k = a->rank - 1; k >= 0; k--) {
            int64_t i = rest % a->dim[k];
            rest /= a->dim[k];
            d += i * a->ds[k];
            s += i * a->ss[k];
        }
        copy_row(a, a->dst + d, a->src + s);
    }
}

/* Neighbouring dimensions that are one in both operands are merged, so that rows are long. */
void gr__copy_strided(void *dst, const int64_t *dst_strides, const void *src, const int64_t *src_strides,
                      const int64_t *dims, int rank, size_t size_bytes)
{
    strided a = {.dst = dst, .src = src, .size = size_bytes, .n = 1};
    int64_t size = (int64_t)size_bytes;
    int used = 0;
    int64_t dim[GR_MAX_RANK], ds[GR_MAX_RANK], ss[GR_MAX_RANK];
    for (int k = 0; k < rank; k++) {
        if (dims[k] == 0) return;
        if (dims[k] == 1) continue;
        int64_t d = dst_strides[k] * size, s = src_strides[k] * size;
        if (used && ds[used - 1] == d * dims[k] && ss[used - 1] == s * dims[k]) {
            dim[used - 1] *= dims[k];
            ds[used - 1] = d;
            ss[used - 1] = s;
        } else {
            dim[used] = dims[k];
            ds[used] = d;
            ss[used++] = s;
        }
    }
    a.inner_ds = a.inner_ss = size;
    if (used) {
        used--;
        a.n = dim[used];
        a.inner_ds = ds[used];
        a.inner_ss = ss[used];
    }
    int64_t rows = 1;
    a.rank = used;
    for (int k = 0; k < used; k++) {
        a.dim[k] = dim[k];
        a.ds[k] = ds[k];
        a.ss[k] = ss[k];
        rows *= dim[k];
    }
    gr__run_range(strided_range, &a, rows, GR__MAX(LEAST_BYTES / (a.n * size), 1), 1);
}

/* ---- bytes ---- */

typedef struct bytes_args {
    char *dst;
    const char *src; /* NULL: zeros */
} bytes_args;

static void bytes_range(const void *args, int64_t first, int64_t last)
{
    const bytes_args *a = args;
    size_t n = (size_t)(last - first);
    if (a->src)
        memcpy(a->dst + first, a->src + first, n);
    else
        memset(a->dst + first, 0, n);
}

void gr__fill_zero(void *dst, size_t bytes)
{
    bytes_args a = {dst, NULL};
    gr__run_range(bytes_range, &a, (int64_t)bytes, 4 * LEAST_BYTES, GR__ALIGN);
}

void gr__copy(void *dst, const void *src, size_t bytes)
{
    if (dst == src) return;
    bytes_args a = {dst, src};
    gr__run_range(bytes_range, &a, (int64_t)bytes, 4 * LEAST_BYTES, GR__ALIGN);
}
