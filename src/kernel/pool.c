#include "kernel/pool.h"

#include "kernel/simd.h"

static int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

void gr__max_pool_forward(const gr__pool *p)
{
    const gr__pool_shape *s = &p->shape;
    int64_t seen = s->adaptive ? volume(s->in) / volume(s->out) : volume(s->size);
    gr__run_range(gr__simd_get()->max_pool, p, s->batch * volume(s->out), gr__least_rows(s->c * GR__MAX(seen, 1)), 1);
}

void gr__max_pool_backward(const gr__pool *p)
{
    const gr__pool_shape *s = &p->shape;
    bool tiles = gr__pool_tiles(s); /* then a unit is a window, else a place */
    int64_t units = s->batch * volume(tiles ? s->out : s->in), each = tiles ? volume(s->size) : 1;
    gr__run_range(gr__simd_get()->max_pool_grad, p, units, gr__least_rows(s->c * each), 1);
}
