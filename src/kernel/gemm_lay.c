/* Rows of A that vectors cannot read in place (A by columns, pairs of bf16 in rows of odd length) are laid out first, by all
 * threads, as many at a time as the caches beside a core hold; B is packed again for each such part. Of very long rows that would
 * be too few to pay for that: then all of them are laid out, a part of k at a time, and C is summed over these. Where B is by rows
 * and much narrower than A it is B that is laid out: the product is made the other way round, the same bits. */
#include "kernel/gemm_int.h"

#include "kernel/copy.h"
#include "kernel/simd.h"

enum {
    PART_BYTES = 4 << 20,
    NEAR_COLUMNS = 1024,
    LEAST_ROWS = 64,
    SOME_ROWS = 256,  /* fewer do not pay for B */
    LONG_ROWS = 1024, /* pay for turning C around, where they are */
    TIMES_WIDTH = 8,  /* so many times as long as B is wide */
    MOST_ROWS = 2048,
    LINE = GR__GEMM_LAY_UNITS
};

typedef struct part {
    int64_t batches, rows, depth; /* at most; elements of k */
    int64_t ld;                   /* units */
    size_t sum_bytes;             /* of C in f32, where it is bf16 and summed over parts of k */
} part;

static int64_t batches_of(const gr__gemm *g) { return GR__MAX(g->batch, 1); }

bool gr__gemm_must_lay(const gr__gemm *g)
{
    if (g->a_window) return false;
    bool pairs = g->dtype == GR_BF16, near = !pairs && g->a_row == 1 && g->a_col <= NEAR_COLUMNS;
    return (g->a_col != 1 && !near) || (pairs && g->k % 2 != 0 && !g->a_even);
}

static int64_t row_units(int64_t units) { return ((units + LINE - 1) / LINE | 1) * LINE; }

/* Whole rows, or whole matrices, or a part of k of all rows. Rows a power of two apart would share a few lines of the cache. */
static part part_of(const gr__gemm *g)
{
    int64_t per = g->dtype == GR_BF16 ? 2 : 1, units = (g->k + per - 1) / per;
    part p = {.batches = 1, .rows = g->m, .depth = g->k, .ld = row_units(units)};
    int64_t row = p.ld * (int64_t)sizeof(uint32_t), most = GR__MAX(PART_BYTES / row, LEAST_ROWS);
    bool plain = !g->finish && !g->n_steps && !(g->c_dtype == GR_BF16 && (g->accumulate || g->bias));
    if (p.rows <= most) {
        p.batches = GR__MIN(most / GR__MAX(p.rows, 1), batches_of(g));
    } else if (most >= SOME_ROWS || !plain) {
        p.rows = most / LEAST_ROWS * LEAST_ROWS;
    } else {
        p.rows = GR__MIN(p.rows, MOST_ROWS);
        int64_t parts = PART_BYTES / (p.rows * (int64_t)sizeof(uint32_t)) / GR__GEMM_UNITS;
        p.depth = GR__MIN(GR__MAX(parts, 1) * GR__GEMM_UNITS * per, g->k);
        p.ld = row_units(p.depth / per);
        if (g->c_dtype == GR_BF16 && p.depth < g->k)
            p.sum_bytes = ((size_t)(p.rows * g->n) * sizeof(float) + 63) / 64 * 64;
    }
    return p;
}

static size_t laid_bytes(const part *p) { return (size_t)(p->batches * p->rows * p->ld) * sizeof(uint32_t); }

/* C^T = B^T A^T in f32, which is turned around then. */
static bool other_way(const gr__gemm *g)
{
    bool plain =
        batches_of(g) == 1 && !g->finish && !g->n_steps && !g->bias && !g->accumulate && !g->b_window && !g->packed_b;
    return plain && g->dtype == GR_BF16 && g->a_row == 1 && g->b_col == 1 && 2 * g->n <= g->m &&
           g->k >= GR__MAX((int64_t)LONG_ROWS, TIMES_WIDTH * g->n);
}

static gr__gemm other_of(const gr__gemm *g)
{
    gr__gemm o = *g;
    o.m = g->n, o.n = g->m;
    o.a = g->b, o.a_row = g->b_col, o.a_col = g->b_row;
    o.b = g->a, o.b_row = g->a_col, o.b_col = g->a_row;
    o.c_row = g->m, o.c_dtype = GR_F32;
    return o;
}

/* C in f32, one way or the other. */
static size_t whole_bytes(const gr__gemm *g) { return ((size_t)(g->m * g->n) * sizeof(float) + 63) / 64 * 64; }

size_t gr__gemm_lay_bytes(const gr__gemm *g)
{
    gr__gemm other = other_of(g);
    bool turned = other_way(g);
    part p = part_of(turned ? &other : g);
    return laid_bytes(&p) + p.sum_bytes + (turned ? 2 * whole_bytes(g) : 0);
}

/* Elements l .. of rows row .. of some matrices; sums: what is C in f32, or NULL. */
static gr__gemm some_of(const gr__gemm *g, const part *p, int64_t batch, int64_t row, int64_t l, float *sums)
{
    int64_t c_item = (int64_t)gr_dtype_size_bytes(g->c_dtype), item = (int64_t)gr_dtype_size_bytes(g->dtype);
    gr__gemm some = *g;
    some.batch = GR__MIN(p->batches, batches_of(g) - batch);
    some.m = GR__MIN(p->rows, g->m - row);
    some.k = GR__MIN(p->depth, g->k - l);
    some.a = (const char *)g->a + (batch * g->a_batch + row * g->a_row + l * g->a_col) * item;
    if (g->b) some.b = (const char *)g->b + (batch * g->b_batch + l * g->b_row) * item;
    some.b_first = g->b_first + l;
    some.c = (char *)g->c + (batch * g->c_batch + row * g->c_row) * c_item;
    some.first_row = g->first_row + row;
    some.accumulate = g->accumulate || l > 0;
    if (l + some.k < g->k) some.bias = NULL;
    if (sums) some.c = sums, some.c_row = g->n, some.c_dtype = GR_F32;
    return some;
}

/* Rows of f32 to C in bf16. */
static void give_sums(const gr__gemm *g, int64_t batch, int64_t row, int64_t rows, const float *sums)
{
    uint16_t *c = (uint16_t *)g->c + batch * g->c_batch + row * g->c_row;
    if (g->c_row == g->n)
        gr__cast(c, GR_BF16, sums, GR_F32, rows * g->n);
    else
        for (int64_t i = 0; i < rows; i++) gr__cast(c + i * g->c_row, GR_BF16, sums + i * g->n, GR_F32, g->n);
}

static void run_one_way(const gr__gemm *g, void *room, void (*run)(const gr__gemm *some))
{
    part p = part_of(g);
    int64_t per = g->dtype == GR_BF16 ? 2 : 1;
    float *sums = p.sum_bytes ? (float *)(void *)((char *)room + laid_bytes(&p)) : NULL;
    for (int64_t batch = 0; batch < batches_of(g); batch += p.batches)
        for (int64_t row = 0; row < g->m; row += p.rows) {
            for (int64_t l = 0; l == 0 || l < g->k; l += GR__MAX(p.depth, 1)) { /* once for k = 0 too */
                gr__gemm some = some_of(g, &p, batch, row, l, sums);
                gr__gemm_lay lay = {.g = &some, .batches = some.batch, .rows = some.m, .ld = p.ld, .to = room};
                int64_t lines = ((some.k + per - 1) / per + LINE - 1) / LINE;
                gr__run_range(gr__simd_get()->gemm_lay, &lay, lay.batches * lines, 1, 1);
                gr__gemm laid = some;
                laid.a = room;
                laid.a_row = p.ld * per, laid.a_col = 1, laid.a_batch = lay.rows * laid.a_row;
                laid.a_even = true;
                run(&laid);
            }
            if (sums) give_sums(g, batch, row, GR__MIN(p.rows, g->m - row), sums);
        }
}

static void run_other_way(const gr__gemm *g, char *room, void (*run)(const gr__gemm *some))
{
    gr__gemm other = other_of(g);
    float *turned = (float *)(void *)room, *sums = (float *)(void *)(room + whole_bytes(g));
    other.c = turned;
    run_one_way(&other, room + 2 * whole_bytes(g), run);
    bool direct = g->c_dtype == GR_F32;
    gr__transpose t = {.batch = 1,
                       .rows = g->n,
                       .cols = g->m,
                       .src = turned,
                       .src_ld = g->m,
                       .dst = direct ? g->c : sums,
                       .dst_ld = direct ? g->c_row : g->n,
                       .size_bytes = sizeof(float)};
    gr__transpose_run(&t);
    if (!direct) give_sums(g, 0, 0, g->m, sums);
}

void gr__gemm_run_laid(const gr__gemm *g, void *room, void (*run)(const gr__gemm *some))
{
    if (other_way(g))
        run_other_way(g, room, run);
    else
        run_one_way(g, room, run);
}
