/* The ceiling beside which the speed of training is shown. Where the processor has no bf16 products of its own, they run
 * as f32. Measured once per format and number of threads. */
#include "gradus/tools.h"

#include "base/compiler.h"
#include "kernel/peak.h"

double gr_peak_flops(bool bf16)
{
    static GR__THREAD double known[2];
    static GR__THREAD int threads[2];
    if (threads[bf16] == gr_threads()) return known[bf16];
    double flops = gr__peak_flops(bf16, gr_threads());
    threads[bf16] = gr_threads();
    known[bf16] = flops > 0 || !bf16 ? flops : gr_peak_flops(false);
    return known[bf16];
}
