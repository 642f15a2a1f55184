/* The weights of a model, wherever they lie: one safetensors file, a folder with model.safetensors, or a folder (or
 * model.safetensors.index.json) whose weights are spread over several files. */
#ifndef GR__WEIGHTS_H
#define GR__WEIGHTS_H

#include "format/safetensors.h"

typedef struct gr__weights gr__weights;

/* path: a .safetensors file, an index.json, or a folder. */
gr_status gr__weights_open(const char *path, gr__weights **out);
void gr__weights_close(gr__weights **w);

/* Sorted by name. */
size_t gr__weights_count(const gr__weights *w);
const gr__stored *gr__weights_at(const gr__weights *w, size_t i);
const gr__stored *gr__weights_find(const gr__weights *w, const char *name); /* NULL: not there */
/* Metadata of the first file that has the key; NULL: none. */
const char *gr__weights_metadata(const gr__weights *w, const char *key);
/* Borrows a tensor until close. GR_ERR_NOT_FOUND (with the nearest name), GR_ERR_UNSUPPORTED (type named). */
gr_status gr__weights_get(const gr__weights *w, const char *name, gr_tensor *out);

/* Writes model.safetensors into 'folder' or, above shard_bytes (> 0) of data, model-00001-of-0000N.safetensors and
 * model.safetensors.index.json, the index last. */
gr_status gr__weights_write(const char *folder, const gr__named_tensor *tensors, size_t n,
                            const gr__name_value *metadata, size_t n_metadata, uint64_t shard_bytes);

#endif
