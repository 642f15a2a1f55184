#include "kernel/dropout.h"

#include "kernel/simd.h"

void gr__dropout_run(const gr__dropout *d) { gr__run_range(gr__simd_get()->dropout, d, d->count, 8192, GR__ALIGN); }
