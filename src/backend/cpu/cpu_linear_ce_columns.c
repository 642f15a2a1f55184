/* linear_cross_entropy in blocks of columns (words). The first sweep over the weight makes the log-sum-exp of each row; the second
 * one makes dx and dweight, and writes every part of dweight once. Logits are used while they are in a core's cache and
 * never stored. What the second sweep needs of them, their exponentials in bf16, waits where dweight will be: a word has
 * 4 C bytes there, and 2 for each row. Where there are more than 2 C rows (or no dweight is wanted) the logits are made again, on
 * processors whose products are much faster than their memory. The scratch is some 15 MB whatever the vocabulary.
 *
 * Scratch: | gradient of a block's logits, bf16 | dx f32 (rows, c) | lse, loss, maximum of each PART of each row | lse | x, packed |
 * products | */
#include "backend/cpu/dense.h"
#include "backend/cpu/room.h"
#include "backend/cpu/table.h"

#include "base/parallel.h"
#include "kernel/copy.h"
#include "kernel/cpu.h"
#include "kernel/simd.h"
#include "kernel/softmax.h"
#include "op/op.h"

#include <math.h>
#include <string.h>

enum { ROWS = 4096, BLOCK_BYTES = 2 << 20, PART = 256, MOST_SIZES = 2 };

typedef struct block_products {
    int64_t columns;
    gr__gemm logits;
    gr__dense *dx_first, *dx_more, *dw_first, *dw_more;
} block_products;

/* Of a chunk of rows: the logits of all words; the full blocks and the last one. */
typedef struct chunk {
    int64_t rows;
    gr__gemm all_logits;
    block_products size[MOST_SIZES];
} chunk;

typedef struct columns_ce {
    int64_t n, c, v, rows, columns; /* of a full chunk, a full block */
    int64_t parts;
    bool keeps; /* exponentials, in the memory of dweight */
    chunk chunk[MOST_SIZES];
} columns_ce;

static bool wanted(const gr__args *a, int i) { return a->wanted >> i & 1; }

static void measure(const gr__args *a, columns_ce *s)
{
    s->n = a->in[0].dim[0];
    s->c = a->in[0].dim[1];
    s->v = a->in[1].dim[0];
    int64_t chunks = (s->n + ROWS - 1) / ROWS;
    s->rows = (s->n + chunks - 1) / chunks;
    int64_t most = GR__MAX(BLOCK_BYTES / (2 * s->rows) / PART * PART, PART), blocks = (s->v + most - 1) / most;
    s->columns = GR__MIN(((s->v + blocks - 1) / blocks + PART - 1) / PART * PART, s->v);
    s->parts = (s->v + PART - 1) / PART;
    s->keeps = wanted(a, 3) && s->n == s->rows && s->n <= 2 * s->c;
}

/* ---- a sweep over a chunk of rows ---- */

typedef struct parts {
    void *gradient; /* (rows, columns) */
    float *dx;
    float *part_lse, *part_loss, *part_base; /* (parts, rows) */
    float *lse;
    void *packed_x; /* as dweight's products read it; NULL: they pack it each for itself */
    void *borrowed;
} parts;

typedef struct sweep {
    const gr__args *a;
    const columns_ce *s;
    const chunk *k;
    int64_t first; /* row */
    const char *x; /* (rows, c) */
    const int32_t *targets;
    parts p;
    int64_t column; /* second sweep: where the block begins */
    const block_products *block;
} sweep;

static gr__cross_entropy rows_of(const sweep *w, const gr__gemm_block *b, int64_t column)
{
    return (gr__cross_entropy){.rows = b->rows,
                               .v = b->columns,
                               .logits = {.data = b->sums, .dtype = GR_F32, .ld = b->ld},
                               .targets = w->targets + b->row,
                               .first = column,
                               .whole = w->s->v,
                               .scale = 1};
}

/* Where the exponentials of a block's columns wait, from one of its columns on; *ld: from row to row. */
static uint16_t *kept_at(const sweep *w, int64_t column, int64_t *ld)
{
    const columns_ce *s = w->s;
    int64_t first = column / s->columns * s->columns;
    *ld = GR__MIN(s->columns, s->v - first);
    return (uint16_t *)((float *)w->a->out[3].data + first * s->c) + (column - first);
}

static void measure_part(void *context, const gr__gemm_block *b)
{
    const sweep *w = context;
    gr__cross_entropy ce = rows_of(w, b, b->column);
    int64_t at = b->column / PART * w->k->rows + b->row;
    ce.lse = w->p.part_lse + at;
    ce.loss = w->p.part_loss + at;
    if (w->s->keeps) {
        int64_t ld;
        uint16_t *kept = kept_at(w, b->column, &ld);
        ce.exps = (gr__rows){.data = kept + b->row * ld, .dtype = GR_BF16, .ld = ld};
        ce.base = w->p.part_base + at;
    }
    gr__simd_get()->cross_entropy(&ce, 0, b->rows);
}

/* ---- products ---- */

static void release(void *state)
{
    columns_ce *s = state;
    for (int i = 0; i < MOST_SIZES; i++)
        for (int k = 0; k < MOST_SIZES; k++) {
            block_products *p = &s->chunk[i].size[k];
            gr__dense *each[] = {p->dx_first, p->dx_more, p->dw_first, p->dw_more};
            for (size_t e = 0; e < GR__COUNT(each); e++) gr__dense_free(each[e]);
        }
    gr__free(s);
}

static gr__gemm logits_of(const columns_ce *s, int64_t rows, int64_t columns)
{
    return (gr__gemm){.m = rows,
                      .n = columns,
                      .k = s->c,
                      .dtype = GR_BF16,
                      .c_dtype = GR_F32,
                      .a_row = s->c,
                      .a_col = 1,
                      .b_row = 1,
                      .b_col = s->c,
                      .finish = measure_part, /* or another one */
                      .finish_columns = PART};
}

static bool applicable(const gr__args *a, char *why)
{
    if (a->in[0].dtype != GR_BF16 || a->in[1].dtype != GR_BF16) return gr__refuse(why, "dtype");
    if (a->in[0].dim[0] == 0 || a->in[0].dim[1] == 0 || a->in[1].dim[0] == 0) return gr__refuse(why, "empty");
    columns_ce s;
    measure(a, &s);
    gr__gemm logits = logits_of(&s, s.rows, s.v);
    if (!gr__gemm_can_finish(&logits)) return gr__refuse(why, "no product gives its blocks away");
    if ((wanted(a, 2) || wanted(a, 3)) && !s.keeps && !gr__cpu_has_tiles())
        return gr__refuse(why, "products are too slow here to make the logits twice");
    return true;
}

static gr_status make_block(const gr__args *a, const columns_ce *s, int64_t rows, int64_t columns, block_products *p)
{
    int64_t c = s->c;
    gr__gemm dx = {.m = rows, .n = c, .k = columns, .dtype = GR_BF16, .c_dtype = GR_F32}, dw = dx;
    dx.a_row = columns, dx.a_col = 1, dx.b_row = c, dx.b_col = 1, dx.c_row = c;
    dw.m = columns, dw.k = rows;
    dw.a_row = 1, dw.a_col = columns, dw.b_row = c, dw.b_col = 1, dw.c_row = c;
    p->columns = columns;
    p->logits = logits_of(s, rows, columns);
    if (wanted(a, 2)) {
        GR_TRY(gr__dense_new(&dx, &p->dx_first));
        dx.accumulate = true;
        GR_TRY(gr__dense_new(&dx, &p->dx_more));
    }
    if (!wanted(a, 3)) return GR_OK;
    GR_TRY(gr__dense_new(&dw, &p->dw_first));
    dw.accumulate = true;
    return s->n > s->rows ? gr__dense_new(&dw, &p->dw_more) : GR_OK;
}

static gr_status make_chunk(const gr__args *a, const columns_ce *s, int64_t rows, chunk *out)
{
    out->rows = rows;
    out->all_logits = logits_of(s, rows, s->v);
    GR_TRY(make_block(a, s, rows, s->columns, &out->size[0]));
    return s->v % s->columns ? make_block(a, s, rows, s->v % s->columns, &out->size[1]) : GR_OK;
}

static gr_status make(const gr__args *a, void **state)
{
    columns_ce *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a loss", sizeof *s);
    measure(a, s);
    gr_status status = make_chunk(a, s, s->rows, &s->chunk[0]);
    if (status == GR_OK && s->n % s->rows) status = make_chunk(a, s, s->n % s->rows, &s->chunk[1]);
    if (status != GR_OK)
        release(s);
    else
        *state = s;
    return status;
}

/* ---- scratch ---- */

/* Not measured on tiles. */
static size_t packed_x_bytes(const columns_ce *s)
{
    size_t most = 0;
    for (int i = 0; i < MOST_SIZES && !gr__cpu_has_tiles(); i++)
        for (int j = 0; j < MOST_SIZES; j++) most = GR__MAX(most, gr__dense_packed_bytes(s->chunk[i].size[j].dw_first));
    return most;
}

static parts carve(const columns_ce *s, gr__room *r)
{
    parts p;
    p.gradient = gr__room_take(r, s->rows * s->columns, 2);
    p.dx = gr__room_take(r, s->rows * s->c, sizeof(float));
    p.part_lse = gr__room_take(r, s->parts * s->rows, sizeof(float));
    p.part_loss = gr__room_take(r, s->parts * s->rows, sizeof(float));
    p.part_base = gr__room_take(r, s->keeps ? s->parts * s->rows : 0, sizeof(float));
    p.lse = gr__room_take(r, s->rows, sizeof(float));
    size_t bytes = packed_x_bytes(s);
    p.packed_x = bytes ? gr__room_take(r, (int64_t)bytes, 1) : NULL;
    p.borrowed = r->base ? r->base + r->used : NULL;
    return p;
}

static size_t scratch(const gr__args *a)
{
    void *state;
    gr__room r = {0};
    size_t most = 0;
    if (make(a, &state) != GR_OK) return 0; /* then 'prepare' fails too */
    const columns_ce *s = state;
    for (int i = 0; i < MOST_SIZES; i++) {
        const chunk *k = &s->chunk[i];
        if (k->rows) most = GR__MAX(most, gr__gemm_scratch_bytes(&k->all_logits));
        for (int j = 0; j < MOST_SIZES; j++) {
            const block_products *b = &k->size[j];
            const gr__dense *each[] = {b->dx_first, b->dx_more, b->dw_first, b->dw_more};
            if (b->columns) most = GR__MAX(most, gr__gemm_scratch_bytes(&b->logits));
            for (size_t e = 0; e < GR__COUNT(each); e++) most = GR__MAX(most, gr__dense_scratch_bytes(each[e]));
        }
    }
    carve(s, &r);
    release(state);
    return r.used + most;
}

static gr_status prepare(const gr__args *a, void **state)
{
    return a->scratch ? make(a, state) : gr__fail_memory("a loss", BLOCK_BYTES);
}

/* ---- running ---- */

static void make_gradient(void *context, const gr__gemm_block *b)
{
    const sweep *w = context;
    gr__cross_entropy ce = rows_of(w, b, w->column + b->column);
    int64_t ld = w->block->columns;
    ce.known_lse = w->p.lse + b->row;
    ce.dlogits = (gr__rows){.data = (uint16_t *)w->p.gradient + b->row * ld + b->column, .dtype = GR_BF16, .ld = ld};
    gr__simd_get()->cross_entropy(&ce, 0, b->rows);
}

enum { GRADIENT_ROWS = 32 };

/* The same from what the first sweep kept: some rows of the block, which follow each other in memory. */
static void finish_gradient(void *context, int64_t task, int thread)
{
    const sweep *w = context;
    int64_t rows = w->k->rows, row = task * GRADIENT_ROWS, ld;
    (void)thread;
    for (int64_t column = 0; column < w->block->columns; column += PART) {
        uint16_t *kept = kept_at(w, w->column + column, &ld);
        gr__gemm_block b = {.row = row,
                            .rows = GR__MIN((int64_t)GRADIENT_ROWS, rows - row),
                            .columns = GR__MIN((int64_t)PART, ld - column)};
        gr__cross_entropy ce = rows_of(w, &b, w->column + column);
        ce.known_lse = w->p.lse + row;
        ce.loss = w->p.part_loss + row;
        ce.base = w->p.part_base + (w->column + column) / PART * rows + row;
        ce.exps = (gr__rows){.data = kept + row * ld, .dtype = GR_BF16, .ld = ld};
        ce.dlogits = (gr__rows){.data = (uint16_t *)w->p.gradient + row * ld + column, .dtype = GR_BF16, .ld = ld};
        gr__simd_get()->cross_entropy(&ce, 0, b.rows);
    }
}

static void run_logits(sweep *w, const gr__gemm *shape, int64_t column, gr__gemm_finish *finish)
{
    gr__gemm g = *shape;
    g.a = w->x;
    g.b = (const char *)w->a->in[1].data + column * w->s->c * 2;
    g.scratch = w->p.borrowed;
    g.finish = finish;
    g.finish_context = w;
    gr__gemm_run(&g);
}

enum { MERGE_ROWS = 64 };

/* lse of rows from those of their parts; part 0 of part_loss becomes the row's loss. */
static void merge_rows(void *context, int64_t task, int thread)
{
    const sweep *w = context;
    const parts *p = &w->p;
    int64_t rows = w->k->rows, end = GR__MIN((task + 1) * MERGE_ROWS, rows);
    (void)thread;
    for (int64_t r = task * MERGE_ROWS; r < end; r++) {
        float most = -INFINITY, sum = 0;
        for (int64_t i = 0; i < w->s->parts; i++) most = fmaxf(most, p->part_lse[i * rows + r]);
        for (int64_t i = 0; most > -INFINITY && i < w->s->parts; i++) sum += expf(p->part_lse[i * rows + r] - most);
        p->lse[r] = most > -INFINITY ? most + logf(sum) : most;
        int64_t target = w->targets[r], at = target / PART * rows + r;
        bool counts = target >= 0 && target < w->s->v;
        p->part_loss[r] = counts ? p->lse[r] - (p->part_lse[at] - p->part_loss[at]) : 0;
    }
}

static gr_status second_sweep(sweep *w)
{
    const columns_ce *s = w->s;
    for (w->column = 0; w->column < s->v; w->column += s->columns) {
        const block_products *b = w->block = s->v - w->column >= s->columns ? &w->k->size[0] : &w->k->size[1];
        const char *weight = (const char *)w->a->in[1].data + w->column * s->c * 2;
        if (s->keeps)
            gr__parallel_home(0, (w->k->rows + GRADIENT_ROWS - 1) / GRADIENT_ROWS, false, finish_gradient, w);
        else
            run_logits(w, &b->logits, w->column, make_gradient);
        if (b->dx_first)
            GR_TRY(gr__dense_run(w->column == 0 ? b->dx_first : b->dx_more, w->p.gradient, weight, w->p.dx,
                                 w->p.borrowed));
        if (!b->dw_first) continue;
        gr__dense *dw = w->first == 0 ? b->dw_first : b->dw_more;
        bool new_size = w->column == 0 || b == &w->k->size[1];
        if (w->p.packed_x && new_size) gr__dense_pack(dw, w->x, w->p.packed_x, w->p.borrowed);
        float *to = (float *)w->a->out[3].data + w->column * s->c;
        GR_TRY(gr__dense_run(dw, w->p.gradient, w->x, to, w->p.borrowed));
    }
    if (wanted(w->a, 2))
        gr__cast((char *)w->a->out[2].data + w->first * s->c * 2, GR_BF16, w->p.dx, GR_F32, w->k->rows * s->c);
    return GR_OK;
}

static gr_status run(const gr__args *a, void *state)
{
    const columns_ce *s = state;
    double loss = 0;
    int64_t count = 0;
    for (int64_t first = 0; first < s->n; first += s->rows) {
        sweep w = {.a = a, .s = s, .k = s->n - first >= s->rows ? &s->chunk[0] : &s->chunk[1], .first = first};
        w.x = (const char *)a->in[0].data + first * s->c * 2;
        w.targets = (const int32_t *)a->in[2].data + first;
        w.p = carve(s, &(gr__room){.base = a->scratch});
        run_logits(&w, &w.k->all_logits, 0, measure_part);
        gr__parallel((w.k->rows + MERGE_ROWS - 1) / MERGE_ROWS, merge_rows, &w);
        for (int64_t r = 0; r < w.k->rows; r++) {
            loss += w.p.part_loss[r];
            count += w.targets[r] >= 0 && w.targets[r] < s->v;
        }
        if (wanted(a, 2) || wanted(a, 3)) GR_TRY(second_sweep(&w));
    }
    if (wanted(a, 0)) *(float *)a->out[0].data = (float)loss;
    if (wanted(a, 1)) *(float *)a->out[1].data = (float)count;
    return GR_OK;
}

const gr__kernel gr__cpu_linear_cross_entropy_columns = {
    .op = &gr__op_linear_cross_entropy,
    .name = "linear_cross_entropy.columns",
    .applicable = applicable,
    .scratch_bytes = scratch,
    .prepare = prepare,
    .release = release,
    .run = run,
};
