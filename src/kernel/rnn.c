#include "kernel/rnn.h"

#include "kernel/simd.h"

/* Few units go to one thread: a step is short. */
enum { LEAST_UNITS = 16 };

static void run(gr__range_kernel *fn, const gr__rnn *r)
{
    gr__run_range(fn, r, r->batch * gr__rnn_blocks(r), LEAST_UNITS, 1);
}

void gr__rnn_forward(const gr__rnn *r) { run(gr__simd_get()->rnn_forward, r); }
void gr__rnn_backward(const gr__rnn *r) { run(gr__simd_get()->rnn_backward, r); }

void gr__rnn_forward_block(const gr__rnn *r, int64_t block)
{
    gr__range_kernel *fn = gr__simd_get()->rnn_forward;
    for (int64_t at = block, blocks = gr__rnn_blocks(r); at < r->batch * blocks; at += blocks) fn(r, at, at + 1);
}
