/* Writing safetensors: everything is known before the first byte, so the file is one pass from front to back. */
#include "base/json.h"
#include "base/limits.h"
#include "format/safetensors_int.h"

#include <stdlib.h>
#include <string.h>

struct gr__st_writer {
    gr__writer *file;
    char *path;
    size_t *order; /* positions in the caller's list, in the order of the file */
    uint64_t expected, written;
};

typedef struct ranked {
    const gr__named_tensor *tensor;
    size_t rank; /* of the type in the reference writer's order; the widest come first */
    size_t index;
} ranked;

static int by_type_and_name(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    return strcmp(x->tensor->name, y->tensor->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gr__name_value *)a)->name, ((const gr__name_value *)b)->name);
}

static gr_status check_tensor(const gr__named_tensor *t, size_t *bytes)
{
    size_t n = t->name ? strlen(t->name) : 0, count = 1;
    GR_FAIL_IF(n == 0 || n > GR__LIMIT_TENSOR_NAME_BYTES || strcmp(t->name, "__metadata__") == 0, GR_ERR_ARGUMENT,
               "'%.40s' cannot be the name of a tensor", n ? t->name : "");
    for (size_t i = 0; i < n;) {
        size_t step = gr__utf8_step(t->name + i, n - i);
        GR_FAIL_IF(step == 0 || (unsigned char)t->name[i] < 0x20 || t->name[i] == 0x7f, GR_ERR_ARGUMENT,
                   "the name of a tensor must be UTF-8 without control characters");
        i += step;
    }
    GR_FAIL_IF(gr_dtype_size_bytes(t->tensor.dtype) == 0, GR_ERR_DTYPE, "tensor '%s' has no element type", t->name);
    GR_FAIL_IF(t->tensor.rank < 0 || t->tensor.rank > GR_MAX_RANK, GR_ERR_SHAPE, "tensor '%s' has rank %d", t->name,
               t->tensor.rank);
    for (int i = 0; i < t->tensor.rank; i++) {
        bool good = t->tensor.dim[i] >= 0 && gr__mul_size(count, (size_t)t->tensor.dim[i], &count);
        GR_FAIL_IF(!good, GR_ERR_SHAPE, "tensor '%s' has an impossible shape", t->name);
    }
    GR_FAIL_IF(!gr__mul_size(count, gr_dtype_size_bytes(t->tensor.dtype), bytes) || *bytes > INT64_MAX, GR_ERR_SHAPE,
               "tensor '%s' has an impossible shape", t->name);
    return GR_OK;
}

static size_t rank_of(gr_dtype dtype)
{
    size_t i = 0;
    while (i < gr__st_type_count && gr__st_types[i].dtype != dtype) i++;
    return i;
}

static gr_status add_metadata(gr__str *s, const gr__name_value *metadata, size_t n)
{
    if (n == 0) return GR_OK;
    gr__name_value *sorted = gr__calloc(n, sizeof *sorted);
    if (!sorted) return gr__fail_memory("metadata", n * sizeof *sorted);
    memcpy(sorted, metadata, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_name);
    gr_status status = GR_OK;
    gr__str_add(s, "\"__metadata__\":{");
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(sorted[i].name, sorted[i - 1].name) == 0)
            status = gr__fail(GR_ERR_ARGUMENT, "metadata '%s' is given twice", sorted[i].name);
        if (i) gr__str_add_char(s, ',');
        gr__json_add_string(s, sorted[i].name, strlen(sorted[i].name));
        gr__str_add_char(s, ':');
        gr__json_add_string(s, sorted[i].value, strlen(sorted[i].value));
    }
    gr__str_add_char(s, '}');
    gr__free(sorted);
    return status;
}

/* Header with its padding; *bytes: of all data. */
static gr_status make_header(const ranked *list, size_t n, const gr__name_value *metadata, size_t n_metadata,
                             gr__str *s, uint64_t *bytes)
{
    size_t end = 0, size;
    gr__str_add_char(s, '{');
    GR_TRY(add_metadata(s, metadata, n_metadata));
    for (size_t i = 0; i < n; i++) {
        const gr__named_tensor *t = list[i].tensor;
        size = gr_tensor_size_bytes(&t->tensor);
        if (i || n_metadata) gr__str_add_char(s, ',');
        gr__json_add_string(s, t->name, strlen(t->name));
        gr__str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", gr__st_types[list[i].rank].name);
        for (int d = 0; d < t->tensor.rank; d++) gr__str_printf(s, "%s%lld", d ? "," : "", (long long)t->tensor.dim[d]);
        gr__str_printf(s, "],\"data_offsets\":[%zu,", end);
        GR_FAIL_IF(!gr__add_size(end, size, &end) || end > INT64_MAX, GR_ERR_LIMIT,
                   "the tensors are too large for a file");
        gr__str_printf(s, "%zu]}", end);
    }
    gr__str_add_char(s, '}');
    while (s->n % 8 != 0 && !s->failed) gr__str_add_char(s, ' ');
    GR_TRY(gr__str_check(s));
    GR_FAIL_IF(s->n > GR__LIMIT_SAFETENSORS_HEADER_BYTES, GR_ERR_LIMIT, "the header would be larger than %d bytes",
               GR__LIMIT_SAFETENSORS_HEADER_BYTES);
    *bytes = end;
    return GR_OK;
}

static gr_status start_file(gr__st_writer *w, const char *path, const gr__str *header)
{
    unsigned char length[8];
    size_t total;
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->n >> (8 * i));
    GR_FAIL_IF(!gr__add_size(w->expected, header->n + 8, &total), GR_ERR_LIMIT, "the tensors are too large for a file");
    GR_TRY(gr__writer_open(path, total, &w->file));
    GR_TRY(gr__writer_write(w->file, length, sizeof length));
    return gr__writer_write(w->file, header->text, header->n);
}

static gr_status check_all(const gr__named_tensor *tensors, size_t n)
{
    size_t bytes;
    for (size_t i = 0; i < n; i++) GR_TRY(check_tensor(&tensors[i], &bytes));
    gr__name_value *names = gr__calloc(n, sizeof *names);
    if (!names) return gr__fail_memory("a list of tensors", n * sizeof *names);
    gr_status status = GR_OK;
    for (size_t i = 0; i < n; i++) names[i].name = tensors[i].name;
    if (n) qsort(names, n, sizeof *names, by_name);
    for (size_t i = 1; i < n && status == GR_OK; i++)
        if (strcmp(names[i].name, names[i - 1].name) == 0)
            status = gr__fail(GR_ERR_ARGUMENT, "tensor '%s' is given twice", names[i].name);
    gr__free(names);
    return status;
}

gr_status gr__st_writer_open(const char *path, const gr__named_tensor *tensors, size_t n,
                             const gr__name_value *metadata, size_t n_metadata, gr__st_writer **out)
{
    gr__str header = {0};
    gr_status status = check_all(tensors, n);
    ranked *list = gr__calloc(n, sizeof *list);
    gr__st_writer *w = gr__calloc(1, sizeof *w);
    if (!list || !w || !(w->path = gr__strdup(path)) || !(w->order = gr__calloc(n, sizeof *w->order)))
        status = gr__fail_memory("writing a model", n * sizeof *list);
    for (size_t i = 0; status == GR_OK && i < n; i++)
        list[i] = (ranked){&tensors[i], rank_of(tensors[i].tensor.dtype), i};
    if (status == GR_OK && n) qsort(list, n, sizeof *list, by_type_and_name);
    for (size_t i = 0; status == GR_OK && i < n; i++) w->order[i] = list[i].index;
    if (status == GR_OK) status = make_header(list, n, metadata, n_metadata, &header, &w->expected);
    if (status == GR_OK) status = start_file(w, path, &header);
    gr__free(list);
    gr__str_release(&header);
    if (status == GR_OK)
        *out = w;
    else
        gr__st_writer_drop(&w);
    return status;
}

size_t gr__st_writer_order(const gr__st_writer *w, size_t k) { return w->order[k]; }

gr_status gr__st_writer_add(gr__st_writer *w, const void *bytes, size_t n)
{
    GR_FAIL_IF(n > w->expected - w->written, GR_ERR_ARGUMENT, "cannot write '%s': more data than its tensors hold",
               w->path);
    w->written += n;
    return gr__writer_write(w->file, bytes, n); /* after a failure the file's writer fails for ever */
}

static void writer_free(gr__st_writer *w)
{
    gr__writer_drop(&w->file);
    gr__free(w->order);
    gr__free(w->path);
    gr__free(w);
}

gr_status gr__st_writer_commit(gr__st_writer **writer)
{
    gr__st_writer *w = *writer;
    gr_status status = GR_OK;
    *writer = NULL;
    if (w->written != w->expected)
        status = gr__fail(GR_ERR_ARGUMENT, "cannot write '%s': %llu bytes of its tensors are missing", w->path,
                          (unsigned long long)(w->expected - w->written));
    else
        status = gr__writer_commit(&w->file);
    writer_free(w);
    return status;
}

void gr__st_writer_drop(gr__st_writer **writer)
{
    gr__st_writer *w = *writer;
    if (!w) return;
    *writer = NULL;
    writer_free(w);
}

gr_status gr__safetensors_write(const char *path, const gr__named_tensor *tensors, size_t n,
                                const gr__name_value *metadata, size_t n_metadata)
{
    gr__st_writer *w;
    GR_TRY(gr__st_writer_open(path, tensors, n, metadata, n_metadata, &w));
    gr_status status = GR_OK;
    for (size_t k = 0; k < n && status == GR_OK; k++) {
        const gr__named_tensor *t = &tensors[gr__st_writer_order(w, k)];
        size_t bytes = gr_tensor_size_bytes(&t->tensor);
        if (bytes > 0 && !t->tensor.data)
            status = gr__fail(GR_ERR_ARGUMENT, "tensor '%s' has no data", t->name);
        else
            status = gr__st_writer_add(w, t->tensor.data, bytes);
    }
    if (status == GR_OK) return gr__st_writer_commit(&w);
    gr__st_writer_drop(&w);
    return status;
}
