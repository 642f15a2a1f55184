/* The sweeps of group norm over a chunk of rows. Columns are summed apart, row after row, so that the width of a vector
 * does not matter; a chunk is in cache when it is read for the second time. Columns that fill a few vectors stay in registers; the
 * others, and arrays of several dtypes, go through tiles. */
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

enum { SIDE = 4, BLOCK = SIDE * GR__W };

GR__INLINE vf get(const gr__rows *x, bool wide, int64_t at)
{
    return wide ? vload((const float *)x->data + at) : vload_bf16((const uint16_t *)x->data + at);
}
GR__INLINE void put(const gr__rows *x, bool wide, int64_t at, vf v)
{
    if (wide)
        vstore((float *)x->data + at, v);
    else
        vstore_bf16((uint16_t *)x->data + at, v);
}

/* Columns that go without tiles: all are of one dtype. */
static int64_t plain_columns(const gr__group_norm_plan *p, const gr__rows *b, const gr__rows *c)
{
    gr_dtype t = p->x.dtype;
    return (t == GR_F32 || t == GR_BF16) && b->dtype == t && c->dtype == t ? p->c / BLOCK * BLOCK : 0;
}

GR__INLINE void sums_block(const gr__group_norm_plan *p, const chunk *c, int64_t at, bool wide)
{
    vf mean[SIDE], squares[SIDE], rows = vset((float)(c->last - c->first));
    for (int j = 0; j < SIDE; j++) mean[j] = squares[j] = vzero();
    for (int64_t r = c->first; r < c->last; r++)
        for (int j = 0; j < SIDE; j++) mean[j] = mean[j] + get(&p->x, wide, r * p->x.ld + at + j * GR__W);
    for (int j = 0; j < SIDE; j++) mean[j] = mean[j] / rows;
    for (int64_t r = c->first; r < c->last; r++)
        for (int j = 0; j < SIDE; j++) {
            vf d = get(&p->x, wide, r * p->x.ld + at + j * GR__W) - mean[j];
            squares[j] = squares[j] + d * d;
        }
    for (int j = 0; j < SIDE; j++) {
        vstore(c->part[0] + at + j * GR__W, mean[j]);
        vstore(c->part[1] + at + j * GR__W, squares[j]);
    }
}

/* Mean of each column, then its sum of (x - mean)^2. */
void GR__KERNEL(group_norm_sums)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tile[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        memset(c.part[0], 0, (size_t)(2 * p->ld) * sizeof *c.part[0]);
        int64_t plain = plain_columns(p, &p->x, &p->x);
        for (int64_t at = 0; at < plain; at += BLOCK)
            if (p->x.dtype == GR_F32)
                sums_block(p, &c, at, true);
            else
                sums_block(p, &c, at, false);
        for (int64_t at = plain; at < p->c; at += GR__TILE) {
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

GR__INLINE void apply_row(const gr__group_norm_plan *p, const chunk *c, int64_t row, int64_t columns, bool wide)
{
    const float *mean = c->column[GR__COLUMN_MEAN], *scale = c->column[GR__COLUMN_SCALE],
                *shift = c->column[GR__COLUMN_SHIFT];
    for (int64_t i = 0; i < columns; i += GR__W) {
        vf d = get(&p->x, wide, row * p->x.ld + i) - vload(mean + i);
        put(&p->y, wide, row * p->y.ld + i, d * vload(scale + i) + vload(shift + i));
    }
}

void GR__KERNEL(group_norm_apply)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tx[GR__TILE], ty[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        int64_t plain = plain_columns(p, &p->y, &p->y);
        for (int64_t r = c.first; r < c.last; r++) {
            if (p->x.dtype == GR_F32)
                apply_row(p, &c, r, plain, true);
            else
                apply_row(p, &c, r, plain, false);
            for (int64_t at = plain; at < p->c; at += GR__TILE) {
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
}

GR__INLINE void back_sums_block(const gr__group_norm_plan *p, const chunk *c, int64_t at, bool wide)
{
    vf sum[SIDE], along[SIDE], mean[SIDE], rstd[SIDE];
    for (int j = 0; j < SIDE; j++) {
        sum[j] = along[j] = vzero();
        mean[j] = vload(c->column[GR__COLUMN_MEAN] + at + j * GR__W);
        rstd[j] = vload(c->column[GR__COLUMN_SCALE] + at + j * GR__W);
    }
    for (int64_t r = c->first; r < c->last; r++)
        for (int j = 0; j < SIDE; j++) {
            int64_t i = at + j * GR__W;
            vf d = get(&p->dy, wide, r * p->dy.ld + i), h = (get(&p->x, wide, r * p->x.ld + i) - mean[j]) * rstd[j];
            sum[j] = sum[j] + d;
            along[j] = along[j] + d * h;
        }
    for (int j = 0; j < SIDE; j++) {
        vstore(c->part[0] + at + j * GR__W, sum[j]);
        vstore(c->part[1] + at + j * GR__W, along[j]);
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
        int64_t plain = plain_columns(p, &p->dy, &p->dy);
        for (int64_t at = 0; at < plain; at += BLOCK)
            if (p->x.dtype == GR_F32)
                back_sums_block(p, &c, at, true);
            else
                back_sums_block(p, &c, at, false);
        for (int64_t r = c.first; r < c.last; r++)
            for (int64_t at = plain; at < p->c; at += GR__TILE) {
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

GR__INLINE void back_apply_row(const gr__group_norm_plan *p, const chunk *c, int64_t row, int64_t columns, bool wide)
{
    const float *mean = c->column[GR__COLUMN_MEAN], *scale = c->column[GR__COLUMN_SCALE],
                *shift = c->column[GR__COLUMN_SHIFT], *slope = c->column[GR__COLUMN_SLOPE];
    for (int64_t i = 0; i < columns; i += GR__W) {
        vf along = (get(&p->x, wide, row * p->x.ld + i) - vload(mean + i)) * vload(slope + i);
        vf d = get(&p->dy, wide, row * p->dy.ld + i);
        put(&p->dx, wide, row * p->dx.ld + i, d * vload(scale + i) - along - vload(shift + i));
    }
}

void GR__KERNEL(group_norm_back_apply)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    float tx[GR__TILE], td[GR__TILE], to[GR__TILE];
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        int64_t plain = plain_columns(p, &p->dy, &p->dx);
        for (int64_t r = c.first; r < c.last; r++) {
            if (p->x.dtype == GR_F32)
                back_apply_row(p, &c, r, plain, true);
            else
                back_apply_row(p, &c, r, plain, false);
            for (int64_t at = plain; at < p->c; at += GR__TILE) {
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
}
