#include "kernel/bag.h"

#include "kernel/simd.h"

void gr__bag_forward(const gr__bag *b)
{
    gr__run_range(gr__simd_get()->bag_forward, b, b->bags, gr__least_rows(b->c * b->t), 1);
}

void gr__bag_backward(const gr__bag *b)
{
    gr__run_range(gr__simd_get()->bag_backward, b, b->c, gr__least_rows(b->bags * b->t), GR__ALIGN);
}
