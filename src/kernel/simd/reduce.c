/* Reductions. Within a row element i goes to virtual lane i % 16; over rows the order is that of the rows. */
#include "kernel/reduce.h"
#include "kernel/simd/tile.h"
#include "kernel/simd_int.h"

static float start_of(gr__reduce_kind kind)
{
    return kind == GR__REDUCE_MAX ? -INFINITY : kind == GR__REDUCE_MIN ? INFINITY : 0;
}

static void put(const gr__reduce *a, int64_t at, float value)
{
    if (a->kind == GR__REDUCE_MEAN && a->n > 0) value = value / (float)a->n;
    bool add = a->accumulate && a->kind != GR__REDUCE_MAX && a->kind != GR__REDUCE_MIN;
    if (a->y_dtype == GR_F32) {
        float *y = (float *)a->y + at;
        *y = add ? *y + value : value;
    } else {
        uint16_t *y = (uint16_t *)a->y + at;
        *y = gr__f32_to_bf16(add ? gr__bf16_to_f32(*y) + value : value);
    }
}

/* vmax and vmin give their second operand where either is NaN: that of what was seen stays, a new one is taken. */
GR__INLINE vf most(vf seen, vf v) { return vselect(vunordered(v), v, vmax(v, seen)); }
GR__INLINE vf least(vf seen, vf v) { return vselect(vunordered(v), v, vmin(v, seen)); }

static float row_reduce(const gr__reduce *a, const gr__rows *x, int64_t r, float *tile)
{
    float start = start_of(a->kind);
    lanes s = lanes_set(start);
    for (int64_t at = 0; at < a->n; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, a->n - at);
        const float *t = tile_load(x, r, at, n, start, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) {
                vf v = vload(t + i + p * GR__W);
                if (a->kind == GR__REDUCE_MAX)
                    s.part[p] = most(s.part[p], v);
                else if (a->kind == GR__REDUCE_MIN)
                    s.part[p] = least(s.part[p], v);
                else if (a->kind == GR__REDUCE_SUM_SQUARES)
                    s.part[p] = s.part[p] + v * v;
                else
                    s.part[p] = s.part[p] + v;
            }
    }
    if (a->kind == GR__REDUCE_MAX) return lanes_max(&s);
    if (a->kind != GR__REDUCE_MIN) return lanes_sum(&s);
    for (int p = 0; p < GR__PARTS; p++) s.part[p] = vzero() - s.part[p];
    return -lanes_max(&s);
}

static float get(const gr__reduce *a, int64_t at)
{
    return a->x_dtype == GR_F32 ? ((const float *)a->x)[at] : gr__bf16_to_f32(((const uint16_t *)a->x)[at]);
}

void GR__KERNEL(reduce_last)(const void *args, int64_t first, int64_t last)
{
    const gr__reduce *a = args;
    float tile[GR__TILE];
    gr__rows x = {(void *)(uintptr_t)a->x, a->x_dtype, a->n};
    for (int64_t r = first; r < last; r++) {
        float value = row_reduce(a, &x, r, tile);
        put(a, r, value);
        if (!a->arg) continue;
        int64_t i = 0;
        while (i < a->n && get(a, r * a->n + i) != value) i++;
        a->arg[r] = i < a->n ? (int32_t)i : 0;
    }
}

enum { BLOCK = 256 };

/* Columns j .. j+n-1 of one outer index, one after the other over the reduced dimension. */
static void reduce_block(const gr__reduce *a, int64_t outer, int64_t j, int64_t n, float *tile)
{
    float best[BLOCK];
    int32_t arg[BLOCK] = {0};
    for (int64_t i = 0; i < n; i++) best[i] = start_of(a->kind);
    gr__rows x = {(void *)(uintptr_t)a->x, a->x_dtype, a->inner};
    for (int64_t r = 0; r < a->n; r++) {
        const float *t = tile_load(&x, outer * a->n + r, j, n, 0, tile);
        switch (a->kind) {
        case GR__REDUCE_MAX:
            for (int64_t i = 0; i < n; i++) {
                bool better = t[i] > best[i];
                best[i] = better || t[i] != t[i] ? t[i] : best[i];
                arg[i] = better ? (int32_t)r : arg[i];
            }
            break;
        case GR__REDUCE_MIN:
            for (int64_t i = 0; i < n; i++) {
                bool better = t[i] < best[i];
                best[i] = better || t[i] != t[i] ? t[i] : best[i];
                arg[i] = better ? (int32_t)r : arg[i];
            }
            break;
        case GR__REDUCE_SUM_SQUARES:
            for (int64_t i = 0; i < n; i++) best[i] += t[i] * t[i];
            break;
        default:
            for (int64_t i = 0; i < n; i++) best[i] += t[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        put(a, outer * a->inner + j + i, best[i]);
        if (a->arg) a->arg[outer * a->inner + j + i] = arg[i];
    }
}

void GR__KERNEL(reduce_columns)(const void *args, int64_t first, int64_t last)
{
    const gr__reduce *a = args;
    float tile[GR__TILE];
    while (first < last) {
        int64_t outer = first / a->inner, j = first % a->inner;
        int64_t n = GR__MIN(GR__MIN(BLOCK, a->inner - j), last - first);
        reduce_block(a, outer, j, n, tile);
        first += n;
    }
}

void GR__KERNEL(sum_rows)(const void *args, int64_t first, int64_t last)
{
    const gr__sum_rows_part *a = args;
    float *y = a->parts + first / a->per * a->ld, tile[GR__TILE];
    memset(y, 0, (size_t)a->ld * sizeof *y);
    for (int64_t at = 0; at < a->c; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, a->c - at);
        for (int64_t r = first; r < last; r++) {
            const float *x = tile_load(&a->x, r, at, n, 0, tile);
            for (int64_t i = 0; i < n; i += GR__W) {
                vf v = vload(x + i);
                if (a->squares) v = v * v;
                vstore(y + at + i, vload(y + at + i) + v);
            }
        }
    }
}

void GR__KERNEL(add_parts)(const void *args, int64_t first, int64_t last)
{
    const gr__add_parts *a = args;
    float sum[BLOCK];
    for (int64_t at = first; at < last; at += BLOCK) {
        int64_t n = GR__MIN(BLOCK, last - at);
        memset(sum, 0, sizeof sum);
        for (int64_t r = 0; r < a->n; r++)
            for (int64_t i = 0; i < n; i++) sum[i] += a->parts[r * a->ld + at + i];
        for (int64_t i = 0; i < n; i++) {
            float s = sum[i] * a->scale;
            if (a->y) a->y[at + i] = a->accumulate ? a->y[at + i] + s : s;
            if (a->y16) a->y16[at + i] = gr__f32_to_bf16(a->accumulate ? gr__bf16_to_f32(a->y16[at + i]) + s : s);
        }
    }
}

void GR__KERNEL(sum_squares)(const void *args, int64_t first, int64_t last)
{
    const gr__squares *a = args;
    float tile[GR__TILE];
    gr__rows x = {(void *)(uintptr_t)a->x, a->dtype, 0};
    double total = 0;
    for (int64_t at = first; at < last; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, last - at);
        const float *t = tile_load(&x, 0, at, n, 0, tile);
        lanes s = lanes_set(0);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) {
                vf v = vload(t + i + p * GR__W);
                s.part[p] = s.part[p] + v * v;
            }
        total += (double)lanes_sum(&s);
    }
    a->sum[first / a->per] = total;
}

/* x - x is 0 for a finite number, else NaN. */
void GR__KERNEL(all_finite)(const void *args, int64_t first, int64_t last)
{
    const gr__squares *a = args;
    float tile[GR__TILE];
    gr__rows x = {(void *)(uintptr_t)a->x, a->dtype, 0};
    lanes s = lanes_set(0);
    for (int64_t at = first; at < last; at += GR__TILE) {
        int64_t n = GR__MIN(GR__TILE, last - at);
        const float *t = tile_load(&x, 0, at, n, 0, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) {
                vf v = vload(t + i + p * GR__W);
                s.part[p] = s.part[p] + (v - v);
            }
    }
    a->sum[first / a->per] = (double)lanes_sum(&s);
}
