/* NumPy's .npz: a zip file whose entries NAME.npy are arrays, stored or deflated. */
#ifndef GR__NPZ_H
#define GR__NPZ_H

#include "gradus/tensor.h"

typedef struct gr__npz gr__npz;

gr_status gr__npz_open(const char *path, gr__npz **out);
void gr__npz_close(gr__npz **npz);
size_t gr__npz_count(const gr__npz *npz);
const char *gr__npz_name(const gr__npz *npz, size_t i); /* without ".npy" */
/* Free out->data with gr__free. GR_ERR_NOT_FOUND with the nearest name; else as gr__npy_read. */
gr_status gr__npz_read(const gr__npz *npz, const char *name, gr_tensor *out);

#endif
