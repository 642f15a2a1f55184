#include "kernel/rnn.h"

#include "kernel/simd.h"

/* Few units go to one thread: a step is short. */
enum { LEAST_UNITS = 16 };

static void run(gr__range_kernel *fn, const gr__rnn *r)
{
    int64_t blocks = (r->hidden + GR__RNN_BLOCK - 1) / GR__RNN_BLOCK;
    gr__run_range(fn, r, r->batch * blocks, LEAST_UNITS, 1);
}

void gr__rnn_forward(const gr__rnn *r) { run(gr__simd_get()->rnn_forward, r); }
void gr__rnn_backward(const gr__rnn *r) { run(gr__simd_get()->rnn_backward, r); }
