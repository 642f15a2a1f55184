/* gradus/onnx.h: ONNX models, read and run.
 *
 *   gr_onnx *model;
 *   gr_onnx_open("model.onnx", &model);
 *   float numbers[4] = {1, 2, 3, 4};
 *   gr_tensor x = {.dtype = GR_F32, .rank = 2, .dim = {1, 4}, .data = numbers}, y;
 *   gr_onnx_run(model, &x, 1, &y, 1);          // y.data is the model's until the next run
 *   gr_onnx_free(&model);
 *
 * Tensors are as the model has them (channels first). Shapes may change from run to run: the graph is compiled for those of a
 * run and kept for the next run that has the same. Integers are computed in f64: beyond 2^53 they are refused.
 * What is not supported (an operator, external data, strings, subgraphs) is GR_ERR_UNSUPPORTED with the node's name.
 * Threads: one model, one thread at a time. */
#ifndef GRADUS_ONNX_H
#define GRADUS_ONNX_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_onnx gr_onnx;

/* What goes in or out. */
typedef struct gr_onnx_port {
    const char *name;
    gr_dtype dtype;           /* NONE: not a tensor, or of a type that is not read */
    int rank;                 /* -1: not said */
    int64_t dim[GR_MAX_RANK]; /* -1: any */
} gr_onnx_port;

/* Reads a model; operators are looked at by the first run. Failure: *out is untouched.
 * GR_ERR_NOT_FOUND, GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_onnx_open(const char *path, gr_onnx **out);
/* The same from memory, which is copied; 'name' stands in messages. */
GR_API gr_status gr_onnx_open_bytes(const void *bytes, size_t n, const char *name, gr_onnx **out);
GR_API void gr_onnx_free(gr_onnx **model);

/* The i-th input (without those that the file gives) or output; false past the end. Borrowed from the model. */
GR_API bool gr_onnx_input(const gr_onnx *model, size_t i, gr_onnx_port *out);
GR_API bool gr_onnx_output(const gr_onnx *model, size_t i, gr_onnx_port *out);
/* "opset 13, IR 7, pytorch": numbers of the file for people. */
GR_API const char *gr_onnx_about(const gr_onnx *model);

/* Computes all outputs. input: as many as the model has, in its order, of its dtypes; sizes of 0 are allowed. output: filled,
 * their data belong to the model until its next run.
 * GR_ERR_ARGUMENT, GR_ERR_DTYPE, GR_ERR_SHAPE, GR_ERR_UNSUPPORTED, GR_ERR_DATA (the model contradicts itself or its
 * inputs), GR_ERR_NUMERIC (a number does not fit an integer output), GR_ERR_MEMORY. */
GR_API gr_status gr_onnx_run(gr_onnx *model, const gr_tensor *input, int n_inputs, gr_tensor *output, int n_outputs);

/* ---- conformance tests of ONNX -------------------------------------------------------- */

typedef enum gr_onnx_verdict {
    GR_ONNX_PASSED,
    GR_ONNX_FAILED,  /* other numbers, or a failure that should not be */
    GR_ONNX_REFUSED, /* GR_ERR_UNSUPPORTED: 'why' is the sentence */
    GR_ONNX_VERDICT_COUNT
} gr_onnx_verdict;

typedef struct gr_onnx_result {
    const char *group, *test; /* the archive or folder, the test's name */
    gr_onnx_verdict verdict;
    const char *refused; /* the operator, "" for other reasons */
    const char *why;     /* "" when passed */
    bool plain;          /* all tensors of the test and constants of the model are f32, i32, i64 or bool */
    double worst;        /* the largest difference, as a multiple of the tolerance */
} gr_onnx_result;

typedef struct gr_onnx_check_options {
    double rtol, atol;   /* 0: 1e-3, 1e-7, as ONNX's own runner */
    const char *pattern; /* only tests whose name matches; NULL: all */
} gr_onnx_check_options;

/* Runs the tests below 'path': a folder of tests (each with model.onnx and test_data_set_0/), a .tar.gz of such, or a folder
 * of such archives. Beside them "light" models, NAME.onnx and NAME_output_0.pb, whose input is arange(n)/n. 'each' is
 * called after each test, in the order of names; false stops with GR_ERR_STOPPED. GR_ERR_NOT_FOUND (no tests),
 * GR_ERR_CORRUPT, GR_ERR_LIMIT, GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_onnx_check(const char *path, const gr_onnx_check_options *options,
                               bool (*each)(void *user, const gr_onnx_result *result), void *user);

#ifdef __cplusplus
}
#endif
#endif
