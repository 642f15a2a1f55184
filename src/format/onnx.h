/* ONNX models: protobuf messages (onnx.proto of the specification) as plain structs. All that is read lives in the file's
 * arena or in the bytes of the file. Subgraphs, functions, sparse and external tensors are seen and refused by name where
 * somebody wants them; nothing recurses on the depth of the file. */
#ifndef GR__ONNX_H
#define GR__ONNX_H

#include "base/arena.h"
#include "gradus/tensor.h"

/* ORDER KIND: AttributeProto.AttributeType */
typedef enum gr__onnx_kind {
    GR__ONNX_NONE,
    GR__ONNX_FLOAT,
    GR__ONNX_INT,
    GR__ONNX_STRING,
    GR__ONNX_TENSOR,
    GR__ONNX_GRAPH,
    GR__ONNX_FLOATS,
    GR__ONNX_INTS,
    GR__ONNX_STRINGS,
    GR__ONNX_OTHER
} gr__onnx_kind;

typedef struct gr__onnx_tensor {
    const char *name; /* "" without one */
    int type;         /* TensorProto.DataType */
    gr_tensor tensor; /* dtype NONE: a type that is not read; rank and sizes may be 0; data aligned */
    const char *why;  /* not readable: the reason; NULL: fine */
} gr__onnx_tensor;

typedef struct gr__onnx_attribute {
    const char *name;
    gr__onnx_kind kind;
    float f;
    int64_t i;
    const char *s; /* ends with 0 */
    size_t s_n;
    const gr__onnx_tensor *t;
    const float *floats;
    const int64_t *ints;
    size_t n; /* of floats or ints */
} gr__onnx_attribute;

typedef struct gr__onnx_node {
    const char *name, *op, *domain;
    const char **in, **out; /* "" where left out */
    size_t n_in, n_out;
    gr__onnx_attribute *attribute;
    size_t n_attributes;
} gr__onnx_node;

/* What goes in or out. dim -1: any size. rank -1: not said, dtype NONE: not a tensor or of a type that is not read. */
typedef struct gr__onnx_port {
    const char *name;
    gr_dtype dtype;
    int rank;
    int64_t dim[GR_MAX_RANK];
} gr__onnx_port;

typedef struct gr__onnx {
    gr__arena arena;
    int64_t ir, opset;    /* opset of the default domain */
    const char *producer; /* "" unknown */
    gr__onnx_node *node;  /* in order of computation */
    gr__onnx_tensor *initializer;
    gr__onnx_port *input, *output; /* inputs without those that are initializers */
    size_t n_nodes, n_initializers, n_inputs, n_outputs;
    size_t n_functions, n_sparse; /* seen, not read */
} gr__onnx;

/* 'bytes' must outlive the model. Free with gr__onnx_release, also after a failure.
 * GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_UNSUPPORTED, GR_ERR_MEMORY. */
gr_status gr__onnx_read(const unsigned char *bytes, size_t n, const char *name, gr__onnx *out);
void gr__onnx_release(gr__onnx *model);

/* A file with one TensorProto (test data). The tensor lives in the arena or in 'bytes'. */
gr_status gr__onnx_read_tensor(const unsigned char *bytes, size_t n, const char *name, gr__arena *arena,
                               gr__onnx_tensor *out);

/* GR_DTYPE_NONE for types that are not read; the name of any type ("FLOAT8E4M3FN"). */
gr_dtype gr__onnx_dtype(int64_t type);
const char *gr__onnx_type_name(int64_t type);

#endif
