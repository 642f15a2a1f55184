/* Optimisers, one pass: every kind is a function on vectors of p, m, v, g; a tail shorter than a vector goes through a
 * padded copy. */
#include "kernel/optim.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"

typedef struct setting {
    vf gscale, decay, coupled, lr, beta1, rest1, beta2, rest2, eps, scale2; /* the constants of the formulas */
} setting;

typedef struct state {
    vf p, m, v;
} state;

typedef void step_fn(const setting *s, state *w, vf g);

GR__INLINE void adamw(const setting *s, state *w, vf g)
{
    w->m = s->beta1 * w->m + s->rest1 * g;
    w->v = s->beta2 * w->v + s->rest2 * (g * g);
    w->p = w->p - s->lr * w->m / (vsqrt(w->v) * s->scale2 + s->eps);
}

GR__INLINE void sgd(const setting *s, state *w, vf g)
{
    w->m = s->beta1 * w->m + g;
    w->p = w->p - s->lr * w->m;
}

GR__INLINE void nesterov(const setting *s, state *w, vf g)
{
    w->m = s->beta1 * w->m + g;
    w->p = w->p - s->lr * (g + s->beta1 * w->m);
}

GR__INLINE void rmsprop(const setting *s, state *w, vf g)
{
    w->v = s->beta2 * w->v + s->rest2 * (g * g);
    w->m = s->beta1 * w->m + g / (vsqrt(w->v) + s->eps);
    w->p = w->p - s->lr * w->m;
}

GR__INLINE void adagrad(const setting *s, state *w, vf g)
{
    w->v = w->v + g * g;
    w->p = w->p - s->lr * g / (vsqrt(w->v) + s->eps);
}

GR__INLINE void lion(const setting *s, state *w, vf g)
{
    vf u = s->beta1 * w->m + s->rest1 * g, zero = vzero();
    vf sign = vselect(vgt(u, zero), vset(1), vselect(vgt(zero, u), vset(-1), u));
    w->p = w->p - s->lr * sign;
    w->m = s->beta2 * w->m + s->rest2 * g;
}

GR__INLINE void one_vector(const setting *s, step_fn *fn, bool coupled, float *p, float *m, float *v, vf g, vf *out)
{
    state w = {vload(p), vload_or(m, 0, vzero()), vload_or(v, 0, vzero())};
    g = g * s->gscale;
    if (coupled)
        g = g + s->coupled * w.p;
    else
        w.p = w.p * s->decay;
    fn(s, &w, g);
    vstore(p, w.p);
    if (m) vstore(m, w.m);
    if (v) vstore(v, w.v);
    *out = w.p;
}

/* The loop of one kind; inlined into each, so that fn, m and v are known there. */
GR__INLINE void sweep(const gr__optim *o, const setting *s, step_fn *fn, float *m, float *v, int64_t first,
                      int64_t last)
{
    const float *g32 = o->g_dtype == GR_F32 ? o->g : NULL;
    const uint16_t *g16 = o->g_dtype == GR_F32 ? NULL : o->g;
    bool coupled = o->coupled;
    int64_t i = first;
    vf out;
    for (; i + GR__W <= last; i += GR__W) {
        vf g;
        if (g32)
            g = vload(g32 + i);
        else
            g = vload_bf16(g16 + i);
        one_vector(s, fn, coupled, o->p + i, m ? m + i : NULL, v ? v + i : NULL, g, &out);
        if (o->copy) vstore_bf16(o->copy + i, out);
    }
    if (i == last) return;
    size_t n = (size_t)(last - i);
    float tp[GR__W] = {0}, tm[GR__W] = {0}, tv[GR__W] = {0}, tg[GR__W] = {0};
    memcpy(tp, o->p + i, n * 4);
    if (m) memcpy(tm, m + i, n * 4);
    if (v) memcpy(tv, v + i, n * 4);
    for (size_t j = 0; j < n; j++) tg[j] = g32 ? g32[i + (int64_t)j] : gr__bf16_to_f32(g16[i + (int64_t)j]);
    one_vector(s, fn, coupled, tp, m ? tm : NULL, v ? tv : NULL, vload(tg), &out);
    memcpy(o->p + i, tp, n * 4);
    if (m) memcpy(m + i, tm, n * 4);
    if (v) memcpy(v + i, tv, n * 4);
    for (size_t j = 0; o->copy && j < n; j++) o->copy[i + (int64_t)j] = gr__f32_to_bf16(tp[j]);
}

void GR__KERNEL(optim)(const void *args, int64_t first, int64_t last)
{
    const gr__optim *o = args;
    bool adam = o->kind == GR__OPTIM_ADAMW;
    setting s = {
        .gscale = vset((float)o->gscale),
        .decay = vset((float)(1 - o->lr * o->weight_decay)),
        .coupled = vset((float)o->weight_decay),
        .lr = vset((float)(adam ? o->lr / o->correction1 : o->lr)),
        .beta1 = vset((float)o->beta1),
        .rest1 = vset((float)(1 - o->beta1)),
        .beta2 = vset((float)o->beta2),
        .rest2 = vset((float)(1 - o->beta2)),
        .eps = vset((float)o->eps),
        .scale2 = vset(adam ? (float)(1 / sqrt(o->correction2)) : 1.0f),
    };
    switch (o->kind) {
    case GR__OPTIM_ADAMW: sweep(o, &s, adamw, o->m, o->v, first, last); break;
    case GR__OPTIM_SGD:
        if (o->nesterov && o->m)
            sweep(o, &s, nesterov, o->m, NULL, first, last);
        else
            sweep(o, &s, sgd, o->m, NULL, first, last);
        break;
    case GR__OPTIM_RMSPROP: sweep(o, &s, rmsprop, o->m, o->v, first, last); break;
    case GR__OPTIM_ADAGRAD: sweep(o, &s, adagrad, NULL, o->v, first, last); break;
    case GR__OPTIM_LION: sweep(o, &s, lion, o->m, NULL, first, last); break;
    case GR__OPTIM_COUNT: break;
    }
}
