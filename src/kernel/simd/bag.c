/* Bags of rows. The gradient is split by columns: every element is summed in the order of the bags. */
#include "kernel/bag.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"

static bool is_row(const gr__bag *b, int64_t id) { return id >= 0 && id < b->v; }

/* sum (n, whole lanes) += w*x */
static void add(float *sum, const float *x, float w, int64_t n)
{
    for (int64_t i = 0; i < n; i += GR__W) vstore(sum + i, vload(sum + i) + vset(w) * vload(x + i));
}

/* Columns at .. at + n of bag r, in f32. */
static void sum_bag(const gr__bag *b, int64_t r, int64_t at, int64_t n, float *sum)
{
    float tile[GR__TILE];
    const int32_t *ids = b->ids + r * b->t;
    int64_t whole = round16(n), count = 0;
    memset(sum, 0, (size_t)whole * sizeof *sum);
    for (int64_t t = 0; t < b->t; t++) {
        if (!is_row(b, ids[t])) continue;
        add(sum, tile_load(&b->table, ids[t], at, n, 0, tile), b->weight ? b->weight[r * b->t + t] : 1.0f, whole);
        count++;
    }
    if (b->how != GR__BAG_MEAN || count == 0) return;
    for (int64_t i = 0; i < whole; i += GR__W) vstore(sum + i, vload(sum + i) / vset((float)count));
}

/* A NaN is the largest. place (n, whole lanes): t of it, as a float. */
static void largest_of_bag(const gr__bag *b, int64_t r, int64_t at, int64_t n, float *most, float *place)
{
    float tile[GR__TILE];
    const int32_t *ids = b->ids + r * b->t;
    int64_t count = 0, whole = round16(n);
    memset(most, 0, (size_t)whole * sizeof *most);
    memset(place, 0, (size_t)whole * sizeof *place);
    for (int64_t t = 0; t < b->t; t++) {
        if (!is_row(b, ids[t])) continue;
        const float *x = tile_load(&b->table, ids[t], at, n, 0, tile);
        vf here = vset((float)t);
        for (int64_t i = 0; i < whole; i += GR__W) {
            vf v = vload(x + i), old = vload(most + i), old_place = vload(place + i);
            vm more = vgt(v, old), none = vunordered(v);
            vf larger = vselect(more, v, old), larger_place = vselect(more, here, old_place);
            vstore(most + i, count ? vselect(none, v, larger) : v);
            vstore(place + i, count ? vselect(none, here, larger_place) : here);
        }
        count++;
    }
}

void GR__KERNEL(bag_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__bag *b = args;
    float y[GR__TILE], place[GR__TILE];
    for (int64_t r = first; r < last; r++)
        for (int64_t at = 0; at < b->c; at += GR__TILE) {
            int64_t n = GR__MIN(GR__TILE, b->c - at);
            if (b->how == GR__BAG_MAX)
                largest_of_bag(b, r, at, n, y, place);
            else
                sum_bag(b, r, at, n, y);
            if (b->y.data) tile_store(&b->y, r, at, n, y);
            for (int64_t i = 0; i < n && b->place; i++)
                b->place[r * b->c + at + i] = b->how == GR__BAG_MAX ? (int32_t)place[i] : 0;
        }
}

static void give_largest(const gr__bag *b, int64_t r, int64_t at, int64_t n, const float *dy)
{
    const int32_t *ids = b->ids + r * b->t, *places = b->places + r * b->c + at;
    for (int64_t i = 0; i < n; i++) {
        if (places[i] < 0 || places[i] >= b->t || !is_row(b, ids[places[i]])) continue;
        ((float *)b->dtable.data)[ids[places[i]] * b->dtable.ld + at + i] += dy[i];
    }
}

static void give_all(const gr__bag *b, int64_t r, int64_t at, int64_t n, const float *dy)
{
    const int32_t *ids = b->ids + r * b->t;
    int64_t count = 0;
    for (int64_t t = 0; t < b->t; t++) count += is_row(b, ids[t]);
    float each = b->how == GR__BAG_MEAN && count ? 1.0f / (float)count : 1.0f;
    for (int64_t t = 0; t < b->t; t++) {
        if (!is_row(b, ids[t])) continue;
        float *d = (float *)b->dtable.data + ids[t] * b->dtable.ld + at, w = b->weight ? b->weight[r * b->t + t] : each;
        int64_t i = 0;
        for (; i + GR__W <= n; i += GR__W) vstore(d + i, vload(d + i) + vset(w) * vload(dy + i));
        for (; i < n; i++) d[i] += w * dy[i];
    }
}

void GR__KERNEL(bag_backward)(const void *args, int64_t first, int64_t last)
{
    const gr__bag *b = args;
    float tile[GR__TILE];
    for (int64_t r = 0; r < b->bags; r++)
        for (int64_t at = first; at < last; at += GR__TILE) {
            int64_t n = GR__MIN(GR__TILE, last - at);
            const float *dy = tile_load(&b->dy, r, at, n, 0, tile);
            if (b->how == GR__BAG_MAX)
                give_largest(b, r, at, n, dy);
            else
                give_all(b, r, at, n, dy);
        }
}
