/* The sweeps of group norm over a chunk of rows. Columns are summed apart, row after row, so that the width of a vector
 * does not matter; a chunk is in cache when it is read for the second time. Columns that fill vectors stay in
 * registers; the others, and arrays of several dtypes, go through tiles.
 *
 * A chunk may have thousands of rows, and each addition to a large sum loses a bit of the small number. So rows are summed
 * in runs, and only the sum of a run goes to the total, with what it loses (Knuth's two-sum) kept beside it. */
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

enum { SIDE = 4, RUN = 32 };

/* total + lost becomes total + lost + run. */
GR__INLINE void add_run(vf *total, vf *lost, vf run)
{
    vf t = *total + run, taken = t - *total;
    *lost = *lost + ((*total - (t - taken)) + (run - taken));
    *total = t;
}
GR__INLINE void add_runs(float *total, float *lost, const float *run, int64_t n)
{
    for (int64_t i = 0; i < n; i += GR__W) {
        vf t = vload(total + i), l = vload(lost + i);
        add_run(&t, &l, vload(run + i));
        vstore(total + i, t);
        vstore(lost + i, l);
    }
}
GR__INLINE void clear(float *a, float *b, int64_t n)
{
    memset(a, 0, (size_t)round16(n) * sizeof *a);
    memset(b, 0, (size_t)round16(n) * sizeof *b);
}

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

/* Columns that go without tiles: of arrays of one dtype, as many as leave the tiles whole lines of 16 in a part. */
static int64_t plain_columns(const gr__group_norm_plan *p, const gr__rows *b, const gr__rows *c)
{
    gr_dtype t = p->x.dtype;
    return (t == GR_F32 || t == GR_BF16) && b->dtype == t && c->dtype == t ? p->c / 16 * 16 : 0;
}

/* Vectors that are summed side by side, of those that are left: 4, 2 or 1. */
static int64_t side_of(int64_t columns) { return columns >= SIDE * GR__W ? SIDE : columns >= 2 * GR__W ? 2 : 1; }

GR__INLINE void mean_block(const gr__group_norm_plan *p, const chunk *c, int64_t at, bool wide, int side, vf *mean)
{
    vf lost[SIDE], rows = vset((float)(c->last - c->first));
    for (int j = 0; j < side; j++) mean[j] = lost[j] = vzero();
    for (int64_t from = c->first; from < c->last; from += RUN) {
        vf run[SIDE];
        for (int j = 0; j < side; j++) run[j] = vzero();
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++)
            for (int j = 0; j < side; j++) run[j] = run[j] + get(&p->x, wide, r * p->x.ld + at + j * GR__W);
        for (int j = 0; j < side; j++) add_run(&mean[j], &lost[j], run[j]);
    }
    for (int j = 0; j < side; j++) mean[j] = (mean[j] + lost[j]) / rows;
}

GR__INLINE void sums_block(const gr__group_norm_plan *p, const chunk *c, int64_t at, bool wide, int side)
{
    vf mean[SIDE], squares[SIDE], lost[SIDE];
    mean_block(p, c, at, wide, side, mean);
    for (int j = 0; j < side; j++) squares[j] = lost[j] = vzero();
    for (int64_t from = c->first; from < c->last; from += RUN) {
        vf run[SIDE];
        for (int j = 0; j < side; j++) run[j] = vzero();
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++)
            for (int j = 0; j < side; j++) {
                vf d = get(&p->x, wide, r * p->x.ld + at + j * GR__W) - mean[j];
                run[j] = run[j] + d * d;
            }
        for (int j = 0; j < side; j++) add_run(&squares[j], &lost[j], run[j]);
    }
    for (int j = 0; j < side; j++) {
        vstore(c->part[0] + at + j * GR__W, mean[j]);
        vstore(c->part[1] + at + j * GR__W, squares[j] + lost[j]);
    }
}

GR__INLINE void sums_side(const gr__group_norm_plan *p, const chunk *c, int64_t at, int side)
{
    if (p->x.dtype == GR_F32)
        sums_block(p, c, at, true, side);
    else
        sums_block(p, c, at, false, side);
}

static void sums_plain(const gr__group_norm_plan *p, const chunk *c, int64_t columns)
{
    for (int64_t at = 0, side; at < columns; at += side * GR__W) {
        side = side_of(columns - at);
        if (side == SIDE)
            sums_side(p, c, at, SIDE);
        else if (side == 2)
            sums_side(p, c, at, 2);
        else
            sums_side(p, c, at, 1);
    }
}

/* The same of columns [at, at + n), n <= GR__TILE. */
static void sums_tile(const gr__group_norm_plan *p, const chunk *c, int64_t at, int64_t n)
{
    float tile[GR__TILE], run[GR__TILE], lost[GR__TILE], *mean = c->part[0] + at, *squares = c->part[1] + at;
    vf rows = vset((float)(c->last - c->first));
    clear(mean, lost, n);
    for (int64_t from = c->first; from < c->last; from += RUN) {
        memset(run, 0, (size_t)round16(n) * sizeof *run);
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++) {
            const float *x = tile_load(&p->x, r, at, n, 0, tile);
            for (int64_t i = 0; i < n; i += GR__W) vstore(run + i, vload(run + i) + vload(x + i));
        }
        add_runs(mean, lost, run, n);
    }
    for (int64_t i = 0; i < n; i += GR__W) vstore(mean + i, (vload(mean + i) + vload(lost + i)) / rows);
    clear(squares, lost, n);
    for (int64_t from = c->first; from < c->last; from += RUN) {
        memset(run, 0, (size_t)round16(n) * sizeof *run);
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++) {
            const float *x = tile_load(&p->x, r, at, n, 0, tile);
            for (int64_t i = 0; i < n; i += GR__W) {
                vf d = vload(x + i) - vload(mean + i);
                vstore(run + i, vload(run + i) + d * d);
            }
        }
        add_runs(squares, lost, run, n);
    }
    for (int64_t i = 0; i < n; i += GR__W) vstore(squares + i, vload(squares + i) + vload(lost + i));
}

/* Mean of each column, then its sum of (x - mean)^2. */
void GR__KERNEL(group_norm_sums)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        int64_t plain = plain_columns(p, &p->x, &p->x);
        sums_plain(p, &c, plain);
        for (int64_t at = plain; at < p->c; at += GR__TILE) sums_tile(p, &c, at, GR__MIN(GR__TILE, p->c - at));
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

GR__INLINE void back_sums_block(const gr__group_norm_plan *p, const chunk *c, int64_t at, bool wide, int side)
{
    vf sum[SIDE], along[SIDE], lost[2][SIDE], mean[SIDE], rstd[SIDE];
    for (int j = 0; j < side; j++) {
        sum[j] = along[j] = lost[0][j] = lost[1][j] = vzero();
        mean[j] = vload(c->column[GR__COLUMN_MEAN] + at + j * GR__W);
        rstd[j] = vload(c->column[GR__COLUMN_SCALE] + at + j * GR__W);
    }
    for (int64_t from = c->first; from < c->last; from += RUN) {
        vf run[2][SIDE];
        for (int j = 0; j < side; j++) run[0][j] = run[1][j] = vzero();
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++)
            for (int j = 0; j < side; j++) {
                int64_t i = at + j * GR__W;
                vf d = get(&p->dy, wide, r * p->dy.ld + i), h = (get(&p->x, wide, r * p->x.ld + i) - mean[j]) * rstd[j];
                run[0][j] = run[0][j] + d;
                run[1][j] = run[1][j] + d * h;
            }
        for (int j = 0; j < side; j++) {
            add_run(&sum[j], &lost[0][j], run[0][j]);
            add_run(&along[j], &lost[1][j], run[1][j]);
        }
    }
    for (int j = 0; j < side; j++) {
        vstore(c->part[0] + at + j * GR__W, sum[j] + lost[0][j]);
        vstore(c->part[1] + at + j * GR__W, along[j] + lost[1][j]);
    }
}

GR__INLINE void back_sums_side(const gr__group_norm_plan *p, const chunk *c, int64_t at, int side)
{
    if (p->x.dtype == GR_F32)
        back_sums_block(p, c, at, true, side);
    else
        back_sums_block(p, c, at, false, side);
}

static void back_sums_plain(const gr__group_norm_plan *p, const chunk *c, int64_t columns)
{
    for (int64_t at = 0, side; at < columns; at += side * GR__W) {
        side = side_of(columns - at);
        if (side == SIDE)
            back_sums_side(p, c, at, SIDE);
        else if (side == 2)
            back_sums_side(p, c, at, 2);
        else
            back_sums_side(p, c, at, 1);
    }
}

/* The same of columns [at, at + n), n <= GR__TILE. */
static void back_sums_tile(const gr__group_norm_plan *p, const chunk *c, int64_t at, int64_t n)
{
    float tx[GR__TILE], td[GR__TILE], run[2][GR__TILE], lost[2][GR__TILE];
    const float *mean = c->column[GR__COLUMN_MEAN] + at, *rstd = c->column[GR__COLUMN_SCALE] + at;
    for (int k = 0; k < 2; k++) clear(c->part[k] + at, lost[k], n);
    for (int64_t from = c->first; from < c->last; from += RUN) {
        clear(run[0], run[1], n);
        for (int64_t r = from; r < GR__MIN(from + RUN, c->last); r++) {
            const float *x = tile_load(&p->x, r, at, n, 0, tx), *dy = tile_load(&p->dy, r, at, n, 0, td);
            for (int64_t i = 0; i < n; i += GR__W) {
                vf d = vload(dy + i), h = (vload(x + i) - vload(mean + i)) * vload(rstd + i);
                vstore(run[0] + i, vload(run[0] + i) + d);
                vstore(run[1] + i, vload(run[1] + i) + d * h);
            }
        }
        for (int k = 0; k < 2; k++) add_runs(c->part[k] + at, lost[k], run[k], n);
    }
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < n; i += GR__W)
            vstore(c->part[k] + at + i, vload(c->part[k] + at + i) + vload(lost[k] + i));
}

/* Of each column: sums of dy and of dy*(x - mean)*rstd. */
void GR__KERNEL(group_norm_back_sums)(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    for (int64_t unit = first; unit < last; unit++) {
        chunk c = chunk_of(p, unit);
        int64_t plain = plain_columns(p, &p->dy, &p->dy);
        back_sums_plain(p, &c, plain);
        for (int64_t at = plain; at < p->c; at += GR__TILE) back_sums_tile(p, &c, at, GR__MIN(GR__TILE, p->c - at));
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
