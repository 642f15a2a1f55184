#include "kernel/norm.h"

#include "base/parallel.h"
#include "kernel/simd_int.h"

static int64_t padded(int64_t c) { return (c + 15) & ~(int64_t)15; }

size_t gr__norm_scratch_bytes(int64_t rows, int64_t c)
{
    int64_t per, chunks = gr__chunks(rows, gr__least_rows(c), &per);
    return (size_t)(chunks * 2 * padded(c)) * sizeof(float);
}

void gr__layer_norm_forward(const gr__norm *n)
{
    gr__run_range(gr__simd_get()->layer_norm_forward, n, n->rows, gr__least_rows(n->c), 1);
}

void gr__rms_norm_forward(const gr__norm *n)
{
    gr__run_range(gr__simd_get()->rms_norm_forward, n, n->rows, gr__least_rows(n->c), 1);
}

/* The chunks of rows are those of gr__run_range(), so that part i is chunk i. */
static void backward(const gr__norm *n, gr__range_kernel *fn, bool has_beta)
{
    gr__norm_backward b = {.norm = n, .ld = padded(n->c)};
    int64_t chunks = gr__chunks(n->rows, gr__least_rows(n->c), &b.per);
    if (n->dgamma || (has_beta && n->dbeta)) b.parts = n->scratch;
    gr__run_range(fn, &b, n->rows, gr__least_rows(n->c), 1);
    float *out[2] = {n->dgamma, has_beta ? n->dbeta : NULL};
    for (int i = 0; i < 2; i++) {
        if (!out[i]) continue;
        gr__add_parts sum = {.parts = b.parts + i * b.ld,
                             .n = n->rows > 0 ? chunks : 0,
                             .ld = 2 * b.ld,
                             .y = out[i],
                             .scale = 1,
                             .accumulate = n->accumulate};
        gr__run_range(gr__simd_get()->add_parts, &sum, n->c, gr__least_rows(chunks), GR__ALIGN);
    }
}

void gr__layer_norm_backward(const gr__norm *n) { backward(n, gr__simd_get()->layer_norm_backward, true); }

void gr__rms_norm_backward(const gr__norm *n) { backward(n, gr__simd_get()->rms_norm_backward, false); }
