#include "backend/cpu/table.h"

#include <stdio.h>

static const gr__kernel *const rows[] = {
#define GR_X(name) &gr__cpu_##name,
#include "backend/cpu/kernels.def"
#undef GR_X
};

const gr__backend gr__cpu_backend = {.name = "cpu", .rows = rows, .n_rows = (int)GR__COUNT(rows)};

bool gr__refuse(char *why, const char *reason)
{
    snprintf(why, GR__WHY_BYTES, "%s", reason);
    return false;
}

static bool fast(const gr__arg *a) { return a->dtype != GR_F64 && a->dtype != GR_F16; }

bool gr__all_fast(const gr__args *a)
{
    for (int i = 0; i < a->n_in; i++)
        if (!fast(&a->in[i])) return false;
    for (int i = 0; i < a->n_out; i++)
        if (!fast(&a->out[i])) return false;
    return true;
}

bool gr__head_strides(const gr__arg *a, int64_t stride[3])
{
    for (int i = 0; i < 3; i++) stride[i] = a->stride[i];
    return a->dim[3] == 1 || a->stride[3] == 1;
}
