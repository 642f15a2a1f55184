/* A bf16 product on tiles whose rows of A are not packed: tiles are loaded from where the rows lie. What a window sees is copied
 * first, a part at a time, with the zeros around it, into lines of one width:
 *
 *     [row of the window's step q < stride[1]][line][width*stride[2] places][channels]
 *
 * so that 16 positions side by side are 16 rows a fixed number of bytes apart, for each tap at another place. Positions run
 * on over the end of a line: those between two lines are computed and thrown away.
 *
 * A task is a part (pictures, or lines of one) beside some columns. It goes through columns whose B stays in L2, in these two
 * tiles of rows after the other, in these strips of columns: sums, finished while they are in cache.
 *
 * Scratch: | B, where it was not packed before | thread 0: part, sums | thread 1: ... | */
#include "kernel/gemm_amx.h"

#include "base/parallel.h"
#include "kernel/window.h"

#include <string.h>

enum {
    MOST_RUNS = 96,
    PART_BYTES = 384 << 10, /* of a part's copy */
    NEAR_BYTES = 640 << 10, /* of the columns' B that stays in L2 */
    STRIP = 8,              /* panels of columns whose sums lie side by side */
    TILE_ROWS = 16,
    TASKS_A_THREAD = 3,
    LEAST_ROWS = 64,
    MOST_COLUMNS = 256 /* of a product without a window */
};

typedef struct rows_plan {
    gr__gemm g;
    gr__window_rows w; /* of a product without one: one line of positions, no copy */
    bool copies;
    int64_t width;                  /* places of a line, in steps of the window */
    int64_t a_row;                  /* bytes from row to row */
    int64_t lines, pictures;        /* of a part */
    int64_t parts, parts_a_picture; /* parts_a_picture > 1: a part has lines of one picture */
    int64_t part_lines;             /* copied, of each row of the window's step */
    int64_t picture_bytes;          /* copied, of one picture of a part */
    int64_t panels, near, shares,
        each; /* panels of columns: all, of which B stays in L2, column shares of a part, panels of a share */
    int64_t chunk_bytes; /* of a panel of B */
    size_t b_bytes, part_bytes, sums_bytes;
    const char *b;
    int64_t runs;
    gr__tiles_run run[MOST_RUNS];
} rows_plan;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Each position sees one place, its own. */
static bool is_plain(const gr__window_rows *w)
{
    bool plain = true;
    for (int i = 0; i < 3; i++)
        plain = plain && w->taps[i] == 1 && w->stride[i] == 1 && w->before[i] == 0 && w->positions[i] == w->in[i];
    return plain;
}

/* One place among several is packed as well as copied. */
static bool is_seen(const gr__window_rows *w)
{
    return w->taps[1] * w->taps[2] > 1 && w->taps[0] == 1 && w->in[0] == 1 && w->positions[0] == 1 &&
           w->before[0] == 0 && w->before[2] >= 0 && w->channels % GR__TILES_STEP == 0 &&
           w->taps[1] * w->taps[2] <= MOST_RUNS / 2;
}

bool gr__gemm_amx_rows_applicable(const gr__gemm *g)
{
    if (g->dtype != GR_BF16 || g->accumulate || g->b_window || g->finish_columns || g->k % GR__TILES_STEP ||
        g->m < LEAST_ROWS)
        return false;
    if (g->k / gr__gemm_amx_chunk(g) >= MOST_RUNS / 2) return false;
    if (g->a_window && !is_plain(g->a_window)) return is_seen(g->a_window);
    return (g->a_window || g->a_col == 1) && g->n < g->m && g->n <= MOST_COLUMNS;
}

/* Steps of a tap's channels, cut where a chunk of B ends. */
static void add_runs(rows_plan *p, int64_t a, int64_t *step)
{
    int64_t chunk = gr__gemm_amx_chunk(&p->g) / GR__TILES_STEP, left = p->w.channels / GR__TILES_STEP;
    while (left > 0) {
        int64_t n = GR__MIN(left, chunk - *step % chunk);
        int64_t b = *step / chunk * p->panels * p->chunk_bytes + *step % chunk * GR__TILES_STEP_BYTES;
        p->run[p->runs++] = (gr__tiles_run){a, b, n};
        a += n * GR__TILES_STEP * 2;
        *step += n;
        left -= n;
    }
}

static int64_t panel_bytes(const gr__gemm *g) { return g->k / GR__TILES_STEP * GR__TILES_STEP_BYTES; }
static int64_t span(const gr__window_rows *w, int axis) { return (w->taps[axis] - 1) * w->dilation[axis] + 1; }

/* Parts of a window: lines of a picture, or pictures. */
static void plan_window(rows_plan *p)
{
    const gr__window_rows *w = &p->w;
    int64_t batch = p->g.m / (w->positions[1] * w->positions[2]), pixel = w->channels * 2;
    p->copies = true;
    p->width = ceil_div((w->positions[2] - 1) * w->stride[2] + span(w, 2), w->stride[2]);
    p->a_row = w->stride[2] * pixel;
    int64_t line_bytes = p->width * p->a_row, more = (span(w, 1) - 1) / w->stride[1];
    int64_t most = GR__MAX(PART_BYTES / (line_bytes * w->stride[1]) - more, 1);
    p->parts_a_picture = ceil_div(w->positions[1], GR__MIN(most, w->positions[1]));
    p->lines = ceil_div(w->positions[1], p->parts_a_picture);
    p->parts_a_picture = ceil_div(w->positions[1], p->lines);
    p->part_lines = p->lines + more;
    p->picture_bytes = w->stride[1] * p->part_lines * line_bytes;
    p->pictures = 1;
    if (p->parts_a_picture == 1 && p->panels * panel_bytes(&p->g) > NEAR_BYTES) /* B is read once a part */
        p->pictures = GR__MAX(GR__MIN(batch / gr__parallel_width(), PART_BYTES / p->picture_bytes), 1);
    p->parts = p->parts_a_picture * ceil_div(batch, p->pictures);
    int64_t step = 0;
    for (int64_t k1 = 0; k1 < w->taps[1]; k1++)
        for (int64_t k2 = 0; k2 < w->taps[2]; k2++) {
            int64_t row = k1 * w->dilation[1];
            int64_t at = (row % w->stride[1] * p->part_lines + row / w->stride[1]) * line_bytes;
            add_runs(p, at + k2 * pixel, &step);
        }
    /* Rows beyond the last line belong to nobody, but are read. */
    p->part_bytes = line((size_t)(p->pictures * p->picture_bytes + 2 * TILE_ROWS * p->a_row + span(w, 2) * pixel));
}

/* Parts of plain rows: so many positions. */
static void plan_plain(rows_plan *p)
{
    int64_t m = p->g.m, parts = GR__MIN(TASKS_A_THREAD * gr__parallel_width(), ceil_div(m, 2 * TILE_ROWS)), step = 0;
    const gr__window_rows *w = p->g.a_window;
    p->w = (gr__window_rows){.at = w ? w->at : p->g.a, .positions = {1, 1, m}, .taps = {1, 1, 1}, .channels = p->g.k};
    p->a_row = (w ? p->g.k : p->g.a_row) * 2;
    p->width = ceil_div(ceil_div(m, parts), 2 * TILE_ROWS) * 2 * TILE_ROWS; /* of a part */
    p->parts = ceil_div(m, p->width);
    p->pictures = p->lines = p->parts_a_picture = 1;
    add_runs(p, 0, &step);
}

static void make_plan(rows_plan *p, const gr__gemm *g)
{
    memset(p, 0, sizeof *p);
    p->g = *g;
    p->panels = ceil_div(g->n, GR__TILES_LINES);
    p->chunk_bytes = gr__gemm_amx_chunk(g) / GR__TILES_STEP * GR__TILES_STEP_BYTES;
    if (g->a_window && !is_plain(g->a_window)) {
        p->w = *g->a_window;
        plan_window(p);
    } else {
        plan_plain(p);
    }
    p->near = GR__MAX(GR__MIN(NEAR_BYTES / panel_bytes(g), p->panels), 1);
    p->near = ceil_div(p->panels, ceil_div(p->panels, p->near));
    p->shares = GR__MIN(ceil_div(TASKS_A_THREAD * gr__parallel_width(), p->parts), p->panels);
    if (p->parts >= gr__parallel_width()) p->shares = 1;
    p->each = ceil_div(p->panels, p->shares);
    p->shares = ceil_div(p->panels, p->each);
    p->b_bytes = g->packed_b ? 0 : gr__gemm_amx_packed_bytes(g);
    p->sums_bytes = (size_t)(2 * TILE_ROWS * GR__MIN(STRIP, p->panels) * GR__TILES_LINES) * sizeof(float);
}

size_t gr__gemm_amx_rows_scratch_bytes(const gr__gemm *g)
{
    rows_plan p;
    make_plan(&p, g);
    return p.b_bytes + (p.part_bytes + p.sums_bytes) * (size_t)gr__parallel_width();
}

#if GR__HAVE_X86

/* What a task works at. */
typedef struct part {
    const rows_plan *p;
    int64_t picture, pictures; /* the first one, how many */
    int64_t first, lines;      /* of a picture */
    int64_t width;             /* places of a line that are positions */
    int64_t tiles;             /* of a picture */
    const char *at;            /* row 0 */
    float *sums;
} part;

static part part_of(const rows_plan *p, int64_t index)
{
    const gr__window_rows *w = &p->w;
    part t = {.p = p};
    if (!p->copies) {
        t.pictures = t.lines = 1;
        t.first = index * p->width;
        t.width = GR__MIN(p->width, p->g.m - t.first);
        t.at = (const char *)w->at + t.first * p->a_row;
        t.tiles = ceil_div(t.width, TILE_ROWS);
        return t;
    }
    int64_t batch = p->g.m / (w->positions[1] * w->positions[2]);
    t.picture = index / p->parts_a_picture * p->pictures;
    t.pictures = GR__MIN(p->pictures, batch - t.picture);
    t.first = index % p->parts_a_picture * p->lines;
    t.lines = GR__MIN(p->lines, w->positions[1] - t.first);
    t.width = w->positions[2];
    t.tiles = ceil_div((t.lines - 1) * p->width + t.width, TILE_ROWS);
    return t;
}

/* One line of the array with what lies around it; from NULL: zeros. */
static void copy_line(const rows_plan *p, const uint16_t *from, char *to)
{
    const gr__window_rows *w = &p->w;
    int64_t pixel = w->channels * 2, places = p->width * w->stride[2];
    int64_t before = from ? GR__MIN(w->before[2], places) : places;
    int64_t n = from ? GR__MIN(w->in[2], places - before) : 0;
    memset(to, 0, (size_t)(before * pixel));
    if (n > 0) memcpy(to + before * pixel, from, (size_t)(n * pixel));
    memset(to + (before + n) * pixel, 0, (size_t)((places - before - n) * pixel));
}

static void copy_part(const part *t, char *to)
{
    const rows_plan *p = t->p;
    const gr__window_rows *w = &p->w;
    int64_t line_bytes = p->width * p->a_row, lines = t->lines + p->part_lines - p->lines, step = w->stride[1];
    for (int64_t i = 0; i < t->pictures; i++)
        for (int64_t q = 0; q < GR__MIN(step, span(w, 1)); q++)
            for (int64_t l = 0; l < lines; l++) {
                int64_t row = (t->first + l) * step + q - w->before[1];
                bool there = row >= 0 && row < w->in[1];
                int64_t at = there ? ((t->picture + i) * w->in[1] + row) * w->in[2] * w->channels : 0;
                copy_line(p, there ? w->at + at : NULL,
                          to + i * p->picture_bytes + (q * p->part_lines + l) * line_bytes);
            }
}

/* Place f of picture i on its way to a position of the result. */
static int64_t position_of(const part *t, int64_t i, int64_t f)
{
    const rows_plan *p = t->p;
    if (!p->copies) return t->first + f;
    return ((t->picture + i) * p->w.positions[1] + t->first + f / p->width) * t->width + f % p->width;
}

/* Where tile number 'tile' of the part begins; the last one of plain rows moves back to stay within them. */
static int64_t place_of(const part *t, int64_t tile)
{
    int64_t f = tile % t->tiles * TILE_ROWS;
    return t->p->copies ? f : GR__MIN(f, t->width - TILE_ROWS);
}

static const char *row_of(const part *t, int64_t tile)
{
    return t->at + tile / t->tiles * t->p->picture_bytes + place_of(t, tile) * t->p->a_row;
}

/* Rows of sums to C, or to who finishes them. */
static void give(const rows_plan *p, int64_t position, int64_t rows, int64_t column, int64_t columns, float *sums,
                 int64_t ld)
{
    const gr__gemm *g = &p->g;
    if (g->finish) {
        g->finish(g->finish_context, &(gr__gemm_block){position, column, rows, columns, sums, ld});
        return;
    }
    int64_t at = position * g->c_row + column;
    gr__tiles_block b = {.rows = rows,
                         .columns = columns,
                         .sums = sums,
                         .ld = ld,
                         .c = (char *)g->c + at * (int64_t)gr_dtype_size_bytes(g->c_dtype),
                         .c_dtype = g->c_dtype,
                         .c_row = g->c_row,
                         .bias = g->bias ? g->bias + column : NULL};
    gr__tiles_store_sums(&b);
}

/* The rows of a tile that are positions, line by line; n of two tiles that follow each other. */
static void give_rows(const part *t, int64_t tile, int64_t n, int64_t column, int64_t columns, float *sums, int64_t ld)
{
    const rows_plan *p = t->p;
    int64_t begin = tile % t->tiles * TILE_ROWS, f = place_of(t, tile), width = p->copies ? p->width : t->width;
    int64_t end = GR__MIN(begin + n * TILE_ROWS, (t->lines - 1) * width + t->width);
    sums += (begin - f) * ld;
    for (f = begin; f < end;) {
        int64_t left = width - f % width, rows = GR__MIN(end - f, left), wanted = t->width - f % width;
        if (wanted > 0) give(p, position_of(t, tile / t->tiles, f), GR__MIN(rows, wanted), column, columns, sums, ld);
        sums += rows * ld;
        f += rows;
    }
}

/* Plain rows come from memory: those of the next two tiles are fetched, a share beside each step. */
static void fetch_next(const part *t, int64_t tile, int64_t i, gr__tiles_seen_job *j)
{
    const rows_plan *p = t->p;
    int64_t steps = p->w.channels / GR__TILES_STEP, lines = ceil_div(GR__TILES_STEP, p->panels);
    if (p->copies || tile + 3 >= t->tiles || p->a_row != p->w.channels * 2) return;
    j->ahead_lines = (int)lines;
    j->ahead_step = lines * 64;
    j->ahead = row_of(t, tile + 2) + i * steps * j->ahead_step;
}

/* Sums of plain rows go straight to C where nothing is done to them. */
static bool set_direct(const part *t, int64_t tile, bool alone, int64_t first, int64_t end, gr__tiles_seen_job *j)
{
    const gr__gemm *g = &t->p->g;
    if (t->p->copies || alone || g->finish || g->bias || g->c_dtype != GR_F32) return false;
    if (end * GR__TILES_LINES > g->n || place_of(t, tile + 1) != place_of(t, tile) + TILE_ROWS) return false;
    j->c = (float *)g->c + position_of(t, 0, place_of(t, tile)) * g->c_row + first * GR__TILES_LINES;
    j->ldc = g->c_row;
    return true;
}

/* Two tiles of rows beside panels first .. end-1 of columns; 'alone': the first one only. */
static void run_strip(const part *t, int64_t tile, bool alone, int64_t first, int64_t end)
{
    const rows_plan *p = t->p;
    int64_t ld = (end - first) * GR__TILES_LINES, column = first * GR__TILES_LINES;
    int64_t columns = GR__MIN(ld, p->g.n - column);
    gr__tiles_seen_job j = {.tile = {row_of(t, tile), row_of(t, alone ? tile : tile + 1)},
                            .a_row = p->a_row,
                            .run = p->run,
                            .runs = p->runs,
                            .c = t->sums,
                            .ldc = ld};
    bool direct = set_direct(t, tile, alone, first, end, &j);
    for (int64_t i = first; i < end; i++, j.c += GR__TILES_LINES) {
        j.b = p->b + i * p->chunk_bytes;
        j.b_tiles = p->g.n - i * GR__TILES_LINES > 16 ? 2 : 1;
        fetch_next(t, tile, i, &j);
        gr__tiles_multiply_seen(&j);
    }
    if (direct) return;
    bool together =
        !alone && tile / t->tiles == (tile + 1) / t->tiles && place_of(t, tile + 1) == place_of(t, tile) + TILE_ROWS;
    give_rows(t, tile, together ? 2 : 1, column, columns, t->sums, ld);
    if (!alone && !together) give_rows(t, tile + 1, 1, column, columns, t->sums + TILE_ROWS * ld, ld);
}

static void run_task(void *context, int64_t task, int thread)
{
    const rows_plan *p = context;
    part t = part_of(p, task / p->shares);
    char *mine = (char *)p->g.scratch + p->b_bytes + (p->part_bytes + p->sums_bytes) * (size_t)thread;
    t.sums = (float *)(void *)(mine + p->part_bytes);
    if (p->copies) {
        copy_part(&t, mine);
        t.at = mine;
    }
    int64_t begin = task % p->shares * p->each, end = GR__MIN(begin + p->each, p->panels), tiles = t.pictures * t.tiles;
    gr__tiles_begin();
    for (int64_t near = begin; near < end; near += p->near) {
        int64_t near_end = GR__MIN(near + p->near, end);
        for (int64_t tile = 0; tile < tiles; tile += 2)
            for (int64_t i = near; i < near_end; i += STRIP)
                run_strip(&t, tile, tile + 1 == tiles, i, GR__MIN(i + STRIP, near_end));
    }
    gr__tiles_end();
}

void gr__gemm_amx_rows_run(const gr__gemm *g)
{
    rows_plan p;
    make_plan(&p, g);
    if (!g->packed_b) gr__gemm_amx_pack_b(g, g->scratch);
    p.b = g->packed_b ? g->packed_b : g->scratch;
    gr__parallel_home(0, p.parts * p.shares, false, run_task, &p);
}

#else
void gr__gemm_amx_rows_run(const gr__gemm *g) { (void)g; }
#endif
