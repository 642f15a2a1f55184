/* Max pooling and its gradient, channels last, over 1 to 3 axes (ones in front where there are fewer). */
#ifndef GR__POOL_H
#define GR__POOL_H

#include "base/compiler.h"
#include "kernel/conv.h"
#include "kernel/rows.h"

typedef struct gr__pool_shape {
    bool adaptive; /* bin o of an axis is [floor(o*in/out), ceil((o + 1)*in/out)); else windows */
    int64_t batch, c;
    int64_t in[GR__SPATIAL], out[GR__SPATIAL];
    int64_t size[GR__SPATIAL], stride[GR__SPATIAL], dilation[GR__SPATIAL], before[GR__SPATIAL];
} gr__pool_shape;

/* The places first, first + step, .. (n of them, may be 0) of an axis that window o sees. */
GR__INLINE void gr__pool_taps(const gr__pool_shape *s, int axis, int64_t o, int64_t *first, int64_t *step, int64_t *n)
{
    int64_t in = s->in[axis], out = s->out[axis];
    if (s->adaptive) {
        *first = o * in / out;
        *step = 1;
        *n = ((o + 1) * in + out - 1) / out - *first;
        return;
    }
    int64_t d = s->dilation[axis], from = o * s->stride[axis] - s->before[axis],
            skip = from < 0 ? (-from + d - 1) / d : 0;
    *first = from + skip * d;
    *step = d;
    int64_t left = s->size[axis] - skip, room = *first < in ? (in - 1 - *first) / d + 1 : 0;
    *n = GR__MAX(GR__MIN(left, room), 0);
}

/* Every window that sees place i is among first .. last; some of these may not. */
GR__INLINE void gr__pool_windows(const gr__pool_shape *s, int axis, int64_t i, int64_t *first, int64_t *last)
{
    int64_t in = s->in[axis], out = s->out[axis], low, high;
    if (s->adaptive) {
        low = i * out / in - 1;
        high = (i + 1) * out / in + 1;
    } else {
        int64_t span = (s->size[axis] - 1) * s->dilation[axis], at = i + s->before[axis], stride = s->stride[axis];
        low = at > span ? (at - span + stride - 1) / stride : 0;
        high = at / stride;
    }
    *first = GR__MAX(low, 0);
    *last = GR__MIN(high, out - 1);
}

/* Each place is seen by one window. */
GR__INLINE bool gr__pool_tiles(const gr__pool_shape *s)
{
    bool all = !s->adaptive;
    for (int i = 0; i < GR__SPATIAL; i++)
        all = all && s->stride[i] == s->size[i] && s->in[i] == s->out[i] * s->size[i] && s->before[i] == 0 &&
              s->dilation[i] == 1;
    return all;
}

typedef struct gr__pool {
    gr__pool_shape shape;
    gr__rows x, y; /* rows of c; NULL data: not wanted */
    int32_t *arg;  /* (batch, out..., c): place of the maximum, counted over the spatial axes of x; -1: nothing seen */
    gr__rows dy, dx;
} gr__pool;

/* The largest of each window, the first among equals; a NaN wins. */
void gr__max_pool_forward(const gr__pool *p);
/* dx = the sum of the dy whose maximum lies there. */
void gr__max_pool_backward(const gr__pool *p);

#endif
