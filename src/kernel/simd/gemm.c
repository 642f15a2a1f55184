/* Tasks of a matrix product (gemm_int.h): register tiles, in the order of the panels of B. */
#include "kernel/simd.h"
#include "kernel/simd/gemm_finish.h"

/* ---- what is fetched while the tile is at work ---- */

enum { UNIT_BYTES = GR__NR * 4, STREAM_BYTES = 8192 };

/* B by rows, in steps that the machine does not see coming. */
GR__INLINE tile_ahead rows_ahead(const task *t)
{
    return (tile_ahead){
        .lines = UNIT_BYTES / 64, .near = true, .at = (const char *)(t->from + AHEAD * t->ldb), .step = 4 * t->ldb};
}

/* Packed B that is read once: it streams past. */
GR__INLINE tile_ahead stream_ahead(const task *t)
{
    return (tile_ahead){
        .lines = UNIT_BYTES / 64, .near = false, .at = (const char *)t->from + STREAM_BYTES, .step = UNIT_BYTES};
}

/* Packed B that lies in some cache, one unit. */
GR__INLINE tile_ahead near_ahead(const float *from, bool fetches)
{
    enum { NEAR_BYTES = 1024 };
    return (tile_ahead){.lines = fetches ? UNIT_BYTES / 64 : 0, .near = true, .at = (const char *)from + NEAR_BYTES};
}

/* Packed B that several tiles of rows read from cache: each fetches its share of what comes a whole part later. */
GR__INLINE tile_ahead part_ahead(const task *t, int64_t i, int m)
{
    return (tile_ahead){.lines = UNIT_BYTES / 128,
                        .at = (const char *)t->from + UNIT_BYTES * (GR__GEMM_UNITS + t->share * i / GR__SHARE),
                        .step = t->step * m / GR__SHARE};
}

/* C is on its way while the rest of the tile is summed. */
static void fetch_c(const task *t, int64_t i, int m)
{
    const gr__gemm *g = &t->p->g;
    if (g->finish) return;
    int64_t size = g->c_dtype == GR_F32 ? 4 : 2;
    for (int r = 0; r < m; r++) {
        const char *c = t->c + ((t->i0 + i + r) * g->c_row + t->j0) * size;
        for (int64_t q = 0; q < t->columns * size; q += 64) vprefetch(c + q);
    }
}

GR__INLINE void multiply_fetching(tile_acc *acc, const task *t, int64_t i, int m, bool pairs, const char *a,
                                  int64_t row, int64_t unit, fetch f, int64_t lines)
{
    enum { C_AHEAD = 64 };
    for (int64_t u = 0; u < t->units; u += STEP) {
        if (u + STEP > t->units - C_AHEAD && (u == 0 || u <= t->units - C_AHEAD)) fetch_c(t, i, m);
        for (int64_t q = 0; q < lines && f.line < f.last; q++) fetch_line(&f, f.line++);
        tile_multiply(acc, m, GR__NV, pairs, GR__MIN((int64_t)STEP, t->units - u), a + u * unit, row, unit,
                      t->from + u * GR__NR, GR__NR, (tile_ahead){.lines = 0});
    }
}

/* The same of rows that a window sees, tap by tap. */
GR__INLINE void multiply_seen(tile_acc *acc, const task *t, seen *s, int m, fetch f, int64_t lines, tile_ahead stream)
{
    const char *at[GR__MR];
    int64_t end;
    seek(s, t->l0);
    for (int64_t u = 0; u < t->units; next_tap(s)) {
        end = GR__MIN(u + (s->w->channels - s->channel) / 2, t->units);
        point(s, m, at);
        for (int64_t n; u < end; u += n) {
            n = f.line < f.last ? STEP : end - u;
            for (int64_t q = 0; q < lines && f.line < f.last; q++) fetch_line(&f, f.line++);
            tile_multiply_from(acc, m, 0, GR__NV, true, n, (tile_rows){.each = at}, 4, t->from + u * GR__NR, GR__NR,
                               stream);
            stream.at += n * stream.step;
            for (int r = 0; r < m; r++) at[r] += 4 * n;
        }
    }
}

GR__INLINE void run_seen(const task *t, seen *s, int64_t i, int m, const ahead *next)
{
    tile_acc acc;
    tile_zero(&acc, m, GR__NV);
    fetch nothing = {.last = 0};
    if (!t->p->g.packed_b)
        multiply_seen(&acc, t, s, m, fetch_of(next, i, m), next->lines, (tile_ahead){.lines = 0});
    else if (t->rows <= GR__MR)
        multiply_seen(&acc, t, s, m, nothing, 0, stream_ahead(t));
    else
        multiply_seen(&acc, t, s, m, nothing, 0, part_ahead(t, i, m));
    tile_to_c(t, true, i, m, &acc);
}

GR__INLINE void run_rows(const task *t, bool pairs, int64_t i, int m, const ahead *next)
{
    const gr__gemm *g = &t->p->g;
    const char *a = t->a + ((t->i0 + i) * g->a_row + t->l0 * g->a_col) * t->size;
    int64_t row = g->a_row * t->size, unit = 4 * g->a_col;
    tile_acc acc;
    tile_zero(&acc, m, GR__NV);
    if (g->packed_b && g->near)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, (tile_ahead){.lines = 0});
    else if (g->packed_b && t->rows <= GR__MR)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, stream_ahead(t));
    else if (g->packed_b)
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, GR__NR, part_ahead(t, i, m));
    else if (t->from == t->panel)
        multiply_fetching(&acc, t, i, m, pairs, a, row, unit, fetch_of(next, i, m), next->lines);
    else
        tile_multiply(&acc, m, GR__NV, pairs, t->units, a, row, unit, t->from, t->ldb, rows_ahead(t));
    tile_to_c(t, pairs, i, m, &acc);
}

/* One row and two panels of a packed B that lie in cache, at once: a sum waits less for the one before. */
GR__INLINE void run_two(const task *t, bool pairs, bool fetches)
{
    const gr__gemm *g = &t->p->g;
    int64_t per = pairs ? 2 : 1, next = (g->k + per - 1) / per * GR__NR;
    const char *a = t->a + (t->i0 * g->a_row + t->l0) * t->size;
    tile_acc one, two;
    tile_zero(&one, 1, GR__NV);
    tile_zero(&two, 1, GR__NV);
    for (int64_t l = 0; l < t->units; l++) {
        const float *b = t->from + l * GR__NR;
        tile_multiply(&one, 1, GR__NV, pairs, 1, a + 4 * l, 0, 0, b, 0, near_ahead(b, fetches));
        tile_multiply(&two, 1, GR__NV, pairs, 1, a + 4 * l, 0, 0, b + next, 0, near_ahead(b + next, fetches));
    }
    task second = *t;
    second.j0 += GR__NR;
    tile_to_c(t, pairs, 0, 1, &one);
    tile_to_c(&second, pairs, 0, 1, &two);
}

GR__INLINE void run_pair(const task *t, bool pairs)
{
    if (t->p->fetch)
        run_two(t, pairs, true);
    else
        run_two(t, pairs, false);
}

/* Each number of rows has its own code, so that the tile lives in registers. */
#define OF_HEIGHT(m, run)                   \
    switch (m) {                            \
    case 1: run(1); break;                  \
    case 2: run(2); break;                  \
    case 3: run(GR__MIN(3, GR__MR)); break; \
    case 4: run(GR__MIN(4, GR__MR)); break; \
    case 5: run(GR__MIN(5, GR__MR)); break; \
    default: run(GR__MR); break;            \
    }

/* Beside a packed B tiles are alike: a small one would wait for memory. */
#define EACH_TILE(t, next, before, run)                                                          \
    bool alike = (t)->p->g.packed_b;                                                             \
    int64_t left = ((t)->rows + GR__MR - 1) / GR__MR;                                            \
    for (int64_t i = 0, m; i < (t)->rows; i += m, left--) {                                      \
        m = alike ? ((t)->rows - i + left - 1) / left : GR__MIN((t)->rows - i, (int64_t)GR__MR); \
        before;                                                                                  \
        OF_HEIGHT(m, run)                                                                        \
        pack_share(next, i + m, (t)->rows);                                                      \
    }

GR__INLINE void run_plain_panel(const task *t, bool pairs, ahead *next)
{
#define RUN(m) run_rows(t, pairs, i, m, next)
    EACH_TILE(t, next, , RUN)
#undef RUN
}

/* ---- few tiles of rows beside packed columns that come from memory ---- */

/* All tiles at each block of k, which so lies in the nearest cache for all but the first. Sums of a tile go to its registers and back
 * in between, which does not pay for more. */
enum { FEW_TILES = 3, FEWEST_ROWS = 8, SHORT_BLOCK = 32, BLOCK = 64 }; /* of units, the shorter one for so few rows */

GR__INLINE bool few_tiles(const task *t)
{
    const gr__gemm *g = &t->p->g;
    return g->packed_b && !g->near && t->rows > GR__MR && t->rows <= FEW_TILES * GR__MR;
}

GR__INLINE void add_to(tile_acc *sums, int m, const task *t, bool pairs, int64_t units, const char *a, const float *b,
                       tile_ahead coming)
{
    tile_acc acc;
    for (int r = 0; r < m; r++)
        for (int v = 0; v < GR__NV; v++) acc.v[r][v] = sums->v[r][v];
    tile_multiply(&acc, m, GR__NV, pairs, units, a, t->p->g.a_row * t->size, 4 * t->p->g.a_col, b, GR__NR, coming);
    for (int r = 0; r < m; r++)
        for (int v = 0; v < GR__NV; v++) sums->v[r][v] = acc.v[r][v];
}

/* Of the next block's lines the share of a tile of m rows from row i on. */
GR__INLINE tile_ahead share_ahead(const task *t, const float *block, int64_t units, int64_t i, int64_t m)
{
    return (tile_ahead){.lines = UNIT_BYTES / 128,
                        .at = (const char *)(block + units * GR__NR) + UNIT_BYTES * units * i / t->rows,
                        .step = UNIT_BYTES * m / t->rows};
}

/* Tile k are rows i .. i+m-1; tiles are alike. */
#define EACH_FEW(t, run)                                                                       \
    for (int64_t k = 0, i = 0, m, n = ((t)->rows + GR__MR - 1) / GR__MR; k < n; k++, i += m) { \
        m = ((t)->rows - i + n - k - 1) / (n - k);                                             \
        OF_HEIGHT(m, run)                                                                      \
    }

GR__INLINE void run_few_tiles(const task *t, bool pairs)
{
    const gr__gemm *g = &t->p->g;
    const char *a = t->a + (t->i0 * g->a_row + t->l0 * g->a_col) * t->size;
    int64_t row = g->a_row * t->size, unit = 4 * g->a_col, most = t->rows <= FEWEST_ROWS ? SHORT_BLOCK : BLOCK;
    tile_acc sums[FEW_TILES];
    memset(sums, 0, sizeof sums);
    for (int64_t u = 0, units; u < t->units; u += units) {
        units = GR__MIN(most, t->units - u);
        const float *block = t->from + u * GR__NR;
#define ADD(M) add_to(&sums[k], M, t, pairs, units, a + i * row + u * unit, block, share_ahead(t, block, units, i, m))
        EACH_FEW(t, ADD)
#undef ADD
    }
#define STORE(M) tile_to_c(t, pairs, i, M, &sums[k])
    EACH_FEW(t, STORE)
#undef STORE
}

static void run_seen_panel(const task *t, ahead *next)
{
    seen s = {.w = t->p->g.a_window};
    gr__window_place p = gr__window_place_of(s.w, t->i0);
    seen_line line = look_at_line(s.w, &p);
#define RUN(m) run_seen(t, &s, i, m, next)
    EACH_TILE(t, next, look(&s, &p, &line, m), RUN)
#undef RUN
}

GR__INLINE void run_panel(const task *t, bool pairs, ahead *next)
{
    if (pairs && t->p->g.a_window)
        run_seen_panel(t, next);
    else if (few_tiles(t))
        run_few_tiles(t, pairs);
    else
        run_plain_panel(t, pairs, next);
}

static void set_task(task *t, const gr__gemm_plan *p, int64_t index, int thread, bool pairs)
{
    const gr__gemm *g = &p->g;
    int64_t per_batch = p->row_blocks * p->column_blocks, batch = index / per_batch;
    char *scratch = (char *)g->scratch + (p->b_bytes + p->c_bytes) * (size_t)thread;
    *t = (task){.p = p, .pairs = pairs, .size = pairs ? 2 : 4};
    t->a = (const char *)g->a + batch * g->a_batch * t->size;
    t->b = (const char *)g->b + batch * g->b_batch * t->size;
    t->c = (char *)g->c + batch * g->c_batch * (g->c_dtype == GR_F32 ? 4 : 2);
    t->i0 = index % per_batch / p->column_blocks *
            p->mc; /* rows by rows: a thread's next task reads the same, and the next product's rows lie
                                                           * in its cache */
    t->rows = GR__MIN(p->mc, g->m - t->i0);
    t->j0 = index % per_batch % p->column_blocks * p->group; /* in panels, or columns where thin */
    t->j_first = t->j0 * GR__NR;
    t->panel = (float *)(void *)scratch;
    t->sums = p->c_bytes ? (float *)(void *)(scratch + p->b_bytes) : NULL;
}

/* ---- the order of panels ---- */

typedef struct walk {
    task t, next; /* this task; the thread's next one, if there is one */
    bool has_next;
    int64_t turn, end; /* of its columns */
    float *room;
} walk;

/* Where a part of a panel is packed: two rooms take turns, or each panel of a block that is given away has one, and the first of
 * the next block the one that is left. */
static float *room_of(const walk *w, int64_t turn, int64_t l0, int64_t panel)
{
    const gr__gemm_plan *p = w->t.p;
    int64_t per = w->t.pairs ? 2 : 1, all = (p->g.k + per - 1) / per;
    if (p->g.finish) return w->room + ((turn * p->group + panel) % (p->group + 1) * all + l0 / per) * GR__NR;
    int64_t parts = GR__MAX((p->g.k + p->kc - 1) / p->kc, 1);
    return w->room + (turn * parts + l0 / p->kc) % 2 * GR__MIN((int64_t)GR__GEMM_UNITS, all) * GR__NR;
}

/* Nobody packed the thread's first panel. */
static void begin_walk(walk *w, const gr__gemm_call *call, int64_t index, int thread, bool pairs)
{
    const gr__gemm_plan *p = call->plan;
    *w = (walk){.turn = call->turn, .has_next = call->next >= 0};
    set_task(&w->t, p, index, thread, pairs);
    w->end = GR__MIN(w->t.j_first + p->group * GR__NR, p->g.n);
    w->room = w->t.panel;
    if (w->has_next) set_task(&w->next, p, call->next, thread, pairs);
    if (w->turn > 0 || p->pack_to) return;
    set_part(&w->t, 0, w->t.j_first, w->room);
    if (w->t.from == w->t.panel) pack_units(&w->t, 0, w->t.units);
}

/* The part that is read now, and the one to be packed meanwhile: the next panel, or the first one of the next part of k, or of the
 * thread's next task. */
static void enter_part(walk *w, int64_t l0, int64_t j0, ahead *next)
{
    const gr__gemm_plan *p = w->t.p;
    int64_t panel = (j0 - w->t.j_first) / GR__NR;
    set_part(&w->t, l0, j0, room_of(w, w->turn, l0, panel));
    *next = (ahead){.t = w->t, .on = true};
    if (j0 + GR__NR < w->end) {
        set_part(&next->t, l0, j0 + GR__NR, room_of(w, w->turn, l0, panel + 1));
    } else if (l0 + p->kc < p->g.k) {
        set_part(&next->t, l0 + p->kc, w->t.j_first, room_of(w, w->turn, l0 + p->kc, 0));
    } else if (w->has_next) {
        next->t = w->next;
        set_part(&next->t, 0, w->next.j_first, room_of(w, w->turn + 1, 0, 0));
    } else {
        next->on = false;
    }
    if (next->t.from != next->t.panel) next->on = false;
    if (next->on) share_out(next, w->t.rows, w->t.units);
    if (p->g.packed_b)
        w->t.share = w->t.units * GR__SHARE / w->t.rows, w->t.step = UNIT_BYTES * (int64_t)GR__SHARE / w->t.rows;
}

/* ---- tasks ---- */

/* Rows of sums go to who asked for them while they are in cache; the block's B is packed once for all of them. */
GR__INLINE void run_given(const gr__gemm_call *call, int64_t index, int thread, bool pairs)
{
    walk w;
    begin_walk(&w, call, index, thread, pairs);
    task *t = &w.t;
    const gr__gemm_plan *p = call->plan;
    const gr__gemm *g = &p->g;
    int64_t row = t->i0, last = t->i0 + t->rows;
    for (t->i0 = row; t->i0 < last; t->i0 += p->step) {
        t->rows = GR__MIN(p->step, last - t->i0);
        for (int64_t l0 = 0; l0 == 0 || l0 < g->k; l0 += p->kc)
            for (int64_t j0 = t->j_first; j0 < w.end; j0 += GR__NR) {
                ahead next;
                enter_part(&w, l0, j0, &next);
                bool own = l0 + p->kc < g->k || j0 + GR__NR < w.end;
                if (own ? t->i0 > row : t->i0 + p->step < last) next.on = false; /* is there; there is time yet */
                run_panel(t, pairs, &next);
            }
        gr__gemm_block b = {t->i0 + g->first_row, t->j_first, t->rows, w.end - t->j_first, t->sums, p->group * GR__NR};
        g->finish(g->finish_context, &b);
    }
}

/* Panels of a part of k: two at once where there is one row, and all of them from the end where 'turned'. */
GR__INLINE void run_part(walk *w, int64_t l0, bool pairs)
{
    const gr__gemm *g = &w->t.p->g;
    bool two = g->near && w->t.rows == 1, turned = g->near && g->turned;
    int64_t wide = two ? 2 * GR__NR : GR__NR, n = (w->end - w->t.j_first + wide - 1) / wide;
    for (int64_t q = 0; q < n; q++) {
        int64_t first = w->t.j_first + (turned ? n - 1 - q : q) * wide, end = GR__MIN(first + wide, w->end);
        for (int64_t j0 = first; j0 < end; j0 += GR__NR) {
            ahead next;
            enter_part(w, l0, j0, &next);
            if (two && j0 + 2 * GR__NR <= end) {
                run_pair(&w->t, pairs);
                break;
            }
            run_panel(&w->t, pairs, &next);
        }
    }
}

GR__INLINE void run_task(const gr__gemm_call *call, int64_t index, int thread, bool pairs)
{
    walk w;
    begin_walk(&w, call, index, thread, pairs);
    const gr__gemm *g = &call->plan->g;
    for (int64_t l0 = 0; l0 == 0 || l0 < g->k; l0 += call->plan->kc) run_part(&w, l0, pairs); /* once for k = 0 too */
}

/* Panels for many products, nothing else. */
static void pack_for_many(const gr__gemm_call *call, int64_t index, int thread, bool pairs)
{
    walk w;
    begin_walk(&w, call, index, thread, pairs);
    const gr__gemm *g = &call->plan->g;
    for (int64_t l0 = 0; l0 == 0 || l0 < g->k; l0 += call->plan->kc)
        for (int64_t j0 = w.t.j_first; j0 < w.end; j0 += GR__NR) {
            set_part(&w.t, l0, j0, NULL);
            w.t.panel = call->plan->pack_to + packed_at(&w.t);
            pack_units(&w.t, 0, w.t.units);
        }
}

/* ---- few rows, B by rows: sums stay in L1, B streams past in whole rows ---- */

enum { THIN = 1024 };

/* sum[j] = (...(sum[j] + a0*b0[j]) + a1*b1[j]...): the order of the tiles */
static void thin_part(const gr__gemm *g, const float *a, const float *b, int64_t k, int64_t n, float *sum)
{
    int64_t l = 0;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (; l + 4 <= k; l += 4) {
        const float *b0 = b + l * g->b_row, *b1 = b0 + g->b_row, *b2 = b1 + g->b_row, *b3 = b2 + g->b_row;
        vf a0 = vset(a[l * g->a_col]), a1 = vset(a[(l + 1) * g->a_col]);
        vf a2 = vset(a[(l + 2) * g->a_col]), a3 = vset(a[(l + 3) * g->a_col]);
        int64_t j = 0;
        for (; j + GR__W <= n; j += GR__W) {
            vf s = vfma(a0, vload(b0 + j), vload(sum + j));
            s = vfma(a1, vload(b1 + j), s);
            s = vfma(a2, vload(b2 + j), s);
            vstore(sum + j, vfma(a3, vload(b3 + j), s));
        }
        for (; j < n; j++) {
            float s[GR__W] = {sum[j]}, x[GR__W] = {b0[j]};
            vf v = vfma(a0, vload(x), vload(s));
            x[0] = b1[j];
            v = vfma(a1, vload(x), v);
            x[0] = b2[j];
            v = vfma(a2, vload(x), v);
            x[0] = b3[j];
            vstore(s, vfma(a3, vload(x), v));
            sum[j] = s[0];
        }
    }
    for (; l < k; l++)
        for (int64_t j = 0; j < n; j++) {
            float s[GR__W] = {sum[j]}, x[GR__W] = {b[l * g->b_row + j]};
            vstore(s, vfma(vset(a[l * g->a_col]), vload(x), vload(s)));
            sum[j] = s[0];
        }
}

static void run_thin(const gr__gemm_plan *p, int64_t index)
{
    task t;
    float sum[THIN];
    set_task(&t, p, index, 0, false);
    const gr__gemm *g = &p->g;
    int64_t n = GR__MIN(p->group, g->n - t.j0);
    for (int64_t l = 0; l == 0 || l < g->k; l += p->kc) {
        int64_t k = GR__MIN(p->kc, g->k - l);
        for (int64_t i = 0; i < g->m; i++) {
            const float *a = (const float *)(const void *)t.a + i * g->a_row + l * g->a_col;
            float *c = (float *)(void *)t.c + i * g->c_row + t.j0;
            thin_part(g, a, (const float *)(const void *)t.b + l * g->b_row + t.j0, k, n, sum);
            bool add = l > 0 || g->accumulate, bias = g->bias && l + k >= g->k;
            for (int64_t j = 0; j < n; j++) {
                float value = add ? c[j] + sum[j] : sum[j];
                c[j] = bias ? value + g->bias[t.j0 + j] : value;
            }
        }
    }
}

void GR__KERNEL(gemm)(const void *args, int64_t index, int thread)
{
    const gr__gemm_call *call = args;
    if (call->plan->pack_to)
        pack_for_many(call, index, thread, false);
    else if (call->plan->thin)
        run_thin(call->plan, index);
    else if (call->plan->g.finish)
        run_given(call, index, thread, false);
    else
        run_task(call, index, thread, false);
}

void GR__KERNEL(gemm_bf16)(const void *args, int64_t index, int thread)
{
    const gr__gemm_call *call = args;
    if (call->plan->pack_to)
        pack_for_many(call, index, thread, true);
    else if (call->plan->g.finish)
        run_given(call, index, thread, true);
    else
        run_task(call, index, thread, true);
}
