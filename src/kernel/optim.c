#include "kernel/optim.h"

#include "kernel/simd.h"

void gr__optim_run(const gr__optim *o) { gr__run_range(gr__simd_get()->optim, o, o->count, 16384, GR__ALIGN); }
