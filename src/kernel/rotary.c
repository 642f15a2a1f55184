#include "kernel/rotary.h"

#include "kernel/simd.h"

#include <math.h>

enum { MOST = 512 };

/* Frequencies are made once, where they fit on the stack, not per position. */
void gr__rotary_run(const gr__rotary *r)
{
    gr__rotary a = *r;
    float f[MOST];
    int64_t turned = r->turned ? r->turned : r->d;
    if (!a.frequencies && turned / 2 <= MOST) {
        for (int64_t i = 0; i < turned / 2; i++) f[i] = (float)pow(r->theta, -2.0 * (double)i / (double)turned);
        a.frequencies = f;
    }
    gr__run_range(gr__simd_get()->rotary, &a, r->batch * r->t, gr__least_rows(r->heads * r->d), 1);
}
