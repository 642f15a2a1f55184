/* A convolution by oneDNN in pieces that our own pool runs, each by one thread, as in onednn_matmul.c: of the batch, or, where it
 * is one picture, of y's rows. Pieces of a gradient of weights have sums of their own, which are added in their order.
 *
 * Scratch: | weights as the library wants them, or sums of each piece | of each piece | */
#include "kernel/onednn_int.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "kernel/reduce.h"

enum { MOST_PIECES = 64, PIECES_A_THREAD = 2, LINE = 64, LEAST_ROWS = 4 };
#define LEAST_WORK 1e6 /* operations of a piece */

typedef struct piece {
    gr__dnn_conv_piece *dnn;
    int64_t x, y; /* where it begins: bytes */
    size_t scratch;
} piece;

struct gr__dnn_conv {
    gr__dnn_conv_job job;
    int n;
    bool own_threads;     /* one piece, cut by the library */
    size_t weight_bytes;  /* of the weights, or of one piece's sums; 0: as they are stored */
    size_t scratch_bytes; /* all */
    piece piece[MOST_PIECES];
};

static size_t line(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }
static int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

/* The slowest axis of space. */
static int rows_axis(const gr__conv_shape *s) { return GR__SPATIAL - s->axes; }

/* As many as the work is good for. */
static int64_t most_pieces(const gr__conv_shape *s)
{
    double work = 2.0 * (double)(s->batch * volume(s->out)) * (double)(s->cout * (s->cin / s->groups)) *
                  (double)volume(s->window);
    return gr__parallel_width() == 1 ? 1 : GR__MIN((int64_t)(work / LEAST_WORK), (int64_t)MOST_PIECES);
}

static int64_t pieces_of(const gr__dnn_conv_job *j)
{
    const gr__conv_shape *s = &j->shape;
    int64_t width = gr__parallel_width(), most = most_pieces(s);
    bool sums = j->result == GR__CONV_W; /* each piece costs a copy of them */
    int64_t parts = s->batch > 1 ? s->batch : j->result == GR__CONV_Y ? s->out[rows_axis(s)] / LEAST_ROWS : 1;
    if (sums && j->out_dtype != GR_F32) return 1;
    return GR__MAX(GR__MIN(GR__MIN(most, sums ? width : PIECES_A_THREAD * width), parts), 1);
}

/* Rows first .. end-1 of y, and the rows of x that they see. */
static void cut_rows(gr__conv_shape *s, int64_t first, int64_t end, int64_t *x_row)
{
    int axis = rows_axis(s);
    int64_t low = first * s->stride[axis] - s->before[axis],
            high = (end - 1) * s->stride[axis] - s->before[axis] + (s->window[axis] - 1) * s->dilation[axis] + 1;
    int64_t in = s->in[axis];
    *x_row = GR__MIN(GR__MAX(low, 0), in - 1);
    s->before[axis] = *x_row - low;
    s->after[axis] = GR__MAX(high - in, 0);
    s->in[axis] = GR__MIN(high, in) - *x_row;
    s->out[axis] = end - first;
}

static gr_status add_piece(gr__dnn_conv *c, int64_t first, int64_t end)
{
    gr__dnn_conv_job j = c->job;
    gr__conv_shape *s = &j.shape;
    piece *p = &c->piece[c->n++];
    int64_t x_item = (int64_t)gr_dtype_size_bytes(j.result == GR__CONV_X ? j.out_dtype : j.dtype),
            y_item = (int64_t)gr_dtype_size_bytes(j.result == GR__CONV_Y ? j.out_dtype : j.dtype);
    if (s->batch > 1) {
        *p = (piece){.x = first * volume(s->in) * s->cin * x_item, .y = first * volume(s->out) * s->cout * y_item};
        s->batch = end - first;
    } else if (end - first < s->out[rows_axis(s)]) {
        int axis = rows_axis(s);
        int64_t row, x_bytes = volume(s->in) / s->in[axis] * s->cin * x_item,
                     y_bytes = volume(s->out) / s->out[axis] * s->cout * y_item;
        cut_rows(s, first, end, &row);
        *p = (piece){.x = row * x_bytes, .y = first * y_bytes};
    }
    return gr__dnn_conv_piece_new(&j, &p->dnn);
}

static gr_status cut(gr__dnn_conv *c, int64_t pieces)
{
    const gr__conv_shape *s = &c->job.shape;
    int64_t all = s->batch > 1 ? s->batch : s->out[rows_axis(s)];
    c->own_threads = pieces == 1 && most_pieces(s) > 1;
    gr__dnn_use_threads(c->own_threads ? gr_threads() : 1);
    gr_status status = GR_OK;
    for (int64_t i = 0; i < pieces && status == GR_OK; i++)
        status = add_piece(c, all * i / pieces, all * (i + 1) / pieces);
    gr__dnn_use_threads(gr_threads());
    return status;
}

static void drop_pieces(gr__dnn_conv *c)
{
    for (int i = 0; i < c->n; i++) gr__dnn_conv_piece_free(c->piece[i].dnn);
    c->n = 0;
}

static bool pieces_agree(const gr__dnn_conv *c)
{
    for (int i = 1; i < c->n; i++)
        if (!gr__dnn_conv_piece_fits(c->piece[i].dnn, c->piece[0].dnn)) return false;
    return true;
}

/* Several pieces' sums lie in the scratch, whatever their order. */
static bool adds_sums(const gr__dnn_conv *c) { return c->job.result == GR__CONV_W && c->n > 1; }

static void place_scratch(gr__dnn_conv *c)
{
    const gr__conv_shape *s = &c->job.shape;
    c->weight_bytes = line(gr__dnn_conv_piece_blocked_bytes(c->piece[0].dnn));
    if (adds_sums(c) && c->weight_bytes == 0)
        c->weight_bytes = (size_t)(s->cout * (s->cin / s->groups) * volume(s->window)) * sizeof(float);
    c->scratch_bytes = line(c->weight_bytes * (size_t)(adds_sums(c) ? c->n : 1));
    for (int i = 0; i < c->n; i++) {
        c->piece[i].scratch = c->scratch_bytes;
        c->scratch_bytes += line(gr__dnn_conv_piece_scratch_bytes(c->piece[i].dnn));
    }
}

gr_status gr__dnn_conv_new(const gr__dnn_conv_job *job, gr__dnn_conv **out)
{
    gr__dnn_conv *c = gr__calloc(1, sizeof *c);
    if (!c) return gr__fail_memory("a convolution", sizeof *c);
    c->job = *job;
    int64_t pieces = pieces_of(job);
    gr_status status = cut(c, pieces);
    if (pieces > 1 && (status != GR_OK || !pieces_agree(c))) { /* rows of padding alone, say */
        drop_pieces(c);
        status = cut(c, 1);
    }
    if (status != GR_OK) {
        gr__dnn_conv_free(c);
        return status;
    }
    place_scratch(c);
    *out = c;
    return GR_OK;
}

void gr__dnn_conv_free(gr__dnn_conv *c)
{
    if (c) drop_pieces(c);
    gr__free(c);
}

size_t gr__dnn_conv_scratch_bytes(const gr__dnn_conv *c) { return c->scratch_bytes; }

const char *gr__dnn_conv_name(const gr__dnn_conv *c) { return gr__dnn_conv_piece_name(c->piece[0].dnn); }

typedef struct run {
    const gr__dnn_conv *c;
    char *x, *y, *w, *scratch;
    const float *bias;
} run;

static gr_status run_piece(void *context, int64_t chunk)
{
    const run *r = context;
    const piece *p = &r->c->piece[chunk];
    char *w = r->w + (adds_sums(r->c) ? (size_t)chunk * r->c->weight_bytes : 0);
    gr__dnn_use_threads(r->c->own_threads ? gr_threads() : 1);
    return gr__dnn_conv_piece_run(p->dnn, r->x + p->x, w, r->y + p->y, r->bias, r->scratch + p->scratch);
}

/* Of all pieces, in the place of the first one's, or in w. */
static void add_sums(const gr__dnn_conv *c, float *sums, float *to, int64_t count)
{
    gr__reduce r = {.kind = GR__REDUCE_SUM,
                    .outer = 1,
                    .n = c->n,
                    .inner = count,
                    .x = sums,
                    .x_dtype = GR_F32,
                    .y = to,
                    .y_dtype = GR_F32};
    gr__reduce_run(&r);
}

gr_status gr__dnn_conv_run(gr__dnn_conv *c, void *x, void *w, void *y, const float *bias, void *scratch)
{
    gr__dnn_conv_piece *first = c->piece[0].dnn;
    bool blocked = gr__dnn_conv_piece_blocked_bytes(first) > 0, gives_w = c->job.result == GR__CONV_W;
    run r = {.c = c, .x = x, .y = y, .w = c->weight_bytes ? scratch : w, .scratch = scratch, .bias = bias};
    gr__dnn_use_threads(c->own_threads ? gr_threads() : 1); /* for the weights' way, too */
    if (blocked && !gives_w) GR_TRY(gr__dnn_conv_piece_reorder(first, w, scratch));
    gr_status s = gr__dnn_run_pieces(c->n, run_piece, &r);
    GR_FAIL_IF(s != GR_OK, s, "oneDNN could not run a convolution of %lld to %lld channels",
               (long long)c->job.shape.cin, (long long)c->job.shape.cout);
    if (adds_sums(c)) add_sums(c, scratch, blocked ? scratch : w, (int64_t)(c->weight_bytes / sizeof(float)));
    return blocked && gives_w ? gr__dnn_conv_piece_reorder(first, w, scratch) : GR_OK;
}
