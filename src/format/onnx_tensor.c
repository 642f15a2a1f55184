/* TensorProto. Sizes are checked against the bytes that are there before anything is allocated. */
#include "base/limits.h"
#include "format/onnx_int.h"

#include <string.h>

/* ORDER TYPE: TensorProto.DataType */
static const struct {
    const char *name;
    gr_dtype dtype;
} types[] = {{"UNDEFINED", GR_DTYPE_NONE},
             {"FLOAT", GR_F32},
             {"UINT8", GR_U8},
             {"INT8", GR_I8},
             {"UINT16", GR_U16},
             {"INT16", GR_I16},
             {"INT32", GR_I32},
             {"INT64", GR_I64},
             {"STRING", GR_DTYPE_NONE},
             {"BOOL", GR_BOOL},
             {"FLOAT16", GR_F16},
             {"DOUBLE", GR_F64},
             {"UINT32", GR_U32},
             {"UINT64", GR_U64},
             {"COMPLEX64", GR_DTYPE_NONE},
             {"COMPLEX128", GR_DTYPE_NONE},
             {"BFLOAT16", GR_BF16},
             {"FLOAT8E4M3FN", GR_DTYPE_NONE},
             {"FLOAT8E4M3FNUZ", GR_DTYPE_NONE},
             {"FLOAT8E5M2", GR_DTYPE_NONE},
             {"FLOAT8E5M2FNUZ", GR_DTYPE_NONE},
             {"UINT4", GR_DTYPE_NONE},
             {"INT4", GR_DTYPE_NONE},
             {"FLOAT4E2M1", GR_DTYPE_NONE},
             {"FLOAT8E8M0", GR_DTYPE_NONE},
             {"UINT2", GR_DTYPE_NONE},
             {"INT2", GR_DTYPE_NONE}};

gr_dtype gr__onnx_dtype(int64_t type)
{
    return type >= 0 && type < (int64_t)GR__COUNT(types) ? types[type].dtype : GR_DTYPE_NONE;
}

const char *gr__onnx_type_name(int64_t type)
{
    return type >= 0 && type < (int64_t)GR__COUNT(types) ? types[type].name : "an unknown type";
}

/* ---- shared with the reader of models ---- */

gr_status gr__onnx_want(const gr__wire *w, const gr__wire_field *f, int kind)
{
    return f->kind == kind ? GR_OK
                           : gr__wire_corrupt(w, "field %u is of kind %d, not %d; is it an ONNX file?",
                                              (unsigned)f->number, f->kind, kind);
}

gr_status gr__onnx_text(const gr__wire *w, const gr__wire_field *f, gr__arena *arena, const char **out)
{
    GR_TRY(gr__onnx_want(w, f, GR__WIRE_BYTES));
    GR_FAIL_IF(f->n > GR__LIMIT_METADATA_STRING_BYTES, GR_ERR_LIMIT, "cannot load '%s': a text is longer than %d bytes",
               w->name, GR__LIMIT_METADATA_STRING_BYTES);
    if (f->n && memchr(f->bytes, 0, f->n)) return gr__wire_corrupt(w, "a text holds a 0");
    char *text = gr__arena_strndup(arena, f->n ? (const char *)f->bytes : "", f->n);
    if (!text) return gr__fail_memory("a text", f->n);
    *out = text;
    return GR_OK;
}

static size_t width(int kind) { return kind == GR__WIRE_FIXED32 ? 4 : kind == GR__WIRE_FIXED64 ? 8 : 1; }

gr_status gr__onnx_count_numbers(const gr__wire *w, const gr__wire_field *f, int kind, size_t *n)
{
    if (f->kind == kind) {
        ++*n;
        return GR_OK;
    }
    GR_TRY(gr__onnx_want(w, f, GR__WIRE_BYTES));
    if (kind != GR__WIRE_VARINT && f->n % width(kind))
        return gr__wire_corrupt(w, "a list of numbers does not end on a number");
    if (kind != GR__WIRE_VARINT)
        *n += f->n / width(kind);
    else
        for (size_t i = 0; i < f->n; i++) *n += !(f->bytes[i] & 0x80u);
    return GR_OK;
}

gr_status gr__onnx_take_numbers(const gr__wire *w, const gr__wire_field *f, int kind, uint64_t *out, size_t *n)
{
    if (f->kind == kind) {
        out[(*n)++] = f->value;
        return GR_OK;
    }
    gr__wire in = gr__wire_inside(w, f);
    while (in.at != in.end) {
        uint64_t v = 0;
        if (kind == GR__WIRE_VARINT)
            GR_TRY(gr__wire_varint(&in, &v));
        else {
            for (size_t i = width(kind); i-- > 0;) v = v << 8 | in.at[i];
            in.at += width(kind);
        }
        out[(*n)++] = v;
    }
    return GR_OK;
}

/* ---- the message ---- */

/* Which field holds the numbers of a type that are not raw, and how. */
static void home_of(gr_dtype t, uint32_t *number, int *kind)
{
    *kind = t == GR_F32 ? GR__WIRE_FIXED32 : t == GR_F64 ? GR__WIRE_FIXED64 : GR__WIRE_VARINT;
    *number = t == GR_F32 ? 4 : t == GR_F64 ? 10 : t == GR_I64 ? 7 : t == GR_U64 || t == GR_U32 ? 11 : 5;
}

static gr_status read_dims(const gr__wire *w, uint64_t *dim, size_t rank, gr__onnx_tensor *t)
{
    size_t product = 1;
    bool empty = false;
    GR_FAIL_IF(rank > GR_MAX_RANK, GR_ERR_LIMIT, "cannot load '%s': tensor '%s' has %zu axes, at most %d are supported",
               w->name, t->name, rank, GR_MAX_RANK);
    for (size_t i = 0; i < rank; i++) {
        if (dim[i] > INT64_MAX) return gr__wire_corrupt(w, "tensor '%s' has a negative size", t->name);
        t->tensor.dim[i] = (int64_t)dim[i];
        empty = empty || dim[i] == 0;
        if (dim[i] && (!gr__mul_size(product, (size_t)dim[i], &product) || product > INT64_MAX / 16))
            return gr__wire_corrupt(w, "tensor '%s' has more elements than any machine can hold", t->name);
    }
    t->tensor.rank = (int)rank;
    return GR_OK;
}

static void put(gr_tensor *t, size_t i, uint64_t bits)
{
    unsigned char *to = (unsigned char *)t->data + i * gr_dtype_size_bytes(t->dtype);
    for (size_t k = 0; k < gr_dtype_size_bytes(t->dtype); k++) to[k] = (unsigned char)(bits >> 8 * k);
    if (t->dtype == GR_BOOL) *to = bits != 0;
}

static gr_status place_raw(const gr__wire *w, const gr__wire_field *raw, gr__arena *arena, gr__onnx_tensor *t)
{
    size_t want = gr_tensor_size_bytes(&t->tensor), each = gr_dtype_size_bytes(t->tensor.dtype);
    if (raw->n != want)
        return gr__wire_corrupt(w, "tensor '%s' has %zu bytes of data, its shape and type need %zu", t->name, raw->n,
                                want);
    if ((uintptr_t)raw->bytes % each == 0 && t->tensor.dtype != GR_BOOL) {
        memcpy(&t->tensor.data, &raw->bytes, sizeof raw->bytes); /* only read; gr_tensor has no const */
        return GR_OK;
    }
    if (!(t->tensor.data = gr__arena_alloc(arena, want + 1))) return gr__fail_memory("a tensor", want);
    if (want) memcpy(t->tensor.data, raw->bytes, want);
    for (size_t i = 0; t->tensor.dtype == GR_BOOL && i < want; i++)
        ((unsigned char *)t->tensor.data)[i] = raw->bytes[i] != 0;
    return GR_OK;
}

static gr_status place_typed(gr__wire w, gr__arena *arena, gr__onnx_tensor *t, size_t listed)
{
    size_t want = (size_t)gr_tensor_count(&t->tensor), n = 0;
    gr_status status = GR_OK;
    uint32_t number;
    int kind;
    gr__wire_field f;
    bool more;
    home_of(t->tensor.dtype, &number, &kind);
    if (listed != want)
        return gr__wire_corrupt(&w, "tensor '%s' has %zu numbers, its shape needs %zu", t->name, listed, want);
    t->tensor.data = gr__arena_alloc(arena, gr_tensor_size_bytes(&t->tensor) + 1);
    uint64_t *bits = gr__calloc(want + 1, sizeof *bits);
    if (!t->tensor.data || !bits) GR_TRY_DONE(gr__fail_memory("a tensor", want * sizeof *bits));
    for (;;) {
        GR_TRY_DONE(gr__wire_next(&w, &f, &more));
        if (!more) break;
        if (f.number == number) GR_TRY_DONE(gr__onnx_take_numbers(&w, &f, kind, bits, &n));
    }
    for (size_t i = 0; i < want; i++) put(&t->tensor, i, bits[i]);
done:
    gr__free(bits);
    return status;
}

gr_status gr__onnx_tensor_inside(gr__wire w, gr__arena *arena, gr__onnx_tensor *t)
{
    uint64_t dim[GR_MAX_RANK + 1];
    size_t rank = 0, listed[16] = {0};
    gr__wire_field f, raw = {0};
    bool more, external = false;
    gr__wire again = w;
    *t = (gr__onnx_tensor){.name = ""};
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        size_t n = 0;
        switch (f.number) {
        case 1:
            GR_TRY(gr__onnx_count_numbers(&w, &f, GR__WIRE_VARINT, &n));
            GR_FAIL_IF(rank + n > GR_MAX_RANK, GR_ERR_LIMIT, "cannot load '%s': a tensor has more than %d axes", w.name,
                       GR_MAX_RANK);
            GR_TRY(gr__onnx_take_numbers(&w, &f, GR__WIRE_VARINT, dim, &rank));
            break;
        case 2:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
            t->type = f.value <= INT32_MAX ? (int)f.value : -1;
            break;
        case 8: GR_TRY(gr__onnx_text(&w, &f, arena, &t->name)); break;
        case 9:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            raw = f;
            break;
        case 4: GR_TRY(gr__onnx_count_numbers(&w, &f, GR__WIRE_FIXED32, &listed[4])); break;
        case 10: GR_TRY(gr__onnx_count_numbers(&w, &f, GR__WIRE_FIXED64, &listed[10])); break;
        case 5:
        case 7:
        case 11: GR_TRY(gr__onnx_count_numbers(&w, &f, GR__WIRE_VARINT, &listed[f.number])); break;
        case 14: external = f.value != 0; break;
        default: break;
        }
    }
    uint32_t number;
    int kind;
    GR_TRY(read_dims(&w, dim, rank, t));
    if (external) {
        t->why = "its numbers lie in another file (external data)";
        return GR_OK;
    }
    t->tensor.dtype = gr__onnx_dtype(t->type);
    if (!t->tensor.dtype) {
        t->why = gr__onnx_type_name(t->type);
        return GR_OK;
    }
    if (raw.bytes) return place_raw(&w, &raw, arena, t);
    home_of(t->tensor.dtype, &number, &kind);
    return place_typed(again, arena, t, listed[number]);
}

gr_status gr__onnx_read_tensor(const unsigned char *bytes, size_t n, const char *name, gr__arena *arena,
                               gr__onnx_tensor *out)
{
    return gr__onnx_tensor_inside((gr__wire){bytes, bytes + n, bytes, name}, arena, out);
}
