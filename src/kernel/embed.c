#include "kernel/embed.h"

#include "kernel/simd.h"

void gr__embed_forward(const gr__embed *e)
{
    gr__run_range(gr__simd_get()->embed_forward, e, e->rows, gr__least_rows(e->c), 1);
}

void gr__embed_backward(const gr__embed *e)
{
    gr__run_range(gr__simd_get()->embed_backward, e, e->c, gr__least_rows(e->rows), GR__ALIGN);
}
