/* IDX (MNIST): 00 00 type rank, then big-endian u32 sizes, then big-endian elements. Plain or gzipped. */
#ifndef GR__IDX_H
#define GR__IDX_H

#include "gradus/tensor.h"

/* The whole file; free out->data with gr__free. Types: u8, i8, i16, i32, f32, f64.
 * Failure: *out untouched. GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_MEMORY. */
gr_status gr__idx_read(const char *path, gr_tensor *out);

#endif
