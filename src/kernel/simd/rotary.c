/* A unit is a position (b, t): its angles are computed once and turn all heads. */
#include "kernel/rotary.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"
#include "kernel/simd/trig.h"

enum { PAIRS = 256 };

typedef struct turn {
    float cos[PAIRS], sin[PAIRS];
} turn;

/* Angles as a model in f32 has them: position and frequency rounded to float, then their product. */
static void set_angles(const gr__rotary *r, int64_t position, int64_t pair, int64_t n, int64_t turned, turn *t)
{
    float angle[PAIRS];
    for (int64_t i = 0; i < n; i++) {
        float f = r->frequencies ? r->frequencies[pair + i]
                                 : (float)pow(r->theta, -2.0 * (double)(pair + i) / (double)turned);
        angle[i] = (float)position * f;
    }
    trig(t->cos, angle, n, 1);
    trig(t->sin, angle, n, 0);
    for (int64_t i = 0; r->inverse && i < n; i++) t->sin[i] = -t->sin[i];
}

GR__INLINE vf load(const void *p, gr_dtype dtype, int64_t i)
{
    return dtype == GR_F32 ? vload((const float *)p + i) : vload_bf16((const uint16_t *)p + i);
}

GR__INLINE void store(void *p, gr_dtype dtype, int64_t i, vf v)
{
    if (dtype == GR_F32)
        vstore((float *)p + i, v);
    else
        vstore_bf16((uint16_t *)p + i, v);
}

GR__INLINE float get(const void *p, gr_dtype dtype, int64_t i)
{
    return dtype == GR_F32 ? ((const float *)p)[i] : gr__bf16_to_f32(((const uint16_t *)p)[i]);
}

GR__INLINE void put(void *p, gr_dtype dtype, int64_t i, float v)
{
    if (dtype == GR_F32)
        ((float *)p)[i] = v;
    else
        ((uint16_t *)p)[i] = gr__f32_to_bf16(v);
}

/* The pair (a, b) number i lies at i*step and i*step + apart; x may be y, so each pair is read before it is written. */
GR__INLINE void turn_pairs(const void *x, void *y, gr_dtype dtype, const turn *t, int64_t n, int64_t step,
                           int64_t apart)
{
    int64_t i = 0;
    for (; step == 1 && i + GR__W <= n; i += GR__W) {
        vf a = load(x, dtype, i), b = load(x, dtype, i + apart), c = vload(t->cos + i), s = vload(t->sin + i);
        store(y, dtype, i, a * c - b * s);
        store(y, dtype, i + apart, b * c + a * s);
    }
    for (; i < n; i++) {
        float a = get(x, dtype, i * step), b = get(x, dtype, i * step + apart);
        put(y, dtype, i * step, a * t->cos[i] - b * t->sin[i]);
        put(y, dtype, i * step + apart, b * t->cos[i] + a * t->sin[i]);
    }
}

static void turn_head(const gr__rotary *r, const turn *t, int64_t x_at, int64_t y_at, int64_t pair, int64_t n,
                      int64_t turned)
{
    size_t size = r->dtype == GR_F32 ? 4 : 2;
    int64_t at = r->interleaved ? 2 * pair : pair;
    const char *x = (const char *)r->x + (size_t)(x_at + at) * size;
    char *y = (char *)r->y + (size_t)(y_at + at) * size;
    if (r->dtype == GR_F32 && r->interleaved)
        turn_pairs(x, y, GR_F32, t, n, 2, 1);
    else if (r->dtype == GR_F32)
        turn_pairs(x, y, GR_F32, t, n, 1, turned / 2);
    else if (r->interleaved)
        turn_pairs(x, y, GR_BF16, t, n, 2, 1);
    else
        turn_pairs(x, y, GR_BF16, t, n, 1, turned / 2);
}

void GR__KERNEL(rotary)(const void *args, int64_t first, int64_t last)
{
    const gr__rotary *r = args;
    turn t;
    int64_t turned = r->turned ? r->turned : r->d;
    size_t size = r->dtype == GR_F32 ? 4 : 2;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t b = unit / r->t, i = unit % r->t;
        int64_t x0 = b * r->x_stride[0] + i * r->x_stride[1], y0 = b * r->y_stride[0] + i * r->y_stride[1];
        for (int64_t pair = 0; pair < turned / 2; pair += PAIRS) {
            int64_t n = GR__MIN(PAIRS, turned / 2 - pair);
            set_angles(r, (r->start ? r->start[b] : 0) + i, pair, n, turned, &t);
            for (int64_t h = 0; h < r->heads; h++)
                turn_head(r, &t, x0 + h * r->x_stride[2], y0 + h * r->y_stride[2], pair, n, turned);
        }
        for (int64_t h = 0; turned < r->d && r->x != r->y && h < r->heads; h++)
            memcpy((char *)r->y + (size_t)(y0 + h * r->y_stride[2] + turned) * size,
                   (const char *)r->x + (size_t)(x0 + h * r->x_stride[2] + turned) * size,
                   (size_t)(r->d - turned) * size);
    }
}
