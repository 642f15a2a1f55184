/* Convolutions as products. A chunk of positions becomes rows of columns, one for each tap and channel:
 *
 *     columns (rows, G, K*C)      what the window sees from each position, zeros outside
 *     weights (G, Co, K, Ci)      for y and w; (G, K, Co, Ci) for x
 *
 * y = columns of x * weights, w = y^T * columns of x summed over the chunks, x = columns of y * weights, where a tap that
 * falls between two steps of y is zero (with strides that wastes products; oneDNN is the fast way). Windows of one
 * element need no columns. Chunks depend on the shape alone. */
#include "kernel/conv.h"

#include "base/parallel.h"
#include "kernel/conv_window.h"
#include "kernel/copy.h"
#include "kernel/gemm.h"
#include "kernel/simd.h"

#include <string.h>

enum { COLUMN_BYTES = 2 << 20, LEAST_ROWS = 64 };

typedef struct conv_plan {
    const gr__conv *c;
    gr__conv_shape s;
    size_t item;           /* bytes of an operand's element */
    int64_t taps;          /* K */
    int64_t each, per;     /* channels of a group: of x, of y */
    int64_t from_channels; /* of the array that the columns are taken from, all groups */
    int64_t positions;     /* rows of all columns */
    int64_t rows;          /* of a chunk */
    int64_t ld;            /* elements from row to row */
    bool direct;           /* the array itself is the columns */
    size_t column_bytes, weight_bytes, sum_bytes;
} conv_plan;

static size_t line(int64_t bytes) { return ((size_t)bytes + 63) & ~(size_t)63; }
static int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

static bool single(const gr__conv_shape *s)
{
    bool one = true;
    for (int i = 0; i < GR__SPATIAL; i++)
        one = one && s->window[i] == 1 && s->stride[i] == 1 && s->before[i] == 0 && s->after[i] == 0;
    return one;
}

static conv_plan make_plan(const gr__conv *c)
{
    conv_plan p = {.c = c, .s = c->shape, .item = gr_dtype_size_bytes(c->dtype), .direct = single(&c->shape)};
    bool to_x = c->result == GR__CONV_X;
    p.taps = volume(p.s.window);
    p.each = p.s.cin / p.s.groups;
    p.per = p.s.cout / p.s.groups;
    p.from_channels = to_x ? p.s.cout : p.s.cin;
    p.positions = p.s.batch * volume(to_x ? p.s.in : p.s.out);
    p.ld = p.taps * p.from_channels;
    p.rows = p.positions;
    if (!p.direct) {
        int64_t most = GR__MAX(COLUMN_BYTES / (p.ld * (int64_t)p.item), LEAST_ROWS);
        int64_t chunks = (p.positions + most - 1) / most;
        p.rows = (p.positions + chunks - 1) / chunks;
        p.column_bytes = line(p.rows * p.ld * (int64_t)p.item);
    }
    int64_t weights = p.s.cout * p.taps * p.each;
    p.weight_bytes = line(weights * (int64_t)(c->result == GR__CONV_W ? sizeof(float) : p.item));
    if (c->result == GR__CONV_W && c->out_dtype == GR_BF16) p.sum_bytes = line(weights * 2);
    return p;
}

/* ---- columns ---- */

typedef struct column_job {
    const conv_plan *p;
    const char *from;
    char *columns;
    int64_t first; /* position of row 0 */
} column_job;

/* Where tap k of position i lies, on one axis; -1: nowhere. */
static int64_t source(const conv_plan *p, int axis, int64_t i, int64_t k)
{
    const gr__conv_shape *s = &p->s;
    if (p->c->result != GR__CONV_X) {
        int64_t at = i * s->stride[axis] + k * s->dilation[axis] - s->before[axis];
        return at < s->in[axis] ? at : -1;
    }
    int64_t at = i + s->before[axis] - k * s->dilation[axis];
    return at < 0 || at % s->stride[axis] || at / s->stride[axis] >= s->out[axis] ? -1 : at / s->stride[axis];
}

/* One tap of one position: the channels of each group, or zeros. */
static void one_tap(const conv_plan *p, const char *from, char *to)
{
    int64_t channels = p->from_channels / p->s.groups;
    size_t bytes = (size_t)channels * p->item, step = (size_t)(p->taps * channels) * p->item;
    for (int64_t g = 0; g < p->s.groups; g++, to += step)
        if (from)
            memcpy(to, from + (size_t)g * bytes, bytes);
        else
            memset(to, 0, bytes);
}

/* The taps of one row of the window, from place 'row' of the array on (-1: outside); i2 is the position on the last axis.
 * Taps that lie side by side in one group are copied together. */
static void one_line(const conv_plan *p, const char *from, int64_t row, int64_t i2, char *to)
{
    const gr__conv_shape *s = &p->s;
    int64_t channels = p->from_channels / s->groups, taps = s->window[2];
    size_t bytes = (size_t)p->from_channels * p->item, step = (size_t)channels * p->item;
    int64_t first = i2 * s->stride[2] - s->before[2];
    if (p->c->result != GR__CONV_X && s->groups == 1 && s->dilation[2] == 1 && row >= 0) {
        int64_t low = GR__MIN(GR__MAX(-first, 0), taps), high = GR__MAX(GR__MIN(taps, s->in[2] - first), low);
        memset(to, 0, (size_t)low * bytes);
        if (high > low)
            memcpy(to + (size_t)low * bytes, from + (size_t)(row + first + low) * bytes, (size_t)(high - low) * bytes);
        memset(to + (size_t)high * bytes, 0, (size_t)(taps - high) * bytes);
        return;
    }
    for (int64_t k = 0; k < taps; k++, to += step) {
        int64_t at = row < 0 ? -1 : source(p, 2, i2, k);
        one_tap(p, at < 0 ? NULL : from + (size_t)(row + at) * bytes, to);
    }
}

static void fill_rows(const void *args, int64_t first, int64_t last)
{
    const column_job *j = args;
    const conv_plan *p = j->p;
    bool to_x = p->c->result == GR__CONV_X;
    const int64_t *at = to_x ? p->s.in : p->s.out, *in = to_x ? p->s.out : p->s.in, *window = p->s.window;
    size_t step = (size_t)(p->from_channels / p->s.groups * window[2]) * p->item;
    for (int64_t r = first; r < last; r++) {
        int64_t i = j->first + r, i2 = i % at[2], i1 = i / at[2] % at[1], i0 = i / at[2] / at[1] % at[0],
                n = i / volume(at);
        char *to = j->columns + (size_t)(r * p->ld) * p->item;
        for (int64_t k0 = 0; k0 < window[0]; k0++) {
            int64_t s0 = source(p, 0, i0, k0);
            for (int64_t k1 = 0; k1 < window[1]; k1++, to += step) {
                int64_t s1 = source(p, 1, i1, k1);
                one_line(p, j->from, s0 < 0 || s1 < 0 ? -1 : ((n * in[0] + s0) * in[1] + s1) * in[2], i2, to);
            }
        }
    }
}

/* ---- weights ---- */

/* (co, ci, k) -> (co, k, ci), or back */
static void turn(const conv_plan *p, void *dst, const void *src, size_t item, bool back)
{
    gr__transpose t = {.batch = p->s.cout,
                       .rows = back ? p->taps : p->each,
                       .cols = back ? p->each : p->taps,
                       .src = src,
                       .src_ld = back ? p->each : p->taps,
                       .src_batch = p->each * p->taps,
                       .dst = dst,
                       .dst_ld = back ? p->taps : p->each,
                       .dst_batch = p->each * p->taps,
                       .size_bytes = item};
    gr__transpose_run(&t);
}

/* (g, co, ci, k) -> (g, k, co, ci) */
static void turn_for_x(const conv_plan *p, char *dst, const char *src)
{
    size_t group = (size_t)(p->per * p->each * p->taps) * p->item;
    for (int64_t g = 0; g < p->s.groups; g++) {
        gr__transpose t = {.batch = p->per,
                           .rows = p->each,
                           .cols = p->taps,
                           .src = src + (size_t)g * group,
                           .src_ld = p->taps,
                           .src_batch = p->each * p->taps,
                           .dst = dst + (size_t)g * group,
                           .dst_ld = p->per * p->each,
                           .dst_batch = p->each,
                           .size_bytes = p->item};
        gr__transpose_run(&t);
    }
}

/* ---- products ---- */

/* Of a chunk; pointers are set by who runs it. */
static gr__gemm product(const conv_plan *p, int64_t rows)
{
    int64_t inner = p->ld / p->s.groups;
    gr__gemm g = {.batch = p->s.groups, .dtype = p->c->dtype, .c_dtype = p->c->out_dtype};
    switch (p->c->result) {
    case GR__CONV_Y:
        g.m = rows, g.n = p->per, g.k = inner;
        g.a_row = p->ld, g.a_col = 1, g.a_batch = inner;
        g.b_row = 1, g.b_col = inner, g.b_batch = p->per * inner;
        g.c_row = p->s.cout, g.c_batch = p->per;
        break;
    case GR__CONV_X:
        g.m = rows, g.n = p->each, g.k = inner;
        g.a_row = p->ld, g.a_col = 1, g.a_batch = inner;
        g.b_row = p->each, g.b_col = 1, g.b_batch = p->each * inner;
        g.c_row = p->s.cin, g.c_batch = p->each;
        break;
    default:
        g.m = p->per, g.n = inner, g.k = rows;
        g.a_row = 1, g.a_col = p->s.cout, g.a_batch = p->per;
        g.b_row = p->ld, g.b_col = 1, g.b_batch = inner;
        g.c_row = inner, g.c_batch = p->per * inner;
        g.c_dtype = GR_F32;
    }
    return g;
}

/* A bias is of all groups: then each has a product of its own. */
static bool one_by_one(const conv_plan *p) { return p->c->bias && p->s.groups > 1; }

static size_t product_bytes(const conv_plan *p)
{
    size_t most = 0;
    int64_t rows[] = {p->rows, p->positions % p->rows};
    for (int i = 0; i < 2; i++) {
        gr__gemm g = product(p, rows[i]);
        size_t bytes = rows[i] ? gr__gemm_scratch_bytes(&g) : 0;
        most = GR__MAX(most, bytes);
        g.batch = 1;
        bytes = rows[i] ? gr__gemm_scratch_bytes(&g) : 0;
        most = GR__MAX(most, bytes);
    }
    return most;
}

static bool by_dots(const gr__conv *c) { return gr__gemm_by_dots(c->dtype); }

bool gr__conv_can_finish(const gr__conv *c)
{
    return c->result == GR__CONV_Y && gr__conv_window_applicable(c) && !by_dots(c);
}
bool gr__conv_can_step(const gr__conv *c)
{
    return c->result == GR__CONV_Y && gr__conv_window_applicable(c) && by_dots(c);
}
size_t gr__conv_packed_bytes(const gr__conv *c) { return gr__conv_window_packed_bytes(c); }
void gr__conv_pack_w(const gr__conv *c, void *to) { gr__conv_window_pack_w(c, to); }

size_t gr__conv_scratch_bytes(const gr__conv *c)
{
    if (gr__conv_window_applicable(c)) return gr__conv_window_scratch_bytes(c);
    conv_plan p = make_plan(c);
    return p.column_bytes + p.weight_bytes + p.sum_bytes + product_bytes(&p);
}

static void run_product(const conv_plan *p, gr__gemm *g)
{
    if (!one_by_one(p)) {
        g->bias = p->c->bias;
        gr__gemm_run(g);
        return;
    }
    g->batch = 1;
    for (int64_t i = 0; i < p->s.groups; i++) {
        gr__gemm one = *g;
        one.a = (const char *)g->a + (size_t)(i * g->a_batch) * p->item;
        one.b = (const char *)g->b + (size_t)(i * g->b_batch) * p->item;
        one.c = (char *)g->c + (size_t)(i * g->c_batch) * gr_dtype_size_bytes(g->c_dtype);
        one.bias = p->c->bias + i * p->per;
        gr__gemm_run(&one);
    }
}

void gr__conv_run(const gr__conv *c)
{
    if (gr__conv_window_applicable(c)) {
        gr__conv_window_run(c);
        return;
    }
    conv_plan p = make_plan(c);
    char *columns = c->scratch, *weights = columns + p.column_bytes, *rest = weights + p.weight_bytes;
    const char *from = c->result == GR__CONV_X ? c->y : c->x;
    size_t out_item = gr_dtype_size_bytes(c->out_dtype);
    if (c->result == GR__CONV_Y) turn(&p, weights, c->w, p.item, false);
    if (c->result == GR__CONV_X) turn_for_x(&p, weights, c->w);
    for (int64_t first = 0; first < p.positions; first += p.rows) {
        int64_t rows = GR__MIN(p.rows, p.positions - first);
        column_job job = {&p, from, columns, first};
        if (!p.direct) gr__run_range(fill_rows, &job, rows, gr__least_rows(p.ld), 1);
        const char *seen = p.direct ? from : columns;
        gr__gemm g = product(&p, rows);
        g.scratch = rest + p.sum_bytes;
        if (c->result == GR__CONV_W) {
            g.a = (const char *)c->y + (size_t)(first * p.s.cout) * p.item;
            g.b = seen;
            g.c = weights;
            g.accumulate = first > 0;
        } else {
            g.a = seen;
            g.b = weights;
            g.c = (char *)(c->result == GR__CONV_Y ? c->y : c->x) + (size_t)(first * g.c_row) * out_item;
        }
        run_product(&p, &g);
    }
    if (c->result != GR__CONV_W) return;
    if (c->out_dtype == GR_BF16) gr__cast(rest, GR_BF16, weights, GR_F32, p.s.cout * p.taps * p.each);
    turn(&p, c->w, c->out_dtype == GR_BF16 ? rest : weights, out_item, true);
}
