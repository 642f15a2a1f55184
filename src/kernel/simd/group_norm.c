/* The sweeps of group norm over a chunk of rows. Columns are summed apart, row after row, so that the width of a vector
 * does not matter; a chunk is in cache when it is read for the second time. */
#include "kernel/group_norm_int.h"
#include "kernel/simd/tile.h"

/* The rows of a unit and its places in parts and columns. */
typedef struct chunk {
    int64_t first, last;
    float *part[2];
    const float *column[GR__COLUMN_COUNT];
} chunk;

static chunk chunk_of(const gr__group_norm_plan *p, int64_t unit)
{
    int64_t b = unit / p->chunks, k = unit % p->chunks, from = k * p->per;
    chunk c = {.first = b * p->rows + from, .last = b * p->rows + GR__MIN(from + p->per, p->rows)};
    for (int i = 0; i < 2; i++) c.part[i] = p->parts + (unit * 2 + i) * p->ld;
    for (int i = 0; i < GR__COLUMN_COUNT; i++) c.column[i] = p->column + (b * GR__COLUMN_COUNT + i) * p->ld;
    return c;
}

/* Mean of each column, then its sum of (x - mean)^2. */
void GR__KERNEL(group_norm_sums)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tile[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        memset(c.part[0], 0, (size_t)(2 * p->ld) * sizeof *c.part[0]);
        for (int64_t at = 0; at < p->c; at += GR__TILE) {
            int64_t n = GR__MIN(GR__TILE, p->c - at);
            float *mean = c.part[0] + at, *squares = c.part[1] + at;
            for (int64_t r = c.first; r < c.last; r++) {
                const float *x = tile_load(&p->x, r, at, n, 0, tile);
                for (int64_t i = 0; i < n; i += GR__W) vstore(mean + i, vload(mean + i) + vload(x + i));
            }
            vf rows = vset((float)(c.last - c.first));
            for (int64_t i = 0; i < n; i += GR__W) vstore(mean + i, vload(mean + i) / rows);
            for (int64_t r = c.first; r < c.last; r++) {
                const float *x = tile_load(&p->x, r, at, n, 0, tile);
                for (int64_t i = 0; i < n; i += GR__W) {
                    vf d = vload(x + i) - vload(mean + i);
                    vstore(squares + i, vload(squares + i) + d * d);
                }
            }
        }
    }
}

void GR__KERNEL(group_norm_apply)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tx[GR__TILE], ty[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        for (int64_t r = c.first; r < c.last; r++)
            for (int64_t at = 0; at < p->c; at += GR__TILE) {
                int64_t n = GR__MIN(GR__TILE, p->c - at);
                const float *x = tile_load(&p->x, r, at, n, 0, tx), *mean = c.column[GR__COLUMN_MEAN] + at,
                            *scale = c.column[GR__COLUMN_SCALE] + at, *shift = c.column[GR__COLUMN_SHIFT] + at;
                float *y = tile_open(&p->y, r, at, n, ty);
                for (int64_t i = 0; i < n; i += GR__W)
                    vstore(y + i, (vload(x + i) - vload(mean + i)) * vload(scale + i) + vload(shift + i));
                tile_store(&p->y, r, at, n, y);
            }
    }
}

/* Of each column: sums of dy and of dy*(x - mean)*rstd. */
void GR__KERNEL(group_norm_back_sums)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tx[GR__TILE], td[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        memset(c.part[0], 0, (size_t)(2 * p->ld) * sizeof *c.part[0]);
        for (int64_t r = c.first; r < c.last; r++)
            for (int64_t at = 0; at < p->c; at += GR__TILE) {
                int64_t n = GR__MIN(GR__TILE, p->c - at);
                const float *x = tile_load(&p->x, r, at, n, 0, tx), *dy = tile_load(&p->dy, r, at, n, 0, td),
                            *mean = c.column[GR__COLUMN_MEAN] + at, *rstd = c.column[GR__COLUMN_SCALE] + at;
                float *sum = c.part[0] + at, *along = c.part[1] + at;
                for (int64_t i = 0; i < n; i += GR__W) {
                    vf d = vload(dy + i), h = (vload(x + i) - vload(mean + i)) * vload(rstd + i);
                    vstore(sum + i, vload(sum + i) + d);
                    vstore(along + i, vload(along + i) + d * h);
                }
            }
    }
}

void GR__KERNEL(group_norm_back_apply)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tx[GR__TILE], td[GR__TILE], to[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        for (int64_t r = c.first; r < c.last; r++)
            for (int64_t at = 0; at < p->c; at += GR__TILE) {
                int64_t n = GR__MIN(GR__TILE, p->c - at);
                const float *x = tile_load(&p->x, r, at, n, 0, tx), *dy = tile_load(&p->dy, r, at, n, 0, td),
                            *mean = c.column[GR__COLUMN_MEAN] + at, *scale = c.column[GR__COLUMN_SCALE] + at,
                            *shift = c.column[GR__COLUMN_SHIFT] + at, *slope = c.column[GR__COLUMN_SLOPE] + at;
                float *dx = tile_open(&p->dx, r, at, n, to);
                for (int64_t i = 0; i < n; i += GR__W) {
                    vf along = (vload(x + i) - vload(mean + i)) * vload(slope + i);
                    vstore(dx + i, vload(dy + i) * vload(scale + i) - along - vload(shift + i));
                }
                tile_store(&p->dx, r, at, n, dx);
            }
    }
}
