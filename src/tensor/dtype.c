/* Element types: names, sizes, one element as a double. Not for loops over large arrays: kernels do those. */
#include "gradus/tensor.h"

#include "base/alloc.h"
#include "tensor/convert.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
    const char *stored_name;
} types[GR_DTYPE_COUNT] = {
#define GR_X(code, name, bytes, st) {name, bytes, st},
    GR_DTYPE_MAP(GR_X)
#undef GR_X
};

const char *gr_dtype_name(gr_dtype dtype) { return (unsigned)dtype < GR_DTYPE_COUNT ? types[dtype].name : "unknown"; }

size_t gr_dtype_size_bytes(gr_dtype dtype) { return (unsigned)dtype < GR_DTYPE_COUNT ? types[dtype].bytes : 0; }

gr_dtype gr_dtype_from_name(const char *name)
{
    if (!name) return GR_DTYPE_NONE;
    for (int i = 1; i < GR_DTYPE_COUNT; i++)
        if (strcmp(name, types[i].name) == 0 || strcmp(name, types[i].stored_name) == 0) return (gr_dtype)i;
    return GR_DTYPE_NONE;
}

int64_t gr_tensor_count(const gr_tensor *t)
{
    size_t count = 1;
    if (!t || t->rank < 0 || t->rank > GR_MAX_RANK) return 0;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0 || !gr__mul_size(count, (size_t)t->dim[i], &count)) return 0;
    return count <= INT64_MAX ? (int64_t)count : 0;
}

size_t gr_tensor_size_bytes(const gr_tensor *t)
{
    size_t bytes = (size_t)gr_tensor_count(t);
    return bytes && gr__mul_size(bytes, gr_dtype_size_bytes(t->dtype), &bytes) ? bytes : 0;
}

double gr_tensor_get(const gr_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case GR_F64: return ((const double *)t->data)[i];
    case GR_F32: return ((const float *)t->data)[i];
    case GR_BF16: return gr__bf16_to_f32(((const uint16_t *)t->data)[i]);
    case GR_F16: return gr__f16_to_f32(((const uint16_t *)t->data)[i]);
    case GR_I64: return (double)((const int64_t *)t->data)[i];
    case GR_I32: return ((const int32_t *)t->data)[i];
    case GR_I16: return ((const int16_t *)t->data)[i];
    case GR_I8: return ((const int8_t *)t->data)[i];
    case GR_U64: return (double)((const uint64_t *)t->data)[i];
    case GR_U32: return ((const uint32_t *)t->data)[i];
    case GR_U16: return ((const uint16_t *)t->data)[i];
    case GR_U8: return ((const uint8_t *)t->data)[i];
    case GR_BOOL: return ((const uint8_t *)t->data)[i] != 0;
    default: return 0;
    }
}

/* To the nearest integer (ties to even), clamped to the type: a plain cast of a value out of range is undefined. */
static int64_t to_signed(double value, int bits)
{
    double half = ldexp(1.0, bits - 1);
    if (isnan(value)) return 0;
    value = nearbyint(value);
    if (value >= half) return bits == 64 ? INT64_MAX : (int64_t)(half - 1);
    if (value < -half) return bits == 64 ? INT64_MIN : (int64_t)-half;
    return (int64_t)value;
}

static uint64_t to_unsigned(double value, int bits)
{
    double limit = ldexp(1.0, bits);
    if (isnan(value)) return 0;
    value = nearbyint(value);
    if (value >= limit) return bits == 64 ? UINT64_MAX : (uint64_t)(limit - 1);
    return value <= 0 ? 0 : (uint64_t)value;
}

void gr_tensor_set(gr_tensor *t, int64_t i, double value)
{
    switch (t->dtype) {
    case GR_F64: ((double *)t->data)[i] = value; break;
    case GR_F32: ((float *)t->data)[i] = (float)value; break;
    case GR_BF16: ((uint16_t *)t->data)[i] = gr__f32_to_bf16(gr__f64_to_f32_odd(value)); break;
    case GR_F16: ((uint16_t *)t->data)[i] = gr__f32_to_f16(gr__f64_to_f32_odd(value)); break;
    case GR_I64: ((int64_t *)t->data)[i] = to_signed(value, 64); break;
    case GR_I32: ((int32_t *)t->data)[i] = (int32_t)to_signed(value, 32); break;
    case GR_I16: ((int16_t *)t->data)[i] = (int16_t)to_signed(value, 16); break;
    case GR_I8: ((int8_t *)t->data)[i] = (int8_t)to_signed(value, 8); break;
    case GR_U64: ((uint64_t *)t->data)[i] = to_unsigned(value, 64); break;
    case GR_U32: ((uint32_t *)t->data)[i] = (uint32_t)to_unsigned(value, 32); break;
    case GR_U16: ((uint16_t *)t->data)[i] = (uint16_t)to_unsigned(value, 16); break;
    case GR_U8: ((uint8_t *)t->data)[i] = (uint8_t)to_unsigned(value, 8); break;
    case GR_BOOL: ((uint8_t *)t->data)[i] = value != 0; break;
    default: break;
    }
}
