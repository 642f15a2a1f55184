/* Plan and tasks of a product of bf16, or of f32 in three parts, on tiles (tiles.h).
 *
 * k is cut into chunks. In a chunk, the operand with fewer lines is packed whole and shared by all tasks; a task packs
 * 'group' panels of the other one for itself, keeps them in L2, and lets the shared panels pass by:
 *
 *     for each shared panel, for each panel of the task: 32x32 of C
 *
 * Where the shared panels stay in L2 and rows of A are packed, a task packs and uses its panels one by one.
 *
 * Scratch: | shared panels | sums over several chunks, where C cannot hold them | thread 0: panels, sums | thread 1: ... |
 * Packing and computing are tasks of one parallel call: a task that computes waits until all is packed. Threads claim tasks
 * in order, so those that pack are with a thread by then. */
#include "kernel/gemm_amx.h"

#include "base/parallel.h"
#include "kernel/cpu.h"
#include "kernel/window.h"

#include <stdatomic.h>

enum {
    CHUNK = 2048,            /* most elements of k of a chunk */
    SPLIT_CHUNK = 1024,      /* of one of f32 */
    OWN_BYTES = 768 << 10,   /* of a task's panels: they stay in L2 */
    NEAR_BYTES = 1280 << 10, /* of shared panels: so few stay in L2 */
    MOST_GROUP = 8,          /* panels of a task */
    WIDE_STRIP = 8,          /* shared panels that one panel of rows meets before its sums are finished */
    PACK_BYTES = 64 << 10,   /* of a task that packs */
    /* A product of f32 is split from here on: half the harmonic mean of rows and columns, elements of k. Below, splitting
     * costs more than tiles save. */
    SPLIT_LEAST_LINES = 96,
    SPLIT_LEAST_K = 128
};

typedef struct amx_plan {
    gr__gemm g;
    bool own_b; /* tasks own columns of B; else rows of A */
    int64_t chunk, chunks;
    int64_t shared_lines, own_lines, shared_panels, own_panels;
    int64_t group, tasks;
    int64_t at_once;         /* panels of a task that lie packed together */
    int64_t beside;          /* shared panels of a strip */
    int64_t per_pack, packs; /* panels of a packing task, such tasks */
    bool wide;               /* a C that is not f32, or not stored, is summed up in scratch */
    size_t shared_bytes, wide_bytes, own_bytes, sums_bytes;
    _Atomic int64_t packed;
    _Atomic bool infinite; /* f32: an infinity is in a shared panel */
    int64_t l0, depth;     /* the chunk at work */
    const char *shared;    /* its panels */
} amx_plan;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static bool is_split(const gr__gemm *g) { return g->dtype == GR_F32; }

static int64_t panel_bytes(const gr__gemm *g, int64_t depth)
{
    return gr__tiles_steps(depth) * (is_split(g) ? GR__TILES_SPLIT_BYTES : GR__TILES_STEP_BYTES);
}

bool gr__gemm_amx_applicable(const gr__gemm *g)
{
    if (!gr__cpu_has_tiles() || g->batch > 1 || g->m <= 0 || g->n <= 0 || g->k <= 0) return false;
    if (g->dtype == GR_BF16) return true;
    bool pays = g->m * g->n >= SPLIT_LEAST_LINES * (g->m + g->n) && g->k >= SPLIT_LEAST_K;
    return g->dtype == GR_F32 && g->split && pays;
}

int64_t gr__gemm_amx_chunk(const gr__gemm *g)
{
    int64_t most = is_split(g) ? SPLIT_CHUNK : CHUNK;
    return gr__tiles_steps(ceil_div(g->k, ceil_div(g->k, most))) * GR__TILES_STEP;
}

static void make_plan(amx_plan *p, const gr__gemm *g)
{
    *p = (amx_plan){.g = *g, .own_b = g->n >= g->m || g->finish_columns};
    p->chunk = gr__gemm_amx_chunk(g);
    p->chunks = ceil_div(g->k, p->chunk);
    p->shared_lines = p->own_b ? g->m : g->n;
    p->own_lines = p->own_b ? g->n : g->m;
    p->shared_panels = ceil_div(p->shared_lines, GR__TILES_LINES);
    p->own_panels = ceil_div(p->own_lines, GR__TILES_LINES);
    int64_t most = GR__MAX(OWN_BYTES / panel_bytes(g, p->chunk), 1), wanted = 4 * gr__parallel_width();
    p->group = GR__MIN(most, MOST_GROUP);
    while (p->group > 1 && ceil_div(p->own_panels, p->group) < wanted) p->group--;
    p->group = ceil_div(p->own_panels, ceil_div(p->own_panels, p->group));
    if (g->finish && g->finish_columns) p->group = g->finish_columns / GR__TILES_LINES;
    p->tasks = ceil_div(p->own_panels, p->group);
    bool again = g->packed_b && p->own_b && p->shared_panels == 2; /* a packed panel is read twice: from cache then */
    bool near = !p->own_b && p->shared_panels * panel_bytes(g, p->chunk) <= NEAR_BYTES;
    p->at_once = again || near ? 1 : p->group;
    p->beside = p->at_once == 1 && !p->own_b ? GR__MIN(WIDE_STRIP, p->shared_panels) : 1;
    p->per_pack = GR__MAX(PACK_BYTES / panel_bytes(g, p->chunk), 1);
    p->packs = g->packed_b && !p->own_b ? 0 : ceil_div(p->shared_panels, p->per_pack);
    p->wide = (g->c_dtype != GR_F32 || g->finish) && p->chunks > 1;
    p->shared_bytes = p->packs ? (size_t)(p->shared_panels * panel_bytes(g, p->chunk)) : 0;
    p->wide_bytes = p->wide ? line((size_t)(g->m * g->n) * sizeof(float)) : 0;
    p->own_bytes = g->packed_b && p->own_b ? 0 : (size_t)(p->at_once * panel_bytes(g, p->chunk));
    p->sums_bytes = (size_t)(p->at_once * p->beside * GR__TILES_LINES * GR__TILES_LINES) * sizeof(float);
}

size_t gr__gemm_amx_scratch_bytes(const gr__gemm *g)
{
    if (gr__gemm_amx_rows_applicable(g)) return gr__gemm_amx_rows_scratch_bytes(g);
    amx_plan p;
    make_plan(&p, g);
    return p.shared_bytes + p.wide_bytes + (p.own_bytes + p.sums_bytes) * (size_t)gr__parallel_width();
}

size_t gr__gemm_amx_packed_bytes(const gr__gemm *g)
{
    amx_plan p;
    make_plan(&p, g);
    return (size_t)(p.chunks * ceil_div(g->n, GR__TILES_LINES) * panel_bytes(g, p.chunk));
}

#if GR__HAVE_X86

/* Lines i0.. of A or B in the chunk at work. false: f32, with an infinity. */
static bool pack_lines(const amx_plan *p, bool of_b, int64_t i0, char *to)
{
    const gr__gemm *g = &p->g;
    int64_t line = of_b ? g->b_col : g->a_row, k = of_b ? g->b_row : g->a_col, at = i0 * line + p->l0 * k;
    int64_t lines = GR__MIN((of_b ? g->n : g->m) - i0, GR__TILES_LINES);
    const void *matrix = of_b ? g->b : g->a;
    if (is_split(g)) {
        gr__tiles_split_source s = {(const float *)matrix + at, line, k, lines, p->depth};
        return of_b ? gr__tiles_split_b(&s, to) : gr__tiles_split_a(&s, to);
    }
    gr__tiles_source s = {(const uint16_t *)matrix + at, line, k, lines, p->depth};
    if (of_b)
        gr__tiles_pack_b(&s, to);
    else
        gr__tiles_pack_a(&s, to);
    return true;
}

static bool pack(const amx_plan *p, bool b, int64_t panel, char *to)
{
    const gr__gemm *g = &p->g;
    int64_t first = panel * GR__TILES_LINES;
    if (!b && g->a_window) {
        gr__window_pack_a(g->a_window, first, GR__MIN(g->m - first, GR__TILES_LINES), p->l0, p->depth, to);
        return true;
    }
    if (b && g->b_window) {
        gr__window_pack_b(g->b_window, p->l0, p->depth, first, to);
        return true;
    }
    return pack_lines(p, b, first, to);
}

static void pack_task(amx_plan *p, int64_t task)
{
    int64_t end = GR__MIN((task + 1) * p->per_pack, p->shared_panels);
    for (int64_t i = task * p->per_pack; i < end; i++)
        if (!pack(p, !p->own_b, i, (char *)p->g.scratch + i * panel_bytes(&p->g, p->chunk)))
            atomic_store_explicit(&p->infinite, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->packed, 1, memory_order_release);
}

static void wait_for_packs(amx_plan *p)
{
    for (int i = 0; atomic_load_explicit(&p->packed, memory_order_acquire) < p->packs; i++) gr__parallel_wait(i);
}

/* What a task computes beside one shared panel. */
typedef struct strip {
    const amx_plan *p;
    const char *own;  /* the task's panels */
    int64_t first, n; /* of them */
    int64_t shared, n_shared;
    float *sums; /* room for the strip */
    int64_t row, column, shared_lines;
    gr__tiles_block block; /* of C, or of the wide sums */
    bool direct;           /* tiles go straight there */
    bool old;              /* there is something to add to */
    bool infinite;         /* an infinity is in a panel */
} strip;

static int tiles_of(int64_t lines) { return lines > 16 ? 2 : 1; }

static int64_t lines_of(int64_t panel, int64_t all) { return GR__MIN(all - panel * GR__TILES_LINES, GR__TILES_LINES); }

/* Packed panels of columns come from memory: a panel that is met once is fetched shortly before; one that shared panels meet
 * one after the other, a share with each of them while they are busy with the panel before. */
static void fetch_packed(const strip *s, int64_t i, gr__tiles_job *j)
{
    enum { LINES = GR__TILES_STEP_BYTES / 64, SOON = 4 * GR__TILES_STEP_BYTES };
    int64_t meets = s->p->at_once == 1 ? s->p->shared_panels : 1;
    int64_t at = meets == 1
                     ? SOON
                     : panel_bytes(&s->p->g, s->p->chunk) + (s->shared + i) * j->steps * (GR__TILES_STEP_BYTES / meets);
    if (meets > LINES || (meets == 1 && s->shared + i > 0)) return;
    j->ahead = (const char *)j->b + at;
    j->ahead_lines = (int)(LINES / meets);
    j->ahead_step = j->ahead_lines * 64;
}

/* Panel o of the strip's own ones with panel i of its shared ones. */
static void multiply_panel(const strip *s, int64_t i, int64_t o)
{
    const amx_plan *p = s->p;
    const gr__gemm *g = &p->g;
    const char *own = s->own + o * panel_bytes(g, p->chunk),
               *shared = p->shared + (s->shared + i) * panel_bytes(g, p->chunk);
    int64_t own_lines = lines_of(s->first + o, p->own_lines), shared_lines = lines_of(s->shared + i, p->shared_lines);
    int64_t row = p->own_b ? i : o, column = p->own_b ? o : i;
    float *c = s->direct ? s->block.c : s->sums;
    int64_t ld = s->direct ? s->block.c_row : s->block.ld;
    gr__tiles_job j = {.a = p->own_b ? shared : own,
                       .b = p->own_b ? own : shared,
                       .steps = gr__tiles_steps(p->depth),
                       .c = c + (row * ld + column) * GR__TILES_LINES,
                       .ldc = ld,
                       .add = s->old,
                       .a_tiles = tiles_of(p->own_b ? shared_lines : own_lines),
                       .b_tiles = tiles_of(p->own_b ? own_lines : shared_lines)};
    if (p->own_b && p->g.packed_b) fetch_packed(s, i, &j);
    if (!is_split(g))
        gr__tiles_multiply(&j);
    else if (s->infinite)
        gr__tiles_multiply_whole(&j);
    else
        gr__tiles_multiply_split(&j);
}

/* The strip's place in C, whatever holds its sums until the last chunk. */
static void set_result(const strip *s, gr__tiles_block *b)
{
    const gr__gemm *g = &s->p->g;
    b->c = (char *)g->c + (s->row * g->c_row + s->column) * (int64_t)gr_dtype_size_bytes(g->c_dtype);
    b->c_dtype = g->c_dtype;
    b->c_row = g->c_row;
}

static void set_wide(const strip *s, gr__tiles_block *b)
{
    const amx_plan *p = s->p;
    b->c = (float *)(void *)((char *)p->g.scratch + p->shared_bytes) + s->row * p->g.n + s->column;
    b->c_dtype = GR_F32;
    b->c_row = p->g.n;
}

/* Where the sums of the strip lie, and what is in them. */
static void open_strip(strip *s)
{
    const amx_plan *p = s->p;
    const gr__gemm *g = &p->g;
    int64_t shared0 = s->shared * GR__TILES_LINES, own0 = s->first * GR__TILES_LINES;
    int64_t own_lines = GR__MIN(s->n * GR__TILES_LINES, p->own_lines - own0);
    bool first = p->l0 == 0;
    s->shared_lines = GR__MIN(s->n_shared * GR__TILES_LINES, p->shared_lines - shared0);
    s->row = p->own_b ? shared0 : own0;
    s->column = p->own_b ? own0 : shared0;
    s->block = (gr__tiles_block){.rows = p->own_b ? s->shared_lines : own_lines,
                                 .columns = p->own_b ? own_lines : s->shared_lines,
                                 .sums = s->sums,
                                 .ld = (p->own_b ? s->n : s->n_shared) * GR__TILES_LINES};
    bool whole = s->shared_lines == s->n_shared * GR__TILES_LINES && own_lines == s->n * GR__TILES_LINES;
    s->old = !first || g->accumulate;
    if (p->wide) {
        set_wide(s, &s->block);
        s->direct = whole && !(first && g->accumulate);
    } else {
        if (!g->finish) set_result(s, &s->block);
        s->direct = whole && g->c_dtype == GR_F32 && !g->bias && !g->finish;
    }
    if (s->direct || !s->old) return;
    gr__tiles_block from = s->block;
    if (first) set_result(s, &from);
    gr__tiles_load_sums(&from);
}

static void close_strip(strip *s)
{
    const amx_plan *p = s->p;
    const gr__gemm *g = &p->g;
    bool last = p->l0 + p->depth == g->k;
    if (last && s->direct && p->wide) { /* the sums are not yet where they belong */
        s->block.sums = s->block.c;
        s->block.ld = s->block.c_row;
        s->direct = false;
    }
    if (s->direct) return;
    if (last && g->finish) {
        gr__gemm_block b = {s->row, s->column, s->block.rows, s->block.columns, s->block.sums, s->block.ld};
        g->finish(g->finish_context, &b);
        return;
    }
    if (last) {
        set_result(s, &s->block);
        s->block.bias = g->bias ? g->bias + s->column : NULL;
    }
    gr__tiles_store_sums(&s->block);
}

static void run_strip(strip *s)
{
    open_strip(s);
    for (int64_t i = 0; i < s->n_shared; i++)
        for (int64_t o = 0; o < s->n; o++) multiply_panel(s, i, o);
    close_strip(s);
}

/* B's panels of the chunk at work, where they were packed before. */
static const char *packed_panels(const amx_plan *p)
{
    int64_t panels = p->own_b ? p->own_panels : p->shared_panels;
    return (const char *)p->g.packed_b + p->l0 / p->chunk * panels * panel_bytes(&p->g, p->chunk);
}

static void compute_task(amx_plan *p, int64_t task, int thread)
{
    char *mine =
        (char *)p->g.scratch + p->shared_bytes + p->wide_bytes + (p->own_bytes + p->sums_bytes) * (size_t)thread;
    bool packed = p->own_b && p->g.packed_b;
    strip s = {.p = p, .own = mine, .first = task * p->group, .sums = (float *)(void *)(mine + p->own_bytes)};
    int64_t end = GR__MIN(s.first + p->group, p->own_panels);
    gr__tiles_begin();
    for (; s.first < end; s.first += s.n) {
        s.n = GR__MIN(p->at_once, end - s.first);
        s.infinite = false;
        if (packed) s.own = packed_panels(p) + s.first * panel_bytes(&p->g, p->chunk);
        for (int64_t o = 0; !packed && o < s.n; o++)
            s.infinite |= !pack(p, p->own_b, s.first + o, mine + o * panel_bytes(&p->g, p->chunk));
        wait_for_packs(p);
        s.infinite |= atomic_load_explicit(&p->infinite, memory_order_relaxed);
        for (s.shared = 0; s.shared < p->shared_panels; s.shared += s.n_shared) {
            s.n_shared = GR__MIN(p->beside, p->shared_panels - s.shared);
            run_strip(&s);
        }
    }
    gr__tiles_end();
}

static void run_task(void *context, int64_t task, int thread)
{
    amx_plan *p = context;
    if (task < p->packs)
        pack_task(p, task);
    else
        compute_task(p, task - p->packs, thread);
}

void gr__gemm_amx_run(const gr__gemm *g)
{
    if (gr__gemm_amx_rows_applicable(g)) {
        gr__gemm_amx_rows_run(g);
        return;
    }
    amx_plan p;
    make_plan(&p, g);
    for (p.l0 = 0; p.l0 < g->k; p.l0 += p.chunk) {
        p.depth = GR__MIN(p.chunk, g->k - p.l0);
        p.shared = g->packed_b && !p.own_b ? packed_panels(&p) : g->scratch;
        atomic_store_explicit(&p.packed, 0, memory_order_relaxed);
        atomic_store_explicit(&p.infinite, false, memory_order_relaxed);
        if (g->packed_b)
            gr__parallel_home(p.packs, p.packs + p.tasks, g->turned, run_task, &p);
        else
            gr__parallel(p.packs + p.tasks, run_task, &p);
    }
}

void gr__gemm_amx_run_columns(const gr__gemm *g, int64_t first, int64_t columns)
{
    amx_plan p;
    make_plan(&p, g);
    int64_t panels = ceil_div(g->n, GR__TILES_LINES), size = panel_bytes(g, p.chunk);
    for (int64_t i = 0; i < g->m; i += GR__TILES_LINES) {
        int64_t rows = GR__MIN(g->m - i, GR__TILES_LINES);
        gr__tiles_begin_rows(rows);
        for (int64_t j = first; j < first + columns; j += 2 * GR__TILES_LINES)
            for (int64_t c = 0; c < p.chunks; c++) {
                int64_t l = c * p.chunk;
                gr__tiles_rows_job job = {.rows = rows,
                                          .columns = GR__MIN(first + columns - j, 2 * GR__TILES_LINES),
                                          .a = (const uint16_t *)g->a + i * g->a_row + l,
                                          .a_row = g->a_row,
                                          .b = (const char *)g->packed_b + (c * panels + j / GR__TILES_LINES) * size,
                                          .b_panel = size,
                                          .steps = gr__tiles_steps(GR__MIN(g->k - l, p.chunk)),
                                          .c = (float *)g->c + i * g->c_row + j,
                                          .ldc = g->c_row,
                                          .add = c > 0 || g->accumulate};
                gr__tiles_multiply_rows(&job);
            }
        gr__tiles_end();
    }
}

/* ---- B packed before ---- */

typedef struct pack_call {
    amx_plan *p;
    char *to;
} pack_call;

static void pack_panel(void *context, int64_t task, int thread)
{
    (void)thread;
    const pack_call *c = context;
    pack(c->p, true, task, c->to + task * panel_bytes(&c->p->g, c->p->chunk));
}

void gr__gemm_amx_pack_b(const gr__gemm *g, void *to)
{
    amx_plan p;
    make_plan(&p, g);
    int64_t panels = ceil_div(g->n, GR__TILES_LINES);
    pack_call c = {&p, to};
    for (p.l0 = 0; p.l0 < g->k; p.l0 += p.chunk, c.to += panels * panel_bytes(g, p.chunk)) {
        p.depth = GR__MIN(p.chunk, g->k - p.l0);
        gr__parallel(panels, pack_panel, &c);
    }
}

#else
void gr__gemm_amx_run(const gr__gemm *g) { (void)g; }
void gr__gemm_amx_run_columns(const gr__gemm *g, int64_t first, int64_t columns)
{
    (void)g, (void)first, (void)columns;
}
void gr__gemm_amx_pack_b(const gr__gemm *g, void *to) { (void)g, (void)to; }
#endif
