#include "kernel/softmax.h"

#include "kernel/simd.h"

void gr__softmax_forward(const gr__softmax *s)
{
    gr__run_range(gr__simd_get()->softmax_forward, s, s->rows, gr__least_rows(4 * s->c), 1);
}

void gr__softmax_backward(const gr__softmax *s)
{
    gr__run_range(gr__simd_get()->softmax_backward, s, s->rows, gr__least_rows(2 * s->c), 1);
}

void gr__cross_entropy_run(const gr__cross_entropy *x)
{
    gr__run_range(gr__simd_get()->cross_entropy, x, x->rows, gr__least_rows(4 * x->v), 1);
}
