/* Rows of A that vectors cannot read in place (A by columns, pairs of bf16 in rows of odd length) are laid out first, by all
 * threads, as many at a time as the caches beside a core hold; B is packed again for each such part. */
#include "kernel/gemm_int.h"

#include "kernel/simd.h"

enum { PART_BYTES = 4 << 20, NEAR_COLUMNS = 1024, LEAST_ROWS = 64, LINE = GR__GEMM_LAY_UNITS };

typedef struct part {
    int64_t batches, rows, ld; /* at most; units */
} part;

static int64_t batches_of(const gr__gemm *g) { return GR__MAX(g->batch, 1); }

bool gr__gemm_must_lay(const gr__gemm *g)
{
    bool pairs = g->dtype == GR_BF16, near = !pairs && g->a_row == 1 && g->a_col <= NEAR_COLUMNS;
    return (g->a_col != 1 && !near) || (pairs && g->k % 2 != 0 && !g->a_even);
}

/* Whole rows, or whole matrices. Rows a power of two apart would share a few lines of the cache. */
static part part_of(const gr__gemm *g)
{
    int64_t units = g->dtype == GR_BF16 ? (g->k + 1) / 2 : g->k;
    part p = {.batches = 1, .rows = g->m, .ld = ((units + LINE - 1) / LINE | 1) * LINE};
    int64_t row = p.ld * (int64_t)sizeof(uint32_t), most = GR__MAX(PART_BYTES / row, LEAST_ROWS);
    if (p.rows > most)
        p.rows = most / LEAST_ROWS * LEAST_ROWS;
    else
        p.batches = GR__MIN(most / GR__MAX(p.rows, 1), batches_of(g));
    return p;
}

size_t gr__gemm_lay_bytes(const gr__gemm *g)
{
    part p = part_of(g);
    return (size_t)(p.batches * p.rows * p.ld) * sizeof(uint32_t);
}

void gr__gemm_run_laid(const gr__gemm *g, void *room, void (*run)(const gr__gemm *some))
{
    part p = part_of(g);
    bool pairs = g->dtype == GR_BF16;
    int64_t per = pairs ? 2 : 1, units = (g->k + per - 1) / per, c_item = (int64_t)gr_dtype_size_bytes(g->c_dtype),
            item = (int64_t)gr_dtype_size_bytes(g->dtype);
    for (int64_t batch = 0; batch < batches_of(g); batch += p.batches)
        for (int64_t row = 0; row < g->m; row += p.rows) {
            gr__gemm_lay lay = {.g = g,
                                .batch = batch,
                                .batches = GR__MIN(p.batches, batches_of(g) - batch),
                                .row = row,
                                .rows = GR__MIN(p.rows, g->m - row),
                                .ld = p.ld,
                                .to = room};
            gr__run_range(gr__simd_get()->gemm_lay, &lay, lay.batches * ((units + LINE - 1) / LINE), 1, 1);
            gr__gemm some = *g;
            some.batch = lay.batches;
            some.m = lay.rows;
            some.a = room;
            some.a_row = p.ld * per, some.a_col = 1, some.a_batch = lay.rows * some.a_row;
            some.a_even = true;
            some.b = (const char *)g->b + batch * g->b_batch * item;
            some.c = (char *)g->c + (batch * g->c_batch + row * g->c_row) * c_item;
            some.first_row = g->first_row + row;
            run(&some);
        }
}
