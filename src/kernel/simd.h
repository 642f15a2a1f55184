/* The kernels that are compiled for several ISAs (files of simd/), as a table of functions per ISA.
 *
 * A range kernel works on units first .. last-1 (rows, elements, columns) of the operation that 'args' describes; the
 * drivers of this folder (norm.c, softmax.c, ...) cut the units into chunks. A task kernel works on one task of a plan
 * and owns the scratch of 'thread'. To add one: a line here, and the function GR__KERNEL(name) in a file of simd/. */
#ifndef GR__SIMD_H
#define GR__SIMD_H

#include "base/compiler.h"

typedef void gr__range_kernel(const void *args, int64_t first, int64_t last);
typedef void gr__task_kernel(const void *plan, int64_t task, int thread);

/* name: type of args; unit */
#define GR__SIMD_RANGE_MAP(X)                                           \
    X(layer_norm_forward)  /* gr__norm; row */                          \
    X(layer_norm_backward) /* gr__norm_backward; row */                 \
    X(rms_norm_forward)    /* gr__norm; row */                          \
    X(rms_norm_backward)   /* gr__norm_backward; row */                 \
    X(softmax_forward)     /* gr__softmax; row */                       \
    X(softmax_backward)    /* gr__softmax; row */                       \
    X(cross_entropy)       /* gr__cross_entropy; row */                 \
    X(optim)               /* gr__optim; element */                     \
    X(embed_forward)       /* gr__embed; row */                         \
    X(embed_backward)      /* gr__embed; column */                      \
    X(bag_forward)         /* gr__bag; bag */                           \
    X(bag_backward)        /* gr__bag; column */                        \
    X(sum_rows)            /* gr__sum_rows_part; row */                 \
    X(add_parts)           /* gr__add_parts; column */                  \
    X(reduce_last)         /* gr__reduce; outer */                      \
    X(reduce_columns)      /* gr__reduce; outer*inner */                \
    X(sum_squares)         /* gr__squares; element */                   \
    X(all_finite)          /* gr__squares; element */                   \
    X(cast)                /* gr__cast_args; element */                 \
    X(gemm_f64)            /* gr__gemm; GR__GEMM_F64_ROWS rows */       \
    X(gemm_lay)            /* gr__gemm_lay; GR__GEMM_LAY_UNITS */       \
    X(transpose)           /* gr__transpose; block row */               \
    X(dropout)             /* gr__dropout; element */                   \
    X(rotary)              /* gr__rotary; (b, t) */                     \
    X(map)                 /* gr__map_plan; tile row */                 \
    X(max_pool)            /* gr__pool; place of y */                   \
    X(max_pool_grad)       /* gr__pool; place of x */                   \
    X(resample)            /* gr__resample; place of y */               \
    X(group_norm_sums)     /* gr__group_norm_plan; chunk of a sample */ \
    X(group_norm_apply)                                                 \
    X(group_norm_back_sums)                                             \
    X(group_norm_back_apply)                                            \
    X(rnn_forward) /* gr__rnn; block of a row of the batch */           \
    X(rnn_backward)

#define GR__SIMD_TASK_MAP(X)                      \
    X(gemm) /* gr__gemm_call */                   \
    X(gemm_bf16)                                  \
    X(attention_forward) /* gr__attention_plan */ \
    X(attention_backward)                         \
    X(attention_forward_bf16)                     \
    X(attention_backward_bf16)

typedef struct gr__simd {
    int level;  /* gr__cpu_level */
    int mr, nr; /* rows and columns of the register tile of matrix products */
#define GR_X(name) gr__range_kernel *name;
    GR__SIMD_RANGE_MAP(GR_X)
#undef GR_X
#define GR_X(name) gr__task_kernel *name;
    GR__SIMD_TASK_MAP(GR_X)
#undef GR_X
} gr__simd;

/* The table of the level in use (cpu.h). */
const gr__simd *gr__simd_get(void);

/* The same for kernels on bf16 pairs: AVX-512 without its bf16 dot product steps down to AVX2. */
const gr__simd *gr__simd_get_bf16(void);

/* Runs fn on chunks of at least 'least' units; limits between chunks are multiples of 'align'. */
void gr__run_range(gr__range_kernel *fn, const void *args, int64_t count, int64_t least, int64_t align);

/* Chunks of rows of c elements: about 32 Ki elements each. */
GR__INLINE int64_t gr__least_rows(int64_t c) { return GR__MAX(32768 / GR__MAX(c, 1), 1); }

#endif
