#include "tensor/args.h"

#include "tensor/convert.h"

void gr__arg_strides(gr__arg *a)
{
    int64_t step = 1;
    for (int i = a->rank - 1; i >= 0; i--) {
        a->stride[i] = step;
        step *= a->dim[i];
    }
}

bool gr__arg_contiguous(const gr__arg *a)
{
    int64_t step = 1;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->dim[i] != 1 && a->stride[i] != step) return false;
        step *= a->dim[i];
    }
    return true;
}

int64_t gr__arg_count(const gr__arg *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->rank; i++) n *= a->dim[i];
    return n;
}

double gr__load_any(const gr__arg *a, int64_t offset)
{
    gr_tensor t = {.dtype = a->dtype, .data = a->data};
    return gr_tensor_get(&t, offset);
}

void gr__store(const gr__arg *a, int64_t offset, double value)
{
    gr_tensor t = {.dtype = a->dtype, .data = a->data};
    gr_tensor_set(&t, offset, value);
}

int64_t gr__load_int(const gr__arg *a, int64_t offset)
{
    if (a->dtype == GR_I64) return ((const int64_t *)a->data)[offset];
    return (int64_t)gr__load(a, offset);
}

bool gr__next_index(int rank, const int64_t *dim, int64_t *index)
{
    for (int i = rank - 1; i >= 0; i--) {
        if (++index[i] < dim[i]) return true;
        index[i] = 0;
    }
    return false;
}

int64_t gr__broadcast_offset(const gr__arg *a, int rank, const int64_t *index)
{
    int64_t o = 0;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != 1) o += index[rank - a->rank + i] * a->stride[i];
    return o;
}
