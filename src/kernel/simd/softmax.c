/* Softmax, log-softmax and cross-entropy, row by row: maximum, sum of exponentials, result; exponentials are computed
 * twice rather than stored. */
#include "kernel/softmax.h"
#include "kernel/simd/tile.h"
#include "kernel/simd/vmath.h"
#include "kernel/simd.h"

GR__INLINE float log_one(float x)
{
    float out[GR__W];
    vstore(out, vlog(vset(x)));
    return out[0];
}

GR__INLINE float exp_one(float x)
{
    float out[GR__W];
    vstore(out, vexp_negative(vset(x)));
    return out[0];
}

GR__INLINE void lanes_most(lanes *most, const float *x)
{
    for (int p = 0; p < GR__PARTS; p++) most->part[p] = vmax(most->part[p], vload(x + p * GR__W));
}

/* Maxima of a row's lanes. */
GR__INLINE lanes row_most(const gr__rows *x, int64_t r, int64_t c, float *tile)
{
    enum { CHAINS = 4 }; /* of maxima that do not wait for each other */
    lanes most[CHAINS];
    for (int k = 0; k < CHAINS; k++) most[k] = lanes_set(-INFINITY);
    for (int64_t at = 0; at < c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, c - at), i = 0;
        const float *t = tile_load(x, r, at, n, -INFINITY, tile);
        for (; i + CHAINS * GR__LANES <= n; i += CHAINS * GR__LANES)
            for (int k = 0; k < CHAINS; k++) lanes_most(&most[k], t + i + k * GR__LANES);
        for (; i < n; i += GR__LANES) lanes_most(&most[0], t + i);
    }
    for (int k = 1; k < CHAINS; k++)
        for (int p = 0; p < GR__PARTS; p++) most[0].part[p] = vmax(most[0].part[p], most[k].part[p]);
    return most[0];
}

/* Maximum of the row, 0 where that is -inf, so that it can be subtracted. */
static float row_base(const gr__rows *x, int64_t r, int64_t c, float *tile)
{
    lanes most = row_most(x, r, c, tile);
    float m = lanes_max(&most);
    return m == -INFINITY ? 0 : m;
}

static float row_exp_sum(const gr__rows *x, int64_t r, int64_t c, float base, float *tile)
{
    lanes sum = lanes_set(0);
    vf b = vset(base);
    for (int64_t at = 0; at < c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, c - at);
        const float *t = tile_load(x, r, at, n, -INFINITY, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) sum.part[p] = sum.part[p] + vexp_negative(vload(t + i + p * GR__W) - b);
    }
    return lanes_sum(&sum);
}

/* exp(x - base) of TWO numbers, to bf16, and their sums. */
enum { TWO = 2 * GR__LANES };
GR__INLINE void exps_of(const float *x, vf base, uint16_t *y, lanes *sum)
{
    vf t = vset(1.44269504f);
    for (int i = 0; i < TWO; i += 2 * GR__W) {
        vf e = vexp2((vload(x + i) - base) * t), f = vexp2((vload(x + i + GR__W) - base) * t);
        sum->part[i / GR__W % GR__PARTS] = sum->part[i / GR__W % GR__PARTS] + e;
        sum->part[(i / GR__W + 1) % GR__PARTS] = sum->part[(i / GR__W + 1) % GR__PARTS] + f;
        vstore_two_bf16(y + i, e, f);
    }
}

/* The exponentials of a row of f32, stored in bf16, and the sums of their lanes. */
GR__INLINE lanes row_exps(const gr__rows *x, const gr__rows *y, int64_t r, int64_t c, float base)
{
    const float *from = (const float *)x->data + r * x->ld;
    uint16_t *to = (uint16_t *)y->data + r * y->ld, out[TWO];
    lanes sum = lanes_set(0);
    vf b = vset(base);
    int64_t i = 0;
    for (; i + TWO <= c; i += TWO) exps_of(from + i, b, to + i, &sum);
    if (i == c) return sum;
    float rest[TWO];
    for (int k = 0; k < TWO; k++) rest[k] = i + k < c ? from[i + k] : -INFINITY;
    exps_of(rest, b, out, &sum);
    memcpy(to + i, out, (size_t)(c - i) * sizeof *to);
    return sum;
}

/* y = x*factor, both in bf16 */
static void row_scaled(const gr__rows *x, const gr__rows *y, int64_t r, int64_t c, float factor)
{
    const uint16_t *from = (const uint16_t *)x->data + r * x->ld;
    uint16_t *to = (uint16_t *)y->data + r * y->ld;
    int64_t i = 0;
    vf f = vset(factor);
    for (; i + 2 * GR__W <= c; i += 2 * GR__W)
        vstore_two_bf16(to + i, vload_bf16(from + i) * f, vload_bf16(from + i + GR__W) * f);
    for (; i < c; i++) to[i] = gr__f32_to_bf16(gr__bf16_to_f32(from[i]) * factor);
}

static float row_sum(const gr__rows *x, int64_t r, int64_t c, float *tile)
{
    lanes sum = lanes_set(0);
    for (int64_t at = 0; at < c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, c - at);
        const float *t = tile_load(x, r, at, n, 0, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) sum.part[p] = sum.part[p] + vload(t + i + p * GR__W);
    }
    return lanes_sum(&sum);
}

/* y = exp(x - base)*factor - shift */
static void row_exp(const gr__rows *x, const gr__rows *y, int64_t r, int64_t c, float base, float factor, float shift)
{
    float tx[GR__TILE], ty[GR__TILE];
    vf b = vset(base), f = vset(factor), s = vset(shift);
    for (int64_t at = 0; at < c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, c - at);
        const float *t = tile_load(x, r, at, n, 0, tx);
        float *out = tile_open(y, r, at, n, ty);
        for (int64_t i = 0; i < n; i += GR__W) vstore(out + i, vexp_negative(vload(t + i) - b) * f - s);
        tile_store(y, r, at, n, out);
    }
}

/* y = (x - base) - shift: their sum would swallow a small shift */
static void row_less(const gr__rows *x, const gr__rows *y, int64_t r, int64_t c, float base, float shift)
{
    float tx[GR__TILE], ty[GR__TILE];
    vf b = vset(base), s = vset(shift);
    for (int64_t at = 0; at < c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, c - at);
        const float *t = tile_load(x, r, at, n, 0, tx);
        float *out = tile_open(y, r, at, n, ty);
        for (int64_t i = 0; i < n; i += GR__W) vstore(out + i, (vload(t + i) - b) - s);
        tile_store(y, r, at, n, out);
    }
}

void GR__KERNEL(softmax_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__softmax *a = args;
    float tile[GR__TILE];
    for (int64_t r = first; r < last; r++) {
        float base = row_base(&a->x, r, a->c, tile);
        float sum = row_exp_sum(&a->x, r, a->c, base, tile);
        if (a->log)
            row_less(&a->x, &a->y, r, a->c, base, sum == 0 ? 0 : log_one(sum));
        else
            row_exp(&a->x, &a->y, r, a->c, base, sum == 0 ? 0 : 1.0f / sum, 0);
    }
}

/* Sum of dy*y, or of dy. */
static float row_dot(const gr__softmax *a, int64_t r)
{
    float ty[GR__TILE], td[GR__TILE];
    if (a->log) return row_sum(&a->dy, r, a->c, td);
    lanes sum = lanes_set(0);
    for (int64_t at = 0; at < a->c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, a->c - at);
        const float *y = tile_load(&a->y, r, at, n, 0, ty), *dy = tile_load(&a->dy, r, at, n, 0, td);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++)
                sum.part[p] = sum.part[p] + vload(y + i + p * GR__W) * vload(dy + i + p * GR__W);
    }
    return lanes_sum(&sum);
}

void GR__KERNEL(softmax_backward)(const void *args, int64_t first, int64_t last)
{
    const gr__softmax *a = args;
    float ty[GR__TILE], td[GR__TILE], to[GR__TILE];
    for (int64_t r = first; r < last; r++) {
        vf s = vset(row_dot(a, r));
        for (int64_t at = 0; at < a->c; at += GR__TILE) {
            int64_t n = GR__MIN(GR__TILE, a->c - at);
            const float *y = tile_load(&a->y, r, at, n, 0, ty), *dy = tile_load(&a->dy, r, at, n, 0, td);
            float *dx = tile_open(&a->dx, r, at, n, to);
            if (a->log)
                for (int64_t i = 0; i < n; i += GR__W) vstore(dx + i, vload(dy + i) - vexp_negative(vload(y + i)) * s);
            else
                for (int64_t i = 0; i < n; i += GR__W) vstore(dx + i, vload(y + i) * (vload(dy + i) - s));
            tile_store(&a->dx, r, at, n, dx);
        }
    }
}

static float get(const gr__rows *x, int64_t r, int64_t j)
{
    int64_t at = r * x->ld + j;
    return x->dtype == GR_F32 ? ((const float *)x->data)[at] : gr__bf16_to_f32(((const uint16_t *)x->data)[at]);
}

static void put(const gr__rows *x, int64_t r, int64_t j, float value)
{
    int64_t at = r * x->ld + j;
    if (x->dtype == GR_F32)
        ((float *)x->data)[at] = value;
    else
        ((uint16_t *)x->data)[at] = gr__f32_to_bf16(value);
}

static void zero_row(const gr__rows *x, int64_t r, int64_t c)
{
    size_t size = x->dtype == GR_F32 ? 4 : 2;
    memset((char *)x->data + (size_t)(r * x->ld) * size, 0, (size_t)c * size);
}

/* dlogits of some columns of a row whose log-sum-exp is known. */
static void known_row(const gr__cross_entropy *a, int64_t r)
{
    int64_t target = a->targets[r] - a->first;
    float scale = (float)a->scale;
    if (a->targets[r] < 0 || a->targets[r] >= a->whole) {
        zero_row(&a->dlogits, r, a->v);
        return;
    }
    bool inside = target >= 0 && target < a->v;
    if (a->exps.data) {
        row_scaled(&a->exps, &a->dlogits, r, a->v, exp_one(a->base[r] - a->known_lse[r]) * scale);
        if (inside) put(&a->dlogits, r, target, (exp_one(-a->loss[r]) - 1) * scale);
        return;
    }
    float right = inside ? get(&a->logits, r, target) : 0; /* dlogits may be logits */
    row_exp(&a->logits, &a->dlogits, r, a->v, a->known_lse[r], scale, 0);
    if (inside) put(&a->dlogits, r, target, (exp_one(right - a->known_lse[r]) - 1) * scale);
}

/* Exponentials lie in memory, in short rows: the machine does not see them coming. */
static void fetch_exps(const gr__cross_entropy *a, int64_t r, int64_t last)
{
    enum { ROWS_AHEAD = 8 };
    const uint16_t *row = (const uint16_t *)a->exps.data + (r + ROWS_AHEAD) * a->exps.ld;
    for (int64_t i = 0; r + ROWS_AHEAD < last && i < a->v; i += 32) vprefetch(row + i);
}

enum { SOME = 32 }; /* rows that do not wait for each other */

/* Row by row the lanes of a number, turned around: lane by lane. */
typedef struct some_lanes {
    float row[SOME][GR__LANES], lane[GR__LANES][SOME];
} some_lanes;

GR__INLINE void set_row(some_lanes *s, int64_t r, lanes v)
{
    for (int p = 0; p < GR__PARTS; p++) vstore(s->row[r] + p * GR__W, v.part[p]);
}

GR__INLINE vf add(vf a, vf b) { return a + b; }

/* As lanes_max() and lanes_sum() go about it. */
GR__INLINE void fold(some_lanes *s, vf (*join)(vf, vf))
{
    for (int r = 0; r < SOME; r += GR__W)
        for (int i = 0; i < GR__LANES; i += GR__W)
            transpose_words(&s->lane[i][r], SOME, (const char *)&s->row[r][i], (int64_t)sizeof s->row[r]);
    for (int half = GR__LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            for (int r = 0; r < SOME; r += GR__W)
                vstore(&s->lane[i][r], join(vload(&s->lane[i][r]), vload(&s->lane[i + half][r])));
}

/* Exponentials that are kept, of rows first .. first+n-1, and what belongs to them. */
static void keep_exps(const gr__cross_entropy *a, int64_t first, int64_t n)
{
    some_lanes some;
    float tile[GR__TILE], base[SOME], log_sum[SOME];
    for (int64_t r = n; r < SOME; r++) set_row(&some, r, lanes_set(0));
    for (int64_t r = 0; r < n; r++) set_row(&some, r, row_most(&a->logits, first + r, a->v, tile));
    fold(&some, vmax);
    for (int r = 0; r < SOME; r += GR__W) {
        vf most = vload(some.lane[0] + r);
        vstore(base + r, vselect(veq(most, vset(-INFINITY)), vzero(), most));
    }
    for (int64_t r = 0; r < n; r++) {
        fetch_exps(a, first + r, first + n);
        set_row(&some, r, row_exps(&a->logits, &a->exps, first + r, a->v, base[r]));
    }
    fold(&some, add);
    for (int r = 0; r < SOME; r += GR__W) vstore(log_sum + r, vlog(vload(some.lane[0] + r)));
    for (int64_t r = 0; r < n; r++) {
        int64_t target = a->targets[first + r] - a->first;
        bool counts = target >= 0 && target < a->v;
        a->base[first + r] = base[r];
        a->lse[first + r] = base[r] + log_sum[r];
        a->loss[first + r] = counts ? log_sum[r] - (get(&a->logits, first + r, target) - base[r]) : 0;
    }
}

void GR__KERNEL(cross_entropy)(const void *args, int64_t first, int64_t last)
{
    const gr__cross_entropy *a = args;
    float tile[GR__TILE], scale = (float)a->scale;
    float smooth = (float)(a->smoothing / (double)GR__MAX(a->v, 1)), keep = (float)(1 - a->smoothing);
    if (a->exps.data && !a->known_lse) {
        for (int64_t r = first; r < last; r += SOME) keep_exps(a, r, GR__MIN((int64_t)SOME, last - r));
        return;
    }
    for (int64_t r = first; r < last; r++) {
        if (a->known_lse) {
            if (a->exps.data) fetch_exps(a, r, last);
            known_row(a, r);
            continue;
        }
        int64_t target = a->targets[r] - a->first;
        bool counts = target >= 0 && target < a->v;
        float base = 0, sum = 1;
        if (counts || a->lse) {
            base = row_base(&a->logits, r, a->v, tile);
            sum = row_exp_sum(&a->logits, r, a->v, base, tile);
        }
        float log_sum = log_one(sum);
        if (a->lse) a->lse[r] = base + log_sum;
        if (!counts) {
            if (a->loss) a->loss[r] = 0;
            if (a->dlogits.data) zero_row(&a->dlogits, r, a->v);
            continue;
        }
        float right = get(&a->logits, r, target);
        if (a->loss) {
            a->loss[r] = log_sum - (right - base);
            if (smooth != 0) {
                float mean = row_sum(&a->logits, r, a->v, tile) / (float)a->v;
                a->loss[r] = log_sum + base - keep * right - (float)a->smoothing * mean;
            }
        }
        if (a->dlogits.data) {
            row_exp(&a->logits, &a->dlogits, r, a->v, base, scale / sum, smooth * scale);
            float p = exp_one(right - base) * (scale / sum);
            put(&a->dlogits, r, target, p - smooth * scale - keep * scale);
        }
    }
}
