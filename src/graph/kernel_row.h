/* The row of a kernel in a backend's table. The first applicable row of an op wins; the op's reference is last. */
#ifndef GR__KERNEL_ROW_H
#define GR__KERNEL_ROW_H

#include "graph/op_row.h"

#define GR__WHY_BYTES 160

typedef struct gr__kernel {
    const gr__op *op;    /* NULL: every element-wise op */
    const char *name;    /* "matmul.onednn" */
    uint32_t in_strided; /* operands that may have any strides; the others arrive contiguous (a copy is made) */
    uint32_t out_strided;
    /* Looks at shapes, strides, dtypes and attributes only. false: 'why' (GR__WHY_BYTES) says what it cannot do. NULL: always. */
    bool (*applicable)(const gr__args *a, char *why);
    /* Bytes of scratch for this number of threads; NULL: none. */
    size_t (*scratch_bytes)(const gr__args *a);
    /* Bytes of the weight in the order that the kernel reads fastest (op/pack.h); NULL: it reads it as it lies. */
    size_t (*packed_bytes)(const gr__args *a);
    /* Once per session, pointers final: what can be worked out before the runs. NULL: nothing. */
    gr_status (*prepare)(const gr__args *a, void **state);
    void (*release)(void *state);
    gr_status (*run)(const gr__args *a, void *state);
} gr__kernel;

typedef struct gr__backend {
    const char *name;
    const gr__kernel *const *rows;
    int n_rows;
} gr__backend;

/* The first row of a->op that takes such operands, all of them contiguous; NULL: none. */
GR__INLINE const gr__kernel *gr__kernel_for(const gr__backend *backend, const gr__args *a)
{
    char why[GR__WHY_BYTES];
    for (int i = 0; i < backend->n_rows; i++) {
        const gr__kernel *row = backend->rows[i];
        if (row->op == a->op && (!row->applicable || row->applicable(a, why))) return row;
    }
    return NULL;
}

#endif
