/* path -> array. Each array is one large block of its own, so that pointers into it stay valid. */
#include "store/store.h"

#include "base/map.h"
#include "base/str.h"

#include <string.h>

struct gr_store {
    gr__map paths; /* path -> index */
    gr_tensor *array;
    size_t capacity;
    uint64_t version;
};

gr_status gr_store_new(gr_store **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_store_new: 'out' is NULL");
    gr_store *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a store", sizeof *s);
    *out = s;
    return GR_OK;
}

void gr_store_free(gr_store **store)
{
    if (!store || !*store) return;
    gr_store *s = *store;
    for (size_t i = 0; i < s->paths.count; i++) gr__free_large(s->array[i].data, gr_tensor_size_bytes(&s->array[i]));
    gr__free(s->array);
    gr__map_release(&s->paths);
    gr__free(s);
    *store = NULL;
}

static bool same(const gr_tensor *t, gr_dtype dtype, int rank, const int64_t *dim)
{
    return t->dtype == dtype && t->rank == rank && (rank == 0 || memcmp(t->dim, dim, (size_t)rank * sizeof *dim) == 0);
}

gr_status gr_store_add(gr_store *s, const char *path, gr_dtype dtype, int rank, const int64_t *dim, gr_tensor *out)
{
    GR_FAIL_IF(!s || !path || (rank > 0 && !dim), GR_ERR_ARGUMENT, "gr_store_add: an argument is NULL");
    GR_FAIL_IF(rank < 0 || rank > GR_MAX_RANK || gr_dtype_size_bytes(dtype) == 0, GR_ERR_ARGUMENT,
               "array '%s': rank %d or dtype %s is not possible", path, rank, gr_dtype_name(dtype));
    int64_t *known = gr__map_get_name(&s->paths, path);
    if (known) {
        gr_tensor *t = &s->array[*known];
        GR_FAIL_IF(!same(t, dtype, rank, dim), GR_ERR_ARGUMENT,
                   "array '%s' is in the store with another shape or dtype (%s, %lld elements)", path,
                   gr_dtype_name(t->dtype), (long long)gr_tensor_count(t));
        if (out) *out = *t;
        return GR_OK;
    }
    gr_tensor t = {.dtype = dtype, .rank = rank};
    size_t bytes = gr_dtype_size_bytes(dtype);
    for (int i = 0; i < rank; i++) {
        t.dim[i] = dim[i];
        GR_FAIL_IF(dim[i] < 0 || !gr__mul_size(bytes, (size_t)dim[i], &bytes), GR_ERR_ARGUMENT,
                   "array '%s' has size %lld in axis %d", path, (long long)dim[i], i);
    }
    GR_TRY(gr__grow(&s->array, sizeof *s->array, s->paths.count + 1, &s->capacity));
    t.data = gr__alloc_large(bytes);
    if (!t.data) {
        char text[32];
        gr__format_bytes(text, (double)bytes);
        return gr__fail(GR_ERR_MEMORY, "out of memory: cannot get %s for '%s'; use a smaller model", text, path);
    }
    gr_status status = gr__map_set_name(&s->paths, path, (int64_t)s->paths.count, NULL);
    if (status != GR_OK) {
        gr__free_large(t.data, bytes);
        return status;
    }
    s->array[s->paths.count - 1] = t;
    if (out) *out = t;
    return GR_OK;
}

gr_status gr_store_get(const gr_store *s, const char *path, gr_tensor *out)
{
    GR_FAIL_IF(!s || !path || !out, GR_ERR_ARGUMENT, "gr_store_get: an argument is NULL");
    int64_t *known = gr__map_get_name(&s->paths, path);
    if (known) {
        *out = s->array[*known];
        return GR_OK;
    }
    const char *nearest = NULL;
    int best = 4;
    for (size_t i = 0; i < s->paths.count; i++) {
        int d = gr__str_distance(path, s->paths.entry[i].key, best);
        if (d < best) best = d, nearest = s->paths.entry[i].key;
    }
    return gr__fail(GR_ERR_NOT_FOUND, "no array '%s' in the store%s%s%s", path, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
}

bool gr_store_at(const gr_store *s, size_t i, const char **path, gr_tensor *out)
{
    if (i >= s->paths.count) return false;
    if (path) *path = s->paths.entry[i].key;
    if (out) *out = s->array[i];
    return true;
}

size_t gr_store_count(const gr_store *s) { return s->paths.count; }

size_t gr_store_size_bytes(const gr_store *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->paths.count; i++) n += gr_tensor_size_bytes(&s->array[i]);
    return n;
}

void gr_store_touch(gr_store *s) { s->version++; }

uint64_t gr__store_version(const gr_store *s) { return s->version; }

bool gr__store_has(const gr_store *s, const char *path) { return gr__map_get_name(&s->paths, path) != NULL; }
