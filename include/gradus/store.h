/* gradus/store.h: the arrays that outlive a run, by path name: parameters, moments, statistics.
 * Training, evaluation and decoding plans share one store.
 *
 *   gr_store *store;
 *   gr_store_new(&store);
 *   gr_store_prepare(store, graph, 42);            // makes and initialises what the graph declares
 *   gr_tensor w;
 *   gr_store_get(store, "w", &w);                  // borrowed
 *
 * Threads: one thread at a time changes a store; any number read it meanwhile only when nobody changes it. */
#ifndef GRADUS_STORE_H
#define GRADUS_STORE_H

#include "gradus/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_store gr_store;

GR_API gr_status gr_store_new(gr_store **out);
GR_API void gr_store_free(gr_store **store);

/* Makes an array of zeros. *out (may be NULL) borrows it: its memory stays where it is until the store is freed.
 * GR_ERR_ARGUMENT when the path exists with another dtype or shape; the same again is fine. GR_ERR_MEMORY. */
GR_API gr_status gr_store_add(gr_store *store, const char *path, gr_dtype dtype, int rank, const int64_t *dim,
                              gr_tensor *out);
/* GR_ERR_NOT_FOUND with the nearest path as a hint. */
GR_API gr_status gr_store_get(const gr_store *store, const char *path, gr_tensor *out);
/* The i-th array in order of creation; false past the end. */
GR_API bool gr_store_at(const gr_store *store, size_t i, const char **path, gr_tensor *out);
GR_API size_t gr_store_count(const gr_store *store);
GR_API size_t gr_store_size_bytes(const gr_store *store);
/* Say that you changed an array: prepared forms of it (bf16 copies, ...) are made again before the next run. */
GR_API void gr_store_touch(gr_store *store);

/* Makes every state that the graph declares and the store lacks, with its initialiser. An element is a pure function of
 * (seed, path, index): the same for any number of threads. */
GR_API gr_status gr_store_prepare(gr_store *store, const gr_graph *graph, uint64_t seed);

/* Writes the arrays whose path matches 'pattern' ('*' stands for any characters, '?' for one; NULL: all) as one
 * safetensors file, atomically. GR_ERR_NOT_FOUND (nothing matches), GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_store_save(const gr_store *store, const char *pattern, const char *path);
/* Every tensor of a safetensors file into the array of its name, which is made where the store lacks it. Nothing is
 * changed before all tensors are known to fit. GR_ERR_SHAPE, GR_ERR_DTYPE (the tensor's name), GR_ERR_CORRUPT,
 * GR_ERR_NOT_FOUND, GR_ERR_UNSUPPORTED, GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_store_load(gr_store *store, const char *path);

/* Fills one array: the initialisers of gr_init on (seed, name). t is f32 or f64. GR_ERR_DTYPE, GR_ERR_ARGUMENT,
 * GR_ERR_MEMORY. */
GR_API gr_status gr_init_fill(const gr_init *init, uint64_t seed, const char *name, gr_tensor *t);

#ifdef __cplusplus
}
#endif
#endif
