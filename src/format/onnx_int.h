/* Shared by the readers of models and of tensors. */
#ifndef GR__ONNX_INT_H
#define GR__ONNX_INT_H

#include "format/onnx.h"
#include "format/wire.h"

gr_status gr__onnx_tensor_inside(gr__wire w, gr__arena *arena, gr__onnx_tensor *out);
/* A text that ends with 0; one that holds a 0 is GR_ERR_CORRUPT. */
gr_status gr__onnx_text(const gr__wire *w, const gr__wire_field *f, gr__arena *arena, const char **out);
gr_status gr__onnx_want(const gr__wire *w, const gr__wire_field *f, int kind);
/* Numbers in the file: one in a field of its own, or all in a packed one. */
gr_status gr__onnx_count_numbers(const gr__wire *w, const gr__wire_field *f, int kind, size_t *n);
/* Their bits, into 'out' from *n on. */
gr_status gr__onnx_take_numbers(const gr__wire *w, const gr__wire_field *f, int kind, uint64_t *out, size_t *n);

#endif
