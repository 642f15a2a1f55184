/* Max pooling, its gradient, and resampling: a unit is one position of the result, vectors run over its channels. Each
 * channel is summed in the order of its taps, whatever the width of a vector. */
#include "kernel/pool.h"
#include "kernel/resample.h"
#include "kernel/simd/tile.h"

enum { FLOATS = GR__W }; /* of the block in which the last channels are padded */

GR__INLINE vf load_some(const gr__rows *x, int64_t at, int64_t n)
{
    if (n >= GR__W) {
        if (x->dtype == GR_BF16) return vload_bf16((const uint16_t *)x->data + at);
        return vload((const float *)x->data + at);
    }
    float some[FLOATS] = {0};
    for (int64_t i = 0; i < n; i++)
        some[i] = x->dtype == GR_BF16 ? gr__bf16_to_f32(((const uint16_t *)x->data)[at + i])
                                      : ((const float *)x->data)[at + i];
    return vload(some);
}

GR__INLINE void store_some(const gr__rows *y, int64_t at, int64_t n, vf v)
{
    if (n >= GR__W) {
        if (y->dtype == GR_BF16)
            vstore_bf16((uint16_t *)y->data + at, v);
        else
            vstore((float *)y->data + at, v);
        return;
    }
    float some[FLOATS];
    vstore(some, v);
    for (int64_t i = 0; i < n; i++)
        if (y->dtype == GR_BF16)
            ((uint16_t *)y->data)[at + i] = gr__f32_to_bf16(some[i]);
        else
            ((float *)y->data)[at + i] = some[i];
}

/* Position r of an array of these sizes: batch and one number an axis. */
GR__INLINE int64_t split(int64_t r, const int64_t *size, int64_t *at)
{
    for (int i = GR__SPATIAL - 1; i >= 0; i--) {
        at[i] = r % size[i];
        r /= size[i];
    }
    return r;
}

/* Positions in their order: only the last axis changes from one to the next, but at the end of a line. */
typedef struct walk {
    int64_t n, at[GR__SPATIAL];
    bool new_line;
} walk;

GR__INLINE walk walk_from(int64_t r, const int64_t *size)
{
    walk w = {.new_line = true};
    w.n = split(r, size, w.at);
    return w;
}

GR__INLINE void walk_on(walk *w, const int64_t *size)
{
    w->new_line = ++w->at[2] == size[2];
    for (int i = 2; i > 0 && w->at[i] == size[i]; i--) {
        w->at[i] = 0;
        w->at[i - 1]++;
    }
    if (w->at[0] == size[0]) {
        w->at[0] = 0;
        w->n++;
    }
}

/* ---- max pooling ---- */

typedef struct window {
    int64_t n, first[GR__SPATIAL], step[GR__SPATIAL], count[GR__SPATIAL];
} window;

/* The lanes of a vector of integers where m holds are b, else a. */
GR__INLINE vi pick(vm m, vi b, vi a) { return vbits(vselect(m, vfrombits(b), vfrombits(a))); }

GR__INLINE void one_vector(const gr__pool *p, const window *w, int64_t row, int64_t at, int64_t n)
{
    const gr__pool_shape *s = &p->shape;
    vf best = vset(-INFINITY);
    bool any = w->count[0] && w->count[1] && w->count[2];
    vi arg = iset(any ? (int32_t)((w->first[0] * s->in[1] + w->first[1]) * s->in[2] + w->first[2]) : -1);
    for (int64_t a = 0; a < w->count[0]; a++)
        for (int64_t b = 0; b < w->count[1]; b++)
            for (int64_t c = 0; c < w->count[2]; c++) {
                int64_t i0 = w->first[0] + a * w->step[0], i1 = w->first[1] + b * w->step[1],
                        i2 = w->first[2] + c * w->step[2], place = (i0 * s->in[1] + i1) * s->in[2] + i2;
                vf v = load_some(&p->x, (w->n * s->in[0] * s->in[1] * s->in[2] + place) * s->c + at, n);
                vm more = vgt(v, best), odd = vunordered(v);
                vi here = iset((int32_t)place);
                best = vselect(odd, v, vselect(more, v, best));
                arg = pick(odd, here, pick(more, here, arg));
            }
    if (p->y.data) store_some(&p->y, row * s->c + at, n, best);
    if (!p->arg) return;
    int32_t some[FLOATS];
    memcpy(some, &arg, sizeof some);
    if (n >= GR__W)
        memcpy(p->arg + row * s->c + at, some, sizeof some);
    else
        memcpy(p->arg + row * s->c + at, some, (size_t)n * sizeof *some);
}

void GR__KERNEL(max_pool)(const void *args, int64_t first, int64_t last)
{
    const gr__pool *p = args;
    const gr__pool_shape *s = &p->shape;
    window w;
    walk o = walk_from(first, s->out);
    for (int64_t r = first; r < last; r++, walk_on(&o, s->out)) {
        w.n = o.n;
        for (int i = o.new_line ? 0 : 2; i < GR__SPATIAL; i++)
            gr__pool_taps(s, i, o.at[i], &w.first[i], &w.step[i], &w.count[i]);
        for (int64_t at = 0; at < s->c; at += GR__W) one_vector(p, &w, r, at, s->c - at);
    }
}

GR__INLINE vi load_places(const int32_t *p, int64_t n)
{
    int32_t some[FLOATS] = {0};
    if (n >= GR__W) return iload(p);
    memcpy(some, p, (size_t)n * sizeof *some);
    return iload(some);
}

/* Windows that neither meet nor leave anything out: each writes its own part of dx. */
static void spread(const gr__pool *p, int64_t first, int64_t last)
{
    const gr__pool_shape *s = &p->shape;
    const int64_t *size = s->size;
    walk o = walk_from(first, s->out);
    for (int64_t r = first; r < last; r++, walk_on(&o, s->out)) {
        int64_t begin = (o.at[0] * size[0] * s->in[1] + o.at[1] * size[1]) * s->in[2] + o.at[2] * size[2],
                all = o.n * s->in[0] * s->in[1] * s->in[2];
        for (int64_t at = 0; at < s->c; at += GR__W) {
            int64_t left = s->c - at;
            vi arg = load_places(p->arg + r * s->c + at, left);
            vf dy = load_some(&p->dy, r * s->c + at, left);
            for (int64_t a = 0; a < size[0]; a++)
                for (int64_t b = 0; b < size[1]; b++)
                    for (int64_t c = 0; c < size[2]; c++) {
                        int64_t place = begin + (a * s->in[1] + b) * s->in[2] + c;
                        vm here = veq(vfromint(ixor(arg, iset((int32_t)place))), vzero());
                        store_some(&p->dx, (all + place) * s->c + at, left, vselect(here, dy, vzero()));
                    }
        }
    }
}

void GR__KERNEL(max_pool_grad)(const void *args, int64_t first, int64_t last)
{
    const gr__pool *p = args;
    const gr__pool_shape *s = &p->shape;
    if (gr__pool_tiles(s)) {
        spread(p, first, last);
        return;
    }
    int64_t from[GR__SPATIAL], to[GR__SPATIAL];
    walk i = walk_from(first, s->in);
    for (int64_t r = first; r < last; r++, walk_on(&i, s->in)) {
        vi place = iset((int32_t)((i.at[0] * s->in[1] + i.at[1]) * s->in[2] + i.at[2]));
        for (int k = i.new_line ? 0 : 2; k < GR__SPATIAL; k++) gr__pool_windows(s, k, i.at[k], &from[k], &to[k]);
        for (int64_t at = 0; at < s->c; at += GR__W) {
            int64_t left = s->c - at;
            vf sum = vzero();
            for (int64_t a = from[0]; a <= to[0]; a++)
                for (int64_t b = from[1]; b <= to[1]; b++)
                    for (int64_t c = from[2]; c <= to[2]; c++) {
                        int64_t o = (((i.n * s->out[0] + a) * s->out[1] + b) * s->out[2] + c) * s->c + at;
                        vm here = veq(vfromint(ixor(load_places(p->arg + o, left), place)), vzero());
                        sum = vselect(here, sum + load_some(&p->dy, o, left), sum);
                    }
            store_some(&p->dx, r * s->c + at, left, sum);
        }
    }
}

/* ---- resampling ---- */

/* Channels at .. of one position. */
GR__INLINE vf weighted(const gr__resample *p, int64_t n, const int64_t *o, int64_t at, int64_t left)
{
    const gr__taps *t = p->axis;
    vf sum = vzero();
    for (int32_t a = t[0].start[o[0]]; a < t[0].start[o[0] + 1]; a++)
        for (int32_t b = t[1].start[o[1]]; b < t[1].start[o[1] + 1]; b++) {
            float outer = t[0].weight[a] * t[1].weight[b];
            int64_t row = ((n * p->in[0] + t[0].index[a]) * p->in[1] + t[1].index[b]) * p->in[2];
            for (int32_t c = t[2].start[o[2]]; c < t[2].start[o[2] + 1]; c++)
                sum = sum + vset(outer * t[2].weight[c]) * load_some(&p->x, (row + t[2].index[c]) * p->c + at, left);
        }
    return sum;
}

void GR__KERNEL(resample)(const void *args, int64_t first, int64_t last)
{
    const gr__resample *p = args;
    for (int64_t r = first; r < last; r++) {
        int64_t o[GR__SPATIAL], n = split(r, p->out, o);
        for (int64_t at = 0; at < p->c; at += GR__W)
            store_some(&p->y, r * p->c + at, p->c - at, weighted(p, n, o, at, p->c - at));
    }
}
