/* One view of the weights of a model over one or many files. Shards are opened once each; a name belongs to exactly the
 * shard that the index says. */
#include "format/weights.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

struct gr__weights {
    char *path; /* for messages */
    gr__safetensors **file;
    size_t n_files, files_capacity;
    const gr__stored **tensor; /* sorted by name */
    size_t count, capacity;
};

static gr_status add_file(gr__weights *w, const char *path)
{
    GR_TRY(gr__grow(&w->file, sizeof *w->file, w->n_files + 1, &w->files_capacity));
    GR_TRY(gr__safetensors_open(path, &w->file[w->n_files]));
    w->n_files++;
    return GR_OK;
}

static gr_status add_tensor(gr__weights *w, const gr__stored *t)
{
    GR_TRY(gr__grow(&w->tensor, sizeof *w->tensor, w->count + 1, &w->capacity));
    w->tensor[w->count++] = t;
    return GR_OK;
}

static gr_status open_single(gr__weights *w, const char *path)
{
    GR_TRY(add_file(w, path));
    for (size_t i = 0; i < gr__safetensors_count(w->file[0]); i++)
        GR_TRY(add_tensor(w, gr__safetensors_at(w->file[0], i)));
    return GR_OK;
}

/* ---- sharded ---- */

/* Opens the shard 'name' beside the index unless 'seen' has it; *at: its place in w->file. */
static gr_status open_shard(gr__weights *w, const char *folder, const char *name, gr__map *seen, size_t *at)
{
    const int64_t *known = gr__map_get_name(seen, name);
    if (known) {
        *at = (size_t)*known;
        return GR_OK;
    }
    GR_FAIL_IF(w->n_files >= GR__LIMIT_SHARDS, GR_ERR_LIMIT, "cannot load '%s': it names more than %d files", w->path,
               GR__LIMIT_SHARDS);
    char *path = gr__path_join(folder, name);
    if (!path) return gr__fail_memory("a file name", strlen(name));
    *at = w->n_files;
    gr_status status = add_file(w, path);
    gr__free(path);
    GR_TRY(status);
    return gr__map_set_name(seen, name, (int64_t)*at, NULL);
}

static gr_status read_entry(gr__weights *w, const char *folder, void *it, gr__map *seen)
{
    const char *tensor = gr__json_key(it), *name;
    size_t n, at = 0;
    if (!gr__json_string(gr__json_value(it), &name, &n) || strlen(name) != n || !gr__path_is_base(name))
        return gr__fail(GR_ERR_CORRUPT, "cannot load '%s': the file of tensor '%.100s' is not a plain file name",
                        w->path, tensor);
    GR_TRY(open_shard(w, folder, name, seen, &at));
    const gr__stored *t = gr__safetensors_find(w->file[at], tensor);
    GR_FAIL_IF(!t, GR_ERR_CORRUPT, "cannot load '%s': tensor '%.100s' is not in '%.100s', where the index says it is",
               w->path, tensor, name);
    return add_tensor(w, t);
}

static gr_status read_index(gr__weights *w, gr__json root, const char *folder)
{
    gr__json map = gr__json_get(root, "weight_map");
    gr__map seen = {0};
    int64_t total = -1;
    GR_FAIL_IF(gr__json_kind_of(map) != GR__JSON_OBJECT, GR_ERR_CORRUPT,
               "cannot load '%s': 'weight_map' is missing or not a map", w->path);
    GR_FAIL_IF(gr__json_count(map) > GR__LIMIT_TENSORS, GR_ERR_LIMIT, "cannot load '%s': it has more than %d tensors",
               w->path, GR__LIMIT_TENSORS);
    gr_status status = GR_OK;
    for (void *it = gr__json_first(map); it && status == GR_OK; it = gr__json_next(map, it))
        status = read_entry(w, folder, it, &seen);
    gr__map_release(&seen);
    GR_TRY(status);
    /* Its value says nothing sure: writers disagree about tied tensors. */
    gr__json size = gr__json_get(gr__json_get(root, "metadata"), "total_size");
    GR_FAIL_IF(size && (!gr__json_int(size, &total) || total < 0), GR_ERR_CORRUPT,
               "cannot load '%s': 'total_size' is not a number of bytes", w->path);
    return GR_OK;
}

static gr_status open_index(gr__weights *w, const char *path)
{
    gr__json_doc *doc;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? gr__strndup(path, (size_t)(slash - path) + 1) : gr__strdup("");
    if (!folder) return gr__fail_memory("a file name", strlen(path));
    gr_status status = gr__json_read(path, GR__LIMIT_JSON_BYTES, &doc);
    if (status == GR_OK) {
        status = read_index(w, gr__json_root(doc), folder);
        gr__json_free(&doc);
    }
    gr__free(folder);
    return status;
}

/* ---- opening ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const gr__stored *const *)a)->name, (*(const gr__stored *const *)b)->name);
}

static gr_status open_any(gr__weights *w, const char *path)
{
    if (!(w->path = gr__strdup(path))) return gr__fail_memory("a file name", strlen(path));
    if (!gr__file_is_dir(path)) return gr__str_ends(path, ".json") ? open_index(w, path) : open_single(w, path);
    char *single = gr__path_join(path, SINGLE), *index = gr__path_join(path, INDEX);
    gr_status status;
    if (!single || !index)
        status = gr__fail_memory("a file name", strlen(path));
    else if (gr__file_exists(single)) /* the order in which transformers looks */
        status = open_single(w, single);
    else if (gr__file_exists(index))
        status = open_index(w, index);
    else
        status = gr__fail(GR_ERR_NOT_FOUND, "cannot load '%s': it holds neither " SINGLE " nor " INDEX, path);
    gr__free(single);
    gr__free(index);
    return status;
}

gr_status gr__weights_open(const char *path, gr__weights **out)
{
    gr__weights *w = gr__calloc(1, sizeof *w);
    if (!w) return gr__fail_memory("a model", sizeof *w);
    gr_status status = open_any(w, path);
    if (status != GR_OK) {
        gr__weights_close(&w);
        return status;
    }
    if (w->count) qsort(w->tensor, w->count, sizeof *w->tensor, by_name);
    *out = w;
    return GR_OK;
}

void gr__weights_close(gr__weights **weights)
{
    gr__weights *w = *weights;
    if (!w) return;
    for (size_t i = 0; i < w->n_files; i++) gr__safetensors_close(&w->file[i]);
    gr__free(w->file);
    gr__free(w->tensor);
    gr__free(w->path);
    gr__free(w);
    *weights = NULL;
}

size_t gr__weights_count(const gr__weights *w) { return w->count; }
const gr__stored *gr__weights_at(const gr__weights *w, size_t i) { return w->tensor[i]; }

static int name_to_tensor(const void *name, const void *tensor)
{
    return strcmp(name, (*(const gr__stored *const *)tensor)->name);
}

const gr__stored *gr__weights_find(const gr__weights *w, const char *name)
{
    if (w->count == 0) return NULL;
    const gr__stored *const *t = bsearch(name, w->tensor, w->count, sizeof *w->tensor, name_to_tensor);
    return t ? *t : NULL;
}

const char *gr__weights_metadata(const gr__weights *w, const char *key)
{
    for (size_t i = 0; i < w->n_files; i++)
        for (size_t k = 0; k < gr__safetensors_metadata_count(w->file[i]); k++) {
            const gr__name_value *m = gr__safetensors_metadata_at(w->file[i], k);
            if (strcmp(m->name, key) == 0) return m->value;
        }
    return NULL;
}

gr_status gr__weights_get(const gr__weights *w, const char *name, gr_tensor *out)
{
    const gr__stored *t = gr__weights_find(w, name);
    if (!t) {
        const char *near = NULL;
        int best = (int)strlen(name) / 3 + 2;
        for (size_t i = 0; i < w->count && i < 4096; i++) {
            int d = gr__str_distance(name, w->tensor[i]->name, best);
            if (d < best) best = d, near = w->tensor[i]->name;
        }
        return gr__fail(GR_ERR_NOT_FOUND, "'%s' has no tensor '%s'%s%s%s", w->path, name,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    GR_FAIL_IF(t->tensor.dtype == GR_DTYPE_NONE, GR_ERR_UNSUPPORTED,
               "tensor '%s' of '%s' has type %s, which Gradus cannot read", name, w->path, t->type);
    *out = t->tensor;
    return GR_OK;
}
