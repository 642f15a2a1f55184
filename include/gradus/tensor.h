/* gradus/tensor.h: element types and the plain description of an array in memory. */
#ifndef GRADUS_TENSOR_H
#define GRADUS_TENSOR_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GR_MAX_RANK 8

/* Code, name, bytes of an element, safetensors name. Zero means "not given". */
#define GR_DTYPE_MAP(X)             \
    X(GR_DTYPE_NONE, "none", 0, "") \
    X(GR_F64, "f64", 8, "F64")      \
    X(GR_F32, "f32", 4, "F32")      \
    X(GR_BF16, "bf16", 2, "BF16")   \
    X(GR_F16, "f16", 2, "F16")      \
    X(GR_I64, "i64", 8, "I64")      \
    X(GR_I32, "i32", 4, "I32")      \
    X(GR_I16, "i16", 2, "I16")      \
    X(GR_I8, "i8", 1, "I8")         \
    X(GR_U64, "u64", 8, "U64")      \
    X(GR_U32, "u32", 4, "U32")      \
    X(GR_U16, "u16", 2, "U16")      \
    X(GR_U8, "u8", 1, "U8")         \
    X(GR_BOOL, "bool", 1, "BOOL")

typedef enum gr_dtype {
#define GR_X(code, name, bytes, st) code,
    GR_DTYPE_MAP(GR_X)
#undef GR_X
        GR_DTYPE_COUNT
} gr_dtype;

/* "f32"; "unknown" outside the enum. */
GR_API const char *gr_dtype_name(gr_dtype dtype);
GR_API size_t gr_dtype_size_bytes(gr_dtype dtype);
/* GR_DTYPE_NONE where the name is unknown. */
GR_API gr_dtype gr_dtype_from_name(const char *name);

/* A row-major array. It owns nothing: who made it says how long 'data' lives. */
typedef struct gr_tensor {
    gr_dtype dtype;
    int rank;                 /* 0 (one element) to GR_MAX_RANK */
    int64_t dim[GR_MAX_RANK]; /* slowest first */
    void *data;               /* product(dim) elements, contiguous */
} gr_tensor;

/* Number of elements, 1 for rank 0, and their bytes; 0 where rank or sizes are not possible or the product is too large for
 * the type. */
GR_API int64_t gr_tensor_count(const gr_tensor *t);
GR_API size_t gr_tensor_size_bytes(const gr_tensor *t);

/* Element i (row-major order) as a double, and back, with rounding to nearest even. */
GR_API double gr_tensor_get(const gr_tensor *t, int64_t i);
GR_API void gr_tensor_set(gr_tensor *t, int64_t i, double value);

#ifdef __cplusplus
}
#endif
#endif
