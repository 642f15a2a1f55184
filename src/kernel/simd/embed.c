/* Rows of a table. The gradient is split by columns: every element is summed in the order of the rows. */
#include "kernel/embed.h"
#include "kernel/simd.h"
#include "kernel/simd/tile.h"

void GR__KERNEL(embed_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__embed *e = args;
    float tile[GR__TILE];
    size_t size = e->y.dtype == GR_F32 ? 4 : 2;
    for (int64_t r = first; r < last; r++) {
        int64_t id = e->ids[r];
        char *out = (char *)e->y.data + (size_t)(r * e->y.ld) * size;
        if (id < 0 || id >= e->v) {
            memset(out, 0, (size_t)e->c * size);
        } else if (e->table.dtype == e->y.dtype) {
            memcpy(out, (const char *)e->table.data + (size_t)(id * e->table.ld) * size, (size_t)e->c * size);
        } else {
            for (int64_t at = 0; at < e->c; at += GR__TILE) {
                int64_t n = GR__MIN(GR__TILE, e->c - at);
                tile_store(&e->y, r, at, n, tile_load(&e->table, id, at, n, 0, tile));
            }
        }
    }
}

void GR__KERNEL(embed_backward)(const void *args, int64_t first, int64_t last)
{
    const gr__embed *e = args;
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t id = e->ids[r], i = first;
        if (id < 0 || id >= e->v) continue;
        float *d = (float *)e->dtable.data + id * e->dtable.ld;
        if (e->dy.dtype == GR_F32) {
            const float *dy = (const float *)e->dy.data + r * e->dy.ld;
            for (; i + GR__W <= last; i += GR__W) vstore(d + i, vload(d + i) + vload(dy + i));
            for (; i < last; i++) d[i] += dy[i];
        } else {
            const uint16_t *dy = (const uint16_t *)e->dy.data + r * e->dy.ld;
            for (; i + GR__W <= last; i += GR__W) vstore(d + i, vload(d + i) + vload_bf16(dy + i));
            for (; i < last; i++) d[i] += gr__bf16_to_f32(dy[i]);
        }
    }
}
