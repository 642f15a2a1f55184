/* Reading safetensors. The order of the checks: sizes of the file, JSON, each tensor by itself, all ranges together. */
#include "format/safetensors.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "format/safetensors_int.h"

#include <stdlib.h>
#include <string.h>

struct gr__safetensors {
    gr__mapping map;
    const char *path; /* for messages */
    gr__arena arena;  /* names */
    gr__stored *tensor;
    size_t count;
    gr__map index; /* name -> position */
    gr__name_value *metadata;
    size_t metadata_count;
    void **copies; /* of tensors that lie unaligned in the file */
    size_t copies_count, copies_capacity;
};

/* In the order in which the reference writer sorts (widest last). */
const gr__st_type gr__st_types[] = {
    {"BOOL", 8, GR_BOOL},
    {"F4", 4, GR_DTYPE_NONE},
    {"F6_E2M3", 6, GR_DTYPE_NONE},
    {"F6_E3M2", 6, GR_DTYPE_NONE},
    {"U8", 8, GR_U8},
    {"I8", 8, GR_I8},
    {"F8_E5M2", 8, GR_DTYPE_NONE},
    {"F8_E4M3", 8, GR_DTYPE_NONE},
    {"F8_E8M0", 8, GR_DTYPE_NONE},
    {"F8_E4M3FNUZ", 8, GR_DTYPE_NONE},
    {"F8_E5M2FNUZ", 8, GR_DTYPE_NONE},
    {"I16", 16, GR_I16},
    {"U16", 16, GR_U16},
    {"F16", 16, GR_F16},
    {"BF16", 16, GR_BF16},
    {"I32", 32, GR_I32},
    {"U32", 32, GR_U32},
    {"F32", 32, GR_F32},
    {"C64", 64, GR_DTYPE_NONE},
    {"F64", 64, GR_F64},
    {"I64", 64, GR_I64},
    {"U64", 64, GR_U64},
};
const size_t gr__st_type_count = GR__COUNT(gr__st_types);

static gr_status corrupt(const gr__safetensors *f, const char *tensor, const char *format, ...) GR_PRINTF(3, 4);
static gr_status corrupt(const gr__safetensors *f, const char *tensor, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr__fail_va(GR_ERR_CORRUPT, format, args);
    va_end(args);
    if (tensor) gr__fail_prefix(GR_ERR_CORRUPT, "tensor '%s'", tensor);
    return gr__fail_prefix(GR_ERR_CORRUPT, "cannot load '%s'", f->path);
}

/* ---- one tensor ---- */

static gr_status read_type(const gr__safetensors *f, gr__json v, gr__stored *t, unsigned *bits)
{
    const char *name;
    size_t n;
    if (!gr__json_string(v, &name, &n)) return corrupt(f, t->name, "'dtype' is missing or not a text");
    for (size_t i = 0; i < gr__st_type_count; i++) {
        if (strlen(gr__st_types[i].name) != n || memcmp(name, gr__st_types[i].name, n) != 0) continue;
        t->type = gr__st_types[i].name;
        t->tensor.dtype = gr__st_types[i].dtype;
        *bits = gr__st_types[i].bits;
        return GR_OK;
    }
    return corrupt(f, t->name, "unknown dtype '%.32s'", name);
}

/* bits: of all elements together, by checked products. */
static gr_status read_shape(const gr__safetensors *f, gr__json v, gr__stored *t, unsigned bits_each, uint64_t *bits)
{
    if (gr__json_kind_of(v) != GR__JSON_ARRAY) return corrupt(f, t->name, "'shape' is missing or not a list");
    size_t rank = gr__json_count(v), product = 1, total;
    if (rank > GR_MAX_RANK)
        return corrupt(f, t->name, "it has %zu dimensions, at most %d are supported", rank, GR_MAX_RANK);
    t->tensor.rank = (int)rank;
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        int64_t d = -1;
        gr__json item = gr__json_at(v, i);
        if (gr__json_kind_of(item) != GR__JSON_INT || !gr__json_int(item, &d) || d < 0)
            return corrupt(f, t->name, "size %zu of its shape is not a whole number from 0", i);
        t->tensor.dim[i] = d;
        empty = empty || d == 0;
        if (d > 0 && !gr__mul_size(product, (size_t)d, &product))
            return corrupt(f, t->name, "its shape has more elements than any machine can hold");
    }
    if (product > INT64_MAX || !gr__mul_size(product, bits_each, &total))
        return corrupt(f, t->name, "its shape has more elements than any machine can hold");
    *bits = empty ? 0 : total;
    return GR_OK;
}

static gr_status read_offsets(const gr__safetensors *f, gr__json v, gr__stored *t, uint64_t data_bytes, uint64_t bits)
{
    int64_t begin = -1, end = -1;
    bool good = gr__json_kind_of(v) == GR__JSON_ARRAY && gr__json_count(v) == 2 &&
                gr__json_kind_of(gr__json_at(v, 0)) == GR__JSON_INT && gr__json_int(gr__json_at(v, 0), &begin) &&
                gr__json_kind_of(gr__json_at(v, 1)) == GR__JSON_INT && gr__json_int(gr__json_at(v, 1), &end);
    if (!good || begin < 0 || end < begin)
        return corrupt(f, t->name, "'data_offsets' is not a pair of positions [begin, end]");
    if ((uint64_t)end > data_bytes)
        return corrupt(f, t->name, "ends %llu bytes past the file; download it again",
                       (unsigned long long)((uint64_t)end - data_bytes));
    if (bits % 8 != 0) return corrupt(f, t->name, "its %s elements do not end on a byte", t->type);
    if ((uint64_t)(end - begin) != bits / 8)
        return corrupt(f, t->name, "has %lld bytes of data, its shape and type %s need %llu", (long long)(end - begin),
                       t->type, (unsigned long long)(bits / 8));
    t->offset = (uint64_t)begin; /* made absolute later */
    t->size_bytes = (size_t)(end - begin);
    return GR_OK;
}

static gr_status read_tensor(gr__safetensors *f, const char *name, gr__json v, uint64_t data_bytes)
{
    gr__stored *t = &f->tensor[f->count];
    uint64_t bits = 0;
    unsigned bits_each = 0;
    size_t n = strlen(name);
    GR_FAIL_IF(n > GR__LIMIT_TENSOR_NAME_BYTES, GR_ERR_LIMIT,
               "cannot load '%s': tensor name '%.40s...' is longer than %d bytes", f->path, name,
               GR__LIMIT_TENSOR_NAME_BYTES);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return corrupt(f, NULL, "the name of tensor %zu holds a control character", f->count);
    if (n == 0) return corrupt(f, NULL, "tensor %zu has an empty name", f->count);
    if (!(t->name = gr__arena_strndup(&f->arena, name, n))) return gr__fail_memory("a tensor name", n);
    if (gr__json_kind_of(v) != GR__JSON_OBJECT || gr__json_count(v) != 3)
        return corrupt(f, name, "its entry must have exactly 'dtype', 'shape' and 'data_offsets'");
    GR_TRY(read_type(f, gr__json_get(v, "dtype"), t, &bits_each));
    GR_TRY(read_shape(f, gr__json_get(v, "shape"), t, bits_each, &bits));
    GR_TRY(read_offsets(f, gr__json_get(v, "data_offsets"), t, data_bytes, bits));
    f->count++;
    return GR_OK;
}

/* ---- the header ---- */

static gr_status read_metadata(gr__safetensors *f, gr__json v)
{
    if (gr__json_kind_of(v) != GR__JSON_OBJECT) return corrupt(f, NULL, "'__metadata__' is not a map of texts");
    size_t n = gr__json_count(v);
    GR_FAIL_IF(n > GR__LIMIT_METADATA_KEYS, GR_ERR_LIMIT, "cannot load '%s': '__metadata__' has more than %d keys",
               f->path, GR__LIMIT_METADATA_KEYS);
    if (!(f->metadata = gr__calloc(n, sizeof *f->metadata)))
        return gr__fail_memory("metadata", n * sizeof *f->metadata);
    for (void *it = gr__json_first(v); it; it = gr__json_next(v, it)) {
        const char *text;
        size_t length;
        if (!gr__json_string(gr__json_value(it), &text, &length))
            return corrupt(f, NULL, "'%.100s' in '__metadata__' is not a text", gr__json_key(it));
        GR_FAIL_IF(length > GR__LIMIT_METADATA_STRING_BYTES, GR_ERR_LIMIT,
                   "cannot load '%s': '%.100s' in '__metadata__' is longer than %d bytes", f->path, gr__json_key(it),
                   GR__LIMIT_METADATA_STRING_BYTES);
        gr__name_value *m = &f->metadata[f->metadata_count];
        m->name = gr__arena_strdup(&f->arena, gr__json_key(it));
        m->value = gr__arena_strndup(&f->arena, text, length);
        if (!m->name || !m->value) return gr__fail_memory("metadata", length);
        f->metadata_count++;
    }
    return GR_OK;
}

static int by_position(const void *a, const void *b)
{
    const gr__stored *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->size_bytes != y->size_bytes) return x->size_bytes < y->size_bytes ? -1 : 1; /* empty ones first */
    return strcmp(x->name, y->name);
}

static gr_status check_ranges(const gr__safetensors *f, uint64_t data_bytes)
{
    uint64_t end = 0;
    for (size_t i = 0; i < f->count; i++) {
        const gr__stored *t = &f->tensor[i];
        if (t->offset < end) return corrupt(f, t->name, "overlaps tensor '%s'", f->tensor[i - 1].name);
        if (t->offset > end)
            return corrupt(f, t->name, "%llu unused bytes lie before it", (unsigned long long)(t->offset - end));
        end = t->offset + t->size_bytes;
    }
    if (end < data_bytes)
        return corrupt(f, NULL, "%llu unused bytes lie at its end", (unsigned long long)(data_bytes - end));
    return GR_OK;
}

/* Old writers did not align; kernels need it. The copies are at most as large as the file. */
static gr_status place(gr__safetensors *f, gr__stored *t, const unsigned char *data)
{
    size_t each = gr_dtype_size_bytes(t->tensor.dtype);
    if (each > 1 && (uintptr_t)data % each != 0) {
        GR_TRY(gr__grow(&f->copies, sizeof *f->copies, f->copies_count + 1, &f->copies_capacity));
        void *copy = gr__alloc(t->size_bytes);
        if (!copy) return gr__fail_memory("a tensor", t->size_bytes);
        memcpy(copy, data, t->size_bytes);
        f->copies[f->copies_count++] = copy;
        t->tensor.data = copy;
    } else {
        memcpy(&t->tensor.data, &data, sizeof data); /* the mapping is read-only; gr_tensor has no const */
    }
    return GR_OK;
}

static gr_status read_header(gr__safetensors *f, gr__json root, size_t data_start)
{
    uint64_t data_bytes = f->map.n - data_start;
    if (gr__json_kind_of(root) != GR__JSON_OBJECT) return corrupt(f, NULL, "its header is not a map");
    size_t n = gr__json_count(root);
    GR_FAIL_IF(n > GR__LIMIT_TENSORS, GR_ERR_LIMIT, "cannot load '%s': it has more than %d tensors", f->path,
               GR__LIMIT_TENSORS);
    if (!(f->tensor = gr__calloc(n, sizeof *f->tensor)))
        return gr__fail_memory("a list of tensors", n * sizeof *f->tensor);
    for (void *it = gr__json_first(root); it; it = gr__json_next(root, it)) {
        if (strcmp(gr__json_key(it), "__metadata__") == 0)
            GR_TRY(read_metadata(f, gr__json_value(it)));
        else
            GR_TRY(read_tensor(f, gr__json_key(it), gr__json_value(it), data_bytes));
    }
    if (f->count) qsort(f->tensor, f->count, sizeof *f->tensor, by_position);
    GR_TRY(check_ranges(f, data_bytes));
    for (size_t i = 0; i < f->count; i++) {
        gr__stored *t = &f->tensor[i];
        GR_TRY(place(f, t, f->map.data + data_start + t->offset));
        t->offset += data_start;
        GR_TRY(gr__map_set_name(&f->index, t->name, (int64_t)i, NULL));
    }
    return GR_OK;
}

static gr_status read_file(gr__safetensors *f)
{
    const unsigned char *p = f->map.data;
    uint64_t n = 0;
    if (f->map.n < 8) return corrupt(f, NULL, "it is %zu bytes long, too short for a safetensors file", f->map.n);
    for (int i = 7; i >= 0; i--) n = n << 8 | p[i];
    GR_FAIL_IF(n > GR__LIMIT_SAFETENSORS_HEADER_BYTES, GR_ERR_LIMIT,
               "cannot load '%s': its header claims %llu bytes, at most %d are allowed; is it a safetensors file?",
               f->path, (unsigned long long)n, GR__LIMIT_SAFETENSORS_HEADER_BYTES);
    if (n > f->map.n - 8)
        return corrupt(f, NULL, "its header ends %llu bytes past the file; download it again",
                       (unsigned long long)(n - (f->map.n - 8)));
    if (n == 0 || p[8] != '{') return corrupt(f, NULL, "its header does not start with '{'");
    const char *text = (const char *)p + 8;
    size_t length = (size_t)n;
    while (length > 0 && text[length - 1] == ' ') length--; /* padding: blanks only */
    if (text[length - 1] != '}') return corrupt(f, NULL, "its header does not end with '}'");
    gr__json_doc *doc;
    GR_TRY(gr__json_parse(text, length, f->path, &doc));
    gr_status status = read_header(f, gr__json_root(doc), 8 + (size_t)n);
    gr__json_free(&doc);
    return status;
}

static gr_status start(gr__safetensors *f, const char *path)
{
    if (!(f->path = gr__arena_strdup(&f->arena, path))) return gr__fail_memory("a file name", strlen(path));
    if (!f->map.data) GR_TRY(gr__file_map(path, &f->map));
    return read_file(f);
}

gr_status gr__safetensors_open(const char *path, gr__safetensors **out)
{
    gr__safetensors *f = gr__calloc(1, sizeof *f);
    if (!f) return gr__fail_memory("a model file", sizeof *f);
    gr_status status = start(f, path);
    if (status == GR_OK)
        *out = f;
    else
        gr__safetensors_close(&f);
    return status;
}

gr_status gr__safetensors_open_bytes(const unsigned char *bytes, size_t n, const char *name, gr__safetensors **out)
{
    gr__safetensors *f = gr__calloc(1, sizeof *f);
    if (!f) return gr__fail_memory("a model file", sizeof *f);
    f->map = (gr__mapping){.data = bytes, .n = n};
    gr_status status = start(f, name);
    if (status == GR_OK)
        *out = f;
    else
        gr__safetensors_close(&f);
    return status;
}

void gr__safetensors_close(gr__safetensors **file)
{
    gr__safetensors *f = *file;
    if (!f) return;
    for (size_t i = 0; i < f->copies_count; i++) gr__free(f->copies[i]);
    gr__free(f->copies);
    gr__free(f->tensor);
    gr__free(f->metadata);
    gr__map_release(&f->index);
    gr__arena_release(&f->arena);
    gr__file_unmap(&f->map);
    gr__free(f);
    *file = NULL;
}

size_t gr__safetensors_count(const gr__safetensors *f) { return f->count; }
const gr__stored *gr__safetensors_at(const gr__safetensors *f, size_t i) { return &f->tensor[i]; }

const gr__stored *gr__safetensors_find(const gr__safetensors *f, const char *name)
{
    const int64_t *at = gr__map_get_name(&f->index, name);
    return at ? &f->tensor[*at] : NULL;
}

size_t gr__safetensors_metadata_count(const gr__safetensors *f) { return f->metadata_count; }
const gr__name_value *gr__safetensors_metadata_at(const gr__safetensors *f, size_t i) { return &f->metadata[i]; }
