/* NumPy arrays (numpy.lib.format, versions 1 to 3). The header is a Python literal, read by a strict scanner. */
#ifndef GR__NPY_H
#define GR__NPY_H

#include "gradus/tensor.h"

/* Any plain type of gr_dtype but bf16, either byte order, C or Fortran order (turned into C order).
 * Free out->data with gr__free. Failure: *out untouched; objects and structures are GR_ERR_UNSUPPORTED. */
gr_status gr__npy_read(const char *path, gr_tensor *out);
/* The same from memory; 'name' stands in messages. */
gr_status gr__npy_read_bytes(const unsigned char *bytes, size_t n, const char *name, gr_tensor *out);

/* Version 1, little-endian, data at a multiple of 64 bytes: what numpy.save writes. bf16 is GR_ERR_UNSUPPORTED. */
gr_status gr__npy_write(const char *path, const gr_tensor *tensor);

#endif
