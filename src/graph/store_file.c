/* A store, or a part of it, as a safetensors file. It lies here and not in store/ because store/ and format/ are peers. */
#include "format/safetensors.h"
#include "store/store.h"

#include <string.h>

gr_status gr_store_save(const gr_store *store, const char *pattern, const char *path)
{
    GR_FAIL_IF(!store || !path, GR_ERR_ARGUMENT, "gr_store_save: an argument is NULL");
    size_t n = 0, count = gr_store_count(store);
    gr__named_tensor *t = gr__calloc(count + 1, sizeof *t);
    if (!t) return gr__fail_memory("a list of arrays", count * sizeof *t);
    for (size_t i = 0; i < count; i++) {
        gr_store_at(store, i, &t[n].name, &t[n].tensor);
        if (!pattern || gr__str_glob(pattern, t[n].name)) n++;
    }
    gr_status status = n == 0
                           ? gr__fail(GR_ERR_NOT_FOUND, "no array of the store matches '%s'", pattern ? pattern : "*")
                           : gr__safetensors_write(path, t, n, NULL, 0);
    gr__free(t);
    return status;
}

static gr_status check(const gr_store *store, const gr__safetensors *file, const char *path)
{
    for (size_t i = 0; i < gr__safetensors_count(file); i++) {
        const gr__stored *s = gr__safetensors_at(file, i);
        gr_tensor t;
        GR_FAIL_IF(s->tensor.dtype == GR_DTYPE_NONE, GR_ERR_UNSUPPORTED, "'%s': tensor '%s' has type %s", path, s->name,
                   s->type);
        if (!gr__store_has(store, s->name)) continue;
        GR_TRY(gr_store_get(store, s->name, &t));
        bool same = t.rank == s->tensor.rank && memcmp(t.dim, s->tensor.dim, (size_t)t.rank * sizeof *t.dim) == 0;
        GR_FAIL_IF(t.dtype != s->tensor.dtype, GR_ERR_DTYPE, "'%s': tensor '%s' is %s, the store has %s", path, s->name,
                   gr_dtype_name(s->tensor.dtype), gr_dtype_name(t.dtype));
        GR_FAIL_IF(!same, GR_ERR_SHAPE,
                   "'%s': tensor '%s' has %lld elements, or another shape than the store's of %lld", path, s->name,
                   (long long)gr_tensor_count(&s->tensor), (long long)gr_tensor_count(&t));
    }
    return GR_OK;
}

gr_status gr_store_load(gr_store *store, const char *path)
{
    gr__safetensors *file;
    GR_FAIL_IF(!store || !path, GR_ERR_ARGUMENT, "gr_store_load: an argument is NULL");
    GR_TRY(gr__safetensors_open(path, &file));
    gr_status status = check(store, file, path);
    for (size_t i = 0; i < gr__safetensors_count(file) && status == GR_OK; i++) {
        const gr__stored *s = gr__safetensors_at(file, i);
        gr_tensor t;
        status = gr_store_add(store, s->name, s->tensor.dtype, s->tensor.rank, s->tensor.dim, &t);
        if (status == GR_OK && s->size_bytes) memcpy(t.data, s->tensor.data, s->size_bytes);
    }
    gr_store_touch(store);
    gr__safetensors_close(&file);
    return status;
}
