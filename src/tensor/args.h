/* What a kernel gets: described arrays, the op's attributes, the session's control block, scratch.
 * Strides are in elements; a broadcast axis has stride 0. An operand left out has dtype GR_DTYPE_NONE. */
#ifndef GR__ARGS_H
#define GR__ARGS_H

#include "gradus/tensor.h"
#include "base/status.h"

#define GR__MAX_IN 24 /* operands of a node; a fused map or a concat has the most */
#define GR__MAX_OUT 8

typedef struct gr__arg {
    void *data;
    gr_dtype dtype;
    int rank;
    int64_t dim[GR_MAX_RANK];
    int64_t stride[GR_MAX_RANK];
} gr__arg;

/* One per session; written by the host before a run. */
typedef struct gr__control {
    uint64_t seed;      /* of the run */
    int64_t micro_step; /* counts forward passes */
    int64_t sample;     /* global index of the batch's first sample */
    int64_t update;     /* optimiser updates done so far */
    double learning_rate;
    bool ok; /* cleared by a guard: updates of this run are left out */
} gr__control;

typedef struct gr__args {
    const struct gr__op *op; /* of the node */
    const gr__arg *in;
    const gr__arg *out;
    int n_in, n_out;
    uint32_t wanted;  /* bit i: output i is used */
    const void *attr; /* the op's own struct */
    gr__control *control;
    uint64_t stream; /* random stream of the node */
    void *scratch;   /* as many bytes as the kernel asked for, 64-byte aligned */
} gr__args;

/* Contiguous strides for the sizes. */
void gr__arg_strides(gr__arg *a);
bool gr__arg_contiguous(const gr__arg *a);
int64_t gr__arg_count(const gr__arg *a);
GR__INLINE bool gr__arg_there(const gr__arg *a) { return a->dtype != GR_DTYPE_NONE; }

/* Element at an offset (in elements) of an array of any dtype: the reference kernels' one body for all dtypes. */
double gr__load_any(const gr__arg *a, int64_t offset);
GR__INLINE double gr__load(const gr__arg *a,
                           int64_t offset) /* f64 at once: gradients of whole models are checked in it */
{
    return a->dtype == GR_F64 ? ((const double *)a->data)[offset] : gr__load_any(a, offset);
}
void gr__store(const gr__arg *a, int64_t offset, double value);
int64_t gr__load_int(const gr__arg *a, int64_t offset);

/* Row-major walk over all elements of 'dim': index starts at zeros; false after the last. */
bool gr__next_index(int rank, const int64_t *dim, int64_t *index);
GR__INLINE int64_t gr__offset(const gr__arg *a, const int64_t *index)
{
    int64_t o = 0;
    for (int i = 0; i < a->rank; i++) o += index[i] * a->stride[i];
    return o;
}
/* Offset in an operand that is broadcast (numpy's rule) against an index of rank 'rank'. */
int64_t gr__broadcast_offset(const gr__arg *a, int rank, const int64_t *index);

#endif
