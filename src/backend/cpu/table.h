/* What the files of the CPU's kernel table share. */
#ifndef GR__CPU_TABLE_H
#define GR__CPU_TABLE_H

#include "graph/kernel_row.h"
#include "kernel/rows.h"

#define GR_X(name) extern const gr__kernel gr__cpu_##name;
#include "backend/cpu/kernels.def"
#undef GR_X
extern const gr__backend gr__cpu_backend;

/* Fills 'why' and is false. */
bool gr__refuse(char *why, const char *reason);

/* Contiguous operand seen as rows of its last axis. */
GR__INLINE gr__rows gr__rows_of(const gr__arg *a)
{
    return (gr__rows){.data = a->data, .dtype = a->dtype, .ld = a->rank ? a->dim[a->rank - 1] : 1};
}
GR__INLINE int64_t gr__last_dim(const gr__arg *a) { return a->rank ? a->dim[a->rank - 1] : 1; }
GR__INLINE bool gr__fast_float(const gr__arg *a) { return a->dtype == GR_F32 || a->dtype == GR_BF16; }
/* All float operands and results are f32 or bf16 (those left out too). */
bool gr__all_fast(const gr__args *a);
/* b, t, h strides of (B, T, H, D); false unless d is contiguous. */
bool gr__head_strides(const gr__arg *a, int64_t stride[3]);

#endif
