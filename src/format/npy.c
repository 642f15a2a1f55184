/* npy: magic, version, header length, a Python dict in text, data. The scanner knows exactly the literals that NumPy
 * writes: strings, True and False, tuples of integers. */
#include "format/npy.h"

#include "base/file.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

typedef struct header {
    gr_tensor tensor;
    bool fortran, big_endian;
    bool has_type, has_order, has_shape;
} header;

typedef struct scanner {
    const char *p, *end;
    const char *file;
    const char *start;
} scanner;

static const struct {
    char kind;
    char digit;
    gr_dtype dtype;
} types[] = {{'f', '2', GR_F16}, {'f', '4', GR_F32}, {'f', '8', GR_F64}, {'i', '1', GR_I8},
             {'i', '2', GR_I16}, {'i', '4', GR_I32}, {'i', '8', GR_I64}, {'u', '1', GR_U8},
             {'u', '2', GR_U16}, {'u', '4', GR_U32}, {'u', '8', GR_U64}, {'b', '1', GR_BOOL}};

/* ---- the header text ---- */

static gr_status bad(const scanner *s, const char *wanted)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': its header should have %s at character %zu", s->file, wanted,
                    (size_t)(s->p - s->start));
}

static void skip_blanks(scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n')) s->p++;
}

static bool take(scanner *s, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n;
    return true;
}

static gr_status take_string(scanner *s, char out[32])
{
    size_t n = 0;
    skip_blanks(s);
    if (s->p == s->end || (*s->p != '\'' && *s->p != '"')) return bad(s, "a text");
    char quote = *s->p++;
    for (; s->p < s->end && *s->p != quote && n < 31; s->p++) {
        if ((unsigned char)*s->p < 0x20 || *s->p == '\\' || (unsigned char)*s->p >= 0x7f) return bad(s, "a plain text");
        out[n++] = *s->p;
    }
    out[n] = 0;
    if (s->p == s->end || *s->p != quote) return bad(s, "a short text");
    s->p++;
    return GR_OK;
}

static gr_status take_shape(scanner *s, gr_tensor *t)
{
    if (!take(s, "(")) return bad(s, "'('");
    for (t->rank = 0; !take(s, ")"); t->rank++) {
        int64_t d = 0;
        int digits = 0;
        if (t->rank == GR_MAX_RANK)
            return gr__fail(GR_ERR_LIMIT, "cannot load '%s': it has more than %d dimensions", s->file, GR_MAX_RANK);
        for (skip_blanks(s); s->p < s->end && *s->p >= '0' && *s->p <= '9' && digits < 18; s->p++, digits++)
            d = d * 10 + (*s->p - '0');
        if (digits == 0 || digits == 18) return bad(s, "a size");
        t->dim[t->rank] = d;
        take(s, "L"); /* Python 2 */
        if (!take(s, ",")) {
            if (t->rank == 0 || !take(s, ")")) return bad(s, "','"); /* (3) is no tuple */
            t->rank++;
            break;
        }
    }
    return GR_OK;
}

static gr_status take_type(scanner *s, header *h)
{
    char text[32];
    skip_blanks(s);
    GR_FAIL_IF(s->p < s->end && *s->p == '[', GR_ERR_UNSUPPORTED,
               "cannot load '%s': it holds structures; save plain arrays", s->file);
    GR_TRY(take_string(s, text));
    GR_FAIL_IF(strchr(text, 'O') != NULL, GR_ERR_UNSUPPORTED,
               "cannot load '%s': it holds Python objects, which are code; save plain arrays", s->file);
    for (size_t i = 0; i < GR__COUNT(types) && strlen(text) == 3; i++)
        if (text[1] == types[i].kind && text[2] == types[i].digit) h->tensor.dtype = types[i].dtype;
    bool order = text[0] == '<' || text[0] == '>' || (text[0] == '|' && gr_dtype_size_bytes(h->tensor.dtype) == 1);
    GR_FAIL_IF(h->tensor.dtype == GR_DTYPE_NONE || !order, GR_ERR_UNSUPPORTED,
               "cannot load '%s': its element type '%s' is not supported", s->file, text);
    h->big_endian = text[0] == '>';
    return GR_OK;
}

static gr_status take_pair(scanner *s, header *h)
{
    char key[32];
    GR_TRY(take_string(s, key));
    if (!take(s, ":")) return bad(s, "':'");
    if (strcmp(key, "descr") == 0 && !h->has_type) {
        h->has_type = true;
        return take_type(s, h);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->fortran = take(s, "True");
        return h->fortran || take(s, "False") ? GR_OK : bad(s, "True or False");
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        return take_shape(s, &h->tensor);
    }
    return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': key '%s' in its header is unknown or there twice", s->file, key);
}

static gr_status scan_header(const char *text, size_t n, const char *file, header *h)
{
    scanner s = {text, text + n, file, text};
    if (!take(&s, "{")) return bad(&s, "'{'");
    while (!take(&s, "}")) {
        GR_TRY(take_pair(&s, h));
        if (take(&s, ",")) continue;
        if (!take(&s, "}")) return bad(&s, "','");
        break;
    }
    skip_blanks(&s);
    if (s.p != s.end) return bad(&s, "its end");
    GR_FAIL_IF(!h->has_type || !h->has_order || !h->has_shape, GR_ERR_CORRUPT,
               "cannot load '%s': its header lacks descr, fortran_order or shape", file);
    return GR_OK;
}

/* ---- data ---- */

/* Element i of the result comes from place 'from' of the file, which counts the first axis fastest. */
static void place_elements(const header *h, const unsigned char *from, unsigned char *to, size_t count)
{
    size_t bytes = gr_dtype_size_bytes(h->tensor.dtype), stride[GR_MAX_RANK], at[GR_MAX_RANK] = {0}, source = 0;
    int rank = h->tensor.rank;
    for (int i = 0; i < rank; i++) stride[i] = i ? stride[i - 1] * (size_t)h->tensor.dim[i - 1] : 1;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = from + (h->fortran ? source : i) * bytes;
        for (size_t b = 0; b < bytes; b++) to[i * bytes + b] = p[h->big_endian ? bytes - 1 - b : b];
        for (int d = rank - 1; h->fortran && d >= 0; d--) {
            source += stride[d];
            if (++at[d] < (size_t)h->tensor.dim[d]) break;
            source -= stride[d] * at[d];
            at[d] = 0;
        }
    }
}

static gr_status read_data(const unsigned char *data, size_t n, const char *file, header *h, gr_tensor *out)
{
    size_t bytes = gr_dtype_size_bytes(h->tensor.dtype), count = 1, total = 0;
    bool empty = false;
    for (int i = 0; i < h->tensor.rank; i++) {
        empty = empty || h->tensor.dim[i] == 0;
        bool fits = !h->tensor.dim[i] || gr__mul_size(count, (size_t)h->tensor.dim[i], &count);
        GR_FAIL_IF(!fits || count > INT64_MAX, GR_ERR_CORRUPT,
                   "cannot load '%s': its sizes are larger than any machine can hold", file);
    }
    bool known = gr__mul_size(count, bytes, &total);
    if (empty) count = total = 0;
    GR_FAIL_IF(!known || total != n, GR_ERR_CORRUPT,
               "cannot load '%s': it has %zu bytes of data, its shape and type need %zu", file, n, total);
    unsigned char *copy = gr__alloc(total);
    if (!copy) return gr__fail_memory("an array", total);
    if (h->fortran || h->big_endian)
        place_elements(h, data, copy, count);
    else if (total)
        memcpy(copy, data, total);
    for (size_t i = 0; h->tensor.dtype == GR_BOOL && i < total; i++) copy[i] = copy[i] != 0;
    *out = h->tensor;
    out->data = copy;
    return GR_OK;
}

gr_status gr__npy_read_bytes(const unsigned char *p, size_t n, const char *name, gr_tensor *out)
{
    header h = {0};
    GR_FAIL_IF(n < 10 || memcmp(p, "\x93NUMPY", 6) != 0, GR_ERR_CORRUPT, "cannot load '%s': it is not an npy file",
               name);
    GR_FAIL_IF(p[6] < 1 || p[6] > 3 || p[7] != 0, GR_ERR_UNSUPPORTED, "cannot load '%s': unknown npy version %d.%d",
               name, p[6], p[7]);
    size_t start = p[6] == 1 ? 10 : 12;
    GR_FAIL_IF(n < start, GR_ERR_CORRUPT, "cannot load '%s': it ends in its header", name);
    size_t length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    GR_FAIL_IF(length > GR__LIMIT_NPY_HEADER_BYTES, GR_ERR_LIMIT,
               "cannot load '%s': its header is larger than %d bytes", name, GR__LIMIT_NPY_HEADER_BYTES);
    GR_FAIL_IF(length > n - start, GR_ERR_CORRUPT, "cannot load '%s': it ends in its header", name);
    GR_TRY(scan_header((const char *)p + start, length, name, &h));
    return read_data(p + start + length, n - start - length, name, &h, out);
}

gr_status gr__npy_read(const char *path, gr_tensor *out)
{
    gr__mapping map;
    GR_TRY(gr__file_map(path, &map));
    gr_status status = gr__npy_read_bytes(map.data, map.n, path, out);
    gr__file_unmap(&map);
    return status;
}

gr_status gr__npy_write(const char *path, const gr_tensor *t)
{
    gr__str s = {0};
    size_t bytes = gr_dtype_size_bytes(t->dtype), k = 0;
    while (k < GR__COUNT(types) && types[k].dtype != t->dtype) k++;
    GR_FAIL_IF(k == GR__COUNT(types), GR_ERR_UNSUPPORTED, "cannot write '%s': npy has no type %s; use f32", path,
               gr_dtype_name(t->dtype));
    gr__str_add_n(&s, "\x93NUMPY\x01\x00\x00\x00", 10);
    gr__str_printf(&s, "{'descr': '%c%c%c', 'fortran_order': False, 'shape': (", bytes == 1 ? '|' : '<', types[k].kind,
                   types[k].digit);
    for (int i = 0; i < t->rank; i++)
        gr__str_printf(&s, "%s%lld%s", i ? " " : "", (long long)t->dim[i], i + 1 < t->rank || t->rank == 1 ? "," : "");
    gr__str_add(&s, "), }");
    while ((s.n + 1) % 64 != 0 && !s.failed) gr__str_add_char(&s, ' ');
    gr__str_add_char(&s, '\n');
    gr_status status = gr__str_check(&s);
    if (status == GR_OK) {
        s.text[8] = (char)((s.n - 10) & 0xff);
        s.text[9] = (char)((s.n - 10) >> 8);
        gr__writer *w;
        status = gr__writer_open(path, 0, &w);
        if (status == GR_OK) {
            status = gr__writer_write(w, s.text, s.n);
            if (status == GR_OK) status = gr__writer_write(w, t->data, gr_tensor_size_bytes(t));
            if (status == GR_OK)
                status = gr__writer_commit(&w);
            else
                gr__writer_drop(&w);
        }
    }
    gr__str_release(&s);
    return status;
}
