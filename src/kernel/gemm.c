#include "kernel/gemm_int.h"

#include "base/parallel.h"
#include "kernel/cpu.h"
#include "kernel/gemm_amx.h"
#include "kernel/simd.h"
#include "kernel/window.h"

#include <string.h>

enum { THIN_ROWS = 4, THIN_COLUMNS = 1024, LEAST_WORK = 1 << 18 };
enum { GIVEN_ROWS = 120, MOST_KEPT_BYTES = 8 << 20 }; /* of blocks that are given away; of their B */

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
static size_t line(int64_t bytes) { return ((size_t)bytes + 63) & ~(size_t)63; }

/* Blocks of rows, 'least' or more of them. Each packs B again, which takes as long as the tiles of some rows: no more of them than give
 * the threads even work, where there are fewer than 'wanted' tasks. */
static int64_t cut_rows(const gr__gemm *g, const gr__simd *simd, int64_t least, int64_t columns, int64_t wanted)
{
    enum { LEAST_TILES = 8, PACKING_ROWS = 7, LITTLE = 20 };
    int64_t best = least, best_time = INT64_MAX;
    for (int64_t n = least; n == least || ceil_div(g->m, n) > LEAST_TILES * simd->mr; n++) {
        int64_t rows = round_up(ceil_div(g->m, n), simd->mr) + (g->packed_b ? 0 : PACKING_ROWS);
        int64_t time = rows * ceil_div(n * columns, gr__parallel_width());
        if (time < best_time - best_time / LITTLE) best = n, best_time = time;
        if (n * columns >= wanted) break;
    }
    return best;
}

/* Enough tasks for every thread, as long as each is worth its start. Neither the cut nor the number of threads changes
 * a result. */
static void cut(gr__gemm_plan *p, const gr__simd *simd)
{
    const gr__gemm *g = &p->g;
    int64_t mr = simd->mr, panels = ceil_div(g->n, simd->nr), width = gr__parallel_width();
    int64_t wanted = width == 1 ? 1 : 4 * width;
    double work = (double)g->batch * (double)g->m * (double)g->n * (double)g->k / LEAST_WORK;
    if (work < (double)wanted) wanted = GR__MAX((int64_t)work, 1);
    p->group = g->finish_columns ? g->finish_columns / simd->nr : 1;
    int64_t blocks = g->finish ? 1 : GR__MAX(ceil_div(g->m, GR__GEMM_MOST_ROWS), 1);
    if (!p->pack_to) blocks = cut_rows(g, simd, blocks, ceil_div(panels, p->group) * g->batch, wanted);
    p->mc = GR__MAX(round_up(ceil_div(g->m, blocks), mr), mr);
    p->step = g->finish ? round_up(ceil_div(p->mc, ceil_div(p->mc, GIVEN_ROWS)), mr) : p->mc;
    p->row_blocks = ceil_div(g->m, p->mc);
    p->column_blocks = ceil_div(panels, p->group);
}

static const gr__simd *simd_of(const gr__gemm *g) { return g->dtype == GR_BF16 ? gr__simd_get_bf16() : gr__simd_get(); }

/* Of one thread; parts of a product of fewer rows need no more, whatever their cut. */
static void measure_scratch(gr__gemm_plan *p, const gr__simd *simd)
{
    const gr__gemm *g = &p->g;
    int64_t columns = simd->nr, rows = round_up(GR__MIN(g->m, (int64_t)GR__GEMM_MOST_ROWS), simd->mr);
    int64_t all = ceil_div(g->k, g->dtype == GR_BF16 ? 2 : 1), units = GR__MIN((int64_t)GR__GEMM_UNITS, all),
            panels = 2;
    if (g->finish_columns) columns = g->finish_columns;
    if (g->finish) rows = GR__MIN(rows, round_up(GIVEN_ROWS, simd->mr));
    if (g->finish) units = all, panels = columns / simd->nr + 1;
    p->b_bytes = g->packed_b ? 0 : line(units * simd->nr * panels * 4);
    if (g->finish || ((g->c_dtype != GR_F32 || g->n_steps) && g->k > p->kc)) p->c_bytes = line(rows * columns * 4);
}

static bool make_plan(gr__gemm_plan *p, const gr__gemm *g, float *pack_to)
{
    memset(p, 0, sizeof *p);
    p->g = *g;
    p->pack_to = pack_to;
    if (pack_to) p->g.finish = NULL, p->g.finish_columns = 0, p->g.m = 1; /* each panel once */
    if (p->g.batch == 0) p->g.batch = 1;
    bool pairs = g->dtype == GR_BF16;
    const gr__simd *simd = simd_of(g);
    p->kc = pairs ? 2 * GR__GEMM_UNITS : GR__GEMM_UNITS;
    p->thin = !pairs && g->m <= THIN_ROWS && g->b_col == 1 && g->c_dtype == GR_F32 && !g->packed_b && !p->pack_to &&
              !g->finish;
    cut(p, simd);
    measure_scratch(p, simd);
    if (p->thin) {
        p->mc = g->m;
        p->row_blocks = 1;
        int64_t columns = GR__MIN(THIN_COLUMNS, round_up(ceil_div(g->n, 2 * gr__parallel_width()), 64));
        p->group = GR__MAX(columns, 64);
        p->column_blocks = ceil_div(g->n, p->group);
    }
    return p->g.m > 0 && p->g.n > 0 && p->g.batch > 0;
}

/* A few rows with a packed B: vectors read it faster than tiles do. */
bool gr__gemm_is_few(const gr__gemm *g)
{
    int64_t most = g->dtype == GR_F32 ? GR__GEMM_FEW_ROWS_F32 : 0;
    if (g->dtype == GR_BF16) most = gr__cpu_has_tiles() ? GR__GEMM_FEW_ROWS_BESIDE_TILES : GR__GEMM_FEW_ROWS;
    bool tiles_finish = g->finish && g->dtype == GR_BF16 && gr__gemm_amx_applicable(g);
    return g->m <= most && g->batch <= 1 && !g->finish_columns && !tiles_finish && !g->a_window;
}
static bool on_tiles(const gr__gemm *g) { return gr__gemm_amx_applicable(g) && !(g->packed_b && gr__gemm_is_few(g)); }

/* Vectors multiply pairs of bf16, and are the fastest way. */
bool gr__gemm_by_dots(gr_dtype dtype)
{
    bool has = gr__cpu_get_level() >= GR__CPU_AVX512 && gr__cpu()->bf16;
    return has && dtype == GR_BF16 && !gr__cpu_has_tiles();
}

bool gr__gemm_can_see(const gr__gemm *g, const gr__window_rows *w)
{
    if (g->dtype != GR_BF16) return false;
    if (gr__gemm_amx_applicable(g)) return true;
    return gr__gemm_by_dots(g->dtype) && w->channels % GR__TILES_STEP == 0 && w->channels <= GR__GEMM_MOST_CHANNELS &&
           w->taps[0] * w->taps[1] * w->taps[2] <= GR__GEMM_MOST_TAPS;
}

bool gr__gemm_can_step(const gr__gemm *g)
{
    return gr__gemm_by_dots(g->dtype) && g->batch <= 1 && !g->accumulate && !g->finish &&
           !(g->packed_b && gr__gemm_is_few(g));
}

/* A plain product and a map behind it take less time than sums that a program finishes in cache; with the loss's blocks, whose
 * logits would go through memory, it is the other way round. */
static bool gives_away(const gr__gemm *g)
{
    return g->finish_columns && gr__gemm_by_dots(g->dtype) && g->batch <= 1 &&
           g->k * g->finish_columns * 2 <= MOST_KEPT_BYTES;
}

/* Parts of f32 would take half as much memory again as the numbers. */
static bool packs_on_tiles(const gr__gemm *g) { return g->dtype == GR_BF16 && gr__gemm_amx_applicable(g); }
static bool packs_for_vectors(const gr__gemm *g)
{
    return gr__gemm_is_few(g) || (gr__gemm_by_dots(g->dtype) && g->batch <= 1);
}

bool gr__gemm_can_finish(const gr__gemm *g)
{
    if (g->packed_b) return gr__gemm_is_few(g) || packs_on_tiles(g);
    return gr__gemm_amx_applicable(g) || gives_away(g);
}

bool gr__gemm_can_pack(const gr__gemm *g) { return packs_for_vectors(g) || packs_on_tiles(g); }

size_t gr__gemm_packed_bytes(const gr__gemm *g)
{
    if (!packs_for_vectors(g)) return gr__gemm_amx_packed_bytes(g);
    int64_t nr = simd_of(g)->nr, units = g->dtype == GR_BF16 ? (g->k + 1) / 2 : g->k;
    return (size_t)(ceil_div(g->n, nr) * nr * units) * sizeof(float);
}

size_t gr__gemm_scratch_bytes(const gr__gemm *g)
{
    gr__gemm_plan p;
    if (on_tiles(g)) return gr__gemm_amx_scratch_bytes(g);
    if (g->dtype == GR_F64 || !make_plan(&p, g, NULL)) return 0;
    size_t laid = gr__gemm_must_lay(g) ? gr__gemm_lay_bytes(g) : 0;
    return (p.b_bytes + p.c_bytes) * (size_t)gr__parallel_width() + laid;
}

typedef struct job {
    gr__gemm_plan plan;
    gr__task_kernel *fn;
} job;

static void run_ahead(void *context, int64_t task, int64_t next, int64_t turn, int thread)
{
    const job *j = context;
    j->fn(&(gr__gemm_call){&j->plan, next, turn}, task, thread);
}

static void run_alone(void *context, int64_t task, int thread) { run_ahead(context, task, -1, 0, thread); }

static void run_tasks(const gr__gemm *g, float *pack_to)
{
    job j;
    if (!make_plan(&j.plan, g, pack_to)) return;
    const gr__gemm_plan *p = &j.plan;
    j.fn = g->dtype == GR_BF16 ? simd_of(g)->gemm_bf16 : simd_of(g)->gemm;
    int64_t tasks = p->g.batch * p->row_blocks * p->column_blocks;
    if (g->packed_b)
        gr__parallel_home(0, tasks, g->turned, run_alone, &j);
    else if (p->thin || pack_to)
        gr__parallel(tasks, run_alone, &j);
    else
        gr__parallel_ahead(tasks, run_ahead, &j);
}

static void run_in_place(const gr__gemm *g) { run_tasks(g, NULL); }

static void run_on_vectors(const gr__gemm *g)
{
    if (gr__gemm_must_lay(g))
        gr__gemm_run_laid(g, (char *)g->scratch + gr__gemm_scratch_bytes(g) - gr__gemm_lay_bytes(g), run_in_place);
    else
        run_in_place(g);
}

void gr__gemm_run(const gr__gemm *g)
{
    if (g->dtype == GR_F64) {
        int64_t groups = GR__MAX(g->batch, 1) * ceil_div(g->m, GR__GEMM_F64_ROWS);
        gr__run_range(gr__simd_get()->gemm_f64, g, groups,
                      GR__MAX(16384 / GR__GEMM_F64_ROWS / GR__MAX(g->n * g->k, 1), 1), 1);
        return;
    }
    if (on_tiles(g))
        gr__gemm_amx_run(g);
    else
        run_on_vectors(g);
}

void gr__gemm_run_columns(const gr__gemm *g, int64_t first, int64_t columns, int thread)
{
    gr__gemm_plan p;
    gr__gemm some = *g;
    if (on_tiles(g)) {
        gr__gemm_amx_run_columns(g, first, columns);
        return;
    }
    int64_t units = g->dtype == GR_BF16 ? (g->k + 1) / 2 : g->k;
    some.n = columns;
    some.a_even = true;
    some.packed_b = (const float *)g->packed_b + first * units;
    some.c = (float *)g->c + first;
    if (!make_plan(&p, &some, NULL)) return;
    p.group = ceil_div(columns, simd_of(g)->nr);
    p.column_blocks = 1;
    p.fetch = !gr__cpu_has_tiles(); /* Zen 5 does not always see it coming: half of it from L2, half from L3 */
    gr__task_kernel *fn = g->dtype == GR_BF16 ? simd_of(g)->gemm_bf16 : simd_of(g)->gemm;
    for (int64_t i = 0; i < p.row_blocks; i++) fn(&(gr__gemm_call){&p, -1, 0}, i, thread);
}

void gr__gemm_pack_b(const gr__gemm *g, void *to)
{
    if (packs_for_vectors(g))
        run_tasks(g, to);
    else
        gr__gemm_amx_pack_b(g, to);
}
