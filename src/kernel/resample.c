#include "kernel/resample.h"

#include "kernel/simd.h"

void gr__resample_run(const gr__resample *r)
{
    int64_t rows = r->batch * r->out[0] * r->out[1] * r->out[2], taps = 1;
    for (int i = 0; i < GR__SPATIAL; i++) taps *= GR__MAX(r->axis[i].start[r->out[i]] / r->out[i], 1);
    gr__run_range(gr__simd_get()->resample, r, rows, gr__least_rows(r->c * taps), 1);
}
