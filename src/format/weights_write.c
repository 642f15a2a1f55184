/* Writing a model folder: one file, or shards of at most shard_bytes and their index. Shards are filled in order of
 * name, so that equal models give equal files. */
#include "base/json.h"
#include "format/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gr__named_tensor *)a)->name, ((const gr__named_tensor *)b)->name);
}

/* First tensor behind the shard that starts at 'first': at least one, at most 'most' bytes. */
static size_t shard_end(const gr__named_tensor *sorted, size_t n, size_t first, uint64_t most)
{
    uint64_t bytes = 0;
    size_t i = first;
    for (; i < n; i++) {
        size_t size = gr_tensor_size_bytes(&sorted[i].tensor);
        if (i > first && bytes + size > most) break;
        bytes += size;
    }
    return i;
}

/* What an earlier save in the other form left: readers could take it for the model. */
static gr_status remove_stale(const char *folder, const char *name)
{
    char *path = gr__path_join(folder, name);
    if (!path) return gr__fail_memory("a file name", strlen(folder));
    gr_status status = gr__file_exists(path) ? gr__file_remove(path) : GR_OK;
    gr__free(path);
    return status;
}

static gr_status write_index(const char *folder, const gr__str *map, uint64_t bytes)
{
    gr__str text = {0};
    gr__str_printf(&text, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {\n",
                   (unsigned long long)bytes);
    gr__str_add(&text, gr__str_get(map));
    gr__str_add(&text, "\n  }\n}\n");
    char *path = gr__path_join(folder, INDEX);
    gr_status status = path ? gr__str_check(&text) : gr__fail_memory("a file name", 64);
    if (status == GR_OK) status = gr__str_check(map);
    if (status == GR_OK) status = gr__file_write(path, text.text, text.n);
    gr__free(path);
    gr__str_release(&text);
    return status;
}

static gr_status write_shards(const char *folder, const gr__named_tensor *sorted, size_t n,
                              const gr__name_value *metadata, size_t n_metadata, uint64_t shard_bytes, size_t shards)
{
    gr__str map = {0};
    uint64_t bytes = 0;
    gr_status status = GR_OK;
    for (size_t first = 0, k = 1; first < n && status == GR_OK; k++) {
        char name[64];
        size_t end = shard_end(sorted, n, first, shard_bytes);
        snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", k, shards);
        char *path = gr__path_join(folder, name);
        status = path ? gr__safetensors_write(path, sorted + first, end - first, metadata, n_metadata)
                      : gr__fail_memory("a file name", 64);
        gr__free(path);
        for (; first < end; first++) {
            bytes += gr_tensor_size_bytes(&sorted[first].tensor);
            gr__str_add(&map, map.n ? ",\n    " : "    ");
            gr__json_add_string(&map, sorted[first].name, strlen(sorted[first].name));
            gr__str_printf(&map, ": \"%s\"", name);
        }
    }
    if (status == GR_OK) status = write_index(folder, &map, bytes);
    gr__str_release(&map);
    return status;
}

gr_status gr__weights_write(const char *folder, const gr__named_tensor *tensors, size_t n,
                            const gr__name_value *metadata, size_t n_metadata, uint64_t shard_bytes)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += gr_tensor_size_bytes(&tensors[i].tensor);
    if (shard_bytes == 0 || bytes <= shard_bytes) {
        char *path = gr__path_join(folder, SINGLE);
        if (!path) return gr__fail_memory("a file name", strlen(folder));
        gr_status status = gr__safetensors_write(path, tensors, n, metadata, n_metadata);
        gr__free(path);
        return status == GR_OK ? remove_stale(folder, INDEX) : status;
    }
    gr__named_tensor *sorted = gr__calloc(n, sizeof *sorted);
    if (!sorted) return gr__fail_memory("a list of tensors", n * sizeof *sorted);
    memcpy(sorted, tensors, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_name);
    size_t shards = 0;
    for (size_t first = 0; first < n; shards++) first = shard_end(sorted, n, first, shard_bytes);
    gr_status status = write_shards(folder, sorted, n, metadata, n_metadata, shard_bytes, shards);
    gr__free(sorted);
    return status == GR_OK ? remove_stale(folder, SINGLE) : status;
}
