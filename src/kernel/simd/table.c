/* The table of this ISA. */
#include "kernel/cpu.h"
#include "kernel/simd.h"
#include "kernel/simd/vec.h"

#define GR_X(name) gr__range_kernel GR__KERNEL(name);
GR__SIMD_RANGE_MAP(GR_X)
#undef GR_X
#define GR_X(name) gr__task_kernel GR__KERNEL(name);
GR__SIMD_TASK_MAP(GR_X)
#undef GR_X

extern const gr__simd GR__ISA_NAME(gr__simd);

const gr__simd GR__ISA_NAME(gr__simd) = {.level = GR__MAX(GR__ISA_LEVEL, 0),
                                         .mr = GR__MR,
                                         .nr = GR__NV * GR__W,
#define GR_X(name) .name = GR__KERNEL(name),
                                         GR__SIMD_RANGE_MAP(GR_X) GR__SIMD_TASK_MAP(GR_X)
#undef GR_X
};
