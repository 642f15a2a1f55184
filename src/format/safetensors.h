/* The safetensors container (huggingface/safetensors README "Format"), read by mapping, written reproducibly.
 *
 *   | u64 N | JSON header, N bytes | tensor data, without holes or overlaps, to the end of the file |
 *
 * Everything in the file is checked at opening; afterwards reading a tensor cannot fail. */
#ifndef GR__SAFETENSORS_H
#define GR__SAFETENSORS_H

#include "base/file.h"
#include "gradus/tensor.h"

/* A tensor in a file. */
typedef struct gr__stored {
    const char *name;
    const char *type;  /* as the file says: "BF16", "F8_E4M3" */
    gr_tensor tensor;  /* dtype GR_DTYPE_NONE where Gradus cannot compute with 'type'; data borrowed, aligned */
    size_t size_bytes; /* stored */
    uint64_t offset;   /* of its data in the file */
} gr__stored;

typedef struct gr__name_value {
    const char *name, *value;
} gr__name_value;

/* ---- reading ---- */

typedef struct gr__safetensors gr__safetensors;

/* GR_ERR_CORRUPT names the rule that is broken; GR_ERR_LIMIT, GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_MEMORY. */
gr_status gr__safetensors_open(const char *path, gr__safetensors **out);
/* The same from memory that outlives the object (fuzzing, embedded models); 'name' stands in messages. */
gr_status gr__safetensors_open_bytes(const unsigned char *bytes, size_t n, const char *name, gr__safetensors **out);
void gr__safetensors_close(gr__safetensors **file);

/* In the order of their data. */
size_t gr__safetensors_count(const gr__safetensors *file);
const gr__stored *gr__safetensors_at(const gr__safetensors *file, size_t i);
const gr__stored *gr__safetensors_find(const gr__safetensors *file, const char *name); /* NULL: not there */
/* Pairs of __metadata__ in file order. */
size_t gr__safetensors_metadata_count(const gr__safetensors *file);
const gr__name_value *gr__safetensors_metadata_at(const gr__safetensors *file, size_t i);

/* ---- writing ---- */

typedef struct gr__named_tensor {
    const char *name;
    gr_tensor tensor; /* data may be NULL where it is streamed */
} gr__named_tensor;

/* Sorted by type (widest first) and name, header padded to 8 bytes, metadata sorted: equal tensors give equal bytes,
 * the reference writer's. Nothing replaces 'path' before all of it is on disk. */
gr_status gr__safetensors_write(const char *path, const gr__named_tensor *tensors, size_t n,
                                const gr__name_value *metadata, size_t n_metadata);

/* The same in pieces: open, the data of tensor gr__st_writer_order(w, 0), 1, ... in any number of pieces, commit. */
typedef struct gr__st_writer gr__st_writer;
gr_status gr__st_writer_open(const char *path, const gr__named_tensor *tensors, size_t n,
                             const gr__name_value *metadata, size_t n_metadata, gr__st_writer **out);
size_t gr__st_writer_order(const gr__st_writer *w, size_t k); /* index of the k-th tensor of the file */
gr_status gr__st_writer_add(gr__st_writer *w, const void *bytes, size_t n);
gr_status gr__st_writer_commit(gr__st_writer **w); /* closes and nulls *w in any case */
void gr__st_writer_drop(gr__st_writer **w);

#endif
